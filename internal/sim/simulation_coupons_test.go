package sim_test

import (
	"encoding/json"
	"fmt"

	"github.com/memberd/memberd/internal/loyalty"
)

// template is gateway 5.1.
func (c *simClient) template(*simMember) *simOp {
	number := c.id("p")
	terms := loyalty.TemplateTerms{
		Name: "满减", Category: loyalty.OrderOff, Discount: 1_000, MinimumFee: 5_000, Rules: "限本人", Term: 1 + c.rng().IntN(15),
		Quantity: c.rng().Int64N(12), ClaimLimit: c.rng().Int64N(4), CentreStatus: 1, Restriction: loyalty.Restriction(2),
	}
	body := map[string]any{
		"third_coupon_id": number, "name": terms.Name, "coupon_category": int(terms.Category), "discount_fee": terms.Discount,
		"minimum_fee": terms.MinimumFee, "rules": terms.Rules, "coupon_type": 0, "fixed_term": terms.Term,
		"quantity": terms.Quantity, "claim_number": terms.ClaimLimit,
	}
	key := loyalty.TemplateKey{Space: c.app.Space, Number: number}
	op := newOp(c, "template", "wk.coupon.template.add", body, loyalty.AddTemplate{Merchant: c.app.MerchantID, App: c.app.ID, Template: key, Terms: terms})
	op.fresh = func(t *simTruth) (int64, string) { return t.templates[key], "" }
	op.check = func(result any, data json.RawMessage) string { return exactly(data, result.(loyalty.TemplateAdded).ID) }
	op.learn = func(any) { c.templates = append(c.templates, number) }
	return op
}

// give is gateway 5.2, to one or two members.
func (c *simClient) give(m *simMember) *simOp {
	n := len(c.templates)
	if n == 0 {
		return c.template(m)
	}
	at := c.run.clock.Now()
	command := loyalty.GiveCoupons{
		Merchant: c.app.MerchantID, App: c.app.ID, Each: 1 + c.rng().Int64N(2), ReceivedAt: loyalty.InstantOf(at),
		Template: loyalty.TemplateKey{Space: c.app.Space, Number: c.templates[max(n-1-c.rng().IntN(3), 0)]},
	}
	to := []*simMember{m}
	if other := c.member(); other != m && c.chance(40) {
		to = append(to, other)
	}
	var set []map[string]any
	var mine []simCoupon
	for _, m := range to {
		for range command.Each {
			number := c.id("k")
			set = append(set, map[string]any{"open_id": m.openID, "coupon_number": number})
			command.Entries = append(command.Entries, loyalty.CouponGift{Who: loyalty.Who{OpenID: m.openID}, Number: number})
			mine = append(mine, simCoupon{m, number, ""})
		}
	}
	body := map[string]any{
		"third_coupon_id": command.Template.Number, "number": command.Each, "create_time": at.UnixMilli(), "coupon_set": set,
	}
	op := newOp(c, "give", "wk.coupon.give", body, command)
	op.fresh = func(t *simTruth) (int64, string) {
		var first int64
		for _, e := range command.Entries {
			id := t.fresh[loyalty.OrderKey{Space: c.app.Space, No: e.Number}]
			if id != 0 && (first == 0 || id < first) {
				first = id
			}
		}
		return first, ""
	}
	op.check = func(result any, data json.RawMessage) string {
		type row struct {
			Code    int64  `json:"code"`
			CodeStr string `json:"code_str"`
			OpenID  string `json:"open_id"`
			OpenID2 string `json:"openId"`
		}
		var rows []row
		for _, g := range result.(loyalty.CouponsGiven).Coupons {
			code := loyalty.CouponCode(g.Member, g.Seq)
			rows = append(rows, row{code, fmt.Sprint(code), g.OpenID, g.OpenID})
		}
		return exactly(data, rows)
	}
	op.learn = func(result any) {
		for i, g := range result.(loyalty.CouponsGiven).Coupons {
			mine[i].code = fmt.Sprint(loyalty.CouponCode(g.Member, g.Seq))
			c.coupons = append(c.coupons, mine[i])
		}
	}
	return op
}

// coupon is one of the client's last, by its number or its code.
func (c *simClient) coupon() (simCoupon, string) {
	k := c.coupons[max(len(c.coupons)-1-c.rng().IntN(6), 0)]
	if c.chance(50) {
		return k, k.code
	}
	return k, k.number
}

// verify is gateway 5.4.
func (c *simClient) verify(m *simMember) *simOp {
	if len(c.coupons) == 0 {
		return c.give(m)
	}
	k, code := c.coupon()
	at, order := c.run.clock.Now(), c.id("o")
	if n := len(c.orders); n > 0 && c.chance(60) {
		order = c.orders[n-1].no
	}
	body := map[string]any{"order_no": order, "third_coupon_codes": code, "verification_time": at.UnixMilli()}
	command := loyalty.RedeemCoupons{Space: c.app.Space, OrderNo: order, Codes: []string{code}, At: loyalty.InstantOf(at)}
	command.Who = c.names(body, k.member)
	op := newOp(c, "verify", "wk.coupon.verification", body, command)
	op.check = func(any, json.RawMessage) string { return "" }
	return op
}

// sync is gateway 5.3.
func (c *simClient) sync(m *simMember) *simOp {
	if len(c.coupons) == 0 {
		return c.give(m)
	}
	k, code := c.coupon()
	state := c.rng().IntN(5)
	body := map[string]any{"third_coupon_code": code, "status": state}
	command := loyalty.SyncCoupon{Space: c.app.Space, Code: code, State: loyalty.CouponState(state)}
	command.Who = c.names(body, k.member)
	op := newOp(c, "sync", "wk.coupon.sync.status", body, command)
	op.check = func(result any, data json.RawMessage) string {
		return exactly(data, result.(loyalty.CouponSynced).Coupon.Number)
	}
	return op
}
