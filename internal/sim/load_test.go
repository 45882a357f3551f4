package sim_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

const (
	loadMembers = 50
	loadWorkers = 8
	// retryPause is how long a client waits before it repeats a call that was
	// not answered.
	retryPause = 10 * time.Millisecond
	// keptChanges is how many of its last changes a worker may still roll back.
	keptChanges = 64
)

// account is a member as its integrator knows it.
type account struct {
	openID   string
	memberID string
}

// entry is what an acknowledged call must have left in the ledger: either the
// statement is known, or the reason that stands at it, which is unique.
type entry struct {
	statement string
	reason    string
	amount    int64
}

// load is what clients do, and what they were told. Every call goes on until it
// is answered, by its own key; so in the end the clients know every entry that
// the ledger may have.
type load struct {
	t       testing.TB
	client  *client
	seed    uint64
	members []account
	// where gives the server or servers that a call goes to. With two, both get
	// it at once.
	where func(*rand.Rand) []string

	stopping chan struct{}
	workers  sync.WaitGroup
	ctx      context.Context // ends when the test has lost its patience
	cancel   func()

	lost   atomic.Int64 // attempts that were cut off: they may have been booked
	turned atomic.Int64 // attempts that found nobody listening
	busy   atomic.Int64 // attempts answered with 503: not booked
	unsure atomic.Int64 // attempts answered with 500: perhaps booked

	mu      sync.Mutex
	known   map[int][]entry // by member
	done    int
	waiting map[int]chan struct{} // by done
}

// oneServer sends everything to the server that runs now.
type oneServer struct{ url atomic.Value }

func (o *oneServer) set(p *process)            { o.url.Store(p.url) }
func (o *oneServer) where(*rand.Rand) []string { return []string{o.url.Load().(string)} }

// newLoad registers the members, half of them through either protocol.
func newLoad(t testing.TB, c *client, seed uint64, where func(*rand.Rand) []string) *load {
	t.Helper()
	l := &load{
		t: t, client: c, seed: seed, where: where,
		stopping: make(chan struct{}), known: map[int][]entry{}, waiting: map[int]chan struct{}{},
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	t.Cleanup(l.cancel)
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range loadMembers {
		l.members = append(l.members, l.register(rng, fmt.Sprintf("139%08d", i)))
	}
	return l
}

// register makes a member by phone, through one protocol or the other.
func (l *load) register(rng *rand.Rand, phone string) account {
	l.t.Helper()
	a := call{"wk.user.info.add", map[string]any{"phone": phone, "project_id": "1", "nickname": "sim"}}
	if rng.IntN(2) == 0 {
		a = call{"/member/register/mobile", map[string]any{
			"mobile": phone, "channelCode": "dcxcx", "registerType": "2", "unionId": "union-" + phone,
		}}
	}
	if got := l.insist(rng, a); got.code != 0 {
		l.t.Fatalf("register: %s", got)
	}
	got := l.insist(rng, call{"wk.user.info.query", map[string]any{"phone": phone}})
	var m struct {
		OpenID string `json:"open_id"`
		Number string `json:"user_num"`
	}
	got.into(l.t, &m)
	number, err := strconv.ParseInt(m.Number, 10, 64)
	if got.code != 0 || m.OpenID == "" || err != nil {
		l.t.Fatalf("register: %s", got)
	}
	return account{m.OpenID, loyalty.MemberIDText(number)}
}

// start sets the workers to work.
func (l *load) start() {
	for i := range loadWorkers {
		w := &worker{load: l, name: i, rng: rand.New(rand.NewPCG(l.seed, uint64(i+1)))}
		l.workers.Go(w.run)
	}
}

// stop lets every worker bring its last call to an end.
func (l *load) stop() {
	l.t.Helper()
	close(l.stopping)
	late := time.AfterFunc(patience, l.cancel)
	l.workers.Wait()
	if !late.Stop() {
		l.t.Fatal("calls were not answered in the end")
	}
}

// after is closed when n more calls have been acknowledged.
func (l *load) after(n int) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.done + n
	if l.waiting[at] == nil {
		l.waiting[at] = make(chan struct{})
	}
	return l.waiting[at]
}

// await waits for n more acknowledged calls.
func (l *load) await(n int) {
	l.t.Helper()
	select {
	case <-l.after(n):
	case <-time.After(patience):
		l.t.Fatal("the load stands still")
	}
}

// book notes what an acknowledged call has booked.
func (l *load) book(member int, entries ...entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[member] = append(l.known[member], entries...)
	l.done++
	if c := l.waiting[l.done]; c != nil {
		close(c)
		delete(l.waiting, l.done)
	}
}

// once makes one attempt; ok is false when no answer came that says something.
func (l *load) once(base string, a call) (r reply, ok bool) {
	r, err := l.client.send(l.ctx, base, a)
	if err == nil && r.answered() {
		return r, true
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		l.turned.Add(1)
	case err != nil:
		l.lost.Add(1)
	case r.status == http.StatusServiceUnavailable:
		l.busy.Add(1)
	default:
		l.unsure.Add(1)
	}
	return r, false
}

// insist repeats a call with the same key until it is answered, by all servers
// that it goes to.
func (l *load) insist(rng *rand.Rand, a call) reply {
	bases := l.where(rng)
	if len(bases) == 1 {
		return l.insistAt(func() string { return l.where(rng)[0] }, a)
	}
	replies := make([]reply, len(bases))
	var all sync.WaitGroup
	for i, base := range bases {
		all.Go(func() { replies[i] = l.insistAt(func() string { return base }, a) })
	}
	all.Wait()
	return l.agree(a, replies)
}

func (l *load) insistAt(base func() string, a call) reply {
	for {
		r, ok := l.once(base(), a)
		if ok {
			return r
		}
		select {
		case <-l.ctx.Done():
			r.code = codeGivenUp
			return r
		case <-time.After(retryPause):
		}
	}
}

// agree compares the answers to one call under one key. A refusal leaves no
// mark, so another server may still have booked it; but who booked it answers as
// all others do.
func (l *load) agree(a call, replies []reply) reply {
	best := replies[0]
	for _, r := range replies[1:] {
		switch {
		case best.code != 0:
			best = r
		case r.code == 0 && string(r.data) != string(best.data):
			l.t.Errorf("%s: one call, two answers: %s and %s", a.method, best, r)
		}
	}
	return best
}
