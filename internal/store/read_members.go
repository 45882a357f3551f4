package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// Members is a page of a merchant's members that pass the filter, as they
// stand at the real time now: newest registration first, then by number, with
// their personal data and their marks. Erased members are left out. access.ErrNoMerchant when
// there is no such merchant.
func (s *Store) Members(ctx context.Context, filter loyalty.MemberFilter, now loyalty.Instant, page, size int) (_ loyalty.MemberPage, err error) {
	defer func() { err = outage(err) }()
	tx, err := s.db.ReadTx(ctx)
	if err != nil {
		return loyalty.MemberPage{}, fmt.Errorf("list members: %w", err)
	}
	defer tx.Close()
	snap, err := s.snapshotOf(ctx, tx, filter.Merchant)
	if err != nil || filter.Nobody {
		return loyalty.MemberPage{}, err
	}
	result, err := s.members(ctx, tx, filter, snap, now, page, size)
	if err != nil {
		return loyalty.MemberPage{}, fmt.Errorf("list members: %w", err)
	}
	return result, nil
}

func (s *Store) members(ctx context.Context, tx *sqldb.ReadTx, filter loyalty.MemberFilter, snap *loyalty.Snapshot, now loyalty.Instant, page, size int) (loyalty.MemberPage, error) {
	where := s.membersWhere(tx.Dialect(), filter, now+loyalty.Instant(snap.ClockOffset))
	var result loyalty.MemberPage
	if err := tx.QueryRow(ctx, where.count(), where.args...).Scan(&result.Total); err != nil {
		return result, err
	}
	skip, ok := skipped(page, size, result.Total)
	if !ok {
		return result, nil
	}
	var rows []namedMember
	err := each(ctx, tx, func(row scanner) error {
		var m namedMember
		err := row.Scan(append(memberFields(&m.Member), m.profile.fields()...)...)
		rows = append(rows, m)
		return err
	}, where.page(), append(where.args, int64(size), skip)...)
	if err != nil {
		return result, err
	}
	marks, err := marksOfPage(ctx, tx, rows)
	if err != nil {
		return result, err
	}
	for _, row := range rows {
		f := loyalty.Found{Member: row.Member, Snapshot: snap, Marks: marks[row.ID]}
		if f.Profile, err = s.openProfile(f.Merchant, row.profile); err != nil {
			return result, err
		}
		if _, err := s.asOf(ctx, tx, &f, now); err != nil {
			return result, err
		}
		result.Members = append(result.Members, f)
	}
	return result, nil
}

func labelsListed(d sqldb.Dialect) string {
	return `SELECT ` + labelColumns + `
	FROM member_label
	WHERE member_id` + d.In() + `
	ORDER BY
		member_id,
		label`
}

func cardsListed(d sqldb.Dialect) string {
	return `SELECT ` + cardColumns + `
	FROM paid_card
	WHERE member_id` + d.In() + `
	ORDER BY
		member_id,
		card_id`
}

// Marks are a member's labels and paid cards; none for nobody.
func (s *Store) Marks(ctx context.Context, member int64) (loyalty.Marks, error) {
	tx, err := s.db.ReadTx(ctx)
	if err != nil {
		return loyalty.Marks{}, outage(fmt.Errorf("marks of member %d: %w", member, err))
	}
	defer tx.Close()
	marks, err := marksOfMembers(ctx, tx, []int64{member})
	if err != nil {
		return loyalty.Marks{}, outage(fmt.Errorf("marks of member %d: %w", member, err))
	}
	return marks[member], nil
}

// marksOfPage reads the marks of all members of a page.
func marksOfPage(ctx context.Context, tx *sqldb.ReadTx, members []namedMember) (map[int64]loyalty.Marks, error) {
	ids := make([]int64, len(members))
	for i := range members {
		ids[i] = members[i].ID
	}
	return marksOfMembers(ctx, tx, ids)
}

func marksOfMembers(ctx context.Context, tx *sqldb.ReadTx, ids []int64) (map[int64]loyalty.Marks, error) {
	list := sqldb.List(tx.Dialect(), ids)
	var labels []memberLabel
	if err := collect(ctx, tx, &labels, scanLabel, labelsListed(tx.Dialect()), list); err != nil {
		return nil, err
	}
	var cards []memberCard
	if err := collect(ctx, tx, &cards, scanCard, cardsListed(tx.Dialect()), list); err != nil {
		return nil, err
	}
	return marksOf(labels, cards), nil
}

const selectDueMembers = `
	SELECT m.member_id
	FROM member m
	JOIN merchant r ON r.merchant_id = m.merchant_id
	WHERE m.merchant_id = ?
		AND m.next_due_at < 9223372036854775807
		AND m.next_due_at <= ? + r.clock_offset
	ORDER BY m.next_due_at
	LIMIT ?`

// DueMembers are up to limit members of a merchant for whom something is due
// at the real time now, those that wait longest first: for the job that books
// it.
func (s *Store) DueMembers(ctx context.Context, merchant string, now loyalty.Instant, limit int) ([]int64, error) {
	var ids []int64
	if err := collect(ctx, s.db.Read(), &ids, scanID, selectDueMembers, merchant, int64(now), int64(limit)); err != nil {
		return nil, fmt.Errorf("due members of merchant %s: %w", merchant, err)
	}
	return ids, nil
}

const selectMerchants = `SELECT merchant_id FROM merchant ORDER BY merchant_id`

// Merchants are the ids of all merchants, in byte order.
func (s *Store) Merchants(ctx context.Context) ([]string, error) {
	var ids []string
	err := each(ctx, s.db.Read(), func(row scanner) error {
		var id string
		err := row.Scan(&id)
		ids = append(ids, id)
		return err
	}, selectMerchants)
	if err != nil {
		return nil, errors.Join(errors.New("list merchants"), err)
	}
	return ids, nil
}

func scanID(row scanner) (id int64, err error) {
	err = row.Scan(&id)
	return id, err
}
