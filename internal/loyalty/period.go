package loyalty

import "time"

// PeriodKind says how long orders count for a level.
type PeriodKind string

// The kinds of periods.
const (
	PeriodLife   PeriodKind = "life"          // for ever
	PeriodYear   PeriodKind = "calendar_year" // to the end of the year
	PeriodMonths PeriodKind = "months"        // N months, counted from the day of registration
)

// Downgrade is what the end of a period does to a level that the period's
// growth value does not reach.
type Downgrade string

// The downgrade policies.
const (
	DowngradeNone    Downgrade = "none"       // the level stays
	DowngradeFitting Downgrade = "to_fitting" // down to what the growth value reaches
	DowngradeStep    Downgrade = "one_step"   // down by one level at most
)

// GrowthPeriod is how long growth value counts.
type GrowthPeriod struct {
	Kind PeriodKind `json:"kind"`
	N    int        `json:"n,omitempty"` // of PeriodMonths
}

// end is the exclusive end of the period of a member that t lies in; Never
// where there are no periods.
func (p GrowthPeriod) end(registered, t Instant, loc *time.Location) Instant {
	switch p.Kind {
	case PeriodYear:
		return Validity{Kind: YearEnd}.ExpiresAt(t, loc)
	case PeriodMonths:
		first := startOfDay(min(registered, t), loc, 0).In(loc)
		passed := t.In(loc)
		// The number of whole periods so far, from below: months differ in length.
		k := max(((passed.Year()-first.Year())*12+int(passed.Month())-int(first.Month()))/p.N-1, 0)
		for {
			k++
			y, m, d := addMonths(first, k*p.N).Date()
			if end := dayStart(y, m, d, loc); end > t {
				return end
			}
		}
	}
	return Never
}

// endPeriod closes the period that ends at due: the level is kept for the next
// one as the policy says, and the growth value begins anew.
func (a *account) endPeriod(due Instant) bool {
	if a.PeriodEnd != due {
		return false
	}
	a.Held = a.snap.heldAfter(&a.Member)
	a.Growth, a.Kept = 0, 0
	a.PeriodStart, a.PeriodEnd = due, a.snap.Growth.Period.end(a.RegisteredAt, due, a.snap.loc)
	a.settleLevel()
	a.settled++
	return true
}

// heldAfter is the level that a member keeps when its period ends as it stands.
func (s *Snapshot) heldAfter(m *Member) int64 {
	fitting, below := s.levelFor(0, m.Growth), int64(0)
	for _, l := range s.Levels {
		if l.Number < m.Level {
			below = l.Number
		}
	}
	switch s.Growth.Downgrade {
	case DowngradeFitting:
		return fitting
	case DowngradeStep:
		return max(fitting, below)
	}
	return m.Level
}

// grow moves the growth value, and the level with it.
func (a *account) grow(by int64) {
	a.Growth += by
	a.settleLevel()
}

// bringUp books what is due, and brings the member to levels and periods as they
// are now. Whoever is to keep its level keeps it although a period has ended
// meanwhile: what that would have left of it under the old levels is not known.
// Then it has not moved either.
func (a *account) bringUp() {
	level, moves, aligned := a.Level, len(a.levelMoves), a.snap.levelAligned(&a.Member)
	a.alignPeriod()
	a.settle()
	if aligned {
		return
	}
	a.alignLevel(level)
	if a.Level == level {
		a.LevelMoves -= int64(len(a.levelMoves) - moves)
		a.levelMoves = a.levelMoves[:moves]
	}
}

// alignPeriod begins a period for a member from before the merchant had any,
// and ends one that it has no more. Growth goes on.
func (a *account) alignPeriod() {
	none := a.snap.Growth.Period.Kind == PeriodLife
	switch {
	case none && a.PeriodEnd != Never:
		a.PeriodEnd = Never
		a.settled++
	case !none && a.PeriodEnd == Never:
		a.PeriodEnd = a.snap.Growth.Period.end(a.RegisteredAt, a.now, a.snap.loc)
		a.settled++
	}
}

// Forecast is the level to which a member falls at the end of its period if it
// earns no more growth value until then; nil when it keeps its level.
func (s *Snapshot) Forecast(m Member) (level *Level, at Instant) {
	if m.PeriodEnd == Never || s.Growth.Period.Kind == PeriodLife {
		return nil, 0
	}
	number := s.levelFor(s.heldAfter(&m), 0)
	for i := range s.Levels {
		if s.Levels[i].Number == number && number < m.Level {
			return &s.Levels[i], m.PeriodEnd
		}
	}
	return nil, 0
}
