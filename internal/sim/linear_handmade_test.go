package sim_test

import (
	"slices"
	"testing"

	"github.com/anishathalye/porcupine"
)

// op is a call of a history made by hand.
func op(client int, from, to int64, in linearInput, out linearOutput) porcupine.Operation {
	if out.unknown {
		to = linearForever
	}
	return porcupine.Operation{ClientId: client, Input: in, Call: from, Output: out, Return: to}
}

// hand writes calls and answers in few words.
var hand handwriting

type handwriting struct{}

func (handwriting) add(id int, points int64) linearInput {
	return linearInput{kind: linearChange, id: id, points: points}
}
func (handwriting) undo(id int) linearInput { return linearInput{kind: linearRollChange, id: id} }
func (handwriting) undoEntry(key int, entry, points int64) linearInput {
	return linearInput{kind: linearRollEntry, id: key, entry: entry, points: points}
}
func (handwriting) query(member int) linearInput {
	return linearInput{kind: linearQuery, member: member}
}
func (handwriting) entry(n int64) linearOutput      { return linearOutput{entry: n} }
func (handwriting) rolled(of, n int64) linearOutput { return linearOutput{entry: of, booked: n} }
func (handwriting) is(balance int64) linearOutput   { return linearOutput{balance: balance} }
func (handwriting) refused(code int) linearOutput   { return linearOutput{code: code} }
func (handwriting) lost() linearOutput              { return linearOutput{unknown: true} }

// handmade is a history of which somebody knows whether it is legal.
type handmade struct {
	name    string
	legal   bool
	history []porcupine.Operation
}

var handmadeChanges = []handmade{
	{"in turn", true, []porcupine.Operation{op(0, 1, 2, hand.add(1, 5), hand.entry(1)), op(0, 3, 4, hand.query(0), hand.is(5))}},
	{"lost update", false, []porcupine.Operation{
		op(0, 1, 9, hand.add(1, 5), hand.entry(1)), op(1, 2, 8, hand.add(2, 7), hand.entry(2)), op(0, 10, 11, hand.query(0), hand.is(7)),
	}},
	{"both at once", true, []porcupine.Operation{
		op(0, 1, 9, hand.add(1, 5), hand.entry(2)), op(1, 2, 8, hand.add(2, 7), hand.entry(1)), op(0, 10, 11, hand.query(0), hand.is(12)),
	}},
	{"one number, two entries", false, []porcupine.Operation{op(0, 1, 9, hand.add(1, 5), hand.entry(1)), op(1, 2, 8, hand.add(2, 7), hand.entry(1))}},
	{"a repeat", true, []porcupine.Operation{
		op(0, 1, 2, hand.add(1, 5), hand.entry(1)), op(0, 3, 4, hand.add(1, 5), hand.entry(1)), op(0, 5, 6, hand.query(0), hand.is(5)),
	}},
	{"double booking seen in the answer", false, []porcupine.Operation{
		op(0, 1, 2, hand.add(1, 5), hand.entry(1)), op(0, 3, 4, hand.add(1, 5), hand.entry(2)),
	}},
	{"double booking seen in the balance", false, []porcupine.Operation{
		op(0, 1, 2, hand.add(1, 5), hand.entry(1)), op(0, 3, 4, hand.add(1, 5), hand.entry(1)), op(0, 5, 6, hand.query(0), hand.is(10)),
	}},
	{"double booking after a lost answer", false, []porcupine.Operation{
		op(0, 1, 2, hand.add(1, 5), hand.lost()), op(0, 3, 4, hand.add(1, 5), hand.entry(2)), op(0, 5, 6, hand.query(0), hand.is(10)),
	}},
	{"a lost answer, booked", true, []porcupine.Operation{op(0, 1, 2, hand.add(1, 5), hand.lost()), op(1, 3, 4, hand.query(0), hand.is(5))}},
	{"a lost answer, not booked", true, []porcupine.Operation{op(0, 1, 2, hand.add(1, 5), hand.lost()), op(1, 3, 4, hand.query(0), hand.is(0))}},
	{"a lost answer, booked late", true, []porcupine.Operation{
		op(0, 1, 2, hand.add(1, 5), hand.lost()), op(1, 3, 4, hand.query(0), hand.is(0)), op(1, 5, 6, hand.query(0), hand.is(5)),
	}},
	{"a lost answer, booked and gone again", false, []porcupine.Operation{
		op(0, 1, 2, hand.add(1, 5), hand.lost()), op(1, 3, 4, hand.query(0), hand.is(5)), op(1, 5, 6, hand.query(0), hand.is(0)),
	}},
	{"an acknowledged change that is gone", false, []porcupine.Operation{
		op(0, 1, 2, hand.add(1, 5), hand.entry(1)), op(1, 3, 4, hand.query(0), hand.is(0)),
	}},
	{"a read before the answer", true, []porcupine.Operation{
		op(0, 1, 9, hand.add(1, 5), hand.entry(1)), op(1, 2, 3, hand.query(0), hand.is(5)), op(1, 4, 5, hand.query(0), hand.is(5)),
	}},
	{"a stale read", false, []porcupine.Operation{
		op(0, 1, 9, hand.add(1, 5), hand.entry(1)), op(1, 2, 3, hand.query(0), hand.is(5)), op(1, 4, 5, hand.query(0), hand.is(0)),
	}},
	{"members apart", true, []porcupine.Operation{op(0, 1, 2, hand.add(1, 5), hand.entry(1)), op(0, 3, 4, hand.query(1), hand.is(0))}},
	{"overspent", false, []porcupine.Operation{op(0, 1, 2, hand.add(1, 5), hand.entry(1)), op(0, 3, 9, hand.add(2, -4), hand.entry(2)), op(1, 3, 9, hand.add(3, -4), hand.entry(3))}},
	{"not covered though it is", false, []porcupine.Operation{op(0, 1, 2, hand.add(1, 5), hand.entry(1)), op(0, 3, 4, hand.add(2, -5), hand.refused(codeNotCovered))}},
}

