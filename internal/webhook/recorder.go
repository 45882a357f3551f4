package webhook

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

const (
	// maxRecords bounds one transaction of outcomes, so that changes which wait
	// for the same database are held up for a moment only.
	maxRecords = 64
	// recordTimeout ends a transaction that hangs. It is within the drain.
	recordTimeout = 3 * time.Second
)

// recorder records outcomes, all that came while the last transaction ran in
// one. A lone outcome waits for nobody.
type recorder struct {
	storage Storage
	queue   chan *pending
	done    sync.WaitGroup
}

type pending struct {
	outcome  Outcome
	standing Standing
	err      error
	recorded chan struct{}
}

func newRecorder(s Storage) *recorder {
	r := &recorder{storage: s, queue: make(chan *pending, maxRecords)}
	r.done.Go(r.run)
	return r
}

// close waits for what is being recorded. Nothing may be recorded afterwards.
func (r *recorder) close() {
	close(r.queue)
	r.done.Wait()
}

// record waits until the outcome is committed.
func (r *recorder) record(o Outcome) (Standing, error) {
	p := &pending{outcome: o, recorded: make(chan struct{})}
	r.queue <- p
	<-p.recorded
	return p.standing, p.err
}

func (r *recorder) run() {
	for p := range r.queue {
		r.save(r.waiting([]*pending{p}))
	}
}

// waiting adds to a batch what waits already.
func (r *recorder) waiting(batch []*pending) []*pending {
	for len(batch) < maxRecords {
		select {
		case p, ok := <-r.queue:
			if !ok {
				return batch
			}
			batch = append(batch, p)
		default:
			return batch
		}
	}
	return batch
}

// save records a batch. Outcomes that the database refuses are tried alone, so
// that one does not take others with it.
func (r *recorder) save(batch []*pending) {
	slices.SortFunc(batch, func(a, b *pending) int {
		x, y := &a.outcome.Claim, &b.outcome.Claim
		return cmp.Or(cmp.Compare(x.Member, y.Member), cmp.Compare(x.App, y.App), cmp.Compare(x.Done, y.Done))
	})
	err := r.saveAll(batch)
	if err != nil && len(batch) > 1 && !errors.Is(err, loyalty.ErrUnavailable) {
		for _, p := range batch {
			p.err = r.saveAll([]*pending{p})
		}
	} else {
		for _, p := range batch {
			p.err = err
		}
	}
	for _, p := range batch {
		close(p.recorded)
	}
}

func (r *recorder) saveAll(batch []*pending) error {
	ctx, cancel := context.WithTimeout(context.Background(), recordTimeout)
	defer cancel()
	outcomes := make([]Outcome, len(batch))
	for i, p := range batch {
		outcomes[i] = p.outcome
	}
	standings, err := r.storage.Record(ctx, outcomes)
	if err != nil {
		return err
	}
	for i, p := range batch {
		p.standing = standings[i]
	}
	return nil
}
