package loyaltytest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// Properties runs random orders, refunds, spends and coupons of a few members
// against a store, over days in which points expire, and after each of the steps
// sees that what must always hold does hold:
//
//   - the balance is what the usable lots hold less the deficit, and only a
//     merchant that allows a deficit has one;
//   - no more is taken back than was granted for an order, nor more money or
//     growth value than the order had;
//   - a coupon is used for one order at a time, and what another order has used
//     cannot be taken over without coming back first;
//   - no more coupons are out than the template's stock, and no member has more
//     than its limit;
//   - a refused command changes nothing, and totals are the sum of what there is.
//
// open is called once and gives an empty store that holds the merchants. The
// short mode runs a tenth of the steps; a run of fewer than 1,500 does not ask
// what it reached.
func Properties(t *testing.T, steps int, open func(*testing.T, []*loyalty.Snapshot) Target) {
	t.Helper()
	seed := Seed(t)
	if testing.Short() {
		steps /= 10
	}
	r := newTrial(seed)
	target := open(t, r.merchants)
	before, err := target.Dump(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < steps || steps >= stepsToReachAll && i < 5*steps && len(r.missing()) > 0; i++ {
		step := r.step()
		out := writer.Replay(target.Store, []writer.Stamped{step}, nil)[0]
		after, err := target.Dump(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		wrong := r.learn(out, after)
		if out.Err != nil && !reflect.DeepEqual(before, after) {
			wrong = append(wrong, "a refused command changed rows")
		}
		wrong = append(wrong, r.violations(before, after)...)
		if len(wrong) > 0 {
			t.Fatalf("step %d of seed %d, the last steps being\n%s%v", i, seed, r.tail(), wrong)
		}
		before = after
	}
	if missing := r.missing(); steps >= stepsToReachAll && len(missing) > 0 {
		t.Errorf("the run never reached %q", missing)
	}
}

// stepsToReachAll is how long a run has to be to go through all that matters
// with room to spare. One in many thousands is longer.
const stepsToReachAll = 1_500

// missing is what matters and was not gone through yet.
func (r *trial) missing() []string {
	return slices.DeleteFunc([]string{
		"order", "refund", "parked", "declined", "landed", "deficit", "write-off", "expiry", "release", "lapsed part back",
		"coupon given", "coupon used", "coupon back", "coupon used again",
		loyalty.StockExhausted.String(), loyalty.ClaimLimitReached.String(), loyalty.CouponNotUsable.String(),
		loyalty.CouponStateRefused.String(), loyalty.RefundTooLarge.String(), loyalty.PointsInsufficient.String(),
	}, func(what string) bool { return r.reached[what] > 0 })
}

// violations is what does not hold in a state that came out of another.
func (r *trial) violations(before, after State) []string {
	var wrong []string
	for _, d := range after.Verify(r.rules) {
		wrong = append(wrong, fmt.Sprintf("%+v", d))
	}
	wrong = append(wrong, r.wrongBalances(after)...)
	wrong = append(wrong, wrongOrders(after)...)
	return append(wrong, wrongCoupons(before, after)...)
}

func (r *trial) wrongBalances(s State) (wrong []string) {
	usable, pending := map[int64]int64{}, map[int64]int64{}
	for _, l := range s.Lots {
		if l.Pending {
			pending[l.Member] += l.Remaining
		} else {
			usable[l.Member] += l.Remaining
		}
	}
	for _, m := range s.Members {
		if m.Balance != usable[m.ID]-m.Deficit || m.Pending != pending[m.ID] || m.Balance != m.Earned-m.Used {
			wrong = append(wrong, fmt.Sprintf("member %d: balance %d, pending %d; lots hold %d and %d", m.ID, m.Balance, m.Pending, usable[m.ID], pending[m.ID]))
		}
		if m.Deficit < 0 || m.Deficit > 0 && r.rules[m.Merchant].Clawback != loyalty.ClawbackNegative {
			wrong = append(wrong, fmt.Sprintf("member %d: deficit %d", m.ID, m.Deficit))
		}
		if m.ConsumeCount < 0 || m.ConsumeFen < 0 || m.Growth < 0 {
			wrong = append(wrong, fmt.Sprintf("member %d: %d orders, %d fen, growth %d", m.ID, m.ConsumeCount, m.ConsumeFen, m.Growth))
		}
	}
	return wrong
}

type memberOrder struct {
	member int64
	loyalty.OrderKey
}

func wrongOrders(s State) (wrong []string) {
	granted, back := map[memberOrder]int64{}, map[memberOrder]int64{}
	for _, e := range s.Entries {
		switch k := (memberOrder{e.Member, e.Order()}); {
		case e.Kind == loyalty.Grant:
			granted[k] += e.Amount
		case e.Kind == loyalty.TakeBack:
			back[k] += e.Amount
		}
	}
	for _, o := range s.Orders {
		k := memberOrder{o.Member, o.OrderKey}
		if o.Kind == loyalty.Purchase && (back[k] > granted[k] || o.TakenBack > back[k] || o.Refunded > o.Amount || o.GrowthBack > o.Growth) {
			wrong = append(wrong, fmt.Sprintf("order %+v: %d points granted, %d taken back", o, granted[k], back[k]))
		}
	}
	return wrong
}

func wrongCoupons(before, after State) (wrong []string) {
	used := map[int64]loyalty.Coupon{}
	for _, c := range before.Coupons {
		used[c.ID] = c
	}
	given := map[int64]int64{}
	claims := map[loyalty.Claims]int64{}
	for _, c := range after.Coupons {
		given[c.Template]++
		claims[loyalty.Claims{Member: c.Member, Template: c.Template}]++
		old, there := used[c.ID]
		if there && old.State == loyalty.CouponUsed && c.State == loyalty.CouponUsed && old != c {
			wrong = append(wrong, fmt.Sprintf("coupon used twice: %+v, then %+v", old, c))
		}
		if there && old.State == loyalty.CouponDeleted && old != c {
			wrong = append(wrong, fmt.Sprintf("a deleted coupon came back: %+v", c))
		}
	}
	if len(after.Coupons) < len(before.Coupons) {
		wrong = append(wrong, "coupons are gone")
	}
	for _, t := range after.Templates {
		if t.Quantity > 0 && given[t.ID] > t.Quantity {
			wrong = append(wrong, fmt.Sprintf("template %d: %d of %d given", t.ID, given[t.ID], t.Quantity))
		}
		for k, n := range claims {
			if k.Template == t.ID && t.ClaimLimit > 0 && n > t.ClaimLimit {
				wrong = append(wrong, fmt.Sprintf("member %d has %d coupons of template %d", k.Member, n, t.ID))
			}
		}
	}
	return wrong
}
