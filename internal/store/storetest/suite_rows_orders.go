package storetest

import (
	"math"
	"strings"

	"github.com/memberd/memberd/internal/loyalty"
)

// fullOrder has all columns at their bounds or filled with odd text.
func fullOrder(member, seq int64, number string) loyalty.Order {
	return loyalty.Order{
		Member: member, Seq: seq, ID: math.MaxInt64, OrderKey: loyalty.OrderKey{Space: odd, No: number},
		Kind: loyalty.Refund, State: loyalty.Parked, Parent: odd, BookedAt: loyalty.Never, ConsumedAt: -1,
		Amount: math.MaxInt64, Points: math.MinInt64, Growth: -2, Entry: 3, Refunded: 4, TakenBack: 5, GrowthBack: 6,
		Decision: *fullDecision(), App: odd,
	}
}

// fullDecision has every field.
func fullDecision() *loyalty.Decision {
	return &loyalty.Decision{
		EarnedBy: odd, Version: math.MaxInt64, Points: loyalty.Fraction{Num: math.MaxInt64, Den: 1}, Rounding: odd,
		Growth: loyalty.Fraction{Num: 1, Den: 3}, Fen: math.MaxInt64, Level: -1,
		Shares: []loyalty.Share{{Fen: math.MaxInt64, Factor: 15_000}, {Fen: -1, Factor: math.MaxInt64}},
		Tests:  []loyalty.Test{{ID: odd, Factor: 1, Miss: odd}, {ID: "b", Factor: 2, Fen: 3}},
		Caps:   []loyalty.Cap{{Kind: odd, Max: math.MaxInt64, Before: -1, Day: loyalty.Never}, {Kind: loyalty.CapMember, Max: 1}},
	}
}

func fullInfo(member, seq int64) loyalty.OrderInfoRow {
	return loyalty.OrderInfoRow{Member: member, Merchant: "m", Seq: seq, OrderInfo: loyalty.OrderInfo{
		Store: odd, Shop: "sh", Description: odd, Material: `[{"id":"<1>","name":"🎂"}]`, BillHead: "h", BillNo: "n",
		BillDate: "d", BillStart: "s", BillEnd: "e", CashierNo: "c", Papers: fullPapers(),
	}}
}

func fullPapers() loyalty.OrderPapers {
	return loyalty.OrderPapers{
		Settlement: `{"entity":"` + strings.Repeat("长", 3_000) + `"}`, PaperKind: "1", PaperName: "身份证",
		PaperNumber: "11010119991231002X", CashierName: "收银员甲", MemberNumber: "V1", MemberName: odd,
	}
}

func fullCoupon(member, seq, template int64, number string) loyalty.Coupon {
	return loyalty.Coupon{
		Member: member, Seq: seq, ID: math.MaxInt64, Template: template, Space: odd, Number: number,
		State: loyalty.CouponUsed, GivenAt: loyalty.Never, ReceivedAt: -1, BeginAt: math.MinInt64, EndAt: math.MaxInt64,
		ReceiveStore: odd, UsedAt: 7, UsedFor: odd, UsedStore: "us", App: odd,
	}
}

func fullTemplate(id int64, number string) loyalty.Template {
	items := []loyalty.ScopeItem{{ID: odd, Name: odd}, {ID: "2"}}
	return loyalty.Template{
		ID: id, Merchant: "m", TemplateKey: loyalty.TemplateKey{Space: odd, Number: number}, Issued: math.MaxInt64,
		CreatedAt: loyalty.Never, App: odd, TemplateTerms: loyalty.TemplateTerms{
			Name: odd, Category: loyalty.ProductDiscount, Discount: 99, MinimumFee: math.MaxInt64, Rules: odd,
			Period: true, BeginAt: 1, EndAt: loyalty.Never, Term: 9, Quantity: 3, ClaimLimit: 4, CentreStatus: 1,
			Restriction: loyalty.RestrictLevels, ReceiveMethod: 2, UseScope: 3, SuitStore: 1, SuitItem: 2,
			Stores: items, Items: items, Categories: items, EnforceOnGive: true, Levels: []int64{1, math.MaxInt64}, NewMemberDays: 5,
		},
	}
}

