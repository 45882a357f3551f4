package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// caller is one connection with what it sends.
type caller interface {
	// prepare makes the next call ready as far as that needs no clock.
	prepare() operation
	// call sends it and waits for the answer. The result is "" for success, else
	// what went wrong, in the words of the report.
	call() string
	close()
}

// load is one run.
type load struct {
	clock            clock
	connections      int
	rate             int
	warmUp, duration time.Duration
	progress         func(Progress)

	pace *pace
	warm time.Time // from here on calls count
	live live
}

// live is what is told while the run goes on.
type live struct{ calls, failed, micros atomic.Int64 }

// Progress is how a run goes: the time since its begin, and what came in since
// the last time.
type Progress struct {
	Elapsed time.Duration
	Warm    bool  // the warm-up is over
	Calls   int64 // with those that failed
	Failed  int64
	Mean    time.Duration // from when a call should have begun to its answer
	Since   time.Duration // what Calls, Failed and Mean are about
}

// tally is what one connection saw of one operation.
type tally struct {
	calls, failed int64
	errors        map[string]int64
	times         *histogram
	last          time.Time // when the last of its calls was answered
}

// outcome is what all connections saw.
type outcome struct {
	operations [operations]*tally
	unsent     tally
	seconds    time.Duration
}

func (l *load) run(ctx context.Context, callers []caller) *outcome {
	begin := l.clock.Now()
	l.warm = begin.Add(l.warmUp)
	l.pace = &pace{clock: l.clock, begin: begin, end: l.warm.Add(l.duration), rate: int64(l.rate)}
	told := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() { l.tell(begin, told) })
	all := make([][operations]*tally, len(callers))
	var group sync.WaitGroup
	for i, c := range callers {
		group.Go(func() {
			defer c.close()
			l.work(ctx, c, &all[i])
		})
	}
	group.Wait()
	close(told)
	telling.Wait() // nothing is told once the run is over
	return l.sum(all)
}

// work is one connection's run.
func (l *load) work(ctx context.Context, c caller, tallies *[operations]*tally) {
	for {
		op := c.prepare()
		due, ok := l.pace.next(ctx)
		if !ok {
			return
		}
		failure := c.call()
		done := l.clock.Now()
		took := done.Sub(due)
		l.live.calls.Add(1)
		l.live.micros.Add(took.Microseconds())
		if failure != "" {
			l.live.failed.Add(1)
		}
		if due.Before(l.warm) {
			continue
		}
		if tallies[op] == nil {
			tallies[op] = newTally()
		}
		tallies[op].add(failure, took, done)
	}
}

func newTally() *tally {
	return &tally{errors: map[string]int64{}, times: newHistogram()}
}

// add counts a call. A refusal has no place among the times, as it may be quick;
// an answer that was waited for in vain has.
func (t *tally) add(failure string, took time.Duration, done time.Time) {
	t.last = done
	if failure == "" {
		t.calls++
	} else {
		t.failed++
		t.errors[failure]++
	}
	if failure == "" || failure == failTimeout {
		t.times.record(took)
	}
}

func (t *tally) merge(other *tally) {
	t.calls += other.calls
	t.failed += other.failed
	for failure, n := range other.errors {
		t.errors[failure] += n
	}
	t.times.merge(other.times)
	if other.last.After(t.last) {
		t.last = other.last
	}
}

// sum adds up what the connections saw. The time is that until the last answer,
// so that a server which is slow at the end is not faster for it.
func (l *load) sum(all [][operations]*tally) *outcome {
	o := &outcome{unsent: *newTally()}
	last := l.warm
	for _, tallies := range all {
		for op, t := range tallies {
			if t == nil {
				continue
			}
			if o.operations[op] == nil {
				o.operations[op] = newTally()
			}
			o.operations[op].merge(t)
			if t.last.After(last) {
				last = t.last
			}
		}
	}
	l.pace.unsent(func(due time.Time, waited time.Duration) {
		if !due.Before(l.warm) {
			o.unsent.failed++
			o.unsent.times.record(waited)
		}
	})
	if ended := l.pace.ended; ended.After(last) {
		last = ended
	}
	o.seconds = last.Sub(l.warm)
	return o
}

// tell reports once a second until told is closed.
func (l *load) tell(begin time.Time, told <-chan struct{}) {
	if l.progress == nil {
		return
	}
	const every = time.Second
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	last := begin
	for {
		select {
		case <-told:
			return
		case <-ticker.C:
		}
		now := l.clock.Now()
		p := Progress{
			Elapsed: now.Sub(begin), Warm: now.After(l.warm), Since: now.Sub(last),
			Calls: l.live.calls.Swap(0), Failed: l.live.failed.Swap(0),
		}
		if micros := l.live.micros.Swap(0); p.Calls > 0 {
			p.Mean = time.Duration(micros/p.Calls) * time.Microsecond
		}
		last = now
		l.progress(p)
	}
}
