package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
	if err := tx.QueryRow(ctx, membersCount+where.from(), where.args...).Scan(&result.Total); err != nil {
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
	}, membersPage+where.from()+membersOrder, append(where.args, int64(size), skip)...)
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

var membersPage = `SELECT ` + prefixed("m", memberColumns) + `,` + prefixed("p", profileColumns)

const membersCount = `SELECT count(*)`

const membersOrder = `
	ORDER BY
		m.registered_at DESC,
		m.member_id
	LIMIT ? OFFSET ?`

// condition is the WHERE of a list: only what the filter names, so that the
// planner sees no more than that.
type condition struct {
	texts []string
	args  []any
}

func (c *condition) and(text string, args ...any) {
	c.texts = append(c.texts, text)
	c.args = append(c.args, args...)
}

func (c *condition) from() string {
	return `
	FROM member m
	JOIN member_profile p ON p.member_id = m.member_id
	WHERE ` + strings.Join(c.texts, `
		AND `)
}

func (s *Store) membersWhere(d sqldb.Dialect, f loyalty.MemberFilter, at loyalty.Instant) *condition {
	c := &condition{}
	if f.Label == "" && f.PaidCard == "" {
		c.and("m.merchant_id = ?", f.Merchant)
	} else { // so that the list begins with the marks, not with all members
		c.and("m.merchant_id || '' = ?", f.Merchant)
	}
	if f.Active == nil {
		c.and("m.status <> ?", int64(loyalty.Erased))
	} else if *f.Active {
		c.and("m.status = ?", int64(loyalty.Active))
	} else {
		c.and("m.status = ?", int64(loyalty.Disabled))
	}
	if f.Phone != "" {
		phone := loyalty.Identity{Merchant: f.Merchant, Kind: loyalty.ByPhone, Value: f.Phone}
		c.and(`m.member_id = (SELECT member_id FROM identity WHERE merchant_id = ? AND kind = ? AND value = ?)`,
			phone.Merchant, string(phone.Kind), s.stored(phone))
	}
	if f.Nickname != "" {
		position := "instr"
		if d == sqldb.PostgreSQL {
			position = "strpos"
		}
		c.and(position+"(p.nickname, ?) > 0", f.Nickname)
	}
	if f.Level != nil {
		c.and("m.level = ?", *f.Level)
	}
	if f.RegisteredFrom != 0 {
		c.and("m.registered_at >= ?", int64(f.RegisteredFrom))
	}
	if f.RegisteredTo != 0 {
		c.and("m.registered_at <= ?", int64(f.RegisteredTo))
	}
	if f.Label != "" {
		c.and(`m.member_id IN (SELECT member_id FROM member_label WHERE merchant_id = ? AND label = ?)`, f.Merchant, f.Label)
	}
	if f.PaidCard != "" {
		c.and(`m.member_id IN (SELECT member_id FROM paid_card WHERE merchant_id = ? AND card_id = ?)`, f.Merchant, f.PaidCard)
	}
	t := int64(at)
	if f.MinBalance != nil {
		c.and(balanceAt+" >= CAST(? AS BIGINT)", t, t, t, t, t, *f.MinBalance)
	}
	if f.MaxBalance != nil {
		c.and(balanceAt+" <= CAST(? AS BIGINT)", t, t, t, t, t, *f.MaxBalance)
	}
	return c
}

// balanceAt is loyalty.AsOf's balance in SQL, for filters. Of a member with
// nothing due it is the stored one. Otherwise lots are released in the order
// of their instants; each fills what is left of the deficit first; then what
// has not expired counts. As in AsOf, time does not run back behind the newest
// entry. Its parameters are the merchant's time, five times.
const balanceAt = `
		CASE WHEN m.next_due_at > ? THEN m.balance ELSE (
			SELECT coalesce(sum(CASE WHEN l.usable = 1 THEN l.remaining ELSE 0 END), 0)
				- m.deficit
				+ coalesce(sum(CASE WHEN l.usable = 1 THEN 0 ELSE l.fill END), 0)
			FROM (
				SELECT
					x.remaining,
					CASE
						WHEN x.expires_at <= CASE WHEN m.last_entry_at > ? THEN m.last_entry_at ELSE ? END THEN 0
						WHEN x.pending = 1 AND x.released = 0 THEN 0
						ELSE 1
					END AS usable,
					CASE
						WHEN x.released = 0 OR m.deficit <= x.earlier THEN 0
						WHEN m.deficit - x.earlier < x.remaining THEN m.deficit - x.earlier
						ELSE x.remaining
					END AS fill
				FROM (
					SELECT
						y.expires_at,
						y.remaining,
						y.pending,
						y.released,
						coalesce(sum(y.remaining * y.released) OVER (
							ORDER BY y.available_at, y.expires_at, y.source
							ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
						), 0) AS earlier
					FROM (
						SELECT
							expires_at,
							available_at,
							source,
							remaining,
							pending,
							CASE
								WHEN pending = 1 AND available_at <= CASE WHEN m.last_entry_at > ? THEN m.last_entry_at ELSE ? END THEN 1
								ELSE 0
							END AS released
						FROM lot
						WHERE member_id = m.member_id
					) AS y
				) AS x
			) AS l
		) END`

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
