package loyalty

import "fmt"

// Order takes the next order or refund in.
func (v *Verifier) Order(o Order) {
	v.want.Orders++
	name := func(field string) string { return fmt.Sprintf("order %d %s", o.Seq, field) }
	v.equal(name("number"), o.Seq, v.want.Orders)
	if o.Kind == Purchase {
		v.purchase(&o, name)
		return
	}
	v.equal(name("entry"), o.Entry, v.firstBack[o.OrderKey])
	switch o.State {
	case Booked:
		sum := v.sumOf(OrderKey{o.Space, o.Parent})
		sum.Refunded += o.Amount
		sum.TakenBack += o.Points
		sum.GrowthBack += o.Growth
		v.equal(name("points"), o.Points, v.refunded[o.OrderKey])
	case Parked:
		v.parked = append(v.parked, o)
	case Declined:
		v.equal(name("points"), o.Points, 0)
	default:
		v.differ(name("state"), o.State, "1 to 3")
	}
}

func (v *Verifier) sumOf(k OrderKey) *Order {
	if v.sums[k] == nil {
		v.sums[k] = &Order{}
	}
	return v.sums[k]
}

func (v *Verifier) purchase(o *Order, name func(string) string) {
	v.orders[o.OrderKey] = o
	v.earnedOrder(o, name)
	v.equal(name("state"), int64(o.State), int64(Booked))
	if o.Points == 0 {
		v.equal(name("entry"), o.Entry, 0)
		return
	}
	grant, ok := v.grants[o.Entry]
	if !ok || grant.Order() != o.OrderKey {
		v.differ(name("entry"), o.Entry, "a grant of the order")
		return
	}
	v.equal(name("points"), o.Points, grant.Amount)
}

// compareOrders sets the orders against their refunds, and the member's totals
// against both.
func (v *Verifier) compareOrders(m Member) {
	w := &v.want
	for k, o := range v.orders {
		name := func(field string) string { return fmt.Sprintf("order %d %s", o.Seq, field) }
		sum := v.sumOf(k)
		v.equal(name("refunded"), o.Refunded, sum.Refunded)
		v.equal(name("taken back"), o.TakenBack, sum.TakenBack)
		v.equal(name("growth back"), o.GrowthBack, sum.GrowthBack)
		if sum.Refunded > o.Amount || sum.GrowthBack > o.Growth {
			v.differ(name("refunds"), fmt.Sprint(sum.Refunded, sum.GrowthBack), fmt.Sprint("at most ", o.Amount, o.Growth))
		}
		if o.BookedAt >= m.PeriodStart {
			w.Growth += o.Growth - sum.GrowthBack
		}
		w.ConsumeFen += o.Amount - sum.Refunded
		if o.Amount == 0 || sum.Refunded < o.Amount {
			w.ConsumeCount++
		}
		delete(v.sums, k)
	}
	for _, r := range v.parked { // whichever of the two came first
		if _, there := v.orders[OrderKey{r.Space, r.Parent}]; there {
			v.differ(fmt.Sprintf("order %d state", r.Seq), "parked", "its order is there")
		}
	}
	for range v.sums {
		v.differ("refunds", "booked", "their order is there")
	}
	v.equal("orders", m.Orders, w.Orders)
	v.equal("growth", m.Growth, w.Growth)
	v.equal("consume count", m.ConsumeCount, w.ConsumeCount)
	v.equal("consume money", m.ConsumeFen, w.ConsumeFen)
}

// Coupon takes the next coupon in, with its template, nil where there is none.
func (v *Verifier) Coupon(c Coupon, t *Template) {
	v.want.Coupons++
	name := func(field string) string { return fmt.Sprintf("coupon %d %s", c.Seq, field) }
	v.equal(name("number"), c.Seq, v.want.Coupons)
	if c.State < CouponDeleted || c.State > CouponWaiting {
		v.differ(name("state"), c.State, "0 to 4")
	}
	if c.UsedFor != "" && c.State != CouponUsed && c.State != CouponDeleted {
		v.differ(name("order"), "set", "not used")
	}
	if used := c.UsedAt != 0; used != (c.State == CouponUsed) && c.State != CouponDeleted {
		v.differ(name("use"), c.UsedAt, "a time if it is used, else none")
	}
	if t == nil {
		v.differ(name("template"), c.Template, "no such template")
		return
	}
	if t.Period {
		v.equal(name("begin"), int64(c.BeginAt), int64(t.BeginAt))
		v.equal(name("end"), int64(c.EndAt), int64(t.EndAt))
	} else {
		v.equal(name("begin"), int64(c.BeginAt), int64(c.ReceivedAt))
	}
	if t.ClaimLimit > 0 {
		v.claims[t.ID]++
		if v.claims[t.ID] > t.ClaimLimit {
			v.differ(fmt.Sprintf("template %d claims", t.ID), v.claims[t.ID], fmt.Sprintf("at most %d", t.ClaimLimit))
		}
	}
}

func (v *Verifier) compareClaims(claims []Claims) {
	for _, c := range claims {
		v.equal(fmt.Sprintf("template %d claims", c.Template), c.Count, v.claims[c.Template])
		delete(v.claims, c.Template)
	}
	for id, n := range v.claims {
		v.equal(fmt.Sprintf("template %d claims", id), 0, n)
	}
}
