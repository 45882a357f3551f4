package sim_test

import (
	"fmt"
	"maps"
	"math"

	"github.com/anishathalye/porcupine"
)

// linearKind is what a call of a history asks for.
type linearKind int

const (
	linearChange     linearKind = iota // 3.3: points by id; the same id again is a repeat
	linearRollChange                   // 3.4, mode 1: by the id of the change, whose answer may never have come
	linearRollEntry                    // 3.4, mode 2: by the statement, under a key of its own
	linearQuery                        // the balance
	linearEnd                          // nobody looks any more
)

// linearForever is when a call returns that was never answered.
const linearForever = math.MaxInt64

// linearInput is a call. Ids and keys are numbers; the client spells them out.
type linearInput struct {
	member int
	kind   linearKind
	id     int   // of the change, or the key of a rollback by statement
	points int64 // of a change: with its sign; of a rollback: how many, 0 for all that is left
	entry  int64 // what a rollback by statement names: the number in the ledger
}

// linearOutput is an answer. Of a call without one nothing is known.
type linearOutput struct {
	unknown bool
	code    int   // 0 for success
	entry   int64 // the change's number in the member's ledger
	booked  int64 // the rollback's, 0 where nothing was left
	balance int64 // of a query
}

// linearBooked is a change that is in the ledger.
type linearBooked struct{ points, entry, left int64 }

// linearRolled is a rollback that was answered, with what it was asked for.
type linearRolled struct {
	entry, points int64
	answer        linearOutput
}

// linearState is one member's account as the documents describe it. It is never
// changed: a step makes a new one.
type linearState struct {
	balance, last int64
	changes       map[int]linearBooked // by change id
	byID          map[int]linearRolled // rollbacks of mode 1, by change id; also of changes that never were
	byKey         map[int]linearRolled // rollbacks of mode 2, by their own key
	ended         bool
}

// step is what the account answers, and what it is afterwards: itself if the
// call changed nothing.
func (s *linearState) step(in linearInput) (linearOutput, *linearState) {
	switch in.kind {
	case linearChange:
		return s.change(in)
	case linearEnd:
		next := *s
		next.ended = true
		return linearOutput{}, &next
	case linearRollChange:
		if done, ok := s.byID[in.id]; ok {
			return s.again(done, in)
		}
		change, ok := s.changes[in.id]
		if !ok { // the id is void from now on
			return s.keep(s.byID, in, linearOutput{code: codeNoStatement})
		}
		if change.left == 0 {
			return s.keep(s.byID, in, linearOutput{entry: change.entry})
		}
		return s.rollBack(in.id, change, in)
	case linearRollEntry:
		if done, ok := s.byKey[in.id]; ok {
			return s.again(done, in)
		}
		if in.entry > s.last {
			return linearOutput{code: codeNoStatement}, s
		}
		for id, change := range s.changes {
			if change.entry != in.entry {
				continue
			}
			if change.left == 0 {
				return linearOutput{code: codeNothingToRoll}, s
			}
			return s.rollBack(id, change, in)
		}
		return linearOutput{code: codeNotReversible}, s // a rollback
	}
	return linearOutput{balance: s.balance}, s
}

func (s *linearState) change(in linearInput) (linearOutput, *linearState) {
	_, void := s.byID[in.id]
	switch had, ok := s.changes[in.id]; {
	case void || ok && had.points != in.points:
		return linearOutput{code: codeKeyReused}, s
	case ok:
		return linearOutput{entry: had.entry}, s
	case s.balance+in.points < 0:
		return linearOutput{code: codeNotCovered}, s
	}
	next := *s
	next.balance += in.points
	next.last++
	next.changes = maps.Clone(s.changes)
	next.changes[in.id] = linearBooked{points: in.points, entry: next.last, left: max(in.points, -in.points)}
	return linearOutput{entry: next.last}, &next
}

// again answers a rollback that was answered before.
func (s *linearState) again(done linearRolled, in linearInput) (linearOutput, *linearState) {
	if done.points != in.points || in.kind == linearRollEntry && done.entry != in.entry {
		return linearOutput{code: codeKeyReused}, s
	}
	return done.answer, s
}

