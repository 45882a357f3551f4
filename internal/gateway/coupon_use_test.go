package gateway

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
)

func TestCouponSync(t *testing.T) {
	t.Parallel()
	s := held(t, received, doortest.Options{})
	s.each(methodSync, "the document's example: no such coupon", syncExample)
	s.each(methodTemplate, "ten days", term("t", ""), "from tomorrow on",
		with(term("p", ""), `"coupon_type":0,"fixed_term":10`, `"coupon_type":1,"begin_time":1626539002000,"end_time":1626625402000`))
	s.each(methodGive,
		"the example's coupon", giveTo("t", giveID, 1, "550be7757dbf4357a0d79706e2c2c25f"),
		"the holder's", give("t", "a", "b", "e"), "one that waits", give("p", "w"))
	s.each(methodSync,
		"the document's example", syncExample,
		"the same again", syncExample,
		"deleted is final", with(syncExample, `"status": 0`, `"status": 1`),
		"in use", report("a", 3), "used", report("a", 2), "the same again", report("a", 2), "valid again", report("a", 1),
		"waiting is not for a caller to say", report("a", 4),
		"by the platform's code, as a number; a phone in open_id", `{"third_coupon_code":3000000000100000002,"open_id":"18023016181","status":"2"}`,
		"a coupon that waits is used", report("w", 2),
		"it begins early", report("w", 1),
		"nothing at all", `{}`,
		"no code", report("", 1),
		"no status", `{"third_coupon_code":"a","open_id":"`+holderID+`"}`,
		"status 5", report("a", 5), "status -1", report("a", -1),
		"status in words", `{"third_coupon_code":"a","open_id":"`+holderID+`","status":"有效"}`,
		"nobody", `{"third_coupon_code":"a","status":1}`,
		"status 5 of nobody", with(report("a", 5), holderID, ""),
		"an unknown member", with(report("a", 1), holderID, noOpenID),
		"an unknown code", report("x", 1),
		"another member's", with(report("a", 2), holderID, giveID),
		"another member's, by the platform's code", with(report("3000000000100000001", 2), holderID, giveID),
	)
	s.Clock.Advance(11 * 24 * time.Hour)
	s.each(methodSync,
		"past its end: valid again", report("b", 1),
		"past its end: in use", report("e", 3),
		"past its end: used, reported late", report("e", 2),
	)
	s.golden("coupon_sync")
}

func TestCouponVerification(t *testing.T) {
	t.Parallel()
	s := held(t, 1626511148756, doortest.Options{}) // the example's verification_time
	s.each(methodVerify, "the document's example: no such coupon", verifyExample)
	s.each(methodTemplate, "anywhere", term("t", ""), "in one store", term("store", `,"suit_store_type":1,"stores":[{"id":12,"name":"唐家湾"}]`),
		"from tomorrow on", with(term("p", ""), `"coupon_type":0,"fixed_term":10`, `"coupon_type":1,"begin_time":1626597548756,"end_time":1626683948756`))
	s.each(methodGive, "the example's coupon", give("store", "641e0b64-e16d-45bc-97fd-aaec09afc4811"),
		"more", give("t", "1", "2", "3", "4", "5", "6", "7", "8", "9"), "another member's", giveTo("t", giveID, 1, "foreign"),
		"bound to a store", give("store", "s1", "s2"), "one that waits", give("p", "w"))
	get := func(note string, query url.Values) {
		t.Helper()
		s.call(note, doortest.GatewayCall{Method: methodVerify, Verb: "GET", Query: query})
	}
	query := func(order, codes string) url.Values {
		return url.Values{"open_id": {holderPhone}, "order_no": {order}, "third_coupon_codes": {codes}, "verification_time": {"1626511148756"}}
	}
	s.each(methodVerify, "the document's example", verifyExample, "the same again", verifyExample)
	s.call("as GET with a body", doortest.GatewayCall{Method: methodVerify, Verb: "GET", Body: verifyExample})
	usable := s.usable()
	s.each(methodVerify,
		"one foreign code among nine good ones", redeem("o1", "1, 2, 3, 4, foreign, 5, 6, 7, 8, 9", ""),
		"one unknown", redeem("o1", "1,nil", ""),
		"a phone for a code: it is not repeated", redeem("o1", "1,13800000001", ""),
		"one bound to another store", redeem("o1", "1,s1", `,"store_id":13`),
		"one that waits", redeem("o1", "1,w", ""),
		"one used for another order", redeem("o1", "1,641e0b64-e16d-45bc-97fd-aaec09afc4811", ""),
		"before it was given", with(redeem("o1", "1,2", ""), fmt.Sprint(received), "1626452601999"),
		"nothing at all", `{}`,
		"no order", redeem("", "1", ""),
		"no codes", redeem("o1", " , ,", ""),
		"an object for codes", with(redeem("o1", "X", ""), `"X"`, `{"code":1}`),
		"a code of 129 characters", redeem("o1", "1,"+strings.Repeat("x", 129), ""),
		"101 codes", redeem("o1", strings.Join(manyCodes(101), ","), ""),
		"no time", with(redeem("o1", "1", ""), fmt.Sprint(received), "null"),
		"six minutes ahead", with(redeem("o1", "1", ""), fmt.Sprint(received), "1626511508757"),
		"nobody", with(redeem("o1", "1", ""), holderID, ""),
		"an unknown member, and an unknown code", with(redeem("o1", "nil", ""), holderID, noOpenID),
		"another member, and the holder's code", with(redeem("o1", "1", ""), holderID, giveID),
	)
	if got := s.usable(); got != usable {
		t.Errorf("%d coupons, before %d: something was redeemed", got, usable)
	}
	get("GET with a query, blanks and doubles", query("o2", "1, 2,2,, 1"))
	get("the same again", query("o2", "1, 2,2,, 1"))
	get("one of them for another order", query("o3", "3,2"))
	get("GET without anything", nil)
	s.each(methodVerify,
		"a JSON list", with(redeem("o4", "X", ""), `"X"`, `["3",4]`),
		"a JSON list in a text, one by the platform's code", redeem("o5", `[\"5\",\"3000000000100000007\"]`, ""),
		"bound to a store, and no store named", redeem("o6", "s1", ""),
		"one that is new and one that is done", redeem("o6", "s1,s2", `,"store_id":"12"`),
	)
	s.each(methodSync, "one comes back", report("1", 1), "one is in use", report("7", 3))
	s.each(methodVerify, "and is used again; one in use", redeem("o7", "1,7", ""))
	if got := s.usable(); got != 2 {
		t.Errorf("%d coupons left, want 8 and 9", got)
	}
	s.Clock.Advance(40 * 24 * time.Hour)
	s.each(methodVerify,
		"a report that comes late", redeem("o8", "8", ""),
		"past its end", with(redeem("o9", "9", ""), fmt.Sprint(received), "1628000000000"),
	)
	s.golden("coupon_verification")
}

