package gateway

import (
	"testing"
	"time"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
)

func TestRefundOrder(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{})
	s.each(methodRefund,
		"the document's example: no JSON", refundExample,
		"its quotes repaired, but nobody has the phone", refundRepaired,
	)
	s.Register("", loyalty.Profile{Phone: otherPhone})
	s.each(methodRefund, "and no such order", refundRepaired)
	s.each(methodOrder, "the order", `{"phone":"19921361967","order_no":"test-order-no7","order_amount":1000.4,"order_score":100,"consume_date":"2021-08-23 00:00:00"}`)
	s.each(methodRefund,
		"the repaired example: no points are taken back", refundRepaired,
		"the same again: the first answer", refundRepaired,
		"nothing is left of the order", with(refundRepaired, "no9", "no10", "1000.4", "0.01"),
	)
	s.each(methodOrder, "100 yuan, 50 points", orderBody("o1", "100", `,"order_score":50`))
	s.each(methodChange, "10 more for the order through 3.3", with(body("event_add", "10", "c1"), `"score"`, `"out_biz_no":"o1","score"`))
	s.each(methodRefund,
		"a part, camelCase", `{"phone":"15900947949","orderNo":"r1","parentOrderNo":"o1","orderAmount":"30","orderScore":15,"consumeDate":"2026-11-22 09:00:00","desc":"退一件"}`,
		"the same again, another date", refundBody("r1", "o1", "30", `,"order_score":15`),
		"the number with another amount", refundBody("r1", "o1", "30.01", `,"order_score":15`),
		"with another order", refundBody("r1", "test-order-no7", "30", `,"order_score":15`),
		"no score: nothing is taken back of what the caller granted", refundBody("r2", "o1", "20", ""),
	)
	s.each(methodOrder, "an order under the refund's number", orderBody("r1", "1", ""))
	s.each(methodRefund,
		"all the rest, with the points of 3.3", refundBody("r3", "o1", "50", `,"order_score":45`),
		"a refund of nothing", refundBody("r4", "o1", "0", `,"order_score":0`),
	)
	if m := s.member(); m.Balance != 0 || m.Growth != 0 || m.ConsumeCount != 0 || m.ConsumeFen != 0 {
		t.Errorf("balance %d, growth %d, %d orders of %d fen", m.Balance, m.Growth, m.ConsumeCount, m.ConsumeFen)
	}
	s.each(methodRecord, "3.5", `{"phone":"15900947949"}`)
	s.golden("refund_order")
}

// TestRefundOrderRefused has each refusal in the order of precedence, and
// nothing is booked by any of them; the preview refuses alike.
func TestRefundOrderRefused(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{})
	s.Register("", loyalty.Profile{Phone: otherPhone})
	s.each(methodOrder,
		"100 yuan, 50 points", orderBody("o1", "100", `,"order_score":50`),
		"another member's order", with(orderBody("theirs", "100", `,"order_score":50`), openID, otherPhone),
	)
	s.each(methodRefund, "10 yuan of it, 5 points", refundBody("r1", "o1", "10", `,"order_score":5`))
	s.each(methodChange, "40 points are spent", body("event_subtract", "40", "spend"))
	before := s.member().Member
	refused := []string{
		"no number of the order", refundBody("x", "", "1", ""),
		"both numbers are one", refundBody("o1", "o1", "1", ""),
		"three decimals", refundBody("x", "o1", "0.001", ""),
		"a negative amount", refundBody("x", "o1", "-1", ""),
		"a negative score", refundBody("x", "o1", "1", `,"order_score":-1`),
		"nobody", with(refundBody("x", "o1", "1", ""), openID, ""),
		"a malformed phone", with(refundBody("x", "o1", "1", `,"phone":"1"`), openID, ""),
		"six minutes ahead", with(refundBody("x", "o1", "1", ""), "2026-11-21 18:30:00", "2026-11-22 10:06:00"),
		"an unknown member, and an unknown order", with(refundBody("x", "nil", "1", ""), openID, noOpenID),
		"an unknown order, and a taken number", refundBody("r1x", "nil", "1", ""),
		"a refund of a refund", refundBody("x", "r1", "1", ""),
		"a refund of another member's order", refundBody("x", "theirs", "1", ""),
		"the number of another order, and too much money", refundBody("theirs", "o1", "91", ""),
		"more money than is left", refundBody("x", "o1", "90.01", `,"order_score":0`),
		"more points than are left, and than the balance has: 1001 first", refundBody("x", "o1", "1", `,"order_score":46`),
		"points that are spent", refundBody("x", "o1", "1", `,"order_score":6`),
	}
	s.each(methodRefund, append([]string{"no number of its own", refundBody("", "o1", "1", "")}, refused...)...)
	s.each(methodPreview, refused...)
	s.call("another merchant's app", doortest.GatewayCall{Method: methodRefund, App: s.Other, Body: refundBody("x", "o1", "1", "")})
	if after := s.member().Member; after != before {
		t.Errorf("something was booked: %+v, before %+v", after, before)
	}
	s.disable()
	s.each(methodRefund, "a disabled member gets its money back", refundBody("r2", "o1", "10", `,"order_score":5`))
	s.erase()
	s.each(methodRefund, "an erased member", refundBody("r3", "o1", "10", `,"order_score":0`))
	s.golden("refund_order_refused")
}

