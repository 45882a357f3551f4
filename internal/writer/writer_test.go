package writer_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
	"github.com/memberd/memberd/internal/writer"
)

// faulty is the reference store with errors where a test wants them.
type faulty struct {
	*loyaltytest.Memory
	onBegin  func() error
	onLoad   func([]loyalty.Refs) error
	onSave   func(loyalty.Changes) error
	onCommit func() error
	commits  atomic.Int64
}

type faultyTx struct {
	loyalty.Tx
	f *faulty
}

func (f *faulty) Begin(ctx context.Context) (loyalty.Tx, error) {
	if f.onBegin != nil {
		if err := f.onBegin(); err != nil {
			return nil, err
		}
	}
	tx, err := f.Memory.Begin(ctx)
	return &faultyTx{tx, f}, err
}

func (f *faulty) ReserveIDs(ctx context.Context, kind loyalty.IDKind, n int64) (int64, error) {
	if f.onBegin != nil {
		if err := f.onBegin(); err != nil {
			return 0, err
		}
	}
	return f.Memory.ReserveIDs(ctx, kind, n)
}

func (tx *faultyTx) Load(ctx context.Context, refs []loyalty.Refs) (*loyalty.WorkingSet, error) {
	if tx.f.onLoad != nil {
		if err := tx.f.onLoad(refs); err != nil {
			return nil, err
		}
	}
	return tx.Tx.Load(ctx, refs)
}

func (tx *faultyTx) Save(ctx context.Context, c loyalty.Changes) error {
	if tx.f.onSave != nil {
		if err := tx.f.onSave(c); err != nil {
			return err
		}
	}
	return tx.Tx.Save(ctx, c)
}

func (tx *faultyTx) Commit(ctx context.Context) error {
	if tx.f.onCommit != nil {
		if err := tx.f.onCommit(); err != nil {
			return err
		}
	}
	tx.f.commits.Add(1)
	return tx.Tx.Commit(ctx)
}

