package store

import (
	"fmt"

	"github.com/memberd/memberd/internal/loyalty"
)

const orderColumns = `
	member_id,
	order_seq,
	order_id,
	kind,
	state,
	booked_at,
	consumed_at,
	amount,
	points,
	growth,
	entry_no,
	refunded,
	taken_back,
	growth_back,
	space,
	number,
	parent,
	rule,
	app_id`

const orderInts, orderTexts = 14, 5

func orderRecord(o *loyalty.Order) record {
	return record{
		[]int64{
			o.Member, o.Seq, o.ID, int64(o.Kind), int64(o.State), int64(o.BookedAt), int64(o.ConsumedAt),
			o.Amount, o.Points, o.Growth, o.Entry, o.Refunded, o.TakenBack, o.GrowthBack,
		},
		[]string{o.Space, o.No, o.Parent, o.Decision.String(), o.App},
	}
}

func scanOrder(row scanner) (o loyalty.Order, err error) {
	err = scanOrderAnd(row, &o)
	return o, err
}

// scanOrderAnd reads an order and what follows its columns.
func scanOrderAnd(row scanner, o *loyalty.Order, more ...any) error {
	var rule string
	if err := row.Scan(append([]any{
		&o.Member, &o.Seq, &o.ID, &o.Kind, &o.State, &o.BookedAt, &o.ConsumedAt,
		&o.Amount, &o.Points, &o.Growth, &o.Entry, &o.Refunded, &o.TakenBack, &o.GrowthBack,
		&o.Space, &o.No, &o.Parent, &rule, &o.App,
	}, more...)...); err != nil {
		return err
	}
	decision, err := loyalty.ParseDecision(rule)
	if err != nil {
		return fmt.Errorf("order %d of member %d: rule is no JSON", o.Seq, o.Member)
	}
	o.Decision = *decision
	return nil
}

// orderChanges is all of an order that a later command can change.
const orderChanges = `
	state,
	points,
	growth,
	entry_no,
	refunded,
	taken_back,
	growth_back,
	rule`

const orderChangeInts, orderChangeTexts = 9, 1

// orderChangeRecord is the order's key and its changes.
func orderChangeRecord(o *loyalty.Order) record {
	return record{
		[]int64{o.Member, o.Seq, int64(o.State), o.Points, o.Growth, o.Entry, o.Refunded, o.TakenBack, o.GrowthBack},
		[]string{o.Decision.String()},
	}
}

const couponColumns = `
	member_id,
	coupon_seq,
	coupon_id,
	template_id,
	state,
	given_at,
	received_at,
	begin_at,
	end_at,
	used_at,
	lapsed,
	space,
	number,
	receive_store,
	used_for,
	used_store,
	app_id`

const couponInts, couponTexts = 11, 6

func couponRecord(c *loyalty.Coupon) record {
	return record{
		[]int64{
			c.Member, c.Seq, c.ID, c.Template, int64(c.State), int64(c.GivenAt), int64(c.ReceivedAt),
			int64(c.BeginAt), int64(c.EndAt), int64(c.UsedAt), flag(c.Lapsed),
		},
		[]string{c.Space, c.Number, c.ReceiveStore, c.UsedFor, c.UsedStore, c.App},
	}
}

// couponFields is where a coupon's columns are scanned to.
func couponFields(c *loyalty.Coupon) []any {
	return []any{
		&c.Member, &c.Seq, &c.ID, &c.Template, &c.State, &c.GivenAt, &c.ReceivedAt,
		&c.BeginAt, &c.EndAt, &c.UsedAt, (*flagColumn)(&c.Lapsed),
		&c.Space, &c.Number, &c.ReceiveStore, &c.UsedFor, &c.UsedStore, &c.App,
	}
}

func scanCoupon(row scanner) (c loyalty.Coupon, err error) {
	err = row.Scan(couponFields(&c)...)
	return c, err
}

// couponChangeRecord is the coupon's key and all that a later command can
// change.
func couponChangeRecord(c *loyalty.Coupon) record {
	return record{[]int64{c.Member, c.Seq, int64(c.State), int64(c.UsedAt), flag(c.Lapsed)}, []string{c.UsedFor, c.UsedStore}}
}

const templateColumns = `
	template_id,
	issued,
	created_at,
	merchant_id,
	space,
	number,
	app_id,
	terms`

const templateInts, templateTexts = 3, 5

func templateRecord(t *loyalty.Template) record {
	return record{
		[]int64{t.ID, t.Issued, int64(t.CreatedAt)},
		[]string{t.Merchant, t.Space, t.Number, t.App, t.Document()},
	}
}

func scanTemplate(row scanner) (t loyalty.Template, err error) {
	var terms string
	if err := row.Scan(&t.ID, &t.Issued, &t.CreatedAt, &t.Merchant, &t.Space, &t.Number, &t.App, &terms); err != nil {
		return t, err
	}
	if t.TemplateTerms, err = loyalty.ParseTemplateTerms(terms); err != nil {
		return t, fmt.Errorf("template %d: %w", t.ID, err)
	}
	return t, nil
}

func issuedRecord(t *loyalty.Template) record { return record{ints: []int64{t.ID, t.Issued}} }

const claimColumns = `
	member_id,
	template_id,
	count`

const claimInts = 3

func claimRecord(c *loyalty.Claims) record {
	return record{ints: []int64{c.Member, c.Template, c.Count}}
}

func scanClaim(row scanner) (c loyalty.Claims, err error) {
	err = row.Scan(&c.Member, &c.Template, &c.Count)
	return c, err
}

// memberLabel and memberCard are marks as their rows have them.
type (
	memberLabel struct {
		member          int64
		merchant, label string
	}
	memberCard struct {
		member   int64
		merchant string
		loyalty.PaidCard
	}
)

const labelColumns = `
	member_id,
	label,
	merchant_id`

const labelInts, labelTexts = 1, 2

func labelRecord(l *memberLabel) record {
	return record{[]int64{l.member}, []string{l.label, l.merchant}}
}

func scanLabel(row scanner) (l memberLabel, err error) {
	err = row.Scan(&l.member, &l.label, &l.merchant)
	return l, err
}

const cardColumns = `
	member_id,
	expires_at,
	card_id,
	merchant_id,
	name`

const cardInts, cardTexts = 2, 3

func cardRecord(c *memberCard) record {
	return record{[]int64{c.member, int64(c.ExpiresAt)}, []string{c.ID, c.merchant, c.Name}}
}

func scanCard(row scanner) (c memberCard, err error) {
	err = row.Scan(&c.member, &c.ExpiresAt, &c.ID, &c.merchant, &c.Name)
	return c, err
}

// marksOf puts the marks of members together; both lists are ascending.
func marksOf(labels []memberLabel, cards []memberCard) map[int64]loyalty.Marks {
	marks := map[int64]loyalty.Marks{}
	for _, l := range labels {
		m := marks[l.member]
		m.Labels = append(m.Labels, l.label)
		marks[l.member] = m
	}
	for _, c := range cards {
		m := marks[c.member]
		m.Cards = append(m.Cards, c.PaidCard)
		marks[c.member] = m
	}
	return marks
}
