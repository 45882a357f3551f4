package sim_test

import (
	"math/rand/v2"
	"sync"
)

// linearRecent is how many of its last ids a plan draws from again, so that
// repeats and rollbacks meet what is still under way.
const linearRecent = 24

// linearPlan says what the clients of a run do next. It is shared, so that they
// meddle with each other's changes.
type linearPlan struct {
	mu      sync.Mutex
	members int
	ids     int
	recent  []linearInput // changes
	undone  []linearInput // rollbacks of either mode
	seen    []int64       // by member: the highest number of an entry in an answer
}

func newLinearPlan(members int) *linearPlan {
	return &linearPlan{members: members, seen: make([]int64, members)}
}

// draw is the next call.
func (p *linearPlan) draw(rng *rand.Rand) linearInput {
	p.mu.Lock()
	defer p.mu.Unlock()
	fresh := linearInput{member: rng.IntN(p.members)}
	switch n := rng.IntN(100); {
	case n < 45:
		return p.change(rng, fresh)
	case n < 55 && len(p.recent) > 0: // a repeat, now and then with other points
		again := p.recent[rng.IntN(len(p.recent))]
		if rng.IntN(8) == 0 {
			again.points *= 2
		}
		return again
	case n < 63 && len(p.recent) > 0:
		undo := p.recent[rng.IntN(len(p.recent))]
		undo.kind, undo.points = linearRollChange, 0
		if rng.IntN(3) == 0 {
			undo.points = 1 + rng.Int64N(20)
		}
		return p.undo(undo)
	case n < 65: // of a change that was never sent
		p.ids++
		fresh.kind, fresh.id = linearRollChange, p.ids
		p.remember(&p.recent, linearInput{member: fresh.member, kind: linearChange, id: p.ids, points: 5})
		return p.undo(fresh)
	case n < 77: // one more than there are may be named
		p.ids++
		fresh.kind, fresh.id, fresh.entry = linearRollEntry, p.ids, 1+rng.Int64N(p.seen[fresh.member]+1)
		if rng.IntN(2) == 0 {
			fresh.points = 1 + rng.Int64N(20)
		}
		return p.undo(fresh)
	case n < 83 && len(p.undone) > 0:
		return p.undone[rng.IntN(len(p.undone))]
	}
	fresh.kind = linearQuery
	return fresh
}

func (p *linearPlan) change(rng *rand.Rand, in linearInput) linearInput {
	p.ids++
	in.kind, in.id, in.points = linearChange, p.ids, 1+rng.Int64N(40)
	if rng.IntN(2) == 0 { // half of what is given is taken: some of it is not there
		in.points = -in.points
	}
	p.remember(&p.recent, in)
	return in
}

func (p *linearPlan) undo(in linearInput) linearInput {
	p.remember(&p.undone, in)
	return in
}

func (p *linearPlan) remember(list *[]linearInput, in linearInput) {
	if *list = append(*list, in); len(*list) > linearRecent {
		*list = (*list)[1:]
	}
}

// learn takes note of what an answer shows.
func (p *linearPlan) learn(in linearInput, out linearOutput) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen[in.member] = max(p.seen[in.member], out.entry, out.booked)
}
