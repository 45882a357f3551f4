package webhook

import (
	"sync/atomic"
	"time"
)

// counts is what the metrics show.
type counts struct {
	delivered, resent, dropped, failed, parked atomic.Int64

	waiting  atomic.Int64
	oldest   atomic.Int64 // unix ms, 0 for none
	measured atomic.Int64 // unix ms
}

// Stats is what a Deliverer has done since it began, and what waits.
type Stats struct {
	Delivered int64 // events that partners took, without Resent
	Resent    int64 // events that partners took again
	Dropped   int64 // events of erased members
	Failed    int64 // attempts in vain
	Parked    int64 // events that failed for too long
	Open      int   // requests under way
	Paused    int   // apps that are paused
	Waiting   int64 // events that wait, of at most MaxLag streams
	// OldestAge is how long the oldest of them has waited when it was measured
	// last, 15 seconds ago or less.
	OldestAge time.Duration
}

// Stats may be asked at any time.
func (d *Deliverer) Stats() Stats {
	open, paused := d.circuits.state()
	s := Stats{
		Delivered: d.counts.delivered.Load(), Resent: d.counts.resent.Load(), Dropped: d.counts.dropped.Load(),
		Failed: d.counts.failed.Load(), Parked: d.counts.parked.Load(),
		Open: open, Paused: paused, Waiting: d.counts.waiting.Load(),
	}
	if oldest := d.counts.oldest.Load(); oldest > 0 {
		s.OldestAge = max(0, time.Duration(d.counts.measured.Load()-oldest)*time.Millisecond)
	}
	return s
}

func (c *counts) setLag(l Lag, now time.Time) {
	c.waiting.Store(l.Events)
	c.oldest.Store(l.Oldest)
	c.measured.Store(now.UnixMilli())
}

// count counts an outcome that was recorded, and tells of a parked one.
func (d *Deliverer) count(o *Outcome) {
	switch {
	case o.Result == Delivered && o.Resend:
		d.counts.resent.Add(1)
	case o.Result == Delivered:
		d.counts.delivered.Add(1)
	case o.Result == Dropped:
		d.counts.dropped.Add(1)
	case o.Result == Parked && o.Resend:
		d.opts.Logger.Warn("callbacks: sending an event again was given up", "app", o.App, "number", o.No, "attempts", o.Attempts, "reason", o.Failure)
	case o.Result == Parked:
		d.counts.parked.Add(1)
		d.opts.Logger.Warn("callbacks: an event is parked", "app", o.App, "number", o.No, "attempts", o.Attempts, "reason", o.Failure)
	}
}
