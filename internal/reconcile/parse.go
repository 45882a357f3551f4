package reconcile

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/memberd/memberd/internal/loyalty"
)

// lineParser reads the fields of one line; the first thing wrong stands in err.
type lineParser struct {
	in     *reading
	header *header
	fields []string
	row    int
	err    error
}

func (p *lineParser) fail(column int, why string) {
	if p.err == nil {
		p.err = &FileError{p.row, p.header.names[column], why}
	}
}

// raw is a field without the blanks around it, "" where the file lacks it.
func (p *lineParser) raw(column int) string {
	i := p.header.at[column]
	if i < 0 {
		return ""
	}
	text := strings.TrimSpace(p.fields[i])
	if !utf8.ValidString(text) {
		p.fail(column, notUTF8)
		return ""
	}
	return text
}

// text is a number, an id or a name.
func (p *lineParser) text(column int) string {
	text := p.raw(column)
	if exponent(text) {
		p.fail(column, "looks like a long number that a spreadsheet has rounded; its last digits are lost. Export it as text")
	}
	if text = unguarded(text); utf8.RuneCountInString(text) > maxText {
		p.fail(column, "longer than "+strconv.Itoa(maxText)+" characters")
	}
	return text
}

// line reads everything; total tells that it is the trailer.
func (p *lineParser) line() (l Line, isTotal bool) {
	l.Row = p.row
	l.Kind = kindOf(strings.ToLower(p.raw(colKind)))
	if l.Kind == "" {
		p.fail(colKind, "must be "+kindList)
		return l, false
	}
	if merchant := p.raw(colMerchant); merchant != "" && merchant != p.in.want.Merchant {
		p.fail(colMerchant, "a line of another merchant; merchant "+p.in.want.Merchant+" is reconciled")
	}
	if l.Kind == total {
		p.totals()
		return l, true
	}
	number, parent, openID, memberID := p.text(colNumber), p.text(colParent), p.text(colOpenID), p.text(colMemberID)
	store, state := p.text(colStore), p.text(colState)
	p.text(colApp)
	p.quantities(&l)
	p.days(&l)
	p.who(l.Kind, openID, memberID)
	switch {
	case number == "":
		p.fail(colNumber, "is empty")
	case l.Kind == Refund && parent == number:
		p.fail(colParent, "is the refund's own number")
	case p.in.want.Store != "" && store != "" && store != p.in.want.Store:
		p.fail(colStore, "a line of another store; --store "+p.in.want.Store+" is reconciled")
	}
	if l.Kind != Refund {
		parent = "" // of changes it is information only
	}
	known, ok := states[strings.ToLower(state)]
	if !ok {
		p.fail(colState, "must be booked, parked, declined or empty; leave lines out that do not count")
	}
	keep(&number, &parent, &openID, &memberID, &store)
	l.Number, l.Parent, l.OpenID, l.MemberID, l.Store, l.State = number, parent, openID, memberID, store, known
	return l, false
}

// kindOf is our own text of a kind, not a part of the line; "" for no kind.
func kindOf(text string) Kind {
	if text == string(total) {
		return total
	}
	if i := slices.Index(Kinds, Kind(text)); i >= 0 {
		return Kinds[i]
	}
	return ""
}

// keep copies texts into one piece of memory: as they come they are parts of
// the whole line, and would keep it.
func keep(texts ...*string) {
	var b strings.Builder
	for _, t := range texts {
		b.WriteString(*t)
	}
	all, at := b.String(), 0
	for _, t := range texts {
		n := len(*t)
		*t = all[at : at+n]
		at += n
	}
}

// who checks the member.
func (p *lineParser) who(kind Kind, openID, memberID string) {
	if loyalty.ValidPhone(openID) {
		p.fail(colOpenID, "is a phone; members are named by open_id or member_id")
	}
	if memberID != "" {
		if _, ok := loyalty.ParseMemberID(memberID); !ok {
			p.fail(colMemberID, "is none of the 18 digits that memberd gives")
		}
	}
	if !kind.numbered() && openID == "" && memberID == "" {
		p.fail(colOpenID, "is empty; the key of a change of points means something with its member only, so open_id or member_id is needed")
	}
}

func (p *lineParser) quantities(l *Line) {
	l.Amount = p.amount(l.Kind.numbered(), false)
	if l.Kind.numbered() && l.Amount > loyalty.MaxAmount {
		p.fail(colAmount, "is more than the platform takes, "+Yuan(loyalty.MaxAmount))
	}
	text := p.raw(colPoints)
	if text == "" {
		l.NoPoints = true
		if !l.Kind.numbered() {
			p.fail(colPoints, "is empty")
		}
		return
	}
	l.Points = p.points(text)
	switch {
	case l.Kind.numbered() && l.Points < 0:
		p.fail(colPoints, "must not be negative: those of a refund are what it took back")
	case l.Kind == Send && l.Points < 0:
		p.fail(colPoints, "must not be negative: send gives points")
	}
}

