package jsonx

import (
	"bytes"
	"encoding/json"
)

// kind is what a member holds. The last two never come from JSON.
type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindPlain   // a string without escapes: its text is what stands between the quotes
	kindEscaped // a string with escapes
	kindObject
	kindArray
	kindText   // decoded text of a query parameter
	kindBroken // a query parameter that is not clean UTF-8
)

// member is one name of an object with its value as it was sent.
type member struct {
	name string
	raw  string
	kind kind
}

// maxFen bounds amounts of money at ten million million yuan: far above any
// order, far enough below int64 that sums cannot overflow.
const maxFen = 1_000_000_000_000_000

// string returns the decoded text of a string or query parameter.
func (m member) string() (string, bool) {
	switch m.kind {
	case kindPlain:
		return m.raw[1 : len(m.raw)-1], true
	case kindEscaped:
		return unescape(m.raw[1 : len(m.raw)-1]), true
	case kindText:
		return m.raw, true
	}
	return "", false
}

func (m member) empty() bool {
	return m.kind == kindPlain && len(m.raw) == 2 || m.kind == kindText && m.raw == ""
}

func (m member) text() (string, bool, Reason) {
	if text, ok := m.string(); ok {
		return text, text != "", ""
	}
	switch m.kind {
	case kindNumber:
		return m.raw, true, ""
	case kindBroken:
		return "", false, Unreadable
	}
	return "", false, NotText
}

func (m member) integer() (int64, bool, Reason) {
	return m.scaled(0, NotInteger)
}

func (m member) fen() (int64, bool, Reason) {
	fen, full, reason := m.scaled(2, NotMoney)
	if reason == "" && (fen > maxFen || fen < -maxFen) {
		return 0, false, OutOfRange
	}
	return fen, full, reason
}

func (m member) scaled(shift int, wrong Reason) (int64, bool, Reason) {
	text, full, reason := m.text()
	switch {
	case reason == NotText:
		return 0, false, wrong
	case reason != "" || !full:
		return 0, false, reason
	}
	d, ok := parseDecimal(text)
	if !ok {
		return 0, false, wrong
	}
	v, reason := d.scaled(shift, wrong)
	return v, true, reason
}

// same compares two members without knowing what they are for: texts by their
// characters, a number with a number or a text by its value ("1" equals 1),
// objects and arrays by their bytes without blanks.
func same(a, b member) bool {
	textA, _, reasonA := a.text()
	textB, _, reasonB := b.text()
	if reasonA == "" && reasonB == "" {
		if textA == textB {
			return true
		}
		x, okX := parseDecimal(textA)
		y, okY := parseDecimal(textB)
		return (a.kind == kindNumber || b.kind == kindNumber) && okX && okY && x == y
	}
	return a.kind == b.kind && a.kind != kindBroken && bytes.Equal(compact(a.raw), compact(b.raw))
}

func compact(raw string) []byte {
	var b bytes.Buffer
	if json.Compact(&b, []byte(raw)) != nil {
		return []byte(raw)
	}
	return b.Bytes()
}
