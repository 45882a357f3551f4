package writer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// batchTimeout ends a batch whose database has stopped answering. It is far
// beyond every wait that a healthy database has (a busy SQLite file: 5 s).
const batchTimeout = 30 * time.Second

// run brings a batch to an end, whatever happens: every job is answered.
func (w *Writer) run(jobs []*job) {
	for attempt := 1; len(jobs) > 0; {
		rest, err := w.try(jobs)
		var tooMany *tooManyRows
		switch {
		case err == nil:
			jobs, attempt = rest, 1

		case errors.As(err, &tooMany):
			w.opts.Observer.Batch(len(jobs), "halved")
			for part := range slices.Chunk(jobs, max(1, len(jobs)*maxBatchRows/tooMany.rows)) {
				w.run(part)
			}
			return

		case errors.Is(err, loyalty.ErrUnknownOutcome):
			w.opts.Observer.Batch(len(jobs), "unknown")
			w.opts.Logger.Error("outcome of a commit unknown", "commands", len(jobs), "error", err)
			w.fail(jobs, ErrUnknownOutcome)
			w.suspend(err)
			return

		case errors.Is(err, loyalty.ErrAgain) && attempt < maxAttempts:
			w.opts.Observer.Batch(len(jobs), "again")
			attempt++
			backOff(attempt)

		case errors.Is(err, loyalty.ErrAgain), errors.Is(err, loyalty.ErrCulprit):
			if len(jobs) == 1 {
				w.opts.Observer.Batch(1, "refused")
				w.opts.Logger.Error("a command that the database refuses", "error", err)
				w.fail(jobs, ErrInternal)
				return
			}
			w.opts.Observer.Batch(len(jobs), "halved")
			w.run(jobs[:len(jobs)/2])
			w.run(jobs[len(jobs)/2:])
			return

		default:
			w.opts.Observer.Batch(len(jobs), "unavailable")
			w.opts.Logger.Error("database unavailable", "commands", len(jobs), "error", err)
			w.fail(jobs, ErrUnavailable)
			w.suspend(err)
			return
		}
	}
}

// backOff waits a few milliseconds, more with every attempt, so that two
// processes that collided do not collide again.
func backOff(attempt int) {
	time.Sleep(time.Duration(rand.Int64N(int64(attempt) * int64(4*time.Millisecond))))
}

func (w *Writer) fail(jobs []*job, err error) {
	for _, j := range jobs {
		j.finish(nil, err)
	}
}

// decided is the outcome of one command, held back until the commit.
type decided struct {
	job    *job
	result any
	err    error
	tookID bool // a row got the job's fresh number
}

// tooManyRows: the commands refer to more rows than a batch should hold, which
// only loading them tells.
type tooManyRows struct{ rows int }

func (e *tooManyRows) Error() string { return fmt.Sprintf("writer: %d rows in a batch", e.rows) }

// try runs one transaction and answers its jobs. It returns the jobs that have
// to wait for the next one; after an error no job has been answered.
func (w *Writer) try(jobs []*job) (rest []*job, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
	defer cancel()
	if err := w.ids.stamp(ctx, jobs); err != nil {
		return nil, err
	}
	watch := stopwatch{w.opts.Observer, time.Now()}
	tx, err := w.store.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	refs := make([]loyalty.Refs, len(jobs))
	for i, j := range jobs {
		refs[i] = j.command.Refs
	}
	ws, err := tx.Load(ctx, refs)
	if err != nil {
		return nil, err
	}
	watch.stage("load")
	if rows := ws.Rows(); len(jobs) > 1 && rows > maxBatchRows {
		return nil, &tooManyRows{rows}
	}

	outcomes, changed := w.decide(ws, jobs)
	watch.stage("decide")
	if changed {
		if err := tx.Save(ctx, ws.Changes()); err != nil {
			return nil, err
		}
		watch.stage("save")
		if err := tx.Commit(ctx); err != nil {
			return nil, err
		}
		watch.stage("commit")
		w.health.set(nil) // only a write that went through proves that writes do
	}
	w.opts.Observer.Batch(len(outcomes), "ok")
	tx.Rollback() // the connection is free before anybody is answered
	for _, d := range outcomes {
		if d.job.command.Refs.New.Count == 1 && !d.tookID && !d.job.fixed {
			w.ids.giveBack(d.job.command.Refs.New.Kind, d.job.stamp.NewID)
		}
		d.job.finish(d.result, d.err)
	}
	return jobs[len(outcomes):], nil
}

