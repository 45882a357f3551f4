package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/memberd/memberd/internal/loyalty"
)

// postgresLoader asks in three round trips: look-ups, locks, rows. Where keys are
// repeated there is one more for what they made, where entries are reversed or
// coupons looked at one for what those lead to, and one where rules look at more
// than that.
type postgresLoader struct{ tx pgx.Tx }

// planByKey tells the planner for this transaction what all statements of a
// batch have in common: they reach rows by key. Otherwise a plan that was made
// while a table was small stays with the connection when it has grown, and
// reads it from end to end with every batch. So there is nothing to be gained by
// planning them anew for the values given either.
const planByKey = `
	SELECT
		set_config('enable_seqscan', 'off', true),
		set_config('enable_hashjoin', 'off', true),
		set_config('enable_mergejoin', 'off', true),
		set_config('plan_cache_mode', 'force_generic_plan', true)`

const lockMarks = `
	SELECT
		merchant_id,
		settings_version,
		clock_offset,
		apps_version
	FROM merchant
	WHERE merchant_id = ANY($1::text[])
	ORDER BY merchant_id
	FOR SHARE`

// lookUp answers with the place in the arrays, so that no value comes back.
const lookUp = `
	SELECT
		w.place,
		i.member_id,
		i.row_no
	FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS w (merchant_id, kind, value, place)
	JOIN identity i ON i.merchant_id = w.merchant_id
		AND i.kind = w.kind
		AND i.value = w.value`

func (l *postgresLoader) first(ctx context.Context, n *names) (marks []settingsMark, bounds []loyalty.Bound, err error) {
	b := &pgx.Batch{}
	b.Queue(planByKey)
	b.Queue(lockMarks, n.merchants).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var m settingsMark
			if err := rows.Scan(append([]any{&m.merchant}, m.fields()...)...); err != nil {
				return err
			}
			marks = append(marks, m)
		}
		return rows.Err()
	})
	bounds = make([]loyalty.Bound, len(n.identities))
	queueLookUp(b, n, bounds)
	err = l.tx.SendBatch(ctx, b).Close()
	return marks, bounds, err
}

func queueLookUp(b *pgx.Batch, n *names, bounds []loyalty.Bound) {
	if len(n.identities) == 0 {
		return
	}
	merchants, kinds := make([]string, len(n.identities)), make([]string, len(n.identities))
	for i, identity := range n.identities {
		merchants[i], kinds[i] = identity.Merchant, string(identity.Kind)
	}
	b.Queue(lookUp, merchants, kinds, n.stored).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var place int64
			var bound loyalty.Bound
			if err := rows.Scan(&place, &bound.Member, &bound.Row); err != nil {
				return err
			}
			bounds[place-1] = bound
		}
		return rows.Err()
	})
}

// lockMembers sorts before it locks, so that all processes lock in one order.
const lockMembers = `SELECT ` + memberColumns + `
	FROM member
	WHERE member_id = ANY($1::bigint[])
	ORDER BY member_id
	FOR UPDATE`

// lockTemplates comes after the members, in one order as well.
var lockTemplates = `SELECT ` + prefixed("t", templateColumns) + `
	FROM unnest($1::text[], $2::text[], $3::text[]) AS w (merchant_id, space, number)
	JOIN coupon_template t ON t.merchant_id = w.merchant_id
		AND t.space = w.space
		AND t.number = w.number
	ORDER BY t.template_id
	FOR UPDATE OF t`

func (l *postgresLoader) lock(ctx context.Context, ids []int64, names []templateName) (members []loyalty.Member, templates []loyalty.Template, err error) {
	b := &pgx.Batch{}
	if len(ids) > 0 {
		queue(b, &members, scanMember, lockMembers, ids)
	}
	if len(names) > 0 {
		queue(b, &templates, scanTemplate, lockTemplates, arrays(names, (*templateName).record)...)
	}
	if b.Len() == 0 {
		return nil, nil, nil
	}
	err = l.tx.SendBatch(ctx, b).Close()
	return members, templates, err
}

const lotsOfMembers = `SELECT ` + lotColumns + `
	FROM lot
	WHERE member_id = ANY($1::bigint[])`

const streamsOfMembers = `SELECT ` + streamLoaded + `
	FROM callback_stream
	WHERE member_id = ANY($1::bigint[])`

const profilesOfMembers = `SELECT ` + profileColumns + `
	FROM member_profile
	WHERE member_id = ANY($1::bigint[])`

const labelsOfMembers = `SELECT ` + labelColumns + `
	FROM member_label
	WHERE member_id = ANY($1::bigint[])
	ORDER BY
		member_id,
		label`

const cardsOfMembers = `SELECT ` + cardColumns + `
	FROM paid_card
	WHERE member_id = ANY($1::bigint[])
	ORDER BY
		member_id,
		card_id`

const templatesNamed = `SELECT ` + templateColumns + `
	FROM coupon_template
	WHERE template_id = ANY($1::bigint[])`

