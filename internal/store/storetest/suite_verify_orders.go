package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
)

const orderTime = loyalty.Instant(1_768_000_000_000)

// orderWorld is two members with orders, refunds of every state, coupons and
// marks.
func orderWorld(t testing.TB, e *Engine) {
	t.Helper()
	e.AddMerchants(t, rules(t, "m", func(s *loyalty.Settings) {
		s.Orders = loyalty.OrderRules{Score: loyalty.ScoreRule, EarlyRefund: loyalty.EarlyPark, ParkDays: 90}
	}))
	for i := range 2 {
		mustDo(t, e.Store, loyalty.RegisterMember{Merchant: "m", Profile: loyalty.Profile{Phone: fmt.Sprintf("1380000000%d", i)}}, orderTime)
	}
	who := loyalty.Who{Merchant: "m", ID: 1}
	info := loyalty.OrderInfo{Store: "s1", Papers: loyalty.OrderPapers{PaperNumber: "11010119991231002X"}}
	order := func(no string) loyalty.OrderKey { return loyalty.OrderKey{Space: "s", No: no} }
	for _, no := range []string{"A1", "A2"} {
		mustDo(t, e.Store, loyalty.RecordOrder{Who: who, Order: order(no), Amount: 10_000, ConsumedAt: orderTime, Info: info}, orderTime)
	}
	mustDo(t, e.Store, loyalty.RefundOrder{Who: who, Order: order("R1"), Parent: "A1", Amount: 3_000, ConsumedAt: orderTime, Info: info}, orderTime)
	if r := mustDo(t, e.Store, loyalty.RefundOrder{Who: who, Order: order("R9"), Parent: "A9", Amount: 1, ConsumedAt: orderTime}, orderTime); !r.Parked {
		t.Fatal("the early refund was not parked")
	}
	mustDo(t, e.Store, loyalty.RecordOrder{Who: who, Order: order("A3"), Amount: 1, ConsumedAt: orderTime}, orderTime)
	template := loyalty.TemplateKey{Space: "s", Number: "T1"}
	terms := plainTemplate(0, "", 100, 5).TemplateTerms
	mustDo(t, e.Store, loyalty.AddTemplate{Merchant: "m", Template: template, Terms: terms}, orderTime)
	mustDo(t, e.Store, loyalty.GiveCoupons{
		Merchant: "m", Template: template, Each: 2, ReceivedAt: orderTime,
		Entries: []loyalty.CouponGift{
			{Who: loyalty.Who{ID: 1}, Number: "C1"}, {Who: loyalty.Who{ID: 2}, Number: "C2"},
			{Who: loyalty.Who{ID: 1}, Number: "C3"}, {Who: loyalty.Who{ID: 2}, Number: "C4"},
		},
	}, orderTime)
	mustDo(t, e.Store, loyalty.RedeemCoupons{Who: who, Space: "s", Codes: []string{"C1"}, OrderNo: "A1", At: orderTime}, orderTime)
	mustDo(t, e.Store, loyalty.MarkMember{Who: who, Label: "VIP", By: byTest}, orderTime)
	mustDo(t, e.Store, loyalty.MarkMember{Who: who, Card: loyalty.PaidCard{ID: "gold"}, By: byTest}, orderTime)
}

