package loyalty_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

func days(n int) loyalty.Validity {
	return loyalty.Validity{Kind: loyalty.RollingDays, N: n}
}

func wantLots(t *testing.T, w *loyaltytest.World, who loyalty.Who, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, w.Lots(who)); diff != "" {
		t.Errorf("lots (-want +got):\n%s", diff)
	}
}

// totals is balance, earned, used, pending, deficit.
func wantTotals(t *testing.T, w *loyaltytest.World, who loyalty.Who, want ...int64) {
	t.Helper()
	m := w.Member(who)
	got := []int64{m.Balance, m.Earned, m.Used, m.Pending, m.Deficit}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("balance, earned, used, pending, deficit (-want +got):\n%s", diff)
	}
}

func wantError(t *testing.T, err error, want loyalty.Code) {
	t.Helper()
	if code, _ := loyalty.CodeOf(err); code != want {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestExpiryInstants(t *testing.T) {
	t.Parallel()
	shanghai, _ := time.LoadLocation("Asia/Shanghai")
	berlin, _ := time.LoadLocation("Europe/Berlin")
	for _, c := range []struct {
		validity loyalty.Validity
		loc      *time.Location
		start    string
		want     string // first moment at which the points are gone
	}{
		{loyalty.Validity{Kind: loyalty.YearEnd, N: 1}, shanghai, "2026-01-15 10:00", "2028-01-01 00:00"},
		{loyalty.Validity{Kind: loyalty.YearEnd, N: 0}, shanghai, "2026-12-31 23:59", "2027-01-01 00:00"},
		{loyalty.Validity{Kind: loyalty.MonthEnd, N: 0}, shanghai, "2026-02-28 12:00", "2026-03-01 00:00"},
		{loyalty.Validity{Kind: loyalty.MonthEnd, N: 11}, shanghai, "2026-01-31 12:00", "2027-01-01 00:00"},
		{loyalty.Validity{Kind: loyalty.RollingMonths, N: 1}, shanghai, "2026-01-31 12:00", "2026-03-01 00:00"},
		{loyalty.Validity{Kind: loyalty.RollingMonths, N: 1}, shanghai, "2028-01-31 12:00", "2028-03-01 00:00"},
		{loyalty.Validity{Kind: loyalty.RollingMonths, N: 12}, shanghai, "2028-02-29 12:00", "2029-03-01 00:00"},
		{loyalty.Validity{Kind: loyalty.RollingMonths, N: 1}, shanghai, "2026-03-15 00:00", "2026-04-16 00:00"},
		{days(0), shanghai, "2026-01-15 23:59", "2026-01-16 00:00"},
		{days(30), shanghai, "2026-01-15 00:00", "2026-02-15 00:00"},
		{days(1), berlin, "2026-03-28 12:00", "2026-03-30 00:00"}, // a day of 23 hours between
	} {
		start, err := time.ParseInLocation("2006-01-02 15:04", c.start, c.loc)
		if err != nil {
			t.Fatal(err)
		}
		got := c.validity.ExpiresAt(loyalty.InstantOf(start), c.loc).In(c.loc).Format("2006-01-02 15:04")
		if got != c.want {
			t.Errorf("%+v from %s: got %s, want %s", c.validity, c.start, got, c.want)
		}
	}
	if got := (loyalty.Validity{Kind: loyalty.Unlimited}).ExpiresAt(0, shanghai); got != loyalty.Never {
		t.Errorf("unlimited points expire at %d", got)
	}
}

func TestSpendOrderIsEarliestExpiryFirst(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Points.Validity = days(10) })
	who := w.Register("13800000001")
	w.Add(who, 100)
	w.Days(3)
	w.Add(who, 50)
	w.Days(1)
	w.Add(who, 10)
	wantLots(t, w, who, "100 until 2026-01-26", "50 until 2026-01-29", "10 until 2026-01-30")
	w.Take(who, 120)
	wantLots(t, w, who, "30 until 2026-01-29", "10 until 2026-01-30")
	wantTotals(t, w, who, 40, 160, 120, 0, 0)
}

func TestGrantsOfOneDayJoinOneLot(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	w.Add(who, 100)
	w.Take(who, 100) // the lot is empty, and joined again
	w.Add(who, 70)
	wantLots(t, w, who, "70 until 2028-01-01")
}

