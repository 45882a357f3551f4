package store

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// This file says how each row type is written and read. A list of columns, its
// values and its scan stand together, integers before texts, so that one list
// serves SELECT and INSERT on both engines.

// scanner is a row of any driver.
type scanner interface{ Scan(dest ...any) error }

// record is a row's values in the order of its columns.
type record struct {
	ints  []int64
	texts []string
}

// addTo adds the values for one statement: where they are, since a number that
// becomes an any takes memory of its own and a pointer does not.
func (r record) addTo(args []any) []any {
	for i := range r.ints {
		args = append(args, &r.ints[i])
	}
	for i := range r.texts {
		args = append(args, &r.texts[i])
	}
	return args
}

// arrays are the values of all rows, one array a column, for unnest.
func arrays[R any](rows []R, of func(*R) record) []any {
	var ints [][]int64
	var texts [][]string
	for i := range rows {
		r := of(&rows[i])
		if ints == nil {
			ints, texts = make([][]int64, len(r.ints)), make([][]string, len(r.texts))
			for c := range ints {
				ints[c] = make([]int64, len(rows))
			}
			for c := range texts {
				texts[c] = make([]string, len(rows))
			}
		}
		for c, v := range r.ints {
			ints[c][i] = v
		}
		for c, v := range r.texts {
			texts[c][i] = v
		}
	}
	args := make([]any, 0, len(ints)+len(texts))
	for _, column := range ints {
		args = append(args, column)
	}
	for _, column := range texts {
		args = append(args, column)
	}
	return args
}

// values is where the rows of an INSERT come from: the values of one row on
// SQLite, arrays on PostgreSQL.
func values(d sqldb.Dialect, ints, texts int) string {
	if d == sqldb.SQLite {
		return "VALUES (" + strings.Repeat("?, ", ints+texts-1) + "?)"
	}
	return "SELECT * FROM " + unnest(ints, texts)
}

