package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
	"github.com/memberd/memberd/internal/store"
	"github.com/memberd/memberd/internal/store/storetest"
	"github.com/memberd/memberd/internal/writer"
)

// bench is a database, a clock that a test moves, and a worker by that clock.
type bench struct {
	*storetest.Engine
	t     testing.TB
	clock *atomic.Int64 // unix ms, real
}

const day = 24 * time.Hour

var shanghai = time.FixedZone("CST", 8*3600)

// start is 10:00 in Shanghai.
var start = time.Date(2026, 12, 10, 10, 0, 0, 0, shanghai)

func newBench(t testing.TB, e *storetest.Engine) *bench {
	t.Helper()
	b := &bench{Engine: e, t: t, clock: &atomic.Int64{}}
	b.clock.Store(start.UnixMilli())
	t.Cleanup(b.check)
	return b
}

// onEach runs a test on each engine.
func onEach(t *testing.T, test func(*testing.T, *bench)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, newBench(t, storetest.SQLite(t)))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, newBench(t, storetest.Postgres(t)))
	})
}

func (b *bench) now() time.Time           { return time.UnixMilli(b.clock.Load()) }
func (b *bench) advance(by time.Duration) { b.clock.Add(by.Milliseconds()) }

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// check recomputes everything.
func (b *bench) check() {
	for from := int64(1); from != 0; {
		next, _, found, err := b.Store.Verify(context.Background(), from, store.MaxVerify)
		if err != nil {
			b.t.Error(err)
			return
		}
		for _, d := range found {
			b.t.Errorf("does not add up: %+v", d)
		}
		from = next
	}
}

// merchant makes one whose clock is ahead, with an app that is told everything.
func (b *bench) merchant(id string, ahead time.Duration, change func(*loyalty.Settings)) {
	b.t.Helper()
	s := loyalty.DefaultSettings()
	s.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 30}
	if change != nil {
		change(&s)
	}
	snap, err := loyalty.NewSnapshot(id, 1, ahead.Milliseconds(), s)
	b.must(err)
	snap.Apps = []string{"app-of-" + id}
	b.AddMerchants(b.t, snap)
}

// do has commands decided at the present time, in full batches.
func (b *bench) do(commands ...loyalty.AnyCommand) {
	b.t.Helper()
	stamped := make([]writer.Stamped, len(commands))
	var sizes []int
	for i, c := range commands {
		snap, err := b.Store.Snapshot(b.t.Context(), c.Refs.Who.Merchant)
		b.must(err)
		stamp := loyalty.Stamp{Now: loyalty.InstantOf(b.now()) + loyalty.Instant(snap.ClockOffset)}
		if want := c.Refs.New; want.Count > 0 {
			stamp.NewID, err = b.Store.ReserveIDs(b.t.Context(), want.Kind, want.Count)
			b.must(err)
			stamp.OpenID = fmt.Sprintf("%032x", stamp.NewID)
		}
		stamped[i] = writer.Stamped{Command: c, Stamp: stamp}
		if i%writer.MaxBatch == 0 {
			sizes = append(sizes, writer.MaxBatch)
		}
	}
	for _, out := range writer.Replay(b.Store, stamped, sizes) {
		b.must(out.Err)
	}
}

func who(merchant string, i int) loyalty.Who {
	return loyalty.Who{Merchant: merchant, Phone: fmt.Sprintf("138%08d", i)}
}

// members makes n members with 10 points each.
func (b *bench) members(merchant string, n int) {
	b.t.Helper()
	var commands []loyalty.AnyCommand
	for i := range n {
		commands = append(commands, register(merchant, i), points(who(merchant, i), 10, ""))
	}
	b.do(commands...)
}

func register(merchant string, i int) loyalty.AnyCommand {
	return loyalty.Any(loyalty.RegisterMember{Merchant: merchant, Profile: loyalty.Profile{Phone: who(merchant, i).Phone}})
}

func points(w loyalty.Who, n int64, key string) loyalty.AnyCommand {
	return loyalty.Any(loyalty.ChangePoints{Who: w, ID: key, KeyOp: loyalty.KeyChange, Event: "event_add", Points: n})
}

// run runs one job by a writer of its own.
func (b *bench) run(ctx context.Context, name, merchant string, opts writer.Options) (int, error) {
	b.t.Helper()
	opts.Now = b.now
	w := writer.New(b.Store, opts)
	defer w.Close()
	for _, j := range (&Worker{Look: b.Store, Writer: w, Now: b.now}).Standard() {
		if j.Name == name {
			return j.Run(ctx, merchant)
		}
	}
	return 0, fmt.Errorf("no job %q", name)
}

// expect is run, which settles so many things.
func (b *bench) expect(want int, name, merchant string) {
	b.t.Helper()
	done, err := b.run(b.t.Context(), name, merchant, writer.Options{})
	b.must(err)
	if done != want {
		b.t.Errorf("%s of %s settled %d, want %d", name, merchant, done, want)
	}
}

