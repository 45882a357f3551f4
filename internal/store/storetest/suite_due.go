package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store"
	"github.com/memberd/memberd/internal/store/sqldb"
	"github.com/memberd/memberd/internal/writer"
)

// dueSteps is how long the history is that the jobs' looks are compared on.
const dueSteps = 4_000

// What the jobs look for is what a naive model finds, at any time, and looking
// and booking goes on until nothing is left.
func testDueLooks(t *testing.T, e *Engine) {
	h := newHistory(t, e, dueSteps)
	for range 10 {
		h.checkEndedCoupons()
		h.checkExpiringMembers()
		h.checkParkedRefunds()
	}
	h.bookAll()
}

// someLimit is sometimes less than there is.
func (h *history) someLimit() int { return []int{1, 3, 1_000}[h.rng.IntN(3)] }

func (h *history) checkEndedCoupons() {
	t := h.t
	t.Helper()
	for merchant, rules := range h.rules {
		now, limit := h.now(merchant), h.someLimit()
		var want []loyalty.Coupon
		for _, c := range h.state.Coupons {
			at := now + loyalty.Instant(rules.ClockOffset)
			if h.member(c.Member).Merchant == merchant && c.Expired(at) && !c.Lapsed {
				want = append(want, c)
			}
		}
		got, err := h.Store.EndedCoupons(t.Context(), merchant, now, limit)
		must(t, err)
		seen, ends := map[int64]bool{}, []loyalty.Instant{}
		for _, c := range got {
			if seen[c.Who.ID] || c.Who.Merchant != merchant {
				t.Errorf("member %d of %s stands twice, or under another merchant", c.Who.ID, merchant)
			}
			seen[c.Who.ID] = true
			for _, seq := range c.Coupons {
				i := slices.IndexFunc(want, func(w loyalty.Coupon) bool { return w.Member == c.Who.ID && w.Seq == seq })
				if i < 0 {
					t.Fatalf("coupon %d of member %d has not ended, or was found twice", seq, c.Who.ID)
				}
				ends = append(ends, want[i].EndAt)
				want = slices.Delete(want, i, i+1)
			}
		}
		if len(ends) != min(limit, len(ends)+len(want)) {
			t.Errorf("%d ended coupons of %s, limit %d, %d more are there", len(ends), merchant, limit, len(want))
		}
		// Those that were left out end last.
		for _, c := range want {
			if len(ends) > 0 && c.EndAt < slices.Max(ends) {
				t.Errorf("a coupon that ends at %d was left out, one that ends at %d was not", c.EndAt, slices.Max(ends))
			}
		}
	}
}

func (h *history) checkExpiringMembers() {
	t := h.t
	t.Helper()
	for merchant, rules := range h.rules {
		until, limit := rules.ExpiringUntil(h.clock(merchant, h.now(merchant))), h.someLimit()
		var want []loyalty.Instant
		for _, m := range h.state.Members {
			if m.Merchant == merchant && m.NextDueAt <= until && m.AnnouncedUntil < until {
				want = append(want, m.NextDueAt)
			}
		}
		slices.Sort(want)
		got, err := h.Store.ExpiringMembers(t.Context(), merchant, until, limit)
		must(t, err)
		var dues []loyalty.Instant
		for _, id := range got {
			if m := h.member(id); m.Merchant != merchant || m.AnnouncedUntil >= until {
				t.Errorf("member %d of %s is told up to %d", id, m.Merchant, m.AnnouncedUntil)
			}
			dues = append(dues, h.member(id).NextDueAt)
		}
		equal(t, "expiring members of "+merchant, want[:min(limit, len(want))], dues)
	}
}

func (h *history) checkParkedRefunds() {
	t := h.t
	t.Helper()
	for merchant, rules := range h.rules {
		before, limit := rules.ParkedBefore(h.clock(merchant, h.now(merchant))), h.someLimit()
		switch h.rng.IntN(3) {
		case 0:
			before = h.clock(merchant, h.now(merchant))
		case 1: // exactly when some refund came
			for _, o := range h.state.Orders {
				if o.State == loyalty.Parked && h.member(o.Member).Merchant == merchant && h.rng.IntN(3) == 0 {
					before = o.BookedAt
				}
			}
		}
		var want []loyalty.GiveUpRefund
		for _, o := range h.state.Orders {
			if h.member(o.Member).Merchant == merchant && o.State == loyalty.Parked && o.BookedAt <= before {
				want = append(want, loyalty.GiveUpRefund{Who: loyalty.Who{Merchant: merchant, ID: o.Member}, Order: o.OrderKey})
			}
		}
		got, err := h.Store.ParkedRefunds(t.Context(), merchant, before, limit)
		must(t, err)
		equal(t, "parked refunds of "+merchant, want[:min(limit, len(want))], got)
	}
}

