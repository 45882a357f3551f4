package webhook

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
)

const (
	registered = loyalty.EventRegistered
	changed    = loyalty.EventPointsChanged
)

var errPartner = &Failure{Reason: "HTTP status", Number: 500}

// rig is a deliverer on an outbox in memory. Its time is synctest's.
type rig struct {
	*memory
	*plainRenderer
	*partner
	t *testing.T
}

func newRig(t *testing.T, answer func(ctx context.Context, e loyalty.Callback, times int) error) *rig {
	return &rig{
		memory: newMemory(), partner: newPartner(answer), t: t,
		plainRenderer: &plainRenderer{erased: map[int64]bool{}, broken: map[int64]bool{}, off: map[string]bool{}},
	}
}

// run starts a deliverer; stop ends it and waits.
func (r *rig) run(change func(*Options)) (d *Deliverer, stop func()) {
	o := Options{Storage: r.memory, Renderer: r.plainRenderer, Poster: r.partner, Random: func() float64 { return 0.5 }}
	if change != nil {
		change(&o)
	}
	d = New(o)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		d.Run(ctx)
		close(ended)
	}()
	return d, func() {
		cancel()
		<-ended
	}
}

// until lets time pass until a condition holds.
func (r *rig) until(limit time.Duration, what string, condition func() bool) {
	r.t.Helper()
	for start := time.Now(); !condition(); {
		if time.Since(start) > limit {
			r.t.Fatalf("not within %s: %s", limit, what)
		}
		time.Sleep(max(5*time.Millisecond, limit/10_000)) // synctest's time
		synctest.Wait()
	}
}

func (r *rig) allSent() bool { return r.memory.idle("") }

func equal(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestDelaysAndParking(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		r := newRig(t, func(_ context.Context, e loyalty.Callback, _ int) error {
			if e.No == 1 {
				at = append(at, time.Since(start).Round(time.Minute))
				return errPartner
			}
			return nil
		})
		r.add(1, "a", registered)
		r.add(1, "a", changed)
		_, stop := r.run(func(o *Options) { o.Poll = 30 * time.Second })
		defer stop()
		r.until(96*time.Hour, "the first is parked and the second sent", r.allSent)
		minutes := time.Duration(0)
		want := []time.Duration{0}
		for _, step := range []time.Duration{1, 5, 30, 120, 360, 720, 720, 720, 720, 720, 720} {
			minutes += step * time.Minute
			want = append(want, minutes)
		}
		equal(t, "attempts", want, at)
		equal(t, "states", []State{StateParked, StateDelivered}, r.stream(1, "a").state)
	})
}

// No event is parked before three days or ten attempts, whichever is later.
func TestParkingNeedsTimeAndAttempts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		base, after time.Duration
		attempts    int
	}{
		{time.Millisecond, time.Nanosecond, 10},  // the attempts are later
		{time.Millisecond, 10 * time.Second, 20}, // the time is
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, func(context.Context, loyalty.Callback, int) error { return errPartner })
			r.add(1, "a", registered)
			d, stop := r.run(func(o *Options) { o.RetryBase, o.ParkAfter = test.base, test.after })
			defer stop()
			r.until(time.Minute, "parked", r.allSent)
			// 1, 5, 30, 120, 360 ms and then 720: the last is the first beyond the time.
			if got := len(r.ids()); got != test.attempts && !(test.attempts == 20 && got >= 14 && got <= 20) {
				t.Errorf("%d attempts", got)
			}
			if s := d.Stats(); s.Parked != 1 || s.Failed != int64(len(r.ids())) {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestJitter(t *testing.T) {
	t.Parallel()
	for failures, want := range map[int64]time.Duration{1: 1, 2: 5, 3: 30, 4: 120, 5: 360, 6: 720, 7: 720, 1000: 720} {
		low, high := delay(time.Minute, failures, 0), delay(time.Minute, failures, 0.999999)
		middle := want * time.Minute
		if low != middle*9/10 || high <= middle || high > middle*11/10 {
			t.Errorf("%d: %s to %s", failures, low, high)
		}
		if high > longest(time.Minute) {
			t.Errorf("%d: %s is longer than the longest", failures, high)
		}
	}
}

// seedOf is printed when a test fails; MEMBERD_SEED repeats it.
func seedOf(t *testing.T) uint64 {
	seed := rand.Uint64()
	if text := os.Getenv("MEMBERD_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("MEMBERD_SEED=%d", seed)
		}
	})
	return seed
}

