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

// ended is a history with its end for each member: after all answers.
func ended(history []porcupine.Operation) []porcupine.Operation {
	var last int64
	members := map[int]bool{}
	for _, at := range history {
		members[at.Input.(linearInput).member] = true
		last = max(last, at.Call)
		if at.Return != linearForever {
			last = max(last, at.Return)
		}
	}
	history = slices.Clone(history)
	for member := range members {
		history = append(history, op(0, last+1, last+2, linearInput{member: member, kind: linearEnd}, linearOutput{}))
	}
	return history
}

// linearVerdict says whether there is an order that explains all answers.
func linearVerdict(history []porcupine.Operation) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(linearModel, ended(history), linearCheckLimit)
}

// checkLinear fails the test unless there is an order of the calls, each at one
// moment between its beginning and its answer, in which the model gives every
// answer that was given.
func checkLinear(t *testing.T, history []porcupine.Operation) {
	t.Helper()
	switch linearVerdict(history) {
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
			return linearVerdict(upTo(n)) == porcupine.Illegal
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
	_, info := porcupine.CheckOperationsVerbose(linearModel, ended(history), linearCheckLimit)
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
		if linearVerdict(doctored) != porcupine.Illegal {
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
		if rng.IntN(80) == 0 && in.kind != linearQuery {
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