// keep stores an answer under the key of a rollback.
func (s *linearState) keep(under map[int]linearRolled, in linearInput, answer linearOutput) (linearOutput, *linearState) {
	next := *s
	under = maps.Clone(under)
	under[in.id] = linearRolled{in.entry, in.points, answer}
	if in.kind == linearRollChange {
		next.byID = under
	} else {
		next.byKey = under
	}
	return answer, &next
}

func (s *linearState) rollBack(id int, change linearBooked, in linearInput) (linearOutput, *linearState) {
	points := in.points
	if points == 0 {
		points = change.left
	}
	if points > change.left {
		return linearOutput{code: codeInvalid}, s
	}
	sign := int64(1)
	if change.points > 0 {
		sign = -1
	}
	if s.balance+sign*points < 0 {
		return linearOutput{code: codeNotCovered}, s
	}
	under := s.byKey
	if in.kind == linearRollChange {
		under = s.byID
	}
	answer, next := s.keep(under, in, linearOutput{entry: change.entry, booked: s.last + 1})
	next.last++
	next.balance += sign * points
	change.left -= points
	next.changes = maps.Clone(s.changes)
	next.changes[id] = change
	return answer, next
}

func (s *linearState) equal(other *linearState) bool {
	return s == other || s.ended == other.ended && s.balance == other.balance && s.last == other.last &&
		maps.Equal(s.changes, other.changes) && maps.Equal(s.byID, other.byID) && maps.Equal(s.byKey, other.byKey)
}

// linearModel is what histories are checked against, member by member. A call
// without an answer takes its place where it changes something, anywhere after
// it began, or else after the end, where it changes nothing: that is how it can
// also not have happened. The end spares the checker all the places in between
// where such a call would make no difference.
var linearModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		var parts [][]porcupine.Operation
		at := map[int]int{}
		for _, op := range history {
			member := op.Input.(linearInput).member
			if _, ok := at[member]; !ok {
				at[member] = len(parts)
				parts = append(parts, nil)
			}
			parts[at[member]] = append(parts[at[member]], op)
		}
		return parts
	},
	Init: func() any {
		return &linearState{changes: map[int]linearBooked{}, byID: map[int]linearRolled{}, byKey: map[int]linearRolled{}}
	},
	Step: func(state, input, output any) (bool, any) {
		s, want := state.(*linearState), output.(linearOutput)
		if s.ended {
			return want.unknown, s
		}
		got, next := s.step(input.(linearInput))
		if want.unknown {
			return next != s, next
		}
		return got == want, next
	},
	Equal: func(a, b any) bool { return a.(*linearState).equal(b.(*linearState)) },
	Hash: func(state any) uint64 {
		s := state.(*linearState)
		return uint64(s.balance)<<32 ^ uint64(s.last)<<20 ^ uint64(len(s.byID))<<10 ^ uint64(len(s.byKey))
	},
	DescribeOperation: func(input, output any) string { return describeLinear(input.(linearInput), output.(linearOutput)) },
	DescribeState: func(state any) string {
		s := state.(*linearState)
		return fmt.Sprintf("balance %d, last entry %d", s.balance, s.last)
	},
}

func describeLinear(in linearInput, out linearOutput) string {
	asked := [...]string{
		linearChange:     fmt.Sprintf("change c%d %+d", in.id, in.points),
		linearRollChange: fmt.Sprintf("roll back c%d, points %d", in.id, in.points),
		linearRollEntry:  fmt.Sprintf("roll back entry %d as k%d, points %d", in.entry, in.id, in.points),
		linearQuery:      "balance",
		linearEnd:        "end",
	}[in.kind]
	switch {
	case out.unknown:
		return asked + ": no answer"
	case out.code != 0:
		return fmt.Sprintf("%s: refused with %d", asked, out.code)
	case in.kind == linearQuery:
		return fmt.Sprintf("%s: %d", asked, out.balance)
	}
	return fmt.Sprintf("%s: entry %d, rollback %d", asked, out.entry, out.booked)
}
