package storetest

import (
	"encoding/json"
	"strconv"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

// orders dumps orders, coupons, levels and marks.
func (d *dumper) orders(s *loyaltytest.State) {
	s.Orders = rows(d, "SELECT member_id, order_seq, order_id, space, number, kind, state, parent, booked_at, consumed_at, amount, points, growth, entry_no, refunded, taken_back, growth_back, rule, app_id FROM member_order ORDER BY member_id, order_seq", dumpOrder)
	s.OrderInfos = rows(d, "SELECT member_id, order_seq, detail, sealed FROM order_detail ORDER BY member_id, order_seq", d.info)
	s.Coupons = rows(d, "SELECT member_id, coupon_seq, coupon_id, template_id, space, number, state, given_at, received_at, begin_at, end_at, receive_store, used_at, used_for, used_store, lapsed, app_id FROM coupon ORDER BY member_id, coupon_seq", dumpCoupon)
	s.Claims = rows(d, "SELECT member_id, template_id, count FROM coupon_claim ORDER BY member_id, template_id", dumpClaim)
	s.LevelMoves = rows(d, "SELECT member_id, move_no, at, from_level, to_level FROM level_move ORDER BY member_id, move_no", dumpMove)
	s.Tallies = rows(d, "SELECT member_id, name, day, points FROM tally", dumpTally)
	s.Templates = rows(d, "SELECT template_id, merchant_id, space, number, issued, created_at, app_id, terms FROM coupon_template ORDER BY template_id", dumpTemplate)
	s.Events = rows(d, "SELECT member_id, app_id, event_no, kind, ref, from_value, to_value, at FROM callback_event ORDER BY member_id, event_no", dumpEvent)
	s.Streams = rows(d, "SELECT member_id, app_id, last_no FROM callback_stream", dumpStream)
	labels := rows(d, "SELECT member_id, merchant_id, label FROM member_label ORDER BY member_id, label", dumpLabel)
	cards := rows(d, "SELECT member_id, merchant_id, card_id, name, expires_at FROM paid_card ORDER BY member_id, card_id", dumpCard)
	for _, m := range s.Members {
		all := loyalty.MarksRow{Member: m.ID}
		for _, row := range append(labels, cards...) {
			if row.Member == m.ID {
				all.Merchant = row.Merchant
				all.Labels = append(all.Labels, row.Labels...)
				all.Cards = append(all.Cards, row.Cards...)
			}
		}
		if all.Merchant != "" {
			s.Marks = append(s.Marks, all)
		}
	}
}

func dumpOrder(scan scan) (o loyalty.Order, err error) {
	var rule string
	if err := scan(&o.Member, &o.Seq, &o.ID, &o.Space, &o.No, &o.Kind, &o.State, &o.Parent, &o.BookedAt, &o.ConsumedAt,
		&o.Amount, &o.Points, &o.Growth, &o.Entry, &o.Refunded, &o.TakenBack, &o.GrowthBack, &rule, &o.App); err != nil {
		return o, err
	}
	return o, json.Unmarshal([]byte(rule), &o.Decision)
}

func (d *dumper) info(scan scan) (i loyalty.OrderInfoRow, err error) {
	var detail, sealed string
	if err := scan(&i.Member, &i.Seq, &detail, &sealed); err != nil {
		return i, err
	}
	i.Merchant = d.merchants[i.Member]
	if detail != "" {
		if err := json.Unmarshal([]byte(detail), &i.OrderInfo); err != nil {
			return i, err
		}
	}
	if sealed == "" {
		return i, nil
	}
	plain, err := d.keys.Open(sealed, i.Merchant, strconv.FormatInt(i.Member, 10), "order papers", strconv.FormatInt(i.Seq, 10))
	if err != nil {
		return i, err
	}
	return i, json.Unmarshal(plain, &i.Papers)
}

func dumpCoupon(scan scan) (c loyalty.Coupon, err error) {
	var lapsed int64
	err = scan(&c.Member, &c.Seq, &c.ID, &c.Template, &c.Space, &c.Number, &c.State, &c.GivenAt, &c.ReceivedAt,
		&c.BeginAt, &c.EndAt, &c.ReceiveStore, &c.UsedAt, &c.UsedFor, &c.UsedStore, &lapsed, &c.App)
	c.Lapsed = lapsed != 0
	return c, err
}

func dumpClaim(scan scan) (c loyalty.Claims, err error) {
	err = scan(&c.Member, &c.Template, &c.Count)
	return c, err
}

func dumpMove(scan scan) (m loyalty.LevelMove, err error) {
	err = scan(&m.Member, &m.No, &m.At, &m.From, &m.To)
	return m, err
}

func dumpTally(scan scan) (t loyalty.Tally, err error) {
	err = scan(&t.Member, &t.Name, &t.Day, &t.Points)
	return t, err
}

func dumpTemplate(scan scan) (t loyalty.Template, err error) {
	var terms string
	if err := scan(&t.ID, &t.Merchant, &t.Space, &t.Number, &t.Issued, &t.CreatedAt, &t.App, &terms); err != nil {
		return t, err
	}
	t.TemplateTerms, err = loyalty.ParseTemplateTerms(terms)
	return t, err
}

func dumpLabel(scan scan) (m loyalty.MarksRow, err error) {
	m.Labels = make([]string, 1)
	err = scan(&m.Member, &m.Merchant, &m.Labels[0])
	return m, err
}

func dumpCard(scan scan) (m loyalty.MarksRow, err error) {
	m.Cards = make([]loyalty.PaidCard, 1)
	err = scan(&m.Member, &m.Merchant, &m.Cards[0].ID, &m.Cards[0].Name, &m.Cards[0].ExpiresAt)
	return m, err
}

func dumpEvent(scan scan) (c loyalty.Callback, err error) {
	err = scan(&c.Member, &c.App, &c.No, &c.Kind, &c.Ref, &c.From, &c.To, &c.At)
	return c, err
}

func dumpStream(scan scan) (s loyalty.Stream, err error) {
	err = scan(&s.Member, &s.App, &s.Last)
	return s, err
}