func (b *bench) dump() loyaltytest.State {
	b.t.Helper()
	state, err := storetest.Dump(b.t.Context(), b.DB, b.Keys)
	b.must(err)
	return state
}

// expiries is how many members have lost their points once, and how many twice.
func (b *bench) expiries() (once, more int) {
	b.t.Helper()
	of := map[int64]int{}
	for _, e := range b.dump().Entries {
		if e.Kind == loyalty.Expiry {
			of[e.Member]++
		}
	}
	for _, n := range of {
		if n == 1 {
			once++
		} else {
			more++
		}
	}
	return once, more
}

func (b *bench) expectExpiries(want int) {
	b.t.Helper()
	if once, more := b.expiries(); once != want || more != 0 {
		b.t.Errorf("%d members lost points once and %d more often, want %d and none", once, more, want)
	}
}

// Far more members than one look finds, and one merchant's clock is not
// another's.
func TestDueOfAMerchantAhead(t *testing.T) {
	onEach(t, func(t *testing.T, b *bench) {
		const many = 2*lookLimit + 100
		b.merchant("ahead", 100*day, nil)
		b.merchant("live", 0, nil)
		b.members("ahead", many)
		b.members("live", 5)
		b.expect(0, Due, "ahead")
		b.advance(31 * day)
		_, err := b.Store.AdvanceClock(t.Context(), "ahead", 0)
		b.must(err)
		b.advance(-2 * day) // the real clock alone is not there yet
		b.expect(0, Due, "live")
		b.expect(0, Due, "ahead")
		_, err = b.Store.AdvanceClock(t.Context(), "ahead", (3 * day).Milliseconds())
		b.must(err)
		b.expect(0, Due, "live")
		b.expect(many, Due, "ahead")
		b.expect(0, Due, "ahead")
		b.expectExpiries(many)
		b.advance(3 * day)
		b.expect(5, Due, "live")
		b.expectExpiries(many + 5)
	})
}

// Two processes that both believe that they run the jobs book nothing twice.
func TestTwoWorkersAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, b *bench) {
		const many = 600
		b.merchant("m", 0, nil)
		b.members("m", many)
		b.advance(40 * day)
		second := &bench{Engine: b.Another(t), t: t, clock: b.clock}
		var done atomic.Int64
		var running sync.WaitGroup
		for _, p := range []*bench{b, second} {
			running.Go(func() {
				n, err := p.run(t.Context(), Due, "m", writer.Options{})
				if err != nil {
					t.Error(err)
				}
				done.Add(int64(n))
			})
		}
		running.Wait()
		if done.Load() != many {
			t.Errorf("settled %d, want %d", done.Load(), many)
		}
		b.expectExpiries(many)
	})
}

// A queue that is full makes the jobs wait, and loses nothing.
func TestBusyWriter(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	b.merchant("m", 0, nil)
	b.members("m", 300)
	b.advance(40 * day)
	full := &refusals{}
	n, err := b.run(t.Context(), Due, "m", writer.Options{Queue: 1, MaxBatch: 16, Observer: full})
	b.must(err)
	if n != 300 || full.batches.Load() < 300/16 {
		t.Errorf("settled %d in %d batches", n, full.batches.Load())
	}
	b.expectExpiries(300)
}

// refusals counts batches, and ends a run after some.
type refusals struct {
	batches atomic.Int64
	after   int64
	stop    func()
}

func (*refusals) Stage(string, time.Duration) {}

func (r *refusals) Batch(int, string) {
	if r.batches.Add(1) == r.after {
		r.stop()
	}
}

// A round that ends in the middle is finished by the next one.
func TestStoppedInTheMiddle(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	b.merchant("m", 0, nil)
	b.members("m", 1_500)
	b.advance(40 * day)
	ctx, cancel := context.WithCancel(t.Context())
	n, err := b.run(ctx, Due, "m", writer.Options{MaxBatch: 20, Observer: &refusals{after: 10, stop: cancel}})
	if !errors.Is(err, context.Canceled) || n > 400 {
		t.Fatalf("settled %d, %v", n, err)
	}
	booked, _ := b.expiries()
	if booked < n || booked > 1_000 {
		t.Fatalf("%d booked, %d told of", booked, n)
	}
	b.expect(1_500-booked, Due, "m")
	b.expectExpiries(1_500)
}