// unnest turns arrays into rows.
func unnest(ints, texts int) string {
	var b strings.Builder
	b.WriteString("unnest(")
	for i := range ints + texts {
		kind := "bigint"
		if i >= ints {
			kind = "text"
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d::%s[]", i+1, kind)
	}
	b.WriteString(")")
	return b.String()
}

// What a command can change of a member: its totals, and its place, by which
// lists and jobs find it. That is in indexes, and seldom changes.
const (
	memberTotals = `
	growth,
	earned,
	used,
	balance,
	pending,
	deficit,
	entries,
	credits,
	audits,
	orders,
	coupons,
	level_moves,
	consume_count,
	consume_fen,
	held,
	kept,
	period_start,
	period_end,
	announced_until,
	last_entry_at`
	memberPlace = `
	status,
	level,
	next_due_at`
	memberChanges = memberTotals + `,` + memberPlace
	memberColumns = `
	member_id,` + memberChanges + `,
	registered_at,
	merchant_id,
	open_id`
)

// How many of them there are, each with the member's number before it.
const (
	memberTotalInts         = 1 + 20
	memberChangeInts        = memberTotalInts + 3
	memberInts, memberTexts = memberChangeInts + 1, 2
)

func memberRecord(m *loyalty.Member) record {
	return record{
		[]int64{
			m.ID, m.Growth, m.Earned, m.Used, m.Balance, m.Pending, m.Deficit,
			m.Entries, m.Credits, m.Audits, m.Orders, m.Coupons, m.LevelMoves, m.ConsumeCount, m.ConsumeFen,
			m.Held, m.Kept, int64(m.PeriodStart), int64(m.PeriodEnd), int64(m.AnnouncedUntil), int64(m.LastEntryAt),
			int64(m.Status), m.Level, int64(m.NextDueAt), int64(m.RegisteredAt),
		},
		[]string{m.Merchant, m.OpenID},
	}
}

// memberFields is where a member's columns are scanned to.
func memberFields(m *loyalty.Member) []any {
	return []any{
		&m.ID, &m.Growth, &m.Earned, &m.Used, &m.Balance, &m.Pending, &m.Deficit,
		&m.Entries, &m.Credits, &m.Audits, &m.Orders, &m.Coupons, &m.LevelMoves, &m.ConsumeCount, &m.ConsumeFen,
		&m.Held, &m.Kept, &m.PeriodStart, &m.PeriodEnd, &m.AnnouncedUntil, &m.LastEntryAt,
		&m.Status, &m.Level, &m.NextDueAt, &m.RegisteredAt,
		&m.Merchant, &m.OpenID,
	}
}

const entryColumns = `
	member_id,
	entry_no,
	at,
	kind,
	amount,
	points,
	pending,
	deficit,
	lapsed,
	balance,
	operation,
	reverses,
	reversed,
	credits,
	parts,
	app_id,
	space,
	event,
	reason,
	order_no,
	activity,
	detail,
	decision`

const entryInts, entryTexts = 14, 9

func entryRecord(e *loyalty.Entry) record {
	return record{
		[]int64{
			e.Member, e.No, int64(e.At), int64(e.Kind), e.Amount, e.Points, e.Pending, e.Deficit, e.Lapsed,
			e.Balance, int64(e.Operation), e.Reverses, e.Reversed, e.Credits,
		},
		[]string{e.Parts.String(), e.App, e.Space, e.Event, e.Reason, e.OrderNo, e.Activity, detailText(e.Detail), decisionText(e.Decision)},
	}
}

func detailText(d loyalty.Detail) string {
	if d == (loyalty.Detail{}) {
		return ""
	}
	text, err := json.Marshal(d)
	if err != nil {
		panic(err) // strings and integers only
	}
	return string(text)
}

func scanEntry(row scanner) (e loyalty.Entry, err error) {
	var parts, detail, decision string
	if err := row.Scan(
		&e.Member, &e.No, &e.At, &e.Kind, &e.Amount, &e.Points, &e.Pending, &e.Deficit, &e.Lapsed,
		&e.Balance, &e.Operation, &e.Reverses, &e.Reversed, &e.Credits,
		&parts, &e.App, &e.Space, &e.Event, &e.Reason, &e.OrderNo, &e.Activity, &detail, &decision,
	); err != nil {
		return e, err
	}
	if e.Parts, err = loyalty.ParseParts(parts); err != nil {
		return e, fmt.Errorf("entry %d of member %d: %w", e.No, e.Member, err)
	}
	if detail != "" {
		if err := json.Unmarshal([]byte(detail), &e.Detail); err != nil {
			return e, fmt.Errorf("entry %d of member %d: detail is no JSON", e.No, e.Member)
		}
	}
	if decision == "" {
		return e, nil
	}
	if e.Decision, err = loyalty.ParseDecision(decision); err != nil {
		return e, fmt.Errorf("entry %d of member %d: decision is no JSON", e.No, e.Member)
	}
	return e, nil
}

const lotColumns = `
	member_id,
	expires_at,
	available_at,
	remaining,
	pending,
	source`

const lotInts, lotTexts = 5, 1

func lotRecord(l *loyalty.LotRow) record {
	var pending int64
	if l.Pending {
		pending = 1
	}
	return record{
		[]int64{l.Member, int64(l.ExpiresAt), int64(l.AvailableAt), l.Remaining, pending},
		[]string{l.Source},
	}
}

func scanLot(row scanner) (l loyalty.LotRow, err error) {
	var pending int64
	err = row.Scan(&l.Member, &l.ExpiresAt, &l.AvailableAt, &l.Remaining, &pending, &l.Source)
	l.Pending = pending != 0
	return l, err
}

// lotKeyRecord names a lot without what is in it.
func lotKeyRecord(l *loyalty.LotRow) record {
	return record{[]int64{l.Member, int64(l.ExpiresAt), int64(l.AvailableAt)}, []string{l.Source}}
}

const lapsedColumns = `
	member_id,
	expires_at,
	available_at,
	quantity,
	attributed,
	source`

const lapsedInts, lapsedTexts = 5, 1

func lapsedRecord(l *loyalty.LapsedRow) record {
	return record{
		[]int64{l.Member, int64(l.ExpiresAt), int64(l.AvailableAt), l.Quantity, l.Attributed},
		[]string{l.Source},
	}
}

func scanLapsed(row scanner) (l loyalty.LapsedRow, err error) {
	err = row.Scan(&l.Member, &l.ExpiresAt, &l.AvailableAt, &l.Quantity, &l.Attributed, &l.Source)
	return l, err
}

const keyColumns = `
	member_id,
	entry_no,
	at,
	space,
	operation,
	key_id,
	fingerprint,
	answer`

const keyInts, keyTexts = 3, 5

func keyRecord(k *loyalty.KeyRow) record {
	return record{
		[]int64{k.Member, k.Entry, int64(k.At)},
		[]string{k.Space, string(k.Operation), k.Key, k.Fingerprint, k.Answer},
	}
}

func scanKey(row scanner) (k loyalty.KeyRow, err error) {
	err = row.Scan(&k.Member, &k.Entry, &k.At, &k.Space, &k.Operation, &k.Key, &k.Fingerprint, &k.Answer)
	return k, err
}

const auditColumns = `
	member_id,
	audit_no,
	at,
	action,
	operator,
	reason`

const auditInts, auditTexts = 3, 3

func auditRecord(a *loyalty.Audit) record {
	return record{[]int64{a.Member, a.No, int64(a.At)}, []string{a.Action, a.Operator, a.Reason}}
}

func scanAudit(row scanner) (a loyalty.Audit, err error) {
	err = row.Scan(&a.Member, &a.No, &a.At, &a.Action, &a.Operator, &a.Reason)
	return a, err
}

// prefixed puts a table's name before each column of a list.
func prefixed(table, columns string) string {
	return strings.ReplaceAll(columns, "\n\t", "\n\t"+table+".")
}