func TestExpiryIsBookedAtItsInstantByTheNextCommand(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Points.Validity = days(1) })
	who := w.Register("13800000001")
	w.Add(who, 100)
	w.Take(who, 30)
	w.Days(1)
	w.Add(who, 5)
	w.Days(9)
	if _, err := loyaltytest.Do(w, loyalty.ChangePoints{Who: who, Event: "event_subtract", Points: 1}); err != loyalty.PointsInsufficient {
		t.Errorf("expired points were spent: %v", err)
	}
	if n := w.Member(who).Entries; n != 3 {
		t.Errorf("a refused command booked something: %d entries", n)
	}
	got := loyaltytest.Must(w, loyalty.BookDue{Who: who})
	if got.Entries != 2 {
		t.Errorf("booked %d expiries, want 2", got.Entries)
	}
	entries := w.Entries(who)
	for i, want := range []string{"2026-01-17", "2026-01-18"} {
		e := entries[3+i]
		if at := e.At.In(w.Rules.Location()).Format("2006-01-02 15:04"); at != want+" 00:00" || e.Kind != loyalty.Expiry {
			t.Errorf("entry %d: kind %d at %s, want an expiry at %s 00:00", e.No, e.Kind, at, want)
		}
	}
	wantTotals(t, w, who, 0, 105, 105, 0, 0)
}

func TestPendingPointsAreApartAndReleased(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Points.WaitingDays, s.Points.Validity = 3, days(10) })
	who := w.Register("13800000001")
	w.Add(who, 100)
	wantTotals(t, w, who, 0, 0, 0, 100, 0)
	wantLots(t, w, who, "100 until 2026-01-29 pending") // validity counts from the release
	w.Days(3)
	w.Take(who, 40)
	wantTotals(t, w, who, 60, 100, 40, 0, 0)
	if kinds := kindsOf(w.Entries(who)); !cmp.Equal(kinds, []loyalty.EntryKind{loyalty.Grant, loyalty.Release, loyalty.Spend}) {
		t.Errorf("entries %v", kinds)
	}
}

func kindsOf(entries []loyalty.Entry) []loyalty.EntryKind {
	var kinds []loyalty.EntryKind
	for _, e := range entries {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func TestTakingBackAGrant(t *testing.T) {
	t.Parallel()
	// Three grants on three days, valid for ten; each case spends, waits and
	// takes 80 of the second one (100 points) back.
	for _, c := range []struct {
		name   string
		change func(*loyalty.Settings)
		spend  int64
		wait   int
		err    error
		lots   []string
		totals []int64 // balance, earned, used, pending, deficit
	}{
		{
			name: "out of its own lot, not the one spent first",
			lots: []string{"50 until 2026-01-26", "20 until 2026-01-27", "30 until 2026-01-28"}, totals: []int64{100, 100, 0, 0, 0},
		}, {
			name: "then from the latest expiry", spend: 140,
			lots: nil, totals: nil, err: loyalty.PointsInsufficient,
		}, {
			name: "own lot first, then the latest", spend: 90,
			lots: []string{"10 until 2026-01-28"}, totals: []int64{10, 100, 90, 0, 0},
		}, {
			name: "what expired unused counts as taken back", wait: 10, // first and second lot are gone
			lots: []string{"30 until 2026-01-28"}, totals: []int64{30, 100, 70, 0, 0},
		}, {
			name: "own lot only leaves others alone", spend: 90, change: func(s *loyalty.Settings) { s.OwnLotOnly = true },
			err: loyalty.PointsInsufficient,
		}, {
			name: "own lot only with a deficit", spend: 90,
			change: func(s *loyalty.Settings) { s.OwnLotOnly, s.Clawback = true, loyalty.ClawbackNegative },
			lots:   []string{"30 until 2026-01-28"}, totals: []int64{10, 100, 90, 0, 20},
		}, {
			name: "negative", spend: 140, change: func(s *loyalty.Settings) { s.Clawback = loyalty.ClawbackNegative },
			totals: []int64{-40, 100, 140, 0, 40},
		}, {
			name: "floor", spend: 140, change: func(s *loyalty.Settings) { s.Clawback = loyalty.ClawbackFloor },
			totals: []int64{0, 140, 140, 0, 0},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
				s.Points.Validity = days(10)
				if c.change != nil {
					c.change(s)
				}
			})
			who := w.Register("13800000001")
			w.Add(who, 50)
			w.Days(1)
			second := w.Add(who, 100)
			w.Days(1)
			w.Add(who, 30)
			if c.spend > 0 {
				w.Take(who, c.spend)
			}
			w.Days(c.wait)
			before := w.Member(who)
			err := w.Back(who, second, 80)
			if err != c.err {
				t.Fatalf("got %v, want %v", err, c.err)
			}
			if c.err != nil {
				if diff := cmp.Diff(before, w.Member(who)); diff != "" {
					t.Fatalf("a refused rollback changed the member:\n%s", diff)
				}
				return
			}
			wantLots(t, w, who, c.lots...)
			wantTotals(t, w, who, c.totals...)
		})
	}
}

