package sim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
	"github.com/memberd/memberd/internal/pgtest"
)

// faultRun is one server under load, whose surroundings are about to break.
type faultRun struct {
	t      *testing.T
	s      *site
	seed   uint64
	rng    *rand.Rand
	p      *process
	at     oneServer
	client *client
	load   *load
	f      figures
	until  time.Time // when the last round has begun
	rounds int
	probes int
	unsure []call // probes that were answered with 500, or not at all
}

// siteIn sets up a site whose data folder and database the test has prepared.
func siteIn(t *testing.T, dir, database string, pg *pgtest.Server) *site {
	t.Helper()
	s := &site{t: t, dir: dir, database: database, pg: pg}
	s.on("merchant", "create", "--id", merchant, "--name", "测试商家", "--sandbox")
	s.app = s.newApp()
	return s
}

func newFaultRun(t *testing.T, s *site) *faultRun {
	t.Helper()
	r := &faultRun{t: t, s: s, seed: loyaltytest.Seed(t), until: time.Now().Add(extra(t))}
	r.rng = rand.New(rand.NewPCG(r.seed, 1<<35))
	r.p = s.serve()
	r.at.set(r.p)
	r.client = newClient(t, s.app)
	r.client.signIn(t, r.p.url)
	r.load = newLoad(t, r.client, r.seed, r.at.where)
	r.load.start()
	return r
}

// another tells whether there is another round: there is a first one, and more
// while the time that was asked for has not passed.
func (r *faultRun) another() bool {
	r.rounds++
	if r.t.Failed() || r.rounds > 1 && time.Now().After(r.until) {
		return false
	}
	r.load.await(50 + r.rng.IntN(150))
	return true
}

// replace kills the server if it still runs, and starts one in its place.
func (r *faultRun) replace(between func()) {
	r.t.Helper()
	r.p.kill()
	if between != nil {
		between()
	}
	r.p = r.s.serve()
	r.at.set(r.p)
}

// probe asks one of the doors for a change. What is answered with success has
// to be in the ledger in the end; what is answered with 503 must not be.
func (r *faultRun) probe(envelope bool) reply {
	r.probes++
	id := fmt.Sprintf("probe-%d", r.probes)
	who := r.load.members[0]
	a := call{"wk.user.event.score.change", map[string]any{
		"open_id": who.openID, "change_event": "event_add", "score": 1, "change_reason": "r " + id, "change_id": id,
	}}
	if envelope {
		a = call{"/member/score/sendScore", map[string]any{
			"memberId": who.memberID, "operationType": "1", "operationName": "r " + id, "score": 1,
			"idempotencyBussinessId": id, "idempotencyBussinessType": "1",
		}}
	}
	ctx, cancel := context.WithTimeout(r.load.ctx, patience)
	defer cancel()
	got, err := r.client.send(ctx, r.p.url, a)
	switch {
	case err == nil && got.status == http.StatusOK && got.code == 0:
		r.load.book(0, entry{reason: "r " + id, amount: 1})
	case err == nil && got.status == http.StatusServiceUnavailable:
	default:
		r.unsure = append(r.unsure, a)
	}
	return got
}

// down waits until changes are refused and the writer says that it takes none,
// and looks for the reason in the log.
func (r *faultRun) down(reason string) {
	r.t.Helper()
	r.refused()
	r.red("queue")
	r.said(reason)
}

// unreachable is down for a database that cannot be read either. When no change
// was under way calls are refused as soon as their app cannot be read, and the
// writer hears of nothing: then it is the look at readiness that tells.
func (r *faultRun) unreachable() {
	r.t.Helper()
	r.refused()
	r.red("queue", "database")
	r.said("database unavailable", "check=database")
}

// refused waits until both doors answer changes with 503 in their own form.
func (r *faultRun) refused() {
	r.t.Helper()
	for _, envelope := range []bool{false, true} {
		eventually(r.t, "answered with 503", func() bool {
			got := r.probe(envelope)
			return got.status == http.StatusServiceUnavailable && got.code == codeBusy
		})
	}
	if status, _ := r.p.get(r.t, "/healthz"); status != http.StatusOK {
		r.t.Errorf("/healthz: %d: a restart would not help", status)
	}
}

// said waits until one of the reasons is in the log.
func (r *faultRun) said(reasons ...string) {
	r.t.Helper()
	eventually(r.t, "said in the log", func() bool {
		log := warnings(r.p.log.String())
		return slices.ContainsFunc(reasons, func(reason string) bool { return strings.Contains(log, reason) })
	})
}

// red waits until /readyz names one of the checks as red.
func (r *faultRun) red(checks ...string) {
	r.t.Helper()
	eventually(r.t, "red", func() bool {
		status, body := r.p.get(r.t, "/readyz")
		var said struct{ Checks map[string]string }
		must(r.t, json.Unmarshal([]byte(body), &said))
		isRed := func(check string) bool { return said.Checks[check] == "red" }
		return status == http.StatusServiceUnavailable && slices.ContainsFunc(checks, isRed)
	})
}

// up waits until the server is ready and books changes, and notes how long
// after the cause was gone that was.
func (r *faultRun) up(since time.Time) {
	r.t.Helper()
	eventually(r.t, "booking", func() bool { return r.probe(r.probes%2 == 0).answered() })
	r.f.recovered(time.Since(since))
	eventually(r.t, "ready", func() bool {
		status, _ := r.p.get(r.t, "/readyz")
		return status == http.StatusOK
	})
	r.load.await(20)
}

// finish compares what everybody was told with what there is.
func (r *faultRun) finish() {
	r.t.Helper()
	r.load.await(50)
	r.load.stop()
	for _, a := range r.unsure {
		got := r.load.insistAt(func() string { return r.p.url }, a)
		if got.code != 0 {
			r.t.Errorf("a probe: %s", got)
		}
		r.load.book(0, entry{reason: fmt.Sprint(firstOf(a.body, "change_reason", "operationName")), amount: 1})
	}
	r.load.audit(r.p.url)
	r.s.check()
	r.f.count("calls", r.load.done)
	r.f.count("lost answers", int(r.load.lost.Load()))
	r.f.count("not let in", int(r.load.turned.Load()))
	r.f.count("busy", int(r.load.busy.Load()))
	r.f.count("unknown outcomes", int(r.load.unsure.Load()))
	r.f.print(r.t)
	terminate(r.t, r.p)
}

func firstOf(body map[string]any, names ...string) any {
	for _, name := range names {
		if v, ok := body[name]; ok {
			return v
		}
	}
	return nil
}

// openDir is a folder below the test's own to which PostgreSQL's user gets.
func openDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		must(t, os.Chmod(d, 0o711))
	}
	dir = filepath.Join(dir, "m")
	must(t, os.Mkdir(dir, 0o755))
	return dir
}
