package jsonx

import (
	"strings"
	"unicode/utf8"
)

// RelaxedObject reads an object strictly and, when that fails, once more after
// Relaxed. Repeated names are refused either way, so an apostrophe inside a
// single-quoted text cannot smuggle in a second score.
func RelaxedObject(text string) (Fields, error) {
	fields, err := object(text)
	if err == nil {
		return fields, nil
	}
	relaxed, relaxedErr := Relaxed(text)
	if relaxed == text || strings.IndexByte(text, '\'') < 0 && relaxedErr != nil {
		return Fields{}, err // knows the place
	}
	if relaxedErr != nil {
		return Fields{}, relaxedErr
	}
	return object(relaxed)
}

// Relaxed rewrites two things and nothing else: single-quoted strings become
// double-quoted ones, and raw control characters inside strings become
// escapes. The result is for a strict reader, which still has to accept it.
// Strings left open and brackets that do not match are a *SyntaxError; valid
// JSON comes back as it was.
func Relaxed(text string) (string, error) {
	if !utf8.ValidString(text) {
		return "", &SyntaxError{Reason: reasonUTF8}
	}
	var open [maxDepth]byte // the closing bracket each open one waits for
	depth := 0
	var b strings.Builder
	b.Grow(len(text) + len(text)/8)
	for pos := 0; pos < len(text); {
		c := text[pos]
		switch c {
		case '"', '\'':
			next, reason := relaxedString(&b, text, pos)
			if reason != "" {
				return "", &SyntaxError{Reason: reason}
			}
			pos = next
			continue
		case '{', '[':
			if depth == maxDepth {
				return "", &SyntaxError{Reason: reasonDeep}
			}
			open[depth] = c + 2 // in ASCII '}' and ']' stand two after their partners
			depth++
		case '}', ']':
			if depth == 0 || open[depth-1] != c {
				return "", &SyntaxError{Reason: reasonBrackets}
			}
			depth--
		}
		b.WriteByte(c)
		pos++
	}
	if depth > 0 {
		return "", &SyntaxError{Reason: reasonTruncated}
	}
	return b.String(), nil
}

// relaxedString copies the string that opens at pos and returns where it ends,
// or the reason why it has no end.
func relaxedString(b *strings.Builder, text string, pos int) (next int, reason string) {
	quote := text[pos]
	b.WriteByte('"')
	for pos++; pos < len(text); pos++ {
		c := text[pos]
		switch {
		case c == quote:
			b.WriteByte('"')
			return pos + 1, ""
		case c == 0:
			return 0, reasonNUL
		case c < 0x20:
			writeControl(b, c)
		case c == '"': // inside single quotes only
			b.WriteString(`\"`)
		case c == '\\':
			pos++
			if pos == len(text) {
				return 0, reasonTruncated
			}
			c = text[pos]
			switch {
			case c < 0x20:
				// Escaping this one would leave a backslash and a letter.
				return 0, reasonEscape
			case c == '\'' && quote == '\'':
				b.WriteByte('\'')
			default:
				b.WriteByte('\\')
				b.WriteByte(c)
			}
		default:
			b.WriteByte(c)
		}
	}
	return 0, reasonTruncated
}

// RawControls escapes raw control characters inside double-quoted strings and
// touches nothing else; it is for the envelope's outer frame, whose first
// documented example has line breaks inside requestBody. Without any, data
// itself comes back. A control character right behind a backslash stays, for
// the strict reader to refuse: escaped, it would change what was meant.
func RawControls(data []byte) []byte {
	var b *strings.Builder
	copied, inside := 0, false
	for pos := 0; pos < len(data); pos++ {
		c := data[pos]
		switch {
		case c == '"':
			inside = !inside
		case !inside:
		case c == '\\':
			pos++
		case c < 0x20:
			if b == nil {
				b = new(strings.Builder)
				b.Grow(len(data) + len(data)/8)
			}
			b.Write(data[copied:pos])
			writeControl(b, c)
			copied = pos + 1
		}
	}
	if b == nil {
		return data
	}
	b.Write(data[copied:])
	return []byte(b.String())
}

func writeControl(b *strings.Builder, c byte) {
	const hex = "0123456789abcdef"
	switch c {
	case '\n':
		b.WriteString(`\n`)
	case '\r':
		b.WriteString(`\r`)
	case '\t':
		b.WriteString(`\t`)
	default:
		b.WriteString(`\u00`)
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
}