var handmadeRollbacks = []handmade{
	{"undone by id", true, []porcupine.Operation{
		op(0, 1, 2, hand.add(1, 5), hand.lost()), op(0, 3, 4, hand.undo(1), hand.rolled(1, 2)), op(0, 5, 6, hand.add(1, 5), hand.refused(codeKeyReused)), op(0, 7, 8, hand.query(0), hand.is(0)),
	}},
	{"void, and booked after all", false, []porcupine.Operation{
		op(0, 1, 2, hand.add(1, 5), hand.lost()), op(0, 3, 4, hand.undo(1), hand.refused(codeNoStatement)), op(0, 5, 6, hand.query(0), hand.is(5)),
	}},
	{"void, then booked by a repeat", false, []porcupine.Operation{
		op(0, 1, 2, hand.undo(1), hand.refused(codeNoStatement)), op(0, 3, 4, hand.add(1, 5), hand.entry(1)),
	}},
	{"undone in two parts", true, []porcupine.Operation{
		op(0, 1, 2, hand.add(1, 5), hand.entry(1)), op(0, 3, 4, hand.undoEntry(1, 1, 2), hand.rolled(1, 2)), op(1, 5, 6, hand.undo(1), hand.rolled(1, 3)), op(0, 7, 8, hand.query(0), hand.is(0)),
	}},
	{"undone twice", false, []porcupine.Operation{
		op(0, 1, 2, hand.add(1, 5), hand.entry(1)), op(0, 2, 2, hand.add(2, 5), hand.entry(2)),
		op(0, 3, 4, hand.undoEntry(1, 1, 0), hand.rolled(1, 3)), op(0, 5, 6, hand.undoEntry(2, 1, 0), hand.rolled(1, 4)),
	}},
	{"a rollback repeated", true, []porcupine.Operation{
		op(0, 1, 2, hand.add(1, 5), hand.entry(1)), op(0, 3, 4, hand.undoEntry(1, 1, 0), hand.lost()), op(0, 5, 6, hand.undoEntry(1, 1, 0), hand.rolled(1, 2)), op(0, 7, 8, hand.query(0), hand.is(0)),
	}},
}

// What the model must allow, and next to it what it must not: the checker has
// to be able to say no.
func TestLinearCheckerCanFail(t *testing.T) {
	t.Parallel()
	for _, test := range slices.Concat(handmadeChanges, handmadeRollbacks) {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := linearVerdict(test.history) == porcupine.Ok; got != test.legal {
				t.Errorf("legal: %v", got)
			}
		})
	}
}
