package sim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
	"github.com/memberd/memberd/internal/pgtest"
)

// A history is small: what the checker has to try grows with the calls that are
// under way at once and with those that were never answered, both for each
// member.
const (
	linearMembers = 5
	linearClients = 8
	linearCalls   = 400 // with an answer, in one history
	linearFaults  = 4   // in one history
)

// linearRun records what clients ask and what they are told.
type linearRun struct {
	t        *testing.T
	client   *client
	accounts []account
	plan     *linearPlan
	bases    atomic.Value // []string: where servers listen now
	began    time.Time
	clients  atomic.Int64 // who had no answer goes on as somebody else

	mu       sync.Mutex
	history  []porcupine.Operation
	refused  []porcupine.Operation // answered with 503: these promise that nothing was booked
	answered int
	known    chan struct{} // closed and replaced with every answer
	figures  *figures
}

// newLinearRun registers members of its own.
func newLinearRun(t *testing.T, c *client, seed uint64, round int, bases []string, f *figures) *linearRun {
	t.Helper()
	r := &linearRun{t: t, client: c, plan: newLinearPlan(linearMembers), began: time.Now(), known: make(chan struct{}), figures: f}
	r.bases.Store(bases)
	l := &load{t: t, client: c, where: func(*rand.Rand) []string { return bases[:1] }, ctx: context.Background()}
	rng := rand.New(rand.NewPCG(seed, uint64(round)))
	for i := range linearMembers {
		r.accounts = append(r.accounts, l.register(rng, fmt.Sprintf("135%04d%04d", round, i)))
	}
	return r
}

// run has the clients work until there are enough answers, while the test
// breaks things.
func (r *linearRun) run(seed uint64, round int, fault func(n int)) {
	r.t.Helper()
	var all sync.WaitGroup
	for i := range linearClients {
		rng := rand.New(rand.NewPCG(seed, uint64(round)<<8|uint64(i)|1<<37))
		all.Go(func() {
			me := int(r.clients.Add(1)) - 1
			for r.count() < linearCalls && time.Since(r.began) < 2*patience {
				if !r.call(&me, rng, r.plan.draw(rng)) {
					time.Sleep(retryPause)
				}
			}
		})
	}
	for n := range linearFaults {
		if !r.await((n + 1) * linearCalls / (linearFaults + 1)) {
			break
		}
		fault(n)
	}
	all.Wait()
	if r.count() < linearCalls {
		r.t.Fatalf("only %d calls were answered", r.count())
	}
	// What became of the calls without an answer shows in the balances.
	for member := range r.accounts {
		me := int(r.clients.Add(1)) - 1
		if !r.call(&me, rand.New(rand.NewPCG(seed, 0)), linearInput{member: member, kind: linearQuery}) {
			r.t.Error("a balance was not to be had in the end")
		}
	}
	checkLinear(r.t, r.history)
	if r.t.Failed() {
		for _, op := range r.refused {
			if in := op.Input.(linearInput); in.kind != linearQuery {
				r.t.Logf("answered with 503, member %d, %d to %d us: %s", in.member, op.Call/1000, op.Return/1000, describeLinear(in, op.Output.(linearOutput)))
			}
		}
	}
}

func (r *linearRun) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answered
}

// await waits until that many calls have been answered.
func (r *linearRun) await(answered int) bool {
	r.t.Helper()
	late := time.After(patience)
	for {
		r.mu.Lock()
		enough, known := r.answered >= answered, r.known
		r.mu.Unlock()
		if enough {
			return true
		}
		select {
		case <-known:
		case <-late:
			r.t.Error("the clients stand still")
			return false
		}
	}
}

// call makes a call and records it. Of those that had no answer most are
// repeated until there is one: then the call and its repeats are one call, with
// the last answer, as the key is the same, unless that is a refusal. The others
// stay unknown; they are few, because the checker has to try them everywhere.
func (r *linearRun) call(me *int, rng *rand.Rand, in linearInput) (answered bool) {
	asked, insist, lost := r.spell(in, rng), rng.IntN(5) > 0, false
	from := time.Since(r.began)
	for time.Since(r.began)-from < patience {
		again := time.Since(r.began)
		out, what := r.attempt(rng, in, asked)
		switch what {
		case linearAnswered:
			if lost && out.code != 0 { // what was lost may have been booked, and undone before this was refused
				r.record(op(*me, from.Nanoseconds(), linearForever, in, linearOutput{unknown: true}))
				*me = int(r.clients.Add(1)) - 1
				from = again
			}
			r.record(op(*me, from.Nanoseconds(), time.Since(r.began).Nanoseconds(), in, out))
			return true
		case linearLost:
			lost = in.kind != linearQuery
			r.figures.count("lost answers", 1)
		}
		if !lost {
			return false // nothing was changed, for certain
		}
		if !insist {
			r.record(op(*me, from.Nanoseconds(), linearForever, in, linearOutput{unknown: true}))
			*me = int(r.clients.Add(1)) - 1
			return false
		}
		time.Sleep(retryPause)
	}
	r.t.Errorf("%s was not answered in the end", asked.method)
	return false
}

// What an attempt comes to.
const (
	linearAnswered = iota
	linearLost     // perhaps booked
	linearNothing  // reached nobody, or 503, which says that nothing was booked
)