// orderCorruptions are values of member 1, whose field is where Verify must see
// them; "0 " before a field: at no member.
var orderCorruptions = []struct{ table, set, where, field string }{
	{"member", "orders = orders - 1", "member_id = 1", "orders"},
	{"member", "coupons = coupons + 1", "member_id = 1", "coupons"},
	{"member", "consume_count = consume_count + 1", "member_id = 1", "consume count"},
	{"member", "consume_fen = consume_fen + 1", "member_id = 1", "consume money"},
	{"member", "growth = growth + 1", "member_id = 1", "growth"},

	{"member_order", "amount = amount + 1", "member_id = 1 AND order_seq = 1", "consume money"},
	{"member_order", "points = points + 1", "member_id = 1 AND order_seq = 1", "order 1 points"},
	{"member_order", "growth = growth + 1", "member_id = 1 AND order_seq = 1", "growth"},
	{"member_order", "entry_no = entry_no + 1", "member_id = 1 AND order_seq = 1", "order 1 entry"},
	{"member_order", "refunded = refunded + 1", "member_id = 1 AND order_seq = 1", "order 1 refunded"},
	{"member_order", "taken_back = taken_back + 1", "member_id = 1 AND order_seq = 1", "order 1 taken back"},
	{"member_order", "growth_back = growth_back + 1", "member_id = 1 AND order_seq = 1", "order 1 growth back"},
	{"member_order", "kind = 2", "member_id = 1 AND order_seq = 2", "consume count"},
	{"member_order", "number = 'x'", "member_id = 1 AND order_seq = 1", "identity order 1"},
	{"member_order", "space = 'x'", "member_id = 1 AND order_seq = 4", "identity order 4"},
	{"member_order", "state = 3", "member_id = 1 AND order_seq = 3", "order 1 refunded"},
	{"member_order", "points = points + 1", "member_id = 1 AND order_seq = 3", "order 3 points"},
	{"member_order", "parent = 'x'", "member_id = 1 AND order_seq = 3", "refunds"},
	{"member_order", "parent = 'A1'", "member_id = 1 AND order_seq = 4", "order 4 state"},
	{"member_order", "number = 'A9'", "member_id = 1 AND order_seq = 5", "order 4 state"}, // after its refund
	{"member_order", "state = 2", "member_id = 1 AND order_seq = 1", "order 1 state"},
	{"member_order", "state = 7", "member_id = 1 AND order_seq = 4", "order 4 state"},
	{"member_order", "entry_no = entry_no - 1", "member_id = 1 AND order_seq = 3", "order 3 entry"},
	{"member_order", "entry_no = 1", "member_id = 1 AND order_seq = 4", "order 4 entry"},

	{"order_detail", "sealed = 'x'", "member_id = 1 AND order_seq = 1", "order detail 1"},
	{"order_detail", "sealed = (SELECT sealed FROM order_detail WHERE member_id = 1 AND order_seq = 1)", "member_id = 1 AND order_seq = 2", "order detail 2"},
	{"order_detail", "detail = 'x'", "member_id = 1 AND order_seq = 3", "order detail 3"},

	{"coupon", "state = 7", "member_id = 1 AND coupon_seq = 2", "coupon 2 state"},
	{"coupon", "template_id = template_id + 1", "member_id = 1 AND coupon_seq = 2", "coupon 2 template"},
	{"coupon", "template_id = template_id + 1", "member_id = 1 AND coupon_seq = 2", "0 template"},
	{"coupon", "number = 'x'", "member_id = 1 AND coupon_seq = 1", "identity coupon 1"},
	{"coupon", "state = 2", "member_id = 1 AND coupon_seq = 2", "coupon 2 use"},
	{"coupon", "state = 1", "member_id = 1 AND coupon_seq = 1", "coupon 1 use"},
	{"coupon", "used_at = 0", "member_id = 1 AND coupon_seq = 1", "coupon 1 use"},
	{"coupon", "begin_at = begin_at + 1", "member_id = 1 AND coupon_seq = 2", "coupon 2 begin"},
	{"coupon", "used_for = 'x'", "member_id = 1 AND coupon_seq = 2", "coupon 2 order"},
	{"coupon_claim", "count = count + 1", "member_id = 1", "template"},
	{"coupon_template", "issued = issued - 1", "number = 'T1'", "0 template"},
	{"coupon_template", "merchant_id = 'x'", "number = 'T1'", "coupon 1 template"},

	{"identity", "member_id = 2", "kind = 'order' AND value = 's/A2'", "identity order 2"},
	{"identity", "row_no = 1", "kind = 'order' AND value = 's/A2'", "identity order"},
	{"identity", "row_no = 2", "kind = 'coupon' AND value = 's/C1'", "identity coupon 1"},
	{"identity", "row_no = 1", "kind = 'phone' AND member_id = 1", "identity phone"},
	{"member_label", "merchant_id = 'x'", "member_id = 1", "label"},
	{"paid_card", "merchant_id = 'x'", "member_id = 1", "paid card"},
}

