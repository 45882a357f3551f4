package store

import (
	"context"
	"fmt"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// entriesOfOrder goes by the index of order numbers, which SQLite takes only
// when it is told: else it reads the member's whole ledger.
func entriesOfOrder(d sqldb.Dialect) string {
	by := ""
	if d == sqldb.SQLite {
		by = ` INDEXED BY entry_of_order`
	}
	return `SELECT ` + entryColumns + `
	FROM entry` + by + `
	WHERE member_id = ?
		AND space = ?
		AND order_no = ?
		AND order_no <> ''
	ORDER BY entry_no`
}

// EntriesOfOrder are a member's entries under an order's number, oldest first,
// whichever call has made them.
func (s *Store) EntriesOfOrder(ctx context.Context, member int64, key loyalty.OrderKey) (entries []loyalty.Entry, err error) {
	db := s.db.Read()
	if err := collect(ctx, db, &entries, scanEntry, entriesOfOrder(db.Dialect()), member, key.Space, key.No); err != nil {
		return nil, outage(fmt.Errorf("entries of an order of member %d: %w", member, err))
	}
	return entries, nil
}
