package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
	"github.com/memberd/memberd/internal/writer"
)

func phoneOf(text string) loyalty.Identity {
	return loyalty.Identity{Merchant: "m", Kind: loyalty.ByPhone, Value: text}
}

// registration is what a batch saves for a new member with a phone.
func registration(id int64, phone string) loyalty.Changes {
	return loyalty.Changes{
		NewMembers: []loyalty.Member{emptyMember(id)},
		Profiles:   []loyalty.ProfileRow{{Member: id, Merchant: "m", New: true, Profile: loyalty.Profile{Phone: phone}}},
		Bound: []loyalty.IdentityRow{
			{Identity: loyalty.Identity{Merchant: "m", Kind: loyalty.ByOpenID, Value: openID(id)}, Bound: loyalty.Bound{Member: id}},
			{Identity: phoneOf(phone), Bound: loyalty.Bound{Member: id}},
		},
	}
}

func testMemberNumbers(t *testing.T, e *Engine) {
	other := e.Another(t)
	const calls, n = 20, 50
	var mu sync.Mutex
	seen := map[int64]bool{}
	var group sync.WaitGroup
	for i := range calls {
		group.Go(func() {
			s := e.Store
			if i%2 == 0 {
				s = other.Store
			}
			first, err := s.ReserveIDs(t.Context(), loyalty.MemberIDs, n)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for id := first; id < first+n; id++ {
				if id < 1 || seen[id] {
					t.Errorf("number %d was handed out twice or is none", id)
				}
				seen[id] = true
			}
		})
	}
	group.Wait()
	next, err := e.Store.ReserveIDs(t.Context(), loyalty.MemberIDs, 1)
	must(t, err)
	if next != calls*n+1 {
		t.Errorf("after %d numbers comes %d", calls*n, next)
	}
	e.Exec(t, "UPDATE id_block SET next_free = ? WHERE kind = 'member'", int64(loyalty.MaxMemberID))
	if _, err := e.Store.ReserveIDs(t.Context(), loyalty.MemberIDs, 2); !errors.Is(err, loyalty.ErrCulprit) {
		t.Errorf("beyond the last number: %v", err)
	}
	if id, err := e.Store.ReserveIDs(t.Context(), loyalty.MemberIDs, 1); id != loyalty.MaxMemberID || err != nil {
		t.Errorf("the last number: %d, %v", id, err)
	}
}

// A command of a merchant that does not exist harms no neighbour.
func testUnknownMerchant(t *testing.T, e *Engine) {
	e.AddMerchants(t, rules(t, "m", nil))
	saveAll(t, e.Store, registration(1, "13800000001"))
	who := func(merchant string) loyalty.Who { return loyalty.Who{Merchant: merchant, ID: 1, Phone: "13800000001"} }
	var commands []writer.Stamped
	for _, merchant := range []string{"m", "unknown", "m"} {
		c := loyalty.ChangePoints{Who: who(merchant), Event: "event_add", Points: 5}
		commands = append(commands, writer.Stamped{Command: loyalty.Any(c), Stamp: loyalty.Stamp{Now: 1}})
	}
	out := writer.Replay(e.Store, commands, nil)
	if out[0].Err != nil || out[1].Err == nil || out[2].Err != nil {
		t.Errorf("outcomes %v, want the second alone refused", out)
	}
	ws := loadAll(t, e.Store, loyalty.Refs{Who: who("unknown")}, loyalty.Refs{Who: who("m")})
	if ws.Snapshot("unknown") != nil || ws.Snapshot("m") == nil {
		t.Error("a snapshot for the unknown merchant, or none for the known one")
	}
	f, err := e.Store.Member(t.Context(), who("m"), 1, true)
	must(t, err)
	if f.Balance != 10 {
		t.Errorf("balance %d, want 10", f.Balance)
	}
	if _, err := e.Store.Member(t.Context(), who("unknown"), 1, false); !errors.Is(err, loyalty.MemberNotFound) {
		t.Errorf("member of an unknown merchant: %v", err)
	}
}

