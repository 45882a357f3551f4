package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// sqliteTexts change one row each.
var sqliteTexts = func() saveTexts {
	t := sharedTexts(sqldb.SQLite)
	t.updateMembers = `UPDATE member SET` + strings.ReplaceAll(memberChanges, ",", " = ?,") + ` = ?
	WHERE member_id = ?`
	// SQLite takes out of an index and puts back whatever a statement sets, the
	// same or not.
	t.updateTotals = `UPDATE member SET` + strings.ReplaceAll(memberTotals, ",", " = ?,") + ` = ?
	WHERE member_id = ?`
	t.deleteIdentities = `
	DELETE FROM identity
	WHERE merchant_id = ?
		AND kind = ?
		AND value = ?`
	t.insertIdentities = `
	INSERT INTO identity (
		member_id,
		row_no,
		merchant_id,
		kind,
		value
	) VALUES (?, ?, ?, ?, ?)`
	t.updateReversed = `
	UPDATE entry SET reversed = ?
	WHERE member_id = ?
		AND entry_no = ?`
	t.deleteLots = `
	DELETE FROM lot
	WHERE member_id = ?
		AND expires_at = ?
		AND available_at = ?
		AND source = ?`
	ordersOnSQLite(&t)
	return t
}()

// ordersOnSQLite are the texts for orders, coupons and marks.
func ordersOnSQLite(t *saveTexts) {
	t.updateOrders = `UPDATE member_order SET` + strings.ReplaceAll(orderChanges, ",", " = ?,") + ` = ?
	WHERE member_id = ?
		AND order_seq = ?`
	t.forgetDetails = `
	DELETE FROM order_detail
	WHERE member_id = ?
		AND detail = ''`
	t.forgetPapers = `
	UPDATE order_detail SET sealed = ''
	WHERE member_id = ?
		AND sealed <> ''`
	t.updateCoupons = `
	UPDATE coupon SET
		state = ?,
		used_at = ?,
		lapsed = ?,
		used_for = ?,
		used_store = ?
	WHERE member_id = ?
		AND coupon_seq = ?`
	t.deleteLabels = `
	DELETE FROM member_label
	WHERE member_id = ?`
	t.deleteCards = `
	DELETE FROM paid_card
	WHERE member_id = ?`
	t.updateIssued = `
	UPDATE coupon_template SET issued = ?
	WHERE template_id = ?`
}

// saveSQLite stops at the first error; sqldb rolls the transaction back then.
// loaded are the members as they stand in the database.
func saveSQLite(ctx context.Context, tx *sqldb.Tx, s *saving, loaded []loyalty.Member) error {
	x := &executor{ctx: ctx, tx: tx}
	t := &sqliteTexts
	run(x, t.deleteIdentities, s.unbound, identityKeyRecord)
	run(x, t.insertIdentities, s.bound, identityRecord)
	run(x, t.insertIdentities, s.rebound, identityRecord)
	run(x, t.insertMembers, s.NewMembers, memberRecord)
	moved, stayed := byPlace(loaded, s.Members)
	change(x, t.updateMembers, 1, moved, memberChangeRecord)
	change(x, t.updateTotals, 1, stayed, memberTotalRecord)
	run(x, t.insertEntries, s.Entries, entryRecord)
	change(x, t.updateReversed, 2, s.Reversed, reversedRecord)
	run(x, t.deleteLots, s.closedLots, lotKeyRecord)
	run(x, t.upsertLots, s.openLots, lotRecord)
	run(x, t.upsertLapsed, s.Lapsed, lapsedRecord)
	run(x, t.insertKeys, s.Keys, keyRecord)
	run(x, t.upsertProfiles, s.profiles, profileRecord)
	run(x, t.insertAudits, s.Audit, auditRecord)
	runOrders(x, t, s)
	run(x, t.insertEvents, s.Events, eventRecord)
	run(x, t.upsertStreams, s.streams, streamRecord)
	return x.err
}

// byPlace divides changed members by whether lists and jobs will find them
// elsewhere than before. Both lists are in ascending order.
func byPlace(loaded, changed []loyalty.Member) (moved, stayed []loyalty.Member) {
	stayed = make([]loyalty.Member, 0, len(changed))
	for _, m := range changed {
		for len(loaded) > 0 && loaded[0].ID < m.ID {
			loaded = loaded[1:]
		}
		same := len(loaded) > 0 && loaded[0].ID == m.ID &&
			loaded[0].Status == m.Status && loaded[0].Level == m.Level && loaded[0].NextDueAt == m.NextDueAt
		if same {
			stayed = append(stayed, m)
		} else {
			moved = append(moved, m)
		}
	}
	return moved, stayed
}

// runOrders saves orders, coupons, levels and marks.
func runOrders(x *executor, t *saveTexts, s *saving) {
	change(x, t.updateIssued, 1, s.Templates, issuedRecord)
	run(x, t.insertTemplates, s.NewTemplates, templateRecord)
	run(x, t.insertOrders, s.NewOrders, orderRecord)
	change(x, t.updateOrders, 2, s.Orders, orderChangeRecord)
	run(x, t.forgetDetails, s.Forgotten, numberRecord)
	run(x, t.forgetPapers, s.Forgotten, numberRecord)
	run(x, t.insertDetails, s.details, detailRecord)
	run(x, t.insertCoupons, s.NewCoupons, couponRecord)
	change(x, t.updateCoupons, 2, s.Coupons, couponChangeRecord)
	run(x, t.upsertClaims, s.Claims, claimRecord)
	run(x, t.insertMoves, s.LevelMoves, moveRecord)
	run(x, t.upsertTallies, s.Tallies, tallyRecord)
	run(x, t.deleteLabels, s.marked, numberRecord)
	run(x, t.insertLabels, s.labels, labelRecord)
	run(x, t.deleteCards, s.marked, numberRecord)
	run(x, t.insertCards, s.cards, cardRecord)
}

// executor runs statements until one fails.
type executor struct {
	ctx  context.Context
	tx   *sqldb.Tx
	args []any // of the last statement, whose memory the next one uses
	err  error
}

// exec tells how many rows it touched.
func (x *executor) exec(query string, args []any) (n int64) {
	if x.err == nil {
		n, x.err = x.tx.Exec(x.ctx, query, args...)
	}
	return n
}

// run executes a statement for each row.
func run[R any](x *executor, query string, rows []R, of func(*R) record) {
	for i := range rows {
		x.args = of(&rows[i]).addTo(x.args[:0])
		x.exec(query, x.args)
	}
}

// change executes an update for each row, whose record begins with keys numbers
// that say which row it is. Every one of them must be there.
func change[R any](x *executor, query string, keys int, rows []R, of func(*R) record) {
	for i := range rows {
		x.args = of(&rows[i]).addTo(x.args[:0])
		x.args = append(x.args, x.args[:keys]...) // behind what is set
		if n := x.exec(query, x.args[keys:]); x.err == nil && n != 1 {
			x.err = fmt.Errorf("a row was not there to change: %w", loyalty.ErrAgain)
		}
	}
}
