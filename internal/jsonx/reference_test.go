package jsonx

import (
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// reference reads what RelaxedObject is to read, in one pass and by another
// way: a recursive descent that knows both quotes and builds plain values. It
// stands here to disagree with the rewriting that Relaxed does.
type reference struct{ rest string }

var (
	errReference    = errors.New("reference: refused")
	referenceNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`)
)

func readReference(text string) (object map[string]any, err error) {
	if !utf8.ValidString(text) {
		return nil, errReference
	}
	defer func() {
		if p := recover(); p == errReference {
			object, err = nil, errReference
		} else if p != nil {
			panic(p)
		}
	}()
	r := &reference{rest: text}
	object, ok := r.value(0).(map[string]any)
	r.blanks()
	r.insist(ok && r.rest == "")
	return object, nil
}

func (r *reference) insist(ok bool) {
	if !ok {
		panic(errReference)
	}
}

func (r *reference) blanks() { r.rest = strings.TrimLeft(r.rest, " \t\r\n") }

func (r *reference) take(prefix string) (ok bool) {
	r.blanks()
	r.rest, ok = strings.CutPrefix(r.rest, prefix)
	return ok
}

func (r *reference) value(depth int) any {
	r.blanks()
	r.insist(r.rest != "")
	switch r.rest[0] {
	case '{':
		r.insist(depth < maxDepth)
		return r.object(depth + 1)
	case '[':
		r.insist(depth < maxDepth)
		return r.list(depth + 1)
	case '"', '\'':
		return r.text()
	}
	for word, value := range map[string]any{"true": true, "false": false, "null": nil} {
		if r.take(word) {
			return value
		}
	}
	number := referenceNumber.FindString(r.rest)
	r.insist(number != "")
	r.rest = r.rest[len(number):]
	return json.Number(number)
}

func (r *reference) object(depth int) any {
	object := map[string]any{}
	r.take("{")
	if r.take("}") {
		return object
	}
	for {
		r.blanks()
		name := r.text()
		_, repeated := object[name]
		r.insist(!repeated && r.take(":"))
		object[name] = r.value(depth)
		if !r.take(",") {
			r.insist(r.take("}"))
			return object
		}
	}
}

func (r *reference) list(depth int) any {
	list := []any{}
	r.take("[")
	if r.take("]") {
		return list
	}
	for {
		list = append(list, r.value(depth))
		if !r.take(",") {
			r.insist(r.take("]"))
			return list
		}
	}
}

// text reads a string in either quotes, up to the first of its own that no
// backslash precedes.
func (r *reference) text() string {
	r.insist(r.rest != "" && (r.rest[0] == '"' || r.rest[0] == '\''))
	quote := r.rest[0]
	r.rest = r.rest[1:]
	var b strings.Builder
	for {
		r.insist(r.rest != "")
		c := r.rest[0]
		switch {
		case c == quote:
			r.rest = r.rest[1:]
			return b.String()
		case c == '\\':
			b.WriteRune(r.escape(quote))
		default:
			r.insist(c != 0)
			b.WriteByte(c)
			r.rest = r.rest[1:]
		}
	}
}

func (r *reference) escape(quote byte) rune {
	r.insist(len(r.rest) > 1)
	c := r.rest[1]
	if c == 'u' {
		first := r.unit()
		if !utf16.IsSurrogate(first) {
			r.insist(first != 0)
			return first
		}
		both := utf16.DecodeRune(first, r.unit())
		r.insist(both != utf8.RuneError)
		return both
	}
	r.rest = r.rest[2:]
	if c == '\'' && quote == '\'' {
		return '\''
	}
	at := strings.IndexByte(`"\/bfnrt`, c)
	r.insist(at >= 0)
	return rune("\"\\/\b\f\n\r\t"[at])
}

func (r *reference) unit() rune {
	r.insist(len(r.rest) >= 6 && r.rest[:2] == `\u`)
	n, err := strconv.ParseUint(r.rest[2:6], 16, 16)
	r.insist(err == nil)
	r.rest = r.rest[6:]
	return rune(n)
}