func TestRefundBeforeItsOrder(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{Settings: func(s *loyalty.Settings) { s.Orders.EarlyRefund = loyalty.EarlyPark }})
	early := refundBody("r1", "o1", "40", `,"order_score":20`)
	s.each(methodPreview, "nothing to look at yet", refundBody("", "o1", "40", `,"order_score":20`))
	s.each(methodRefund,
		"the order is not known: parked", early,
		"the same again", early,
		"too much of it", refundBody("r2", "o1", "61", `,"order_score":0`),
		"another member's order would be", refundBody("r3", "o2", "1", ""),
	)
	s.each(methodOrder, "the order: its answer is its own", orderBody("o1", "100", `,"order_score":50`))
	s.each(methodRefund, "the first refund again: the first answer", early, "more than is left now", refundBody("r4", "o1", "60.01", ""))
	if m := s.member(); m.Balance != 30 || m.Growth != 60 {
		t.Errorf("balance %d, growth %d, want 30 and 60", m.Balance, m.Growth)
	}
	s.golden("refund_parked")
}

// TestRefundPreview: what the preview says is what the refund then does, and it
// books nothing.
func TestRefundPreview(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]func(*loyalty.Settings){
		"refund_preview":             func(*loyalty.Settings) {},
		"refund_preview_deficit":     func(s *loyalty.Settings) { s.Clawback = loyalty.ClawbackNegative },
		"refund_preview_written_off": func(s *loyalty.Settings) { s.Clawback = loyalty.ClawbackFloor },
		"refund_preview_pending":     func(s *loyalty.Settings) { s.Points.WaitingDays = 7 },
		"refund_preview_lapsed": func(s *loyalty.Settings) {
			s.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 3}
		},
		"refund_preview_without_end": func(s *loyalty.Settings) { s.Points.Validity = loyalty.Validity{Kind: loyalty.Unlimited} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := registered(t, doortest.Options{Settings: settings})
			s.each(methodOrder, "1000 yuan, 50 points", orderBody("o1", "1000", `,"order_score":50`))
			switch name {
			case "refund_preview_deficit", "refund_preview_written_off":
				s.change("event_subtract", 45, "")
			case "refund_preview_lapsed":
				s.Clock.Advance(4 * 24 * time.Hour)
				s.add(8, "")
			case "refund_preview":
				s.Clock.Advance(400 * 24 * time.Hour)
				s.add(30, "")
			}
			before := s.member().Member
			whole := refundBody("r1", "o1", "1000", `,"order_score":50`)
			s.each(methodPreview, "all of it", whole, "no score, no number", refundBody("", "o1", "700.01", ""))
			if after := s.member().Member; after != before {
				t.Errorf("the preview booked: %+v, before %+v", after, before)
			}
			s.each(methodRefund, "and so it comes", whole)
			s.each(methodInfoQuery, "3.2", `{"phone":"15900947949"}`)
			s.golden(name)
		})
	}
}
