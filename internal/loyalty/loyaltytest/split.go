package loyaltytest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// Target is a store under test.
type Target struct {
	Store loyalty.Store
	Dump  func(context.Context) (State, error)
	// Stored is how the store writes the value of an identity; nil: as it is.
	Stored func(loyalty.Identity) string
}

// minReach is how often everything that matters must have occurred in the runs
// of a test, or the test proves less than it says and fails.
const minReach = 20

// Seed is the seed of random tests: MEMBERD_SEED, or one from the clock. Tests
// print it when they fail.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("MEMBERD_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("MEMBERD_SEED: %v", err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("MEMBERD_SEED=%d", seed)
		}
	})
	return seed
}

// SplitInvariance proves that batching cannot be noticed: a random sequence of
// n commands, cut into any batches, gives the same answers and the same rows
// as one command after the other on the reference store, and the rows are what
// the ledger says. open is called once for each cut and gives a fresh store
// that holds the merchants. The short mode runs a tenth of the commands and does
// not ask what they reached.
func SplitInvariance(t *testing.T, n int, open func(*testing.T, []*loyalty.Snapshot) Target) {
	t.Helper()
	seed := Seed(t)
	if testing.Short() {
		n /= 10
	}
	merchants := Merchants()
	rules := map[string]*loyalty.Snapshot{}
	for _, s := range merchants {
		rules[s.Merchant] = s
	}
	reference := NewMemory(merchants...)
	steps := Generate(seed, n, merchants, reference)
	for i, s := range steps {
		if _, ok := loyalty.CodeOf(s.Outcome.Err); !ok && s.Outcome.Err != nil {
			t.Fatalf("step %d of seed %d: %v, which is no refusal", i, seed, s.Outcome.Err)
		}
	}
	reach := measure(steps, reference.Dump(nil))

	rng := rand.New(rand.NewPCG(seed, 2))
	for _, largest := range []int{1, 7, writer.MaxBatch} {
		sizes := cut(rng, n, largest)
		reach.repeats(steps, sizes)
		t.Run(fmt.Sprintf("batches of up to %d", largest), func(t *testing.T) {
			target := open(t, merchants)
			commands := make([]writer.Stamped, n)
			for i, s := range steps {
				commands[i] = s.Stamped
			}
			for i, got := range writer.Replay(target.Store, commands, sizes) {
				if diff := cmp.Diff(steps[i].Outcome.Result, got.Result); diff != "" || steps[i].Outcome.Err != got.Err {
					t.Fatalf("step %d of seed %d: want %v, got %v\n%s", i, seed, steps[i].Outcome.Err, got.Err, diff)
				}
			}
			state, err := target.Dump(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(reference.Dump(target.Stored), state); diff != "" {
				t.Fatalf("rows differ (-reference +store), seed %d:\n%s", seed, diff)
			}
			if found := state.Verify(rules); len(found) > 0 {
				t.Fatalf("seed %d: stored and recomputed differ: %+v", seed, found)
			}
		})
	}
	if !testing.Short() {
		reach.require(t)
	}
}

// cut divides n commands into batches of random sizes.
func cut(rng *rand.Rand, n, largest int) []int {
	var sizes []int
	for n > 0 {
		size := min(1+rng.IntN(largest), n)
		sizes, n = append(sizes, size), n-size
	}
	return sizes
}

// reach counts what a run has gone through.
type reach map[string]int

// measure counts in the reference run.
func measure(steps []Step, state State) reach {
	r := reach{}
	for _, c := range loyalty.Codes() {
		r["code "+c.String()] = 0
	}
	for _, s := range steps {
		if code, ok := loyalty.CodeOf(s.Outcome.Err); ok {
			r["code "+code.String()]++
		}
		if rolled, ok := s.Outcome.Result.(loyalty.RolledBack); ok && rolled.Void {
			r["tombstone"]++
		}
	}
	for _, name := range []string{
		"deficit made", "deficit filled", "write-off", "expired part taken back", "pending part taken back",
		"put back in vain", "put back with grace", "put back and expired again", "expiry during a rollback", "release",
		"order by rule", "refund by rule", "refund as asked", "refund parked", "parked refund booked", "parked refund declined",
		"coupon back with its order", "coupon used for an order", "level above the lowest", "papers forgotten", "paid card",
		"rule missed by birthday", "rule missed by label", "rule missed by level", "rule missed by goods", "rule missed by store", "rule missed by weekday",
		"rule held for goods", "rule held", "cap reached", "goods brought back", "tally lowered", "level moved", "level of a late order",
		"refund previewed", "claim counted", "coupon lapsed",
		"told of member.registered", "told of points.changed", "told of level.changed", "told of points.expiring",
		"told of points.expired", "told of coupon.given", "told of coupon.used",
	} {
		r[name] = 0
	}
	r.rows(state)
	for _, s := range steps {
		r.outcome(s)
	}
	for i, e := range state.Entries {
		r.entry(e)
		if i > 0 && e.Kind >= loyalty.TakeBack && e.Kind <= loyalty.PutBack {
			before := state.Entries[i-1]
			if before.Member == e.Member && before.Kind == loyalty.Expiry && before.At <= e.At {
				r["expiry during a rollback"]++
			}
		}
		if i > 0 && e.Kind == loyalty.Expiry && state.Entries[i-1].Kind == loyalty.PutBack && state.Entries[i-1].At == e.At {
			r["put back and expired again"]++
		}
	}
	clocks := map[string]bool{}
	for _, s := range steps {
		clocks[s.Merchant] = true
	}
	r["merchants"] = len(clocks) * minReach / 2
	return r
}

// outcome counts what only answers tell.
func (r reach) outcome(s Step) {
	switch done := s.Outcome.Result.(type) {
	case loyalty.RefundPreview:
		if done.Points > 0 {
			r["refund previewed"]++
		}
		if len(done.Coupons) > 0 {
			r["coupon back with its order"]++
		}
	}
}

// rows counts what orders, coupons and marks have come to.
func (r reach) rows(state State) {
	erased := map[int64]bool{}
	for _, m := range state.Members {
		erased[m.ID] = m.Status == loyalty.Erased
	}
	for _, i := range state.OrderInfos {
		if erased[i.Member] {
			r["papers forgotten"]++
		}
	}
	landed := map[loyalty.OrderKey]int64{}
	for _, o := range state.Orders {
		if o.Kind == loyalty.Purchase {
			landed[o.OrderKey] = o.Seq
		}
	}
	for _, o := range state.Orders {
		if o.Kind == loyalty.Refund && o.State == loyalty.Booked && o.Seq < landed[loyalty.OrderKey{Space: o.Space, No: o.Parent}] {
			r["parked refund booked"]++
		}
		r.decision(o)
		switch {
		case o.Kind == loyalty.Purchase && o.Decision.EarnedBy == loyalty.ByRule && o.Points > 0:
			r["order by rule"]++
		case o.State == loyalty.Parked:
			r["refund parked"]++
		case o.State == loyalty.Declined:
			r["parked refund declined"]++
		case o.Kind == loyalty.Refund && o.Decision.EarnedBy == loyalty.ByRule && o.Points > 0:
			r["refund by rule"]++
		case o.Kind == loyalty.Refund && o.Points > 0:
			r["refund as asked"]++
		}
	}
	r["level moved"] = len(state.LevelMoves)
	for _, e := range state.Entries {
		if e.Decision != nil && len(e.Decision.Caps) > 0 && e.Reversed > 0 {
			r["tally lowered"]++
		}
	}
	for _, e := range state.Events {
		r["told of "+string(e.Kind)]++
	}
	for _, c := range state.Coupons {
		if c.Lapsed {
			r["coupon lapsed"]++
		}
		if c.UsedFor != "" {
			r["coupon used for an order"]++
		}
	}
	for _, m := range state.Members {
		if m.Level > 1 {
			r["level above the lowest"]++
		}
	}
	for _, m := range state.Marks {
		r["paid card"] += len(m.Cards)
	}
	for _, c := range state.Claims {
		r["claim counted"] += int(c.Count)
	}
}

// decision counts what records say.
func (r reach) decision(o loyalty.Order) {
	d := &o.Decision
	for _, t := range d.Tests {
		switch {
		case t.Miss != "":
			r["rule missed by "+string(t.Miss)]++
		case t.Fen > 0:
			r["rule held for goods"]++
		default:
			r["rule held"]++
		}
		if t.ID == "level" && o.ConsumedAt < o.BookedAt-1000*3600 {
			r["level of a late order"]++
		}
	}
	if d.Back.Fen > 0 {
		r["goods brought back"]++
	}
	if d.EarnedBy == loyalty.ByRule && d.Granted(d.Fen) < d.Uncapped(d.Fen) {
		r["cap reached"]++
	}
}

func (r reach) entry(e loyalty.Entry) {
	switch {
	case e.Kind == loyalty.TakeBack && e.Deficit > 0:
		r["deficit made"]++
	case e.Kind == loyalty.WriteOff:
		r["write-off"]++
	case e.Kind == loyalty.Release:
		r["release"]++
	case e.Kind == loyalty.PutBack && e.Lapsed > 0:
		r["put back in vain"]++
	}
	if e.Kind.Direction() == loyalty.Credit && e.Kind != loyalty.WriteOff && e.Deficit < 0 {
		r["deficit filled"]++
	}
	if e.Kind == loyalty.TakeBack && e.Lapsed > 0 {
		r["expired part taken back"]++
	}
	if e.Kind == loyalty.TakeBack && e.Pending < 0 {
		r["pending part taken back"]++
	}
	if e.Kind == loyalty.PutBack {
		for _, p := range e.Parts {
			if p.ExpiresAt > e.At && p.ExpiresAt < e.At+9*24*3600*1000 {
				r["put back with grace"]++
			}
		}
	}
}

// repeats counts equal keys within one batch and across batches.
func (r reach) repeats(steps []Step, sizes []int) {
	batch, end := 0, 0
	last := map[string]int{}
	for i, s := range steps {
		for i >= end {
			end += sizes[batch]
			batch++
		}
		if s.KeyText == "" {
			continue
		}
		if b, seen := last[s.KeyText]; seen && b == batch {
			r["key repeated within a batch"]++
		} else if seen {
			r["key repeated across batches"]++
		}
		last[s.KeyText] = batch
	}
}

func (r reach) require(t *testing.T) {
	t.Helper()
	for what, times := range r {
		if times < minReach {
			t.Errorf("the run reached %q only %d times, wanted %d", what, times, minReach)
		}
	}
}
