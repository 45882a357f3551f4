package loyalty

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Instant is a moment in UTC, in Unix milliseconds.
type Instant int64

// Never is later than every moment: the expiry of points that do not expire.
const Never Instant = math.MaxInt64

// InstantOf converts t.
func InstantOf(t time.Time) Instant { return Instant(t.UnixMilli()) }

// In is the instant as a wall clock shows it in loc. Never has no wall clock
// time; the caller asks for it first.
func (i Instant) In(loc *time.Location) time.Time { return time.UnixMilli(int64(i)).In(loc) }

// startOfDay is the first moment of the day that begins days after the day of i.
func startOfDay(i Instant, loc *time.Location, days int) Instant {
	y, m, d := i.In(loc).Date()
	return dayStart(y, m, d+days, loc)
}

// DayStart is the first moment of the day that t shows, in loc.
func DayStart(t time.Time, loc *time.Location) Instant {
	y, m, d := t.Date()
	return dayStart(y, m, d, loc)
}

// dayStart is the first moment of a day, whose number may lie beyond its month.
// Where clocks are put forward at midnight the day has no midnight, and begins
// when they are; time.Date would give an hour of the day before.
func dayStart(y int, m time.Month, d int, loc *time.Location) Instant {
	t := time.Date(y, m, d, 0, 0, 0, 0, loc)
	if noon := time.Date(y, m, d, 12, 0, 0, 0, loc); t.Day() != noon.Day() {
		_, t = t.ZoneBounds()
	}
	return InstantOf(t)
}

// addMonths moves a date by whole months and clamps to the last day of the
// month reached: 31 January and one month is the end of February. Go's AddDate
// would give the second or third of March.
func addMonths(t time.Time, months int) time.Time {
	y, m, d := t.Date()
	first := time.Date(y, m+time.Month(months), 1, 0, 0, 0, 0, t.Location())
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(d, last)-1)
}

// ValidityKind says how the life of granted points is counted.
type ValidityKind string

// The kinds of validity.
const (
	RollingDays   ValidityKind = "days"           // N days after the day of the grant
	RollingMonths ValidityKind = "months"         // N months after the day of the grant, clamped
	MonthEnd      ValidityKind = "calendar_month" // to the end of the month, N months later
	YearEnd       ValidityKind = "calendar_year"  // to the end of the year, N years later
	Unlimited     ValidityKind = "never"
)

// Validity is how long granted points can be spent.
type Validity struct {
	Kind ValidityKind `json:"kind"`
	N    int          `json:"n"`
}

// ExpiresAt is the exclusive end of points that become usable at start: the
// first moment of the day after the last valid day in loc.
func (v Validity) ExpiresAt(start Instant, loc *time.Location) Instant {
	day := start.In(loc)
	y, m, d := day.Date()
	switch v.Kind {
	case RollingDays:
		return dayStart(y, m, d+v.N+1, loc)
	case RollingMonths:
		last := addMonths(day, v.N)
		return dayStart(last.Year(), last.Month(), last.Day()+1, loc)
	case MonthEnd:
		return dayStart(y, m+time.Month(v.N)+1, 1, loc)
	case YearEnd:
		return dayStart(y+v.N+1, 1, 1, loc)
	}
	return Never
}

// endOfYear is the exclusive end of the year in which the last valid moment
// before i lies.
func endOfYear(i Instant, loc *time.Location) Instant {
	return dayStart((i-1).In(loc).Year()+1, 1, 1, loc)
}

// How far the clock of a sandbox merchant can be moved, in milliseconds: a year
// and a bit at once, and a hundred years in all.
const (
	MaxClockStep   int64 = 400 * 24 * 3600 * 1000
	MaxClockOffset int64 = 36_525 * 24 * 3600 * 1000
)

// ParseSpan reads how far a clock is to move: whole days as 30d, or what Go
// writes for a duration, 72h or 90m. It is not negative and not beyond
// MaxClockStep.
func ParseSpan(text string) (time.Duration, error) {
	var span time.Duration
	days, whole := strings.CutSuffix(text, "d")
	n, err := strconv.ParseInt(days, 10, 32)
	if span = time.Duration(n) * 24 * time.Hour; !whole {
		span, err = time.ParseDuration(text)
	}
	if err != nil || span < 0 || span.Milliseconds() > MaxClockStep || n > 400 {
		return 0, fmt.Errorf("a span like 72h or 30d is wanted, at most 400d")
	}
	return span, nil
}
