package store

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/store/sqldb"
	"github.com/memberd/memberd/internal/webhook"
)

// Looking at the outbox must not cost what stands in it: only apps, which are
// few, the index of what waits, and rows that a part has chosen, are read from
// end to end.
func TestOutboxPlans(t *testing.T) {
	t.Parallel()
	db := migrated(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	list := func(f webhook.Filter) string {
		text, _ := callbackList(f)
		return text
	}
	for name, p := range map[string]plan{
		"selectDueApps":    {selectDueApps, "callback_stream_due (app_id=? AND next_at<?)"},
		"claimStreams":     {claimStreams(sqldb.SQLite), "callback_stream_due (app_id=? AND next_at<?)"},
		"claimResends":     {claimResends(sqldb.SQLite), "callback_resend_due (app_id=? AND next_at<?)"},
		"selectNextEvent":  {selectNextEvent, "(member_id=? AND app_id=? AND event_no>?)"},
		"deleteDoneEvents": {deleteDoneEvents(sqldb.SQLite), "callback_event_done (app_id=? AND done_at<?)"},
		"hurryStreams":     {hurryStreams, "callback_stream_due (app_id=? AND next_at>?"},
		"selectTidyable":   {selectTidyable, "callback_event_done (app_id=? AND done_at<?)"},
		"selectLag":        {selectLag, "SCAN s USING INDEX callback_stream_due"},
		"list of a member": {list(webhook.Filter{Member: 1}), "(member_id=? AND app_id=? AND event_no>? AND event_no<?)"},
		"list of parked":   {list(webhook.Filter{State: webhook.StateParked}), "callback_event_parked (app_id=?)"},
		"list of waiting":  {list(webhook.Filter{State: webhook.StateWaiting}), "callback_stream_due (app_id=?"},
		"list of done":     {list(webhook.Filter{State: webhook.StateDelivered}), "callback_event_done (app_id=? AND done_at>?"},
	} {
		lines := planOnSQLite(t, db, name, p.query)
		for _, line := range lines {
			if table, ok := strings.CutPrefix(line, "SCAN "); ok && !strings.Contains(" a s w due CONSTANT ", " "+strings.Fields(table)[0]+" ") {
				t.Errorf("%s reads a table from end to end: %s", name, line)
			}
		}
		if text := strings.Join(lines, "\n"); !strings.Contains(text, p.by) {
			t.Errorf("%s is not answered by %q:\n%s", name, p.by, text)
		}
	}
}
