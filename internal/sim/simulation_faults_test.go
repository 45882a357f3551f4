package sim_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/memberd/memberd/internal/loyalty"
)

// simFault is one way in which a call of the store goes wrong.
type simFault struct {
	kind   string // "" for none
	err    error
	after  bool // the call was carried out before it failed
	crash  bool // the process dies with it
	weight int  // in ten thousand calls
}

// simHooks are the calls of a store and what may happen at each. The weights
// give a run of some hundred calls one or two of everything.
var simHooks = map[string][]simFault{
	"begin": {
		{"begin/unavailable", loyalty.ErrUnavailable, false, false, 30},
		{"begin/again", loyalty.ErrAgain, false, false, 60},
		{"begin/unavailable after", loyalty.ErrUnavailable, true, false, 30},
	},
	"load": {
		{"load/again", loyalty.ErrAgain, false, false, 60},
		{"load/unavailable", loyalty.ErrUnavailable, false, false, 30},
		{"load/again after", loyalty.ErrAgain, true, false, 60},
		{"load/unavailable after", loyalty.ErrUnavailable, true, false, 30},
		{"load/crash", loyalty.ErrUnavailable, false, true, 20},
	},
	"save": {
		{"save/again", loyalty.ErrAgain, false, false, 60},
		{"save/unavailable", loyalty.ErrUnavailable, false, false, 30},
		{"save/culprit", loyalty.ErrCulprit, false, false, 40},
		{"save/again after", loyalty.ErrAgain, true, false, 60},
		{"save/unavailable after", loyalty.ErrUnavailable, true, false, 30},
		{"save/crash after", loyalty.ErrUnavailable, true, true, 20},
	},
	"commit": {
		{"commit/again", loyalty.ErrAgain, false, false, 80},
		{"commit/unavailable", loyalty.ErrUnavailable, false, false, 50},
		{"commit/unknown, not done", loyalty.ErrUnknownOutcome, false, false, 100},
		{"commit/unknown, done", loyalty.ErrUnknownOutcome, true, false, 120},
		{"commit/crash before", loyalty.ErrUnknownOutcome, false, true, 60},
		{"commit/crash after", loyalty.ErrUnknownOutcome, true, true, 80},
	},
	"ids": {
		{"ids/unavailable", loyalty.ErrUnavailable, false, false, 150},
		{"ids/again", loyalty.ErrAgain, false, false, 150},
		{"ids/unavailable after", loyalty.ErrUnavailable, true, false, 150},
	},
	"probe": {{"probe/unavailable", loyalty.ErrUnavailable, false, false, 2_000}},
}

// simFaults draws what goes wrong. In a step of calls only the writer's one
// goroutine asks it, so the order of the draws is the seed's alone.
type simFaults struct {
	mu     sync.Mutex
	rng    *rand.Rand
	probes *rand.Rand // of the writer's look whether the database is back
	failed int        // probes in a row
	tenths int        // how bad the weather is: weights are multiplied by it and divided by ten
	// planned strikes once, the next time that its hook is passed: where several
	// goroutines fill the writer's batches nothing may be drawn.
	planned  string
	plan     simFault
	quiet    bool // nothing is drawn
	counts   map[string]int
	note     func(text string)
	inStep   []simFault // since the step began
	troubled bool       // the writer was told that the database is away, and has not written since
}

func (f *simFaults) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inStep = nil
}

// draw says what happens at a hook.
func (f *simFaults) draw(hook string) simFault {
	f.mu.Lock()
	defer f.mu.Unlock()
	var hit simFault
	switch {
	case hook == "probe":
		// Few in a row, so that the writer is back before the next step.
		if f.failed++; f.quiet || f.failed > 2 || f.probes.IntN(10_000) >= simHooks[hook][0].weight*f.tenths/10 {
			f.failed = 0
			return simFault{}
		}
		f.counts[simHooks[hook][0].kind]++
		return simHooks[hook][0]
	case f.planned == hook:
		hit, f.planned = f.plan, ""
	case f.quiet:
		return simFault{}
	default:
		at := f.rng.IntN(10_000)
		for _, c := range simHooks[hook] {
			if at -= c.weight * f.tenths / 10; at < 0 {
				hit = c
				break
			}
		}
	}
	if hit.kind == "" || !f.fits(hit) {
		return simFault{}
	}
	f.counts[hit.kind]++
	f.inStep = append(f.inStep, hit)
	if !errors.Is(hit.err, loyalty.ErrAgain) && !errors.Is(hit.err, loyalty.ErrCulprit) {
		f.troubled = true
	}
	f.note("fault " + hit.kind)
	return hit
}

// fits keeps a step readable: what a caller is told with 500 has one cause in it.
func (f *simFaults) fits(hit simFault) bool {
	unclear := func(x simFault) bool {
		return x.crash || errors.Is(x.err, loyalty.ErrUnknownOutcome) || errors.Is(x.err, loyalty.ErrCulprit)
	}
	again := 0
	for _, old := range f.inStep {
		if unclear(old) && unclear(hit) {
			return false
		}
		if errors.Is(old.err, loyalty.ErrAgain) {
			again++
		}
	}
	return again < 3 || !errors.Is(hit.err, loyalty.ErrAgain)
}