func manyCodes(n int) []string {
	codes := make([]string, n)
	for i := range codes {
		codes[i] = fmt.Sprint("c", i)
	}
	return codes
}

// TestTwoOrdersForOneCoupon: many calls at once, each for an order of its own;
// one wins, and the others hear that the coupon is gone.
func TestTwoOrdersForOneCoupon(t *testing.T) {
	t.Parallel()
	s := held(t, received, doortest.Options{})
	s.each(methodTemplate, "a template", term("t", ""))
	s.each(methodGive, "a coupon", give("t", "a"))
	const calls = 20
	answers := make([]string, calls)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range calls {
		r := s.Request(doortest.GatewayCall{Method: methodVerify, Body: redeem(fmt.Sprint("o", i), "a", "")})
		all.Go(func() {
			<-start
			answers[i] = doortest.Send(s.handler, r).Body
		})
	}
	close(start)
	all.Wait()
	won := 0
	for i, a := range answers {
		switch {
		case strings.Contains(a, `"success":true`):
			won++
		case !strings.Contains(a, `"error_code":130003`):
			t.Errorf("call %d: %s", i, a)
		}
	}
	if won != 1 || s.usable() != 0 {
		t.Errorf("%d of %d won, %d coupons left", won, calls, s.usable())
	}
}