var (
	keysNamed = `SELECT ` + prefixed("k", keyColumns) + `
	FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS w (member_id, space, operation, key_id)
	JOIN idempotency_key k ON k.member_id = w.member_id
		AND k.space = w.space
		AND k.operation = w.operation
		AND k.key_id = w.key_id`

	entriesNamed = `SELECT ` + prefixed("e", entryColumns) + `
	FROM unnest($1::bigint[], $2::bigint[]) AS w (member_id, entry_no)
	JOIN entry e ON e.member_id = w.member_id
		AND e.entry_no = w.entry_no`

	entriesOfOrders = `SELECT ` + prefixed("e", entryColumns) + `
	FROM unnest($1::bigint[], $2::text[], $3::text[]) AS w (member_id, space, order_no)
	JOIN entry e ON e.member_id = w.member_id
		AND e.space = w.space
		AND e.order_no = w.order_no
		AND e.order_no <> ''`

	ordersNamed = `SELECT ` + prefixed("o", orderColumns) + `
	FROM unnest($1::bigint[], $2::bigint[]) AS w (member_id, order_seq)
	JOIN member_order o ON o.member_id = w.member_id
		AND o.order_seq = w.order_seq`

	refundsParked = `SELECT ` + prefixed("o", orderColumns) + `
	FROM unnest($1::bigint[], $2::text[], $3::text[]) AS w (member_id, space, parent)
	JOIN member_order o ON o.member_id = w.member_id
		AND o.space = w.space
		AND o.parent = w.parent
		AND o.state = 2`

	couponsNamed = `SELECT ` + prefixed("c", couponColumns) + `
	FROM unnest($1::bigint[], $2::bigint[]) AS w (member_id, coupon_seq)
	JOIN coupon c ON c.member_id = w.member_id
		AND c.coupon_seq = w.coupon_seq`

	couponsOfOrders = `SELECT ` + prefixed("c", couponColumns) + `
	FROM unnest($1::bigint[], $2::text[], $3::text[]) AS w (member_id, space, used_for)
	JOIN coupon c ON c.member_id = w.member_id
		AND c.space = w.space
		AND c.used_for = w.used_for
		AND c.used_for <> ''`

	claimsNamed = `SELECT ` + prefixed("c", claimColumns) + `
	FROM unnest($1::bigint[], $2::bigint[]) AS w (member_id, template_id)
	JOIN coupon_claim c ON c.member_id = w.member_id
		AND c.template_id = w.template_id`

	lapsedNamed = `SELECT ` + prefixed("l", lapsedColumns) + `
	FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]) AS w (member_id, expires_at, available_at, source)
	JOIN lapsed_lot l ON l.member_id = w.member_id
		AND l.expires_at = w.expires_at
		AND l.available_at = w.available_at
		AND l.source = w.source`
)

// second runs after the locks are held, each statement with a view of its own:
// nothing that it reads of these members can change any more.
func (l *postgresLoader) second(ctx context.Context, n *names, r *rows, f *found) error {
	b := &pgx.Batch{}
	again := make([]loyalty.Bound, len(n.identities))
	queueLookUp(b, n, again)
	if len(r.subjects) > 0 {
		queue(b, &f.lots, scanLot, lotsOfMembers, r.subjects)
	}
	if len(r.profiles) > 0 {
		queue(b, &f.profiles, scanProfile, profilesOfMembers, r.profiles)
	}
	if len(r.streams) > 0 {
		queue(b, &f.streams, scanStream, streamsOfMembers, r.streams)
	}
	queueMarks(b, r.marks, f)
	queueNamed(b, &f.keys, scanKey, keysNamed, r.keys, (*memberKey).record)
	queueNamed(b, &f.entries, scanEntry, entriesNamed, r.entries, (*memberRow).record)
	queueNamed(b, &f.ofOrders, scanEntry, entriesOfOrders, r.ofOrders, (*memberOrder).record)
	queueNamed(b, &f.orders, scanOrder, ordersNamed, r.orders, (*memberRow).record)
	queueNamed(b, &f.orders, scanOrder, refundsParked, r.parked, (*memberOrder).record)
	queueNamed(b, &f.coupons, scanCoupon, couponsNamed, r.coupons, (*memberRow).record)
	queueNamed(b, &f.coupons, scanCoupon, couponsOfOrders, r.couponsOf, (*memberOrder).record)
	queueNamed(b, &f.claims, scanClaim, claimsNamed, r.claims, (*memberRow).record)
	if b.Len() == 0 {
		return nil
	}
	if err := l.tx.SendBatch(ctx, b).Close(); err != nil {
		return err
	}
	for i, bound := range n.bounds {
		if again[i] != bound {
			return fmt.Errorf("a look-up by %s moved before its member was locked: %w", n.identities[i].Kind, loyalty.ErrAgain)
		}
	}
	return l.entriesOfKeys(ctx, f)
}

// entriesOfKeys reads the entries that the keys found have made. Most batches
// repeat nothing and have no such keys.
func (l *postgresLoader) entriesOfKeys(ctx context.Context, f *found) error {
	rows := f.rowsOfKeys()
	if len(rows) == 0 {
		return nil
	}
	b := &pgx.Batch{}
	queueNamed(b, &f.entries, scanEntry, entriesNamed, rows, (*memberRow).record)
	return l.tx.SendBatch(ctx, b).Close()
}

func (l *postgresLoader) third(ctx context.Context, lots []loyalty.LotRow, templates []int64, f *found) error {
	b := &pgx.Batch{}
	queueNamed(b, &f.lapsed, scanLapsed, lapsedNamed, lots, lotKeyRecord)
	if len(templates) > 0 {
		queue(b, &f.templates, scanTemplate, templatesNamed, templates)
	}
	return l.tx.SendBatch(ctx, b).Close()
}

// queueNamed puts a query into a batch that is joined to names, where there are
// any.
func queueNamed[R, N any](b *pgx.Batch, list *[]R, scan func(scanner) (R, error), query string, names []N, of func(*N) record) {
	if len(names) > 0 {
		queue(b, list, scan, query, arrays(names, of)...)
	}
}

// queue puts a query into a batch that appends all its rows to list.
func queue[R any](b *pgx.Batch, list *[]R, scan func(scanner) (R, error), query string, args ...any) {
	b.Queue(query, args...).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			row, err := scan(rows)
			if err != nil {
				return err
			}
			*list = append(*list, row)
		}
		return rows.Err()
	})
}