func newStore(t *testing.T) *faulty {
	t.Helper()
	rules, err := loyalty.NewSnapshot("m", 1, 0, loyalty.DefaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	return &faulty{Memory: loyaltytest.NewMemory(rules)}
}

func register(t *testing.T, w *writer.Writer, phone string) loyalty.Who {
	t.Helper()
	r, err := writer.Submit(t.Context(), w, loyalty.RegisterMember{Merchant: "m", Profile: loyalty.Profile{Phone: phone}})
	if err != nil {
		t.Fatal(err)
	}
	return loyalty.Who{Merchant: "m", ID: r.Member}
}

func add(w *writer.Writer, who loyalty.Who, points int64, id string) (loyalty.PointsChanged, error) {
	return writer.Submit(context.Background(), w, loyalty.ChangePoints{
		Who: who, Event: "event_add", Points: points, ID: id, KeyOp: loyalty.KeyChange,
	})
}

func (f *faulty) member(id int64) loyalty.Member {
	for _, m := range f.Dump(nil).Members {
		if m.ID == id {
			return m
		}
	}
	return loyalty.Member{}
}

func TestACrowdSharesCommits(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	entered, gate := make(chan struct{}), make(chan struct{})
	w := writer.New(store, writer.Options{})
	who := register(t, w, "13800000001")
	var held sync.Once
	store.onBegin = func() error { held.Do(func() { close(entered); <-gate }); return nil }

	const n = 300
	before := store.commits.Load()
	var all sync.WaitGroup
	all.Go(func() { _, _ = add(w, who, 1, "first") })
	<-entered
	for i := range n - 1 {
		all.Go(func() {
			if _, err := add(w, who, 1, fmt.Sprint(i)); err != nil {
				t.Error(err)
			}
		})
	}
	for w.Waiting() < n-1 { // all but the one in the batch at the gate
		time.Sleep(time.Millisecond)
	}
	close(gate)
	all.Wait()
	w.Close()
	if got := store.commits.Load() - before; got != 4 { // 1 + 128 + 128 + 43
		t.Errorf("%d commits for %d calls", got, n)
	}
	if m := store.member(who.ID); m.Balance != n || m.Entries != n {
		t.Errorf("member %+v", m)
	}
}

// Two batches that want the same member would only wait for one another, so all
// that names it alike is one worker's, whatever else it names.
func TestAMembersCommandsWaitForOneWorker(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]func(loyalty.Who) loyalty.Who{
		"by number": func(who loyalty.Who) loyalty.Who { return who },
		"by phone":  func(loyalty.Who) loyalty.Who { return loyalty.Who{Merchant: "m", Phone: "13800000001"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newStore(t)
			w := writer.New(store, writer.Options{Workers: 4})
			who := by(register(t, w, "13800000001"))
			gate, entered := make(chan struct{}), make(chan struct{})
			var held sync.Once
			var begun atomic.Int64
			store.onBegin = func() error {
				begun.Add(1)
				held.Do(func() { close(entered); <-gate })
				return nil
			}
			var all sync.WaitGroup
			all.Go(func() { _, _ = add(w, who, 1, "first") })
			<-entered
			const n = 20
			for i := range n {
				all.Go(func() {
					var err error
					if i%2 == 0 {
						_, err = add(w, who, 1, fmt.Sprint(i))
					} else {
						_, err = writer.Submit(t.Context(), w, loyalty.RecordOrder{Who: who, Order: loyalty.OrderKey{No: fmt.Sprint(i)}, Points: 1, Given: true})
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
			for w.Waiting() < n && begun.Load() == 1 {
				time.Sleep(time.Millisecond)
			}
			if begun.Load() > 1 {
				t.Error("another worker has begun with the same member")
			}
			close(gate)
			all.Wait()
			w.Close()
		})
	}
}

func TestFiftyEqualCallsBookOnce(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	w := writer.New(store, writer.Options{})
	defer w.Close()
	who := register(t, w, "13800000001")
	results := make(chan loyalty.PointsChanged, 50)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			r, err := add(w, who, 10, "same")
			if err != nil {
				t.Error(err)
			}
			results <- r
		})
	}
	all.Wait()
	first := <-results
	for range 49 {
		if r := <-results; r != first {
			t.Errorf("got %+v and %+v", first, r)
		}
	}
	if m := store.member(who.ID); m.Balance != 10 {
		t.Errorf("balance %d", m.Balance)
	}
}

func TestACallThatTheDatabaseRefusesStandsAlone(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	w := writer.New(store, writer.Options{})
	defer w.Close()
	who := register(t, w, "13800000001")
	store.onSave = func(c loyalty.Changes) error {
		for _, e := range c.Entries {
			if e.Points == 13 {
				return fmt.Errorf("value: %w", loyalty.ErrCulprit)
			}
		}
		return nil
	}
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			points := int64(1)
			if i == 20 {
				points = 13
			}
			_, err := add(w, who, points, fmt.Sprint(i))
			if (points == 13) != errors.Is(err, writer.ErrInternal) {
				t.Errorf("%d points: %v", points, err)
			}
		})
	}
	all.Wait()
	if m := store.member(who.ID); m.Balance != 39 {
		t.Errorf("balance %d", m.Balance)
	}
}

// broken panics when it decides.
type broken struct{ who loyalty.Who }

func (broken) Key() loyalty.Key     { return loyalty.Key{} }
func (b broken) Refs() loyalty.Refs { return loyalty.Refs{Who: b.who} }
func (broken) Decide(*loyalty.View, loyalty.Stamp) (loyalty.Effects, int, error) {
	panic("a bug")
}

