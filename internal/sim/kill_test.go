package sim_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

// kills is how often a server is killed at least.
const kills = 5

// A server that is killed in the middle of a load of changes loses nothing that
// it acknowledged and books nothing twice, whatever its clients repeat.
func TestKill(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		seed := loyaltytest.Seed(t)
		rng := rand.New(rand.NewPCG(seed, 1<<32))
		p := s.serve()
		var at oneServer
		at.set(p)
		c := newClient(t, s.app)
		c.signIn(t, p.url)
		l := newLoad(t, c, seed, at.where)
		l.start()
		var f figures
		until := time.Now().Add(extra(t))
		for n := 0; n < kills || time.Now().Before(until); n++ {
			l.await(50 + rng.IntN(250))
			since := time.Now()
			p.kill()
			p = s.serve()
			at.set(p)
			l.await(1)
			f.count("kills", 1)
			f.recovered(time.Since(since))
		}
		l.await(100)
		l.stop()
		l.audit(p.url)
		s.check()
		f.count("calls", l.done)
		f.count("lost answers", int(l.lost.Load()))
		f.print(t)
		if l.lost.Load() == 0 {
			t.Error("no call was cut off: the run proves nothing")
		}
	})
}

// A server that is asked to end finishes what it accepted and says so to its
// clients; who was not let in any more repeats the call at the next server.
func TestTerminate(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		seed := loyaltytest.Seed(t)
		p := s.serve()
		var at oneServer
		at.set(p)
		c := newClient(t, s.app)
		c.signIn(t, p.url)
		l := newLoad(t, c, seed, at.where)
		l.start()
		until := time.Now().Add(extra(t))
		for n := 0; n < 2 || time.Now().Before(until); n++ {
			l.await(200)
			terminate(t, p)
			p = s.serve()
			at.set(p)
		}
		l.await(100)
		l.stop()
		terminate(t, p)
		// Every call that a server took has one line in its log.
		taken := 0
		for _, p := range s.running {
			taken += strings.Count(p.log.String(), "msg=request ")
		}
		if answers := c.answers.Load(); int64(taken) != answers {
			t.Errorf("the servers took %d calls, the clients have %d answers", taken, answers)
		}
		p = s.serve()
		l.audit(p.url)
		s.check()
	})
}

// terminate sends SIGTERM; the server has to end well, and in time.
func terminate(t *testing.T, p *process) {
	t.Helper()
	const inTime = 10 * time.Second
	if code, took := p.stop(); code != 0 || took > inTime {
		t.Errorf("exit code %d after %s", code, took)
	}
}
