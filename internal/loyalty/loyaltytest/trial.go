package loyaltytest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// trial makes the steps of Properties: few members with few orders, points of a
// short life, and templates that are soon exhausted.
type trial struct {
	rng       *rand.Rand
	merchants []*loyalty.Snapshot
	rules     map[string]*loyalty.Snapshot
	now       time.Time
	nextID    int64
	steps     []string // told
	last      State
	reached   map[string]int

	members   map[string][]int64 // by merchant
	templates map[string]int     // made so far, by merchant
	returned  map[int64]bool     // coupons that came back, by id
	numbers   int                // of orders, refunds and coupons made so far
	merchant  string             // of the present step
}

func newTrial(seed uint64) *trial {
	r := &trial{
		rng: rand.New(rand.NewPCG(seed, 4)), rules: map[string]*loyalty.Snapshot{}, now: start, nextID: 1,
		reached: map[string]int{}, members: map[string][]int64{}, templates: map[string]int{}, returned: map[int64]bool{},
	}
	for i, policy := range []loyalty.Clawback{loyalty.ClawbackRefuse, loyalty.ClawbackNegative, loyalty.ClawbackFloor} {
		s := loyalty.DefaultSettings()
		s.Clawback, s.Points.WaitingDays = policy, i%2
		s.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 4}
		s.Points.Rate, s.Growth.Rate = loyalty.Fraction{Num: 3, Den: 7}, loyalty.Fraction{Num: 5, Den: 3}
		s.Orders = loyalty.OrderRules{Score: loyalty.ScoreRule, EarlyRefund: loyalty.EarlyPark, ReturnCoupons: true, ParkDays: 90}
		snap, err := loyalty.NewSnapshot(string(policy), 1, 0, s)
		if err != nil {
			panic(err)
		}
		r.merchants = append(r.merchants, snap)
		r.rules[snap.Merchant] = snap
	}
	return r
}

func (r *trial) chance(percent int) bool { return r.rng.IntN(100) < percent }

// step is the next command. The clock creeps and now and then passes a day or
// two.
func (r *trial) step() writer.Stamped {
	r.now = r.now.Add(time.Duration(r.rng.IntN(90)) * time.Second)
	if r.chance(6) {
		r.now = r.now.AddDate(0, 0, 1+r.rng.IntN(2))
	}
	r.merchant = r.merchants[r.rng.IntN(len(r.merchants))].Merchant
	command, told := r.command()
	stamp := loyalty.Stamp{Now: loyalty.InstantOf(r.now), NewID: r.nextID, OpenID: fmt.Sprintf("%032x", r.nextID)}
	r.nextID += max(command.Refs.New.Count, 1)
	r.steps = append(r.steps, fmt.Sprintf("%s %T%+v", r.now.Format(time.DateTime), told, told))
	return writer.Stamped{Command: command, Stamp: stamp}
}

// tail is the last steps, for the reader of a failure.
func (r *trial) tail() string {
	return strings.Join(r.steps[max(len(r.steps)-12, 0):], "\n") + "\n"
}

// anyOf forgets the type of a command and keeps it to be told.
func anyOf[R any](c loyalty.Command[R]) (loyalty.AnyCommand, any) { return loyalty.Any(c), c }

func (r *trial) command() (loyalty.AnyCommand, any) {
	if len(r.members[r.merchant]) < 2 {
		return anyOf(loyalty.RegisterMember{Merchant: r.merchant, Profile: loyalty.Profile{Phone: fmt.Sprintf("1380000%04d", r.nextID)}})
	}
	who := r.who()
	switch n := r.rng.IntN(100); {
	case n < 18:
		return anyOf(r.order(who))
	case n < 44:
		return anyOf(r.refund(who))
	case n < 60:
		return anyOf(loyalty.ChangePoints{Who: who, Event: "event_subtract", Points: 1 + r.spendable(who.ID)})
	case n < 64:
		return anyOf(loyalty.ChangePoints{Who: who, Event: "event_add", Points: 1 + r.rng.Int64N(40), Note: loyalty.Note{OrderNo: r.orderNo()}})
	case n < 67:
		return anyOf(loyalty.ReturnPoints{Who: who, Operation: loyalty.OpPurchaseGrant, OrderNo: r.orderNo(), Points: r.rng.Int64N(20)})
	case n < 69:
		return anyOf(loyalty.BookDue{Who: who})
	case n < 72 || r.templates[r.merchant] == 0:
		return anyOf(r.template())
	case n < 82:
		return anyOf(r.give())
	case n < 91:
		return anyOf(loyalty.RedeemCoupons{Who: who, Codes: []string{r.coupon(who.ID)}, OrderNo: r.orderNo(), At: loyalty.InstantOf(r.now)})
	}
	return anyOf(loyalty.SyncCoupon{Who: who, Code: r.coupon(who.ID), State: []loyalty.CouponState{0, 1, 1, 1, 2, 3, 4}[r.rng.IntN(7)]})
}