func numberOf(kind loyalty.IdentityKind, number string, member, row int64) loyalty.IdentityRow {
	return loyalty.IdentityRow{
		Identity: loyalty.Identity{Merchant: "m", Kind: kind, Value: number}, Bound: loyalty.Bound{Member: member, Row: row},
	}
}

// The numbers of templates, of which the second one's stands before the first's.
const firstTemplate, secondTemplate = math.MaxInt64, int64(1)

// addOrders adds rows of orders, coupons and marks to extremeChanges.
func addOrders(c *loyalty.Changes) {
	booked := fullOrder(last, 99_999_999, "")
	booked.State, booked.Kind, booked.Parent = loyalty.Booked, loyalty.Purchase, ""
	waiting := fullCoupon(last, 2, secondTemplate, odd+"2")
	waiting.State, waiting.UsedFor, waiting.UsedStore, waiting.UsedAt = loyalty.CouponWaiting, "", "", 0
	c.NewTemplates = []loyalty.Template{
		{ID: secondTemplate, Merchant: "m", TemplateKey: loyalty.TemplateKey{Number: "z"}},
		fullTemplate(firstTemplate, odd),
	}
	c.NewOrders = []loyalty.Order{
		{Member: first, Seq: 1, OrderKey: loyalty.OrderKey{No: "a"}, Kind: loyalty.Purchase, State: loyalty.Booked},
		fullOrder(last, 1, odd), fullOrder(last, 2, odd+"2"), booked,
	}
	c.OrderInfos = []loyalty.OrderInfoRow{
		{Member: first, Merchant: "m", Seq: 1, OrderInfo: loyalty.OrderInfo{Papers: loyalty.OrderPapers{MemberName: "only papers"}}},
		fullInfo(last, 1),
		{Member: last, Merchant: "m", Seq: 2}, // nothing to tell: no row
		{Member: last, Merchant: "m", Seq: 99_999_999, OrderInfo: loyalty.OrderInfo{Store: "only plain"}},
	}
	c.NewCoupons = []loyalty.Coupon{
		{Member: first, Seq: 1, Template: secondTemplate, Number: "a"},
		fullCoupon(last, 1, firstTemplate, odd), waiting, fullCoupon(last, 99_999_999, firstTemplate, odd+"3"),
	}
	c.Claims = []loyalty.Claims{
		{Member: first, Template: firstTemplate, Count: 1}, {Member: last, Template: firstTemplate, Count: math.MaxInt64},
	}
	c.LevelMoves = []loyalty.LevelMove{
		{Member: first, No: 1, At: -1}, {Member: last, No: 99_999_999, At: loyalty.Never, From: math.MinInt64, To: math.MaxInt64},
	}
	c.Tallies = []loyalty.Tally{
		{Member: first, TallyKey: loyalty.TallyKey{Name: odd, Day: loyalty.Never}, Points: math.MinInt64},
		{Member: last, TallyKey: loyalty.TallyKey{}, Points: math.MaxInt64},
		{Member: last, TallyKey: loyalty.TallyKey{Day: -1}},
	}
	c.Marks = []loyalty.MarksRow{
		{Member: first, Merchant: "m", Marks: loyalty.Marks{Labels: []string{"a", "b"}, Cards: []loyalty.PaidCard{{ID: "1"}}}},
		{Member: last, Merchant: "m", Marks: loyalty.Marks{
			Labels: []string{odd}, Cards: []loyalty.PaidCard{{ID: "2", Name: odd, ExpiresAt: loyalty.Never}, {ID: odd, ExpiresAt: -1}},
		}},
	}
	c.Bound = append(c.Bound,
		numberOf(loyalty.ByCoupon, "/a", first, 1), numberOf(loyalty.ByCoupon, odd+"/"+odd, last, 1),
		numberOf(loyalty.ByCoupon, odd+"/"+odd+"2", last, 2),
		numberOf(loyalty.ByOrder, "/a", first, 1), numberOf(loyalty.ByOrder, odd+"/"+odd, last, 1),
		numberOf(loyalty.ByOrder, odd+"/", last, 99_999_999))
}

