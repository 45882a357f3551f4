package sim_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"
)

// outageLength is how long the network is away in every round.
func outageLength(t *testing.T) time.Duration {
	const longest = 30 * time.Second
	return min(time.Second+extra(t), longest)
}

// faultSite is a site whose way to PostgreSQL can be broken.
func faultSite(t *testing.T) (*site, *wire) {
	t.Helper()
	s := newSite(t, sharedPostgres(t))
	w, database := newWire(t, s.database)
	s.database = database
	return s, w
}

// A network that refuses, swallows, or loses connections between memberd and
// PostgreSQL: /readyz says so, and everything goes on by itself when it is back.
func TestFaultNetwork(t *testing.T) {
	processTest(t)
	s, w := faultSite(t)
	r := newFaultRun(t, s)
	for r.another() {
		r.f.count("connections refused", 1)
		w.cut()
		gone := time.After(outageLength(t))
		r.red("database")
		r.unreachable()
		<-gone
		w.connect()
		r.up(time.Now())

		for _, cut := range []bool{false, true} {
			r.load.await(50)
			r.f.count("packets swallowed", 1)
			w.hold()
			gone := time.After(outageLength(t))
			var queries sync.WaitGroup
			queries.Go(func() { r.query(cut) })
			r.red("database")
			if status, _ := r.p.get(t, "/healthz"); status != http.StatusOK {
				t.Errorf("/healthz: %d: a restart would not help", status)
			}
			<-gone
			if cut { // the other side has forgotten the connections
				w.cut()
			}
			w.release()
			if cut {
				w.connect()
			}
			r.up(time.Now())
			queries.Wait()
		}
	}
	r.finish()
}

// query asks for a balance while nothing comes through, and says what came of
// it.
func (r *faultRun) query(cut bool) {
	ctx, cancel := context.WithTimeout(r.load.ctx, patience)
	defer cancel()
	began := time.Now()
	got, err := r.client.send(ctx, r.p.url, call{"wk.user.info.query", map[string]any{"open_id": r.load.members[0].openID}})
	r.t.Logf("a query while packets were swallowed (connections lost in the end: %v): answered %v, HTTP %d, code %d, after %s",
		cut, err == nil, got.status, got.code, time.Since(began).Round(time.Millisecond))
}

// A COMMIT that PostgreSQL carries out and whose answer is lost is an unknown
// outcome. It must never be answered with 503, which says that nothing was
// booked.
func TestFaultCommitAnswerLost(t *testing.T) {
	processTest(t)
	s, w := faultSite(t)
	r := newFaultRun(t, s)
	unknown := 0
	for n := 0; n < 10 || r.until.After(time.Now()); n++ {
		r.load.await(10)
		w.eat.Store(true)
		if got := r.probe(n%2 == 0); !got.answered() && got.status != http.StatusServiceUnavailable {
			unknown++
		}
		w.eat.Store(false)
		r.f.count("answers eaten", 1)
		r.up(time.Now())
	}
	r.finish()
	if unknown == 0 {
		t.Error("no probe met a lost answer: the run proves nothing")
	}
}