func TestTakingBackTakesPendingPointsFirst(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Points.WaitingDays, s.Points.Validity = 3, days(10) })
	who := w.Register("13800000001")
	first := w.Add(who, 100)
	w.Days(3)
	w.Take(who, 60)
	w.Add(who, 30) // pending
	if err := w.Back(who, first, 60); err != nil {
		t.Fatal(err)
	}
	wantLots(t, w, who, "10 until 2026-02-01 pending") // 40 of its own lot, 20 pending
	wantTotals(t, w, who, 0, 60, 60, 10, 0)
}

func TestADeficitIsFilledFirst(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T, waiting int) (*loyaltytest.World, loyalty.Who, string) {
		w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
			s.Clawback, s.Points.WaitingDays = loyalty.ClawbackNegative, waiting
		})
		who := w.Register("13800000001")
		grant := w.Add(who, 100)
		w.Days(waiting)
		spent := w.Take(who, 90)
		if err := w.Back(who, grant, 0); err != nil {
			t.Fatal(err)
		}
		wantTotals(t, w, who, -90, 0, 90, 0, 90)
		return w, who, spent
	}
	t.Run("by a grant", func(t *testing.T) {
		t.Parallel()
		w, who, _ := setup(t, 0)
		w.Add(who, 60)
		wantTotals(t, w, who, -30, 60, 90, 0, 30)
		_, err := loyaltytest.Do(w, loyalty.ChangePoints{Who: who, Event: "event_subtract", Points: 1})
		wantError(t, err, loyalty.PointsInsufficient)
		w.Add(who, 60)
		wantTotals(t, w, who, 30, 120, 90, 0, 0)
		wantLots(t, w, who, "30 until 2028-01-01")
	})
	t.Run("by what is given back", func(t *testing.T) {
		t.Parallel()
		w, who, spent := setup(t, 0)
		if err := w.Back(who, spent, 0); err != nil {
			t.Fatal(err)
		}
		wantTotals(t, w, who, 0, 0, 0, 0, 0)
	})
	t.Run("by a release", func(t *testing.T) {
		t.Parallel()
		w, who, _ := setup(t, 2)
		w.Add(who, 100)
		wantTotals(t, w, who, -90, 0, 90, 100, 90)
		w.Days(2)
		loyaltytest.Must(w, loyalty.BookDue{Who: who})
		wantTotals(t, w, who, 10, 100, 90, 0, 0)
		wantLots(t, w, who, "10 until 2028-01-01")
	})
}

