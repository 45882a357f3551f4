package store

import (
	"context"
	"strings"

	"github.com/memberd/memberd/internal/store/sqldb"
)

// sqliteTexts change one row each.
var sqliteTexts = func() saveTexts {
	t := sharedTexts(sqldb.SQLite)
	t.updateMembers = `UPDATE member SET` + strings.ReplaceAll(memberChanges, ",", " = ?,") + ` = ?
	WHERE member_id = ?`
	t.deleteIdentities = `
	DELETE FROM identity
	WHERE merchant_id = ?
		AND kind = ?
		AND value = ?`
	t.insertIdentities = `
	INSERT INTO identity (
		member_id,
		merchant_id,
		kind,
		value
	) VALUES (?, ?, ?, ?)`
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
	return t
}()

// saveSQLite stops at the first error; sqldb rolls the transaction back then.
func saveSQLite(ctx context.Context, tx *sqldb.Tx, s *saving) error {
	x := &executor{ctx: ctx, tx: tx}
	t := &sqliteTexts
	run(x, t.deleteIdentities, s.unbound, identityKeyRecord)
	run(x, t.insertIdentities, s.bound, identityRecord)
	run(x, t.insertIdentities, s.rebound, identityRecord)
	run(x, t.insertMembers, s.NewMembers, memberRecord)
	for i := range s.Members {
		ints := memberChangeRecord(&s.Members[i]).ints
		x.exec(t.updateMembers, record{ints: append(ints[1:], ints[0])}.args())
	}
	run(x, t.insertEntries, s.Entries, entryRecord)
	for _, e := range s.Reversed {
		x.exec(t.updateReversed, []any{e.Reversed, e.Member, e.No})
	}
	run(x, t.deleteLots, s.closedLots, lotKeyRecord)
	run(x, t.upsertLots, s.openLots, lotRecord)
	run(x, t.upsertLapsed, s.Lapsed, lapsedRecord)
	run(x, t.insertKeys, s.Keys, keyRecord)
	run(x, t.upsertProfiles, s.profiles, profileRecord)
	run(x, t.insertAudits, s.Audit, auditRecord)
	return x.err
}

// executor runs statements until one fails.
type executor struct {
	ctx context.Context
	tx  *sqldb.Tx
	err error
}

func (x *executor) exec(query string, args []any) {
	if x.err == nil {
		_, x.err = x.tx.Exec(x.ctx, query, args...)
	}
}

// run executes a statement for each row.
func run[R any](x *executor, query string, rows []R, of func(*R) record) {
	for i := range rows {
		x.exec(query, of(&rows[i]).args())
	}
}