// strike takes note of a fault that the scheduler made itself.
func (f *simFaults) strike(hit simFault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[hit.kind]++
	f.inStep = append(f.inStep, hit)
	f.troubled = true
	f.note("fault " + hit.kind)
}

// planOne plans a fault for the next pass of some hook.
func (f *simFaults) planOne(rng *rand.Rand, plan bool) {
	hooks := []string{"begin", "load", "save", "commit", "commit"}
	hook := hooks[rng.IntN(len(hooks))]
	hit := simHooks[hook][rng.IntN(len(simHooks[hook]))]
	f.mu.Lock()
	defer f.mu.Unlock()
	if plan && !errors.Is(hit.err, loyalty.ErrCulprit) {
		f.planned, f.plan = hook, hit
	}
}

func (f *simFaults) cancelPlan() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.planned = ""
}

// had tells whether a fault with the error struck in this step.
func (f *simFaults) had(err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range f.inStep {
		if errors.Is(x.err, err) {
			return true
		}
	}
	return false
}

// done tells whether a commit of this step whose outcome nobody was told went
// through.
func (f *simFaults) done() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range f.inStep {
		if errors.Is(x.err, loyalty.ErrUnknownOutcome) && x.after {
			return true
		}
	}
	return false
}

func (f *simFaults) setTroubled(b bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.troubled = b
}

func (f *simFaults) isTroubled() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.troubled
}

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

// simTruth is what was committed, as the writer wanted it: which keys, and
// which numbers the platform gave.
type simTruth struct {
	mu        sync.Mutex
	problem   func(kind, format string, args ...any)
	keys      map[int64]map[loyalty.KeyID]int // how often a key was booked, by member
	inStep    []loyalty.KeyRow                // booked in this step
	untold    []loyalty.KeyRow                // of them, by a commit whose outcome nobody was told
	members   map[int64]loyalty.Member
	phones    map[[2]string]int64 // by merchant and phone
	orders    map[loyalty.OrderKey]int64
	coupons   map[loyalty.OrderKey]int64 // id by space and number
	fresh     map[loyalty.OrderKey]int64 // of them, those of this step
	templates map[loyalty.TemplateKey]int64
	openIDs   map[string]int64
}

func newSimTruth(problem func(kind, format string, args ...any)) *simTruth {
	return &simTruth{
		problem: problem, keys: map[int64]map[loyalty.KeyID]int{},
		members: map[int64]loyalty.Member{}, phones: map[[2]string]int64{}, orders: map[loyalty.OrderKey]int64{},
		coupons: map[loyalty.OrderKey]int64{}, fresh: map[loyalty.OrderKey]int64{},
		templates: map[loyalty.TemplateKey]int64{}, openIDs: map[string]int64{},
	}
}

func (t *simTruth) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inStep, t.untold = nil, nil
	t.fresh = map[loyalty.OrderKey]int64{}
}

func (t *simTruth) committed(c loyalty.Changes) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inStep = append(t.inStep, c.Keys...)
	for _, k := range c.Keys {
		if t.keys[k.Member] == nil {
			t.keys[k.Member] = map[loyalty.KeyID]int{}
		}
		if t.keys[k.Member][k.KeyID]++; t.keys[k.Member][k.KeyID] > 1 {
			t.problem("key", "member %d: key %v was booked %d times", k.Member, k.KeyID, t.keys[k.Member][k.KeyID])
		}
	}
	for _, m := range c.NewMembers {
		t.members[m.ID] = m
		t.openIDs[m.OpenID] = m.ID
	}
	for _, i := range c.Bound {
		if i.Kind == loyalty.ByPhone {
			t.phones[[2]string{i.Merchant, i.Value}] = i.Member
		}
	}
	for _, o := range c.NewOrders {
		t.orders[o.OrderKey] = o.ID
	}
	for _, k := range c.NewCoupons {
		key := loyalty.OrderKey{Space: k.Space, No: k.Number}
		t.coupons[key], t.fresh[key] = k.ID, k.ID
	}
	for _, k := range c.NewTemplates {
		t.templates[k.TemplateKey] = k.ID
	}
}

// unsure takes note of a commit that went through and was answered with an error.
func (t *simTruth) unsure(c loyalty.Changes) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.untold = append(t.untold, c.Keys...)
}

// booked tells whether a key of the merchant was booked in this step; untold:
// by a commit whose outcome nobody was told.
func (t *simTruth) booked(merchant string, id loyalty.KeyID, untold bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := t.inStep
	if untold {
		rows = t.untold
	}
	return slices.ContainsFunc(rows, func(k loyalty.KeyRow) bool {
		return k.KeyID == id && t.members[k.Member].Merchant == merchant
	})
}

// memberByPhone is the member that has the phone.
func (t *simTruth) memberByPhone(merchant, phone string) (loyalty.Member, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m, ok := t.members[t.phones[[2]string{merchant, phone}]]
	return m, ok
}
