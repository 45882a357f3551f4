package store

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/store/sqldb"
)

// A look each minute must not cost what is not due: it reads a range of an
// index that holds nothing else.
func TestDuePlans(t *testing.T) {
	t.Parallel()
	db := migrated(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	for name, p := range map[string]plan{
		"selectDueMembers":      {selectDueMembers, "member_due (merchant_id=? AND next_due_at<?)"},
		"selectExpiringMembers": {selectExpiringMembers, "member_due (merchant_id=? AND next_due_at<?)"},
		"selectEndedCoupons":    {endedCoupons(sqldb.SQLite), "coupon_ending (end_at<?)"},
		"selectParkedRefunds":   {selectParkedRefunds, "parked_refund"},
		"selectMembersFrom":     {selectMembersFrom, "INTEGER PRIMARY KEY (rowid>?)"},
		"selectMemberRowsFrom":  {selectMemberRowsFrom, "INTEGER PRIMARY KEY (rowid>?)"},
		"purgeKeys":             {purgeKeys, "(member_id=?)"},
	} {
		args := make([]any, strings.Count(p.query, "?"))
		for i := range args {
			args[i] = int64(1)
		}
		rows, err := db.Read().Query(t.Context(), "EXPLAIN QUERY PLAN "+p.query, args...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var lines []string
		for rows.Next() {
			var id, parent, unused int64
			var line string
			if err := rows.Scan(&id, &parent, &unused, &line); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, line)
		}
		rows.Close()
		if text := strings.Join(lines, "\n"); !strings.Contains(text, p.by) || strings.Contains(text, "TEMP B-TREE FOR ORDER BY") {
			t.Errorf("%s is not answered by %q:\n%s", name, p.by, text)
		}
	}
}
