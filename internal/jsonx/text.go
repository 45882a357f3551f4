package jsonx

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// str reads a string from its opening to its closing quote and reports
// whether it holds escapes.
func (s *scanner) str() (escaped, ok bool) {
	s.pos++
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == '"':
			s.pos++
			return escaped, true
		case c == 0:
			return escaped, s.fail(reasonNUL)
		case c < 0x20:
			return escaped, s.fail(reasonControl)
		case c == '\\':
			escaped = true
			if !s.escape() {
				return escaped, false
			}
		default:
			s.pos++
		}
	}
	return escaped, s.fail(reasonTruncated)
}

// escape reads one escape, or the two that make up a surrogate pair.
func (s *scanner) escape() bool {
	if s.pos+1 >= len(s.text) {
		return s.fail(reasonTruncated)
	}
	switch s.text[s.pos+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return true
	case 'u':
	default:
		return s.fail(reasonEscape)
	}
	r, ok := hexRune(s.text[s.pos:])
	switch {
	case !ok:
		if len(s.text)-s.pos < 6 {
			return s.fail(reasonTruncated)
		}
		return s.fail(reasonEscape)
	case r == 0:
		return s.fail(reasonNUL)
	case !utf16.IsSurrogate(r):
		s.pos += 6
		return true
	}
	low, ok := hexRune(s.text[s.pos+6:])
	if !ok || utf16.DecodeRune(r, low) == utf8.RuneError {
		return s.fail(reasonSurrogate)
	}
	s.pos += 12
	return true
}

// hexRune reads the code unit of a \uXXXX at the beginning of text.
func hexRune(text string) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	var r rune
	for i := 2; i < 6; i++ {
		c := text[i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unescape decodes what stood between the quotes of a string that str accepted.
func unescape(inner string) string {
	var b strings.Builder
	b.Grow(len(inner))
	for {
		at := strings.IndexByte(inner, '\\')
		if at < 0 {
			b.WriteString(inner)
			return b.String()
		}
		b.WriteString(inner[:at])
		inner = inner[at:]
		switch inner[1] {
		case 'u':
			r, _ := hexRune(inner)
			inner = inner[6:]
			if utf16.IsSurrogate(r) {
				low, _ := hexRune(inner)
				r = utf16.DecodeRune(r, low)
				inner = inner[6:]
			}
			b.WriteRune(r)
			continue
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		default: // quote, backslash and slash stand for themselves
			b.WriteByte(inner[1])
		}
		inner = inner[2:]
	}
}
