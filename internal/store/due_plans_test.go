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
		if text := strings.Join(planOnSQLite(t, db, name, p.query), "\n"); !strings.Contains(text, p.by) || strings.Contains(text, "TEMP B-TREE FOR ORDER BY") {
			t.Errorf("%s is not answered by %q:\n%s", name, p.by, text)
		}
	}
}
