package jsonx

import (
	"iter"
	"slices"
)

// Fields are the members of one object, in the order they were sent. The zero
// value has none.
//
// Every accessor takes the spellings of one thing. Absent and null are not
// present. Where several spellings (or the body and the query) hold something,
// an empty one gives way, and two that differ are an error: which one counts
// must not be a matter of luck. Errors of accessors are *FieldError.
type Fields struct {
	members []member
}

// Has reports whether any of the names is there and not null.
func (f Fields) Has(names ...string) bool {
	for i := range f.members {
		if m := &f.members[i]; m.kind != kindNull && slices.Contains(names, m.name) {
			return true
		}
	}
	return false
}

// All yields name and text of every member that is not null: strings decoded,
// everything else as the bytes that were sent. This is what the envelope's
// signature covers.
func (f Fields) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, m := range f.members {
			if m.kind == kindNull {
				continue
			}
			text, isText := m.string()
			if !isText {
				text = m.raw
			}
			if !yield(m.name, text) {
				return
			}
		}
	}
}

// Text returns a string, or a number as it was written. An empty string is
// present: it may be meant to clear something.
func (f Fields) Text(names ...string) (value string, present bool, err error) {
	value, present, _, err = pick(f, names, member.text)
	return value, present, err
}

// Int returns a whole number sent as a number or as text: 1, "1", 1.0, 1e3. An
// empty string is not present, so a required field is refused by its absence
// and an optional one takes its default. Fractions, blanks, booleans and
// anything beyond int64 are errors.
func (f Fields) Int(names ...string) (value int64, present bool, err error) {
	value, _, present, err = pick(f, names, member.integer)
	return value, present, err
}

// Fen returns an amount of yuan, number or text with at most two decimals that
// are not zero, as fen. Negative amounts are returned for the caller to judge;
// beyond 10^15 fen either way is an error. Empty text is as in Int.
func (f Fields) Fen(names ...string) (fen int64, present bool, err error) {
	fen, _, present, err = pick(f, names, member.fen)
	return fen, present, err
}

// NeedText is Text for a required field: absent or empty is Missing.
func (f Fields) NeedText(names ...string) (string, error) {
	value, _, err := f.Text(names...)
	if err == nil && value == "" {
		err = missing(names)
	}
	return value, err
}

// NeedInt is Int for a required field: absent or empty is Missing.
func (f Fields) NeedInt(names ...string) (int64, error) {
	value, present, err := f.Int(names...)
	if err == nil && !present {
		err = missing(names)
	}
	return value, err
}

// NeedFen is Fen for a required field: absent or empty is Missing.
func (f Fields) NeedFen(names ...string) (int64, error) {
	value, present, err := f.Fen(names...)
	if err == nil && !present {
		err = missing(names)
	}
	return value, err
}

// pick reads every member that bears one of the names. there: some member was
// not null; filled: some member held more than an empty string.
func pick[T comparable](f Fields, names []string, read func(member) (T, bool, Reason)) (value T, there, filled bool, err error) {
	var none T
	from := ""
	for i := range f.members {
		m := &f.members[i]
		if m.kind == kindNull || !slices.Contains(names, m.name) {
			continue
		}
		there = true
		v, full, reason := read(*m)
		switch {
		case reason != "":
			return none, false, false, m.refuse(reason)
		case !full:
		case !filled:
			value, filled, from = v, true, m.name
		case v != value:
			return none, false, false, differ(from, m.name)
		}
	}
	return value, there, filled, nil
}
