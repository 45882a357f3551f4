package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
)

// verifyAll goes through all members in ranges and expects no difference.
func verifyAll(t testing.TB, e *Engine, limit int) (checked int) {
	t.Helper()
	for from := int64(0); ; {
		next, n, diffs, err := e.Store.Verify(t.Context(), from, limit)
		must(t, err)
		checked += n
		for _, d := range diffs {
			t.Errorf("no row was touched, but verify finds %+v", d)
		}
		if next == 0 {
			return checked
		}
		if next <= from {
			t.Fatalf("verify goes from %d to %d", from, next)
		}
		from = next
	}
}

// Ranges of any size see every member once, whatever is due.
func testVerifyRanges(t *testing.T, e *Engine) {
	if n := verifyAll(t, e, 10); n != 0 {
		t.Errorf("%d members in an empty database", n)
	}
	h := newHistory(t, e, 1_000)
	for _, limit := range []int{1, 7, len(h.state.Members), 1_000, 1_000_000} {
		if n := verifyAll(t, e, limit); n != len(h.state.Members) {
			t.Errorf("ranges of %d: %d members checked of %d", limit, n, len(h.state.Members))
		}
	}
}

// corruption is a value changed behind the store's back.
type corruption struct {
	table, column string
	set           string // the column's new value, in SQL
	where         string
	args          []any
	member        int64
	field         string // how the difference's field begins
}

// Each corruption is found at its member, under its field, and is gone when the
// value is put back.
func testCorruption(t *testing.T, e *Engine) {
	h := newHistory(t, e, 3_000)
	for _, c := range h.corruptions() {
		name := fmt.Sprintf("%s.%s", c.table, c.column)
		restore := h.corrupt(c)
		_, _, diffs, err := e.Store.Verify(t.Context(), c.member, 1_000)
		must(t, err)
		i := slices.IndexFunc(diffs, func(d loyalty.Difference) bool {
			return d.Member == c.member && strings.HasPrefix(d.Field, c.field)
		})
		if i < 0 {
			t.Errorf("%s of member %d: no difference in %q, only %+v", name, c.member, c.field, diffs)
		} else if d := diffs[i]; d.Stored == "" || d.Recomputed == "" || d.Stored == d.Recomputed {
			t.Errorf("%s: stored %q, recomputed %q", name, d.Stored, d.Recomputed)
		}
		for _, d := range diffs {
			if d.Member != c.member {
				t.Errorf("%s of member %d: a difference at another member: %+v", name, c.member, d)
			}
		}
		restore()
	}
	verifyAll(t, e, 1_000)
	h.strays()
}

// corrupt sets the value and returns how to put it back. Values are text to
// this function, whatever the column holds.
func (h *history) corrupt(c corruption) (restore func()) {
	t := h.t
	t.Helper()
	where := " WHERE " + c.where
	integer := c.set != "'x'"
	var number int64
	var text string
	row := h.DB.Read().QueryRow(t.Context(), "SELECT "+c.column+" FROM "+c.table+where, c.args...)
	var old any
	if integer {
		must(t, row.Scan(&number))
		old = number
	} else {
		must(t, row.Scan(&text))
		old = text
	}
	h.Exec(t, "UPDATE "+c.table+" SET "+c.column+" = "+c.set+where, c.args...)
	// The place is found again by its old key, which no corruption changes.
	return func() { h.Exec(t, "UPDATE "+c.table+" SET "+c.column+" = ?"+where, append([]any{old}, c.args...)...) }
}

func (h *history) corruptions() (list []corruption) {
	t := h.t
	t.Helper()
	member := h.busiest()
	of := func(table, column, set, where, field string, args ...any) {
		list = append(list, corruption{table, column, set, where, args, args[0].(int64), field})
	}
	for column, field := range map[string]string{
		"entries": "entries", "credits": "credits", "balance": "balance", "earned": "earned", "used": "used",
		"pending": "pending", "deficit": "deficit", "last_entry_at": "last entry time", "next_due_at": "next due",
		"level": "level", "audits": "audits",
	} {
		of("member", column, column+" - 1", "member_id = ?", field, member.ID)
	}
	of("member", "open_id", "'x'", "member_id = ?", "identity open_id", member.ID)
	of("member_profile", "sealed", "'x'", "member_id = ?", "profile", member.ID)
	spend := h.entryOf(func(e loyalty.Entry) bool { return e.Kind == loyalty.Spend })
	const entry = "member_id = ? AND entry_no = ?"
	for column, field := range map[string]string{
		"amount": "used", "points": "balance", "pending": "pending", "deficit": "deficit", "balance": "entry %d balance",
		"credits": "entry %d credits", "reversed": "entry %d reversed", "at": "",
	} {
		if strings.Contains(field, "%d") {
			field = fmt.Sprintf(field, spend.No)
		}
		if column == "at" {
			later := h.entryOf(func(e loyalty.Entry) bool { return e.No == 2 })
			of("entry", "at", "0", entry, "entry 2 time", later.Member, later.No)
			continue
		}
		of("entry", column, column+" + 1", entry, field, spend.Member, spend.No)
	}
	of("entry", "kind", "1", entry, "credits", spend.Member, spend.No)
	back := h.entryOf(func(e loyalty.Entry) bool { return e.Kind == loyalty.PutBack })
	of("entry", "reverses", "reverses + 1", entry, fmt.Sprintf("entry %d reversed", back.Reverses), back.Member, back.No)
	of("entry", "parts", "'x'", entry, "", spend.Member, spend.No)
	list = list[:len(list)-1] // not to be read at all: tested in strays
	lot := h.state.Lots[0]
	const place = "member_id = ? AND expires_at = ? AND available_at = ? AND source = ?"
	key := []any{lot.Member, int64(lot.ExpiresAt), int64(lot.AvailableAt), lot.Source}
	of("lot", "remaining", "remaining + 1", place, "lot ", key...)
	of("lot", "pending", "1 - pending", place, "lot ", key...)
	lapsed := h.state.Lapsed[0]
	key = []any{lapsed.Member, int64(lapsed.ExpiresAt), int64(lapsed.AvailableAt), lapsed.Source}
	of("lapsed_lot", "quantity", "quantity + 1", place, "lot ", key...)
	of("lapsed_lot", "attributed", "attributed + 1", place, "lot ", key...)
	return list
}

