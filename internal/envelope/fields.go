package envelope

import (
	"time"
	"unicode/utf8"

	"github.com/memberd/memberd/internal/jsonx"
	"github.com/memberd/memberd/internal/loyalty"
)

// fields reads the members of a requestBody with the rules that several
// endpoints share.
type fields struct{ jsonx.Fields }

// Limits of texts, in characters: far above what any till sends, low enough that
// a ledger entry stays an entry.
const (
	maxID   = loyalty.MaxKey
	maxName = loyalty.MaxName
	maxText = loyalty.MaxText
	maxURL  = loyalty.MaxURL
)

// optional returns a text of at most limit characters; "" when it is absent.
func (f fields) optional(limit int, names ...string) (string, error) {
	text, _, err := f.Text(names...)
	if err == nil && utf8.RuneCountInString(text) > limit {
		err = refuse(names[0], jsonx.OutOfRange)
	}
	return text, err
}

// required is optional for a field that must be there and not empty.
func (f fields) required(limit int, names ...string) (string, error) {
	text, err := f.optional(limit, names...)
	if err == nil && text == "" {
		err = refuse(names[0], jsonx.Missing)
	}
	return text, err
}

// number returns a whole number within bounds, or otherwise when it is absent.
func (f fields) number(least, most, otherwise int64, names ...string) (int64, error) {
	n, present, err := f.Int(names...)
	if err == nil && !present {
		return otherwise, nil
	}
	return within(n, err, least, most, names[0])
}

// needNumber is number for a field that must be there.
func (f fields) needNumber(least, most int64, names ...string) (int64, error) {
	n, err := f.NeedInt(names...)
	return within(n, err, least, most, names[0])
}

// within refuses a number that was read but is out of bounds.
func within(n int64, err error, least, most int64, name string) (int64, error) {
	if err == nil && (n < least || n > most) {
		err = refuse(name, jsonx.OutOfRange)
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}

// phone returns a mobile number; "" when it is absent, a refusal when it is not
// 11 digits beginning with 1.
func (f fields) phone(names ...string) (string, error) {
	text, _, err := f.Text(names...)
	if err == nil && text != "" && !loyalty.ValidPhone(text) {
		err = loyalty.PhoneMalformed
	}
	return text, err
}

// leastMillis is 3 March 1973: smaller numbers are seconds, or no times at all.
const leastMillis = 100_000_000_000

// span is the time that a wire value covers: a date is its whole day, a time
// its second, epoch milliseconds that millisecond (E-013, E-052). The ends are
// inclusive.
type span struct{ from, to loyalty.Instant }

// span returns nil when the field is absent.
func (f fields) span(loc *time.Location, name string) (*span, error) {
	text, _, err := f.Text(name)
	if err != nil || text == "" {
		return nil, err
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return &span{loyalty.DayStart(day, loc), loyalty.DayStart(day.AddDate(0, 0, 1), loc) - 1}, nil
	}
	if at, err := time.ParseInLocation(time.DateTime, text, loc); err == nil {
		// time.Parse takes a fraction of a second that the layout lacks.
		if len(text) == len(time.DateTime) {
			return &span{loyalty.InstantOf(at), loyalty.InstantOf(at) + 999}, nil
		}
		return nil, refuse(name, jsonx.Invalid)
	}
	millis, present, err := f.Int(name)
	if err != nil || !present || millis < leastMillis {
		return nil, refuse(name, jsonx.Invalid)
	}
	return &span{loyalty.Instant(millis), loyalty.Instant(millis)}, nil
}

// wallClock writes a time as the protocol shows it; "" for one not known.
func wallClock(at loyalty.Instant, loc *time.Location) string {
	if at == 0 {
		return ""
	}
	return at.In(loc).Format(time.DateTime)
}