// A look finds coupons, not members: a member with many is no reason to stop.
func TestManyCouponsOfFewMembers(t *testing.T) {
	onEach(t, func(t *testing.T, b *bench) {
		const members, each = 30, 50
		b.merchant("m", 0, func(s *loyalty.Settings) { s.Callbacks.Also = []loyalty.EventKind{loyalty.EventCouponExpired} })
		b.members("m", members)
		key := loyalty.TemplateKey{Number: "t1"}
		b.do(loyalty.Any(loyalty.AddTemplate{Merchant: "m", Template: key, Terms: loyaltytest.Terms(nil)}))
		for i := range members {
			gift := loyalty.GiveCoupons{Merchant: "m", Template: key, Each: each, ReceivedAt: loyalty.InstantOf(b.now())}
			for n := range each {
				gift.Entries = append(gift.Entries, loyalty.CouponGift{Who: who("m", i), Number: fmt.Sprintf("c%d-%d", i, n)})
			}
			b.do(loyalty.Any(gift))
		}
		b.expect(0, Coupons, "m")
		b.advance(11 * day)
		b.expect(members*each, Coupons, "m")
		b.expect(0, Coupons, "m")
	})
}

// Members for whom only a period ends soon are looked at and have nothing to be
// told; those behind them have.
func TestExpiringBehindPeriods(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	b.merchant("m", 0, func(s *loyalty.Settings) {
		s.Callbacks = loyalty.CallbackRules{Also: []loyalty.EventKind{loyalty.EventPointsExpiring}, ExpiringDays: 30}
		s.Growth.Period = loyalty.GrowthPeriod{Kind: loyalty.PeriodYear}
		s.Points.Validity.N = 40
	})
	const many = lookLimit + 50
	var commands []loyalty.AnyCommand
	for i := range many {
		commands = append(commands, register("m", i))
	}
	b.do(append(commands, points(who("m", many-1), 10, ""))...)
	b.advance(day)
	b.do(points(who("m", 0), 7, ""))
	b.expect(0, Expiring, "m") // of all of them the period ends within 30 days
	b.advance(9 * day)
	b.expect(1, Expiring, "m")
	b.expect(0, Expiring, "m")
	b.advance(day)
	b.expect(1, Expiring, "m")
	b.advance(day)
	b.expect(0, Expiring, "m")
	var told []string
	for _, c := range b.dump().Events {
		if c.Kind == loyalty.EventPointsExpiring {
			told = append(told, fmt.Sprint(c.From, " until ", loyalty.Instant(c.To).In(shanghai).Format(time.DateOnly)))
		}
	}
	if diff := cmp.Diff([]string{"7 until 2027-01-21", "10 until 2027-01-20"}, told); diff != "" {
		t.Error(diff)
	}
}

// A system clock that steps back books nothing twice, and nothing out of order.
func TestClockSetBack(t *testing.T) {
	onEach(t, func(t *testing.T, b *bench) {
		b.merchant("m", 0, func(s *loyalty.Settings) {
			s.Callbacks = loyalty.CallbackRules{Also: []loyalty.EventKind{loyalty.EventPointsExpiring}, ExpiringDays: 30}
			s.Growth.Period, s.Growth.Downgrade = loyalty.GrowthPeriod{Kind: loyalty.PeriodMonths, N: 1}, loyalty.DowngradeFitting
			s.Points.Validity.N = 40
		})
		b.members("m", 10)
		all := func() {
			t.Helper()
			for _, name := range []string{Due, Coupons, Expiring, Refunds, Cleanup} {
				_, err := b.run(t.Context(), name, "m", writer.Options{})
				b.must(err)
			}
		}
		for _, by := range []time.Duration{0, 31 * day, -31 * day, 5 * day, -6 * day} {
			b.advance(by)
			all()
		}
		for i := range 10 {
			b.do(points(who("m", i), 3, ""))
		}
		for _, by := range []time.Duration{3 * day, 31 * day, -3 * day, 40 * day, 0} {
			b.advance(by)
			all()
		}
		state := b.dump()
		last, kinds, expired := map[int64]loyalty.Entry{}, map[loyalty.EntryKind]int{}, map[int64]int64{}
		for _, e := range state.Entries {
			if e.At < last[e.Member].At {
				t.Errorf("member %d: entry %d is older than the one before", e.Member, e.No)
			}
			last[e.Member] = e
			kinds[e.Kind]++
			if e.Kind == loyalty.Expiry {
				expired[e.Member] += e.Amount
			}
		}
		// For a member time does not run back: the later points join the earlier lot.
		if diff := cmp.Diff(map[loyalty.EntryKind]int{loyalty.Grant: 20, loyalty.Expiry: 10}, kinds); diff != "" {
			t.Error(diff)
		}
		// Each point is announced once: by the job, or by the change that grants it.
		announced := map[int64]int64{}
		for _, c := range state.Events {
			if c.Kind == loyalty.EventPointsExpiring {
				announced[c.Member] += c.From
			}
		}
		if diff := cmp.Diff(expired, announced); diff != "" || len(announced) != 10 {
			t.Errorf("of %d members (-expired +announced):\n%s", len(announced), diff)
		}
	})
}

