package loyalty

import (
	"fmt"
	"slices"
)

// RefundOrder is gateway 4.2: a refund of an order, whole or in part. It takes
// points and growth value back.
type RefundOrder struct {
	Who        Who
	Order      OrderKey // the refund's own
	Parent     string   // number of the order, in the same space
	Amount     int64    // fen
	ConsumedAt Instant
	// Points to take back; without Given nothing for an order whose caller
	// named its points, and what the rule says for the others.
	Points int64
	Given  bool
	App    string
	Info   OrderInfo
}

// Key covers parent, amount and points.
func (c RefundOrder) Key() Key {
	return Key{
		KeyID:       KeyID{Space: c.Order.Space, Operation: KeyRefund, Key: c.Order.No},
		Fingerprint: fmt.Sprintf("%q|%d|%s", c.Parent, c.Amount, scoreText(c.Points, c.Given)),
	}
}

func (c RefundOrder) parent() OrderKey { return OrderKey{c.Order.Space, c.Parent} }

// maxParked bounds the refunds that wait for one order: all of them are booked by
// the call that brings it.
const maxParked = 100

// Refs is the member, whoever has one of the two numbers, and everything that
// hangs on the order: points granted for it, coupons redeemed for it and refunds
// that wait for it.
func (c RefundOrder) Refs() Refs {
	return Refs{
		Who: c.Who, Order: c.parent(), RefundsOf: c.parent(), CouponsOf: c.parent(), New: NewIDs{OrderIDs, 1}, Reverses: true,
		Identities: []Identity{c.parent().identity(c.Who.Merchant), c.Order.identity(c.Who.Merchant)},
	}
}

// Decide refuses: NothingNamed, AmountNegative, AmountTooLarge, PointsNotPositive,
// TimeAhead, MemberNotFound, MembersDisagree, OrderNotFound, KeyReused,
// RefundTooLarge, PointsInsufficient.
func (c RefundOrder) Decide(v *View, at Stamp) (Effects, OrderBooked, error) {
	if c.Order.No == "" {
		return Effects{}, OrderBooked{}, NothingNamed
	}
	done, err := c.run(v, at)
	if err != nil {
		return Effects{}, OrderBooked{}, err
	}
	a, r := done.account, done.row
	if a.Status == Erased { // nothing personal comes back to a member that was erased
		c.Info.Papers = OrderPapers{}
	}
	e := a.effects()
	e.OrderInfo = c.Info.of(r.Seq)
	e.Coupons = done.coupons
	return e, OrderBooked{
		Member: a.ID, ID: r.ID, Entry: r.Entry, Points: r.Points, Balance: a.Balance, Parked: r.State == Parked,
	}, nil
}

// refunded is what a refund has done to a member's account.
type refunded struct {
	account *account
	before  Member // with everything booked that was due
	due     int    // entries that this took
	row     *Order
	coupons []Coupon // given back
}

// run is the refund on the member's account.
func (c RefundOrder) run(v *View, at Stamp) (*refunded, error) {
	if c.Parent == "" || c.Parent == c.Order.No {
		return nil, NothingNamed
	}
	if err := checkOrder(c.Amount, c.Points, c.ConsumedAt, at); err != nil {
		return nil, err
	}
	a, err := open(v, c.Who, at)
	if err != nil {
		return nil, err
	}
	done := &refunded{account: a, before: a.Member, due: len(a.entries)}
	parent, owner := v.order(c.parent())
	// The order of a member that was erased can never come.
	park := owner == 0 && a.snap.Orders.EarlyRefund == EarlyPark && c.Order.No != "" && a.Status != Erased
	if !park && (owner != a.ID || parent.Kind != Purchase) {
		return nil, OrderNotFound
	}
	if c.Order.No != "" {
		if _, taken := v.order(c.Order); taken != 0 {
			return nil, KeyReused
		}
	}
	r := Order{
		ID: at.NewID, OrderKey: c.Order, Kind: Refund, State: Booked, Parent: c.Parent,
		ConsumedAt: c.ConsumedAt, Amount: c.Amount, Points: c.Points, App: c.App,
		Decision: Decision{EarnedBy: ByRule, Version: a.snap.Version},
	}
	if c.Given {
		r.Decision.EarnedBy, r.Decision.Asked = ByCaller, c.Points
	}
	if park || len(parent.Decision.Lines) > 0 {
		r.Decision.Lines = returnedGoods(c.Info.Material)
	}
	if park {
		if len(v.parkedRefunds(a.ID)) >= maxParked {
			return nil, OrderNotFound
		}
		r.State = Parked
	} else {
		a.reason = c.Info.reason(OpPurchaseClawback)
		if done.coupons, err = a.refund(*parent, &r, c.Given); err != nil {
			return nil, err
		}
	}
	done.row = a.addOrder(r)
	return done, nil
}