// learn keeps what later steps refer to, and counts what was reached.
func (r *trial) learn(out writer.Outcome, after State) []string {
	before := r.last
	r.last = after
	if code, refused := loyalty.CodeOf(out.Err); refused {
		r.reached[code.String()]++
	} else if out.Err != nil {
		return []string{fmt.Sprintf("%v, which is no refusal", out.Err)}
	}
	switch c := out.Result.(type) {
	case loyalty.MemberRegistered:
		r.members[r.merchant] = append(r.members[r.merchant], c.Member)
	case loyalty.CouponsGiven:
		r.reached["coupon given"]++
	case loyalty.CouponsRedeemed:
		r.reached["coupon used"]++
	}
	r.countRows(before, after)
	return nil
}

// countRows counts what the step did to rows.
func (r *trial) countRows(before, after State) {
	states := map[int64]loyalty.OrderState{}
	for _, o := range before.Orders {
		states[o.ID] = o.State
	}
	for _, o := range after.Orders {
		switch old := states[o.ID]; {
		case old == o.State:
		case o.State == loyalty.Parked:
			r.reached["parked"]++
		case o.State == loyalty.Declined:
			r.reached["declined"]++
		case old == loyalty.Parked:
			r.reached["landed"]++
		case o.Kind == loyalty.Refund:
			r.reached["refund"]++
		default:
			r.reached["order"]++
		}
	}
	coupons := map[int64]loyalty.Coupon{}
	for _, c := range before.Coupons {
		coupons[c.ID] = c
	}
	for _, c := range after.Coupons {
		switch old := coupons[c.ID]; {
		case old.State == loyalty.CouponUsed && c.State == loyalty.CouponValid:
			r.reached["coupon back"]++
			r.returned[c.ID] = true
		case old.State == loyalty.CouponValid && c.State == loyalty.CouponUsed && r.returned[c.ID]:
			r.reached["coupon used again"]++
		}
	}
	last := map[int64]int64{}
	for _, m := range before.Members {
		last[m.ID] = m.Entries
	}
	for _, e := range after.Entries {
		if e.No <= last[e.Member] {
			continue
		}
		switch {
		case e.Kind == loyalty.Expiry:
			r.reached["expiry"]++
		case e.Kind == loyalty.Release:
			r.reached["release"]++
		case e.Kind == loyalty.WriteOff:
			r.reached["write-off"]++
		case e.Kind == loyalty.TakeBack && e.Lapsed > 0:
			r.reached["lapsed part back"]++
		case e.Kind == loyalty.TakeBack && e.Deficit > 0:
			r.reached["deficit"]++
		}
	}
}

func (r *trial) who() loyalty.Who {
	ids := r.members[r.merchant]
	return loyalty.Who{Merchant: r.merchant, ID: ids[r.rng.IntN(len(ids))]}
}

// spendable is up to what the member has, and now and then more.
func (r *trial) spendable(member int64) int64 {
	for _, m := range r.last.Members {
		if m.ID == member && m.Balance > 0 && r.chance(80) {
			return m.Balance - 1 - r.rng.Int64N(m.Balance)*r.rng.Int64N(2)
		}
	}
	return r.rng.Int64N(100)
}

// orderNo is the number of a recent order, or of one to come.
func (r *trial) orderNo() string { return fmt.Sprint("o", max(r.numbers+1-r.rng.IntN(14), 1)) }

