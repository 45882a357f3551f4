package sim_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// worker is one thread of an integrator's program.
type worker struct {
	*load
	name int
	rng  *rand.Rand
	next int
	mine []*change // acknowledged, the youngest last
}

// change is a worker's own change that it may still roll back: nobody else
// does, so it knows what is left.
type change struct {
	member    int
	body      map[string]any
	statement string
	sign      int64 // 1 for a credit, -1 for a debit
	left      int64
	byID      bool // rolled back by its change id, which can be done once
}

func (w *worker) run() {
	for {
		select {
		case <-w.stopping:
			return
		case <-w.ctx.Done():
			return
		default:
			w.step()
		}
	}
}

func (w *worker) step() {
	member := w.rng.IntN(len(w.members))
	switch n := w.rng.IntN(100); {
	case n < 40:
		w.change(member, "event_add", 1)
	case n < 62:
		w.change(member, "event_subtract", -1)
	case n < 72:
		w.send(member)
	case n < 82:
		w.rollBackStatement()
	case n < 90:
		w.rollBackChange()
	case n < 94:
		w.void(member)
	default:
		w.repeat()
	}
}

// id is a fresh key, unique in the run.
func (w *worker) id() string {
	w.next++
	return fmt.Sprintf("k%d-%d", w.name, w.next)
}

// refused takes note of a refusal; one that this call can't meet is an error.
func (w *worker) refused(a call, r reply, allowed ...int) {
	if w.ctx.Err() == nil && !slices.Contains(allowed, r.code) {
		w.t.Errorf("%s %v: %s", a.method, a.body, r)
	}
	w.book(0) // acknowledged, and nothing booked
}

// statementOf reads the answer of 3.3 and 3.4.
type statementOf struct {
	Statement string `json:"statement_id"`
	Rollback  string `json:"rollback_statement_id"`
}

// change books points over the gateway. A client whose call was lost has two
// ways: repeat it, or roll it back by its id; both are taken.
func (w *worker) change(member int, event string, sign int64) {
	id, points := w.id(), 1+w.rng.Int64N(500)
	a := call{"wk.user.event.score.change", map[string]any{
		"open_id": w.members[member].openID, "change_event": event, "score": points, "change_reason": "r " + id, "change_id": id,
	}}
	var r reply
	bases := w.where(w.rng)
	ok := false
	if len(bases) == 1 {
		r, ok = w.once(bases[0], a)
	}
	switch giveUp := w.rng.IntN(2) == 0; {
	case ok:
	case len(bases) == 1 && giveUp:
		w.takeBackLost(member, id, sign*points, a)
		return
	default:
		r = w.insist(w.rng, a)
	}
	if r.code != 0 {
		w.refused(a, r, codeNotCovered)
		return
	}
	var s statementOf
	r.into(w.t, &s)
	w.book(member, entry{statement: s.Statement, reason: "r " + id, amount: sign * points})
	w.mine = append(w.mine, &change{member, a.body, s.Statement, sign, points, false})
	if len(w.mine) > keptChanges {
		w.mine = w.mine[1:]
	}
}

// takeBackLost rolls back a change whose answer was lost: either it was booked,
// and then it is undone, or it never can be.
func (w *worker) takeBackLost(member int, id string, amount int64, lost call) {
	a := call{"wk.user.event.score.rollback", map[string]any{"open_id": w.members[member].openID, "change_id": id}}
	r := w.insist(w.rng, a)
	switch r.code {
	case 0:
		var s statementOf
		r.into(w.t, &s)
		w.book(member, entry{statement: s.Statement, reason: "r " + id, amount: amount}, entry{statement: s.Rollback, amount: -amount})
	case codeNotCovered: // a credit that was booked and spent by others: it stays
		if r = w.insist(w.rng, lost); r.code != 0 {
			w.refused(lost, r)
			return
		}
		w.book(member, entry{reason: "r " + id, amount: amount})
	case codeNoStatement:
		if r = w.insist(w.rng, lost); r.code != codeKeyReused {
			w.t.Errorf("a change that was declared void was booked: %s", r)
		}
		w.refused(a, r, codeKeyReused)
	default:
		w.refused(a, r)
	}
}