// Two processes register one phone: one makes the member, the other finds it.
func testSamePhone(t *testing.T, e *Engine) {
	e.AddMerchants(t, rules(t, "m", nil))
	other := e.Another(t)
	if e.DB.Dialect() == sqldb.PostgreSQL {
		overlapping(t, e, other)
	}
	const phones = 25
	results := make([][2]loyalty.MemberRegistered, phones)
	var group sync.WaitGroup
	for side, s := range []loyalty.Store{e.Store, other.Store} {
		group.Go(func() {
			for i := range phones {
				c := loyalty.RegisterMember{Merchant: "m", Profile: loyalty.Profile{Phone: fmt.Sprintf("137%08d", i)}}
				out := writer.Replay(s, []writer.Stamped{{Command: loyalty.Any(c)}}, nil)[0]
				if out.Err != nil {
					t.Error(out.Err)
					continue
				}
				results[i][side] = out.Result.(loyalty.MemberRegistered)
			}
		})
	}
	group.Wait()
	for i, r := range results {
		if r[0].Member != r[1].Member || r[0].Created == r[1].Created {
			t.Errorf("phone %d was registered as %+v", i, r)
		}
	}
}

// overlapping runs the two transactions step by step: both see the phone free,
// and both save.
func overlapping(t *testing.T, e, other *Engine) {
	ctx := t.Context()
	for i, keep := range []bool{true, false} {
		phone := fmt.Sprintf("1360000000%d", i)
		refs := []loyalty.Refs{{Who: loyalty.Who{Merchant: "m", Phone: phone}}}
		var txs [2]loyalty.Tx
		for n, s := range []loyalty.Store{e.Store, other.Store} {
			tx, err := s.Begin(ctx)
			must(t, err)
			defer tx.Rollback()
			_, err = tx.Load(ctx, refs)
			must(t, err)
			txs[n] = tx
		}
		ids := int64(1_000_000 + 10*i)
		must(t, txs[0].Save(ctx, registration(ids+1, phone)))
		saved := make(chan error)
		go func() { saved <- txs[1].Save(ctx, registration(ids+2, phone)) }()
		waitForLock(t, e)
		if keep {
			must(t, txs[0].Commit(ctx))
			if err := <-saved; !errors.Is(err, loyalty.ErrAgain) {
				t.Errorf("the second to claim a phone: %v, want again", err)
			}
			continue
		}
		txs[0].Rollback()
		must(t, <-saved)
		must(t, txs[1].Commit(ctx))
	}
}

// waitForLock returns when a session of the database waits for another.
func waitForLock(t testing.TB, e *Engine) {
	t.Helper()
	if err := <-lockWaited(t, e); err != nil {
		t.Fatal(err)
	}
}

// lockWaited tells when a session of the database waits for another. It stops
// asking when the test ends.
func lockWaited(t testing.TB, e *Engine) <-chan error {
	const query = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
	waits := make(chan error, 1)
	go func() {
		for {
			var n int64
			err := e.DB.Read().QueryRow(t.Context(), query).Scan(&n)
			if err != nil || n > 0 {
				waits <- err
				return
			}
		}
	}()
	return waits
}

// On PostgreSQL a name can move between the look-up and the lock.
func testLookUpMoves(t *testing.T, e *Engine) {
	if e.DB.Dialect() != sqldb.PostgreSQL {
		t.Skip("the write lock is held from the first look-up on")
	}
	ctx := t.Context()
	e.AddMerchants(t, rules(t, "m", nil))
	saveAll(t, e.Store, registration(1, "13800000001"))
	saveAll(t, e.Store, registration(2, "13800000002"))
	changed := emptyMember(1)
	changed.Growth = 77
	cases := map[string]struct {
		changes loyalty.Changes
		again   bool
	}{
		"the row changes": {loyalty.Changes{Members: []loyalty.Member{changed}}, false},
		"the name goes to another": {loyalty.Changes{
			Unbound: []loyalty.Identity{phoneOf("13800000001"), phoneOf("13800000002")},
			Bound:   []loyalty.IdentityRow{{Identity: phoneOf("13800000001"), Bound: loyalty.Bound{Member: 2}}},
		}, true},
		"the name goes": {loyalty.Changes{Unbound: []loyalty.Identity{phoneOf("13800000001")}}, true},
	}
	for _, name := range []string{"the row changes", "the name goes to another", "the name goes"} {
		holder := int64(1)
		if name == "the name goes" {
			holder = 2
		}
		first, err := e.Store.Begin(ctx)
		must(t, err)
		defer first.Rollback()
		_, err = first.Load(ctx, []loyalty.Refs{{Who: loyalty.Who{Merchant: "m", ID: holder}}})
		must(t, err)
		second, err := e.Store.Begin(ctx)
		must(t, err)
		defer second.Rollback()
		type loaded struct {
			ws  *loyalty.WorkingSet
			err error
		}
		done := make(chan loaded)
		refs := loyalty.Refs{Who: loyalty.Who{Merchant: "m", Phone: "13800000001"}}
		go func() {
			ws, err := second.Load(ctx, []loyalty.Refs{refs})
			done <- loaded{ws, err}
		}()
		waitForLock(t, e)
		must(t, first.Save(ctx, cases[name].changes))
		must(t, first.Commit(ctx))
		got := <-done
		if again := errors.Is(got.err, loyalty.ErrAgain); again != cases[name].again {
			t.Errorf("%s: %v", name, got.err)
		}
		if got.err == nil {
			want := loyalty.NewWorkingSet()
			want.PutSnapshot(got.ws.Snapshot("m"))
			want.PutIdentity(phoneOf("13800000001"), loyalty.Bound{Member: 1})
			want.PutMember(changed)
			sameLoaded(t, name, want, got.ws)
		}
		second.Rollback()
	}
}

