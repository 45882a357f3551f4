package sim_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/memberd/memberd/internal/jobs"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/seal"
	"github.com/memberd/memberd/internal/sign"
	"github.com/memberd/memberd/internal/store/sqldb"
	"github.com/memberd/memberd/internal/webhook"
)

const (
	// simSteps is how many steps a run has: enough for orders to be refunded,
	// points to expire and keys to be repeated after all of it.
	simSteps = 160
	// compareEvery is how often a run stops to compare all rows.
	compareEvery = 20
	// keptLines is how much of the trace is printed with a failure.
	keptLines = 40
	// abandoned is how many milliseconds a command gets of which nobody will
	// hear: longer than the writer backs off, and less than a step.
	abandoned = 400
	// unanswered is how many milliseconds calls may take: the writer backs off
	// for some, and refuses at once what it cannot do.
	unanswered = 5_000
	// hangs is when a run that should take a second or two is given up.
	hangs = 4 * time.Minute
	// longestRun is when no more days are passed: keys live for 400.
	longestRun = 300 * 24 * time.Hour
)

// simPlant is a mistake that is put into the platform to see it found.
type simPlant struct {
	store   func(loyalty.Store) loyalty.Store
	handler func(http.Handler) http.Handler
	outbox  func(webhook.Storage) webhook.Storage
	look    func(jobs.Look) jobs.Look
}

// simRun is one run. Its scheduler is the one goroutine that decides.
type simRun struct {
	t     testing.TB
	seed  uint64
	rng   *rand.Rand
	plant simPlant

	clock  simClock
	gate   simGate
	faults *simFaults
	truth  *simTruth
	model  *simModel
	keys   *seal.Keys
	db     *sqldb.DB
	life   *simLife
	post   *simReceiver

	apps    []simApp
	clients []*simClient
	members map[string][]*simMember // by merchant
	early   map[string][]simOrder   // that refunds wait for
	reasons map[string]*simOp
	// troubledBefore: the writer had not found its database again when the step
	// began.
	troubledBefore bool

	mu       sync.Mutex
	problems []simProblem
	counts   map[string]int
	all      []string
}

// simProblem is something that must not be.
type simProblem struct{ kind, text string }

// simulate runs one seed to its end, or to the first problem, in a bubble of
// its own: timers, leases and retries take no time.
func simulate(t *testing.T, seed uint64, plant simPlant) *simRun {
	t.Helper()
	r := &simRun{
		seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), plant: plant, members: map[string][]*simMember{},
		early: map[string][]simOrder{}, reasons: map[string]*simOp{}, counts: map[string]int{},
	}
	r.truth = newSimTruth(r.problem)
	r.faults = &simFaults{
		rng: rand.New(rand.NewPCG(seed, 2)), probes: rand.New(rand.NewPCG(seed, 3)), counts: map[string]int{},
		tenths: []int{0, 10, 10, 20}[r.rng.IntN(4)], note: func(text string) { r.note("%s", text) },
	}
	r.post = newSimReceiver(r)
	late := time.AfterFunc(hangs, func() { panic("the simulation hangs; " + r.command()) })
	defer late.Stop()
	synctest.Test(t, func(t *testing.T) {
		r.t = t
		r.clock.moveTo(simStart)
		r.open()
		defer r.close()
		r.meet()
		for step := range runLength() {
			r.step()
			if step%compareEvery == compareEvery-1 {
				r.compare()
			}
			if r.failed() {
				return
			}
		}
		r.finish()
	})
	return r
}

// runLength is shorter under -short, as with the race detector.
func runLength() int {
	if testing.Short() {
		return simSteps / 4
	}
	return simSteps
}

// meet makes the clients: two tills of one app, a mini-program with numbers of
// its own, and another merchant's.
func (r *simRun) meet() {
	for i, app := range []int{0, 0, 1, 2} {
		a := &r.apps[app]
		key, err := sign.ParsePrivateKey(a.credentials.EnvelopePrivateKey)
		must(r.t, err)
		platform, err := sign.ParsePublicKey(a.credentials.EnvelopePlatformPublicKey)
		must(r.t, err)
		r.clients = append(r.clients, &simClient{
			run: r, name: string(rune('a' + i)), app: a,
			wire: &client{
				http: &http.Client{Transport: r}, now: r.clock.Now, id: a.ID, secret: a.credentials.AppSecret,
				merchant: a.MerchantID, key: key, platform: platform, answers: new(atomic.Int64),
			},
		})
	}
}

