package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/backtest"
)

// What was booked gives the same ledger under the programme as it is, and what
// it would have come to under another; nothing is written either way.
func TestSimulate(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig) {
		app := r.app("m1")
		s := r.serve()
		register(t, s, app)
		call := func(method, data string) { s.must(method, app, `{"phone":"`+phone+`",`+data+`}`) }
		call("wk.user.consume.order", `"order_no":"O1","order_amount":100,"order_score":60,"consume_date":"2021-08-24 00:00:00"`)
		call("wk.user.consume.order", `"order_no":"O2","order_amount":400,"consume_date":"2021-08-24 00:00:00"`)
		call("wk.user.refund.order", `"order_no":"R2","parent_order_no":"O2","order_amount":100,"consume_date":"2021-08-24 00:00:00"`)
		call("wk.user.event.score.change", `"change_event":"event_subtract","score":25,"change_reason":"兑换","change_id":"c1"`)
		exported := func() map[string]any {
			document := decode(t, r.on("member", "export", "--merchant", "m1", "--phone", phone))
			delete(document, "exported_at")
			return document
		}
		before := exported()

		file := r.path("programme.yaml")
		present := r.on("program", "export", "--merchant", "m1")
		simulate := func(text string) (report backtest.Report) {
			t.Helper()
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			out := r.on("program", "simulate", "--merchant", "m1", "--since", "2020-01-01", "--json", file)
			if err := json.Unmarshal([]byte(out), &report); err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			return report
		}
		same := backtest.Sums{Granted: 60, Spent: 25, Liability: 35}
		if got := simulate(present); got.Members != 1 || got.Same != 1 || got.Before != same || got.After != same {
			t.Errorf("as it is: %+v", got)
		}
		// O2 earns by the rule, its refund takes a quarter of that; 400 of growth
		// value, less 100, is level 2 either way.
		other := strings.Replace(present, "  score: zero", "  score: rule", 1)
		other = strings.Replace(other, "  rate: 1/1", "  rate: 2/1", 1)
		got := simulate(other)
		if want := (backtest.Sums{Granted: 860, TakenOff: 200, Spent: 25, Liability: 635}); got.Same != 0 || got.Before != same || got.After != want {
			t.Errorf("otherwise: %+v", got)
		}
		if l := got.Levels[1]; l.Number != 2 || l.Before != 1 || l.After != 1 || l.Winners != 1 || l.Won != 600 || l.Losers != 0 {
			t.Errorf("level 2: %+v", l)
		}
		// The points of the caller cannot be spent before they are usable.
		late := strings.Replace(present, "  waiting_days: 0", "  waiting_days: 3", 1)
		if got := simulate(late); got.Refused["points insufficient"] != 1 || got.After.Liability != 60 {
			t.Errorf("with a waiting period: %+v", got)
		}
		has(t, r.on("program", "simulate", "--merchant", "m1", "--since", "2020-01-01", file),
			"granted 60 60 +0", "spent 25 0 -25", "liability now 35 60 +25", "members: 1, of whom 0 would have the very same ledger",
			"calls that would have been refused, points insufficient: 1", "2 1 1 0 0 0 0 二级会员")
		r.refused(exitUsage, "has not come yet", "program", "simulate", "--merchant", "m1", "--since", "2999-01-01", file)
		r.refused(exitUsage, "--since", "program", "simulate", "--merchant", "m1", "--since", "yesterday", file)
		if diff := cmp.Diff(before, exported()); diff != "" {
			t.Errorf("the member has changed:\n%s", diff)
		}
		if out := r.on("check"); out != "1 members checked, 0 differences\n" {
			t.Error(out)
		}
	})
}
