package loyalty

import "fmt"

// RecordOrder is gateway 4.1: a consumption order that grants points and growth
// value.
type RecordOrder struct {
	Who        Who
	Order      OrderKey
	Amount     int64 // fen
	ConsumedAt Instant
	// Points the caller grants; without Given the merchant's setting decides.
	Points int64
	Given  bool
	App    string
	Info   OrderInfo
}

// OrderBooked is what an order or a refund did.
type OrderBooked struct {
	Member  int64 `json:"member"`
	ID      int64 `json:"id"`    // order_id
	Entry   int64 `json:"entry"` // the first ledger entry, 0 for none
	Points  int64 `json:"points"`
	Balance int64 `json:"balance"`
	Parked  bool  `json:"parked,omitempty"`
}

// Key covers amount, points and date.
func (c RecordOrder) Key() Key {
	return Key{
		KeyID:       KeyID{Space: c.Order.Space, Operation: KeyOrder, Key: c.Order.No},
		Fingerprint: fmt.Sprintf("%d|%s|%d", c.Amount, c.score(), c.ConsumedAt),
	}
}

func (c RecordOrder) score() string { return scoreText(c.Points, c.Given) }

// scoreText tells points that were given from none given.
func scoreText(points int64, given bool) string {
	if !given {
		return "-"
	}
	return fmt.Sprint(points)
}

// Refs is the member, whoever has the number, and what came before the order:
// points granted for it, coupons redeemed for it and refunds that wait for it.
func (c RecordOrder) Refs() Refs {
	return Refs{
		Who: c.Who, Identities: []Identity{c.Order.identity(c.Who.Merchant)},
		Order: c.Order, RefundsOf: c.Order, CouponsOf: c.Order, New: NewIDs{OrderIDs, 1},
		Purchase: &PurchaseRef{At: c.ConsumedAt}, Reverses: true,
	}
}

// Decide refuses: NothingNamed, AmountNegative, AmountTooLarge, PointsNotPositive,
// TimeAhead, MemberNotFound, MembersDisagree, KeyReused (the number is an order's
// or a refund's already), MemberDisabled, MemberErased, NoPointsRule,
// CreditTooLarge.
func (c RecordOrder) Decide(v *View, at Stamp) (Effects, OrderBooked, error) {
	if c.Order.No == "" {
		return Effects{}, OrderBooked{}, NothingNamed
	}
	if err := checkOrder(c.Amount, c.Points, c.ConsumedAt, at); err != nil {
		return Effects{}, OrderBooked{}, err
	}
	a, err := open(v, c.Who, at)
	if err != nil {
		return Effects{}, OrderBooked{}, err
	}
	if _, taken := v.order(c.Order); taken != 0 {
		return Effects{}, OrderBooked{}, KeyReused
	}
	if err := a.mayChange(); err != nil {
		return Effects{}, OrderBooked{}, err
	}
	o, err := c.book(a, at.NewID)
	if err != nil {
		return Effects{}, OrderBooked{}, err
	}
	granted := *o
	coupons, err := a.applyParked(c.Order)
	if err != nil {
		return Effects{}, OrderBooked{}, err
	}
	e := a.effects()
	e.OrderInfo = c.Info.of(granted.Seq)
	e.Coupons = coupons
	return e, OrderBooked{
		Member: a.ID, ID: granted.ID, Entry: granted.Entry, Points: granted.Points, Balance: a.Balance,
	}, nil
}

// checkOrder is what an order and a refund have in common.
func checkOrder(amount, points int64, consumed Instant, at Stamp) error {
	switch {
	case amount < 0:
		return AmountNegative
	case amount > MaxAmount:
		return AmountTooLarge
	case points < 0:
		return PointsNotPositive
	case consumed > at.Now+aheadLimit:
		return TimeAhead
	}
	return nil
}

// book grants the points and counts the order.
func (c RecordOrder) book(a *account, id int64) (*Order, error) {
	o := Order{
		ID: id, OrderKey: c.Order, Kind: Purchase, State: Booked, ConsumedAt: c.ConsumedAt,
		Amount: c.Amount, App: c.App, Growth: a.snap.Growth.Rate.of(c.Amount), Points: c.Points,
		Decision: Decision{EarnedBy: ByCaller, Version: a.snap.Version},
	}
	inForce := a.snap.ruleInForce(a.now)
	if !c.Given && a.snap.Orders.Score == ScoreRule {
		o.Decision, o.Points = a.earn(purchase{
			at: c.ConsumedAt, fen: c.Amount, stores: []string{c.Info.Store, c.Info.Shop}, material: c.Info.Material, order: true,
		})
		inForce = a.snap.Points.Rate.Num > 0 && a.snap.ruleInForce(c.ConsumedAt)
	}
	o.Decision.Growth, o.Decision.Open = a.snap.Growth.Rate, !c.Given
	if !inForce && (o.Points > 0 || o.Decision.EarnedBy == ByRule) {
		return nil, NoPointsRule
	}
	if o.Points > 0 {
		e, err := a.change(Credit, o.Points, Entry{
			Operation: OpPurchaseGrant, App: c.App, Space: c.Order.Space, Decision: o.Decision.ofEntry(),
			Note: Note{
				Reason: c.Info.reason(OpPurchaseGrant), OrderNo: c.Order.No,
				Detail: Detail{OrderFen: c.Amount, OrgCode: c.Info.Store},
			},
		})
		if err != nil {
			return nil, err
		}
		o.Entry = e.No
	}
	booked := a.addOrder(o)
	a.consume(booked)
	return booked, nil
}

// reason is what the member reads in the ledger.
func (i *OrderInfo) reason(op Operation) string {
	if i.Description != "" {
		return i.Description
	}
	return op.Name()
}

// of is the information with the row it belongs to; nil when there is none.
func (i OrderInfo) of(seq int64) *OrderInfoRow {
	if i == (OrderInfo{}) {
		return nil
	}
	return &OrderInfoRow{Seq: seq, OrderInfo: i}
}

// applyParked books the refunds that came before the order, in the order in
// which they came. One that does not fit is declined and leaves the rest alone.
func (a *account) applyParked(key OrderKey) (coupons []Coupon, err error) {
	a.reason = OpPurchaseClawback.Name()
	for _, r := range a.view.parkedRefunds(a.ID) {
		parent := a.orderNow(key)
		before := a.clone()
		back, err := a.refund(parent, &r, r.Decision.EarnedBy == ByCaller)
		switch code, refused := CodeOf(err); {
		case err == nil:
			r.State = Booked
			coupons = append(coupons, back...)
		case refused && code != KeyReused:
			*a = *before
			r.State, r.Points, r.Entry = Declined, 0, 0
		default:
			return nil, err
		}
		a.changeOrder(r)
	}
	return coupons, nil
}
