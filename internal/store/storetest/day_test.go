package storetest_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
	"github.com/memberd/memberd/internal/reconcile"
	"github.com/memberd/memberd/internal/store/storetest"
	"github.com/memberd/memberd/internal/writer"
)

func onEngines(t *testing.T, test func(*testing.T, *storetest.Engine)) {
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); test(t, storetest.SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); test(t, storetest.Postgres(t)) })
}

// Months of a few members' bookings: each day hands over what was booked in it
// and nothing else, however far back it lies.
func TestEachDay(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, e *storetest.Engine) {
		rules := loyaltytest.Merchants()[:2]
		e.AddMerchants(t, rules...)
		start := time.Date(2026, 3, 1, 0, 0, 0, 0, rules[0].Location())
		now := start
		w := writer.New(e.Store, writer.Options{MaxBatch: 1, Now: func() time.Time { return now }})
		defer w.Close()
		var members []int64
		for i := range 4 {
			r, err := writer.Submit(t.Context(), w, loyalty.RegisterMember{
				Merchant: rules[i%2].Merchant, Profile: loyalty.Profile{Phone: fmt.Sprintf("138%08d", i)}, App: "a",
			})
			if err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				members = append(members, r.Member)
			}
		}
		const bookings = 100
		for i := range bookings {
			now = start.Add(time.Duration(i) * 7 * time.Hour)
			book(t, w, rules[0].Merchant, members[0], i, loyalty.InstantOf(now))
			if i%30 == 0 {
				book(t, w, rules[0].Merchant, members[1], i, loyalty.InstantOf(now))
			}
		}
		seen := 0
		for day := range 32 {
			from := loyalty.InstantOf(start.AddDate(0, 0, day))
			until := loyalty.InstantOf(start.AddDate(0, 0, day+1))
			seen += expectDay(t, e, rules[0].Merchant, members, from, until)
		}
		if want := 2 * (bookings + 4); seen < want {
			t.Errorf("%d rows seen, want %d and what came by itself", seen, want)
		}
		stop := errors.New("stop")
		if err := e.Store.EachDay(t.Context(), rules[0].Merchant, 0, loyalty.Never/2, func(reconcile.MemberDay) error { return stop }); err != stop {
			t.Error(err)
		}
	})
}

