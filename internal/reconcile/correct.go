package reconcile

import "github.com/memberd/memberd/internal/loyalty"

// correctOrder takes money and points of an order back, or gives points.
func (o *Options) correctOrder(d *Difference, f Facts, order *loyalty.Order, no string, amount, points int64) {
	n := len(f.Fixes)
	next := func() string { n++; return o.FixKey(d.Ours, n) }
	switch {
	case amount < 0 && d.Ours.Kind == Refund:
		d.nothing("amount: more was refunded here, and a refund is not taken back; decide yourself")
		return
	case amount < 0:
		d.nothing("amount: it is less here, and an order cannot grow; have the partner send the rest as an order of its own, or decide yourself")
		return
	case amount > order.Amount-order.Refunded:
		d.nothing("amount: only %s are left of order %s; decide yourself", Yuan(order.Amount-order.Refunded), no)
		return
	case points > 0 && len(f.Fixes) == 0 && points > order.Points-order.TakenBack:
		d.nothing("points: only %d are left of order %s; decide yourself", order.Points-order.TakenBack, no)
		return
	}
	if amount > 0 || points > 0 {
		d.propose(o.refundRest(order.Member, no, next(), amount, max(points, 0), d.Ours.Store))
	}
	if points < 0 {
		d.propose(o.change(order.Member, d.Ours.OpenID, KeyFix, next(), -points, reasonFix, no))
	}
}

// correctChange moves what a change has moved too much or too little.
func (o *Options) correctChange(d *Difference, f Facts, points, wanted int64) {
	b := d.Ours.Booked
	sign := int64(1)
	if d.Ours.Points < 0 {
		sign = -1
	}
	more := sign * (wanted - points)
	switch key := o.FixKey(d.Ours, len(f.Fixes)+1); {
	case !d.Ours.Kind.direct():
		d.nothing("points: what takes a change back is not corrected; decide yourself")
	case sign*wanted <= 0:
		d.nothing("points: given on one side and taken, or none, on the other; decide yourself")
	case more > 0:
		d.propose(o.change(b.Member, d.Ours.OpenID, KeyFix, key, sign*more, reasonFix, ""))
	case -more > b.Left:
		d.nothing("points: only %d are left of it; decide yourself", b.Left)
	default:
		d.propose(o.rollBack(b, key, -more))
	}
}
