package main

import (
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// exportPage is how many orders or coupons are read at once.
const exportPage = 1_000

type exportedTotals struct {
	Count  int64  `json:"orders"`
	Amount string `json:"amount"` // yuan
}

type exportedCard struct {
	ID    string `json:"paid_id"`
	Name  string `json:"name"`
	Until string `json:"until"` // exclusive
}

type exportedOrder struct {
	OrderNo    string `json:"order_no"`
	OrderID    int64  `json:"order_id"`
	Space      string `json:"space,omitempty"`
	Kind       string `json:"kind"`
	State      string `json:"state"`
	Parent     string `json:"parent_order_no,omitempty"`
	BookedAt   string `json:"booked_at"`
	ConsumedAt string `json:"consumed_at"`
	Amount     string `json:"amount"` // yuan
	Points     int64  `json:"points"`
	Growth     int64  `json:"growth_value"`
	Statement  string `json:"statement_id,omitempty"`
	Refunded   string `json:"refunded,omitempty"` // yuan
	TakenBack  int64  `json:"points_taken_back,omitempty"`
	GrowthBack int64  `json:"growth_taken_back,omitempty"`
	App        string `json:"app_id,omitempty"`
	loyalty.OrderInfo
	loyalty.OrderPapers
}

type exportedCoupon struct {
	Number       string `json:"coupon_number"`
	Code         int64  `json:"coupon_code"`
	Space        string `json:"space,omitempty"`
	Template     string `json:"third_coupon_id"`
	Name         string `json:"name"`
	Rules        string `json:"rules,omitempty"`
	State        string `json:"state"`
	ReceivedAt   string `json:"received_at"`
	ReceiveStore string `json:"receive_store,omitempty"`
	BeginAt      string `json:"begin_at"`
	EndAt        string `json:"end_at"` // exclusive
	UsedAt       string `json:"used_at,omitempty"`
	UsedFor      string `json:"used_for_order_no,omitempty"`
	UsedStore    string `json:"used_at_store,omitempty"`
	App          string `json:"app_id,omitempty"`
}

var couponStates = map[loyalty.CouponState]string{
	loyalty.CouponDeleted: "deleted", loyalty.CouponValid: "valid", loyalty.CouponUsed: "used",
	loyalty.CouponInUse: "in use", loyalty.CouponWaiting: "not begun",
}

// exportHoldings adds what the member bought and was given.
func exportHoldings(p *program, pl *platform, f loyalty.Found, out *exported, at func(loyalty.Instant) string) error {
	marks, err := pl.store.Marks(p.ctx, f.ID)
	if err != nil {
		return err
	}
	out.Labels = append([]string{}, marks.Labels...)
	out.Cards = []exportedCard{}
	for _, card := range marks.Cards {
		out.Cards = append(out.Cards, exportedCard{card.ID, card.Name, at(card.ExpiresAt)})
	}
	who := loyalty.Who{Merchant: f.Merchant, ID: f.ID}
	now := loyalty.InstantOf(time.Now())
	out.Orders, out.Coupons = []exportedOrder{}, []exportedCoupon{}
	for page := 1; ; page++ {
		_, orders, err := pl.store.Orders(p.ctx, who, now, page, exportPage)
		if err != nil {
			return err
		}
		for _, o := range orders.Orders {
			out.Orders = append(out.Orders, exportOrder(o, at))
		}
		if len(orders.Orders) < exportPage {
			break
		}
	}
	for page := 1; ; page++ {
		_, coupons, err := pl.store.Coupons(p.ctx, who, now, loyalty.AllCoupons, page, exportPage)
		if err != nil {
			return err
		}
		for _, c := range coupons.Coupons {
			out.Coupons = append(out.Coupons, exportCoupon(c, now+loyalty.Instant(f.Snapshot.ClockOffset), at))
		}
		if len(coupons.Coupons) < exportPage {
			return nil
		}
	}
}

func exportOrder(o loyalty.OrderFound, at func(loyalty.Instant) string) exportedOrder {
	out := exportedOrder{
		OrderNo: o.No, OrderID: o.ID, Space: o.Space, Kind: orderKinds[o.Kind], State: stateNames[o.State], Parent: o.Parent,
		BookedAt: at(o.BookedAt), ConsumedAt: at(o.ConsumedAt), Amount: yuan(o.Amount), Points: o.Points, Growth: o.Growth,
		Statement: statement(&o.Order), TakenBack: o.TakenBack, GrowthBack: o.GrowthBack, App: o.App,
		OrderInfo: o.Info, OrderPapers: o.Info.Papers,
	}
	if o.Refunded > 0 {
		out.Refunded = yuan(o.Refunded)
	}
	return out
}

// exportCoupon shows a coupon as it is at an instant of the merchant's clock.
func exportCoupon(c loyalty.HeldCoupon, now loyalty.Instant, at func(loyalty.Instant) string) exportedCoupon {
	out := exportedCoupon{
		Number: c.Number, Code: c.Code(), Space: c.Space, Template: c.Template.Number, Name: c.Template.Name,
		Rules: c.Template.Rules, State: couponStates[c.StateAt(now)], ReceivedAt: at(c.ReceivedAt), ReceiveStore: c.ReceiveStore,
		BeginAt: at(c.BeginAt), EndAt: at(c.EndAt), UsedFor: c.UsedFor, UsedStore: c.UsedStore, App: c.App,
	}
	if c.Expired(now) {
		out.State = "expired"
	}
	if c.UsedAt != 0 {
		out.UsedAt = at(c.UsedAt)
	}
	return out
}