// book is an order with points and a change under a key.
func book(t *testing.T, w *writer.Writer, merchant string, member int64, i int, now loyalty.Instant) {
	t.Helper()
	who := loyalty.Who{Merchant: merchant, ID: member}
	_, err := writer.Submit(t.Context(), w, loyalty.RecordOrder{
		Who: who, Order: loyalty.OrderKey{No: fmt.Sprintf("O%d-%d", member, i)}, Amount: 100, ConsumedAt: now, Points: 1, Given: true, App: "a",
		Info: loyalty.OrderInfo{Store: fmt.Sprint(i), Papers: loyalty.OrderPapers{CashierName: "x"}},
	})
	if err == nil {
		_, err = writer.Submit(t.Context(), w, loyalty.ChangePoints{
			Who: who, ID: fmt.Sprint(i), KeyOp: loyalty.KeyChange, Event: "event_add", Points: 1, App: "a",
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// expectDay compares a day with all that the members have, and counts its rows.
func expectDay(t *testing.T, e *storetest.Engine, merchant string, members []int64, from, until loyalty.Instant) (rows int) {
	t.Helper()
	var got []string
	keys := 0
	err := e.Store.EachDay(t.Context(), merchant, from, until, func(d reconcile.MemberDay) error {
		for _, o := range d.Orders {
			got = append(got, fmt.Sprintf("%d order %d %s %s", d.ID, o.Seq, o.No, o.Store))
		}
		for _, entry := range d.Entries {
			got = append(got, fmt.Sprintf("%d entry %d", d.ID, entry.No))
			if slices.ContainsFunc(d.Keys, func(k loyalty.KeyRow) bool { return k.Entry == entry.No }) {
				keys++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	wantKeys := 0
	for _, member := range members {
		_, page, err := e.Store.Orders(t.Context(), loyalty.Who{Merchant: merchant, ID: member}, 0, 1, 1_000)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(page.Orders, func(a, b loyalty.OrderFound) int { return cmp.Compare(a.Seq, b.Seq) })
		for _, o := range page.Orders {
			if from <= o.BookedAt && o.BookedAt < until {
				want = append(want, fmt.Sprintf("%d order %d %s %s", member, o.Seq, o.No, o.Info.Store))
			}
		}
		if err := e.Store.EachEntry(t.Context(), member, func(entry loyalty.Entry) error {
			if from <= entry.At && entry.At < until {
				want = append(want, fmt.Sprintf("%d entry %d", member, entry.No))
				if entry.Kind == loyalty.Grant && entry.Operation != loyalty.OpRegisterGift {
					wantKeys++
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" || keys != wantKeys {
		t.Errorf("%d keys, want %d\n%s", keys, wantKeys, diff)
	}
	return len(got)
}

// What a day costs: members (MEMBERD_DAY_MEMBERS) of whom each has a year of
// rows, and one in
// twenty did something that day. All looks are by key.
func BenchmarkEachDay(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *storetest.Engine{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		b.Run(name, func(b *testing.B) {
			e := open(b)
			members := 2_000
			if os.Getenv("MEMBERD_DAY_MEMBERS") != "" {
				fmt.Sscan(os.Getenv("MEMBERD_DAY_MEMBERS"), &members)
			}
			rules := loyaltytest.Merchants()[0]
			e.AddMerchants(b, rules)
			fillYear(b, e, rules.Merchant, members)
			for _, back := range []int64{0, 300} { // days
				b.Run(fmt.Sprintf("%d days back", back), func(b *testing.B) {
					until := loyalty.Instant(1_800_000_000_000 - back*86_400_000)
					found := 0
					for b.Loop() {
						found = 0
						if err := e.Store.EachDay(b.Context(), rules.Merchant, until-86_400_000, until, func(d reconcile.MemberDay) error {
							found += len(d.Lines(reconcile.Filter{}))
							return nil
						}); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(found), "lines")
				})
			}
		})
	}
}

// fillYear gives each member an order and a change every 20 days for a year.
func fillYear(b *testing.B, e *storetest.Engine, merchant string, members int) {
	b.Helper()
	numbers := func(name string, n int) string {
		return fmt.Sprintf("%s(n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM %s WHERE n < %d)", name, name, n)
	}
	const rows = 18
	at := "1800000000000 - (a.n %% 20) * 86400000 - (18 - r.n) * 20 * 86400000 - 1000"
	with := "WITH RECURSIVE " + numbers("a", members) + ", " + numbers("r", rows)
	e.Exec(b, fmt.Sprintf(`INSERT INTO member (member_id, merchant_id, open_id, status, level, growth, earned, used, balance, pending, deficit,
		entries, credits, audits, next_due_at, last_entry_at, registered_at, orders)
		WITH RECURSIVE %s SELECT a.n, '%s', 'o' || a.n, 1, 1, 0, 0, 0, 0, 0, 0, %d, %d, 0, 9223372036854775807,
		1800000000000 - (a.n %% 20) * 86400000 - 1000, 1, %d FROM a`, numbers("a", members), merchant, 2*rows, 2*rows, rows))
	e.Exec(b, fmt.Sprintf(`INSERT INTO member_order (member_id, order_seq, order_id, kind, state, booked_at, consumed_at, amount, points, growth,
		entry_no, refunded, taken_back, growth_back, space, number, parent, rule, app_id)
		%s SELECT a.n, r.n, a.n * 100 + r.n, 1, 1, `+at+`, 0, 100, 1, 0, r.n * 2 - 1, 0, 0, 0, '', 'O' || a.n || '-' || r.n, '', '{}', 'a' FROM a CROSS JOIN r`, with))
	e.Exec(b, fmt.Sprintf(`INSERT INTO entry (member_id, entry_no, at, kind, amount, points, pending, deficit, lapsed, balance, operation, reverses,
		reversed, credits, parts, app_id, space, event, reason, order_no, activity, detail)
		%s SELECT a.n, r.n * 2 - k.k, `+at+`, 1, 1, 1, 0, 0, 0, 1, 4, 0, 0, 1, '', 'a', '', '', '', '', '', ''
		FROM a CROSS JOIN r CROSS JOIN (SELECT 0 AS k UNION ALL SELECT 1) AS k`, with))
	e.Exec(b, fmt.Sprintf(`INSERT INTO idempotency_key (member_id, space, operation, key_id, fingerprint, answer, entry_no, at)
		%s SELECT a.n, '', CASE k.k WHEN 0 THEN 'change' ELSE 'order' END, 'K' || r.n, '', '{}', r.n * 2 - k.k, `+at+`
		FROM a CROSS JOIN r CROSS JOIN (SELECT 0 AS k UNION ALL SELECT 1) AS k`, with))
}
