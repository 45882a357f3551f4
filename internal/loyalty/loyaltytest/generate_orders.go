package loyaltytest

import (
	"fmt"
	"strings"

	"github.com/memberd/memberd/internal/loyalty"
)

// This file makes the commands about orders, refunds, coupons and marks.

// orderNo is one of few numbers, so that orders, refunds, points and coupons
// meet.
func (g *generator) orderNo() string { return fmt.Sprintf("order%d", g.pick(300)) }

// ahead is a time near the merchant's clock, now and then too far ahead of it.
func (g *generator) ahead(at loyalty.Instant) loyalty.Instant {
	switch {
	case g.chance(2):
		return at + 6*60*1000
	case g.chance(20):
		return at - loyalty.Instant(g.pick(40*24*3600*1000))
	}
	return at
}

func (g *generator) recordOrder(merchant string, at loyalty.Instant) loyalty.RecordOrder {
	if used := g.orders[merchant]; len(used) > 0 && g.chance(10) {
		c := used[max(len(used)-1-g.pick(20), 0)] // the same call again, or nearly
		if g.chance(15) {
			c.Amount++
		}
		return c
	}
	c := loyalty.RecordOrder{
		Who: g.who(merchant), Order: loyalty.OrderKey{Space: g.space(), No: g.orderNo()},
		Amount: int64(g.pick(60_000)), ConsumedAt: g.ahead(at), Given: g.chance(50), App: "app",
	}
	if c.Given {
		c.Points = int64(g.pick(150))
	}
	if g.chance(30) {
		c.Info = loyalty.OrderInfo{Store: "18756", Description: "测试", Papers: loyalty.OrderPapers{PaperNumber: "M05833549"}}
	}
	if g.chance(75) {
		c.Info.Material = g.material()
	}
	if g.chance(20) {
		c.ConsumedAt = at - loyalty.Instant(g.pick(20*24*3600*1000))
	}
	switch {
	case g.chance(2):
		c.Amount = -1
	case g.chance(2):
		c.Amount = loyalty.MaxAmount + 1
	case g.chance(2):
		c.Points, c.Given = 1_001, true
	}
	g.orders[merchant] = append(g.orders[merchant], c)
	return c
}

// refundOrder mostly means an order that was tried before.
func (g *generator) refundOrder(merchant string, at loyalty.Instant) loyalty.RefundOrder {
	if used := g.refunds[merchant]; len(used) > 0 && g.chance(12) {
		c := used[max(len(used)-1-g.pick(20), 0)]
		if g.chance(10) {
			c.Amount++
		}
		return c
	}
	c := loyalty.RefundOrder{
		Who: g.who(merchant), Parent: g.orderNo(), Amount: int64(g.pick(30_000)), ConsumedAt: g.ahead(at), App: "app",
		Order: loyalty.OrderKey{Space: g.space(), No: fmt.Sprintf("refund%d", g.pick(1_500))},
	}
	if used := g.orders[merchant]; len(used) > 0 && g.chance(80) {
		o := used[max(len(used)-1-g.pick(25), 0)]
		c.Who, c.Parent, c.Order.Space = o.Who, o.Order.No, o.Order.Space
		c.Amount = max(o.Amount, 0) / int64(1+g.pick(4))
		c.Info.Material = o.Info.Material
		if g.chance(5) {
			c.Who = g.who(merchant)
		}
	}
	if c.Given = g.chance(40); c.Given {
		c.Points = int64(g.pick(60))
	}
	if g.chance(30) {
		c.Info.Material = g.material()
	}
	if g.chance(20) {
		c.Info.Papers.MemberName = "某某"
	}
	switch {
	case g.chance(2):
		c.Parent = c.Order.No
	case g.chance(2):
		c.Amount = -1
	case g.chance(3):
		c.Order.No = g.orderNo() // an order's number, perhaps
	case g.chance(13): // the refund comes before its order, and now and then is too large for it
		c.Who = loyalty.Who{Merchant: merchant, Phone: g.phone()}
		c.Parent, c.Given, c.Amount = fmt.Sprintf("late%d", g.pick(100_000)), false, int64(1+g.pick(10_000))
		late := g.recordOrder(merchant, at)
		late.Who, late.Order.Space, late.Order.No, late.Amount = c.Who, c.Order.Space, c.Parent, int64(1_000+g.pick(9_000))
		g.next = append(g.next, loyalty.Any(late))
	}
	g.refunds[merchant] = append(g.refunds[merchant], c)
	return c
}

