package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// demoStore is the first of the demo's stores.
const demoStore = 18756

// demoPurses are how much members spend, in hundredths of what most do: few
// reach the upper levels.
var demoPurses = []int64{
	15, 15, 15, 15, 15, 40, 40, 40, 40, 100, 100, 100, 100, 100, 100, 100, 250, 250, 250, 600, 600, 1_500, 1_500, 4_000,
}

// demoShopper is one member while its history is written.
type demoShopper struct {
	*demoHistory
	who    loyalty.Who
	store  string
	purse  int64
	wallet []demoCoupon
}

// welcome is what a new member gets: a coupon, sometimes a label and a card.
func (s *demoShopper) welcome(at time.Time) {
	s.give(demoWelcome, at)
	by := loyalty.ByOperator{Operator: "demo", Reason: "demo"}
	mark := func(c loyalty.MarkMember) {
		c.Who, c.By = s.who, by
		s.add(at, loyalty.Any(c))
	}
	if s.rng.IntN(6) == 0 {
		mark(loyalty.MarkMember{Label: []string{"母婴", "企业客户", "老客户推荐"}[s.rng.IntN(3)]})
	}
	if s.purse >= 600 {
		mark(loyalty.MarkMember{Label: "高净值"})
	}
	if s.rng.IntN(15) == 0 || s.purse >= 4_000 {
		end := time.Date(s.now.In(s.zone).Year()+2, 1, 1, 0, 0, 0, 0, s.zone)
		mark(loyalty.MarkMember{Card: loyalty.PaidCard{ID: "88", Name: "年费金卡", ExpiresAt: loyalty.InstantOf(end)}})
	}
}

// visit is a purchase, often with a sign-in before, sometimes paid with points
// or a coupon, rarely brought back some days later, in part or whole.
func (s *demoShopper) visit(at time.Time) {
	s.orders++
	no := fmt.Sprintf("D%08d", s.orders)
	if s.rng.IntN(3) == 0 {
		s.signIn(no, at)
	}
	fen := s.purse * int64(20_00+s.rng.IntN(580_00)) / 100
	s.redeem(no, at.Add(30*time.Second))
	at = at.Add(time.Minute)
	given := s.rng.IntN(2) == 0
	s.order(no, fen, given, at)
	switch s.rng.IntN(20) {
	case 0, 1, 2, 3, 4, 5:
		s.points(loyalty.OpPayment, 10+fen/1_000*int64(1+s.rng.IntN(5)), no, at.Add(time.Minute))
	case 6, 7:
		s.points(loyalty.OpExchange, int64(50*(1+s.rng.IntN(4))), no, at.Add(time.Minute))
	case 8:
		s.refund(no, "R"+no, fen, given, at.AddDate(0, 0, 3))
	case 9:
		back := fen / int64(2+s.rng.IntN(3))
		s.refund(no, "R"+no, back, given, at.AddDate(0, 0, 2))
		s.refund(no, "R"+no+"-2", back/2, given, at.AddDate(0, 0, 5))
	case 10, 11, 12, 13:
		s.give(demoTemplates[s.rng.IntN(len(demoTemplates))], at.Add(2*time.Minute))
	}
}

// signIn is worth something once a day.
func (s *demoShopper) signIn(visit string, at time.Time) {
	s.add(at, loyalty.Any(loyalty.ChangePoints{
		Who: s.who, ID: "S" + visit, KeyOp: loyalty.KeyChange, App: s.app, Event: demoSignIn,
		Note: loyalty.Note{Reason: loyalty.OpSignIn.Name(), Detail: loyalty.Detail{OrgCode: s.store, OrgType: "3"}},
	}))
}

func (s *demoShopper) points(op loyalty.Operation, n int64, order string, at time.Time) {
	s.add(at, loyalty.Any(loyalty.ChangePoints{
		Who: s.who, ID: "P" + order, KeyOp: loyalty.KeyOpt, App: s.app, Direction: op.Direction(), Operation: op, Points: n,
		Note: loyalty.Note{Reason: op.Name(), OrderNo: order, Detail: loyalty.Detail{OrgCode: s.store, OrgType: "3"}},
	}))
}

// order is a purchase whose caller names the points, or leaves them to the rule.
func (s *demoShopper) order(no string, fen int64, given bool, at time.Time) {
	info := loyalty.OrderInfo{Store: s.store, Description: "门店购物", CashierNo: fmt.Sprint(20_350 + s.rng.IntN(9))}
	if s.rng.IntN(4) == 0 {
		info.Description = "免税店购物"
		info.Material = `[{"material_name":"护手霜","category":"` + demoCategory + `","bar_code":"6901028004770","ty":"1","base_unit_id":"支","price":"120"}]`
		info.BillNo = "20101108" + no
		info.Papers = loyalty.OrderPapers{CashierName: "成东红", PaperKind: "14", PaperName: "港澳居民", PaperNumber: "M05833549"}
	}
	c := loyalty.RecordOrder{
		Who: s.who, Order: loyalty.OrderKey{No: no}, Amount: fen, ConsumedAt: loyalty.InstantOf(at), Given: given, App: s.app, Info: info,
	}
	if given {
		c.Points = fen / 100
	}
	s.add(at, loyalty.Any(c))
}

// refund takes fen of an order back.
func (s *demoShopper) refund(order, no string, fen int64, given bool, at time.Time) {
	if at.After(s.now) {
		return
	}
	c := loyalty.RefundOrder{
		Who: s.who, Order: loyalty.OrderKey{No: no}, Parent: order, Amount: fen,
		ConsumedAt: loyalty.InstantOf(at), Given: given, App: s.app, Info: loyalty.OrderInfo{Store: s.store, Description: "退货"},
	}
	if given {
		c.Points = fen / 100
	}
	s.add(at, loyalty.Any(c))
}

// redeem uses a coupon that is good, sometimes.
func (s *demoShopper) redeem(order string, at time.Time) {
	s.wallet = slices.DeleteFunc(s.wallet, func(c demoCoupon) bool { return !c.until.After(at) })
	if len(s.wallet) == 0 || s.rng.IntN(3) > 0 {
		return
	}
	coupon := s.wallet[0]
	s.wallet = s.wallet[1:]
	s.add(at, loyalty.Any(loyalty.RedeemCoupons{
		Who: s.who, Codes: []string{coupon.number}, OrderNo: order, At: loyalty.InstantOf(at), Store: coupon.store,
	}))
}
