package webhook

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// A partner that hangs costs the others nothing, however much waits for it.
func TestSlowPartner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, e loyalty.Callback, _ int) error {
			if e.App == "slow" {
				<-ctx.Done()
				return &Failure{Reason: "no answer in time"}
			}
			time.Sleep(20 * time.Millisecond)
			return nil
		})
		for member := range int64(500) {
			r.add(1+member, "slow", changed)
		}
		_, stop := r.run(func(o *Options) { o.Workers, o.PerApp = 16, 8 })
		defer stop()
		time.Sleep(time.Second)
		for i := range 200 {
			start := time.Now()
			r.add(int64(1+i%20), "quick", changed)
			r.until(2*time.Second, "the quick one is served", func() bool { return r.memory.idle("quick") })
			if took := time.Since(start); took > 700*time.Millisecond {
				t.Fatalf("a quick partner waited %s", took)
			}
		}
		if r.most["slow"] > 8 {
			t.Errorf("%d requests at a time", r.most["slow"])
		}
	})
}

// A partner that is away is paused and probed; the others wait without using up
// attempts, and all of it goes out when it is back.
func TestPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		away := true
		r := newRig(t, func(context.Context, loyalty.Callback, int) error {
			if away {
				return errPartner
			}
			return nil
		})
		for member := range int64(2000) {
			r.add(1+member, "a", changed)
		}
		d, stop := r.run(func(o *Options) { o.PerApp = 4 })
		defer stop()
		r.until(10*time.Minute, "the pause", func() bool { return d.Stats().Paused == 1 })
		before := len(r.ids())
		time.Sleep(time.Hour)
		if probes := len(r.ids()) - before; probes < 10 || probes > 30 {
			t.Errorf("%d probes in an hour, after %d requests", probes, before)
		}
		away = false
		r.until(6*time.Minute, "it is seen to be back", func() bool { return d.Stats().Paused == 0 })
		r.until(15*time.Hour, "all is sent", r.allSent)
		s := d.Stats()
		if s.Delivered != 2000 || s.Parked != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A wake-up sends at once; without one it is found within the poll.
func TestWake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		d, stop := r.run(nil)
		defer stop()
		time.Sleep(50 * time.Millisecond)
		start := time.Now()
		r.add(1, "a", registered)
		d.Wake()
		r.until(100*time.Millisecond, "woken", r.allSent)
		if took := time.Since(start); took > 20*time.Millisecond {
			t.Errorf("woken after %s", took)
		}
		r.add(1, "a", changed)
		r.until(600*time.Millisecond, "polled", r.allSent)
	})
}

// What is open when the end comes gets its time; what hangs is given back, and
// the next process sends it without waiting for the lease.
func TestDrain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, e loyalty.Callback, times int) error {
			switch {
			case e.App == "hangs" && e.No == 1 && times == 1:
				<-ctx.Done()
				return &Failure{Reason: "no answer in time"}
			case e.App == "slow":
				time.Sleep(4 * time.Second)
			}
			return nil
		})
		for _, app := range []string{"hangs", "slow"} {
			r.add(1, app, changed)
			r.add(1, app, changed)
		}
		_, stop := r.run(nil)
		r.until(time.Second, "both are open", func() bool { return len(r.ids()) == 2 })
		start := time.Now()
		stop()
		if took := time.Since(start); took > 6*time.Second {
			t.Errorf("drained in %s", took)
		}
		equal(t, "slow", []State{StateDelivered, StateWaiting}, r.stream(1, "slow").state)
		hangs := r.stream(1, "hangs")
		if hangs.owner != "" || hangs.attempts != 0 {
			t.Errorf("not given back: owner %q, attempts %d", hangs.owner, hangs.attempts)
		}
		_, stop = r.run(nil)
		defer stop()
		r.until(15*time.Second, "the rest", r.allSent)
	})
}

// A resend keeps its number, goes beside its stream, and is retried.
func TestResend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(_ context.Context, e loyalty.Callback, times int) error {
			if e.No == 1 && times <= 2 || e.No == 4 {
				return errPartner
			}
			return nil
		})
		for range 3 {
			r.add(1, "a", changed)
		}
		d, stop := r.run(func(o *Options) { o.RetryBase = time.Millisecond; o.ParkAfter = time.Nanosecond })
		defer stop()
		r.until(time.Minute, "sent", r.allSent)
		r.resend(1, "a", 2)
		r.until(time.Minute, "sent again", r.allSent)
		r.add(1, "a", changed) // number 4 holds the stream up; a resend passes it
		r.resend(1, "a", 3)
		r.until(time.Minute, "number 4 is parked", r.allSent)
		ids := r.ids()
		equal(t, "resends", []int{2, 2}, []int{countOf(ids, "a:1:2"), countOf(ids, "a:1:3")})
		equal(t, "states", []State{StateDelivered, StateDelivered, StateDelivered, StateParked}, r.stream(1, "a").state)
		equal(t, "resent", int64(2), d.Stats().Resent)
		// One that fails for good is given up and stays as it was.
		r.resend(1, "a", 4)
		r.until(time.Minute, "given up", r.allSent)
		equal(t, "state", StateParked, r.stream(1, "a").state[3])
		equal(t, "attempts", 20, countOf(r.ids(), "a:1:4"))
	})
}