// Two deliverers on one outbox, partners that fail a third of the time, and
// records that get lost: everything arrives, in order, never two at a time.
func TestOrderUnderTrouble(t *testing.T) {
	t.Parallel()
	seed := seedOf(t)
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 1))
		chance := make(chan float64) // one source for all workers
		done := make(chan struct{})
		defer close(done)
		go func() {
			for {
				select {
				case chance <- random.Float64():
				case <-done:
					return
				}
			}
		}()
		r := newRig(t, func(_ context.Context, e loyalty.Callback, _ int) error {
			time.Sleep(time.Duration(<-chance * float64(200*time.Millisecond)))
			if <-chance < 0.3 {
				return errPartner
			}
			return nil
		})
		settings := func(o *Options) {
			o.RetryBase, o.Workers, o.PerApp = 100*time.Millisecond, 12, 5
		}
		_, stopA := r.run(settings)
		_, stopB := r.run(settings)
		for i := range 600 {
			r.add(int64(1+i%17), "app"+strconv.Itoa(i%3), changed)
			time.Sleep(time.Duration(<-chance * float64(20*time.Millisecond)))
			if i%50 == 0 {
				r.memory.mu.Lock()
				r.failRecords = 2
				r.memory.mu.Unlock()
			}
		}
		r.until(time.Hour, "everything is sent", r.allSent)
		stopA()
		stopB()
		if r.overlaps > 0 {
			t.Errorf("%d requests of one stream at a time as another", r.overlaps)
		}
		for app, most := range r.most {
			if most > 2*5 {
				t.Errorf("%d requests at a time to %s", most, app)
			}
		}
		inOrder(t, r.ids(), 600)
	})
}

// inOrder proves that every event arrived and that no stream ran backwards but
// to repeat.
func inOrder(t *testing.T, ids []string, want int) {
	t.Helper()
	highest, seen := map[string]int64{}, map[string]bool{}
	for _, id := range ids {
		app, member, no, err := ParseEventID(id)
		if err != nil {
			t.Fatal(err)
		}
		stream := fmt.Sprint(app, member)
		switch {
		case no == highest[stream]+1:
			highest[stream] = no
		case no != highest[stream]:
			t.Errorf("%s after number %d", id, highest[stream])
		}
		seen[id] = true
	}
	equal(t, "different events", want, len(seen))
}

// A process that is killed between the delivery and its record: another one
// takes over when the lease is over, and sends the same number again.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var second time.Duration
		r := newRig(t, func(_ context.Context, e loyalty.Callback, times int) error {
			if times == 2 {
				second = time.Since(start)
			}
			return nil
		})
		r.add(1, "a", changed)
		r.add(1, "a", changed)
		r.failRecords = 1 // the record is lost as if the process had died
		_, stop := r.run(nil)
		r.until(time.Second, "the first is delivered", func() bool { return len(r.ids()) == 1 })
		stop()
		_, stop = r.run(nil)
		defer stop()
		r.until(time.Minute, "both are sent", r.allSent)
		equal(t, "arrived", []string{"a:1:1", "a:1:1", "a:1:2"}, r.ids())
		if second < LeaseLife || second > LeaseLife+time.Second {
			t.Errorf("taken over after %s", second)
		}
	})
}

// While a process lives and sends slowly, no other one gets its stream.
func TestLeaseIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, _ loyalty.Callback, _ int) error {
			select {
			case <-time.After(9900 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		for range 20 {
			r.add(1, "a", changed)
		}
		_, stopA := r.run(nil)
		_, stopB := r.run(nil)
		r.until(time.Hour, "all is sent", r.allSent)
		stopA()
		stopB()
		equal(t, "overlaps", 0, r.overlaps)
		equal(t, "requests", 20, len(r.ids()))
	})
}
