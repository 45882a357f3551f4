package programme

import (
	"math"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/memberd/memberd/internal/loyalty"
)

// form is how one value is written: what reads it from a node, and the node
// that says it. The node is nil for a value that is left out.
type form struct {
	read func(r *reader, n *yaml.Node, key string)
	node func() *yaml.Node
}

// field is a key of a mapping with its value.
type field struct {
	key  string
	may  bool // be left out
	note string
	form form
}

// must is a key that a file has to have.
func must(key string, f form, note string) field { return field{key: key, form: f, note: note} }

// may is a key that has an obvious empty value.
func may(key string, f form, note string) field {
	return field{key: key, form: f, note: note, may: true}
}

// object is a mapping with the fields.
func object(fields []field) form {
	return form{
		read: func(r *reader, n *yaml.Node, key string) { r.mapping(n, key, fields) },
		node: func() *yaml.Node {
			m := &yaml.Node{Kind: yaml.MappingNode}
			for _, f := range fields {
				value := f.form.node()
				if value == nil || f.may && value.Kind != yaml.ScalarNode && len(value.Content) == 0 {
					continue
				}
				name := &yaml.Node{Kind: yaml.ScalarNode, Value: f.key, HeadComment: f.note}
				m.Content = append(m.Content, name, value)
			}
			return m
		},
	}
}

// list is a sequence; element is the form of one.
func list[T any](p *[]T, element func(*T) form, style yaml.Style) form {
	return form{
		read: func(r *reader, n *yaml.Node, key string) {
			if n.Kind != yaml.SequenceNode {
				r.find(n, key, "%s: a list is wanted, [] for an empty one", shown(n))
				return
			}
			all := make([]T, len(n.Content))
			for i, child := range n.Content {
				name := key + "[" + strconv.Itoa(i) + "]"
				r.lines[name] = child.Line
				if child.Kind != yaml.AliasNode {
					element(&all[i]).read(r, child, name)
				}
			}
			*p = all
		},
		node: func() *yaml.Node {
			s := &yaml.Node{Kind: yaml.SequenceNode, Style: style}
			for i := range *p {
				s.Content = append(s.Content, element(&(*p)[i]).node())
			}
			if len(s.Content) == 0 {
				s.Style = yaml.FlowStyle
			}
			return s
		},
	}
}

// unlessZero leaves a value out that is zero.
func unlessZero[T comparable](p *T, f form) form {
	return form{read: f.read, node: func() *yaml.Node {
		var zero T
		if *p == zero {
			return nil
		}
		return f.node()
	}}
}

// unlessNone leaves a list out that is empty, and keeps one that was written
// empty as none.
func unlessNone[T any](p *[]T, f form) form {
	return form{
		read: func(r *reader, n *yaml.Node, key string) {
			if f.read(r, n, key); len(*p) == 0 {
				*p = nil
			}
		},
		node: func() *yaml.Node {
			if len(*p) == 0 {
				return nil
			}
			return f.node()
		},
	}
}

// plain is a scalar that is read back as it is written here.
func plain(value string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: value} }

// text is any text. Numbers are taken as they are written, so that numbers of
// stores and goods need no quotes.
func text[T ~string](p *T) form {
	return form{
		read: func(r *reader, n *yaml.Node, key string) {
			tag := n.ShortTag()
			if n.Kind != yaml.ScalarNode || tag == "!!null" || tag == "!!bool" {
				r.find(n, key, "%s: a text is wanted", shown(n))
				return
			}
			*p = T(n.Value)
		},
		node: func() *yaml.Node {
			n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: string(*p)}
			if strings.ContainsFunc(n.Value, func(c rune) bool { return !unicode.IsPrint(c) }) {
				n.Style = yaml.DoubleQuotedStyle
			}
			return n
		},
	}
}

// number is a whole number.
func number[T ~int | ~int64](p *T) form {
	return form{
		read: func(r *reader, n *yaml.Node, key string) {
			v, err := strconv.ParseInt(n.Value, 10, 64)
			if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil || n.Value[0] == '+' {
				r.find(n, key, "%s: a whole number is wanted", shown(n))
				return
			}
			*p = T(v)
		},
		node: func() *yaml.Node { return plain(strconv.FormatInt(int64(*p), 10)) },
	}
}

