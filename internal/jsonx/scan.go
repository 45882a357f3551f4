package jsonx

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// step is one level of the path to the value being read; index is -1 inside
// an object.
type step struct {
	name  string
	index int
}

// scanner walks a text once. On failure it stops where it is, so depth and
// path still show the place; reason keeps the first complaint.
type scanner struct {
	text   string
	pos    int
	depth  int
	reason string
	path   [maxDepth]step
	names  []string // names seen so far in all open objects, innermost last
}

// Object reads exactly one JSON object with nothing but blanks around it. The
// result holds its own copy of data. Any error is a *SyntaxError.
func Object(data []byte) (Fields, error) {
	return object(string(data))
}

func object(text string) (Fields, error) {
	const usualMembers = 12 // covers nearly every documented body without growing
	if !utf8.ValidString(text) {
		return Fields{}, &SyntaxError{Reason: reasonUTF8}
	}
	var buffer [2 * usualMembers]string
	s := scanner{text: text, names: buffer[:0]}
	s.blanks()
	if s.peek() != '{' {
		if s.pos == len(text) {
			return Fields{}, &SyntaxError{Reason: reasonTruncated}
		}
		return Fields{}, &SyntaxError{Reason: reasonNotObject}
	}
	const shortest = 5 // a member with its comma; keeps a list of many {} small
	members := make([]member, 0, min(usualMembers, len(text)/shortest+1))
	if !s.object(&members) || !s.end() {
		return Fields{}, s.err()
	}
	return Fields{members: members}, nil
}

// list reads exactly one array and returns its elements as nameless members.
func list(text string) ([]member, error) {
	if !utf8.ValidString(text) {
		return nil, &SyntaxError{Reason: reasonUTF8}
	}
	s := scanner{text: text}
	s.blanks()
	if s.peek() != '[' {
		return nil, &SyntaxError{Reason: reasonUnexpected}
	}
	var elements []member
	if !s.array(&elements) || !s.end() {
		return nil, s.err()
	}
	return elements, nil
}

func (s *scanner) err() error {
	var b strings.Builder
	for _, at := range s.path[:s.depth] {
		switch {
		case at.index >= 0:
			b.WriteString("[" + strconv.Itoa(at.index) + "]")
		case at.name != "":
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(safeName(at.name))
		}
	}
	return &SyntaxError{Path: b.String(), Reason: s.reason}
}

func (s *scanner) fail(reason string) bool {
	s.reason = reason
	return false
}

// unexpected tells a body that was cut short from one that is wrong.
func (s *scanner) unexpected() bool {
	if s.pos >= len(s.text) {
		return s.fail(reasonTruncated)
	}
	return s.fail(reasonUnexpected)
}

func (s *scanner) blanks() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the next byte, 0 at the end; a NUL outside strings is as
// unexpected as the end is.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

func (s *scanner) eat(c byte) bool {
	if s.pos < len(s.text) && s.text[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

func (s *scanner) end() bool {
	s.blanks()
	return s.pos == len(s.text) || s.fail(reasonTrailing)
}

// object reads from '{' to its '}'. Members go to into when it is not nil.
func (s *scanner) object(into *[]member) bool {
	if s.depth == maxDepth {
		return s.fail(reasonDeep)
	}
	level := s.depth
	s.path[level] = step{index: -1}
	s.depth++
	s.pos++
	first := len(s.names)
	var seen map[string]bool
	s.blanks()
	for more := !s.eat('}'); more; {
		name, ok := s.name()
		if !ok {
			return false
		}
		s.path[level].name = name
		if s.repeated(name, first, &seen) {
			return s.fail(reasonRepeated)
		}
		s.names = append(s.names, name)
		s.blanks()
		if !s.eat(':') {
			return s.unexpected()
		}
		s.blanks()
		start := s.pos
		kind, ok := s.value()
		if !ok {
			return false
		}
		if into != nil {
			*into = append(*into, member{name: name, raw: s.text[start:s.pos], kind: kind})
		}
		s.blanks()
		if more = s.eat(','); more {
			s.blanks()
		} else if !s.eat('}') {
			return s.unexpected()
		}
	}
	s.names = s.names[:first]
	s.depth--
	return true
}

// array reads from '[' to its ']'.
func (s *scanner) array(into *[]member) bool {
	if s.depth == maxDepth {
		return s.fail(reasonDeep)
	}
	level := s.depth
	s.depth++
	s.path[level] = step{}
	s.pos++
	s.blanks()
	for more := !s.eat(']'); more; {
		start := s.pos
		kind, ok := s.value()
		if !ok {
			return false
		}
		if into != nil {
			*into = append(*into, member{raw: s.text[start:s.pos], kind: kind})
		}
		s.blanks()
		if more = s.eat(','); more {
			s.path[level].index++
			s.blanks()
		} else if !s.eat(']') {
			return s.unexpected()
		}
	}
	s.depth--
	return true
}

// repeated reports whether name already stands in the object whose names begin
// at first. Few names are compared one by one; beyond that a map keeps a body
// of many thousand names from costing quadratic time.
func (s *scanner) repeated(name string, first int, seen *map[string]bool) bool {
	const few = 24
	known := s.names[first:]
	if len(known) < few {
		for _, other := range known {
			if other == name {
				return true
			}
		}
		return false
	}
	if *seen == nil {
		*seen = make(map[string]bool, 2*few)
		for _, other := range known {
			(*seen)[other] = true
		}
	}
	if (*seen)[name] {
		return true
	}
	(*seen)[name] = true
	return false
}

// name reads a member name and returns it decoded: "sc\u006fre" is "score",
// or two spellings of one name would pass as different names.
func (s *scanner) name() (string, bool) {
	if s.peek() != '"' {
		return "", s.unexpected()
	}
	start := s.pos + 1
	escaped, ok := s.str()
	if !ok {
		return "", false
	}
	name := s.text[start : s.pos-1]
	if escaped {
		name = unescape(name)
	}
	return name, true
}

func (s *scanner) value() (kind, bool) {
	switch c := s.peek(); {
	case c == '"':
		escaped, ok := s.str()
		if escaped {
			return kindEscaped, ok
		}
		return kindPlain, ok
	case c == '{':
		return kindObject, s.object(nil)
	case c == '[':
		return kindArray, s.array(nil)
	case c == '-' || c >= '0' && c <= '9':
		return kindNumber, s.number()
	case c == 't':
		return kindBool, s.literal("true")
	case c == 'f':
		return kindBool, s.literal("false")
	case c == 'n':
		return kindNull, s.literal("null")
	}
	return kindNull, s.unexpected()
}

func (s *scanner) literal(word string) bool {
	for i := 0; i < len(word); i++ {
		if !s.eat(word[i]) {
			return s.unexpected()
		}
	}
	return true
}