// bookAll does the jobs' work far in the future and expects that no look finds
// anything any more, and that a second booking changes nothing.
func (h *history) bookAll() {
	t := h.t
	t.Helper()
	const year = 366 * 24 * 3_600_000
	total := 0
	for merchant, rules := range h.rules {
		now := h.steps[len(h.steps)-1].Stamp.Now + 2*year
		at := now + loyalty.Instant(rules.ClockOffset)
		round := func() (n int, given []writer.Stamped) {
			add := func(c loyalty.AnyCommand) {
				given = append(given, writer.Stamped{Command: c, Stamp: loyalty.Stamp{Now: at}})
			}
			due, err := h.Store.DueMembers(t.Context(), merchant, now, 1_000)
			must(t, err)
			for _, id := range due {
				add(loyalty.Any(loyalty.BookDue{Who: loyalty.Who{Merchant: merchant, ID: id}}))
			}
			coupons, err := h.Store.EndedCoupons(t.Context(), merchant, now, 1_000)
			must(t, err)
			for _, c := range coupons {
				add(loyalty.Any(c))
			}
			refunds, err := h.Store.ParkedRefunds(t.Context(), merchant, rules.ParkedBefore(at), 1_000)
			must(t, err)
			for _, c := range refunds {
				add(loyalty.Any(c))
			}
			expiring, err := h.Store.ExpiringMembers(t.Context(), merchant, rules.ExpiringUntil(at), 1_000)
			must(t, err)
			for _, id := range expiring {
				add(loyalty.Any(loyalty.AnnounceExpiring{Who: loyalty.Who{Merchant: merchant, ID: id}}))
			}
			for i, out := range writer.Replay(h.Store, given, []int{50, 7, 100, 100, 100}) {
				if out.Err != nil {
					t.Fatalf("%T: %v", given[i].Command, out.Err)
				}
				n += out.Result.(loyalty.DueBooked).Entries
			}
			return n, given
		}
		first, again := round()
		total += first
		for attempt := 0; ; attempt++ {
			n, given := round()
			if len(given) == 0 {
				break
			}
			if attempt == 5 {
				t.Fatalf("merchant %s: %d commands settled %d and are found again", merchant, len(given), n)
			}
		}
		for i, out := range writer.Replay(h.Store, again, nil) {
			if out.Err != nil || out.Result.(loyalty.DueBooked).Entries != 0 {
				t.Errorf("command %d settled %+v a second time, %v", i, out.Result, out.Err)
			}
		}
	}
	if total < 100 {
		t.Errorf("only %d things were due after two years", total)
	}
	next, checked, found, err := h.Store.Verify(t.Context(), 1, store.MaxVerify)
	must(t, err)
	if len(found) > 0 || checked == 0 || next != 0 {
		t.Errorf("%d checked: %+v", checked, found)
	}
}

