package main

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// What callers sent can't move the cursor of whoever looks at it, nor make lines
// that look like others.
func TestControlCharactersAreShown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.app("m1")
	s := r.serve()
	s.must("wk.user.info.add", app, `{"phone":"`+phone+`","project_id":"1","nickname":"a\u001b[2Jb\tc"}`)
	s.must("wk.user.consume.order", app, `{"phone":"`+phone+`","order_no":"O1","order_amount":10,"order_score":10,"consume_date":"2021-08-24 00:00:00","desc":"x\nstate  declined","bill_no":"\u202e21"}`)
	s.must("wk.user.refund.order", app, `{"phone":"`+phone+`","order_no":"R\r\u009b1","parent_order_no":"O1","order_amount":1,"order_score":1,"consume_date":"2021-08-24 00:00:00"}`)
	shown := r.on("order", "show", "--merchant", "m1", "--no", "O1")
	has(t, shown, `description x\nstate declined`, `bill number \u202e21`)
	if !strings.Contains(shown, ` R\r\u009b1 `) || strings.Contains(words(shown), "\nstate declined") {
		t.Errorf("%q", shown)
	}
	has(t, r.on("member", "show", "--merchant", "m1", "--phone", phone), `nickname a\x1b[2Jb\tc`)
}

// An export of a sandbox says what holds by the sandbox's own clock.
func TestExportByTheMerchantsClock(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.app("m1")
	s := r.serve()
	register(t, s, app)
	now := strconv.FormatInt(time.Now().UnixMilli(), 10)
	s.must("wk.coupon.template.add", app, `{"third_coupon_id":"T1","coupon_category":0,"name":"满减","discount_fee":1000,"coupon_type":0,"fixed_term":1,"rules":"全场"}`)
	s.must("wk.coupon.give", app, `{"third_coupon_id":"T1","number":1,"create_time":`+now+`,"coupon_set":[{"open_id":"`+phone+`","coupon_number":"c1"}]}`)
	state := func() any {
		exported := decode(t, r.on("member", "export", "--merchant", "m1", "--phone", phone))
		coupons, _ := exported["coupons"].([]any)
		if len(coupons) != 1 {
			t.Fatalf("coupons: %v", coupons)
		}
		coupon, _ := coupons[0].(map[string]any)
		return coupon["state"]
	}
	if got := state(); got != "valid" {
		t.Errorf("given: %v", got)
	}
	r.on("clock", "advance", "--merchant", "m1", "--by", "72h")
	if got := state(); got != "expired" {
		t.Errorf("three days later: %v", got)
	}
}
