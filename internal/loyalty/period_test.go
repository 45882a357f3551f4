package loyalty_test

import (
	"testing"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

// buy records an order of so many yuan.
func buy(w *loyaltytest.World, who loyalty.Who, no string, yuan int64) {
	loyaltytest.Must(w, loyalty.RecordOrder{
		Who: who, Order: loyalty.OrderKey{No: no}, Amount: yuan * 100, ConsumedAt: loyalty.InstantOf(w.Now), Given: true,
	})
}

// asOf is the member as a read sees it, booked or not.
func asOf(w *loyaltytest.World, who loyalty.Who) loyalty.Member {
	m, _ := loyalty.AsOf(w.Member(who), nil, w.Rules, loyalty.InstantOf(w.Now))
	return m
}

// A level that a year has earned is kept for the next one and then goes by the
// policy. Reads see it fall at the moment it does.
func TestDowngrade(t *testing.T) {
	t.Parallel()
	for policy, want := range map[loyalty.Downgrade][]int64{
		loyalty.DowngradeNone:    {4, 4, 4, 4},
		loyalty.DowngradeFitting: {4, 4, 1, 1},
		loyalty.DowngradeStep:    {4, 4, 3, 2},
	} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
				s.Growth.Period, s.Growth.Downgrade = loyalty.GrowthPeriod{Kind: loyalty.PeriodYear}, policy
			})
			who := w.Register("13800000001")
			buy(w, who, "o1", 3_000) // level 4 from 3,000
			for year, level := range want {
				if got := asOf(w, who); got.Level != level {
					t.Errorf("in year %d: level %d as a read sees it, want %d", year, got.Level, level)
				}
				loyaltytest.Do(w, loyalty.BookDue{Who: who})
				if got := w.Member(who); got.Level != level {
					t.Errorf("in year %d: level %d, want %d", year, got.Level, level)
				}
				w.Now = time.Date(2027+year, 1, 1, 0, 0, 0, 0, w.Rules.Location())
			}
		})
	}
}

// The growth value begins anew with each period, and what is known of the fall
// comes true.
func TestForecast(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
		s.Growth.Period = loyalty.GrowthPeriod{Kind: loyalty.PeriodMonths, N: 12}
		s.Growth.Downgrade = loyalty.DowngradeFitting
	})
	w.Now = time.Date(2028, 2, 29, 23, 59, 0, 0, w.Rules.Location()) // the year after has no such day
	who := w.Register("13800000001")
	buy(w, who, "o1", 1_000)
	if level, _ := w.Rules.Forecast(w.Member(who)); level != nil {
		t.Errorf("falls to %+v in the first period, which has earned its level", level)
	}
	w.Now = time.Date(2029, 2, 28, 0, 0, 0, 0, w.Rules.Location())
	buy(w, who, "o2", 300)
	m := w.Member(who)
	if m.Growth != 300 || m.Level != 3 {
		t.Errorf("growth %d level %d in the second period, want 300 and 3", m.Growth, m.Level)
	}
	level, at := w.Rules.Forecast(m)
	end := time.Date(2030, 2, 28, 0, 0, 0, 0, w.Rules.Location())
	if level == nil || level.Number != 2 || at != loyalty.InstantOf(end) {
		t.Fatalf("forecast %+v at %d, want level 2 at %v", level, at, end)
	}
	w.Now = end.Add(-time.Millisecond)
	if got := asOf(w, who).Level; got != 3 {
		t.Errorf("level %d before the end", got)
	}
	w.Now = end
	if got := asOf(w, who).Level; got != 2 {
		t.Errorf("level %d at the end, the forecast said 2", got)
	}
}

// A refund lowers the growth value of the period in which its order counted,
// and nothing when that is over.
func TestRefundAcrossPeriods(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
		s.Growth.Period, s.Growth.Downgrade = loyalty.GrowthPeriod{Kind: loyalty.PeriodYear}, loyalty.DowngradeFitting
	})
	who := w.Register("13800000001")
	back := func(no, parent string, yuan int64) {
		loyaltytest.Must(w, loyalty.RefundOrder{
			Who: who, Order: loyalty.OrderKey{No: no}, Parent: parent, Amount: yuan * 100, ConsumedAt: loyalty.InstantOf(w.Now),
		})
	}
	buy(w, who, "o1", 1_000)
	back("r1", "o1", 100)
	if m := w.Member(who); m.Growth != 900 || m.Level != 2 {
		t.Errorf("growth %d level %d after the refund, want 900 and 2", m.Growth, m.Level)
	}
	w.Now = time.Date(2027, 1, 1, 0, 0, 0, 0, w.Rules.Location())
	buy(w, who, "o2", 400)
	back("r2", "o1", 900)
	if m := w.Member(who); m.Growth != 400 || m.Level != 2 || m.ConsumeFen != 40_000 {
		t.Errorf("growth %d level %d consumption %d after a refund of last year's order, want 400, 2 and 40000",
			m.Growth, m.Level, m.ConsumeFen)
	}
}

