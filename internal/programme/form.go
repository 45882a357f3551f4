package programme

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
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

// flag is true or false.
func flag(p *bool) form {
	return form{
		read: func(r *reader, n *yaml.Node, key string) {
			if n.Kind != yaml.ScalarNode || n.Style != 0 || n.Value != "true" && n.Value != "false" {
				r.find(n, key, "%s: true or false is wanted%s", shown(n), unquoted(n, "true", "false"))
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

// quoted tells whether a value stands in quotes of YAML's.
func quoted(n *yaml.Node) bool { return n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 }

// unquoted is what is said of a value that would be right without its quotes.
func unquoted(n *yaml.Node, right ...string) string {
	if quoted(n) && slices.Contains(right, n.Value) {
		return "; write it without quotes"
	}
	return ""
}
