package sim_test

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

// reading makes a query about a member; check compares the answer with what the
// model has of it.
func (c *simClient) reading(name, method string, body map[string]any, who loyalty.Who, check func(s *loyaltytest.State, member loyalty.Member, entries []loyalty.Entry, now loyalty.Instant, data json.RawMessage) string) *simOp {
	return &simOp{
		name: name, client: c, call: call{method, body}, merchant: c.app.MerchantID, reads: true,
		look: func(m *simModel, now loyalty.Instant) (int, func(json.RawMessage) string) {
			member, entries, ok := m.member(who, now)
			if !ok {
				return codeNotMember, nil
			}
			state := *m.dump() // as it is when the query is made
			return 0, func(data json.RawMessage) string { return check(&state, member, entries, now, data) }
		},
	}
}

// query is gateway 3.2.
func (c *simClient) query(m *simMember) *simOp {
	body := map[string]any{}
	who := c.names(body, m)
	return c.reading("query", "wk.user.info.query", body, who,
		func(state *loyaltytest.State, member loyalty.Member, _ []loyalty.Entry, now loyalty.Instant, data json.RawMessage) string {
			usable := 0
			for _, k := range state.Coupons {
				if k.Member == member.ID && k.Usable(now) {
					usable++
				}
			}
			level, _ := c.run.model.rules[member.Merchant].LevelOf(member)
			want := map[string]any{
				"score": member.Balance, "growth_value": member.Growth, "open_id": member.OpenID, "user_num": fmt.Sprint(member.ID),
				"phone": m.phone, "register_time": int64(member.RegisteredAt), "coupon_num": usable, "level_num": nil,
			}
			if level != nil {
				want["level_num"] = level.Number
			}
			return same(data, want)
		})
}

// totals is envelope 2.4.
func (c *simClient) totals(m *simMember) *simOp {
	body := map[string]any{}
	who := c.byID(body, m)
	return c.reading("totals", "/member/score/statisticalScore", body, who,
		func(_ *loyaltytest.State, member loyalty.Member, _ []loyalty.Entry, _ loyalty.Instant, data json.RawMessage) string {
			return same(data, map[string]any{"currentScore": member.Balance, "totalScore": member.Earned, "usedScore": member.Used})
		})
}

// ledger is gateway 3.5, a page of it.
func (c *simClient) ledger(m *simMember) *simOp {
	size, direction := 1+c.rng().IntN(12), c.rng().IntN(3)
	body := map[string]any{"pageNo": 1, "pageSize": size, "score_type": direction}
	who := c.names(body, m)
	return c.reading("ledger", "wk.user.score.record", body, who,
		func(_ *loyaltytest.State, _ loyalty.Member, entries []loyalty.Entry, _ loyalty.Instant, data json.RawMessage) string {
			var got, want []string
			var lines []line
			if err := json.Unmarshal(data, &lines); err != nil {
				return err.Error()
			}
			for _, l := range lines {
				got = append(got, fmt.Sprint(l.Statement, l.Amount))
			}
			for _, e := range slices.Backward(entries) {
				if (direction == 0 || int(e.Kind.Direction()) == direction) && len(want) < size {
					want = append(want, fmt.Sprint(loyalty.StatementID(e.Member, e.No), e.Points))
				}
			}
			if !slices.Equal(got, want) {
				return fmt.Sprintf("the lines are %q, should be %q", got, want)
			}
			return ""
		})
}

// couponList is gateway 5.5.
func (c *simClient) couponList(m *simMember) *simOp {
	body := map[string]any{"pageSize": 100}
	who := c.names(body, m)
	return c.reading("coupon list", "wk.coupon.user.list", body, who,
		func(state *loyaltytest.State, member loyalty.Member, _ []loyalty.Entry, now loyalty.Instant, data json.RawMessage) string {
			var rows []struct {
				Code   string `json:"coupon_code_str"`
				Status int    `json:"status"`
			}
			if err := json.Unmarshal(data, &rows); err != nil {
				return err.Error()
			}
			var got, want []string
			for _, row := range rows {
				got = append(got, fmt.Sprint(row.Code, " ", row.Status))
			}
			for _, k := range slices.Backward(state.Coupons) {
				if k.Member != member.ID || len(want) == 100 {
					continue
				}
				state := k.StateAt(now)
				if k.Expired(now) {
					state = loyalty.CouponDeleted
				}
				want = append(want, fmt.Sprint(k.Code(), " ", int(state)))
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				return fmt.Sprintf("the coupons are %q, should be %q", got, want)
			}
			return ""
		})
}

// memberList is envelope 1.2.
func (c *simClient) memberList(*simMember) *simOp {
	return &simOp{
		name: "member list", client: c, call: call{"/member/getMembers", map[string]any{"pageSize": 50}}, merchant: c.app.MerchantID, reads: true,
		look: func(m *simModel, now loyalty.Instant) (int, func(json.RawMessage) string) {
			var want []string
			for _, x := range m.dump().Members {
				if x.Merchant == c.app.MerchantID {
					now, _, _ := m.member(loyalty.Who{Merchant: x.Merchant, ID: x.ID}, now)
					want = append(want, fmt.Sprint(loyalty.MemberIDText(x.ID), " ", now.Balance))
				}
			}
			slices.Sort(want)
			return 0, func(data json.RawMessage) string {
				var list struct {
					Members []struct {
						ID    string `json:"memberId"`
						Score int64  `json:"currentScore"`
					} `json:"memberList"`
				}
				if err := json.Unmarshal(data, &list); err != nil {
					return err.Error()
				}
				var got []string
				for _, x := range list.Members {
					got = append(got, fmt.Sprint(x.ID, " ", x.Score))
				}
				slices.Sort(got)
				if !slices.Equal(got, want) {
					return fmt.Sprintf("the members are %q, should be %q", got, want)
				}
				return ""
			}
		},
	}
}
