package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/reconcile"
	"github.com/memberd/memberd/internal/store/sqldb"
)

const (
	// dayMembers is how many members are looked at in one snapshot: some tenths
	// of a second where all of them were busy.
	dayMembers = 200
	// dayRows is how many of a member's newest rows are read at once, going back
	// to the day.
	dayRows = 16
	// daySlack is how far two rows of a member may stand in the wrong order of
	// time: what several servers' clocks are apart, many times over.
	daySlack = loyalty.Instant(60 * 60 * 1000)
)

// selectDayMembers has the time of the newest order beside that of the newest
// entry, so that nothing is read of members who did nothing since the day. The
// merchant is compared in a way that no index helps with, as in
// selectMembersFrom.
const selectDayMembers = `
	SELECT
		m.member_id,
		m.open_id,
		m.entries,
		m.orders,
		m.last_entry_at,
		coalesce((
			SELECT o.booked_at
			FROM member_order o
			WHERE o.member_id = m.member_id
				AND o.order_seq = m.orders
		), 0)
	FROM member m
	WHERE m.merchant_id || '' = ?
		AND m.member_id >= ?
	ORDER BY m.member_id
	LIMIT ?`

// selectDayKeys reads all keys of a member: there is no index by time.
const selectDayKeys = `SELECT ` + keyColumns + `
	FROM idempotency_key
	WHERE member_id = ?
		AND at >= ?
		AND at < ?
	ORDER BY
		space,
		operation,
		key_id`

// dayMember is a member with how far its rows reach.
type dayMember struct {
	id, entries, orders      int64
	openID                   string
	lastEntryAt, lastOrderAt loyalty.Instant
}

func scanDayMember(row scanner) (m dayMember, err error) {
	err = row.Scan(&m.id, &m.openID, &m.entries, &m.orders, &m.lastEntryAt, &m.lastOrderAt)
	return m, err
}

// EachDay hands over what was booked for a merchant's members from one instant
// of its clock until before another, member after member in the order of their
// numbers; members for whom nothing was booked are left out. It ends at the
// first error of do.
//
// There is no index by time: all members are looked at, and of those with
// anything newer than the day the rows are read from the newest back to it.
// Some members at a time are one snapshot.
func (s *Store) EachDay(ctx context.Context, merchant string, from, until loyalty.Instant, do func(reconcile.MemberDay) error) error {
	for next, more := int64(0), true; more; {
		var days []reconcile.MemberDay
		var err error
		days, next, err = s.dayPage(ctx, merchant, next, from, until)
		if err != nil {
			return outage(fmt.Errorf("day of merchant %s: %w", merchant, err))
		}
		for _, d := range days {
			if err := do(d); err != nil {
				return err
			}
		}
		more = next != 0
	}
	return nil
}

// dayPage is some members from a number on, and with whom to go on; 0 after the
// last.
func (s *Store) dayPage(ctx context.Context, merchant string, first int64, from, until loyalty.Instant) (days []reconcile.MemberDay, next int64, err error) {
	tx, err := s.db.ReadTx(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer tx.Close()
	var members []dayMember
	if err := collect(ctx, tx, &members, scanDayMember, selectDayMembers, merchant, first, int64(dayMembers)); err != nil {
		return nil, 0, err
	}
	for _, m := range members {
		d, err := s.dayOf(ctx, tx, m, from, until)
		if err != nil {
			return nil, 0, fmt.Errorf("member %d: %w", m.id, err)
		}
		if len(d.Orders)+len(d.Entries) > 0 {
			days = append(days, d)
		}
	}
	if len(members) == dayMembers {
		next = members[dayMembers-1].id + 1
	}
	return days, next, nil
}

func (s *Store) dayOf(ctx context.Context, q sqldb.Queryer, m dayMember, from, until loyalty.Instant) (d reconcile.MemberDay, err error) {
	d = reconcile.MemberDay{ID: m.id, OpenID: m.openID}
	if m.lastOrderAt >= from-daySlack {
		d.Orders, err = backTo(ctx, q, scanDayOrder, selectOrders, m.id, m.orders, from, until, func(o *reconcile.DayOrder) loyalty.Instant { return o.BookedAt })
		if err != nil {
			return d, err
		}
	}
	if m.lastEntryAt < from {
		return d, nil
	}
	d.Entries, err = backTo(ctx, q, scanEntry, sides[0].page(), m.id, m.entries, from, until, func(e *loyalty.Entry) loyalty.Instant { return e.At })
	if err != nil || len(d.Entries) == 0 {
		return d, err
	}
	err = collect(ctx, q, &d.Keys, scanKey, selectDayKeys, m.id, int64(from-daySlack), int64(until+daySlack))
	return d, err
}

// backTo reads a member's rows from the newest, number last, down to those from
// before the day, and keeps those of the day, oldest first. The query's
// parameters are the member and a range of numbers; it gives the newest first.
func backTo[R any](ctx context.Context, q sqldb.Queryer, scan func(scanner) (R, error), query string, member, last int64, from, until loyalty.Instant, at func(*R) loyalty.Instant) (kept []R, err error) {
	size := int64(dayRows)
	for over := false; last > 0 && !over; {
		first := max(last-size+1, 1)
		if err := each(ctx, q, func(row scanner) error {
			r, err := scan(row)
			if err != nil {
				return err
			}
			switch t := at(&r); {
			case t < from-daySlack:
				over = true
			case t >= from && t < until:
				kept = append(kept, r)
			}
			return nil
		}, query, member, first, last); err != nil {
			return nil, err
		}
		last, size = first-1, min(size*2, 64*dayRows)
	}
	slices.Reverse(kept)
	return kept, nil
}

// scanDayOrder reads what selectOrders gives. The papers stay sealed: no file
// tells them.
func scanDayOrder(row scanner) (o reconcile.DayOrder, err error) {
	var detail, sealed string
	if err := scanOrderAnd(row, &o.Order, &detail, &sealed); err != nil {
		return o, err
	}
	var info loyalty.OrderInfo
	if detail != "" && json.Unmarshal([]byte(detail), &info) != nil {
		return o, fmt.Errorf("order %d: detail is no JSON", o.Seq)
	}
	o.Store = info.Store
	return o, nil
}

const selectKeyUsed = `SELECT ` + keyColumns + `
	FROM idempotency_key
	WHERE member_id = ?
		AND space = ?
		AND operation = ?
		AND key_id = ?`

// KeyUsed is the row of a key that a member has used; nil when it has not, or
// when the row has been purged.
func (s *Store) KeyUsed(ctx context.Context, member int64, key loyalty.KeyID) (*loyalty.KeyRow, error) {
	row, err := scanKey(s.db.Read().QueryRow(ctx, selectKeyUsed, member, key.Space, string(key.Operation), key.Key))
	switch {
	case errors.Is(err, sqldb.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, outage(fmt.Errorf("key of member %d: %w", member, err))
	}
	return &row, nil
}
