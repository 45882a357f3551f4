package bench

import (
	"context"
	"sync"
	"time"
)

// pace says when calls begin. All connections share one: in the open loop the
// next call that is due goes to whichever connection is free first.
type pace struct {
	clock      clock
	begin, end time.Time
	rate       int64 // calls a second; 0 is the closed loop

	mu    sync.Mutex
	given int64
	ended time.Time // when the calls stopped; the zero time while they have not
}

// next waits for the next call's moment and returns it. Not ok is the end of the
// run.
//
// In the open loop the moment may lie in the past: then all connections were
// busy, and the time since then is part of what the caller had to wait.
func (p *pace) next(ctx context.Context) (due time.Time, ok bool) {
	now := p.clock.Now()
	if p.rate == 0 {
		if ctx.Err() != nil || !now.Before(p.end) {
			p.stop(now)
			return time.Time{}, false
		}
		return now, true
	}
	p.mu.Lock()
	due = p.due(p.given)
	if ctx.Err() != nil || !now.Before(p.end) || !due.Before(p.end) {
		p.mu.Unlock()
		if ctx.Err() == nil {
			now = p.end
		}
		p.stop(now)
		return time.Time{}, false
	}
	p.given++
	p.mu.Unlock()
	if due.After(now) {
		p.clock.SleepUntil(ctx, due)
		if ctx.Err() != nil {
			p.stop(p.clock.Now())
			return time.Time{}, false
		}
	}
	return due, true
}

// due is when call number n should begin.
func (p *pace) due(n int64) time.Time {
	return p.begin.Add(time.Duration(n/p.rate)*time.Second + time.Duration(n%p.rate)*time.Second/time.Duration(p.rate))
}

func (p *pace) stop(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended.IsZero() || at.Before(p.ended) {
		p.ended = at
	}
}

// unsent calls f for each call that was due before the run ended and was never
// sent, with the time that it had waited by then: all connections were busy.
func (p *pace) unsent(f func(due time.Time, waited time.Duration)) {
	if p.rate == 0 {
		return
	}
	for n := p.given; ; n++ {
		due := p.due(n)
		if !due.Before(p.ended) {
			return
		}
		f(due, p.ended.Sub(due))
	}
}
