package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
	"github.com/memberd/memberd/internal/store"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// Dump reads everything about members, in one snapshot. Its statements are its
// own, so that a mistake in the store's lists of columns does not hide itself.
func Dump(ctx context.Context, db *sqldb.DB, keys store.Sealer) (s loyaltytest.State, err error) {
	tx, err := db.ReadTx(ctx)
	if err != nil {
		return s, err
	}
	defer tx.Close()
	d := &dumper{ctx: ctx, tx: tx, keys: keys, merchants: map[int64]string{}}
	s.Members = rows(d, "SELECT member_id, merchant_id, open_id, status, level, growth, earned, used, balance, pending, deficit, entries, credits, audits, orders, coupons, level_moves, consume_count, consume_fen, held, kept, period_start, period_end, announced_until, next_due_at, last_entry_at, registered_at FROM member ORDER BY member_id", d.member)
	s.Profiles = rows(d, "SELECT member_id, nickname, birth_month, birth_day, store, sealed FROM member_profile ORDER BY member_id", d.profile)
	s.Lots = rows(d, "SELECT member_id, expires_at, available_at, source, remaining, pending FROM lot", dumpLot)
	s.Lapsed = rows(d, "SELECT member_id, expires_at, available_at, source, quantity, attributed FROM lapsed_lot", dumpLapsed)
	s.Entries = rows(d, "SELECT member_id, entry_no, at, kind, amount, points, pending, deficit, lapsed, balance, operation, reverses, reversed, credits, parts, app_id, space, event, reason, order_no, activity, detail, decision FROM entry ORDER BY member_id, entry_no", dumpEntry)
	s.Keys = rows(d, "SELECT member_id, space, operation, key_id, fingerprint, answer, entry_no, at FROM idempotency_key", dumpKey)
	s.Identities = rows(d, "SELECT merchant_id, kind, value, member_id, row_no FROM identity", dumpIdentity)
	s.Audit = rows(d, "SELECT member_id, audit_no, at, action, operator, reason FROM audit", dumpAudit)
	d.orders(&s)
	s.Sort()
	return s, d.err
}

type dumper struct {
	ctx       context.Context
	tx        *sqldb.ReadTx
	keys      store.Sealer
	merchants map[int64]string
	err       error
}

type scan func(dest ...any) error

// rows runs a query; after an error it does nothing.
func rows[R any](d *dumper, query string, read func(scan) (R, error)) (list []R) {
	if d.err != nil {
		return nil
	}
	result, err := d.tx.Query(d.ctx, query)
	if err != nil {
		d.err = fmt.Errorf("%s: %w", query, err)
		return nil
	}
	defer result.Close()
	for result.Next() {
		r, err := read(result.Scan)
		if err != nil {
			d.err = fmt.Errorf("%s: %w", query, err)
			return nil
		}
		list = append(list, r)
	}
	d.err = result.Err()
	return list
}

func (d *dumper) member(scan scan) (m loyalty.Member, err error) {
	err = scan(&m.ID, &m.Merchant, &m.OpenID, &m.Status, &m.Level, &m.Growth, &m.Earned, &m.Used, &m.Balance,
		&m.Pending, &m.Deficit, &m.Entries, &m.Credits, &m.Audits,
		&m.Orders, &m.Coupons, &m.LevelMoves, &m.ConsumeCount, &m.ConsumeFen,
		&m.Held, &m.Kept, &m.PeriodStart, &m.PeriodEnd, &m.AnnouncedUntil, &m.NextDueAt, &m.LastEntryAt, &m.RegisteredAt)
	d.merchants[m.ID] = m.Merchant
	return m, err
}

func (d *dumper) profile(scan scan) (p loyalty.ProfileRow, err error) {
	var nickname, store, sealed string
	var month, day int
	if err := scan(&p.Member, &nickname, &month, &day, &store, &sealed); err != nil {
		return p, err
	}
	p.Merchant = d.merchants[p.Member]
	plain, err := d.keys.Open(sealed, p.Merchant, strconv.FormatInt(p.Member, 10), "profile")
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(plain, &p.Profile); err != nil {
		return p, err
	}
	p.Nickname, p.BirthMonth, p.BirthDay, p.Store = nickname, month, day, store
	return p, nil
}

func dumpLot(scan scan) (l loyalty.LotRow, err error) {
	var pending int64
	err = scan(&l.Member, &l.ExpiresAt, &l.AvailableAt, &l.Source, &l.Remaining, &pending)
	l.Pending = pending == 1
	return l, err
}

func dumpLapsed(scan scan) (l loyalty.LapsedRow, err error) {
	err = scan(&l.Member, &l.ExpiresAt, &l.AvailableAt, &l.Source, &l.Quantity, &l.Attributed)
	return l, err
}

func dumpEntry(scan scan) (e loyalty.Entry, err error) {
	var parts, detail, decision string
	if err := scan(&e.Member, &e.No, &e.At, &e.Kind, &e.Amount, &e.Points, &e.Pending, &e.Deficit, &e.Lapsed, &e.Balance,
		&e.Operation, &e.Reverses, &e.Reversed, &e.Credits, &parts, &e.App, &e.Space, &e.Event, &e.Reason, &e.OrderNo, &e.Activity, &detail, &decision); err != nil {
		return e, err
	}
	if detail != "" {
		if err := json.Unmarshal([]byte(detail), &e.Detail); err != nil {
			return e, err
		}
	}
	if decision != "" {
		if err := json.Unmarshal([]byte(decision), &e.Decision); err != nil {
			return e, err
		}
	}
	e.Parts, err = loyalty.ParseParts(parts)
	return e, err
}

func dumpKey(scan scan) (k loyalty.KeyRow, err error) {
	err = scan(&k.Member, &k.Space, &k.Operation, &k.Key, &k.Fingerprint, &k.Answer, &k.Entry, &k.At)
	return k, err
}

func dumpIdentity(scan scan) (i loyalty.IdentityRow, err error) {
	err = scan(&i.Merchant, &i.Kind, &i.Value, &i.Member, &i.Row)
	return i, err
}

func dumpAudit(scan scan) (a loyalty.Audit, err error) {
	err = scan(&a.Member, &a.No, &a.At, &a.Action, &a.Operator, &a.Reason)
	return a, err
}