// changeOrders changes what addOrders added: all that can change, and nothing
// else. A number goes to another row.
func changeOrders(c *loyalty.Changes) {
	o := fullOrder(last, 1, odd)
	o.State, o.Points, o.Growth, o.Entry = loyalty.Declined, 0, math.MaxInt64, 99_999_999
	o.Refunded, o.TakenBack, o.GrowthBack = math.MaxInt64, math.MinInt64, -1
	back := fullCoupon(last, 1, firstTemplate, odd)
	back.State, back.UsedAt, back.UsedFor, back.UsedStore = loyalty.CouponValid, 0, "", ""
	used := fullCoupon(last, 2, secondTemplate, odd+"2")
	used.UsedFor, used.UsedAt = odd+odd, loyalty.Never
	c.Orders = []loyalty.Order{o}
	c.Forgotten = []int64{first, last}
	c.OrderInfos = []loyalty.OrderInfoRow{{Member: last, Merchant: "m", Seq: 3, OrderInfo: loyalty.OrderInfo{Papers: fullPapers()}}}
	c.NewOrders = []loyalty.Order{fullOrder(last, 3, odd+"3")}
	c.Coupons = []loyalty.Coupon{back, used}
	issued := fullTemplate(firstTemplate, odd)
	issued.Issued = 0
	c.Templates = []loyalty.Template{issued}
	c.NewTemplates = []loyalty.Template{
		{ID: 5, Merchant: "m", TemplateKey: loyalty.TemplateKey{Number: "z2"}},
		{ID: 6, Merchant: "m", TemplateKey: loyalty.TemplateKey{Number: "a2"}},
	}
	c.Claims = []loyalty.Claims{{Member: first, Template: firstTemplate, Count: 2}}
	c.LevelMoves = []loyalty.LevelMove{{Member: first, No: 2, At: -1, From: 1, To: 2}}
	c.Tallies = []loyalty.Tally{
		{Member: last, TallyKey: loyalty.TallyKey{Day: -1}, Points: 1}, {Member: last, TallyKey: loyalty.TallyKey{Name: "new"}, Points: -1},
	}
	c.Marks = []loyalty.MarksRow{
		{Member: first, Merchant: "m"},
		{Member: last, Merchant: "m", Marks: loyalty.Marks{Labels: []string{"0", "x"}, Cards: []loyalty.PaidCard{{ID: "2", Name: "renamed"}}}},
	}
	c.Unbound = append(c.Unbound, loyalty.Identity{Merchant: "m", Kind: loyalty.ByOrder, Value: "/a"})
	c.Bound = append(c.Bound, numberOf(loyalty.ByOrder, "/a", last, 3))
}

// orderRefs are loads by every way that leads to orders, coupons and marks.
func orderRefs() []loyalty.Refs {
	key := loyalty.OrderKey{Space: odd, No: odd}
	who := loyalty.Who{Merchant: "m", ID: last}
	holders := []loyalty.Who{{Merchant: "m", ID: first}, {Merchant: "m", ID: 12345}, {Merchant: "m", OpenID: openID(first)}, who}
	return []loyalty.Refs{
		{Who: who, RefundsOf: key, CouponsOf: key, Coupons: []int64{2, 1, 2, 50}, Marks: true},
		{Who: loyalty.Who{Merchant: "m", ID: first}, RefundsOf: key, CouponsOf: key, Coupons: []int64{1}, Marks: true},
		{Who: loyalty.Who{Merchant: "m"}, Holders: holders, Template: loyalty.TemplateKey{Space: odd, Number: odd}},
		{Who: loyalty.Who{Merchant: "m"}, Holders: holders[:1], Template: loyalty.TemplateKey{Number: "z"}},
		{Who: loyalty.Who{Merchant: "another"}, Holders: holders, Template: loyalty.TemplateKey{Space: odd, Number: odd}},
		{Who: loyalty.Who{Merchant: "m"}, Template: loyalty.TemplateKey{Number: "nobody's"}},
		{Who: who, RefundsOf: loyalty.OrderKey{No: odd}, CouponsOf: loyalty.OrderKey{Space: odd, No: "x"}},
		{Who: loyalty.Who{Merchant: "m", ID: 12345}, RefundsOf: key, CouponsOf: key, Coupons: []int64{1}, Marks: true},
		{Who: loyalty.Who{Merchant: "m"}, Identities: extremeIdentities()},
	}
}
