package programme

import (
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// curly are the quotes of running text, which programs put where somebody has
// typed straight ones.
const curly = "“”‘’"

// wide is what input methods write for what YAML knows, and blanks that are none.
const wide = "，：\u3000\u00a0" + curly

// text is what people read. Numbers are taken as they are written.
func text[T ~string](p *T) form { return textOf(p, mistyped) }

// name is a text by which something is found again. Numbers of stores and goods
// need no quotes; what YAML reads as a number and writes otherwise does.
func name[T ~string](p *T) form {
	return textOf(p, func(n *yaml.Node) string {
		if problem := mistyped(n); problem != "" || quoted(n) {
			return problem
		}
		tag := n.ShortTag()
		switch at := strings.IndexAny(n.Value, wide); {
		case (tag == "!!float" || tag == "!!int") && strings.ContainsAny(n.Value, "eE_"):
			return "a number with an exponent or an underscore; write its digits, in quotes"
		case at >= 0:
			return "has " + called(n.Value[at:]) + " in it; if it is meant put the text in quotes"
		}
		return ""
	})
}

// called is the name of the first of the characters that look like others.
func called(text string) string {
	c := []rune(text)[0]
	switch {
	case c == '\u3000':
		return "a full-width blank (U+3000)"
	case c == '\u00a0':
		return "a blank that does not break (U+00A0)"
	case strings.ContainsRune(curly, c):
		return "a typographic quote " + string(c)
	}
	return "a full-width " + string(c)
}

// mistyped tells what a text was not meant to have.
func mistyped(n *yaml.Node) string {
	value := []rune(n.Value)
	if len(value) > 1 && !quoted(n) && strings.ContainsRune(curly, value[0]) && strings.ContainsRune(curly, value[len(value)-1]) {
		return `typographic quotes; write "..."`
	}
	return ""
}

func textOf[T ~string](p *T, problem func(*yaml.Node) string) form {
	return form{
		read: func(r *reader, n *yaml.Node, key string) {
			tag := n.ShortTag()
			if n.Kind != yaml.ScalarNode || tag == "!!null" || tag == "!!bool" {
				r.find(n, key, "%s: a text is wanted", shown(n))
				return
			}
			if wrong := problem(n); wrong != "" {
				r.find(n, key, "%s: %s", shown(n), wrong)
				return
			}
			if strings.ContainsFunc(n.Value, unicode.IsControl) && !r.lenient {
				r.find(n, key, "%s: control characters are not taken, nor are several lines", shown(n))
				return
			}
			*p = T(n.Value)
		},
		node: func() *yaml.Node {
			n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: string(*p)}
			if strings.ContainsFunc(n.Value, func(c rune) bool { return !unicode.IsPrint(c) }) || strings.ContainsAny(n.Value, wide) {
				n.Style = yaml.DoubleQuotedStyle
			}
			return n
		},
	}
}