// One owner holds a lease until it gives it free or its time is over.
func testLease(t *testing.T, e *Engine) {
	other := e.Another(t)
	for i, step := range []struct {
		s          *store.Store
		name       string
		owner      string
		now, until int64
		held       bool
	}{
		{e.Store, "jobs", "a", 100, 200, true},
		{other.Store, "jobs", "b", 150, 250, false},
		{other.Store, "more", "b", 150, 250, true},
		{e.Store, "jobs", "a", 150, 250, true}, // renewed
		{other.Store, "jobs", "b", 249, 349, false},
		{other.Store, "jobs", "b", 250, 350, true},
		{e.Store, "jobs", "a", 251, 351, false}, // came back too late
		{e.Store, "jobs", "a", 350, 450, true},
		{e.Store, "more", "a", 249, 449, false},
	} {
		held, err := step.s.Lease(t.Context(), step.name, step.owner, step.now, step.until)
		must(t, err)
		if held != step.held {
			t.Errorf("step %d: %s at %d: %t", i+1, step.owner, step.now, held)
		}
	}
	must(t, other.Store.Unlease(t.Context(), "jobs", "b")) // not b's
	held, err := other.Store.Lease(t.Context(), "jobs", "b", 351, 451)
	must(t, err)
	if held {
		t.Error("somebody else has given the lease free")
	}
	must(t, e.Store.Unlease(t.Context(), "jobs", "a"))
	must(t, e.Store.Unlease(t.Context(), "jobs", "a"))
	held, err = other.Store.Lease(t.Context(), "jobs", "b", 351, 451)
	must(t, err)
	if !held {
		t.Error("a lease that was given free is not to be had")
	}
}

// Of many who want a free lease at once one gets it.
func testLeaseRace(t *testing.T, e *Engine) {
	other := e.Another(t)
	for round := range 20 {
		now := int64(1_000 * (round + 1))
		var holders atomic.Int64
		errs := make(chan error)
		const owners = 6
		for i := range owners {
			s := []*store.Store{e.Store, other.Store}[i%2]
			go func() {
				held, err := s.Lease(t.Context(), "jobs", fmt.Sprint("owner ", round, i), now, now+1_000)
				if held {
					holders.Add(1)
				}
				errs <- err
			}()
		}
		for range owners {
			must(t, <-errs)
		}
		if holders.Load() != 1 {
			t.Fatalf("round %d: %d hold the lease", round, holders.Load())
		}
	}
}

// A clock goes forward only, for a sandbox only, and within bounds.
func testAdvanceClock(t *testing.T, e *Engine) {
	ctx := t.Context()
	s := loyalty.DefaultSettings()
	sandbox, err := loyalty.NewSnapshot("sandbox", 1, 1_000, s)
	must(t, err)
	e.AddMerchants(t, sandbox, rules(t, "live", nil))
	for _, c := range []struct {
		merchant string
		by, want int64
		err      error
	}{
		{"sandbox", 0, 1_000, nil},
		{"sandbox", 1, 1_001, nil},
		{"sandbox", -1, 0, store.ErrClockTooFar},
		{"sandbox", loyalty.MaxClockStep + 1, 0, store.ErrClockTooFar},
		{"sandbox", loyalty.MaxClockStep, 1_001 + loyalty.MaxClockStep, nil},
		{"live", 1, 0, store.ErrLiveMerchant},
		{"live", 0, 0, store.ErrLiveMerchant},
		{"nobody", 1, 0, store.ErrLiveMerchant},
	} {
		got, err := e.Store.AdvanceClock(ctx, c.merchant, c.by)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s by %d: %d, %v; want %d, %v", c.merchant, c.by, got, err, c.want, c.err)
		}
	}
	e.Exec(t, "UPDATE merchant SET clock_offset = ? WHERE merchant_id = 'sandbox'", loyalty.MaxClockOffset-5)
	if _, err := e.Store.AdvanceClock(ctx, "sandbox", 6); !errors.Is(err, store.ErrClockTooFar) {
		t.Errorf("beyond the bound: %v", err)
	}
	for what, want := range map[string]int64{"sandbox": loyalty.MaxClockOffset - 5, "live": 0} {
		snap, err := e.Another(t).Store.Snapshot(ctx, what)
		must(t, err)
		if snap.ClockOffset != want {
			t.Errorf("the clock of %s is ahead by %d, want %d", what, snap.ClockOffset, want)
		}
	}
	if got, err := e.Store.AdvanceClock(ctx, "sandbox", 5); err != nil || got != loyalty.MaxClockOffset {
		t.Errorf("up to the bound: %d, %v", got, err)
	}
}

