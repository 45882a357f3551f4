package sim_test

import (
	"errors"
	"math/rand/v2"
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
		{"load/crash", loyalty.ErrUnavailable, false, true, 40},
	},
	"save": {
		{"save/again", loyalty.ErrAgain, false, false, 60},
		{"save/unavailable", loyalty.ErrUnavailable, false, false, 50},
		{"save/culprit", loyalty.ErrCulprit, false, false, 150},
		{"save/again after", loyalty.ErrAgain, true, false, 60},
		{"save/unavailable after", loyalty.ErrUnavailable, true, false, 50},
		{"save/crash after", loyalty.ErrUnavailable, true, true, 40},
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
		{"ids/unavailable", loyalty.ErrUnavailable, false, false, 400},
		{"ids/again", loyalty.ErrAgain, false, false, 400},
		{"ids/unavailable after", loyalty.ErrUnavailable, true, false, 400},
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
	quiet    atomic.Bool // nothing is drawn
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
		if f.failed++; f.quiet.Load() || f.failed > 2 || f.probes.IntN(10_000) >= simHooks[hook][0].weight*f.tenths/10 {
			f.failed = 0
			return simFault{}
		}
		f.counts[simHooks[hook][0].kind]++
		return simHooks[hook][0]
	case f.planned == hook:
		hit, f.planned = f.plan, ""
	case f.quiet.Load():
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