// Periods that a merchant introduces or gives up begin and end with the next
// call; the growth value goes on.
func TestPeriodsIntroduced(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	buy(w, who, "o1", 500)
	w.Change(func(s *loyalty.Settings) { s.Growth.Period = loyalty.GrowthPeriod{Kind: loyalty.PeriodYear} })
	buy(w, who, "o2", 500)
	m := w.Member(who)
	if want := time.Date(2027, 1, 1, 0, 0, 0, 0, w.Rules.Location()); m.Growth != 1_000 || m.PeriodEnd != loyalty.InstantOf(want) {
		t.Errorf("growth %d, period to %d; want 1000 and %v", m.Growth, m.PeriodEnd, want)
	}
	w.Change(func(s *loyalty.Settings) { s.Growth.Period = loyalty.GrowthPeriod{Kind: loyalty.PeriodLife} })
	buy(w, who, "o3", 1)
	if m := w.Member(who); m.PeriodEnd != loyalty.Never || m.Growth != 1_001 {
		t.Errorf("growth %d, period to %d; want 1001 and none", m.Growth, m.PeriodEnd)
	}
}

// Who has no command any more when the merchant gives its periods up is settled
// once by the job, and keeps what it has; nobody is told of a fall before.
func TestPeriodsGivenUp(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
		s.Growth.Period, s.Growth.Downgrade = loyalty.GrowthPeriod{Kind: loyalty.PeriodYear}, loyalty.DowngradeFitting
	})
	who := w.Register("13800000001")
	buy(w, who, "o1", 3_000)
	w.Now = time.Date(2027, 6, 1, 0, 0, 0, 0, w.Rules.Location())
	loyaltytest.Must(w, loyalty.BookDue{Who: who})
	w.Change(func(s *loyalty.Settings) { s.Growth.Period = loyalty.GrowthPeriod{Kind: loyalty.PeriodLife} })
	if level, at := w.Rules.Forecast(w.Member(who)); level != nil {
		t.Errorf("falls to level %d at %d, though there are no periods any more", level.Number, at)
	}
	w.Now = time.Date(2028, 6, 1, 0, 0, 0, 0, w.Rules.Location())
	read := asOf(w, who)
	if got := loyaltytest.Must(w, loyalty.BookDue{Who: who}); got.Entries != 1 {
		t.Errorf("%d things were due, want the period", got.Entries)
	}
	m := w.Member(who)
	if m != read || m.Level != 4 || m.NextDueAt != loyalty.Never {
		t.Errorf("a read sees\n%+v, booked is\n%+v", read, m)
	}
	if got := loyaltytest.Must(w, loyalty.BookDue{Who: who}); got.Entries != 0 {
		t.Errorf("%d things are due again", got.Entries)
	}
}

// A clock that is a little behind, as a second process has it, does not book an
// order into a period that another process has closed.
func TestTimeNeverRunsBackBehindAPeriod(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Growth.Period.Kind = loyalty.PeriodYear })
	who := w.Register("13800000001")
	w.Now = time.Date(2027, 1, 1, 0, 0, 1, 0, w.Rules.Location())
	loyaltytest.Must(w, loyalty.BookDue{Who: who})
	w.Now = w.Now.Add(-2 * time.Second)
	buy(w, who, "o1", 1_000)
	if m, o := w.Member(who), w.OrderRow("o1"); o.BookedAt < m.PeriodStart || m.Growth != 1_000 {
		t.Errorf("order booked at %d, growth %d in the period from %d", o.BookedAt, m.Growth, m.PeriodStart)
	}
	w.Now = w.Now.Add(time.Hour)
	loyaltytest.Must(w, w.Refund(who, "r1", "o1", 100_000, loyaltytest.Unnamed))
	if m := w.Member(who); m.Growth != 0 || m.Level != 1 {
		t.Errorf("growth %d level %d after the refund of everything", m.Growth, m.Level)
	}
}

// A back-test that begins with a period takes what came just before it, by a
// clock that was behind, for what it was: booked, and nothing to be done again.
func TestABackTestFromTheBeginningOfAPeriod(t *testing.T) {
	t.Parallel()
	for name, fen := range map[string]int64{"an order with points": 10_000, "one without": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
				s.Growth.Period.Kind = loyalty.PeriodYear
				s.Orders.Score = loyalty.ScoreRule
			})
			who := w.Register("13800000001")
			begins := time.Date(2027, 1, 1, 0, 0, 0, 0, w.Rules.Location())
			w.Now = begins.Add(time.Second)
			loyaltytest.Must(w, loyalty.BookDue{Who: who})
			w.Now = begins.Add(-time.Second)
			loyaltytest.Must(w, w.Order(who, "o1", fen, loyaltytest.Unnamed))
			w.Now = begins.Add(time.Hour)
			loyaltytest.Must(w, w.Order(who, "o2", 7_000, loyaltytest.Unnamed))
			loyaltytest.Must(w, w.Refund(who, "r1", "o1", fen, loyaltytest.Unnamed))
			test := loyalty.BackTest{
				Present: w.Rules, Candidate: w.Rules, Past: []loyalty.PastRules{{Snapshot: w.Rules}},
				Since: loyalty.InstantOf(begins), Now: loyalty.InstantOf(w.Now),
			}
			state := w.Store.Dump(nil)
			got, err := test.Run(state.History(w.Member(who)))
			if err != nil {
				t.Fatal(err)
			}
			g, a := got.Member, got.Actual
			if len(got.Refused) > 0 || len(got.Entries) != len(got.Ledger) || g.Balance != a.Balance || g.Growth != a.Growth || g.Orders != a.Orders || g.ConsumeCount != a.ConsumeCount {
				t.Errorf("%d entries, refused %v, member\n%+v, want %d and\n%+v", len(got.Entries), got.Refused, g, len(got.Ledger), a)
			}
		})
	}
}
