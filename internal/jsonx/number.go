package jsonx

import (
	"math"
	"strings"
)

// number reads a number literal by the JSON grammar.
func (s *scanner) number() bool {
	s.eat('-')
	switch {
	case s.eat('0'):
	case s.digits() == 0:
		return s.badNumber()
	}
	if s.eat('.') && s.digits() == 0 {
		return s.badNumber()
	}
	if s.eat('e') || s.eat('E') {
		if !s.eat('+') {
			s.eat('-')
		}
		if s.digits() == 0 {
			return s.badNumber()
		}
	}
	return true
}

func (s *scanner) badNumber() bool {
	if s.pos == len(s.text) {
		return s.fail(reasonTruncated)
	}
	return s.fail(reasonNumber)
}

func (s *scanner) digits() int {
	n := countDigits(s.text[s.pos:])
	s.pos += n
	return n
}

func countDigits(text string) int {
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	return n
}

// decimal is an exact number: digits times ten to the exp. digits has no zeros
// at either end; "" is zero.
type decimal struct {
	negative bool
	digits   string
	exp      int
}

// maxExponent is far beyond anything that can end up within int64, and small
// enough that sums of exponents cannot overflow.
const maxExponent = 1 << 24

// parseDecimal reads a number as JSON writes it. Leading zeros are taken as
// well ("007" in a string); blanks, '+' in front, ".5" and "5." are not.
func parseDecimal(text string) (decimal, bool) {
	var d decimal
	text, d.negative = strings.CutPrefix(text, "-")
	n := countDigits(text)
	if n == 0 {
		return decimal{}, false
	}
	whole, rest := text[:n], text[n:]
	fraction := ""
	if after, ok := strings.CutPrefix(rest, "."); ok {
		n = countDigits(after)
		if n == 0 {
			return decimal{}, false
		}
		fraction, rest = strings.TrimRight(after[:n], "0"), after[n:]
	}
	exp, ok := parseExponent(rest)
	if !ok {
		return decimal{}, false
	}
	digits := whole
	if fraction != "" {
		digits += fraction
	}
	digits = strings.TrimLeft(digits, "0")
	d.digits = strings.TrimRight(digits, "0")
	d.exp = exp - len(fraction) + len(digits) - len(d.digits)
	if d.digits == "" {
		return decimal{}, true
	}
	return d, true
}

// parseExponent reads what follows the digits: nothing, or e and an integer.
func parseExponent(text string) (int, bool) {
	if text == "" {
		return 0, true
	}
	if text[0]|0x20 != 'e' {
		return 0, false
	}
	text, negative := strings.CutPrefix(text[1:], "-")
	if !negative {
		text = strings.TrimPrefix(text, "+")
	}
	if text == "" || countDigits(text) != len(text) {
		return 0, false
	}
	exp := 0
	for i := 0; i < len(text) && exp < maxExponent; i++ {
		exp = exp*10 + int(text[i]-'0')
	}
	exp = min(exp, maxExponent)
	if negative {
		exp = -exp
	}
	return exp, true
}

// scaled returns d times ten to the shift as an exact int64, or the reason why
// there is none: fraction when digits would be lost, else OutOfRange.
func (d decimal) scaled(shift int, fraction Reason) (int64, Reason) {
	if d.digits == "" {
		return 0, ""
	}
	const mostDigits = 19 // of an int64; 19 nines still fit a uint64
	zeros := d.exp + shift
	switch {
	case zeros < 0:
		return 0, fraction
	case len(d.digits)+zeros > mostDigits:
		return 0, OutOfRange
	}
	var v uint64
	for i := 0; i < len(d.digits); i++ {
		v = v*10 + uint64(d.digits[i]-'0')
	}
	for range zeros {
		v *= 10
	}
	switch {
	case d.negative && v <= 1<<63:
		return int64(-v), ""
	case !d.negative && v <= math.MaxInt64:
		return int64(v), ""
	}
	return 0, OutOfRange
}