// template is one of few, whose terms follow from its number.
func (g *generator) template(space string) loyalty.TemplateKey {
	return loyalty.TemplateKey{Space: space, Number: fmt.Sprintf("t%d", g.pick(24))}
}

func (g *generator) addTemplate(merchant string) loyalty.AddTemplate {
	key := g.template(g.space())
	var n int
	fmt.Sscanf(key.Number, "t%d", &n)
	c := loyalty.AddTemplate{Merchant: merchant, Template: key, App: "app", Terms: loyalty.TemplateTerms{
		Name: key.Number, Discount: 10, Restriction: loyalty.RestrictNobody, Term: 20 + 10*n,
	}}
	t := &c.Terms
	if n%3 == 0 { // a month of its own
		t.Period = true
		t.BeginAt = loyalty.InstantOf(start.AddDate(0, n, 0))
		t.EndAt = loyalty.InstantOf(start.AddDate(0, n+9, n))
	}
	if n%4 == 1 {
		t.Quantity = int64(2 + n%3)
	}
	if n%5 == 2 {
		t.ClaimLimit = int64(1 + n%2)
	}
	switch n % 7 {
	case 3:
		t.EnforceOnGive, t.Restriction, t.Levels = true, loyalty.RestrictLevels, []int64{1, 2}
	case 4:
		t.EnforceOnGive, t.Restriction, t.NewMemberDays = true, loyalty.RestrictNew, 5
	case 5:
		t.SuitStore, t.Stores = 1, []loyalty.ScopeItem{{ID: "18756", Name: "唐家湾"}}
	}
	switch {
	case g.chance(5):
		t.Discount++
	case g.chance(5):
		t.Term, t.Period = 0, false
	}
	return c
}

func (g *generator) couponNo() string { return fmt.Sprintf("coupon%d", g.pick(3_000)) }

func (g *generator) giveCoupons(merchant string, at loyalty.Instant) loyalty.GiveCoupons {
	if used := g.gives[merchant]; len(used) > 0 && g.chance(12) {
		return used[max(len(used)-1-g.pick(15), 0)]
	}
	space := g.space()
	c := loyalty.GiveCoupons{
		Merchant: merchant, Template: g.template(space), Each: 1, ReceivedAt: g.ahead(at), Store: "1", App: "app",
	}
	known := map[string]bool{}
	for range 1 + g.pick(3) {
		who := g.who(merchant)
		if g.chance(92) { // each member once
			who = loyalty.Who{Phone: g.phone()}
			if known[who.Phone] {
				continue
			}
			known[who.Phone] = true
		}
		c.Entries = append(c.Entries, loyalty.CouponGift{Who: who, Number: g.couponNo()})
	}
	switch {
	case g.chance(2):
		c.Each = 2
	case g.chance(2):
		c.Entries = append(c.Entries, c.Entries[0])
	case g.chance(1):
		c.Entries = nil
	}
	g.gives[merchant] = append(g.gives[merchant], c)
	if len(c.Entries) > 0 && g.chance(25) {
		who := c.Entries[0].Who
		who.Merchant = merchant
		g.next = append(g.next, loyalty.Any(loyalty.RedeemCoupons{
			Who: who, Space: space, Codes: []string{c.Entries[0].Number}, OrderNo: g.orderNo(), At: at,
		}))
	}
	return c
}

// learnGiven keeps coupons that a call has given.
func (g *generator) learnGiven(c loyalty.GiveCoupons, given loyalty.CouponsGiven) {
	for i, held := range given.Coupons {
		g.coupons[c.Merchant] = append(g.coupons[c.Merchant], namedCoupon{
			loyalty.Who{Merchant: c.Merchant, ID: held.Member}, c.Template.Space, c.Entries[i].Number,
		})
	}
}

// namedCoupon is a coupon with its holder.
type namedCoupon struct {
	who           loyalty.Who
	space, number string
}

// coupon is mostly one that was given lately, named by its number or by the
// platform's code.
func (g *generator) coupon(merchant string) namedCoupon {
	c := namedCoupon{g.who(merchant), g.space(), g.couponNo()}
	if given := g.coupons[merchant]; len(given) > 0 && g.chance(90) {
		c = given[max(len(given)-1-g.pick(8), 0)]
	}
	if c.who.ID != 0 && g.chance(10) {
		c.number = fmt.Sprint(loyalty.CouponCode(c.who.ID, int64(1+g.pick(20))))
	}
	return c
}

