package explain

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

// eachOnce: every test of a record, and every cap that cut its points, has
// exactly one sentence, in the record's order, with the record's numbers.
func eachOnce(t *testing.T, name string, x Explanation) (tests, caps int) {
	t.Helper()
	d := x.Record
	if d == nil {
		return 0, 0
	}
	var said []Sentence
	for _, s := range x.Sentences {
		if strings.HasPrefix(s.Zh, "「") && strings.Contains(s.Zh, " 倍）：") {
			said = append(said, s)
		}
	}
	if len(said) != len(d.Tests) {
		t.Errorf("%s: %d sentences for %d tests:\n%s", name, len(said), len(d.Tests), text(x))
		return 0, 0
	}
	for i, test := range d.Tests {
		wants := []string{"（" + factor(test.Factor) + " 倍）"}
		if test.Miss == "" {
			wants = append(wants, "：适用")
		} else {
			wants = append(wants, "：不适用，")
		}
		if test.Fen > 0 {
			wants = append(wants, yuan(test.Fen).Zh)
		}
		if test.Miss == loyalty.MissLevel && d.Level != 0 && x.Version != 0 {
			wants = append(wants, fmt.Sprintf("%d 级", d.Level))
		}
		for _, want := range wants {
			if !strings.Contains(said[i].Zh, want) && !strings.Contains(said[i].Zh, "等级不符") {
				t.Errorf("%s: no %q in %q", name, want, said[i].Zh)
			}
		}
	}
	var cut []loyalty.Cap
	if _, known := Recomputed(d, d.Fen); known {
		left := d.Uncapped(d.Fen)
		for _, c := range d.Caps {
			if room := max(c.Max-c.Before, 0); room < left {
				left, cut = room, append(cut, c)
			}
		}
	}
	said = nil
	for _, s := range x.Sentences {
		if strings.Contains(s.Zh, "上限") && !strings.HasPrefix(s.Zh, "原因") {
			said = append(said, s)
		}
	}
	if len(said) != len(cut) {
		t.Errorf("%s: %d sentences for %d caps that cut:\n%s", name, len(said), len(cut), text(x))
		return 0, 0
	}
	for i, c := range cut {
		wants := []string{points(c.Max).Zh + "："}
		if c.Kind != loyalty.CapOrder {
			wants = append(wants, fmt.Sprintf("此前已计 %d，还可计 %d，", c.Before, max(c.Max-c.Before, 0)))
		}
		for _, want := range wants {
			if !strings.Contains(said[i].Zh, want) {
				t.Errorf("%s: no %q in %q", name, want, said[i].Zh)
			}
		}
	}
	return len(d.Tests), len(cut)
}

// TestEveryRecordIsTold: for random programmes and random traffic every entry
// and every order has an explanation, whose sentences are those of its record.
func TestEveryRecordIsTold(t *testing.T) {
	t.Parallel()
	seed := loyaltytest.Seed(t)
	tests, caps, rests, kinds := 0, 0, 0, map[loyalty.EntryKind]int{}
	reached := func() bool { return tests > 0 && caps > 0 && rests > 0 && len(kinds) >= 5 }
	// One set of eight runs in fifty has no refund to look at.
	const enough, most = 8, 200
	for run := uint64(0); run < enough || run < most && !reached(); run++ {
		rng := rand.New(rand.NewPCG(seed+run, 3))
		merchants := loyaltytest.RandomProgrammes(rng)
		store := loyaltytest.NewMemory(merchants...)
		loyaltytest.Generate(seed+run, 600, merchants, store)
		r := &shelf{store.Dump(nil), map[string][]*loyalty.Snapshot{}}
		merchantOf := map[int64]string{}
		for _, m := range r.state.Members {
			merchantOf[m.ID] = m.Merchant
		}
		for _, s := range merchants {
			r.rules[s.Merchant] = []*loyalty.Snapshot{s}
		}
		ask := func(name string, q Question) Explanation {
			_, x, err := Answer(context.Background(), r, q, 0)
			if err != nil {
				t.Fatalf("seed %d, %s: %v", seed, name, err)
			}
			clean(t, name, x)
			n, c := eachOnce(t, name, x)
			tests, caps = tests+n, caps+c
			if strings.Contains(text(x), "不一致") {
				t.Errorf("seed %d, %s: the record does not agree:\n%s", seed, name, text(x))
			}
			return x
		}
		for _, e := range r.state.Entries {
			id := loyalty.StatementID(e.Member, e.No)
			x := ask(id, Question{Who: loyalty.Who{Merchant: merchantOf[e.Member]}, Statement: id})
			kinds[e.Kind]++
			if x.Statement != id || !strings.Contains(text(x), strconv.FormatInt(e.Amount, 10)) {
				t.Errorf("seed %d, %s: %d points are not told:\n%s", seed, id, e.Amount, text(x))
			}
		}
		for _, o := range r.state.Orders {
			x := ask(o.No, Question{Who: loyalty.Who{Merchant: merchantOf[o.Member]}, Order: o.OrderKey})
			if x.OrderNo != o.No || !strings.Contains(x.Sentences[0].Zh, yuan(o.Amount).Zh) {
				t.Errorf("seed %d, %s: %s are not told:\n%s", seed, o.No, yuan(o.Amount).Zh, text(x))
			}
			if refundedByRule(r, o) {
				rests++
				if got := o.Decision.Kept(o.Amount-o.Refunded, o.Amount, o.Points); got != o.Points-o.TakenBack {
					t.Errorf("seed %d, %s: what is left earns %d, want %d: %+v", seed, o.No, got, o.Points-o.TakenBack, o)
				}
			}
		}
	}
	if !reached() {
		t.Errorf("seed %d: %d tests, %d caps, %d rests, kinds %v: too little was reached", seed, tests, caps, rests, kinds)
	}
}

// refundedByRule tells whether the rule alone has decided what was taken back of
// an order, and nothing else was.
func refundedByRule(r *shelf, o loyalty.Order) bool {
	if o.Kind != loyalty.Purchase || o.Decision.EarnedBy != loyalty.ByRule || o.Points == 0 || o.Refunded == 0 || o.Refunded == o.Amount {
		return false
	}
	for _, e := range r.state.Entries {
		if e.Member != o.Member || e.Kind != loyalty.Grant {
			continue
		}
		if e.No == o.Entry && e.Reversed != o.TakenBack || e.No != o.Entry && e.Order() == o.OrderKey {
			return false
		}
	}
	for _, other := range r.state.Orders {
		if other.Member == o.Member && other.Space == o.Space && other.Parent == o.No && other.Decision.EarnedBy != loyalty.ByRule {
			return false
		}
	}
	return true
}

func TestFactor(t *testing.T) {
	t.Parallel()
	for f, want := range map[loyalty.Factor]string{0: "0", 1: "0.0001", 5_000: "0.5", loyalty.Whole: "1", 15_000: "1.5", 1_000_000: "100"} {
		if got := factor(f); got != want {
			t.Errorf("%d: %s, want %s", f, got, want)
		}
	}
}