// orderStrays are rows too many and rows too few. They are not undone.
var orderStrays = []struct {
	member    int64
	field     string
	statement string
}{
	{2, "template", "DELETE FROM coupon_claim WHERE member_id = 2"},
	{2, "identity coupon", "INSERT INTO identity (merchant_id, kind, value, member_id, row_no) VALUES ('m', 'coupon', 's/stray', 2, 1)"},
	{0, "template", "DELETE FROM coupon WHERE member_id = 2 AND coupon_seq = 2"},
	{999, "order 1", orderOf + "VALUES (999, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', '', '', '{}', '')"},
	{999, "order detail 1", "INSERT INTO order_detail (member_id, order_seq, detail, sealed) VALUES (999, 1, '{}', '')"},
	{1, "order detail 99", "INSERT INTO order_detail (member_id, order_seq, detail, sealed) VALUES (1, 99, '{}', '')"},
	{999, "coupon 1", couponOf + "SELECT 999, coupon_seq, coupon_id, template_id, state, given_at, received_at, begin_at, end_at, used_at, space, number, receive_store, used_for, used_store, app_id FROM coupon WHERE member_id = 1 AND coupon_seq = 1"},
	{999, "claims", "INSERT INTO coupon_claim (member_id, template_id, count) VALUES (999, 1, 1)"},
	{999, "label", "INSERT INTO member_label (member_id, label, merchant_id) VALUES (999, 'l', 'm')"},
	{999, "paid card", "INSERT INTO paid_card (member_id, card_id, merchant_id, name, expires_at) VALUES (999, 'l', 'm', '', 0)"},
	{1, "identity order", "INSERT INTO identity (merchant_id, kind, value, member_id, row_no) VALUES ('m', 'order', 's/stray', 1, 99)"},
	{999, "identity order", "INSERT INTO identity (merchant_id, kind, value, member_id, row_no) VALUES ('m', 'order', 's/stray2', 999, 1)"},
	{1, "identity order 3", "UPDATE identity SET value = 's/X' WHERE kind = 'order' AND value = 's/R1'"},
	{1, "identity coupon 1", "DELETE FROM identity WHERE kind = 'coupon' AND value = 's/C1'"},
	{1, "order 2 number", "DELETE FROM member_order WHERE member_id = 1 AND order_seq = 1"},
	{1, "coupon 2 template", "DELETE FROM coupon_template"},
}

const (
	orderOf  = "INSERT INTO member_order (member_id, order_seq, order_id, kind, state, booked_at, consumed_at, amount, points, growth, entry_no, refunded, taken_back, growth_back, space, number, parent, rule, app_id) "
	couponOf = "INSERT INTO coupon (member_id, coupon_seq, coupon_id, template_id, state, given_at, received_at, begin_at, end_at, used_at, space, number, receive_store, used_for, used_store, app_id) "
)

// Every value that is changed behind the store's back is found where it is, and
// is gone when it is put back.
func testOrderCorruption(t *testing.T, e *Engine) {
	orderWorld(t, e)
	h := &history{Engine: e, t: t}
	verifyAll(t, e, 1)
	for _, c := range orderCorruptions {
		column, _, _ := strings.Cut(c.set, " =")
		var old any
		must(t, e.DB.Read().QueryRow(t.Context(), "SELECT "+column+" FROM "+c.table+" WHERE "+c.where).Scan(&old))
		e.Exec(t, "UPDATE "+c.table+" SET "+c.set+" WHERE "+c.where)
		member, field := int64(1), c.field
		if rest, ok := strings.CutPrefix(field, "0 "); ok {
			member, field = 0, rest
		}
		if !h.finds(member, field) {
			t.Errorf("verify does not find %q of member %d after %s: %s", field, member, c.table, c.set)
		}
		e.Exec(t, "UPDATE "+c.table+" SET "+column+" = ? WHERE "+c.where, old)
	}
	verifyAll(t, e, 1_000)
	for _, s := range orderStrays {
		if h.finds(s.member, s.field) {
			t.Errorf("%q of member %d is there before: %s", s.field, s.member, s.statement)
		}
		e.Exec(t, s.statement)
		if !h.finds(s.member, s.field) {
			t.Errorf("verify does not find %q of member %d after: %s", s.field, s.member, s.statement)
		}
	}
	e.Exec(t, "UPDATE member_order SET rule = 'x' WHERE member_id = 1 AND order_seq = 2")
	if _, _, _, err := e.Store.Verify(t.Context(), 0, 1_000); err == nil {
		t.Error("verify reads a rule that is none")
	}
}
