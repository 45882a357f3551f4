package loyalty

import (
	"fmt"
	"reflect"
)

// decision checks an entry against the record of why it is what it is.
func (v *Verifier) decision(e Entry, name func(string) string) {
	d := e.Decision
	if d == nil {
		return
	}
	for _, c := range d.Caps {
		if k, counts := c.tally(e.Event); counts {
			v.equal(name("used of its cap before"), c.Before, v.tallies[k])
		}
	}
	v.counted[e.No] = d.counts(e.Event)
	for _, k := range v.counted[e.No] {
		v.tallies[k] += e.Amount
	}
	// The record of an order stands with the order.
	if d.EarnedBy == ByRule && d.Rounding != "" {
		v.equal(name("points by its record"), e.Amount, d.Granted(d.Fen))
	}
}

// reversal lowers what an entry had counted.
func (v *Verifier) reversal(no, points int64) {
	for _, k := range v.counted[no] {
		v.tallies[k] -= points
	}
}

// compareTallies compares what counts against caps: what was moved, less what was
// reversed of it.
func (v *Verifier) compareTallies(tallies []Tally) {
	for _, t := range tallies {
		v.equal(fmt.Sprintf("tally %s of %d", t.Name, t.Day), t.Points, v.tallies[t.TallyKey])
		delete(v.tallies, t.TallyKey)
	}
	for k, points := range v.tallies {
		v.equal(fmt.Sprintf("tally %s of %d", k.Name, k.Day), 0, points)
	}
}

// earnedOrder checks an order against its record, and that against the part that
// its entry keeps.
func (v *Verifier) earnedOrder(o *Order, name func(string) string) {
	d := &o.Decision
	if d.Growth.Den > 0 {
		v.equal(name("growth by its record"), o.Growth, d.Growth.of(o.Amount))
	}
	if d.EarnedBy == ByRule && d.Rounding != "" {
		v.equal(name("points by its record"), o.Points, d.Granted(d.Fen))
		v.equal(name("amount in its record"), d.Fen, o.Amount)
	}
	if kept := v.grants[o.Entry].Decision; o.Entry != 0 && kept != nil && !reflect.DeepEqual(kept, d.ofEntry()) {
		v.differ(name("record"), kept, "that of the order")
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
		if move.From == move.To {
			v.differ(name("levels"), move.From, "two different ones")
		}
	}
}
