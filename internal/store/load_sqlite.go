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
	SELECT
		member_id,
		row_no
	FROM identity
	WHERE merchant_id = ?
		AND kind = ?
		AND value = ?`

func (l *sqliteLoader) first(ctx context.Context, n *names) (marks []settingsMark, bounds []loyalty.Bound, err error) {
	for _, merchant := range n.merchants {
		mark := settingsMark{merchant: merchant}
		err := l.tx.QueryRow(ctx, selectMark, merchant).Scan(mark.fields()...)
		if errors.Is(err, sqldb.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		marks = append(marks, mark)
	}
	bounds = make([]loyalty.Bound, len(n.identities))
	for i, identity := range n.identities {
		err := l.tx.QueryRow(ctx, selectIdentity, identity.Merchant, string(identity.Kind), n.stored[i]).Scan(&bounds[i].Member, &bounds[i].Row)
		if err != nil && !errors.Is(err, sqldb.ErrNoRows) {
			return nil, nil, err
		}
	}
	return marks, bounds, nil
}

var (
	selectMembers = `SELECT ` + memberColumns + `
	FROM member
	WHERE member_id` + sqldb.SQLite.In() + `
	ORDER BY member_id`

	selectLotsOfMembers = `SELECT ` + lotColumns + `
	FROM lot
	WHERE member_id` + sqldb.SQLite.In()

	selectLabels = labelsListed(sqldb.SQLite)
	selectCards  = cardsListed(sqldb.SQLite)

	selectStreams = `SELECT ` + streamLoaded + `
	FROM callback_stream
	WHERE member_id` + sqldb.SQLite.In()

	selectProfiles = `SELECT ` + profileColumns + `
	FROM member_profile
	WHERE member_id` + sqldb.SQLite.In()
)

func (l *sqliteLoader) lock(ctx context.Context, ids []int64, names []templateName) (members []loyalty.Member, templates []loyalty.Template, err error) {
	var m loyalty.Member // every row is scanned to here: its fields are named once
	members, fields := make([]loyalty.Member, 0, len(ids)), memberFields(&m)
	err = each(ctx, l.tx, func(row scanner) error {
		err := row.Scan(fields...)
		members = append(members, m)
		return err
	}, selectMembers, sqldb.List(sqldb.SQLite, ids))
	if err != nil {
		return nil, nil, err
	}
	err = collectEach(ctx, l.tx, &templates, scanTemplate, selectTemplateNamed, names, (*templateName).record)
	return members, templates, err
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

	selectOrder = `SELECT ` + orderColumns + `
	FROM member_order
	WHERE member_id = ?
		AND order_seq = ?`

	selectParked = `SELECT ` + orderColumns + `
	FROM member_order INDEXED BY parked_refund
	WHERE member_id = ?
		AND space = ?
		AND parent = ?
		AND state = 2`

	selectCoupon = `SELECT ` + couponColumns + `
	FROM coupon
	WHERE member_id = ?
		AND coupon_seq = ?`

	selectCouponsOfOrder = `SELECT ` + couponColumns + `
	FROM coupon INDEXED BY coupon_of_order
	WHERE member_id = ?
		AND space = ?
		AND used_for = ?
		AND used_for <> ''`

	selectClaim = `SELECT ` + claimColumns + `
	FROM coupon_claim
	WHERE member_id = ?
		AND template_id = ?`

	selectTemplateNamed = `SELECT ` + templateColumns + `
	FROM coupon_template
	WHERE merchant_id = ?
		AND space = ?
		AND number = ?`

	selectTemplate = `SELECT ` + templateColumns + `
	FROM coupon_template
	WHERE template_id = ?`
)

func (l *sqliteLoader) second(ctx context.Context, _ *names, r *rows, f *found) error {
	if err := l.ofMembers(ctx, r, f); err != nil {
		return err
	}
	if err := l.keysWithEntries(ctx, r, f); err != nil {
		return err
	}
	tx := l.tx
	return errors.Join(
		collectEach(ctx, tx, &f.entries, scanEntry, selectEntry, r.entries, (*memberRow).record),
		collectEach(ctx, tx, &f.ofOrders, scanEntry, selectEntriesOfOrder, r.ofOrders, (*memberOrder).record),
		collectEach(ctx, tx, &f.orders, scanOrder, selectOrder, r.orders, (*memberRow).record),
		collectEach(ctx, tx, &f.orders, scanOrder, selectParked, r.parked, (*memberOrder).record),
		collectEach(ctx, tx, &f.coupons, scanCoupon, selectCoupon, r.coupons, (*memberRow).record),
		collectEach(ctx, tx, &f.coupons, scanCoupon, selectCouponsOfOrder, r.couponsOf, (*memberOrder).record),
		collectEach(ctx, tx, &f.claims, scanClaim, selectClaim, r.claims, (*memberRow).record),
	)
}

// ofMembers reads what hangs on member numbers alone.
func (l *sqliteLoader) ofMembers(ctx context.Context, r *rows, f *found) error {
	err := collect(ctx, l.tx, &f.lots, scanLot, selectLotsOfMembers, sqldb.List(sqldb.SQLite, r.subjects))
	if err == nil && len(r.profiles) > 0 {
		err = collect(ctx, l.tx, &f.profiles, scanProfile, selectProfiles, sqldb.List(sqldb.SQLite, r.profiles))
	}
	if err == nil && len(r.streams) > 0 {
		err = collect(ctx, l.tx, &f.streams, scanStream, selectStreams, sqldb.List(sqldb.SQLite, r.streams))
	}
	if err == nil {
		err = l.marks(ctx, r.marks, f)
	}
	return err
}

func (l *sqliteLoader) marks(ctx context.Context, members []int64, f *found) error {
	if len(members) == 0 {
		return nil
	}
	list := sqldb.List(sqldb.SQLite, members)
	return errors.Join(
		collect(ctx, l.tx, &f.labels, scanLabel, selectLabels, list),
		collect(ctx, l.tx, &f.cards, scanCard, selectCards, list),
	)
}

// keysWithEntries reads keys, and names the entries that they made.
func (l *sqliteLoader) keysWithEntries(ctx context.Context, r *rows, f *found) error {
	err := collectEach(ctx, l.tx, &f.keys, scanKey, selectKey, r.keys, (*memberKey).record)
	r.entries = append(r.entries, f.rowsOfKeys()...)
	return err
}

func (l *sqliteLoader) third(ctx context.Context, lots []loyalty.LotRow, templates []int64, f *found) error {
	err := collectEach(ctx, l.tx, &f.lapsed, scanLapsed, selectLapsed, lots, lotKeyRecord)
	if err != nil {
		return err
	}
	return collectEach(ctx, l.tx, &f.templates, scanTemplate, selectTemplate, templates, func(id *int64) record {
		return record{ints: []int64{*id}}
	})
}

// collectEach runs a query for every name.
func collectEach[R, N any](ctx context.Context, q sqldb.Queryer, list *[]R, scan func(scanner) (R, error), query string, names []N, of func(*N) record) error {
	var args []any
	for i := range names {
		args = of(&names[i]).addTo(args[:0])
		if err := collect(ctx, q, list, scan, query, args...); err != nil {
			return err
		}
	}
	return nil
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
