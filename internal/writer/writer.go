// Package writer is the one path by which anything about members is changed.
// It takes the commands that queued up while the last commit ran, loads what
// they refer to with a fixed number of statements, decides them in order in
// memory, saves them together, commits once and then answers. So a lone call
// waits for nobody, and a crowd shares one fsync.
//
// The writer knows nothing of points: what a command means is package loyalty,
// how rows are read and written is a [loyalty.Store].
package writer

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// Limits, each with its reason.
const (
	// MaxBatch bounds how long the first command of a batch waits for the last.
	MaxBatch = 128
	// maxBatchRows is beyond what members usually have. A batch of members with
	// a thousand open lots each is cut, so that deciding and saving stay short.
	maxBatchRows = 4_096
	// DefaultQueue is how many commands may wait: some 100 ms of work. Beyond it
	// an honest "busy" is worth more to a till than a late answer.
	DefaultQueue = 2_048
	// maxAttempts is how often a batch is run again before it is halved.
	maxAttempts = 5
)

// What Submit answers when a command was not decided. Errors of a decision are
// loyalty codes.
var (
	// ErrBusy: the queue of the command is full. Nothing was booked.
	ErrBusy = errors.New("writer: too many calls are waiting")
	// ErrClosed: the server is shutting down. Nothing was booked.
	ErrClosed = errors.New("writer: shutting down")
	// ErrUnavailable: the database is not to be had. Nothing was booked.
	ErrUnavailable = errors.New("writer: database unavailable")
	// ErrUnknownOutcome: the commit failed half-way. It may have been booked; the
	// caller's key tells when the call is repeated.
	ErrUnknownOutcome = errors.New("writer: outcome unknown")
	// ErrInternal: this command cannot be carried out. Nothing was booked.
	ErrInternal = errors.New("writer: internal error")
)

// Observer is told how long each stage of a batch took. Stages: queue, load,
// decide, save, commit.
type Observer interface {
	Stage(stage string, took time.Duration)
	Batch(commands int, outcome string)
}

// Options of a Writer; the zero value is usable.
type Options struct {
	// Queue is how many commands may wait, shared out evenly among the workers;
	// DefaultQueue if 0.
	Queue int
	// Workers is how many batches may be in flight, each of other members: 1 for
	// SQLite, 2 for PostgreSQL. 1 if 0.
	Workers int
	// MaxBatch is a smaller bound for batches; the package's MaxBatch if 0.
	MaxBatch int
	// Now is the real clock; time.Now if nil.
	Now      func() time.Time
	Observer Observer
	Logger   *slog.Logger
}

// Writer runs commands in batches. Make one with New, end it with Close.
type Writer struct {
	store   loyalty.Store
	opts    Options
	ids     *idBlocks
	queues  []chan *job // one a worker: a member's commands are all in one
	seed    maphash.Seed
	workers sync.WaitGroup

	mu     sync.RWMutex // guards closed against sends on queues
	closed bool
	health health
}

// job is one submitted command.
type job struct {
	command loyalty.AnyCommand
	queued  time.Time
	stamp   loyalty.Stamp
	fixed   bool // stamp was given and must not be renewed
	result  any
	err     error
	done    chan struct{}
}

func (j *job) finish(result any, err error) {
	j.result, j.err = result, err
	close(j.done)
}

// New starts a writer on store.
func New(store loyalty.Store, opts Options) *Writer {
	if opts.Queue == 0 {
		opts.Queue = DefaultQueue
	}
	if opts.Workers == 0 {
		opts.Workers = 1
	}
	if opts.MaxBatch == 0 {
		opts.MaxBatch = MaxBatch
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Observer == nil {
		opts.Observer = silent{}
	}
	if opts.Logger == nil {
		opts.Logger = discard
	}
	w := &Writer{
		store: store, opts: opts, ids: &idBlocks{store: store},
		seed: maphash.MakeSeed(),
	}
	for range opts.Workers {
		queue := make(chan *job, max(1, opts.Queue/opts.Workers))
		w.queues = append(w.queues, queue)
		w.workers.Go(func() { w.work(queue) })
	}
	return w
}

type silent struct{}

func (silent) Stage(string, time.Duration) {}
func (silent) Batch(int, string)           {}

// Submit has a command decided and saved, and returns its result. The error is
// a loyalty.Code when the command was refused, or one of this package's. When
// ctx ends first Submit returns its error, and the command goes on: a caller
// that hangs up cancels nothing.
//
// A refused repeat of a key (strict change ids) returns the first result
// together with loyalty.KeyReused.
func Submit[R any](ctx context.Context, w *Writer, c loyalty.Command[R]) (R, error) {
	var none R
	j := &job{command: loyalty.Any(c), done: make(chan struct{})}
	if err := w.enqueue(j); err != nil {
		return none, err
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		return none, ctx.Err()
	}
	if result, ok := j.result.(R); ok {
		return result, j.err
	}
	return none, j.err
}

func (w *Writer) enqueue(j *job) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return ErrClosed
	}
	if !w.health.good() {
		return ErrUnavailable
	}
	j.queued = w.opts.Now()
	select {
	case w.queueOf(&j.command.Refs) <- j:
		return nil
	default:
		return ErrBusy
	}
}

// queueOf sends what is about one member to one worker: two batches that want
// the same member's lock would only wait for one another. Commands that name it
// in different ways may still meet; then the lock decides.
func (w *Writer) queueOf(r *loyalty.Refs) chan<- *job {
	if len(w.queues) == 1 {
		return w.queues[0]
	}
	return w.queues[maphash.Comparable(w.seed, nameOf(r))%uint64(len(w.queues))]
}

// nameOf is the first way in which refs name their member; the name of somebody
// or something else where they name none.
func nameOf(r *loyalty.Refs) any {
	if ids := r.Who.Identities(); len(ids) > 0 {
		return ids[0]
	}
	if ids := r.AllIdentities(); r.Who.ID == 0 && len(ids) > 0 {
		return ids[0]
	}
	return r.Who.ID
}

// Ready tells whether commands are taken: the last thing heard of the database
// was good, and not all queues are full.
func (w *Writer) Ready() error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	switch {
	case w.closed:
		return ErrClosed
	case !w.health.good():
		return ErrUnavailable
	}
	for _, queue := range w.queues {
		if len(queue) < cap(queue) {
			return nil
		}
	}
	return ErrBusy
}

// BatchLimit is how many commands are in a batch at most.
func (w *Writer) BatchLimit() int { return w.opts.MaxBatch }

// Waiting is how many commands are in the queues.
func (w *Writer) Waiting() (n int) {
	for _, queue := range w.queues {
		n += len(queue)
	}
	return n
}

// Close takes no more commands, finishes those that were accepted and returns.
func (w *Writer) Close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		for _, queue := range w.queues {
			close(queue)
		}
	}
	w.mu.Unlock()
	w.workers.Wait()
}

// work runs batches until the queue is closed and empty.
func (w *Writer) work(queue <-chan *job) {
	for first := range queue {
		batch := []*job{first}
	fill:
		for len(batch) < w.opts.MaxBatch {
			select {
			case j, ok := <-queue:
				if !ok {
					break fill
				}
				batch = append(batch, j)
			default:
				break fill
			}
		}
		started := w.opts.Now()
		for _, j := range batch {
			w.opts.Observer.Stage("queue", started.Sub(j.queued))
		}
		w.run(batch)
	}
}
