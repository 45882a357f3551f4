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
			_, err := w.store.ReserveMemberIDs(ctx, 0) // writes, and costs no id
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

// blockSize is how many member numbers are taken from the database at once.
const blockSize = 1_000

// idBlock hands out fresh ids from a block that the database has reserved for
// this process. Two workers share it.
type idBlock struct {
	store     loyalty.Store
	mu        sync.Mutex
	next, end int64
	unused    []int64 // handed out for a registration that made no member
}

// stamp gives every job that asks for a new member its ids. It runs before the
// batch's transaction: a reservation is a transaction of its own.
func (b *idBlock) stamp(ctx context.Context, jobs []*job) error {
	for _, j := range jobs {
		if !j.command.Refs.NewMember || j.stamp.MemberID != 0 {
			continue
		}
		id, err := b.take(ctx)
		if err != nil {
			return err
		}
		var open [16]byte
		_, _ = rand.Read(open[:]) // never fails
		j.stamp.MemberID, j.stamp.OpenID = id, hex.EncodeToString(open[:])
	}
	return nil
}

func (b *idBlock) take(ctx context.Context) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.unused); n > 0 {
		id := b.unused[n-1]
		b.unused = b.unused[:n-1]
		return id, nil
	}
	if b.next == b.end {
		first, err := b.store.ReserveMemberIDs(ctx, blockSize)
		if err != nil {
			return 0, err
		}
		b.next, b.end = first, first+blockSize
	}
	id := b.next
	b.next++
	return id, nil
}

// giveBack takes an id that made no member: registering is mostly finding, and
// member numbers have ten digits for all time.
func (b *idBlock) giveBack(id int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unused = append(b.unused, id)
}
