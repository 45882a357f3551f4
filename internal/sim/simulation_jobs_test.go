package sim_test

import (
	"context"
	"sync"
	"time"

	"github.com/memberd/memberd/internal/jobs"
	"github.com/memberd/memberd/internal/loyalty"
)

// simLook keeps what the jobs have found to do, so that the model does it too.
type simLook struct {
	jobs.Look
	single bool // find one thing at a time, so that the order is the seed's
	mu     sync.Mutex
	found  []loyalty.AnyCommand
}

// some are what a look shows of what is there.
func some[X any](l *simLook, list []X) []X {
	if l.single {
		return list[:min(1, len(list))]
	}
	return list
}

func foundAll[C loyalty.Command[loyalty.DueBooked]](l *simLook, commands []C) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range commands {
		l.found = append(l.found, loyalty.Any(c))
	}
}

func (l *simLook) DueMembers(ctx context.Context, merchant string, now loyalty.Instant, limit int) ([]int64, error) {
	ids, err := l.Look.DueMembers(ctx, merchant, now, limit)
	ids = some(l, ids)
	for _, id := range ids {
		foundAll(l, []loyalty.BookDue{{Who: loyalty.Who{Merchant: merchant, ID: id}}})
	}
	return ids, err
}

func (l *simLook) EndedCoupons(ctx context.Context, merchant string, now loyalty.Instant, limit int) ([]loyalty.LapseCoupons, error) {
	commands, err := l.Look.EndedCoupons(ctx, merchant, now, limit)
	commands = some(l, commands)
	foundAll(l, commands)
	return commands, err
}

func (l *simLook) ExpiringMembers(ctx context.Context, merchant string, until loyalty.Instant, limit int) ([]int64, error) {
	ids, err := l.Look.ExpiringMembers(ctx, merchant, until, limit)
	ids = some(l, ids)
	for _, id := range ids {
		foundAll(l, []loyalty.AnnounceExpiring{{Who: loyalty.Who{Merchant: merchant, ID: id}}})
	}
	return ids, err
}

func (l *simLook) ParkedRefunds(ctx context.Context, merchant string, before loyalty.Instant, limit int) ([]loyalty.GiveUpRefund, error) {
	commands, err := l.Look.ParkedRefunds(ctx, merchant, before, limit)
	commands = some(l, commands)
	foundAll(l, commands)
	return commands, err
}

// runJobs runs a round of every job, each again until it has gone well. Many
// goroutines submit what a job found, so one fault at most is planned
// beforehand and none is drawn.
func (r *simRun) runJobs() {
	r.count("rounds of jobs")
	r.faults.begin()
	r.truth.begin()
	quiet := r.faults.quiet.Load()
	if !quiet && r.rng.IntN(2) == 0 {
		r.faults.planOne(r.rng, r.faults.tenths > 0)
	}
	r.faults.quiet.Store(true)
	for i := range (&jobs.Worker{}).Standard() {
		for _, merchant := range []string{simMerchant, simStrict} {
			r.runJob(i, merchant)
		}
	}
	r.faults.quiet.Store(quiet)
	r.faults.cancelPlan()
	r.clock.moveTo(r.clock.Now().Add(time.Minute))
}

func (r *simRun) runJob(i int, merchant string) {
	const patienceOfJobs = 20
	name := (&jobs.Worker{}).Standard()[i].Name
	for try := 1; ; try++ {
		look := &simLook{Look: r.life.store, single: r.post.workers == 1}
		if r.plant.look != nil {
			look.Look = r.plant.look(look.Look)
		}
		worker := jobs.Worker{Look: look, Writer: r.life.writer, Now: r.clock.Now}
		job := worker.Standard()[i]
		done, err := job.Run(context.Background(), merchant)
		if r.life.dead.Load() {
			r.restart(true)
		}
		for _, c := range look.found { // what was not done is found again, and doing it twice is nothing
			if out := r.model.do(c, r.clock.instant(), 0, ""); out.Err != nil {
				if _, refused := loyalty.CodeOf(out.Err); !refused {
					r.problem("jobs", "%s: the model: %v", job.Name, out.Err)
				}
			}
		}
		if done > 0 {
			r.count("did: job " + job.Name)
		}
		if err == nil {
			break
		}
		if try == patienceOfJobs {
			r.problem("jobs", "%s of %s fails again and again: %v", job.Name, merchant, err)
			return
		}
		time.Sleep(time.Second)
	}
	if name == jobs.Due {
		for _, m := range r.model.dump().Members {
			if m.Merchant == merchant && m.NextDueAt <= r.clock.instant() {
				r.problem("jobs", "member %d is due since %d, and no job has seen it", m.ID, m.NextDueAt)
			}
		}
	}
}