func TestGivingBackASpend(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		policy loyalty.GiveBack
		wait   int
		lots   []string
		totals []int64
	}{
		{loyalty.GiveBackGrace, 0, []string{"50 until 2026-01-26", "20 until 2026-01-29"}, []int64{70, 100, 30, 0, 0}},
		{loyalty.GiveBackGrace, 9, []string{"20 until 2026-01-29", "50 until 2026-02-04"}, []int64{70, 100, 30, 0, 0}},
		{loyalty.GiveBackVoid, 9, []string{"20 until 2026-01-29"}, []int64{20, 100, 80, 0, 0}},
		{loyalty.GiveBackOriginal, 9, []string{"20 until 2026-01-29"}, []int64{20, 100, 80, 0, 0}},
	} {
		t.Run(fmt.Sprintf("%s after %d days", c.policy, c.wait), func(t *testing.T) {
			t.Parallel()
			w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Points.Validity, s.GiveBack = days(10), c.policy })
			who := w.Register("13800000001")
			w.Add(who, 80)
			w.Days(3)
			w.Add(who, 20)
			spent := w.Take(who, 100)
			w.Days(c.wait) // after 9 days the first lot is gone, the second is not
			if err := w.Back(who, spent, 70); err != nil {
				t.Fatal(err)
			}
			wantLots(t, w, who, c.lots...)
			wantTotals(t, w, who, c.totals...)
		})
	}
}

func TestPartialRollbacksAddUp(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	w.Add(who, 100)
	spent := w.Take(who, 70)
	for range 7 {
		if err := w.Back(who, spent, 10); err != nil {
			t.Fatal(err)
		}
	}
	wantTotals(t, w, who, 100, 100, 0, 0, 0)
	wantError(t, w.Back(who, spent, 1), loyalty.NothingLeft)
	grant := w.Add(who, 10)
	wantError(t, w.Back(who, grant, 11), loyalty.RollbackTooLarge)
	if err := w.Back(who, grant, 4); err != nil {
		t.Fatal(err)
	}
	wantError(t, w.Back(who, grant, 7), loyalty.RollbackTooLarge)
	back := loyalty.StatementID(who.ID, w.Member(who).Entries)
	wantError(t, w.Back(who, back, 1), loyalty.StatementNotReversible)
}

func TestOpenLotsAreBounded(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Points.Validity = days(5_000) })
	who := w.Register("13800000001")
	for range loyalty.MaxOpenLots + 100 {
		w.Add(who, 1)
		w.Days(1)
	}
	if n := len(w.Lots(who)); n > loyalty.MaxOpenLots+1 {
		t.Errorf("%d open lots", n)
	}
	wantTotals(t, w, who, loyalty.MaxOpenLots+100, loyalty.MaxOpenLots+100, 0, 0, 0)
	last := w.Lots(who)[len(w.Lots(who))-1]
	if want := "100 until 2043-01-01"; last != want { // 100 grants share the end of the year, none ends early
		t.Errorf("the last lot is %q, want %q", last, want)
	}
}

func TestTimeNeverRunsBackForAMember(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	w.Add(who, 1)
	w.Now = w.Now.Add(-time.Hour)
	w.Add(who, 1)
	if e := w.Entries(who); e[1].At != e[0].At {
		t.Errorf("second entry at %d, first at %d", e[1].At, e[0].At)
	}
}

func TestReadsSeeWhatIsDue(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Points.Validity = days(1) })
	who := w.Register("13800000001")
	w.Add(who, 100)
	stored := w.Member(who)
	lots := []loyalty.Lot{{LotKey: loyalty.LotKey{ExpiresAt: stored.NextDueAt}, Remaining: 100}}
	before, none := loyalty.AsOf(stored, lots, w.Rules, stored.NextDueAt-1)
	after, due := loyalty.AsOf(stored, lots, w.Rules, stored.NextDueAt)
	if before.Balance != 100 || len(none) != 0 || after.Balance != 0 || len(due) != 1 || lots[0].Remaining != 100 {
		t.Errorf("before %d (%d entries), after %d (%d entries), lots %v", before.Balance, len(none), after.Balance, len(due), lots)
	}
}

// Where clocks are put forward at midnight, a day begins at one.
func TestDaysWithoutMidnight(t *testing.T) {
	t.Parallel()
	loc, err := time.LoadLocation("America/Santiago")
	if err != nil {
		t.Fatal(err)
	}
	granted := loyalty.InstantOf(time.Date(2027, 9, 3, 12, 0, 0, 0, loc))
	got := loyalty.Validity{Kind: loyalty.RollingDays, N: 1}.ExpiresAt(granted, loc)
	if want := time.Date(2027, 9, 5, 1, 0, 0, 0, loc); got != loyalty.InstantOf(want) {
		t.Errorf("points of 3 September for a day end at %v, want %v", got.In(loc), want)
	}
}
