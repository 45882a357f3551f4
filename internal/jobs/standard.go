package jobs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// Look finds what time has brought. now is real time; which merchant's clock is
// ahead of it is the database's affair.
type Look interface {
	Snapshot(ctx context.Context, merchant string) (*loyalty.Snapshot, error)
	// DueMembers are members of whom points, a period or a lot's end are due.
	DueMembers(ctx context.Context, merchant string, now loyalty.Instant, limit int) ([]int64, error)
	// MembersReached is the version of a merchant's settings, and whether all its
	// members have been brought to the levels and periods of it.
	MembersReached(ctx context.Context, merchant string) (version int64, reached bool, err error)
	// UnalignedMembers looks at a range of the merchant's members for those that
	// do not stand as the present levels and periods want, and says where to go
	// on; next is 0 after the last.
	UnalignedMembers(ctx context.Context, merchant string, from int64) (ids []int64, next int64, err error)
	// SetMembersReached notes that all members have been brought to a version.
	SetMembersReached(ctx context.Context, merchant string, version int64) error
	// EndedCoupons are coupons whose end has come and is not booked yet.
	EndedCoupons(ctx context.Context, merchant string, now loyalty.Instant, limit int) ([]loyalty.LapseCoupons, error)
	// ExpiringMembers are members whose points expire until the instant and who
	// have not been told of all up to there.
	ExpiringMembers(ctx context.Context, merchant string, until loyalty.Instant, limit int) ([]int64, error)
	// ParkedRefunds are refunds that have waited for their orders since before
	// the instant.
	ParkedRefunds(ctx context.Context, merchant string, before loyalty.Instant, limit int) ([]loyalty.GiveUpRefund, error)
	// PurgeTokens deletes tokens past their life, at most limit.
	PurgeTokens(ctx context.Context, now loyalty.Instant, limit int) (deleted int, err error)
	// PurgeKeys deletes idempotency keys from before the instant, of a range of
	// the merchant's members, and says where to go on; next is 0 after the last.
	PurgeKeys(ctx context.Context, merchant string, from int64, before loyalty.Instant) (next int64, deleted int, err error)
}

const (
	lookLimit    = 1_024 // members looked up at once
	purgeLimit   = 1_000
	busyPause    = 20 * time.Millisecond
	purgePause   = 5 * time.Millisecond // between two short transactions of mere tidying
	minuteRound  = time.Minute
	hourlyRound  = time.Hour
	nightlyRound = 24 * time.Hour
)

// Worker does the standard jobs.
type Worker struct {
	Look   Look
	Writer *writer.Writer
	// Now is the real clock; time.Now if nil.
	Now func() time.Time
}

// The names of the standard jobs, as operators write them.
const (
	Levels   = "levels"   // members brought to other levels or periods
	Due      = "due"      // points released and expired, periods ended
	Coupons  = "coupons"  // coupons whose end has come
	Expiring = "expiring" // partners are told which points will expire
	Refunds  = "refunds"  // parked refunds whose order never came
	Cleanup  = "cleanup"  // tokens and keys past their life
)

// Standard are all jobs, in the order in which a round makes sense: the present
// rules first, then what is due.
func (w *Worker) Standard() []Job {
	if w.Now == nil {
		w.Now = time.Now
	}
	return []Job{
		{Name: Levels, Every: minuteRound, Run: w.levels},
		{Name: Due, Every: minuteRound, Run: w.due},
		{Name: Coupons, Every: minuteRound, Run: w.coupons},
		{Name: Expiring, Every: hourlyRound, Run: w.expiring},
		{Name: Refunds, Every: hourlyRound, Run: w.refunds},
		{Name: Cleanup, Every: nightlyRound, Run: w.cleanup},
	}
}

func (w *Worker) now() loyalty.Instant { return loyalty.InstantOf(w.Now()) }

// levels brings idle members to a merchant's other levels or periods, once after
// each change of the settings. Whoever calls meanwhile is brought there by the
// call, and new members begin there, so one way through all of them is enough.
func (w *Worker) levels(ctx context.Context, merchant string) (done int, err error) {
	version, reached, err := w.Look.MembersReached(ctx, merchant)
	if err != nil || reached {
		return 0, err
	}
	var failed error
	for from := int64(1); from != 0; {
		var ids []int64
		if ids, from, err = w.Look.UnalignedMembers(ctx, merchant, from); err != nil {
			return done, err
		}
		n, broken, err := submitAll(ctx, w.Writer, bookDue(merchant, ids))
		done += n
		if err != nil {
			return done, err
		}
		if failed == nil {
			failed = broken
		}
	}
	if failed != nil { // the next round looks again
		return done, failed
	}
	return done, w.Look.SetMembersReached(ctx, merchant, version)
}

func bookDue(merchant string, ids []int64) []loyalty.BookDue {
	commands := make([]loyalty.BookDue, len(ids))
	for i, id := range ids {
		commands[i].Who = loyalty.Who{Merchant: merchant, ID: id}
	}
	return commands
}