func (r *trial) order(who loyalty.Who) loyalty.RecordOrder {
	r.numbers++
	c := loyalty.RecordOrder{
		Who: who, Order: loyalty.OrderKey{No: fmt.Sprint("o", r.numbers)}, Amount: r.rng.Int64N(30_000),
		ConsumedAt: loyalty.InstantOf(r.now.AddDate(0, 0, -r.rng.IntN(9))),
	}
	if r.chance(30) {
		c.Points, c.Given = r.rng.Int64N(200), true
	}
	// A refund may have come before it.
	for _, o := range slices.Backward(r.last.Orders) {
		if o.State == loyalty.Parked && r.owns(o.Member) && r.chance(40) {
			c.Who.ID, c.Order.No = o.Member, o.Parent
			break
		}
	}
	return c
}

func (r *trial) owns(member int64) bool { return slices.Contains(r.members[r.merchant], member) }

// refund is one of a known order mostly: a part of what is left, all of it, or
// too much.
func (r *trial) refund(who loyalty.Who) loyalty.RefundOrder {
	r.numbers++
	c := loyalty.RefundOrder{
		Who: who, Order: loyalty.OrderKey{No: fmt.Sprint("o", r.numbers)}, Parent: r.orderNo(),
		Amount: r.rng.Int64N(9_000), ConsumedAt: loyalty.InstantOf(r.now),
	}
	if r.chance(15) { // a number that no order has yet
		c.Parent = fmt.Sprint("early", r.numbers-r.rng.IntN(2))
		c.Amount = r.rng.Int64N(20_000)
	} else if o := r.openOrder(who.ID); o != nil {
		c.Parent = o.No
		left := o.Amount - o.Refunded
		c.Amount = []int64{left, left / 2, left / 3, left + 1}[r.rng.IntN(4)]
		c.Amount -= c.Amount / (1 + r.rng.Int64N(20)) * r.rng.Int64N(2)
	}
	if r.chance(40) {
		c.Points, c.Given = r.rng.Int64N(90), true
	}
	return c
}

// openOrder is one of the member's last orders with money left.
func (r *trial) openOrder(member int64) *loyalty.Order {
	for i := range r.last.Orders {
		o := &r.last.Orders[len(r.last.Orders)-1-i]
		if o.Kind == loyalty.Purchase && o.Member == member && o.Refunded < o.Amount && r.chance(40) {
			return o
		}
	}
	return nil
}

func (r *trial) template() loyalty.AddTemplate {
	r.templates[r.merchant]++
	return loyalty.AddTemplate{
		Merchant: r.merchant, Template: loyalty.TemplateKey{Number: fmt.Sprint("t", r.templates[r.merchant])},
		Terms: Terms(func(x *loyalty.TemplateTerms) {
			x.Term, x.Quantity, x.ClaimLimit = 5+r.rng.IntN(30), r.rng.Int64N(9), r.rng.Int64N(5)
		}),
	}
}

// give gives each of one or two members one or two coupons, now and then some
// that were given before.
func (r *trial) give() loyalty.GiveCoupons {
	newest := r.templates[r.merchant]
	c := loyalty.GiveCoupons{
		Merchant: r.merchant, Template: loyalty.TemplateKey{Number: fmt.Sprint("t", max(newest-r.rng.IntN(3), 1))},
		Each: 1 + r.rng.Int64N(2), ReceivedAt: loyalty.InstantOf(r.now.Add(time.Duration(r.rng.IntN(120)) * time.Second)),
	}
	for _, id := range r.members[r.merchant][r.rng.IntN(2):] {
		for range c.Each {
			r.numbers++
			gift := loyalty.CouponGift{Who: loyalty.Who{ID: id}, Number: fmt.Sprint("c", r.numbers)}
			if old := r.coupon(r.who().ID); old != none && r.chance(8) {
				gift.Number = old
			}
			c.Entries = append(c.Entries, gift)
		}
	}
	return c
}

// none is a coupon number that is nobody's.
const none = "none"

// coupon is the number or the code of one of the member's last coupons: mostly
// of those whose time has not passed, and as often as not one that was used.
func (r *trial) coupon(member int64) string {
	var mine []loyalty.Coupon
	used, any := r.chance(50), r.chance(10)
	for _, c := range r.last.Coupons {
		if c.Member == member && (any || c.EndAt > loyalty.InstantOf(r.now)) && (!used || c.State == loyalty.CouponUsed || r.returned[c.ID]) {
			mine = append(mine, c)
		}
	}
	if len(mine) == 0 {
		return none
	}
	c := mine[max(len(mine)-1-r.rng.IntN(8), 0)]
	if r.chance(30) {
		return fmt.Sprint(c.Code())
	}
	return c.Number
}
