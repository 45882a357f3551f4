// Package jsonx reads the JSON that strangers send.
//
// encoding/json is lenient where a points platform must not be: it takes the
// last of two equal member names, matches names in any letter case, replaces
// broken text silently and leaves duplicates inside nested values alone. Here
// a body is checked once, strictly and as a whole ([Object]); what remains is
// [Fields], whose accessors take every wire form the documents show: numbers
// as text, text as numbers, two spellings of one name.
//
// [Relaxed] and [RawControls] exist for two habits of the documents' own
// examples (single quotes, raw line breaks). They never complete or reorder
// anything: a body that was cut short stays unreadable.
//
// The package never writes JSON (answers are marshalled by encoding/json),
// never uses floating point, and never puts a value into an error: values may
// be personal data, and errors are logged.
package jsonx

import "strings"

// maxDepth bounds nesting. The documents nest three deep; the bound keeps the
// recursion, and what a hostile body can cost, small.
const maxDepth = 32

// SyntaxError says why a text is not acceptable JSON. Path names the place in
// the style of a[2].b, "" for the outermost value; names that do not look like
// identifiers stand as "?" there, since a stranger's name may hold anything.
type SyntaxError struct {
	Path   string
	Reason string
}

// The reasons of a SyntaxError. Tests and logs read them; code asks for the
// type only.
const (
	reasonUTF8       = "invalid UTF-8"
	reasonNotObject  = "not an object"
	reasonTrailing   = "text after the value"
	reasonTruncated  = "ends too early"
	reasonUnexpected = "unexpected character"
	reasonControl    = "raw control character in a string"
	reasonNUL        = "NUL character"
	reasonEscape     = "invalid escape"
	reasonSurrogate  = "unpaired surrogate"
	reasonNumber     = "malformed number"
	reasonRepeated   = "repeated member name"
	reasonDeep       = "nested too deep"
	reasonBrackets   = "unbalanced brackets"
)

func (e *SyntaxError) Error() string {
	if e.Path == "" {
		return "json: " + e.Reason
	}
	return "json: " + e.Reason + " at " + e.Path
}

// Chinese is the message for the wire.
func (e *SyntaxError) Chinese() string {
	switch {
	case e.Reason == reasonRepeated:
		return "请求参数 " + e.Path + " 重复"
	case e.Path == "":
		return "请求体不是合法的 JSON 对象"
	}
	return "请求体不是合法的 JSON 对象: " + e.Path
}

// safeName returns name when it can stand in a log line, else "?". Six digits
// in a row might be a phone or an id number that slipped into a name.
func safeName(name string) string {
	const longest, manyDigits = 40, 6
	if name == "" || len(name) > longest {
		return "?"
	}
	digits := 0
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case c >= '0' && c <= '9':
			if digits++; digits == manyDigits {
				return "?"
			}
		case c|0x20 >= 'a' && c|0x20 <= 'z', c == '_', c == '-', c == '.':
			digits = 0
		default:
			return "?"
		}
	}
	return strings.Clone(name)
}
