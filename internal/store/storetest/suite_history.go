package storetest

import (
	"math/rand/v2"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
	"github.com/memberd/memberd/internal/writer"
)

// history is a database after some thousand random commands of all kinds, and
// the reference after the same.
type history struct {
	*Engine
	t         testing.TB
	rng       *rand.Rand
	rules     map[string]*loyalty.Snapshot
	reference *loyaltytest.Memory
	state     loyaltytest.State // identities as values, not as stored
	steps     []loyaltytest.Step
}

func newHistory(t testing.TB, e *Engine, n int) *history {
	t.Helper()
	seed, rng := randomOf(t)
	merchants := loyaltytest.Merchants()
	e.AddMerchants(t, merchants...)
	h := &history{Engine: e, t: t, rng: rng, rules: map[string]*loyalty.Snapshot{}, reference: loyaltytest.NewMemory(merchants...)}
	for _, m := range merchants {
		h.rules[m.Merchant] = m
	}
	h.steps = loyaltytest.Generate(seed, n, merchants, h.reference)
	commands := make([]writer.Stamped, n)
	for i, s := range h.steps {
		commands[i] = s.Stamped
	}
	var sizes []int
	for range n {
		sizes = append(sizes, 1+rng.IntN(writer.MaxBatch))
	}
	for i, got := range writer.Replay(e.Store, commands, sizes) {
		equal(t, "outcome", h.steps[i].Outcome, got)
	}
	h.state = h.reference.Dump(nil)
	sameState(t, "history", h.reference, e)
	return h
}

// now is a real time at which the merchant's clock shows about t.
func (h *history) now(merchant string) loyalty.Instant {
	const hour = 3_600_000
	at := h.steps[len(h.steps)-1].Stamp.Now - loyalty.Instant(h.rules[h.steps[len(h.steps)-1].Merchant].ClockOffset)
	switch h.rng.IntN(4) {
	case 0:
		return at
	case 1:
		return at - loyalty.Instant(h.rng.IntN(30*24*hour))
	case 2:
		return at + loyalty.Instant(h.rng.IntN(5*24*hour))
	}
	return at + loyalty.Instant(h.rng.Int64N(60*24*hour))
}

func (h *history) lots(member int64) (lots []loyalty.Lot) {
	for _, l := range h.state.Lots {
		if l.Member == member {
			lots = append(lots, l.Lot)
		}
	}
	return lots
}

// asOf is the naive member at the real time now.
func (h *history) asOf(m loyalty.Member, now loyalty.Instant) (loyalty.Member, []loyalty.Entry) {
	snap := h.rules[m.Merchant]
	return loyalty.AsOf(m, h.lots(m.ID), snap, now+loyalty.Instant(snap.ClockOffset))
}

// Whatever commands refer to is loaded as the reference loads it, for any set
// of commands.
func testHistory(t *testing.T, e *Engine) {
	h := newHistory(t, e, 2_000)
	for range 40 {
		var refs []loyalty.Refs
		for range 1 + h.rng.IntN(20) {
			refs = append(refs, h.steps[h.rng.IntN(len(h.steps))].Command.Refs)
		}
		sameLoaded(t, "refs", loadTwice(t, h.reference, refs), loadAll(t, e.Store, refs...))
	}
}
