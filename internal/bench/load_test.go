package bench

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// handClock is time that passes only when somebody waits. One caller at a time.
type handClock struct{ now time.Time }

func (c *handClock) Now() time.Time { return c.now }

func (c *handClock) SleepUntil(_ context.Context, t time.Time) {
	if t.After(c.now) {
		c.now = t
	}
}

// scripted answers after what took says, and fails as failure says.
type scripted struct {
	clock   *handClock
	took    func(n int) time.Duration
	failure func(n int) string
	n       int
	begins  []time.Duration
	zero    time.Time
	closed  bool
}

func (s *scripted) prepare() operation { return opChange }
func (s *scripted) close()             { s.closed = true }

func (s *scripted) call() string {
	s.begins = append(s.begins, s.clock.now.Sub(s.zero))
	s.n++
	s.clock.now = s.clock.now.Add(s.took(s.n))
	if s.failure == nil {
		return ""
	}
	return s.failure(s.n)
}

// play runs one connection against a script.
func play(ctx context.Context, l *load, s *scripted) *outcome {
	s.clock = &handClock{now: time.UnixMilli(1795312800000)}
	s.zero = s.clock.now
	l.clock, l.connections = s.clock, 1
	return l.run(ctx, []caller{s})
}

const ms = time.Millisecond

// stall is a server that answers within 1 ms and stops once for a second.
func stall(n int) time.Duration {
	if n == 100 {
		return time.Second
	}
	return ms
}

// The open loop shows what a stall does to those who call meanwhile, the closed
// loop only that one call was slow.
func TestStall(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		rate         int
		calls        int64
		p50Max, p99  time.Duration // at most, at least
		p99Max, most time.Duration
	}{
		{"closed loop", 0, 9001, ms, 0, ms, time.Second},
		// Calls 101 to 200 should have begun while the server stood, and the
		// backlog is worked off at 1,000/s against 100/s: some 111 calls wait, up to
		// a second.
		{"open loop", 100, 1000, ms, 890 * ms, time.Second, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := &scripted{took: stall}
			o := play(t.Context(), &load{rate: test.rate, duration: 10 * time.Second}, s)
			got := o.report(Options{Rate: test.rate})
			if got.Calls != test.calls || got.Unsent != 0 || got.Failed != 0 {
				t.Errorf("%d calls, %d unsent, %d failed; want %d calls", got.Calls, got.Unsent, got.Failed, test.calls)
			}
			l := got.Latency
			if l.P50 > test.p50Max.Microseconds() || l.P99 < test.p99.Microseconds() || l.P99 > test.p99Max.Microseconds() || l.Max != test.most.Microseconds() {
				t.Errorf("%+v", l)
			}
			if !s.closed {
				t.Error("the connection is still open")
			}
		})
	}
}

// Calls begin when they are due, not a moment earlier, and those of the warm-up
// are not counted.
func TestOpenLoopKeepsItsRate(t *testing.T) {
	t.Parallel()
	s := &scripted{took: func(int) time.Duration { return 2 * ms }}
	o := play(t.Context(), &load{rate: 3, warmUp: time.Second, duration: time.Second}, s)
	third := func(n int) time.Duration {
		return time.Duration(n/3)*time.Second + time.Duration(n%3)*time.Second/3
	}
	if diff := cmp.Diff([]time.Duration{0, third(1), third(2), third(3), third(4), third(5)}, s.begins); diff != "" {
		t.Errorf("begins (-want +got):\n%s", diff)
	}
	got := o.report(Options{})
	if got.Calls != 3 || got.SecondsMS != 1000 || got.PerSecond != 3 || got.Latency.Max != 2000 {
		t.Errorf("%+v", got)
	}
}

// A server that does half of what is asked leaves half of the calls unsent, and
// their waiting is in the distribution.
func TestUnsent(t *testing.T) {
	t.Parallel()
	s := &scripted{took: func(int) time.Duration { return 20 * ms }}
	got := play(t.Context(), &load{rate: 100, duration: 10 * time.Second}, s).report(Options{Rate: 100})
	if got.Calls != 500 || got.Unsent != 500 {
		t.Errorf("%d calls, %d unsent", got.Calls, got.Unsent)
	}
	// Call n begins at 20n ms and was due at 10n ms; those unsent waited for up to 5 s.
	if p50 := got.Latency.P50; p50 < 2400_000 || p50 > 2600_000 {
		t.Errorf("p50 %d µs", p50)
	}
	if most := got.Latency.Max; most < 5000_000 || most > 5020_000 {
		t.Errorf("max %d µs", most)
	}
}

// Refusals are no calls and have no times; a timeout has.
func TestFailures(t *testing.T) {
	t.Parallel()
	s := &scripted{
		took: func(n int) time.Duration {
			if n%10 == 0 {
				return 500 * ms
			}
			return 10 * ms
		},
		failure: func(n int) string {
			switch {
			case n%10 == 0:
				return failTimeout
			case n%2 == 0:
				return "150003"
			}
			return ""
		},
	}
	// Ten calls take 590 ms: 5 succeed, 4 are refused, 1 is not answered.
	got := play(t.Context(), &load{duration: 5900 * ms}, s).report(Options{})
	if diff := cmp.Diff(map[string]int64{failTimeout: 10, "150003": 40}, got.Errors); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	if got.Calls != 50 || got.Failed != 50 || got.Latency.P99 < 499_000 || got.Latency.P50 > 10_010 {
		t.Errorf("%+v", got)
	}
}

// What was under way when the run was interrupted is reported.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{0, 10} {
		ctx, cancel := context.WithCancel(t.Context())
		s := &scripted{took: func(int) time.Duration { return 100 * ms }}
		s.failure = func(n int) string {
			if n == 7 {
				cancel()
			}
			return ""
		}
		got := play(ctx, &load{rate: rate, duration: time.Hour}, s).report(Options{Rate: rate})
		if got.Calls != 7 || got.Unsent != 0 || got.SecondsMS != 700 {
			t.Errorf("rate %d: %+v", rate, got)
		}
	}
}

// A server that stops for good is as bad as it is: those who were never heard
// are most of the callers.
func TestUnsentWaits(t *testing.T) {
	t.Parallel()
	s := &scripted{took: func(n int) time.Duration {
		if n == 100 {
			return 20 * time.Second
		}
		return ms
	}}
	got := play(t.Context(), &load{rate: 100, duration: 10 * time.Second}, s).report(Options{Rate: 100})
	if got.Calls != 100 || got.Unsent != 900 {
		t.Errorf("%d calls, %d unsent", got.Calls, got.Unsent)
	}
	if p50 := got.Latency.P50; p50 < 3900_000 || p50 > 4100_000 {
		t.Errorf("p50 %d µs: of 1,000 callers 900 waited for up to 9 s in vain", p50)
	}
}
