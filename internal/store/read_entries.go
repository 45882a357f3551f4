package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// Entries is a page of the ledger of the member that who names, newest entry
// first, with what is due and not booked yet; pages count from 1. A direction
// other than 0 keeps to that side. Errors are those of Member. A page beyond
// the last has no entries and the right total.
//
// Numbers are dense, so a page of the whole ledger is a range of the primary
// key. For one side the counter that each entry carries is binary-searched:
// the cost of a page does not grow with its number, and nothing is counted.
func (s *Store) Entries(ctx context.Context, who loyalty.Who, now loyalty.Instant, direction loyalty.Direction, page, size int) (_ loyalty.Found, _ loyalty.EntryPage, err error) {
	defer func() { err = outage(err) }()
	tx, err := s.db.ReadTx(ctx)
	if err != nil {
		return loyalty.Found{}, loyalty.EntryPage{}, fmt.Errorf("read entries: %w", err)
	}
	defer tx.Close()
	f, due, err := s.found(ctx, tx, who, now, false)
	if err != nil {
		return f, loyalty.EntryPage{}, err
	}
	side := sideOf(direction)
	var newest []loyalty.Entry // due ones of that side, newest first
	for _, e := range slices.Backward(due) {
		if direction == 0 || e.Kind.Direction() == direction {
			newest = append(newest, e)
		}
	}
	result := loyalty.EntryPage{Total: side.count(f.Member)}
	skip, ok := skipped(page, size, result.Total)
	if !ok {
		return f, result, nil
	}
	if fresh := int64(len(newest)); skip < fresh {
		result.Entries = newest[skip:min(fresh, skip+int64(size))]
	}
	stored := f.Entries - int64(len(due))
	position := result.Total - max(skip, int64(len(newest))) // of the first stored one, counted from the oldest
	limit := int64(size) - int64(len(result.Entries))
	if limit > 0 && position > 0 {
		err = s.entriesDown(ctx, tx, &result.Entries, f.ID, stored, side, position, limit)
	}
	if err != nil {
		return f, loyalty.EntryPage{}, fmt.Errorf("entries of member %d: %w", f.ID, err)
	}
	return f, result, nil
}

// skipped is how many rows stand before a page; ok is false when the page is
// beyond the last. Nothing overflows, whatever the caller asks for.
func skipped(page, size int, total int64) (skip int64, ok bool) {
	if page < 1 || size < 1 || int64(page-1) > total/int64(size) {
		return 0, false
	}
	skip = int64(page-1) * int64(size)
	return skip, skip < total
}

// side is one side of the ledger, or both.
type side struct {
	direction loyalty.Direction
	position  string // how many entries of the side there are up to an entry
	kinds     string // condition on the kind, "" for both sides
}

var sides = [3]side{
	0:              {0, "e.entry_no", ""},
	loyalty.Credit: {loyalty.Credit, "e.credits", kindsOf(loyalty.Credit)},
	loyalty.Debit:  {loyalty.Debit, "e.entry_no - e.credits", kindsOf(loyalty.Debit)},
}

func sideOf(d loyalty.Direction) side {
	if d == loyalty.Credit || d == loyalty.Debit {
		return sides[d]
	}
	return sides[0]
}

func kindsOf(d loyalty.Direction) string {
	var kinds []string
	for k := loyalty.Grant; k <= loyalty.WriteOff; k++ {
		if k.Direction() == d {
			kinds = append(kinds, fmt.Sprint(int(k)))
		}
	}
	return " AND kind IN (" + strings.Join(kinds, ", ") + ")"
}

func (s side) count(m loyalty.Member) int64 {
	switch s.direction {
	case loyalty.Credit:
		return m.Credits
	case loyalty.Debit:
		return m.Entries - m.Credits
	}
	return m.Entries
}

// bounds finds, by halving, the first entry at which the side has reached each
// of two positions. Both ends of the range come from one statement.
func (s side) bounds() string {
	return `
	WITH RECURSIVE step (target, low, high) AS (
		SELECT CAST(? AS BIGINT), CAST(1 AS BIGINT), CAST(? AS BIGINT)
		UNION ALL
		SELECT CAST(? AS BIGINT), CAST(1 AS BIGINT), CAST(? AS BIGINT)
		UNION ALL
		SELECT
			step.target,
			CASE WHEN ` + s.position + ` < step.target THEN e.entry_no + 1 ELSE step.low END,
			CASE WHEN ` + s.position + ` < step.target THEN step.high ELSE e.entry_no END
		FROM step
		JOIN entry e ON e.member_id = ?
			AND e.entry_no = (step.low + step.high) / 2
		WHERE step.low < step.high
	)
	SELECT
		min(low),
		max(low)
	FROM step
	WHERE low = high`
}

func (s side) page() string {
	return `SELECT ` + entryColumns + `
	FROM entry
	WHERE member_id = ?
		AND entry_no BETWEEN ? AND ?` + s.kinds + `
	ORDER BY entry_no DESC`
}

// entriesDown appends limit entries of a side, from its position downwards.
func (s *Store) entriesDown(ctx context.Context, q sqldb.Queryer, list *[]loyalty.Entry, member, last int64, side side, position, limit int64) error {
	high, low := position, max(position-limit+1, 1)
	if side.direction != 0 {
		row := q.QueryRow(ctx, side.bounds(), high, last, low, last, member)
		if err := row.Scan(&low, &high); err != nil {
			return err
		}
	}
	return collect(ctx, q, list, scanEntry, side.page(), member, low, high)
}

const selectEntries = `SELECT ` + entryColumns + `
	FROM entry
	WHERE member_id = ?
	ORDER BY entry_no`

// EachEntry hands over all entries of a member, oldest first, from one
// statement. It ends at the first error of each.
func (s *Store) EachEntry(ctx context.Context, member int64, do func(loyalty.Entry) error) error {
	return each(ctx, s.db.Read(), func(row scanner) error {
		e, err := scanEntry(row)
		if err != nil {
			return err
		}
		return do(e)
	}, selectEntries, member)
}

const selectAudits = `SELECT ` + auditColumns + `
	FROM audit
	WHERE member_id = ?
	ORDER BY audit_no DESC`

// Audits are the records of a member's changes that are no points changes,
// newest first.
func (s *Store) Audits(ctx context.Context, member int64) ([]loyalty.Audit, error) {
	var audits []loyalty.Audit
	if err := collect(ctx, s.db.Read(), &audits, scanAudit, selectAudits, member); err != nil {
		return nil, fmt.Errorf("audits of member %d: %w", member, err)
	}
	return audits, nil
}