// spy notes what a store's transactions answer.
type spy struct {
	loyalty.Store
	mu     sync.Mutex
	again  int
	others []error
}

func (s *spy) note(err error) error {
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	deadlock := false
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "40P01" {
		deadlock = true
	}
	if deadlock || !errors.Is(err, loyalty.ErrAgain) {
		s.others = append(s.others, err)
	}
	s.again++
	return err
}

func (s *spy) Begin(ctx context.Context) (loyalty.Tx, error) {
	tx, err := s.Store.Begin(ctx)
	if err != nil {
		return nil, s.note(err)
	}
	return &spyTx{tx, s}, nil
}

type spyTx struct {
	loyalty.Tx
	spy *spy
}

func (tx *spyTx) Load(ctx context.Context, refs []loyalty.Refs) (*loyalty.WorkingSet, error) {
	ws, err := tx.Tx.Load(ctx, refs)
	return ws, tx.spy.note(err)
}
func (tx *spyTx) Save(ctx context.Context, c loyalty.Changes) error {
	return tx.spy.note(tx.Tx.Save(ctx, c))
}
func (tx *spyTx) Commit(ctx context.Context) error { return tx.spy.note(tx.Tx.Commit(ctx)) }

// Two processes go through the same members in opposite orders and throw the
// same phones at each other. Whoever is second decides anew; nobody ever sees
// a deadlock, and the ledgers are right afterwards.
func testCrossingWriters(t *testing.T, e *Engine) {
	duration := 2 * time.Second
	if Long() {
		duration = 30 * time.Second
	}
	const members, phones = 12, 8
	e.AddMerchants(t, rules(t, "m", nil))
	for id := range int64(members) {
		c := registration(1_000_000+id, fmt.Sprintf("139%08d", id))
		c.NewMembers[0].Level = 1
		saveAll(t, e.Store, c)
	}
	seed, _ := randomOf(t)
	end := time.Now().Add(duration)
	var group sync.WaitGroup
	spies := make([]*spy, 2)
	var batches [2]atomic.Int64
	for side := range spies {
		spies[side] = &spy{Store: e.Another(t).Store}
		for worker := range 2 {
			rng := rand.New(rand.NewPCG(seed, uint64(2*side+worker)))
			group.Go(func() {
				for time.Now().Before(end) && !t.Failed() {
					batches[side].Add(1)
					crossing(t, spies[side], rng, members, phones, side == 1)
				}
			})
		}
	}
	group.Wait()
	for side, s := range spies {
		t.Logf("process %d: %d batches, %d decided anew", side, batches[side].Load(), s.again)
		for _, err := range s.others {
			t.Errorf("process %d: %v", side, err)
		}
	}
	// SQLite's lock is not fair between processes, so no share is asked for.
	if n := batches[0].Load() + batches[1].Load(); n < 20 {
		t.Errorf("only %d batches", n)
	}
	verifyAll(t, e, 1_000)
}