// busiest is the member with most entries that is active.
func (h *history) busiest() (most loyalty.Member) {
	for _, m := range h.state.Members {
		if m.Status == loyalty.Active && m.Entries > most.Entries && m.NextDueAt != loyalty.Never {
			most = m
		}
	}
	return most
}

func (h *history) entryOf(what func(loyalty.Entry) bool) loyalty.Entry {
	h.t.Helper()
	i := slices.IndexFunc(h.state.Entries, what)
	if i < 0 {
		h.t.Fatal("the history has no such entry")
	}
	return h.state.Entries[i]
}

// strays are rows too many and rows too few.
func (h *history) strays() {
	t := h.t
	t.Helper()
	const nobody = int64(999_999_999)
	member := h.busiest()
	phone := h.Stored(loyalty.Identity{Merchant: member.Merchant, Kind: loyalty.ByPhone, Value: h.profile(member.ID).Phone})
	lot := h.state.Lots[len(h.state.Lots)-1]
	lapsed := h.state.Lapsed[len(h.state.Lapsed)-1]
	// One in the middle of a ledger: the entry after it shows the gap.
	after := h.entryOf(func(e loyalty.Entry) bool { return e.No == 4 })
	gone := h.entryOf(func(e loyalty.Entry) bool { return e.Member == after.Member && e.No == 3 })
	for _, c := range []struct {
		member int64
		field  string
		query  string
		args   []any
	}{
		{nobody, "identity phone", "INSERT INTO identity (merchant_id, kind, value, member_id) VALUES (?, 'phone', 'stray', ?)", []any{member.Merchant, nobody}},
		{nobody, "entry 4", "INSERT INTO entry (member_id, entry_no, at, kind, amount, points, pending, deficit, lapsed, balance, operation, reverses, reversed, credits, parts, app_id, space, event, reason, order_no, activity, detail) VALUES (?, 4, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, '', '', '', '', '', '', '', '')", []any{nobody}},
		{nobody, "lots", "INSERT INTO lot (member_id, expires_at, available_at, source, remaining, pending) VALUES (?, 1, 0, '', 1, 0)", []any{nobody}},
		{nobody, "lapsed lots", "INSERT INTO lapsed_lot (member_id, expires_at, available_at, source, quantity, attributed) VALUES (?, 1, 0, '', 1, 0)", []any{nobody}},
		{nobody, "audit records", "INSERT INTO audit (member_id, audit_no, at, action, operator, reason) VALUES (?, 1, 0, '', '', '')", []any{nobody}},
		{lot.Member, "lot ", "DELETE FROM lot WHERE member_id = ? AND expires_at = ?", []any{lot.Member, int64(lot.ExpiresAt)}},
		{lapsed.Member, "lot ", "DELETE FROM lapsed_lot WHERE member_id = ? AND expires_at = ?", []any{lapsed.Member, int64(lapsed.ExpiresAt)}},
		{gone.Member, "entry 4 number", "DELETE FROM entry WHERE member_id = ? AND entry_no = ?", []any{gone.Member, gone.No}},
		{member.ID, "identity phone", "UPDATE identity SET member_id = member_id + 1 WHERE merchant_id = ? AND kind = 'phone' AND value = ?", []any{member.Merchant, phone}},
		{member.ID, "identity open_id", "DELETE FROM identity WHERE merchant_id = ? AND kind = 'open_id' AND value = ?", []any{member.Merchant, member.OpenID}},
		{member.ID, "profile", "DELETE FROM member_profile WHERE member_id = ?", []any{member.ID}},
	} {
		h.Exec(t, c.query, c.args...)
		if !h.finds(c.member, c.field) {
			t.Errorf("verify does not find %q of member %d after: %s", c.field, c.member, c.query)
		}
	}
	h.Exec(t, "UPDATE entry SET parts = 'x' WHERE member_id = ? AND entry_no = 1", member.ID)
	if _, _, _, err := h.Store.Verify(t.Context(), 0, 1_000); err == nil {
		t.Error("verify reads parts that are none")
	}
}

func (h *history) finds(member int64, field string) bool {
	h.t.Helper()
	for from := int64(0); ; {
		next, _, diffs, err := h.Store.Verify(h.t.Context(), from, 50)
		must(h.t, err)
		for _, d := range diffs {
			if d.Member == member && strings.HasPrefix(d.Field, field) {
				return true
			}
		}
		if next == 0 {
			return false
		}
		from = next
	}
}