// flag is true or false.
func flag(p *bool) form {
	return form{
		read: func(r *reader, n *yaml.Node, key string) {
			if n.Kind != yaml.ScalarNode || n.Style != 0 || n.Value != "true" && n.Value != "false" {
				r.find(n, key, "%s: true or false is wanted", shown(n))
				return
			}
			*p = n.Value == "true"
		},
		node: func() *yaml.Node { return plain(strconv.FormatBool(*p)) },
	}
}

// oneOf is a value that has a word in files.
func oneOf[T comparable](p *T, words []string, values []T) form {
	return form{
		read: func(r *reader, n *yaml.Node, key string) {
			for i, w := range words {
				if n.Kind == yaml.ScalarNode && n.Value == w {
					*p = values[i]
					return
				}
			}
			r.find(n, key, "%s is none of %s", shown(n), strings.Join(words, ", "))
		},
		node: func() *yaml.Node {
			for i, v := range values {
				if v == *p {
					return plain(words[i])
				}
			}
			return plain("?") // the domain knows no such value
		},
	}
}

// rate is a fraction: 3/2, 2 or 1.5.
func rate(p *loyalty.Fraction) form {
	return form{
		read: func(r *reader, n *yaml.Node, key string) {
			v, ok := parseRate(n.Value)
			if n.Kind != yaml.ScalarNode || !ok {
				r.find(n, key, "%s: a rate like 3/2, 2 or 1.5 is wanted, not negative and with at most four places", shown(n))
				return
			}
			*p = v
		},
		node: func() *yaml.Node {
			return plain(strconv.FormatInt(p.Num, 10) + "/" + strconv.FormatInt(p.Den, 10))
		},
	}
}

// parseRate reads a fraction as it is, and a decimal in lowest terms.
func parseRate(text string) (loyalty.Fraction, bool) {
	if above, below, ok := strings.Cut(text, "/"); ok {
		num, ok1 := digits(above)
		den, ok2 := digits(below)
		return loyalty.Fraction{Num: num, Den: den}, ok1 && ok2 && den > 0
	}
	n, ok := parseDecimal(text)
	if !ok {
		return loyalty.Fraction{}, false
	}
	a, b := n, int64(loyalty.Whole)
	for b != 0 {
		a, b = b, a%b
	}
	return loyalty.Fraction{Num: n / a, Den: int64(loyalty.Whole) / a}, true
}

// parseDecimal reads a decimal with at most four places in ten-thousandths.
func parseDecimal(text string) (int64, bool) {
	whole, places, dot := strings.Cut(text, ".")
	if dot && places == "" || len(places) > 4 {
		return 0, false
	}
	n, ok := digits(whole)
	part, ok2 := digits((places + "0000")[:4])
	if !ok || !ok2 || n > math.MaxInt32 { // of these the domain takes none
		return 0, false
	}
	return n*int64(loyalty.Whole) + part, true
}

// digits reads a number that has nothing but digits in it.
func digits(text string) (int64, bool) {
	if strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// factor is a decimal with at most four places.
func factor(p *loyalty.Factor) form {
	return form{
		read: func(r *reader, n *yaml.Node, key string) {
			v, ok := parseDecimal(n.Value)
			if n.Kind != yaml.ScalarNode || !ok {
				r.find(n, key, "%s: a factor like 2 or 1.5 is wanted, not negative and with at most four places", shown(n))
				return
			}
			*p = loyalty.Factor(v)
		},
		node: func() *yaml.Node { return plain(factorText(*p)) },
	}
}

func factorText(f loyalty.Factor) string {
	whole := strconv.FormatInt(int64(f/loyalty.Whole), 10)
	places := strconv.FormatInt(int64(f%loyalty.Whole+loyalty.Whole), 10)[1:] // with leading zeros
	if places = strings.TrimRight(places, "0"); places == "" {
		return whole
	}
	return whole + "." + places
}

// shown is a value as findings quote it.
func shown(n *yaml.Node) string {
	const most = 40
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.ShortTag() == "!!null":
		return "nothing"
	}
	if value := []rune(n.Value); len(value) > most {
		return strconv.Quote(string(value[:most])) + "..."
	}
	return strconv.Quote(n.Value)
}
