package loyalty

import "fmt"

// counted is an entry that counts against caps.
type counted struct {
	keys   []TallyKey
	amount int64
}

// decision checks an entry against the record of why it is what it is.
func (v *Verifier) decision(e Entry, name func(string) string) {
	d := e.Decision
	if d == nil {
		return
	}
	if keys := d.counts(e.Event); len(keys) > 0 {
		v.counted[e.No] = counted{keys, e.Amount}
	}
	if d.EarnedBy == ByRule && d.Fen > 0 { // the record of an order stands with the order
		v.equal(name("points by its record"), e.Amount, d.Granted(d.Fen))
	}
}

// compareTallies sums up what counts against caps: what was moved, less what was
// reversed of it.
func (v *Verifier) compareTallies(tallies []Tally) {
	want := map[TallyKey]int64{}
	for no, c := range v.counted {
		for _, k := range c.keys {
			want[k] += c.amount - v.reversed[no]
		}
	}
	for _, t := range tallies {
		v.equal(fmt.Sprintf("tally %s of %d", t.Name, t.Day), t.Points, want[t.TallyKey])
		delete(want, t.TallyKey)
	}
	for k, points := range want {
		v.equal(fmt.Sprintf("tally %s of %d", k.Name, k.Day), 0, points)
	}
}

// compareLevelMoves follows the moves from level to level.
func (v *Verifier) compareLevelMoves(m Member, moves []LevelMove) {
	v.equal("level moves", m.LevelMoves, int64(len(moves)))
	for i, move := range moves {
		name := func(field string) string { return fmt.Sprintf("level move %d %s", move.No, field) }
		v.equal(name("number"), move.No, int64(i)+1)
		to := m.Level
		if i+1 < len(moves) {
			to = moves[i+1].From
		}
		v.equal(name("level"), move.To, to)
	}
}
