// Package reconcile compares a day of the platform with the file that a partner
// has of it (对账): orders, refunds and changes of points, line by line. It says
// what one side lacks, what a file has twice and what the two sides say
// differently, and proposes for each difference the command that would mend it,
// or why nobody but a person can.
//
// The package reads and writes the day's file, matches lines and judges; it
// never opens a file or a database, and books nothing. What it needs to know
// besides the two lists its caller looks up and hands in as [Facts]. A proposal
// is made only of what the file says in so many words, and every proposal has a
// key that follows from the line, so that carrying it out twice books it once.
package reconcile

import (
	"fmt"
	"strconv"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// Kind is the call that a line is about. The kinds of changes of points are the
// operations to which their keys belong.
type Kind string

// The kinds.
const (
	Order     Kind = "order"                            // gateway 4.1
	Refund    Kind = "refund"                           // gateway 4.2
	Change    Kind = Kind(loyalty.KeyChange)            // gateway 3.3
	Opt       Kind = Kind(loyalty.KeyOpt)               // envelope 1.3
	Update    Kind = Kind(loyalty.KeyUpdate)            // envelope 2.1
	Send      Kind = Kind(loyalty.KeySend)              // envelope 2.2
	Return    Kind = Kind(loyalty.KeyReturn)            // envelope 2.3
	RollBack  Kind = Kind(loyalty.KeyRollbackByChange)  // gateway 3.4 by change id
	RollBackS Kind = Kind(loyalty.KeyRollbackStatement) // gateway 3.4 by statement id
	KeyFix         = loyalty.KeyOperation("reconcile")  // operation of the keys of corrections
	total     Kind = "total"                            // the trailer
	kindList       = "order, refund, change, opt, update, send, return, rollback_change, rollback_statement or total"
)

// Kinds are all of them, in the order of a report.
var Kinds = []Kind{Order, Refund, Change, Opt, Update, Send, Return, RollBack, RollBackS}

// numbered tells whether lines of the kind are known by an order number, which
// orders and refunds share and which is unique across members. The key of a
// change of points means something with its member only.
func (k Kind) numbered() bool { return k == Order || k == Refund }

// direct tells whether the kind is a change that refers to no earlier one.
func (k Kind) direct() bool { return k == Change || k == Opt || k == Update || k == Send }

// Line is one order, refund or change of points, as one side has it. Amounts
// are fen. Points of orders and refunds are not negative; those of changes have
// the sign of what they do to the member's points.
type Line struct {
	Row    int // line of the file, 0 for one of the platform's
	Kind   Kind
	Number string
	Parent string // of a refund
	// Who it is about: either, or for orders and refunds of a file neither.
	OpenID, MemberID string
	Store, State     string
	Consumed         Moment
	Amount, Points   int64
	// NoPoints: the file leaves the points open.
	NoPoints bool
	Booked   *Booked // of the platform's lines only
}

// Booked is what only the platform knows about a line.
type Booked struct {
	Member    int64
	At        loyalty.Instant
	Statement string // id of the first ledger entry, "" for none
	App       string // "" for operators
	Order     *loyalty.Order
	Left      int64 // of a change: points that can still be rolled back
}

// Moment is a time that a file says. Files say it to the second, the minute or
// the day; Step is that in milliseconds, 0 where the file says nothing.
type Moment struct {
	At   loyalty.Instant
	Step int64
}

// same tells whether two moments are the same as far as both say.
func (m Moment) same(o Moment, loc *time.Location) bool {
	step := max(m.Step, o.Step)
	if m.Step == 0 || o.Step == 0 {
		return true
	}
	cut := func(i loyalty.Instant) string { return i.In(loc).Format(layoutOf(step)) }
	return cut(m.At) == cut(o.At)
}

// Text is the moment as precisely as the file says it, "" for nothing.
func (m Moment) Text(loc *time.Location) string {
	if m.Step == 0 {
		return ""
	}
	return m.At.In(loc).Format(layoutOf(m.Step))
}

const (
	second int64 = 1000
	minute       = 60 * second
	day          = 24 * 60 * minute
)

func layoutOf(step int64) string {
	switch step {
	case day:
		return time.DateOnly
	case minute:
		return "2006-01-02 15:04"
	}
	return time.DateTime
}

// Day is the day that is reconciled, in the merchant's zone.
type Day struct {
	Date        string // 2006-01-02
	From, Until loyalty.Instant
	Zone        *time.Location
}

// NewDay reads a date. Where clocks are put forward at midnight the day begins
// when they are.
func NewDay(date string, zone *time.Location) (Day, error) {
	noon, err := time.ParseInLocation(time.DateOnly+" 15", date+" 12", zone)
	if err != nil || len(date) != len(time.DateOnly) {
		return Day{}, fmt.Errorf("a date is written like 2026-11-22")
	}
	return Day{Date: date, From: beginning(noon), Until: beginning(noon.AddDate(0, 0, 1)), Zone: zone}, nil
}

// beginning is the first moment of the day around a noon.
func beginning(noon time.Time) loyalty.Instant {
	y, m, d := noon.Date()
	t := time.Date(y, m, d, 0, 0, 0, 0, noon.Location())
	if t.Day() != noon.Day() {
		_, t = t.ZoneBounds()
	}
	return loyalty.InstantOf(t)
}

// has tells whether an instant lies in the day.
func (d Day) has(i loyalty.Instant) bool { return d.From <= i && i < d.Until }

// clock is an instant as the merchant's wall clock shows it.
func (d Day) clock(i loyalty.Instant) string { return i.In(d.Zone).Format(time.DateTime) }

// Yuan writes fen as the file has them, with two decimals.
func Yuan(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	return fmt.Sprintf("%s%d.%02d", sign, fen/100, fen%100)
}

// Totals are what the last line of a file says: how many lines there are, the
// money of orders less that of refunds, and the points that members were given
// less those that were taken.
type Totals struct {
	Lines  int   `json:"lines"`
	Amount int64 `json:"amount_fen"`
	Points int64 `json:"points"`
}

// Add counts a line.
func (t *Totals) Add(l *Line) {
	t.Lines++
	switch l.Kind {
	case Order:
		t.Amount += l.Amount
		t.Points += l.Points
	case Refund:
		t.Amount -= l.Amount
		t.Points -= l.Points
	default:
		t.Points += l.Points
	}
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
