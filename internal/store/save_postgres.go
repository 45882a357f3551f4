package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// postgresTexts change all rows of a batch each.
var postgresTexts = func() saveTexts {
	t := sharedTexts(sqldb.PostgreSQL)
	t.updateMembers = `UPDATE member SET` + assignments("w", memberChanges) + `
	FROM ` + unnest(memberChangeInts, 0) + ` AS w (
	member_id,` + memberChanges + `)
	WHERE member.member_id = w.member_id`
	t.deleteIdentities = `
	DELETE FROM identity
	USING ` + unnest(0, 3) + ` AS w (merchant_id, kind, value)
	WHERE identity.merchant_id = w.merchant_id
		AND identity.kind = w.kind
		AND identity.value = w.value`
	// Two processes that claim the same names wait for one another in this
	// order, and the later one is told by a missing row.
	t.insertIdentities = `
	INSERT INTO identity (
		member_id,
		row_no,
		merchant_id,
		kind,
		value
	)
	SELECT
		member_id,
		row_no,
		merchant_id,
		kind,
		value
	FROM ` + unnest(2, 3) + ` AS w (member_id, row_no, merchant_id, kind, value)
	ORDER BY
		merchant_id COLLATE "C",
		kind COLLATE "C",
		value COLLATE "C"
	ON CONFLICT DO NOTHING`
	t.updateReversed = `
	UPDATE entry SET reversed = w.reversed
	FROM ` + unnest(3, 0) + ` AS w (member_id, entry_no, reversed)
	WHERE entry.member_id = w.member_id
		AND entry.entry_no = w.entry_no`
	t.deleteLots = `
	DELETE FROM lot
	USING ` + unnest(3, 1) + ` AS w (member_id, expires_at, available_at, source)
	WHERE lot.member_id = w.member_id
		AND lot.expires_at = w.expires_at
		AND lot.available_at = w.available_at
		AND lot.source = w.source`
	ordersOnPostgres(&t)
	return t
}()

// ordersOnPostgres are the texts for orders, coupons and marks.
func ordersOnPostgres(t *saveTexts) {
	t.updateOrders = `UPDATE member_order SET` + assignments("w", orderChanges) + `
	FROM ` + unnest(orderChangeInts, orderChangeTexts) + ` AS w (
	member_id,
	order_seq,` + orderChanges + `)
	WHERE member_order.member_id = w.member_id
		AND member_order.order_seq = w.order_seq`
	t.forgetDetails = `
	DELETE FROM order_detail
	USING ` + unnest(1, 0) + ` AS w (member_id)
	WHERE order_detail.member_id = w.member_id
		AND detail = ''`
	t.forgetPapers = `
	UPDATE order_detail SET sealed = ''
	FROM ` + unnest(1, 0) + ` AS w (member_id)
	WHERE order_detail.member_id = w.member_id
		AND sealed <> ''`
	t.updateCoupons = `
	UPDATE coupon SET
		state = w.state,
		used_at = w.used_at,
		lapsed = w.lapsed,
		used_for = w.used_for,
		used_store = w.used_store
	FROM ` + unnest(5, 2) + ` AS w (member_id, coupon_seq, state, used_at, lapsed, used_for, used_store)
	WHERE coupon.member_id = w.member_id
		AND coupon.coupon_seq = w.coupon_seq`
	t.deleteLabels = `
	DELETE FROM member_label
	USING ` + unnest(1, 0) + ` AS w (member_id)
	WHERE member_label.member_id = w.member_id`
	t.deleteCards = `
	DELETE FROM paid_card
	USING ` + unnest(1, 0) + ` AS w (member_id)
	WHERE paid_card.member_id = w.member_id`
	t.updateIssued = `
	UPDATE coupon_template SET issued = w.issued
	FROM ` + unnest(2, 0) + ` AS w (template_id, issued)
	WHERE coupon_template.template_id = w.template_id`
	t.insertTemplates += `
	ON CONFLICT (merchant_id, space, number) DO NOTHING`
}