// Thousands of resends hold up no new event, and a crowd of new events holds up
// no resend, however few requests an app may have.
func TestResendsTakeTurns(t *testing.T) {
	t.Parallel()
	for _, perApp := range []int{1, 2, 8} {
		t.Run(fmt.Sprint(perApp, " at a time"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, func(context.Context, loyalty.Callback, int) error {
					time.Sleep(50 * time.Millisecond)
					return nil
				})
				const old = 2000
				for range old {
					r.add(1, "a", changed)
				}
				d, stop := r.run(func(o *Options) { o.PerApp = perApp })
				defer stop()
				r.until(time.Hour, "sent", r.allSent)
				for no := range int64(old) {
					r.resend(1, "a", no+1)
				}
				d.Wake()
				time.Sleep(2 * time.Second)
				for member := range int64(500) {
					r.add(10+member, "a", changed)
				}
				r.until(3*time.Second, "a new event goes out", func() bool { return r.stream(10, "a").done == 1 })
				before := d.Stats()
				time.Sleep(2 * time.Second)
				now := d.Stats()
				if before.Resent == 0 || now.Resent == before.Resent || now.Delivered == before.Delivered || r.allSent() {
					t.Errorf("resent %d, then %d; delivered %d, then %d", before.Resent, now.Resent, before.Delivered, now.Delivered)
				}
			})
		})
	}
}

func countOf(ids []string, id string) (n int) {
	for _, i := range ids {
		if i == id {
			n++
		}
	}
	return n
}

// What says nothing about the partner costs no attempt.
func TestNotThePartnersFault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.away = true
		r.off["off"] = true
		r.erased[3] = true
		r.broken[4] = true
		r.add(1, "a", changed)
		r.add(2, "off", changed)
		r.add(3, "a", registered)
		r.add(3, "a", changed)
		r.add(4, "a", changed)
		d, stop := r.run(func(o *Options) { o.RetryBase = time.Millisecond; o.ParkAfter = time.Nanosecond })
		defer stop()
		time.Sleep(time.Minute)
		equal(t, "attempts while the database is away", int64(0), r.stream(1, "a").attempts)
		r.plainRenderer.mu.Lock()
		r.away = false
		r.plainRenderer.mu.Unlock()
		time.Sleep(time.Minute)
		equal(t, "arrived", []string{"a:1:1"}, r.ids())
		equal(t, "erased", []State{StateDropped, StateDropped}, r.stream(3, "a").state)
		equal(t, "broken", []State{StateParked}, r.stream(4, "a").state)
		off := r.stream(2, "off")
		equal(t, "attempts of an app that is off", int64(0), off.attempts)
		s := d.Stats()
		equal(t, "counts", []int64{1, 2, 1, 10}, []int64{s.Delivered, s.Dropped, s.Parked, s.Failed})
		equal(t, "paused", 0, s.Paused)
	})
}

// A request starts only while 12 s of the lease are left: whoever was held up
// for longer gives the claim back, as somebody else may be about to have it.
func TestStartsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.slow = LeaseLife - startBefore + time.Millisecond
		r.add(1, "a", changed)
		_, stop := r.run(nil)
		defer stop()
		time.Sleep(3 * time.Minute)
		equal(t, "requests that started too late", 0, len(r.ids()))
		equal(t, "attempts", int64(0), r.stream(1, "a").attempts)
		r.plainRenderer.mu.Lock()
		r.slow = LeaseLife - startBefore - time.Millisecond
		r.plainRenderer.mu.Unlock()
		r.until(time.Minute, "in time again", r.allSent)
	})
}

func TestEventIDs(t *testing.T) {
	t.Parallel()
	app, member, no, err := ParseEventID(EventID("wk_1-a", 42, 7))
	if app != "wk_1-a" || member != 42 || no != 7 || err != nil {
		t.Error(app, member, no, err)
	}
	for _, id := range []string{"", "a", "a:1", "a:1:2:3", ":1:2", "a:0:1", "a:1:0", "a:01:1", "a:1:x", "a:-1:1", "a:1:+1"} {
		if _, _, _, err := ParseEventID(id); err == nil {
			t.Errorf("%q passed", id)
		}
	}
	for state, name := range stateNames {
		if back, ok := ParseState(name); !ok || back != state || !strings.EqualFold(state.String(), name) {
			t.Error(state)
		}
	}
}