func (w *Worker) due(ctx context.Context, merchant string) (int, error) {
	return drain(ctx, w, func() ([]loyalty.BookDue, error) {
		ids, err := w.Look.DueMembers(ctx, merchant, w.now(), lookLimit)
		return bookDue(merchant, ids), err
	})
}

func (w *Worker) coupons(ctx context.Context, merchant string) (int, error) {
	return drain(ctx, w, func() ([]loyalty.LapseCoupons, error) {
		return w.Look.EndedCoupons(ctx, merchant, w.now(), lookLimit)
	})
}

func (w *Worker) expiring(ctx context.Context, merchant string) (int, error) {
	snap, err := w.Look.Snapshot(ctx, merchant)
	if err != nil || len(snap.Apps) == 0 || !snap.Tells(loyalty.EventPointsExpiring) {
		return 0, err
	}
	until := snap.ExpiringUntil(w.now() + loyalty.Instant(snap.ClockOffset))
	return drain(ctx, w, func() ([]loyalty.AnnounceExpiring, error) {
		ids, err := w.Look.ExpiringMembers(ctx, merchant, until, lookLimit)
		commands := make([]loyalty.AnnounceExpiring, len(ids))
		for i, id := range ids {
			commands[i].Who = loyalty.Who{Merchant: merchant, ID: id}
		}
		return commands, err
	})
}

func (w *Worker) refunds(ctx context.Context, merchant string) (int, error) {
	snap, err := w.Look.Snapshot(ctx, merchant)
	if err != nil {
		return 0, err
	}
	before := snap.ParkedBefore(w.now() + loyalty.Instant(snap.ClockOffset))
	return drain(ctx, w, func() ([]loyalty.GiveUpRefund, error) {
		return w.Look.ParkedRefunds(ctx, merchant, before, lookLimit)
	})
}

// cleanup deletes what nobody can use any more, in short transactions with
// pauses between them.
func (w *Worker) cleanup(ctx context.Context, merchant string) (done int, err error) {
	for {
		n, err := w.Look.PurgeTokens(ctx, w.now(), purgeLimit)
		done += n
		if err != nil {
			return done, err
		}
		if n < purgeLimit || !wait(ctx, purgePause) {
			break
		}
	}
	snap, err := w.Look.Snapshot(ctx, merchant)
	if err != nil {
		return done, err
	}
	before := w.now() + loyalty.Instant(snap.ClockOffset) - loyalty.Instant(snap.KeyDays)*loyalty.Instant(24*time.Hour/time.Millisecond)
	for from := int64(1); from != 0; {
		var n int
		if from, n, err = w.Look.PurgeKeys(ctx, merchant, from, before); err != nil {
			return done, err
		}
		done += n
		if from != 0 && !wait(ctx, purgePause) {
			return done, ctx.Err()
		}
	}
	return done, nil
}

// drain looks and submits until nothing is left. What a look finds once more
// does not move: a later round may tell why. Something that the writer cannot
// carry out does not hold up what stands behind it; its error comes last.
func drain[C loyalty.Command[loyalty.DueBooked]](ctx context.Context, w *Worker, look func() ([]C, error)) (done int, err error) {
	var last []C
	var failed error
	for {
		commands, err := look()
		if err != nil {
			return done, err
		}
		if len(commands) == 0 || reflect.DeepEqual(commands, last) {
			return done, failed
		}
		n, broken, err := submitAll(ctx, w.Writer, commands)
		done += n
		if err != nil {
			return done, err
		}
		if failed == nil {
			failed = broken
		}
		last = commands
	}
}

// submitAll keeps three quarters of a batch in the writer's queue, so that a call
// never waits for more than one batch of the jobs' work. It stops at the first
// error that is no command's own; failed is the first of those.
func submitAll[C loyalty.Command[loyalty.DueBooked]](ctx context.Context, w *writer.Writer, commands []C) (done int, failed, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var mu sync.Mutex
	var working sync.WaitGroup
	next := make(chan C)
	for range min(max(1, w.BatchLimit()*3/4), len(commands)) {
		working.Go(func() {
			for c := range next {
				n, err := submit(ctx, w, c)
				mu.Lock()
				done += n
				switch {
				case errors.Is(err, writer.ErrInternal) && failed == nil:
					failed = err
				case err != nil && !errors.Is(err, writer.ErrInternal):
					stop(err)
				}
				mu.Unlock()
			}
		})
	}
	for _, c := range commands {
		select {
		case next <- c:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	close(next)
	working.Wait()
	return done, failed, context.Cause(ctx)
}

// submit waits where callers fill the queue: their calls come first. What was
// booked by a call meanwhile, or of a member that is gone, is refused or nothing.
func submit[C loyalty.Command[loyalty.DueBooked]](ctx context.Context, w *writer.Writer, c C) (int, error) {
	for {
		result, err := writer.Submit[loyalty.DueBooked](ctx, w, c)
		if errors.Is(err, writer.ErrBusy) && wait(ctx, busyPause+rand.N(busyPause)) {
			continue
		}
		if _, refused := loyalty.CodeOf(err); refused {
			return 0, nil
		}
		if err != nil {
			return 0, fmt.Errorf("submit: %w", err)
		}
		return result.Entries, nil
	}
}