// assignments sets each column of a list to the one of the same name in table.
func assignments(table, columns string) string {
	var b strings.Builder
	for i, column := range strings.Split(columns, ",") {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, "%s = %s.%s", column, table, strings.TrimSpace(column))
	}
	return b.String()
}

// savePostgres is one round trip. A statement that has nothing to do is left
// out.
func savePostgres(ctx context.Context, tx pgx.Tx, s *saving) error {
	b := &pgx.Batch{}
	t := &postgresTexts
	// The order of locks: members and templates are held since they were loaded,
	// new templates and then new names come after them.
	send(b, t.updateIssued, s.Templates, issuedRecord)
	send(b, t.insertTemplates, s.NewTemplates, templateRecord)
	// Inserting a name may wait for another process, deleting one may be waited
	// for: all waiting comes before the first deletion, so no circle can close.
	send(b, t.insertIdentities, s.bound, identityRecord)
	remove(b, t.deleteIdentities, s.unbound, identityKeyRecord)
	send(b, t.insertIdentities, s.rebound, identityRecord)
	send(b, t.insertMembers, s.NewMembers, memberRecord)
	send(b, t.updateMembers, s.Members, memberChangeRecord)
	send(b, t.insertEntries, s.Entries, entryRecord)
	send(b, t.updateReversed, s.Reversed, reversedRecord)
	remove(b, t.deleteLots, s.closedLots, lotKeyRecord)
	send(b, t.upsertLots, s.openLots, lotRecord)
	send(b, t.upsertLapsed, s.Lapsed, lapsedRecord)
	send(b, t.insertKeys, s.Keys, keyRecord)
	send(b, t.upsertProfiles, s.profiles, profileRecord)
	send(b, t.insertAudits, s.Audit, auditRecord)
	sendOrders(b, t, s)
	send(b, t.insertEvents, s.Events, eventRecord)
	send(b, t.upsertStreams, s.streams, streamRecord)
	if b.Len() == 0 {
		return nil
	}
	return tx.SendBatch(ctx, b).Close()
}

// sendOrders queues what is left of orders, coupons, levels and marks.
func sendOrders(b *pgx.Batch, t *saveTexts, s *saving) {
	send(b, t.insertOrders, s.NewOrders, orderRecord)
	send(b, t.updateOrders, s.Orders, orderChangeRecord)
	remove(b, t.forgetDetails, s.Forgotten, numberRecord)
	remove(b, t.forgetPapers, s.Forgotten, numberRecord)
	send(b, t.insertDetails, s.details, detailRecord)
	send(b, t.insertCoupons, s.NewCoupons, couponRecord)
	send(b, t.updateCoupons, s.Coupons, couponChangeRecord)
	send(b, t.upsertClaims, s.Claims, claimRecord)
	send(b, t.insertMoves, s.LevelMoves, moveRecord)
	send(b, t.upsertTallies, s.Tallies, tallyRecord)
	remove(b, t.deleteLabels, s.marked, numberRecord)
	send(b, t.insertLabels, s.labels, labelRecord)
	remove(b, t.deleteCards, s.marked, numberRecord)
	send(b, t.insertCards, s.cards, cardRecord)
}

// remove queues a deletion. A lot that was opened and emptied by one batch was
// never there, and a member may have had no marks, so rows are not counted.
func remove[R any](b *pgx.Batch, query string, rows []R, of func(*R) record) {
	if len(rows) > 0 {
		b.Queue(query, arrays(rows, of)...)
	}
}

// send queues a statement for all rows at once. Every one of them must be
// touched; where one is not, another process has been there.
func send[R any](b *pgx.Batch, query string, rows []R, of func(*R) record) {
	if len(rows) == 0 {
		return
	}
	b.Queue(query, arrays(rows, of)...).Exec(func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != int64(len(rows)) {
			return fmt.Errorf("%d of %d rows were there to change: %w", tag.RowsAffected(), len(rows), loyalty.ErrAgain)
		}
		return nil
	})
}