// After AdvanceClock has returned, every process goes by the new time, for what
// it reads and for what it books.
func testClockReachesOthers(t *testing.T, e *Engine) {
	ctx := t.Context()
	snap := rules(t, "m", func(s *loyalty.Settings) { s.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 1} })
	snap.ClockOffset = 1
	e.AddMerchants(t, snap)
	other := e.Another(t)
	w := writer.New(other.Store, writer.Options{})
	defer w.Close()
	registered, err := writer.Submit(ctx, w, loyalty.RegisterMember{Merchant: "m", Profile: loyalty.Profile{Phone: "13800000001"}})
	must(t, err)
	who := loyalty.Who{Merchant: "m", ID: registered.Member}
	add := loyalty.ChangePoints{Who: who, Event: "event_add", Points: 5}
	for round := range int64(3) {
		_, err = writer.Submit(ctx, w, add)
		must(t, err)
		const days = 3 * 24 * 3_600_000
		offset, err := e.Store.AdvanceClock(ctx, "m", days)
		must(t, err)
		if offset != 1+(round+1)*days {
			t.Errorf("ahead by %d", offset)
		}
		_, err = writer.Submit(ctx, w, loyalty.BookDue{Who: who})
		must(t, err)
		var state loyalty.Member
		dumped, err := Dump(ctx, e.DB, e.Keys)
		must(t, err)
		state = dumped.Members[0]
		if state.Balance != 0 || state.Entries != 2*(round+1) {
			t.Errorf("round %d: balance %d, %d entries", round, state.Balance, state.Entries)
		}
	}
}

// A move of the clock waits for the batch that goes by the old time.
func testClockWaits(t *testing.T, e *Engine) {
	ctx := t.Context()
	snap := rules(t, "m", nil)
	snap.ClockOffset = 1
	e.AddMerchants(t, snap)
	batch, err := e.Store.Begin(ctx)
	must(t, err)
	defer batch.Rollback()
	ws, err := batch.Load(ctx, []loyalty.Refs{{Who: loyalty.Who{Merchant: "m"}}})
	must(t, err)
	if ws.Snapshot("m").ClockOffset != 1 {
		t.Fatal("the clock is somewhere else")
	}
	other := e.Another(t)
	var committed atomic.Bool
	moved := make(chan error)
	go func() {
		_, err := other.Store.AdvanceClock(ctx, "m", 1_000)
		if err == nil && !committed.Load() {
			err = errors.New("the clock did not wait for the batch")
		}
		moved <- err
	}()
	if e.DB.Dialect() == sqldb.PostgreSQL {
		select {
		case err := <-moved:
			t.Fatal(err)
		case <-lockWaited(t, e):
		}
	}
	committed.Store(true)
	must(t, batch.Commit(ctx))
	must(t, <-moved)
}

// An app that comes, goes or stands still is told from the next change on, or
// no more, whichever process books it.
func testAppsReachOthers(t *testing.T, e *Engine) {
	ctx := t.Context()
	e.AddMerchants(t, rules(t, "m", nil), rules(t, "n", nil))
	other := e.Another(t)
	saveAll(t, e.Store, registration(1, "13800000001"))
	add := loyalty.ChangePoints{Who: loyalty.Who{Merchant: "m", ID: 1}, Event: "event_add", Points: 1}
	app := func(id, merchant, url string) {
		t.Helper()
		must(t, e.Store.InsertApp(ctx, access.AppRow{ID: id, MerchantID: merchant, Name: id, CallbackURL: url, CreatedAt: 1}))
	}
	at := loyalty.Instant(0)
	expect := func(what string, want ...string) {
		t.Helper()
		at += 10
		mustDo(t, other.Store, add, at)
		state, err := Dump(ctx, e.DB, e.Keys)
		must(t, err)
		var got []string
		for _, c := range state.Events {
			if c.At == at {
				got = append(got, fmt.Sprint(c.App, " ", c.No))
			}
		}
		slices.SortFunc(got, func(a, b string) int { return cmp.Compare(a, b) })
		equal(t, what, want, got)
	}
	expect("no app")
	app("a", "m", "http://partner.example/")
	expect("a comes", "a 1")
	app("b", "m", "")
	app("c", "n", "http://partner.example/")
	expect("an app without a URL, and another merchant's", "a 2")
	app("B", "m", "http://partner.example/")
	expect("B comes", "B 1", "a 3")
	must(t, e.Store.SetAppDisabled(ctx, "a", true))
	expect("a stands still", "B 2")
	must(t, e.Store.SetAppDisabled(ctx, "a", false))
	expect("a is back", "B 3", "a 4")
}