func TestCouponList(t *testing.T) {
	t.Parallel()
	s := held(t, received, doortest.Options{})
	s.each(methodCoupons, "before anything was given", couponsExample)
	s.each(methodTemplate, "the example's template", `{"third_coupon_id":"tpl","coupon_category":0,"name":"测试优惠券","discount_fee":10,"minimum_fee":100,"coupon_type":0,"fixed_term":10,"rules":"满100元才能使用","use_scope_type":1,"suit_store_type":1,"suit_item_type":1,"stores":"[{\"id\":1,\"name\": \"唐家湾\"}]","items":"[{\"id\":1,\"name\": \"洗衣粉\"}]"}`)
	s.each(methodGive, "the example's coupon", give("tpl", "eeea1682-93d2-443c-b995-fc6cdf37ea22"))
	s.each(methodCoupons, "the document's example", couponsExample)
	s.each(methodTemplate, "a percentage in two days, for two days",
		with(term("p", `,"suit_item_type":2,"categories":[{"id":"7","name":"护理"}]`), `"coupon_category":0`, `"coupon_category":4`, "1000", "15", `"coupon_type":0,"fixed_term":10`, `"coupon_type":1,"begin_time":1626625402000,"end_time":1626798202000`))
	s.each(methodGive, "more", give("tpl", "used", "inuse", "deleted"), "waiting", give("p", "w1", "w2"))
	s.each(methodSync, "in use", report("inuse", 3), "deleted", report("deleted", 0))
	s.each(methodVerify, "used", redeem("order-1", "used", `,"store_id":1`))
	filters := func(when string) {
		t.Helper()
		for _, status := range []string{"", "0", "1", "2", "3", "4"} {
			s.call(when+", status "+status, doortest.GatewayCall{Method: methodCoupons, Verb: "GET", Query: url.Values{"open_id": {holderPhone}, "status": {status}}})
		}
		s.each(methodInfoQuery, when+", 3.2", `{"phone":"`+holderPhone+`"}`)
	}
	filters("on the first day")
	s.Clock.Advance(3 * 24 * time.Hour)
	filters("on the fourth day, when what waited has begun")
	s.Clock.Advance(8 * 24 * time.Hour)
	filters("when all has passed")
	list := func(fields string) string { return `{"open_id":"` + holderID + `"` + fields + `}` }
	s.each(methodCoupons,
		"the second page of two, names of another method", list(`,"pageNum":2,"pageSize":"4","status":null`),
		"beyond the last page", list(`,"page_no":3,"page_size":4`),
		"page size 10^9 is capped at 100", list(`,"page_size":1000000000,"status":"1"`),
		"page 0", list(`,"page_no":0`), "size 0", list(`,"page_size":0`),
		"status 5", list(`,"status":5`), "status -1", list(`,"status":-1`), "status in words", list(`,"status":"有效"`),
		"nobody", `{}`, "unknown", `{"open_id":"`+noOpenID+`"}`,
		"the other member has none", `{"open_id":"`+giveID+`"}`,
	)
	s.call("another merchant's app", doortest.GatewayCall{Method: methodCoupons, App: s.Other, Body: couponsExample})
	doortest.Do(s.Bundle, loyalty.EraseMember{
		Who: loyalty.Who{Merchant: doortest.Merchant, OpenID: holderID}, By: loyalty.ByOperator{Operator: "operator", Reason: "test"},
	})
	s.each(methodCoupons, "erased", couponsExample)
	s.golden("coupon_list")
}

// TestCouponsOfARefund: with the setting, the refund that completes an order
// gives its coupons back, and the preview says so.
func TestCouponsOfARefund(t *testing.T) {
	t.Parallel()
	s := held(t, received, doortest.Options{Settings: func(s *loyalty.Settings) { s.Orders.ReturnCoupons = true }})
	s.each(methodTemplate, "a template", term("t", ""))
	s.each(methodGive, "two coupons", give("t", "a", "b"))
	s.each(methodVerify, "used for the order", redeem("o1", "a,b", ""))
	order := fmt.Sprintf(`{"open_id":"%s","order_no":"o1","order_amount":100,"consume_date":%d}`, holderID, received)
	refund := func(number, amount string) string {
		return with(order, `"o1"`, `"`+number+`","parent_order_no":"o1"`, `:100`, `:`+amount)
	}
	s.each(methodOrder, "the order", order)
	s.each(methodPreview, "a part of it", refund("r1", "40"), "all of it", refund("r1", "100"))
	s.each(methodRefund, "a part", refund("r1", "40"), "the rest", refund("r2", "60"))
	if got := s.usable(); got != 2 {
		t.Errorf("%d coupons can be used, want 2", got)
	}
	s.golden("coupons_of_a_refund")
}

// aheadReader has a merchant whose clock is eleven days ahead.
type aheadReader struct{ doortest.Reader }

func (r aheadReader) Coupons(ctx context.Context, who loyalty.Who, now loyalty.Instant, filter loyalty.CouponFilter, page, size int) (loyalty.Found, loyalty.CouponPage, error) {
	found, list, err := r.Reader.Coupons(ctx, who, now, filter, page, size)
	ahead := *found.Snapshot
	ahead.ClockOffset = (11 * 24 * time.Hour).Milliseconds()
	found.Snapshot = &ahead
	return found, list, err
}

// TestCouponsByTheMerchantsClock: what a list says of a coupon goes by the
// merchant's clock, as redeeming it does.
func TestCouponsByTheMerchantsClock(t *testing.T) {
	t.Parallel()
	s := held(t, received, doortest.Options{})
	s.each(methodTemplate, "ten days", term("t", ""))
	s.each(methodGive, "a coupon", give("t", "a"))
	ahead := New(Options{
		Writer: s.Writer, Reader: aheadReader{s.Reader}, Access: s.Access, Codes: s.Codes, SMS: s.SMS, Now: s.Clock.Now,
	})
	for handler, want := range map[http.Handler]string{s.handler: `"status":1}`, ahead: `"status":0,"expired":true}`} {
		a := doortest.Send(handler, s.Request(doortest.GatewayCall{Method: methodCoupons, Body: couponsExample}))
		if !strings.Contains(a.Body, want) {
			t.Errorf("want %s: %s", want, a.Body)
		}
	}
}
