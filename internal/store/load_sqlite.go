package store

import (
	"context"
	"errors"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// sqliteLoader asks for what hangs on member numbers with one statement each,
// and else row by row: a prepared look-up costs microseconds, while a list of
// texts would have to go through JSON and back unchanged. Nobody else can write
// meanwhile, so nothing is locked or checked again.
type sqliteLoader struct{ tx *sqldb.Tx }

const selectIdentity = `
	SELECT member_id
	FROM identity
	WHERE merchant_id = ?
		AND kind = ?
		AND value = ?`

func (l *sqliteLoader) first(ctx context.Context, n *names) (marks []settingsMark, members []int64, err error) {
	for _, merchant := range n.merchants {
		mark := settingsMark{merchant: merchant}
		err := l.tx.QueryRow(ctx, selectMark, merchant).Scan(&mark.version, &mark.offset)
		if errors.Is(err, sqldb.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		marks = append(marks, mark)
	}
	members = make([]int64, len(n.identities))
	for i, identity := range n.identities {
		err := l.tx.QueryRow(ctx, selectIdentity, identity.Merchant, string(identity.Kind), n.stored[i]).Scan(&members[i])
		if err != nil && !errors.Is(err, sqldb.ErrNoRows) {
			return nil, nil, err
		}
	}
	return marks, members, nil
}

var (
	selectMembers = `SELECT ` + memberColumns + `
	FROM member
	WHERE member_id` + sqldb.SQLite.In() + `
	ORDER BY member_id`

	selectLotsOfMembers = `SELECT ` + lotColumns + `
	FROM lot
	WHERE member_id` + sqldb.SQLite.In()

	selectProfiles = `SELECT ` + profileColumns + `
	FROM member_profile
	WHERE member_id` + sqldb.SQLite.In()
)

func (l *sqliteLoader) lock(ctx context.Context, ids []int64) ([]loyalty.Member, error) {
	var members []loyalty.Member
	err := collect(ctx, l.tx, &members, scanMember, selectMembers, sqldb.List(sqldb.SQLite, ids))
	return members, err
}

const (
	selectKey = `SELECT ` + keyColumns + `
	FROM idempotency_key
	WHERE member_id = ?
		AND space = ?
		AND operation = ?
		AND key_id = ?`

	selectEntry = `SELECT ` + entryColumns + `
	FROM entry
	WHERE member_id = ?
		AND entry_no = ?`

	// Without being told SQLite reads the member's whole ledger. The last
	// condition is the index's own.
	selectEntriesOfOrder = `SELECT ` + entryColumns + `
	FROM entry INDEXED BY entry_of_order
	WHERE member_id = ?
		AND space = ?
		AND order_no = ?
		AND order_no <> ''`

	selectLapsed = `SELECT ` + lapsedColumns + `
	FROM lapsed_lot
	WHERE member_id = ?
		AND expires_at = ?
		AND available_at = ?
		AND source = ?`
)

func (l *sqliteLoader) second(ctx context.Context, _ *names, r *rows, f *found) error {
	err := collect(ctx, l.tx, &f.lots, scanLot, selectLotsOfMembers, sqldb.List(sqldb.SQLite, r.members))
	if err != nil {
		return err
	}
	for _, k := range r.keys {
		before := len(f.keys)
		err := collect(ctx, l.tx, &f.keys, scanKey, selectKey, k.member, k.Space, string(k.Operation), k.Key)
		if err != nil {
			return err
		}
		for _, row := range f.keys[before:] {
			if row.Entry != 0 {
				r.entries = append(r.entries, memberEntry{row.Member, row.Entry})
			}
		}
	}
	for _, e := range r.entries {
		if err := collect(ctx, l.tx, &f.entries, scanEntry, selectEntry, e.member, e.no); err != nil {
			return err
		}
	}
	for _, o := range r.orders {
		if err := collect(ctx, l.tx, &f.ofOrders, scanEntry, selectEntriesOfOrder, o.member, o.Space, o.No); err != nil {
			return err
		}
	}
	if len(r.profiles) == 0 {
		return nil
	}
	return collect(ctx, l.tx, &f.profiles, scanProfile, selectProfiles, sqldb.List(sqldb.SQLite, r.profiles))
}

func (l *sqliteLoader) lapsed(ctx context.Context, lots []loyalty.LotRow) ([]loyalty.LapsedRow, error) {
	var lapsed []loyalty.LapsedRow
	for i := range lots {
		if err := collect(ctx, l.tx, &lapsed, scanLapsed, selectLapsed, lotKeyRecord(&lots[i]).args()...); err != nil {
			return nil, err
		}
	}
	return lapsed, nil
}

func scanMember(row scanner) (m loyalty.Member, err error) {
	err = row.Scan(memberFields(&m)...)
	return m, err
}

func scanProfile(row scanner) (p sealedProfile, err error) {
	err = row.Scan(p.fields()...)
	return p, err
}

// collect appends all rows of a query to list.
func collect[R any](ctx context.Context, q sqldb.Queryer, list *[]R, scan func(scanner) (R, error), query string, args ...any) error {
	return each(ctx, q, func(row scanner) error {
		r, err := scan(row)
		*list = append(*list, r)
		return err
	}, query, args...)
}
