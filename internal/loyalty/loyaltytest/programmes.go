package loyaltytest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// Programmes runs random traffic under random programmes, and sees that
//
//   - a store with batches cannot be told from the reference, and all totals,
//     tallies and levels are the sum of what there is;
//   - the points of every earning follow from its decision record alone;
//   - the back-test of the programme as it is gives the ledger, entry for entry,
//     from the first day on as well as from the middle.
//
// open is called once for each of the runs, of n commands each. There are more
// than asked for while something that matters was not met.
func Programmes(t *testing.T, runs, n int, open func(*testing.T, []*loyalty.Snapshot) Target) {
	t.Helper()
	seed := Seed(t)
	reached := map[string]int{}
	all := []string{"record", "share", "cap", "cut by a cap", "held", "missed", "parked", "since the middle"}
	for run := 0; goesOn(t, run, runs, n, reached, all); run++ {
		t.Run(fmt.Sprint(run), func(t *testing.T) {
			seed := seed + uint64(run)
			rng := rand.New(rand.NewPCG(seed, 3))
			merchants := RandomProgrammes(rng)
			rules := map[string]*loyalty.Snapshot{}
			for _, s := range merchants {
				rules[s.Merchant] = s
			}
			reference := NewMemory(merchants...)
			steps := Generate(seed, n, merchants, reference)
			want := reference.Dump(nil)

			target := open(t, merchants)
			commands := make([]writer.Stamped, n)
			for i, s := range steps {
				commands[i] = s.Stamped
			}
			writer.Replay(target.Store, commands, cut(rng, n, writer.MaxBatch))
			got, err := target.Dump(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(reference.Dump(target.Stored), got); diff != "" {
				t.Fatalf("rows differ (-reference +store), seed %d:\n%s", seed, diff)
			}
			if found := got.Verify(rules); len(found) > 0 {
				t.Fatalf("seed %d: stored and recomputed differ: %+v", seed, found)
			}
			checkRecords(t, want, reached)
			for _, m := range want.Members {
				past := []loyalty.PastRules{{Snapshot: rules[m.Merchant]}}
				checkBackTest(t, want.History(m), past, latest(steps, m.Merchant), rng, reached)
			}
		})
	}
}

// goesOn tells whether there is another run: as many as were asked for, and then
// more until all situations were met, as most sets of runs have long before. Short
// runs need not meet any.
func goesOn(t *testing.T, run, runs, n int, reached map[string]int, all []string) bool {
	t.Helper()
	if run < runs {
		return true
	}
	missing := slices.DeleteFunc(slices.Clone(all), func(what string) bool { return reached[what] > 0 })
	if len(missing) == 0 || runs*n < 4_000 || t.Failed() {
		return false
	}
	if run == 5*runs {
		t.Errorf("%d runs never reached %q", run, missing)
		return false
	}
	return true
}

// checkRecords computes points again from records.
func checkRecords(t *testing.T, s State, reached map[string]int) {
	t.Helper()
	check := func(what string, d *loyalty.Decision, points int64) {
		again, err := loyalty.ParseDecision(d.String())
		if diff := cmp.Diff(d, again); diff != "" || err != nil {
			t.Errorf("%s: the record reads otherwise than it was written: %v\n%s", what, err, diff)
		}
		if d.EarnedBy != loyalty.ByRule || d.Fen == 0 {
			return
		}
		reached["record"]++
		reached["share"] += len(d.Shares)
		reached["cap"] += len(d.Caps)
		if d.Granted(d.Fen) < d.Uncapped(d.Fen) {
			reached["cut by a cap"]++
		}
		for _, test := range d.Tests {
			if test.Miss == "" {
				reached["held"]++
			} else {
				reached["missed"]++
			}
		}
		if got := again.Granted(d.Fen); got != points {
			t.Errorf("%s: %d points, by the record %d: %+v", what, points, got, d)
		}
	}
	for i := range s.Orders {
		o := &s.Orders[i]
		check("order "+o.No, &o.Decision, o.Points)
	}
	for i := range s.Entries {
		e := &s.Entries[i]
		switch {
		case e.Kind == loyalty.Grant && e.Decision == nil:
			t.Errorf("entry %d of member %d: a grant without a record", e.No, e.Member)
		case e.Decision != nil:
			check(fmt.Sprintf("entry %d of member %d", e.No, e.Member), e.Decision, e.Amount)
		}
	}
}

// checkBackTest runs a history again under the programme as it is: from times on
// at which that was in force already.
func checkBackTest(t *testing.T, h loyalty.History, past []loyalty.PastRules, now loyalty.Instant, rng *rand.Rand, reached map[string]int) {
	t.Helper()
	for _, o := range h.Orders {
		if o.State == loyalty.Parked {
			reached["parked"]++
		}
	}
	present := past[len(past)-1]
	times := []loyalty.Instant{present.From}
	if n := len(h.Entries); n > 0 {
		if at := h.Entries[rng.IntN(n)].At; at > present.From {
			times = append(times, at)
			reached["since the middle"]++
		}
	}
	for _, since := range times {
		test := loyalty.BackTest{Present: present.Snapshot, Candidate: present.Snapshot, Since: since, Now: now, Past: past}
		got, err := test.Run(h)
		if err != nil {
			t.Fatalf("member %d since %d: %v", h.Member.ID, since, err)
		}
		for _, r := range got.Refused {
			t.Errorf("member %d since %d: %+v", h.Member.ID, since, r)
		}
		if diff := cmp.Diff(got.Ledger, got.Entries, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("member %d of %s since %d: (-ledger +back-test)\n%s", h.Member.ID, present.Merchant, since, diff)
		}
		// What is no part of a programme is not run again.
		ignore := cmpopts.IgnoreFields(loyalty.Member{}, "Status", "Audits", "Orders", "Coupons", "AnnouncedUntil", "LevelMoves", "PeriodStart")
		if diff := cmp.Diff(got.Actual, got.Member, ignore); diff != "" {
			t.Fatalf("member %d of %s since %d: (-member +back-test)\n%s", h.Member.ID, present.Merchant, since, diff)
		}
	}
}

// latest is the newest time of a merchant's steps.
func latest(steps []Step, merchant string) (now loyalty.Instant) {
	for _, s := range steps {
		if s.Merchant == merchant {
			now = max(now, s.Stamp.Now)
		}
	}
	return now
}

// ProgrammeChanges runs random traffic while programmes change, and sees that
// whoever is there is brought to the other levels and periods, and that the
// back-test of the last programme gives the ledger since it came.
func ProgrammeChanges(t *testing.T, runs, n int) {
	t.Helper()
	seed := Seed(t)
	reached := map[string]int{}
	for run := 0; goesOn(t, run, runs, n, reached, []string{"kept", "since the middle"}); run++ {
		seed := seed + uint64(run)
		rng := rand.New(rand.NewPCG(seed, 4))
		merchants := RandomProgrammes(rng)
		store := NewMemory(merchants...)
		g := newGenerator(seed, merchants)
		past := map[string][]loyalty.PastRules{}
		for _, s := range merchants {
			past[s.Merchant] = []loyalty.PastRules{{Snapshot: s}}
		}
		steps := g.run(n, store)
		for version := range int64(1 + rng.IntN(3)) {
			changeAll(t, store, past, g, rng, version+2)
			steps = append(steps, g.run(n/2, store)...)
		}
		state := store.Dump(nil)
		rules := map[string]*loyalty.Snapshot{}
		for id, list := range past {
			rules[id] = list[len(list)-1].Snapshot
		}
		if found := state.Verify(rules); len(found) > 0 {
			t.Fatalf("seed %d: stored and recomputed differ: %+v", seed, found)
		}
		checkRecords(t, state, reached)
		for _, m := range state.Members {
			if m.Kept > 0 {
				reached["kept"]++
			}
			checkBackTest(t, state.History(m), past[m.Merchant], latest(steps, m.Merchant), rng, reached)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// changeAll gives every merchant another programme, and brings the members to
// it. The jobs have booked what was due before, and look for the idle after.
func changeAll(t *testing.T, store *Memory, past map[string][]loyalty.PastRules, g *generator, rng *rand.Rand, version int64) {
	t.Helper()
	g.now = g.now.Add(time.Hour) // beyond what a clock steps back, as the minute after it
	bookAll(t, store, past, g.now)
	for _, id := range slices.Sorted(maps.Keys(past)) {
		list := past[id]
		old := list[len(list)-1]
		s := old.Settings
		RandomProgramme(rng, &s)
		snap, err := loyalty.NewSnapshot(id, version, old.ClockOffset, s)
		if err != nil {
			t.Fatal(err)
		}
		snap.Apps = old.Apps
		store.PutSnapshot(snap)
		at := loyalty.InstantOf(g.now) + loyalty.Instant(old.ClockOffset)
		past[id] = append(list, loyalty.PastRules{From: at, Snapshot: snap})
	}
	bookAll(t, store, past, g.now)
	g.now = g.now.Add(time.Minute)
}

func bookAll(t *testing.T, store *Memory, past map[string][]loyalty.PastRules, now time.Time) {
	t.Helper()
	for _, m := range store.Dump(nil).Members {
		at := loyalty.Stamp{Now: loyalty.InstantOf(now) + loyalty.Instant(past[m.Merchant][0].ClockOffset)}
		command := loyalty.Any(loyalty.BookDue{Who: loyalty.Who{Merchant: m.Merchant, ID: m.ID}})
		if out := writer.Replay(store, []writer.Stamped{{Command: command, Stamp: at}}, nil)[0]; out.Err != nil {
			t.Fatal(out.Err)
		}
	}
}

// History is a member as a back-test wants it.
func (s *State) History(m loyalty.Member) loyalty.History {
	h := loyalty.History{Member: m, Entries: of(s.Entries, m.ID, func(e loyalty.Entry) int64 { return e.Member })}
	infos := map[int64]loyalty.OrderInfo{}
	for _, i := range of(s.OrderInfos, m.ID, func(i loyalty.OrderInfoRow) int64 { return i.Member }) {
		infos[i.Seq] = i.OrderInfo
	}
	for _, o := range of(s.Orders, m.ID, func(o loyalty.Order) int64 { return o.Member }) {
		h.Orders = append(h.Orders, loyalty.OrderFound{Order: o, Info: infos[o.Seq]})
	}
	for _, p := range of(s.Profiles, m.ID, func(p loyalty.ProfileRow) int64 { return p.Member }) {
		h.Month, h.Day = time.Month(p.BirthMonth), p.BirthDay
	}
	for _, row := range of(s.Marks, m.ID, func(r loyalty.MarksRow) int64 { return r.Member }) {
		h.Labels = row.Labels
	}
	return h
}

// RandomProgrammes are as many merchants as Merchants, with rules at random.
func RandomProgrammes(rng *rand.Rand) []*loyalty.Snapshot {
	merchants := Merchants()
	for i, old := range merchants {
		s := old.Settings
		RandomProgramme(rng, &s)
		snap, err := loyalty.NewSnapshot(old.Merchant, 1, old.ClockOffset, s)
		if err != nil {
			panic(err)
		}
		snap.Apps = old.Apps
		merchants[i] = snap
	}
	return merchants
}

// RandomProgramme changes everything that is a programme's in settings, to
// something that is valid.
func RandomProgramme(rng *rand.Rand, s *loyalty.Settings) {
	chance := func(percent int) bool { return rng.IntN(100) < percent }
	s.Points = loyalty.PointsRule{
		Rate:        loyalty.Fraction{Num: 1 + rng.Int64N(5), Den: 1 + rng.Int64N(5)},
		Rounding:    one(rng, loyalty.RoundDown, loyalty.RoundNearest, loyalty.RoundUp),
		Basis:       one(rng, loyalty.BasisAmount, loyalty.BasisAmount, loyalty.BasisGoods),
		Combine:     one(rng, loyalty.CombineBest, loyalty.CombineMultiply, loyalty.CombineAdd),
		WaitingDays: one(rng, 0, 0, rng.IntN(8)),
		Validity: loyalty.Validity{
			Kind: one(rng, loyalty.RollingDays, loyalty.RollingMonths, loyalty.MonthEnd, loyalty.YearEnd, loyalty.Unlimited),
			N:    1 + rng.IntN(3),
		},
	}
	if s.Points.Validity.Kind == loyalty.RollingDays {
		s.Points.Validity.N = 10 + rng.IntN(60)
	}
	if chance(50) {
		s.Points.Caps = loyalty.Caps{PerOrder: rng.Int64N(600), PerDay: rng.Int64N(900), PerMember: rng.Int64N(9_000)}
	}
	s.Growth = loyalty.GrowthRule{
		Rate:      loyalty.Fraction{Num: rng.Int64N(4), Den: 1 + rng.Int64N(3)},
		Period:    one(rng, loyalty.GrowthPeriod{Kind: loyalty.PeriodLife}, loyalty.GrowthPeriod{Kind: loyalty.PeriodYear}, loyalty.GrowthPeriod{Kind: loyalty.PeriodMonths, N: 1 + rng.IntN(4)}),
		Downgrade: one(rng, loyalty.DowngradeNone, loyalty.DowngradeFitting, loyalty.DowngradeStep),
	}
	threshold := int64(0)
	s.Levels = nil
	for i := range 1 + rng.Int64N(7) {
		s.Levels = append(s.Levels, loyalty.Level{Number: i*2 + 1, ID: 70 + i, Name: fmt.Sprintf("等级%d", i), Threshold: threshold})
		threshold += 50 + rng.Int64N(900)
	}
	s.LevelChange = one(rng, loyalty.LevelKeep, loyalty.LevelFit)
	s.RegisterGift = one(rng, 0, rng.Int64N(50))
	s.Clawback = one(rng, loyalty.ClawbackRefuse, loyalty.ClawbackNegative, loyalty.ClawbackFloor)
	s.OwnLotOnly = chance(20)
	s.GiveBack, s.GraceDays = one(rng, loyalty.GiveBackGrace, loyalty.GiveBackVoid, loyalty.GiveBackOriginal), rng.IntN(9)
	s.Orders.Score = one(rng, loyalty.ScoreRule, loyalty.ScoreRule, loyalty.ScoreZero)
	s.Orders.EarlyRefund, s.Orders.ParkDays = one(rng, loyalty.EarlyRefuse, loyalty.EarlyPark), 1+rng.IntN(20)
	for i := range rng.IntN(5) {
		m := loyalty.Multiplier{ID: fmt.Sprint("m", i), Name: fmt.Sprint("倍率", i), Factor: loyalty.Factor(rng.Int64N(40_000))}
		for len(m.When.Levels)+len(m.When.Birthday)+len(m.When.Weekdays)+len(m.When.Stores)+len(m.When.Labels)+len(m.When.Categories)+len(m.When.BarCodes) == 0 && m.When.From == 0 {
			randomCondition(rng, s, &m.When)
		}
		s.Points.Multipliers = append(s.Points.Multipliers, m)
	}
}

func randomCondition(rng *rand.Rand, s *loyalty.Settings, c *loyalty.Condition) {
	chance := func(percent int) bool { return rng.IntN(100) < percent }
	if chance(25) {
		c.Levels = []int64{s.Levels[rng.IntN(len(s.Levels))].Number}
	}
	if chance(20) {
		c.Birthday = one(rng, loyalty.BirthdayDay, loyalty.BirthdayMonth)
	}
	if chance(20) {
		c.From = loyalty.InstantOf(start.AddDate(0, 0, rng.IntN(90)))
		c.Until = c.From + loyalty.Instant(1+rng.IntN(90*24*3600*1000))
	}
	if chance(20) {
		c.Weekdays = []int{1 + rng.IntN(7), 1 + rng.IntN(7)}
	}
	if chance(15) {
		c.FromMinute, c.UntilMinute = rng.IntN(1_440), rng.IntN(1_441)
		if c.FromMinute == c.UntilMinute {
			c.UntilMinute = 1_440
		}
	}
	if chance(15) {
		c.Stores = []string{"18756"}
	}
	if chance(15) {
		c.Labels = []string{"标签1", "标签4"}
	}
	if chance(20) {
		c.Categories = []string{"fresh"}
	}
	if chance(15) {
		c.BarCodes = []string{"6901028004770"}
	}
}

func one[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }
