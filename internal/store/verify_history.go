package store

import (
	"context"
	"fmt"

	"github.com/memberd/memberd/internal/loyalty"
)

// window is a few neighbouring members of a range whose histories are read
// together: entries, then orders, then coupons.
type window struct {
	*verifying
	from, to int64 // both included
	members  map[int64]*windowMember
}

type windowMember struct {
	*verifiedMember
	verifier *loyalty.Verifier
}

func (w *window) run(ctx context.Context, members []verifiedMember) error {
	for i := range members {
		m := &members[i]
		w.members[m.ID] = &windowMember{m, loyalty.NewVerifier(m.ID)}
	}
	for _, read := range []func(context.Context) error{w.entries, w.orders, w.details, w.coupons} {
		if err := read(ctx); err != nil {
			return err
		}
	}
	for i := range members {
		w.compare(w.members[members[i].ID].verifier, &members[i])
	}
	return nil
}

// of is the member that a row belongs to, nil for nobody's.
func (w *window) of(member int64, what string, no int64) *windowMember {
	m := w.members[member]
	if m == nil {
		w.differ(member, fmt.Sprintf("%s %d", what, no), "of a member", "no such member")
	}
	return m
}

const verifyEntries = `SELECT ` + entryColumns + `
	FROM entry
	WHERE member_id BETWEEN ? AND ?
	ORDER BY
		member_id,
		entry_no`

func (w *window) entries(ctx context.Context) error {
	return each(ctx, w.tx, func(row scanner) error {
		e, err := scanEntry(row)
		if err != nil {
			return err
		}
		if m := w.of(e.Member, "entry", e.No); m != nil {
			m.verifier.Entry(e)
		}
		return nil
	}, verifyEntries, w.from, w.to)
}

// verifyOrders and verifyCoupons say as well where the row's number leads to.
var (
	verifyOrders = `SELECT ` + prefixed("o", orderColumns) + `,
	coalesce(i.member_id, 0),
	coalesce(i.row_no, 0)
	FROM member_order o
	LEFT JOIN member m ON m.member_id = o.member_id
	LEFT JOIN identity i ON i.merchant_id = m.merchant_id
		AND i.kind = 'order'
		AND i.value = o.space || '/' || o.number
	WHERE o.member_id BETWEEN ? AND ?
	ORDER BY
		o.member_id,
		o.order_seq`

	verifyCoupons = `SELECT ` + prefixed("c", couponColumns) + `,
	coalesce(i.member_id, 0),
	coalesce(i.row_no, 0)
	FROM coupon c
	LEFT JOIN member m ON m.member_id = c.member_id
	LEFT JOIN identity i ON i.merchant_id = m.merchant_id
		AND i.kind = 'coupon'
		AND i.value = c.space || '/' || c.number
	WHERE c.member_id BETWEEN ? AND ?
	ORDER BY
		c.member_id,
		c.coupon_seq`
)

func (w *window) orders(ctx context.Context) error {
	return each(ctx, w.tx, func(row scanner) error {
		var o loyalty.Order
		var leads loyalty.Bound
		if err := scanOrderAnd(row, &o, &leads.Member, &leads.Row); err != nil {
			return err
		}
		if m := w.of(o.Member, "order", o.Seq); m != nil {
			m.verifier.Order(o)
			w.leads(loyalty.ByOrder, loyalty.Bound{Member: o.Member, Row: o.Seq}, leads)
		}
		return nil
	}, verifyOrders, w.from, w.to)
}

func (w *window) coupons(ctx context.Context) error {
	return each(ctx, w.tx, func(row scanner) error {
		var c loyalty.Coupon
		var leads loyalty.Bound
		if err := row.Scan(append(couponFields(&c), &leads.Member, &leads.Row)...); err != nil {
			return err
		}
		m := w.of(c.Member, "coupon", c.Seq)
		if m == nil {
			return nil
		}
		t := w.templates[c.Template]
		if t != nil && t.Merchant != m.Merchant {
			t = nil
		}
		m.verifier.Coupon(c, t)
		w.leads(loyalty.ByCoupon, loyalty.Bound{Member: c.Member, Row: c.Seq}, leads)
		return nil
	}, verifyCoupons, w.from, w.to)
}

// leads checks that a number leads to its row. Numbers are not shown.
func (w *window) leads(kind loyalty.IdentityKind, row, to loyalty.Bound) {
	if row != to {
		w.differ(row.Member, fmt.Sprintf("identity %s %d", kind, row.Row),
			fmt.Sprintf("member %d row %d", to.Member, to.Row), fmt.Sprintf("member %d row %d", row.Member, row.Row))
	}
}

var verifyDetails = `SELECT ` + prefixed("d", detailColumns) + `,
	coalesce(o.order_seq, 0)
	FROM order_detail d
	LEFT JOIN member_order o ON o.member_id = d.member_id
		AND o.order_seq = d.order_seq
	WHERE d.member_id BETWEEN ? AND ?`

func (w *window) details(ctx context.Context) error {
	return each(ctx, w.tx, func(row scanner) error {
		var d orderDetail
		var order int64
		if err := row.Scan(append(d.fields(), &order)...); err != nil {
			return err
		}
		m := w.of(d.member, "order detail", d.seq)
		switch {
		case m == nil:
		case order == 0:
			w.differ(d.member, fmt.Sprintf("order detail %d", d.seq), "of an order", "no such order")
		default:
			if _, err := w.store.openDetail(m.Merchant, d); err != nil {
				w.differ(d.member, fmt.Sprintf("order detail %d", d.seq), "does not open", "sealed for this order")
			}
		}
		return nil
	}, verifyDetails, w.from, w.to)
}