// decide runs the commands in order on what was loaded. It stops before a
// command whose look-ups an earlier one has moved to a member that was there
// before: that member's rows for the command have not been loaded.
func (w *Writer) decide(ws *loyalty.WorkingSet, jobs []*job) (outcomes []decided, changed bool) {
	now := loyalty.InstantOf(w.opts.Now())
	for _, j := range jobs {
		if ws.Moved(&j.command.Refs) {
			return outcomes, changed
		}
		stamp := j.stamp
		if !j.fixed {
			stamp.Now = now
			if snap := ws.Snapshot(j.command.Refs.Who.Merchant); snap != nil {
				stamp.Now += loyalty.Instant(snap.ClockOffset)
			}
		}
		effects, result, err := w.decideOne(ws, j.command, stamp)
		if err == nil {
			changed = changed || !effects.Empty()
			ws.Apply(effects)
		}
		outcomes = append(outcomes, decided{j, result, err, err == nil && effects.TookID(j.command.Refs.New.Kind)})
	}
	return outcomes, changed
}

// decideOne keeps a bug in one command from touching its neighbours.
func (w *Writer) decideOne(ws *loyalty.WorkingSet, c loyalty.AnyCommand, at loyalty.Stamp) (e loyalty.Effects, result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			w.opts.Logger.Error("panic in a decision", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			e, result, err = loyalty.Effects{}, nil, ErrInternal
		}
	}()
	e, result, err = c.Decide(ws, at)
	if err != nil {
		if _, ok := loyalty.CodeOf(err); !ok {
			w.opts.Logger.Error("a decision failed", "error", err)
			err = ErrInternal
		}
	}
	return e, result, err
}

// stopwatch reports stage after stage.
type stopwatch struct {
	observer Observer
	last     time.Time
}

func (s *stopwatch) stage(name string) {
	now := time.Now()
	s.observer.Stage(name, now.Sub(s.last))
	s.last = now
}

// Stamped is a command with the stamp that it was or shall be decided by.
type Stamped struct {
	Command loyalty.AnyCommand
	Stamp   loyalty.Stamp
}

// Outcome is what one command of Replay came to.
type Outcome struct {
	Result any
	Err    error
}

// Replay runs commands with given stamps, cut into batches of the given sizes
// (the last one taking the rest), through the same code as Submit. Back-tests
// and the test of split invariance use it.
func Replay(store loyalty.Store, commands []Stamped, sizes []int) []Outcome {
	opts := Options{Now: time.Now, Observer: silent{}, Logger: discard}
	w := &Writer{store: store, ids: &idBlocks{store: store}, opts: opts, closed: true} // nobody submits to it
	jobs := make([]*job, len(commands))
	for i, c := range commands {
		jobs[i] = &job{command: c.Command, stamp: c.Stamp, fixed: true, done: make(chan struct{})}
	}
	for rest := jobs; len(rest) > 0; {
		n := len(rest)
		if len(sizes) > 0 {
			n, sizes = min(n, max(sizes[0], 1)), sizes[1:]
		}
		w.run(rest[:n])
		rest = rest[n:]
	}
	outcomes := make([]Outcome, len(jobs))
	for i, j := range jobs {
		outcomes[i] = Outcome{j.result, j.err}
	}
	return outcomes
}