func (g *generator) syncCoupon(merchant string) loyalty.SyncCoupon {
	named := g.coupon(merchant)
	return loyalty.SyncCoupon{Who: named.who, Space: named.space, Code: named.number, State: loyalty.CouponState(g.pick(6))}
}

func (g *generator) redeemCoupons(merchant string, at loyalty.Instant) loyalty.RedeemCoupons {
	named := g.coupon(merchant)
	c := loyalty.RedeemCoupons{
		Who: named.who, Space: named.space, Codes: []string{named.number}, OrderNo: g.orderNo(), At: g.ahead(at),
	}
	if used := g.orders[merchant]; len(used) > 0 && g.chance(60) {
		o := used[max(len(used)-1-g.pick(10), 0)]
		c.OrderNo = o.Order.No
	}
	if g.chance(15) {
		c.Store = []string{"18756", "1"}[g.pick(2)]
	}
	if g.chance(20) {
		c.Codes = append(c.Codes, g.coupon(merchant).number)
	}
	if g.chance(3) {
		c.Codes = nil
	}
	if g.chance(40) { // the order follows, and comes back as a whole
		o := g.recordOrder(merchant, at)
		o.Who, o.Order, o.Amount = c.Who, loyalty.OrderKey{Space: c.Space, No: fmt.Sprintf("late%d", g.pick(100_000))}, 1_000
		c.OrderNo = o.Order.No
		back := loyalty.RefundOrder{
			Who: c.Who, Parent: o.Order.No, Amount: o.Amount, ConsumedAt: at,
			Order: loyalty.OrderKey{Space: c.Space, No: fmt.Sprintf("refund%d", g.pick(100_000))},
		}
		g.next = append(g.next, loyalty.Any(o), loyalty.Any(loyalty.PreviewRefund{RefundOrder: back}), loyalty.Any(back))
	}
	return c
}

// material is some lines of goods, that may come to less than the order, or more.
func (g *generator) material() string {
	var lines []string
	for range 1 + g.pick(3) {
		lines = append(lines, fmt.Sprintf(`{"ty":%q,"bar_code":%q,"price":"%d.%02d","quantity":%d}`,
			[]string{"fresh", "dry"}[g.pick(2)], []string{"6901028004770", "6901028004771"}[g.pick(2)],
			g.pick(200), g.pick(100), 1+g.pick(3)))
	}
	return "[" + strings.Join(lines, ",") + "]"
}

func (g *generator) mark(merchant string) loyalty.MarkMember {
	c := loyalty.MarkMember{Who: g.who(merchant), Remove: g.chance(20), By: loyalty.ByOperator{Operator: "tester", Reason: "random"}}
	if g.chance(50) {
		c.Label = fmt.Sprintf("标签%d", g.pick(9))
		return c
	}
	c.Who = loyalty.Who{Merchant: merchant, Phone: "13800000001"} // somebody with too many
	c.Remove = g.chance(5)
	c.Card = loyalty.PaidCard{ID: fmt.Sprintf("card%d", g.pick(200)), Name: "金卡", ExpiresAt: loyalty.Instant(1 + g.pick(3))}
	return c
}

// timeDriven makes what the clock asks for.
func (g *generator) timeDriven(merchant string) loyalty.AnyCommand {
	who := g.who(merchant)
	switch g.pick(5) {
	case 0:
		return loyalty.Any(loyalty.BookDue{Who: who})
	case 1, 3:
		return loyalty.Any(loyalty.AnnounceExpiring{Who: who})
	case 2:
		c := loyalty.GiveUpRefund{Who: who, Order: loyalty.OrderKey{No: fmt.Sprintf("refund%d", g.pick(1_500))}}
		if used := g.refunds[merchant]; len(used) > 0 {
			r := used[max(len(used)-1-g.pick(60), 0)]
			c.Who, c.Order = r.Who, r.Order
		}
		return loyalty.Any(c)
	}
	c := loyalty.LapseCoupons{Who: who}
	for range 8 {
		c.Coupons = append(c.Coupons, int64(1+g.pick(30)))
	}
	return loyalty.Any(c)
}
