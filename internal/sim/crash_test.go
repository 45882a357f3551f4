package sim_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/envelope"
	"github.com/memberd/memberd/internal/gateway"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
	"github.com/memberd/memberd/internal/writer"
)

// errCut is what a client sees of a server that died: the end of a connection.
var errCut = errors.New("connection cut")

// fault is what goes wrong at a commit.
type fault int

const (
	none         fault = iota
	crashBefore        // the process dies, nothing was committed
	crashAfter         // the process dies, and the commit is there
	unsureBefore       // the commit fails in an unclear way and did not happen
	unsureAfter        // the same, and it did
	away               // the database says clearly that nothing was committed
	again              // another process was in the way
	faults
)

// deck is how often each fault stands in one deck of the schedule. Those that
// the process outlives cost it a quarter of a second each, as it probes its
// database then: they are few.
var deck = [faults]int{none: 137, crashBefore: 20, crashAfter: 20, unsureBefore: 1, unsureAfter: 1, away: 1, again: 20}

// schedule says what goes wrong at each commit: deck after deck, shuffled.
type schedule struct {
	mu    sync.Mutex
	rng   *rand.Rand
	cards []fault
	seen  [faults]int
	decks int // begun
}

func (s *schedule) next() fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.cards) == 0 {
		s.decks++
		for f, n := range deck {
			for range n {
				s.cards = append(s.cards, fault(f))
			}
		}
		s.rng.Shuffle(len(s.cards), func(i, j int) { s.cards[i], s.cards[j] = s.cards[j], s.cards[i] })
	}
	f := s.cards[0]
	s.cards = s.cards[1:]
	s.seen[f]++
	return f
}

// played is how many whole decks are through.
func (s *schedule) played() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.cards) > 0 {
		return s.decks - 1
	}
	return s.decks
}

// life is one process: from its start to its crash.
type life struct {
	dead    atomic.Bool
	writer  *writer.Writer
	handler http.Handler
}

// faultyStore is a real store on which a life goes wrong. Once it is dead
// nothing that is left of it reaches the database.
type faultyStore struct {
	loyalty.Store
	life     *life
	schedule *schedule
}

func (s *faultyStore) Begin(ctx context.Context) (loyalty.Tx, error) {
	if s.life.dead.Load() {
		return nil, loyalty.ErrUnavailable
	}
	tx, err := s.Store.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &faultyTx{tx, s}, nil
}

func (s *faultyStore) ReserveIDs(ctx context.Context, kind loyalty.IDKind, n int64) (int64, error) {
	if s.life.dead.Load() {
		return 0, loyalty.ErrUnavailable
	}
	return s.Store.ReserveIDs(ctx, kind, n)
}

type faultyTx struct {
	loyalty.Tx
	store *faultyStore
}

func (tx *faultyTx) Commit(ctx context.Context) error {
	f := tx.store.schedule.next()
	switch f {
	case crashAfter, unsureAfter, none:
		if err := tx.Tx.Commit(ctx); err != nil {
			return err
		}
	}
	switch f {
	case crashBefore, crashAfter:
		tx.store.life.dead.Store(true)
		return loyalty.ErrUnknownOutcome // nobody hears it
	case unsureBefore, unsureAfter:
		return fmt.Errorf("sim: %w", loyalty.ErrUnknownOutcome)
	case away:
		return fmt.Errorf("sim: %w", loyalty.ErrUnavailable)
	case again:
		return fmt.Errorf("sim: %w", loyalty.ErrAgain)
	}
	return nil
}

// machine restarts the process as often as it dies. It is the clients' network.
type machine struct {
	bundle   *doortest.Bundle
	schedule *schedule
	mu       sync.Mutex
	now      *life
	lives    int
	burials  sync.WaitGroup
}

// living is the process that runs, a new one if the last is dead.
func (m *machine) living() *life {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now != nil && !m.now.dead.Load() {
		return m.now
	}
	if old := m.now; old != nil {
		m.burials.Go(old.writer.Close)
	}
	m.lives++
	b, born := m.bundle, &life{}
	store := &faultyStore{b.Reader.(loyalty.Store), born, m.schedule}
	born.writer = writer.New(store, writer.Options{Now: b.Clock.Now})
	mux := http.NewServeMux()
	mux.Handle(gateway.Prefix, gateway.New(gateway.Options{
		Writer: born.writer, Reader: b.Reader, Access: b.Access, Codes: b.Codes, SMS: b.SMS, Now: b.Clock.Now,
	}))
	mux.Handle("/member/", envelope.New(envelope.Options{
		Writer: born.writer, Reader: b.Reader, Access: b.Access, Codes: b.Codes, SMS: b.SMS, Now: b.Clock.Now,
	}))
	born.handler = mux
	m.now = born
	return born
}

// RoundTrip has the running process answer. Of one that died meanwhile nothing
// comes back.
func (m *machine) RoundTrip(r *http.Request) (*http.Response, error) {
	l := m.living()
	m.bundle.Clock.Advance(time.Millisecond)
	w := httptest.NewRecorder()
	l.handler.ServeHTTP(w, r)
	if l.dead.Load() {
		return nil, errCut
	}
	return w.Result(), nil
}

func (m *machine) close() {
	m.living().writer.Close()
	m.burials.Wait()
}

// A process that dies right before or right after any of its commits, or whose
// database leaves it in doubt, keeps every promise: what was acknowledged is
// there, once, and nothing else is.
func TestCrashAtCommit(t *testing.T) {
	t.Parallel()
	seed := loyaltytest.Seed(t)
	b := doortest.New(t)
	m := &machine{bundle: b, schedule: &schedule{rng: rand.New(rand.NewPCG(seed, 1<<33))}}
	c := &client{
		http: &http.Client{Transport: m}, now: b.Clock.Now, id: b.App.ID, secret: b.App.Secret,
		merchant: doortest.Merchant, key: b.App.Key, platform: b.App.PlatformKey, token: b.Token(b.App), answers: new(atomic.Int64),
	}
	l := newLoad(t, c, seed, func(*rand.Rand) []string { return []string{"http://sim"} })
	l.start()
	decks := 3 // each has every fault
	if testing.Short() {
		decks = 1
	}
	for began := time.Now(); m.schedule.played() < decks || time.Since(began) < extra(t); {
		l.await(100)
	}
	l.stop()
	l.audit("http://sim")
	m.close()
	t.Logf("%d lives, faults (none, crash before and after, unsure before and after, away, again): %v", m.lives, m.schedule.seen)
}
