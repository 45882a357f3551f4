package sim_test

import (
	"cmp"
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

// linearCheckLimit is when the search for an order is given up. Histories are
// made so small that it takes well under a second.
const linearCheckLimit = 30 * time.Second

// checkLinear fails the test unless there is an order of the calls, each at one
// moment between its beginning and its answer, in which the model gives every
// answer that was given.
func checkLinear(t *testing.T, history []porcupine.Operation) {
	t.Helper()
	switch porcupine.CheckOperationsTimeout(linearModel, history, linearCheckLimit) {
	case porcupine.Ok:
		return
	case porcupine.Unknown:
		t.Errorf("no verdict on %d calls after %s: let the run have fewer calls or fewer kills for each member (linearCalls, linearFaults), or give it a quieter machine", len(history), linearCheckLimit)
	case porcupine.Illegal:
		t.Errorf("no order of these %d calls explains the answers", len(history))
		explainLinear(t, history)
	}
	page, text, err := writeLinear(history)
	must(t, err)
	t.Logf("the history: %s (a page for a browser) and %s", page, text)
}

// explainLinear prints the first answer of each member that cannot be explained
// and what was under way or answered shortly before.
func explainLinear(t *testing.T, history []porcupine.Operation) {
	t.Helper()
	const shown = 20
	for _, part := range linearModel.Partition(history) {
		slices.SortFunc(part, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
		// What was answered later is unknown at that time; a beginning of a good
		// history is good.
		upTo := func(n int) []porcupine.Operation {
			begun := slices.Clone(part[:n])
			for _, late := range part[n:] {
				if late.Call <= part[max(n, 1)-1].Return && late.Input.(linearInput).kind != linearQuery {
					late.Output, late.Return = linearOutput{unknown: true}, linearForever
					begun = append(begun, late)
				}
			}
			return begun
		}
		n := sort.Search(len(part)+1, func(n int) bool {
			return porcupine.CheckOperationsTimeout(linearModel, upTo(n), linearCheckLimit) == porcupine.Illegal
		})
		if n > len(part) {
			continue
		}
		t.Logf("member %d: answer %d of %d cannot be explained, the last line here:", part[0].Input.(linearInput).member, n, len(part))
		for _, at := range upTo(n) {
			if at.Return >= part[max(0, n-shown)].Return && at.Return <= part[n-1].Return || at.Return == linearForever {
				t.Logf("  client %d, %d to %d us: %s", at.ClientId, at.Call/1000, at.Return/1000, describeLinear(at.Input.(linearInput), at.Output.(linearOutput)))
			}
		}
	}
}

// writeLinear leaves a history behind for whoever has to understand it.
func writeLinear(history []porcupine.Operation) (page, text string, err error) {
	dir, err := os.MkdirTemp("", "memberd-history-")
	if err != nil {
		return "", "", err
	}
	page, text = dir+"/history.html", dir+"/history.jsonl"
	_, info := porcupine.CheckOperationsVerbose(linearModel, history, linearCheckLimit)
	if err := porcupine.VisualizePath(linearModel, info, page); err != nil {
		return "", "", err
	}
	f, err := os.Create(text)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	for _, op := range history {
		line := struct {
			Client, Member int
			Call, Return   int64 // nanoseconds since the run began
			What           string
		}{op.ClientId, op.Input.(linearInput).member, op.Call, op.Return, describeLinear(op.Input.(linearInput), op.Output.(linearOutput))}
		if err := json.NewEncoder(f).Encode(line); err != nil {
			return "", "", err
		}
	}
	return page, text, f.Close()
}

// op is a call of a history made by hand.
func op(client int, from, to int64, in linearInput, out linearOutput) porcupine.Operation {
	if out.unknown {
		to = linearForever
	}
	return porcupine.Operation{ClientId: client, Input: in, Call: from, Output: out, Return: to}
}

// What the model must allow, and next to it what it must not: the checker has
// to be able to say no.
func TestLinearCheckerCanFail(t *testing.T) {
	t.Parallel()
	add := func(id int, points int64) linearInput { return linearInput{kind: linearChange, id: id, points: points} }
	undo := func(id int) linearInput { return linearInput{kind: linearRollChange, id: id} }
	undoEntry := func(key int, entry, points int64) linearInput {
		return linearInput{kind: linearRollEntry, id: key, entry: entry, points: points}
	}
	query := linearInput{kind: linearQuery}
	entry := func(n int64) linearOutput { return linearOutput{entry: n} }
	rolled := func(of, n int64) linearOutput { return linearOutput{entry: of, booked: n} }
	is := func(balance int64) linearOutput { return linearOutput{balance: balance} }
	refused := func(code int) linearOutput { return linearOutput{code: code} }
	lost := linearOutput{unknown: true}
	other := query
	other.member = 1
	for _, test := range []struct {
		name    string
		legal   bool
		history []porcupine.Operation
	}{
		{"in turn", true, []porcupine.Operation{op(0, 1, 2, add(1, 5), entry(1)), op(0, 3, 4, query, is(5))}},
		{"lost update", false, []porcupine.Operation{
			op(0, 1, 9, add(1, 5), entry(1)), op(1, 2, 8, add(2, 7), entry(2)), op(0, 10, 11, query, is(7)),
		}},
		{"both at once", true, []porcupine.Operation{
			op(0, 1, 9, add(1, 5), entry(2)), op(1, 2, 8, add(2, 7), entry(1)), op(0, 10, 11, query, is(12)),
		}},
		{"one number, two entries", false, []porcupine.Operation{op(0, 1, 9, add(1, 5), entry(1)), op(1, 2, 8, add(2, 7), entry(1))}},
		{"a repeat", true, []porcupine.Operation{
			op(0, 1, 2, add(1, 5), entry(1)), op(0, 3, 4, add(1, 5), entry(1)), op(0, 5, 6, query, is(5)),
		}},
		{"double booking seen in the answer", false, []porcupine.Operation{
			op(0, 1, 2, add(1, 5), entry(1)), op(0, 3, 4, add(1, 5), entry(2)),
		}},
		{"double booking seen in the balance", false, []porcupine.Operation{
			op(0, 1, 2, add(1, 5), entry(1)), op(0, 3, 4, add(1, 5), entry(1)), op(0, 5, 6, query, is(10)),
		}},
		{"double booking after a lost answer", false, []porcupine.Operation{
			op(0, 1, 2, add(1, 5), lost), op(0, 3, 4, add(1, 5), entry(2)), op(0, 5, 6, query, is(10)),
		}},
		{"a lost answer, booked", true, []porcupine.Operation{op(0, 1, 2, add(1, 5), lost), op(1, 3, 4, query, is(5))}},
		{"a lost answer, not booked", true, []porcupine.Operation{op(0, 1, 2, add(1, 5), lost), op(1, 3, 4, query, is(0))}},
		{"a lost answer, booked late", true, []porcupine.Operation{
			op(0, 1, 2, add(1, 5), lost), op(1, 3, 4, query, is(0)), op(1, 5, 6, query, is(5)),
		}},
		{"a lost answer, booked and gone again", false, []porcupine.Operation{
			op(0, 1, 2, add(1, 5), lost), op(1, 3, 4, query, is(5)), op(1, 5, 6, query, is(0)),
		}},
		{"an acknowledged change that is gone", false, []porcupine.Operation{
			op(0, 1, 2, add(1, 5), entry(1)), op(1, 3, 4, query, is(0)),
		}},
		{"a read before the answer", true, []porcupine.Operation{
			op(0, 1, 9, add(1, 5), entry(1)), op(1, 2, 3, query, is(5)), op(1, 4, 5, query, is(5)),
		}},
		{"a stale read", false, []porcupine.Operation{
			op(0, 1, 9, add(1, 5), entry(1)), op(1, 2, 3, query, is(5)), op(1, 4, 5, query, is(0)),
		}},
		{"members apart", true, []porcupine.Operation{op(0, 1, 2, add(1, 5), entry(1)), op(0, 3, 4, other, is(0))}},
		{"overspent", false, []porcupine.Operation{op(0, 1, 2, add(1, 5), entry(1)), op(0, 3, 9, add(2, -4), entry(2)), op(1, 3, 9, add(3, -4), entry(3))}},
		{"not covered though it is", false, []porcupine.Operation{op(0, 1, 2, add(1, 5), entry(1)), op(0, 3, 4, add(2, -5), refused(codeNotCovered))}},
		{"undone by id", true, []porcupine.Operation{
			op(0, 1, 2, add(1, 5), lost), op(0, 3, 4, undo(1), rolled(1, 2)), op(0, 5, 6, add(1, 5), refused(codeKeyReused)), op(0, 7, 8, query, is(0)),
		}},
		{"void, and booked after all", false, []porcupine.Operation{
			op(0, 1, 2, add(1, 5), lost), op(0, 3, 4, undo(1), refused(codeNoStatement)), op(0, 5, 6, query, is(5)),
		}},
		{"void, then booked by a repeat", false, []porcupine.Operation{
			op(0, 1, 2, undo(1), refused(codeNoStatement)), op(0, 3, 4, add(1, 5), entry(1)),
		}},
		{"undone in two parts", true, []porcupine.Operation{
			op(0, 1, 2, add(1, 5), entry(1)), op(0, 3, 4, undoEntry(1, 1, 2), rolled(1, 2)), op(1, 5, 6, undo(1), rolled(1, 3)), op(0, 7, 8, query, is(0)),
		}},
		{"undone twice", false, []porcupine.Operation{
			op(0, 1, 2, add(1, 5), entry(1)), op(0, 2, 2, add(2, 5), entry(2)),
			op(0, 3, 4, undoEntry(1, 1, 0), rolled(1, 3)), op(0, 5, 6, undoEntry(2, 1, 0), rolled(1, 4)),
		}},
		{"a rollback repeated", true, []porcupine.Operation{
			op(0, 1, 2, add(1, 5), entry(1)), op(0, 3, 4, undoEntry(1, 1, 0), lost), op(0, 5, 6, undoEntry(1, 1, 0), rolled(1, 2)), op(0, 7, 8, query, is(0)),
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := porcupine.CheckOperations(linearModel, test.history); got != test.legal {
				t.Errorf("legal: %v", got)
			}
		})
	}
}

// A long legal history, with one answer changed, is found too, and can be
// written down.
func TestLinearCheckerFindsOneAnswer(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(loyaltytest.Seed(t), 1<<36))
	history := madeUp(rng, 400)
	checkLinear(t, history)
	for range 20 {
		doctored := slices.Clone(history)
		i := rng.IntN(len(doctored))
		out := doctored[i].Output.(linearOutput)
		switch {
		case out.unknown:
			continue // nothing was promised
		case doctored[i].Input.(linearInput).kind == linearQuery:
			out.balance++ // balances are even
		case out.code == 0:
			out.entry += 1_000
		default:
			out = linearOutput{entry: 1_000}
		}
		doctored[i].Output = out
		if porcupine.CheckOperations(linearModel, doctored) {
			t.Errorf("call %d was changed to %q and nothing was found", i, describeLinear(doctored[i].Input.(linearInput), out))
		}
	}
	page, text, err := writeLinear(history)
	must(t, err)
	for _, name := range []string{page, text} {
		if info, err := os.Stat(name); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, os.RemoveAll(page[:len(page)-len("/history.html")]))
}

// madeUp is a legal history: calls that take effect one after the other, but
// begin before and are answered later, some never.
func madeUp(rng *rand.Rand, calls int) []porcupine.Operation {
	plan := newLinearPlan(1)
	state := linearModel.Init().(*linearState)
	var history []porcupine.Operation
	for i := range calls {
		in := plan.draw(rng)
		if in.kind != linearQuery {
			in.points *= 2
		}
		out, next := state.step(in)
		now := int64(i) * 10
		if rng.IntN(40) == 0 && in.kind != linearQuery {
			out = linearOutput{unknown: true}
			if rng.IntN(2) == 0 {
				next = state
			}
		}
		state = next
		plan.learn(in, out)
		// At most three calls at once, each of a client of its own.
		history = append(history, op(i%3, now-rng.Int64N(10), now+rng.Int64N(10), in, out))
	}
	return history
}