// refund takes back what r says of the order, and fills in what that came to.
// given: r.Points is what the caller asks for.
func (a *account) refund(o Order, r *Order, given bool) ([]Coupon, error) {
	if r.Amount > o.left() {
		return nil, Refusal{Code: RefundTooLarge, Field: "order_amount"}
	}
	o.Decision.bringBack(r.Decision.Lines, r.Amount)
	grants := a.grantsOf(&o)
	var reach int64
	for _, g := range grants {
		reach += g.Left()
	}
	if !given {
		r.Points = min(a.earnedBeyond(&o, grants, o.left()-r.Amount), reach)
	}
	if r.Points > reach {
		return nil, Refusal{Code: RefundTooLarge, Field: "order_score"}
	}
	if err := a.takeBackOf(grants, r); err != nil {
		return nil, err
	}
	o.Refunded += r.Amount
	o.TakenBack += r.Points
	r.Growth = 0
	if o.BookedAt >= a.PeriodStart { // what counted in a period that is over has done its work
		r.Growth = max(o.Growth-o.Decision.Growth.of(o.left())-o.GrowthBack, 0)
	}
	o.GrowthBack += r.Growth
	a.grow(-r.Growth)
	a.ConsumeFen -= r.Amount
	whole := o.left() == 0 && r.Amount > 0
	if whole {
		a.ConsumeCount--
	}
	a.changeOrder(o)
	if whole && a.snap.Orders.ReturnCoupons {
		return a.couponsBack(), nil
	}
	return nil, nil
}

// grantsOf are the entries that granted points for the order, through whichever
// method: the order's own first, then from the newest to the oldest.
func (a *account) grantsOf(o *Order) []Entry {
	var grants []Entry
	for _, no := range slices.Backward(a.entriesOf(o.OrderKey)) {
		e := a.entryNow(no)
		if e.Kind != Grant {
			continue
		}
		if no == o.Entry {
			grants = slices.Insert(grants, 0, e)
		} else {
			grants = append(grants, e)
		}
	}
	return grants
}

// earnedBeyond is what the order has earned beyond what left fen of it earn,
// less what was taken back already: rounded once for the whole order, so that
// ten refunds of a tenth take back what one whole refund does. Points that came
// besides the order's own go in proportion to the money. An order whose caller
// named its points gives back only what its caller names.
func (a *account) earnedBeyond(o *Order, grants []Entry, left int64) int64 {
	if o.Decision.EarnedBy != ByRule {
		return 0
	}
	var besides, back int64
	for _, g := range grants {
		if g.No != o.Entry {
			besides += g.Amount
		}
		back += g.Reversed
	}
	keep := int64(0)
	if left > 0 {
		keep = o.Decision.Kept(left, o.Amount, o.Points) + mulDiv(besides, left, o.Amount)
	}
	return max(o.Points+besides-keep-back, 0)
}

// takeBackOf takes r.Points back from the grants, one after the other.
func (a *account) takeBackOf(grants []Entry, r *Order) error {
	left := r.Points
	for _, g := range grants {
		n := min(g.Left(), left)
		if n == 0 {
			continue
		}
		left -= n
		e, err := a.reverse(a.entryNow(g.No), n, Entry{
			App: r.App, Space: g.Space,
			Note: Note{
				Reason: a.reason, OrderNo: g.OrderNo, Activity: g.Activity,
				Detail: Detail{OrderFen: r.Amount, Refund: r.No},
			},
		})
		if err != nil {
			return err
		}
		if r.Entry == 0 {
			r.Entry = e.No
		}
	}
	return nil
}

// couponsBack makes the coupons that were redeemed for the order usable again,
// as far as their time has not passed.
func (a *account) couponsBack() []Coupon {
	var back []Coupon
	for _, c := range a.view.couponsOf(a.ID) {
		if c.State == CouponUsed && c.EndAt > a.now {
			c.unuse()
			back = append(back, c)
		}
	}
	return back
}

// PreviewRefund answers what a refund would do, by doing it and keeping nothing.
// The refund may go without a number.
type PreviewRefund struct{ RefundOrder }

// RefundPreview is what a refund would do.
type RefundPreview struct {
	Member       int64
	Points       int64 // taken back
	Lapsed       int64 // of them: had expired unused
	Pending      int64 // of them: were in the waiting period
	Deficit      int64 // of them: beyond the balance, later credits fill it
	WrittenOff   int64 // of them: beyond the balance, forgiven
	Parts        Parts // from which lots, negative
	Balance      int64 // before
	BalanceAfter int64
	Growth       int64 // before
	GrowthAfter  int64
	Level        int64 // before
	LevelAfter   int64
	Coupons      []Coupon // that would be usable again
}

// Key is none: nothing is booked.
func (c PreviewRefund) Key() Key { return Key{} }

// Refs is what the refund refers to.
func (c PreviewRefund) Refs() Refs {
	r := c.RefundOrder.Refs()
	r.New = NewIDs{}
	if c.Order.No == "" {
		r.Identities = r.Identities[:1]
	}
	return r
}

// Decide refuses what RefundOrder refuses, and OrderNotFound where the refund
// would be parked.
func (c PreviewRefund) Decide(v *View, at Stamp) (Effects, RefundPreview, error) {
	done, err := c.run(v, at)
	if err != nil {
		return Effects{}, RefundPreview{}, err
	}
	if done.row.State == Parked {
		return Effects{}, RefundPreview{}, OrderNotFound
	}
	a, before := done.account, &done.before
	p := RefundPreview{
		Member: a.ID, Coupons: done.coupons, Balance: before.Balance, BalanceAfter: a.Balance,
		Growth: before.Growth, GrowthAfter: a.Growth, Level: before.Level, LevelAfter: a.Level,
	}
	for _, e := range a.entries[done.due:] {
		p.count(e)
	}
	return Effects{}, p, nil
}

func (p *RefundPreview) count(e Entry) {
	switch e.Kind {
	case TakeBack:
		p.Points += e.Amount
		p.Lapsed += e.Lapsed
		p.Pending -= e.Pending
		p.Deficit += e.Deficit
		p.Parts = append(p.Parts, e.Parts...)
	case WriteOff:
		p.WrittenOff += e.Amount
		p.Deficit -= e.Amount
	}
}
