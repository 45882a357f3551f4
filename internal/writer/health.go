package writer

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"sync"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

const (
	// probeInterval is how often a database that was lost is tried again.
	probeInterval = 250 * time.Millisecond
	// probeTimeout ends a try that gets no answer, well within the time that a
	// server has to shut down.
	probeTimeout = 3 * time.Second
)

var discard = slog.New(slog.DiscardHandler)

// health is what was last heard of the database.
type health struct {
	mu  sync.Mutex
	err error
}

func (h *health) good() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err == nil
}

// set reports whether the state turned from good to bad.
func (h *health) set(err error) (lost bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	lost = err != nil && h.err == nil
	h.err = err
	return lost
}

// suspend refuses commands until a write goes through again. What still waits
// in the queue is answered by the workers in the same way.
func (w *Writer) suspend(err error) {
	if !w.health.set(err) {
		return // a prober is at work
	}
	w.workers.Go(func() {
		for {
			time.Sleep(probeInterval)
			ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
			_, err := w.store.ReserveIDs(ctx, loyalty.MemberIDs, 0) // writes, and costs no id
			cancel()
			if err == nil {
				w.health.set(nil)
				w.opts.Logger.Info("database available again")
				return
			}
			w.mu.RLock()
			closed := w.closed
			w.mu.RUnlock()
			if closed {
				return
			}
		}
	})
}

// blockSize is how many numbers of a kind are taken from the database at once.
const blockSize = 1_000

// idBlocks hands out fresh numbers of every kind. Two workers share it.
type idBlocks struct {
	store loyalty.Store
	mu    sync.Mutex
	kinds map[loyalty.IDKind]*idBlock
}

// idBlock is the numbers of one kind that the database has reserved for this
// process.
type idBlock struct {
	next, end int64
	unused    []int64 // handed out for a command that used none
}

// stamp gives every job that asks for new rows its numbers. It runs before the
// batch's transaction: a reservation is a transaction of its own.
func (b *idBlocks) stamp(ctx context.Context, jobs []*job) error {
	for _, j := range jobs {
		want := j.command.Refs.New
		if want.Count == 0 || j.stamp.NewID != 0 {
			continue
		}
		id, err := b.take(ctx, want)
		if err != nil {
			return err
		}
		j.stamp.NewID = id
		if want.Kind == loyalty.MemberIDs {
			var open [16]byte
			_, _ = rand.Read(open[:]) // never fails
			j.stamp.OpenID = hex.EncodeToString(open[:])
		}
	}
	return nil
}

// take is the first of so many numbers in a row. A rest of a block that is too
// short is lost.
func (b *idBlocks) take(ctx context.Context, want loyalty.NewIDs) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	block := b.kinds[want.Kind]
	if block == nil {
		block = &idBlock{}
		if b.kinds == nil {
			b.kinds = map[loyalty.IDKind]*idBlock{}
		}
		b.kinds[want.Kind] = block
	}
	if n := len(block.unused); n > 0 && want.Count == 1 {
		id := block.unused[n-1]
		block.unused = block.unused[:n-1]
		return id, nil
	}
	if block.end-block.next < want.Count {
		size := max(blockSize, want.Count)
		first, err := b.store.ReserveIDs(ctx, want.Kind, size)
		if err != nil {
			return 0, err
		}
		block.next, block.end = first, first+size
	}
	id := block.next
	block.next += want.Count
	return id, nil
}

// giveBack takes a number that no row got: registering is mostly finding, and
// member numbers have ten digits for all time.
func (b *idBlocks) giveBack(kind loyalty.IDKind, id int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kinds[kind].unused = append(b.kinds[kind].unused, id)
}
