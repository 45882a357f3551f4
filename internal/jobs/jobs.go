// Package jobs runs what happens by itself: points expire, levels fall, coupons
// end, old keys and tokens go. It knows when to run what and who runs it; what a
// job does is given to it, and every job does its work through the same writer
// as the calls.
//
// Several processes may stand on one database. One of them holds the lease and
// runs the jobs; when it stops or dies another one takes over within a minute.
// A job that ran twice would do no harm: each round looks for what is left.
package jobs

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Times of the lease. A process that dies is replaced after leaseLife and one
// more renewal interval, which is less than a minute.
const (
	leaseLife    = 30 * time.Second
	renewEvery   = 10 * time.Second
	lookEvery    = time.Second
	leaseName    = "jobs"
	callTimeout  = 5 * time.Second
	firstRoundIn = 2 * time.Second // a server that starts answers calls first
)

// Job is one kind of work.
type Job struct {
	Name string
	// Every is how long after a round the next one begins.
	Every time.Duration
	// Run does one round for a merchant, and tells how many things it settled. It
	// returns early with ctx's error when ctx ends.
	Run func(ctx context.Context, merchant string) (done int, err error)
}

// Storage is what the runner needs of the database. Times are Unix milliseconds.
type Storage interface {
	// Lease gives the name to the owner until the time given, unless somebody
	// else holds it at now.
	Lease(ctx context.Context, name, owner string, now, until int64) (held bool, err error)
	// Unlease gives the name free if the owner holds it.
	Unlease(ctx context.Context, name, owner string) error
	Merchants(ctx context.Context) ([]string, error)
}

// Observer is told of every round.
type Observer interface {
	JobRan(job, outcome string, done int, took time.Duration)
	Leading(leading bool)
}

// Runner runs jobs while it holds the lease.
type Runner struct {
	Storage Storage
	Jobs    []Job
	// Owner names this process, unlike all others.
	Owner    string
	Logger   *slog.Logger
	Observer Observer
	// Now is the real clock; time.Now if nil.
	Now func() time.Time

	next map[string]time.Time // when a job's next round begins
}

// Run works until ctx ends, and gives the lease free then.
func (r *Runner) Run(ctx context.Context) {
	if r.Now == nil {
		r.Now = time.Now
	}
	r.next = map[string]time.Time{}
	for _, j := range r.Jobs {
		r.next[j.Name] = r.Now().Add(firstRoundIn)
	}
	for ctx.Err() == nil {
		if r.lease(ctx) {
			r.lead(ctx)
		}
		wait(ctx, renewEvery)
	}
}

// lead runs jobs until the lease is lost or ctx ends.
func (r *Runner) lead(ctx context.Context) {
	r.Observer.Leading(true)
	defer r.Observer.Leading(false)
	leading, stop := context.WithCancel(ctx)
	defer stop()
	var renewer sync.WaitGroup
	renewer.Go(func() {
		defer stop()
		for wait(leading, renewEvery) {
			if !r.lease(leading) {
				return
			}
		}
	})
	for wait(leading, lookEvery) {
		for _, j := range r.Jobs {
			if !r.Now().Before(r.next[j.Name]) {
				r.round(leading, j)
			}
		}
	}
	stop()
	renewer.Wait()
	if ctx.Err() != nil { // stopping, not overtaken: the next one need not wait
		freeing, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
		defer cancel()
		if err := r.Storage.Unlease(freeing, leaseName, r.Owner); err != nil {
			r.Logger.Warn("lease of the jobs not given free", "error", err)
		}
	}
}

// lease takes or keeps the lease. Without an answer it is not held: better
// nobody runs the jobs for a while than two do.
func (r *Runner) lease(ctx context.Context) bool {
	soon, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	now := r.Now()
	held, err := r.Storage.Lease(soon, leaseName, r.Owner, now.UnixMilli(), now.Add(leaseLife).UnixMilli())
	if err != nil && ctx.Err() == nil {
		r.Logger.Warn("lease of the jobs", "error", err)
	}
	return held && err == nil
}

// round runs a job for all merchants. One merchant's trouble is not another's.
func (r *Runner) round(ctx context.Context, j Job) {
	merchants, err := r.Storage.Merchants(ctx)
	if err != nil {
		r.report(ctx, j.Name, "", 0, 0, err)
	}
	for _, m := range merchants {
		if ctx.Err() != nil {
			return
		}
		started := r.Now()
		done, err := j.Run(ctx, m)
		r.report(ctx, j.Name, m, done, r.Now().Sub(started), err)
	}
	r.next[j.Name] = r.Now().Add(j.Every)
}

// report tells the log what was done, and the metrics that it was looked.
func (r *Runner) report(ctx context.Context, job, merchant string, done int, took time.Duration, err error) {
	outcome := "ok"
	switch {
	case err != nil && ctx.Err() != nil:
		outcome = "stopped"
	case err != nil:
		outcome = "failed"
		r.Logger.Warn("job failed", "job", job, "merchant", merchant, "done", done, "error", err)
	case done > 0:
		r.Logger.Info("job ran", "job", job, "merchant", merchant, "done", done, "took", took.Round(time.Millisecond))
	}
	r.Observer.JobRan(job, outcome, done, took)
}

// wait is false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
