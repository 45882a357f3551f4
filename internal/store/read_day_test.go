package store

import (
	"path/filepath"
	"strings"
	"testing"
)

// A day's statement looks at every member, and at each by key only.
func TestDayPlans(t *testing.T) {
	t.Parallel()
	db := migrated(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	for name, p := range map[string]plan{
		"selectDayMembers": {selectDayMembers, "SEARCH m USING INTEGER PRIMARY KEY (rowid>?)"},
		"newest order":     {selectDayMembers, "SEARCH o USING PRIMARY KEY (member_id=? AND order_seq=?)"},
		"selectOrders":     {selectOrders, "(member_id=? AND order_seq>? AND order_seq<?)"},
		"entries":          {sides[0].page(), "(member_id=? AND entry_no>? AND entry_no<?)"},
		"selectDayKeys":    {selectDayKeys, "(member_id=?)"},
		"selectKeyUsed":    {selectKeyUsed, "(member_id=? AND space=? AND operation=? AND key_id=?)"},
	} {
		if text := strings.Join(planOnSQLite(t, db, name, p.query), "\n"); !strings.Contains(text, p.by) || strings.Contains(text, "TEMP B-TREE") {
			t.Errorf("%s is not answered by %q:\n%s", name, p.by, text)
		}
	}
}
