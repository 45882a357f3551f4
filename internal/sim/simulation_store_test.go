package sim_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/memberd/memberd/internal/loyalty"
)

// simGate stops every batch before it begins until the scheduler lets it on, so
// that what stands in a batch is the scheduler's choice.
type simGate struct {
	mu      sync.Mutex
	held    bool
	waiting chan struct{}
}

func (g *simGate) pass() {
	g.mu.Lock()
	if !g.held {
		g.mu.Unlock()
		return
	}
	c := make(chan struct{})
	g.waiting = c
	g.mu.Unlock()
	<-c
}

// next lets the batch on that waits; false when none does.
func (g *simGate) next() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting == nil {
		return false
	}
	close(g.waiting)
	g.waiting = nil
	return true
}

func (g *simGate) hold(b bool) {
	g.mu.Lock()
	g.held = b
	g.mu.Unlock()
	if !b {
		g.next()
	}
}

// simStore is a store on which things go wrong. Once its process is dead
// nothing that is left of it reaches the database.
type simStore struct {
	loyalty.Store
	dead   *atomic.Bool
	gate   *simGate
	faults *simFaults
	truth  *simTruth
}

// around carries a call out with what the hook has for it.
func (s *simStore) around(hook string, do func() error) error {
	if s.dead.Load() {
		return loyalty.ErrUnavailable
	}
	f := s.faults.draw(hook)
	if f.kind == "" {
		return do()
	}
	if f.after {
		if err := do(); err != nil {
			return err
		}
	}
	if f.crash {
		s.dead.Store(true)
	}
	return fmt.Errorf("sim: %w", f.err)
}

func (s *simStore) Begin(ctx context.Context) (loyalty.Tx, error) {
	s.gate.pass()
	var tx loyalty.Tx
	err := s.around("begin", func() (err error) {
		tx, err = s.Store.Begin(ctx)
		return err
	})
	if err != nil {
		if tx != nil {
			tx.Rollback()
		}
		return nil, err
	}
	return &simTx{Tx: tx, store: s}, nil
}

func (s *simStore) ReserveIDs(ctx context.Context, kind loyalty.IDKind, n int64) (first int64, err error) {
	hook := "ids"
	if n == 0 {
		hook = "probe"
	}
	err = s.around(hook, func() (err error) {
		first, err = s.Store.ReserveIDs(ctx, kind, n)
		return err
	})
	if err == nil && n == 0 {
		s.faults.setTroubled(false)
	}
	return first, err
}

type simTx struct {
	loyalty.Tx
	store   *simStore
	changes loyalty.Changes
}

func (tx *simTx) Load(ctx context.Context, refs []loyalty.Refs) (ws *loyalty.WorkingSet, err error) {
	err = tx.store.around("load", func() (err error) {
		ws, err = tx.Tx.Load(ctx, refs)
		return err
	})
	return ws, err
}

func (tx *simTx) Save(ctx context.Context, c loyalty.Changes) error {
	tx.changes = c
	return tx.store.around("save", func() error { return tx.Tx.Save(ctx, c) })
}

func (tx *simTx) Commit(ctx context.Context) error {
	done := false
	err := tx.store.around("commit", func() error {
		err := tx.Tx.Commit(ctx)
		if done = err == nil; done {
			tx.store.truth.committed(tx.changes)
		}
		return err
	})
	if err == nil {
		tx.store.faults.setTroubled(false)
	} else if done {
		tx.store.truth.unsure(tx.changes)
	}
	return err
}