// step lets time pass and then does one thing.
func (r *simRun) step() {
	leapt := r.passTime()
	switch n := r.rng.IntN(100); {
	case leapt && n < 50:
		r.runJobs()
	case n < 2:
		r.restart(r.rng.IntN(2) == 0)
	case n < 5:
		r.runJobs()
	case n < 9:
		r.deliver(time.Duration(1+r.rng.IntN(10))*time.Minute, r.rng.IntN(5) == 0)
	default:
		r.calls(r.choose())
	}
}

// passTime moves the clock: seconds mostly, sometimes over a midnight, sometimes
// days. leapt: by more than an hour.
func (r *simRun) passTime() (leapt bool) {
	now := r.clock.Now()
	at := now.Add(time.Duration(1_000+r.rng.IntN(90_000)) * time.Millisecond)
	switch n := r.rng.IntN(100); {
	case n < 78:
	case n < 88:
		at = now.Add(time.Duration(2+r.rng.IntN(180)) * time.Minute)
	case n < 94:
		zone := r.model.rules[simMerchant].Location()
		y, m, d := now.In(zone).Date()
		at = time.Date(y, m, d+1, 0, 0, 0, 0, zone)
		if r.rng.IntN(2) == 0 {
			at = at.Add(-time.Millisecond)
		}
		if at.Sub(now) < time.Second {
			at = now.Add(time.Second)
		}
		r.count("midnights")
	case now.Sub(simStart) < longestRun:
		at = now.Add(time.Duration(1+r.rng.IntN(8*24)) * time.Hour)
		r.count("leaps of days")
	}
	r.clock.moveTo(at)
	r.note("time %s", at.UTC().Format(time.RFC3339Nano))
	return at.Sub(now) > time.Hour
}

// finish has everything answered, booked and delivered, and looks at the whole.
func (r *simRun) finish() {
	r.faults.quiet.Store(true)
	r.clock.moveTo(r.clock.Now().Add(time.Minute))
	for _, c := range r.clients {
		for len(c.unsure) > 0 && !r.failed() {
			op := c.unsure[0]
			c.unsure = c.unsure[1:]
			r.clock.moveTo(r.clock.Now().Add(time.Second))
			r.calls([]*simOp{op})
		}
	}
	if r.failed() {
		return
	}
	r.runJobs()
	r.deliverAll()
	r.compare()
	r.compareWithTold()
}

// problem takes note of something that must not be.
func (r *simRun) problem(kind, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, simProblem{kind, fmt.Sprintf(format, args...)})
}

func (r *simRun) failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.problems) > 0
}

func (r *simRun) count(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[what]++
}

var randomID = regexp.MustCompile(`[0-9a-f]{32}`)

// note adds a line to the trace. Random ids are replaced by what they stand for,
// so that a seed has one trace.
func (r *simRun) note(format string, args ...any) {
	line := randomID.ReplaceAllStringFunc(fmt.Sprintf(format, args...), func(id string) string {
		r.truth.mu.Lock()
		defer r.truth.mu.Unlock()
		return fmt.Sprint("member ", r.truth.openIDs[id])
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, line)
}

// trace is what a seed repeats: everything that happened but the turns that
// members' callbacks take, which hang on how long the writer backed off.
func (r *simRun) trace() []string {
	return slices.DeleteFunc(slices.Clone(r.all), func(line string) bool { return strings.HasPrefix(line, "callback ") })
}

// report is what a failed run prints.
func (r *simRun) report() string {
	var b strings.Builder
	for _, p := range r.problems[:min(len(r.problems), 5)] {
		fmt.Fprintf(&b, "%s: %s\n", p.kind, p.text)
	}
	fmt.Fprintf(&b, "the last of what happened:\n  %s\n", strings.Join(r.all[max(len(r.all)-keptLines, 0):], "\n  "))
	b.WriteString(r.command())
	return b.String()
}

// command is what reproduces the run.
func (r *simRun) command() string {
	short := ""
	if testing.Short() {
		short = " -short"
	}
	return fmt.Sprintf("reproduce: MEMBERD_SEED=%d go test ./internal/sim -run 'Simulation$'%s", r.seed, short)
}