func TestAPanicTouchesNobodyElse(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	w := writer.New(store, writer.Options{})
	defer w.Close()
	who := register(t, w, "13800000001")
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if i%2 == 0 {
				if _, err := writer.Submit(t.Context(), w, broken{who}); !errors.Is(err, writer.ErrInternal) {
					t.Error(err)
				}
				return
			}
			if _, err := add(w, who, 1, fmt.Sprint(i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if m := store.member(who.ID); m.Balance != 10 {
		t.Errorf("balance %d", m.Balance)
	}
}

func TestAnotherProcessInTheWay(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	w := writer.New(store, writer.Options{})
	defer w.Close()
	who := register(t, w, "13800000001")
	var tries atomic.Int64
	store.onCommit = func() error {
		if tries.Add(1) <= 3 {
			return fmt.Errorf("serialization: %w", loyalty.ErrAgain)
		}
		return nil
	}
	if _, err := add(w, who, 1, "k"); err != nil {
		t.Fatal(err)
	}
	store.onCommit = func() error { tries.Add(1); return loyalty.ErrAgain }
	tries.Store(0)
	if _, err := add(w, who, 1, "l"); !errors.Is(err, writer.ErrInternal) || tries.Load() != 5 {
		t.Errorf("%v after %d tries", err, tries.Load())
	}
}

func TestAnUnknownOutcomeIsNeverRunAgain(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	w := writer.New(store, writer.Options{})
	defer w.Close()
	who := register(t, w, "13800000001")
	var tries atomic.Int64
	store.onCommit = func() error { tries.Add(1); return loyalty.ErrUnknownOutcome }
	if _, err := add(w, who, 1, "k"); !errors.Is(err, writer.ErrUnknownOutcome) || tries.Load() != 1 {
		t.Errorf("%v after %d tries", err, tries.Load())
	}
}

func TestALostDatabaseIsRefusedAtOnceAndFoundAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		w := writer.New(store, writer.Options{})
		who := register(t, w, "13800000001")
		var lost atomic.Bool
		lost.Store(true)
		store.onBegin = func() error {
			if lost.Load() {
				return fmt.Errorf("disk full: %w", loyalty.ErrUnavailable)
			}
			return nil
		}
		if _, err := add(w, who, 1, "k"); !errors.Is(err, writer.ErrUnavailable) {
			t.Error(err)
		}
		if err := w.Ready(); !errors.Is(err, writer.ErrUnavailable) {
			t.Errorf("ready: %v", err)
		}
		if _, err := add(w, who, 1, "k"); !errors.Is(err, writer.ErrUnavailable) {
			t.Error(err)
		}
		lost.Store(false)
		time.Sleep(time.Second) // in the bubble: the prober's time
		if err := w.Ready(); err != nil {
			t.Errorf("ready: %v", err)
		}
		if _, err := add(w, who, 1, "k"); err != nil {
			t.Error(err)
		}
		w.Close()
		if m := store.member(who.ID); m.Balance != 1 {
			t.Errorf("balance %d", m.Balance)
		}
	})
}

func TestAFullQueueSaysSo(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	w := writer.New(store, writer.Options{Queue: 2})
	who := register(t, w, "13800000001")
	entered, gate := make(chan struct{}, 9), make(chan struct{})
	store.onBegin = func() error { entered <- struct{}{}; <-gate; return nil }
	var all sync.WaitGroup
	all.Go(func() { _, _ = add(w, who, 1, "in the batch") })
	<-entered
	for i := range 2 {
		all.Go(func() { _, _ = add(w, who, 1, fmt.Sprint(i)) })
	}
	for w.Waiting() < 2 {
		time.Sleep(time.Millisecond)
	}
	if _, err := add(w, who, 1, "one too many"); !errors.Is(err, writer.ErrBusy) {
		t.Error(err)
	}
	if err := w.Ready(); !errors.Is(err, writer.ErrBusy) {
		t.Errorf("ready: %v", err)
	}
	close(gate)
	all.Wait()
	w.Close()
	if _, err := add(w, who, 1, "late"); !errors.Is(err, writer.ErrClosed) {
		t.Error(err)
	}
	if m := store.member(who.ID); m.Balance != 3 {
		t.Errorf("balance %d", m.Balance)
	}
}

func TestAClientThatHangsUpCancelsNothing(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	w := writer.New(store, writer.Options{})
	who := register(t, w, "13800000001")
	gate := make(chan struct{})
	store.onBegin = func() error { <-gate; return nil }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := writer.Submit(ctx, w, loyalty.ChangePoints{Who: who, Event: "event_add", Points: 5})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(gate)
	w.Close()
	if m := store.member(who.ID); m.Balance != 5 {
		t.Errorf("balance %d", m.Balance)
	}
}

// A phone that moves to another member within a batch must not be decided on
// rows that were loaded for somebody else.
func TestAPhoneThatMovesWithinABatch(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	at := func(n int64) loyalty.Stamp {
		return loyalty.Stamp{Now: loyalty.Instant(1_768_000_000_000 + n), NewID: n, OpenID: fmt.Sprintf("%032d", n)}
	}
	phone := func(p string) loyalty.Who { return loyalty.Who{Merchant: "m", Phone: p} }
	key := loyalty.ChangePoints{Event: "event_add", Points: 7, ID: "k", KeyOp: loyalty.KeyChange}
	key.Who = phone("13800000001")
	setup := []writer.Stamped{
		{Command: loyalty.Any(loyalty.RegisterMember{Merchant: "m", Profile: loyalty.Profile{Phone: "13800000001"}}), Stamp: at(1)},
		{Command: loyalty.Any(key), Stamp: at(2)},
	}
	moved := key
	moved.Who = phone("13800000002")
	batch := []writer.Stamped{
		{Command: loyalty.Any(loyalty.ChangePhone{Who: phone("13800000001"), Phone: "13800000002"}), Stamp: at(3)},
		{Command: loyalty.Any(moved), Stamp: at(4)}, // the same key of the same member: booked once
	}
	after := []writer.Stamped{
		{Command: loyalty.Any(loyalty.RegisterMember{Merchant: "m", Profile: loyalty.Profile{Phone: "13800000001"}}), Stamp: at(5)},
		{Command: loyalty.Any(key), Stamp: at(6)}, // another member now
	}
	outcomes := writer.Replay(store, setup, nil)
	outcomes = append(outcomes, writer.Replay(store, batch, nil)...)
	for _, o := range append(outcomes, writer.Replay(store, after, nil)...) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	if a, b := store.member(1), store.member(5); a.Balance != 7 || b.Balance != 7 {
		t.Errorf("balances %d and %d, want 7 and 7", a.Balance, b.Balance)
	}
}