// amount reads yuan, as fen.
func (p *lineParser) amount(needed, signed bool) int64 {
	text := p.raw(colAmount)
	rest, negative := strings.CutPrefix(text, "-")
	yuan, fen, point := strings.Cut(rest, ".")
	switch {
	case text == "" && !needed:
		return 0
	case text == "":
		p.fail(colAmount, "is empty")
	case !digits(yuan) || point && !digits(fen):
		p.fail(colAmount, "is no amount of yuan such as 99.50, without a currency sign and without commas")
	case negative && !signed:
		p.fail(colAmount, "must not be negative: a refund is a line of its own")
	case len(fen) > 2:
		p.fail(colAmount, "has more than two decimals")
	case len(yuan) > 15:
		p.fail(colAmount, "is too large")
	default:
		n, _ := strconv.ParseInt(yuan+(fen + "00")[:2], 10, 64)
		if negative {
			return -n
		}
		return n
	}
	return 0
}

// maxPoints keeps the sum over a file's lines within an int64.
const maxPoints = 1_000_000_000_000

func (p *lineParser) points(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		p.fail(colPoints, "is no whole number")
		return 0
	}
	if n > maxPoints || n < -maxPoints {
		p.fail(colPoints, "is too large")
		return 0
	}
	return n
}

// totals reads the trailer.
func (p *lineParser) totals() {
	lines, err := strconv.Atoi(p.raw(colNumber))
	if err != nil || lines < 0 {
		p.fail(colNumber, "of the total must be the number of lines before it")
		return
	}
	p.in.said.Lines = lines
	p.in.said.Amount = p.amount(true, true)
	// Sums may be larger than what a line may say.
	if p.in.said.Points, err = strconv.ParseInt(p.raw(colPoints), 10, 64); err != nil {
		p.fail(colPoints, "of the total must be the sum of the points")
	}
	p.sameDate()
}

// sameDate checks the column date.
func (p *lineParser) sameDate() {
	if text := p.raw(colDate); text != "" {
		if m, ok := parseMoment(text, p.in.want.Day.Zone); !ok {
			p.fail(colDate, "is no date such as 2026-11-22")
		} else if m.At.In(p.in.want.Day.Zone).Format(time.DateOnly) != p.in.want.Day.Date {
			p.fail(colDate, "a line of another day; "+p.in.want.Day.Date+" is reconciled")
		}
	}
}

// days checks that the line is one of the day. What belongs to a day is what was
// booked in it; a file that says neither date nor booked_at is taken at its
// word as long as its times are near.
func (p *lineParser) days(l *Line) {
	want := p.in.want
	p.sameDate()
	booked := p.raw(colBooked)
	if booked != "" {
		if m, ok := parseMoment(booked, want.Day.Zone); !ok {
			p.fail(colBooked, notTime)
		} else if !want.Day.has(m.At) {
			p.fail(colBooked, "a line of another day; "+want.Day.Date+" is reconciled")
		}
	}
	text := p.raw(colConsumed)
	if text == "" {
		return
	}
	m, ok := parseMoment(text, want.Day.Zone)
	switch near := loyalty.Instant(day); {
	case !ok:
		p.fail(colConsumed, notTime)
	case m.At > want.Now+loyalty.Instant(5*minute):
		p.fail(colConsumed, "lies in the future")
	case booked == "" && p.raw(colDate) == "" && (m.At < want.Day.From-near || m.At >= want.Day.Until+near):
		p.fail(colConsumed, "is days away from "+want.Day.Date+"; if the line belongs to that day all the same, say so in a column date")
	}
	l.Consumed = m
}

const notTime = "is no time such as 2026-11-22 10:00:00"

// momentLayouts are the ways in which systems and spreadsheets write times.
var momentLayouts = []struct {
	layout string
	step   int64
}{
	{time.DateTime, second}, {"2006-01-02T15:04:05", second}, {"2006/1/2 15:04:05", second},
	{"2006-01-02 15:04", minute}, {"2006-01-02T15:04", minute}, {"2006/1/2 15:04", minute},
	{time.DateOnly, day}, {"2006/1/2", day}, {"20060102", day},
}

func parseMoment(text string, zone *time.Location) (Moment, bool) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return Moment{loyalty.InstantOf(t), second}, sensible(t)
	}
	for _, l := range momentLayouts {
		if t, err := time.ParseInLocation(l.layout, text, zone); err == nil {
			return Moment{loyalty.InstantOf(t), l.step}, sensible(t)
		}
	}
	return Moment{}, false
}

func sensible(t time.Time) bool { return t.Year() >= 1970 && t.Year() < 3000 }