func (r *linearRun) attempt(rng *rand.Rand, in linearInput, asked call) (out linearOutput, what int) {
	bases := r.bases.Load().([]string)
	from := time.Since(r.began).Nanoseconds()
	got, err := r.client.send(context.Background(), bases[rng.IntN(len(bases))], asked)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		r.figures.count("not let in", 1)
		return out, linearNothing
	case err == nil && got.status == http.StatusServiceUnavailable:
		r.figures.count("busy", 1)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.refused = append(r.refused, op(0, from, time.Since(r.began).Nanoseconds(), in, linearOutput{code: got.status}))
		return out, linearNothing
	case err != nil || !got.answered():
		return out, linearLost
	}
	if out, err = readLinear(in, r.accounts[in.member], got); err != nil {
		r.t.Errorf("%s: %v in %s", asked.method, err, got)
		return out, linearNothing
	}
	r.plan.learn(in, out)
	return out, linearAnswered
}

func (r *linearRun) record(at porcupine.Operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history = append(r.history, at)
	if at.Return == linearForever {
		return
	}
	r.figures.count("calls", 1)
	r.answered++
	close(r.known)
	r.known = make(chan struct{})
}

// spell is a call as the documents have it.
func (r *linearRun) spell(in linearInput, rng *rand.Rand) call {
	who := r.accounts[in.member]
	switch in.kind {
	case linearChange:
		event, points := "event_add", in.points
		if points < 0 {
			event, points = "event_subtract", -points
		}
		return call{"wk.user.event.score.change", map[string]any{
			"open_id": who.openID, "change_event": event, "score": points, "change_reason": "linear", "change_id": fmt.Sprint("c", in.id),
		}}
	case linearRollChange, linearRollEntry:
		body := map[string]any{"open_id": who.openID, "change_id": fmt.Sprint("c", in.id)}
		if in.kind == linearRollEntry {
			member, ok := loyalty.ParseMemberID(who.memberID)
			if !ok {
				r.t.Errorf("%s is no memberId", who.memberID)
			}
			body["statement_id"] = loyalty.StatementID(member, in.entry)
		}
		if in.points > 0 {
			body["rollback_score"] = in.points
		}
		return call{"wk.user.event.score.rollback", body}
	}
	if rng.IntN(2) == 0 {
		return call{"/member/score/statisticalScore", map[string]any{"memberId": who.memberID}}
	}
	return call{"wk.user.info.query", map[string]any{"open_id": who.openID}}
}

// readLinear takes an answer apart.
func readLinear(in linearInput, who account, got reply) (out linearOutput, err error) {
	if got.code != 0 {
		return linearOutput{code: got.code}, nil
	}
	var data struct {
		Score     *int64 `json:"score"`
		Current   *int64 `json:"currentScore"`
		Statement string `json:"statement_id"`
		Rollback  string `json:"rollback_statement_id"`
	}
	if err := json.Unmarshal(got.data, &data); err != nil {
		return out, err
	}
	if in.kind == linearQuery {
		if data.Score == nil {
			data.Score = data.Current
		}
		if data.Score == nil {
			return out, errors.New("no balance")
		}
		return linearOutput{balance: *data.Score}, nil
	}
	for text, to := range map[string]*int64{data.Statement: &out.entry, data.Rollback: &out.booked} {
		if member, no, ok := loyalty.ParseStatementID(text); ok && loyalty.MemberIDText(member) == who.memberID {
			*to = no
		} else if text != "" {
			return out, errors.New("no statement of this member")
		}
	}
	return out, nil
}

// One process on SQLite, killed in the middle of calls: for every member there
// is an order of all calls that explains every answer.
func TestLinearSQLite(t *testing.T) {
	processTest(t)
	s := newSite(t, nil)
	servers := newLinearServers(s, 1)
	servers.rounds(func(int) { servers.kill(0) })
}

// Two processes on one PostgreSQL, where processes are killed, one or both at
// once, and the database as well.
func TestLinearPostgres(t *testing.T) {
	processTest(t)
	pg, err := pgtest.Start(durable)
	needPostgres(t, err)
	t.Cleanup(func() {
		if err := pg.Stop(); err != nil {
			t.Error(err)
		}
	})
	s := newSite(t, pg)
	servers := newLinearServers(s, 2)
	servers.rounds(func(n int) {
		switch n % 4 {
		case 0, 2:
			servers.kill(n / 2 % 2)
		case 1:
			servers.kill(0, 1)
		case 3:
			servers.f.count("database crashes", 1)
			crash(t, s.database)
			restart(t, pg, s.database)
		}
	})
}

// linearServers are the processes of a run.
type linearServers struct {
	s       *site
	running []*process
	run     *linearRun
	f       *figures
}

func newLinearServers(s *site, n int) *linearServers {
	s.t.Helper()
	v := &linearServers{s: s, f: &figures{}}
	for range n {
		v.running = append(v.running, s.serve())
	}
	return v
}

func (v *linearServers) bases() []string {
	var bases []string
	for _, p := range v.running {
		bases = append(bases, p.url)
	}
	return bases
}

// kill ends processes without warning and starts others in their place.
func (v *linearServers) kill(which ...int) {
	v.s.t.Helper()
	v.f.count("kills", len(which))
	for _, i := range which {
		v.running[i].kill()
	}
	for _, i := range which {
		v.running[i] = v.s.serve()
	}
	v.run.bases.Store(v.bases())
}

// rounds makes history after history, each of new members.
func (v *linearServers) rounds(fault func(n int)) {
	t := v.s.t
	t.Helper()
	seed := loyaltytest.Seed(t)
	c := newClient(t, v.s.app)
	c.signIn(t, v.running[0].url)
	until := time.Now().Add(extra(t))
	for round := 0; round == 0 || time.Now().Before(until) && !t.Failed(); round++ {
		v.f.count("histories", 1)
		v.run = newLinearRun(t, c, seed, round, v.bases(), v.f)
		v.run.run(seed, round, func(n int) {
			from := time.Now()
			fault(n)
			if v.run.await(v.run.count() + 1) {
				v.f.recovered(time.Since(from))
			}
		})
	}
	v.s.check()
	v.f.print(t)
}
