package sim_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// statement of an order: its entry, else its number.
func checkOrder(result any, data json.RawMessage) string {
	done := result.(loyalty.OrderBooked)
	want := map[string]any{"order_id": done.ID, "order_score": done.Points, "statement_id": fmt.Sprint(done.ID)}
	if done.Entry != 0 {
		want["statement_id"] = loyalty.StatementID(done.Member, done.Entry)
	}
	if done.Parked {
		want["order_score"], want["parked"] = 0, true
	}
	return same(data, want)
}

// order is gateway 4.1, sometimes days late.
func (c *simClient) order(m *simMember) *simOp {
	no := c.id("o")
	fen := 100 + c.rng().Int64N(20_000)
	at := c.run.clock.Now().Add(-time.Duration(c.rng().IntN(40)) * time.Minute)
	if c.chance(10) {
		at = at.AddDate(0, 0, -c.rng().IntN(10))
	}
	o := simOrder{m, no, fen}
	if early := c.run.early[c.app.Space+c.app.MerchantID]; len(early) > 0 && c.chance(40) { // what a refund waits for
		o = early[0]
		c.run.early[c.app.Space+c.app.MerchantID] = early[1:]
	}
	body := map[string]any{"order_no": o.no, "order_amount": fmt.Sprintf("%d.%02d", o.fen/100, o.fen%100), "consume_date": at.UnixMilli()}
	command := loyalty.RecordOrder{
		Order: loyalty.OrderKey{Space: c.app.Space, No: o.no}, Amount: o.fen, ConsumedAt: loyalty.InstantOf(at), App: c.app.ID,
	}
	if c.chance(30) {
		command.Points, command.Given = c.rng().Int64N(100), true
		body["order_score"] = command.Points
	}
	command.Who = c.names(body, o.member)
	op := newOp(c, "order", "wk.user.consume.order", body, command)
	op.fresh = func(t *simTruth) (int64, string) { return t.orders[command.Order], "" }
	op.check = checkOrder
	op.learn = func(any) { c.orders = append(c.orders, o) }
	return op
}

// refund is gateway 4.2, sometimes before its order.
func (c *simClient) refund(m *simMember) *simOp {
	no := c.id("f")
	o := simOrder{m, c.id("o"), 100 + c.rng().Int64N(20_000)}
	if n := len(c.orders); n > 0 && !c.chance(12) {
		o = c.orders[max(n-1-c.rng().IntN(8), 0)]
	} else if n > 0 {
		c.run.early[c.app.Space+c.app.MerchantID] = append(c.run.early[c.app.Space+c.app.MerchantID], o)
	} else {
		return c.order(m)
	}
	fen := []int64{o.fen, o.fen / 2, o.fen / 3, o.fen + 1}[c.rng().IntN(4)]
	at := c.run.clock.Now()
	body := map[string]any{
		"order_no": no, "parent_order_no": o.no, "order_amount": fmt.Sprintf("%d.%02d", fen/100, fen%100), "consume_date": at.UnixMilli(),
	}
	command := loyalty.RefundOrder{
		Order: loyalty.OrderKey{Space: c.app.Space, No: no}, Parent: o.no, Amount: fen, ConsumedAt: loyalty.InstantOf(at), App: c.app.ID,
	}
	if c.chance(30) {
		command.Points, command.Given = c.rng().Int64N(50), true
		body["order_score"] = command.Points
	}
	command.Who = c.names(body, o.member)
	op := newOp(c, "refund", "wk.user.refund.order", body, command)
	op.fresh = func(t *simTruth) (int64, string) { return t.orders[command.Order], "" }
	op.check = checkOrder
	return op
}
