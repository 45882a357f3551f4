package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// Orders is a page of the orders and refunds of the member that who names,
// newest first, with what their callers told; pages count from 1. Errors are
// those of Member. A page beyond the last has no orders and the right total.
//
// Numbers are dense, so a page is a range of the primary key and the total a
// counter.
func (s *Store) Orders(ctx context.Context, who loyalty.Who, now loyalty.Instant, page, size int) (_ loyalty.Found, _ loyalty.OrderPage, err error) {
	defer func() { err = outage(err) }()
	tx, err := s.db.ReadTx(ctx)
	if err != nil {
		return loyalty.Found{}, loyalty.OrderPage{}, fmt.Errorf("read orders: %w", err)
	}
	defer tx.Close()
	f, _, err := s.found(ctx, tx, who, now, false)
	if err != nil {
		return f, loyalty.OrderPage{}, err
	}
	result := loyalty.OrderPage{Total: f.Orders}
	skip, ok := skipped(page, size, result.Total)
	if !ok {
		return f, result, nil
	}
	high := result.Total - skip
	result.Orders, err = s.ordersFound(ctx, tx, f.Merchant, selectOrders, f.ID, high-int64(size)+1, high)
	if err != nil {
		return f, loyalty.OrderPage{}, fmt.Errorf("orders of member %d: %w", f.ID, err)
	}
	return f, result, nil
}

// ordersWithDetails is the beginning of every list of orders.
var ordersWithDetails = `SELECT ` + prefixed("o", orderColumns) + `,
	coalesce(d.detail, ''),
	coalesce(d.sealed, '')
	FROM member_order o
	LEFT JOIN order_detail d ON d.member_id = o.member_id
		AND d.order_seq = o.order_seq`

var (
	selectOrders = ordersWithDetails + `
	WHERE o.member_id = ?
		AND o.order_seq BETWEEN ? AND ?
	ORDER BY o.order_seq DESC`

	selectOrderFound = ordersWithDetails + `
	WHERE o.member_id = ?
		AND o.order_seq = ?`

	// There is no index by parent: this reads the member's orders.
	selectRefunds = ordersWithDetails + `
	WHERE o.member_id = ?
		AND o.kind = 2
		AND o.space = ?
		AND o.parent = ?
	ORDER BY o.order_seq`
)

// Order is the order or refund that has the number, with its refunds, oldest
// first; loyalty.OrderNotFound when nothing of the merchant has it.
func (s *Store) Order(ctx context.Context, merchant string, key loyalty.OrderKey) (_ loyalty.OrderFound, _ []loyalty.OrderFound, err error) {
	defer func() { err = outage(err) }()
	tx, err := s.db.ReadTx(ctx)
	if err != nil {
		return loyalty.OrderFound{}, nil, fmt.Errorf("read order: %w", err)
	}
	defer tx.Close()
	var b loyalty.Bound
	err = tx.QueryRow(ctx, selectIdentity, merchant, string(loyalty.ByOrder), key.Space+"/"+key.No).Scan(&b.Member, &b.Row)
	if errors.Is(err, sqldb.ErrNoRows) {
		return loyalty.OrderFound{}, nil, loyalty.OrderNotFound
	}
	if err != nil {
		return loyalty.OrderFound{}, nil, fmt.Errorf("look up order: %w", err)
	}
	orders, err := s.ordersFound(ctx, tx, merchant, selectOrderFound, b.Member, b.Row)
	if err == nil && len(orders) == 0 {
		err = errors.New("its number leads nowhere")
	}
	var refunds []loyalty.OrderFound
	if err == nil && orders[0].Kind == loyalty.Purchase {
		refunds, err = s.ordersFound(ctx, tx, merchant, selectRefunds, b.Member, key.Space, key.No)
	}
	if err != nil {
		return loyalty.OrderFound{}, nil, fmt.Errorf("order %d of member %d: %w", b.Row, b.Member, err)
	}
	return orders[0], refunds, nil
}

// ordersFound reads orders of a merchant's member with their papers opened.
func (s *Store) ordersFound(ctx context.Context, q sqldb.Queryer, merchant, query string, args ...any) (orders []loyalty.OrderFound, err error) {
	err = each(ctx, q, func(row scanner) error {
		var o loyalty.OrderFound
		var d orderDetail
		if err := scanOrderAnd(row, &o.Order, &d.detail, &d.sealed); err != nil {
			return err
		}
		d.member, d.seq = o.Member, o.Seq
		info, err := s.openDetail(merchant, d)
		o.Info = info
		orders = append(orders, o)
		return err
	}, query, args...)
	return orders, err
}