// crossing runs one batch. Two of them share a few members or none, so neither
// excludes the other, and both reach for the same phones.
func crossing(t *testing.T, s loyalty.Store, rng *rand.Rand, members, phones int, reversed bool) {
	batches := []func(*rand.Rand, int, int) []loyalty.AnyCommand{pointsAndPhones, comeAndGo, ordersAndCoupons}
	commands := batches[rng.IntN(len(batches))](rng, members, phones)
	if reversed {
		slices.Reverse(commands)
	}
	stamped := make([]writer.Stamped, len(commands))
	for i, c := range commands {
		stamped[i] = writer.Stamped{Command: c, Stamp: loyalty.Stamp{Now: loyalty.InstantOf(time.Now())}}
	}
	for _, out := range writer.Replay(s, stamped, nil) {
		if _, refused := loyalty.CodeOf(out.Err); out.Err != nil && !refused {
			t.Errorf("a command of a crossing batch: %v", out.Err)
		}
	}
}

var byTest = loyalty.ByOperator{Operator: "o", Reason: "r"}

// pointsAndPhones changes some of the members, in their order.
func pointsAndPhones(rng *rand.Rand, members, phones int) (commands []loyalty.AnyCommand) {
	some := rng.Perm(members)[:4]
	slices.Sort(some)
	for _, i := range some {
		who := loyalty.Who{Merchant: "m", ID: int64(1_000_000 + i)}
		phone := fmt.Sprintf("135%08d", rng.IntN(phones))
		switch rng.IntN(6) {
		case 0, 1:
			commands = append(commands, loyalty.Any(loyalty.ChangePhone{Who: who, Phone: phone, By: byTest}))
		case 2:
			commands = append(commands, loyalty.Any(loyalty.RegisterMember{Merchant: "m", Profile: loyalty.Profile{Phone: phone}}))
		case 3:
			commands = append(commands, loyalty.Any(loyalty.ChangePoints{Who: loyalty.Who{Merchant: "m", Phone: phone}, Event: "event_add", Points: 3}))
		default:
			commands = append(commands, loyalty.Any(loyalty.ChangePoints{Who: who, Event: "event_add", Points: 7}))
		}
	}
	return commands
}

// comeAndGo registers and erases phones in any order: two such batches may have
// no member in common, and then only the phones can collide.
func comeAndGo(rng *rand.Rand, _, phones int) (commands []loyalty.AnyCommand) {
	for _, i := range rng.Perm(phones) {
		phone := fmt.Sprintf("134%08d", i)
		c := loyalty.Any(loyalty.RegisterMember{Merchant: "m", Profile: loyalty.Profile{Phone: phone}})
		if rng.IntN(2) == 0 {
			c = loyalty.Any(loyalty.EraseMember{Who: loyalty.Who{Merchant: "m", Phone: phone}, By: byTest})
		}
		commands = append(commands, c)
	}
	return commands
}

func testTransactionEnds(t *testing.T, e *Engine) {
	ctx := t.Context()
	e.AddMerchants(t, rules(t, "m", nil))
	saved, err := e.Store.Begin(ctx)
	must(t, err)
	must(t, saved.Save(ctx, registration(1, "13800000001")))
	must(t, saved.Commit(ctx))
	saved.Rollback()
	given, err := e.Store.Begin(ctx)
	must(t, err)
	must(t, given.Save(ctx, registration(2, "13800000002")))
	given.Rollback()
	given.Rollback()
	if err := given.Commit(ctx); err == nil {
		t.Error("a commit after a rollback succeeded")
	}
	state, err := Dump(ctx, e.DB, e.Keys)
	must(t, err)
	equal(t, "members", []loyalty.Member{emptyMember(1)}, state.Members)

	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := e.Store.Begin(ended); !errors.Is(err, loyalty.ErrUnavailable) {
		t.Errorf("begin with an ended context: %v", err)
	}
	must(t, e.DB.Close())
	if _, err := e.Store.Begin(ctx); !errors.Is(err, loyalty.ErrUnavailable) {
		t.Errorf("begin on a closed database: %v", err)
	}
	if _, err := e.Store.ReserveIDs(ctx, loyalty.MemberIDs, 0); !errors.Is(err, loyalty.ErrUnavailable) {
		t.Errorf("reserve on a closed database: %v", err)
	}
}
