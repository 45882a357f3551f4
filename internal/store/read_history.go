package store

import (
	"context"
	"fmt"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// selectOrdersPlain leaves the papers out.
var selectOrdersPlain = `SELECT ` + prefixed("o", orderColumns) + `,
	coalesce(d.detail, '')
	FROM member_order o
	LEFT JOIN order_detail d ON d.member_id = o.member_id
		AND d.order_seq = o.order_seq
	WHERE o.member_id = ?
	ORDER BY o.order_seq`

// History is everything of the merchant's next member by number, as it is
// stored: what is due and not booked yet is not in it. found is false after the
// last member. Nothing that is sealed is opened.
func (s *Store) History(ctx context.Context, merchant string, afterMember int64) (h loyalty.History, found bool, err error) {
	defer func() { err = outage(err) }()
	tx, err := s.db.ReadTx(ctx)
	if err != nil {
		return h, false, fmt.Errorf("read history: %w", err)
	}
	defer tx.Close()
	page, err := members(ctx, tx, merchant, afterMember, 1)
	if err != nil || len(page) == 0 {
		return loyalty.History{}, false, wrapped("read history", err)
	}
	h.Member, h.Month, h.Day = page[0].Member, page[0].Month, page[0].Day
	if err := s.readHistory(ctx, tx, &h); err != nil {
		return loyalty.History{}, false, fmt.Errorf("history of member %d: %w", h.Member.ID, err)
	}
	return h, true, nil
}

func (s *Store) readHistory(ctx context.Context, tx *sqldb.ReadTx, h *loyalty.History) error {
	id := h.Member.ID
	if err := collect(ctx, tx, &h.Entries, scanEntry, selectEntries, id); err != nil {
		return err
	}
	err := each(ctx, tx, func(row scanner) error {
		var o loyalty.OrderFound
		var d orderDetail
		if err := scanOrderAnd(row, &o.Order, &d.detail); err != nil {
			return err
		}
		d.member, d.seq = o.Member, o.Seq
		info, err := s.openDetail(h.Member.Merchant, d)
		o.Info = info
		h.Orders = append(h.Orders, o)
		return err
	}, selectOrdersPlain, id)
	if err != nil {
		return err
	}
	marks, err := marksOfMembers(ctx, tx, []int64{id})
	h.Labels = marks[id].Labels
	return err
}
