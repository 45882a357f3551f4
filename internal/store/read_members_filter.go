package store

import (
	"fmt"
	"strings"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// membersPage finds the page first, by what the filter needs and nothing wider,
// and reads whole rows of that page alone: members that are counted or skipped
// cost as little as they can.
var membersPage = `SELECT ` + prefixed("m", memberColumns) + `,` + prefixed("p", profileColumns) + `
	FROM (
		SELECT
			m.member_id,
			m.registered_at%s
		ORDER BY
			m.registered_at DESC,
			m.member_id
		LIMIT ? OFFSET ?
	) AS k
	JOIN member m ON m.member_id = k.member_id
	JOIN member_profile p ON p.member_id = k.member_id
	ORDER BY
		k.registered_at DESC,
		k.member_id`

const membersCount = `SELECT count(*)`

// condition is the WHERE of a list: only what the filter names, so that the
// planner sees no more than that.
type condition struct {
	texts    []string
	args     []any
	profiles bool // a condition is about personal data
}

func (c *condition) and(text string, args ...any) {
	c.texts = append(c.texts, text)
	c.args = append(c.args, args...)
}

func (c *condition) from() string {
	join := ""
	if c.profiles {
		join = `
	JOIN member_profile p ON p.member_id = m.member_id`
	}
	return `
	FROM member m` + join + `
	WHERE ` + strings.Join(c.texts, `
		AND `)
}

func (c *condition) count() string { return membersCount + c.from() }

// page takes the size and how many rows to skip, behind the condition's own
// parameters.
func (c *condition) page() string { return fmt.Sprintf(membersPage, c.from()) }

func (s *Store) membersWhere(d sqldb.Dialect, f loyalty.MemberFilter, at loyalty.Instant) *condition {
	c := &condition{}
	if d == sqldb.SQLite && (f.Label != "" || f.PaidCard != "") {
		// So that the list begins with the marks, not with all members;
		// PostgreSQL knows from its statistics how many have them.
		c.and("m.merchant_id || '' = ?", f.Merchant)
	} else {
		c.and("m.merchant_id = ?", f.Merchant)
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
		c.profiles = true
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
