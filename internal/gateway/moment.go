package gateway

import (
	"time"

	"github.com/memberd/memberd/internal/jsonx"
	"github.com/memberd/memberd/internal/loyalty"
)

// What a time on the wire can be: from 1973 to the end of 9999. A caller that
// counts seconds lands before that, and is refused instead of misunderstood.
const (
	firstMoment loyalty.Instant = 100_000_000_000
	lastMoment  loyalty.Instant = 253_402_300_799_999
)

// needMoment is a required time. The document says Date here and Long there, and
// shows each in both forms, so both are read everywhere: milliseconds since
// 1970, and text by the merchant's clock (G-047, G-171, G-238).
func (f *form) needMoment(zone *time.Location, names ...string) loyalty.Instant {
	at, present := f.moment(zone, names...)
	if !present {
		f.missing(names[0])
	}
	return at
}

func (f *form) moment(zone *time.Location, names ...string) (at loyalty.Instant, present bool) {
	text := f.text(maxKey, names...)
	if text == "" {
		return 0, false
	}
	if t, err := time.ParseInLocation(time.DateTime, text, zone); err == nil {
		return f.plausible(loyalty.InstantOf(t), names), true
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return f.plausible(loyalty.DayStart(t, zone), names), true
	}
	ms, _, err := f.fields.Int(names...)
	if err != nil {
		f.fail(&jsonx.FieldError{Name: names[0], Reason: jsonx.Invalid})
		return 0, true
	}
	return f.plausible(loyalty.Instant(ms), names), true
}

func (f *form) plausible(at loyalty.Instant, names []string) loyalty.Instant {
	if at < firstMoment || at > lastMoment {
		f.outOfRange(names[0])
	}
	return at
}

// aheadIn names the field of a time that the domain finds too far ahead.
func aheadIn(field string, err error) error {
	if code, _ := loyalty.CodeOf(err); code == loyalty.TimeAhead {
		return loyalty.Refusal{Code: code, Field: field}
	}
	return err
}

// dateText is an optional time that is kept as it was sent.
func (f *form) dateText(zone *time.Location, names ...string) string {
	if _, present := f.moment(zone, names...); !present {
		return ""
	}
	return f.text(maxKey, names...)
}
