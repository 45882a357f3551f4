package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/memberd/memberd/internal/loyalty"
)

// postgresLoader asks in three round trips, four where entries are reversed:
// look-ups, locks, rows, lapsed lots.
type postgresLoader struct{ tx pgx.Tx }

// planByKey tells the planner for this transaction what all statements of a
// batch have in common: they reach rows by key. Otherwise a plan that was made
// while a table was small stays with the connection when it has grown, and
// reads it from end to end with every batch.
const planByKey = `
	SELECT
		set_config('enable_seqscan', 'off', true),
		set_config('enable_hashjoin', 'off', true),
		set_config('enable_mergejoin', 'off', true)`

const lockMarks = `
	SELECT
		merchant_id,
		settings_version,
		clock_offset
	FROM merchant
	WHERE merchant_id = ANY($1::text[])
	ORDER BY merchant_id
	FOR SHARE`

// lookUp answers with the place in the arrays, so that no value comes back.
const lookUp = `
	SELECT
		w.place,
		i.member_id
	FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS w (merchant_id, kind, value, place)
	JOIN identity i ON i.merchant_id = w.merchant_id
		AND i.kind = w.kind
		AND i.value = w.value`

func (l *postgresLoader) first(ctx context.Context, n *names) (marks []settingsMark, members []int64, err error) {
	b := &pgx.Batch{}
	b.Queue(planByKey)
	b.Queue(lockMarks, n.merchants).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var m settingsMark
			if err := rows.Scan(&m.merchant, &m.version, &m.offset); err != nil {
				return err
			}
			marks = append(marks, m)
		}
		return rows.Err()
	})
	members = make([]int64, len(n.identities))
	queueLookUp(b, n, members)
	return marks, members, l.tx.SendBatch(ctx, b).Close()
}

func queueLookUp(b *pgx.Batch, n *names, members []int64) {
	if len(n.identities) == 0 {
		return
	}
	merchants, kinds := make([]string, len(n.identities)), make([]string, len(n.identities))
	for i, identity := range n.identities {
		merchants[i], kinds[i] = identity.Merchant, string(identity.Kind)
	}
	b.Queue(lookUp, merchants, kinds, n.stored).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var place, member int64
			if err := rows.Scan(&place, &member); err != nil {
				return err
			}
			members[place-1] = member
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

func (l *postgresLoader) lock(ctx context.Context, ids []int64) ([]loyalty.Member, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var members []loyalty.Member
	b := &pgx.Batch{}
	queue(b, &members, scanMember, lockMembers, ids)
	return members, l.tx.SendBatch(ctx, b).Close()
}

const lotsOfMembers = `SELECT ` + lotColumns + `
	FROM lot
	WHERE member_id = ANY($1::bigint[])`

const profilesOfMembers = `SELECT ` + profileColumns + `
	FROM member_profile
	WHERE member_id = ANY($1::bigint[])`

const keyJoin = `
	FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS w (member_id, space, operation, key_id)
	JOIN idempotency_key k ON k.member_id = w.member_id
		AND k.space = w.space
		AND k.operation = w.operation
		AND k.key_id = w.key_id`

var (
	keysNamed = `SELECT ` + prefixed("k", keyColumns) + keyJoin

	entriesOfKeys = `SELECT ` + prefixed("e", entryColumns) + keyJoin + `
	JOIN entry e ON e.member_id = k.member_id
		AND e.entry_no = k.entry_no`

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
	again := make([]int64, len(n.identities))
	queueLookUp(b, n, again)
	if len(r.members) > 0 {
		queue(b, &f.lots, scanLot, lotsOfMembers, r.members)
	}
	if len(r.keys) > 0 {
		args := arrays(r.keys, func(k *memberKey) record {
			return record{[]int64{k.member}, []string{k.Space, string(k.Operation), k.Key}}
		})
		queue(b, &f.keys, scanKey, keysNamed, args...)
		queue(b, &f.entries, scanEntry, entriesOfKeys, args...)
	}
	if len(r.entries) > 0 {
		queue(b, &f.entries, scanEntry, entriesNamed, arrays(r.entries, func(e *memberEntry) record {
			return record{[]int64{e.member, e.no}, nil}
		})...)
	}
	if len(r.orders) > 0 {
		queue(b, &f.ofOrders, scanEntry, entriesOfOrders, arrays(r.orders, func(o *memberOrder) record {
			return record{[]int64{o.member}, []string{o.Space, o.No}}
		})...)
	}
	if len(r.profiles) > 0 {
		queue(b, &f.profiles, scanProfile, profilesOfMembers, r.profiles)
	}
	if b.Len() == 0 {
		return nil
	}
	if err := l.tx.SendBatch(ctx, b).Close(); err != nil {
		return err
	}
	for i, member := range n.members {
		if again[i] != member {
			return fmt.Errorf("a look-up by %s moved before its member was locked: %w", n.identities[i].Kind, loyalty.ErrAgain)
		}
	}
	return nil
}

func (l *postgresLoader) lapsed(ctx context.Context, lots []loyalty.LotRow) ([]loyalty.LapsedRow, error) {
	var lapsed []loyalty.LapsedRow
	b := &pgx.Batch{}
	queue(b, &lapsed, scanLapsed, lapsedNamed, arrays(lots, lotKeyRecord)...)
	return lapsed, l.tx.SendBatch(ctx, b).Close()
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