// send books points over the envelope, in either direction.
func (w *worker) send(member int) {
	id, points := w.id(), 1+w.rng.Int64N(300)
	path, operation, sign := "/member/score/sendScore", "1", int64(1)
	switch w.rng.IntN(3) {
	case 0:
		path, operation, sign = "/member/score/opt/15", "14", -1
	case 1:
		path = "/member/score/opt/1"
	}
	a := call{path, map[string]any{
		"memberId": w.members[member].memberID, "operationType": operation, "operationName": "r " + id, "score": points,
		"idempotencyBussinessId": id, "idempotencyBussinessType": "1",
	}}
	r := w.insist(w.rng, a)
	if r.code != 0 {
		w.refused(a, r, codeNotCovered)
		return
	}
	w.book(member, entry{reason: "r " + id, amount: sign * points})
}

// pick is one of the worker's own changes, nil when there is none.
func (w *worker) pick() *change {
	if len(w.mine) == 0 {
		return nil
	}
	return w.mine[w.rng.IntN(len(w.mine))]
}

// rollBackStatement undoes a change, all or a part, by its statement.
func (w *worker) rollBackStatement() {
	c := w.pick()
	if c == nil {
		return
	}
	a := call{"wk.user.event.score.rollback", map[string]any{
		"open_id": w.members[c.member].openID, "statement_id": c.statement, "change_id": w.id(),
	}}
	points := c.left
	if points > 1 && w.rng.IntN(2) == 0 {
		points = 1 + w.rng.Int64N(points)
		a.body["rollback_score"] = points
	}
	w.rolledBack(c, points, a)
}

// rollBackChange undoes a change by its own id, as after a lost answer.
func (w *worker) rollBackChange() {
	c := w.pick()
	if c == nil || c.byID || c.left == 0 {
		return
	}
	a := call{"wk.user.event.score.rollback", map[string]any{
		"open_id": w.members[c.member].openID, "change_id": c.body["change_id"],
	}}
	c.byID = w.rolledBack(c, c.left, a)
}

func (w *worker) rolledBack(c *change, points int64, a call) bool {
	r := w.insist(w.rng, a)
	switch {
	case r.code != 0 && c.left == 0:
		w.refused(a, r, codeNothingToRoll)
		return false
	case r.code != 0:
		w.refused(a, r, codeNotCovered)
		return false
	}
	var s statementOf
	r.into(w.t, &s)
	if s.Statement != c.statement || c.left == 0 {
		w.t.Errorf("%v rolled back instead of %s of which %d are left", s, c.statement, c.left)
	}
	c.left -= points
	w.book(c.member, entry{statement: s.Rollback, amount: -c.sign * points})
	return true
}

// void rolls back a change that never was; then it can't be made any more.
func (w *worker) void(member int) {
	id := w.id()
	a := call{"wk.user.event.score.rollback", map[string]any{"open_id": w.members[member].openID, "change_id": id}}
	w.refused(a, w.insist(w.rng, a), codeNoStatement)
	a = call{"wk.user.event.score.change", map[string]any{
		"open_id": w.members[member].openID, "change_event": "event_add", "score": 1, "change_reason": "late", "change_id": id,
	}}
	w.refused(a, w.insist(w.rng, a), codeKeyReused)
}

// repeat sends a change again that was answered long ago.
func (w *worker) repeat() {
	c := w.pick()
	if c == nil {
		return
	}
	a := call{"wk.user.event.score.change", c.body}
	r := w.insist(w.rng, a)
	var s statementOf
	if r.code == 0 {
		r.into(w.t, &s)
	}
	if s.Statement != c.statement && !(c.byID && r.code == codeKeyReused) {
		w.refused(a, r)
		return
	}
	w.book(c.member)
}