func TestRegistrationsThatMakeNobodyCostNoNumber(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	w := writer.New(store, writer.Options{})
	defer w.Close()
	first := register(t, w, "13800000001")
	for range 50 {
		if again := register(t, w, "13800000001"); again != first {
			t.Fatalf("another member: %+v", again)
		}
		_, err := writer.Submit(t.Context(), w, loyalty.RegisterMember{Merchant: "m", Profile: loyalty.Profile{Phone: "bad"}})
		if err != loyalty.PhoneMalformed {
			t.Fatal(err)
		}
	}
	if second := register(t, w, "13800000002"); second.ID != first.ID+1 {
		t.Errorf("members %d and %d", first.ID, second.ID)
	}
}

// Reading proves nothing about writing: a database whose disk is full still
// answers repeats of keys, and must not look healthy for that.
func TestOnlyAWriteProvesThatWritesGoThrough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		w := writer.New(store, writer.Options{})
		who := register(t, w, "13800000001")
		if _, err := add(w, who, 1, "done"); err != nil {
			t.Fatal(err)
		}
		gate, entered := make(chan struct{}), make(chan struct{})
		var once sync.Once
		store.onSave = func(loyalty.Changes) error {
			once.Do(func() { close(entered); <-gate })
			return fmt.Errorf("disk full: %w", loyalty.ErrUnavailable)
		}
		store.onBegin = nil
		var all sync.WaitGroup
		all.Go(func() { _, _ = add(w, who, 1, "new") })
		<-entered
		all.Go(func() { // waits in the queue while the disk fails, then is answered from its key
			if _, err := add(w, who, 1, "done"); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		close(gate)
		all.Wait()
		if err := w.Ready(); !errors.Is(err, writer.ErrUnavailable) {
			t.Errorf("ready: %v", err)
		}
		store.onSave = nil
		w.Close()
	})
}

// A batch whose members have very many lots is cut until it fits.
func TestABatchHoldsABoundedNumberOfRows(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	at := loyalty.Instant(1_768_000_000_000)
	var commands []writer.Stamped
	for i := range int64(8) {
		c := loyalty.Changes{NewMembers: []loyalty.Member{{ID: i + 1, Merchant: "m", Status: loyalty.Active, NextDueAt: loyalty.Never, Balance: 1_024, Earned: 1_024}}}
		for lot := range int64(1_024) {
			key := loyalty.LotKey{ExpiresAt: at * 2, AvailableAt: loyalty.Instant(lot)}
			c.Lots = append(c.Lots, loyalty.LotRow{Member: i + 1, Lot: loyalty.Lot{LotKey: key, Remaining: 1}})
		}
		tx, err := store.Memory.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(tx.Save(t.Context(), c), tx.Commit(t.Context())); err != nil {
			t.Fatal(err)
		}
		who := loyalty.Who{Merchant: "m", ID: i + 1}
		commands = append(commands, writer.Stamped{
			Command: loyalty.Any(loyalty.ChangePoints{Who: who, Event: "event_subtract", Points: 1}), Stamp: loyalty.Stamp{Now: at},
		})
	}
	var largest int
	store.onSave = func(c loyalty.Changes) error { largest = max(largest, len(c.Members)); return nil }
	for _, o := range writer.Replay(store, commands, nil) {
		if o.Err != nil {
			t.Error(o.Err)
		}
	}
	if largest > 3 || store.commits.Load() < 3 { // 1,025 rows each, 4,096 a batch
		t.Errorf("%d members in one batch, %d commits", largest, store.commits.Load())
	}
}
