package loyalty

// LevelChange says what other thresholds, or other levels, do to members who
// hold a level already.
type LevelChange string

// The policies.
const (
	LevelKeep LevelChange = "keep" // who holds a level keeps it until its period ends or it fits again
	LevelFit  LevelChange = "fit"  // everybody gets what the growth value reaches
)

// LevelMove is a member's way from one level to another. The moves of a member
// say which level it had at any time.
type LevelMove struct {
	Member int64
	No     int64 // dense per member, from 1
	At     Instant
	From   int64
	To     int64
}

// settleLevel makes the level what the growth value reaches, up and down, but
// no lower than what an earlier period has earned for this one, or than what a
// change of the levels has left. A level that only a returned purchase had
// reached is none.
func (a *account) settleLevel() {
	fitting := a.snap.levelFor(a.Held, a.Growth)
	if fitting >= a.Kept {
		a.Kept = 0
	}
	a.setLevel(max(fitting, a.Kept))
}

func (a *account) setLevel(to int64) {
	if to == a.Level {
		return
	}
	a.LevelMoves++
	a.levelMoves = append(a.levelMoves, LevelMove{Member: a.ID, No: a.LevelMoves, At: a.now, From: a.Level, To: to})
	a.Level = to
}

// alignLevel brings a member, who had a level, to the levels as they are now.
// Commands settle the level of their member, so one that does not fit comes from
// before a change of the levels.
func (a *account) alignLevel(had int64) {
	a.settled++
	a.Kept = 0
	if a.snap.LevelChange == LevelKeep {
		a.Kept = a.snap.atMost(max(had, a.Level))
	}
	a.settleLevel()
}

// Aligned tells whether a member stands as the present levels and periods want.
func (s *Snapshot) Aligned(m *Member) bool {
	noPeriods := s.Growth.Period.Kind == PeriodLife
	return s.levelAligned(m) && noPeriods == (m.PeriodEnd == Never)
}

func (s *Snapshot) levelAligned(m *Member) bool {
	fitting := s.levelFor(m.Held, m.Growth)
	if m.Kept == 0 {
		return m.Level == fitting
	}
	return s.LevelChange == LevelKeep && m.Level == m.Kept && fitting < m.Kept && s.atMost(m.Kept) == m.Kept
}

// levelFor is the number of the level that growth reaches, not below what is
// held as far as there is such a level.
func (s *Snapshot) levelFor(held, growth int64) int64 {
	level, lowest := s.LevelAt(growth)
	switch {
	case level != nil:
		return max(level.Number, s.atMost(held))
	case lowest != nil: // a growth value below 0 is no reason to have no level
		return lowest.Number
	}
	return 0
}

// atMost is the highest level that is not above number; 0 for none.
func (s *Snapshot) atMost(number int64) int64 {
	var highest int64
	for _, l := range s.Levels {
		if l.Number <= number {
			highest = l.Number
		}
	}
	return highest
}

// levelAt is the level that the member had at a time.
func (a *account) levelAt(at Instant) int64 {
	if at >= a.now {
		return a.Level
	}
	moves := a.levelMoves
	if a.view != nil {
		moves = append(a.view.levelMoves(a.ID), moves...)
	}
	for _, m := range moves {
		if m.At > at {
			return m.From
		}
	}
	return a.Level
}