// Keys go when they are older than the merchant keeps them, by its own clock,
// and never before; tokens when they can be used no more, by the real one.
func TestCleanup(t *testing.T) {
	onEach(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		for id, ahead := range map[string]time.Duration{"live": 0, "ahead": 5 * day} {
			b.merchant(id, ahead, func(s *loyalty.Settings) { s.KeyDays = 10 })
			var commands []loyalty.AnyCommand
			for i := range 450 { // more than one transaction's
				commands = append(commands, register(id, i), points(who(id, i), 1, "old"))
			}
			b.do(commands...)
		}
		b.advance(time.Millisecond)
		for _, id := range []string{"live", "ahead"} {
			b.do(points(who(id, 1), 1, "young"), points(who(id, 449), 1, "young"))
		}
		for i, life := range []time.Duration{time.Hour, 10 * day, 10*day + time.Millisecond, 20 * day} {
			b.must(b.Store.IssuePair(ctx, access.PairIssue{
				AppID: "app-of-live", Day: fmt.Sprintf("2026-12-%02d", 10+i), Limit: 9,
				Access: token(fmt.Sprint("a", i), access.AccessToken, b.now(), life), Refresh: token(fmt.Sprint("r", i), access.RefreshToken, b.now(), 100*day),
			}))
		}
		left := func(want map[string]int) {
			t.Helper()
			got := map[string]int{}
			for _, k := range b.dump().Keys {
				got[k.Key]++
			}
			b.must(b.DB.Read().QueryRow(ctx, "SELECT count(*) FROM token").Scan(counted(got, "tokens")))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		}
		b.advance(10*day - time.Millisecond)
		b.expect(1, Cleanup, "live") // the first token; keys that are just as old are kept
		left(map[string]int{"old": 900, "young": 4, "tokens": 4})
		b.expect(0, Cleanup, "ahead")
		b.advance(time.Millisecond)
		b.expect(450+1, Cleanup, "live")
		b.expect(450, Cleanup, "ahead")
		left(map[string]int{"young": 4, "tokens": 3})
		_, err := b.Store.AdvanceClock(ctx, "ahead", day.Milliseconds())
		b.must(err)
		b.expect(2, Cleanup, "ahead")
		b.expect(0, Cleanup, "live")
		left(map[string]int{"young": 2, "tokens": 3})
		b.do(points(who("live", 1), 1, "young")) // still answers the first result
		b.do(points(who("live", 1), 1, "old"))   // is new again
		found, err := b.Store.Member(ctx, who("live", 1), loyalty.InstantOf(b.now()), false)
		b.must(err)
		if found.Balance != 3 {
			t.Errorf("balance %d, want 3", found.Balance)
		}
	})
}

type counter struct {
	into map[string]int
	name string
}

func counted(into map[string]int, name string) *counter { return &counter{into, name} }

// Scan takes the number of rows.
func (c *counter) Scan(value any) error {
	n, ok := value.(int64)
	if !ok {
		return fmt.Errorf("%T is no count", value)
	}
	c.into[c.name] = int(n)
	return nil
}

func token(hash string, kind access.TokenKind, from time.Time, life time.Duration) access.TokenRow {
	return access.TokenRow{Hash: hash, AppID: "app-of-live", Kind: kind, CreatedAt: from.UnixMilli(), ExpiresAt: from.Add(life).UnixMilli()}
}

// broken is what the writer cannot carry out for one member.
type broken struct {
	loyalty.BookDue
	Bad int64
}

func (b broken) Decide(v *loyalty.View, at loyalty.Stamp) (loyalty.Effects, loyalty.DueBooked, error) {
	if b.Who.ID == b.Bad {
		panic("a member that nobody can book")
	}
	return b.BookDue.Decide(v, at)
}

// What cannot be booked holds up nobody, is tried once a round, and is told.
func TestOneThatCannotBeBooked(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	b.merchant("m", 0, nil)
	b.members("m", 200)
	b.advance(40 * day)
	w := writer.New(b.Store, writer.Options{Now: b.now})
	defer w.Close()
	looks := 0
	done, err := drain(t.Context(), &Worker{Look: b.Store, Writer: w, Now: b.now}, func() (commands []broken, err error) {
		looks++
		ids, err := b.Store.DueMembers(t.Context(), "m", loyalty.InstantOf(b.now()), 50)
		for _, id := range ids {
			commands = append(commands, broken{loyalty.BookDue{Who: loyalty.Who{Merchant: "m", ID: id}}, 7})
		}
		return commands, err
	})
	if !errors.Is(err, writer.ErrInternal) || done != 199 {
		t.Errorf("settled %d, want 199; %v", done, err)
	}
	if looks != 7 { // five with work, one that finds the bad one alone, one that finds it again
		t.Errorf("looked %d times", looks)
	}
	b.expectExpiries(199)
}
