package sim_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// simSent is one call on its way.
type simSent struct {
	op    *simOp
	reply reply
	err   error
	done  atomic.Bool
	hung  bool // the client hung up
	read  *simReadFault
	end   context.CancelFunc
	code  int                               // of a query, what it should answer
	check func(data json.RawMessage) string // of a query
}

// choose makes the calls of one step: of several clients, new ones, doubles,
// late repeats, and what a client has not heard of.
func (r *simRun) choose() (ops []*simOp) {
	n := 1
	if r.rng.IntN(100) < 45 {
		n = 2 + r.rng.IntN(5)
	}
	for range n {
		op := r.clients[r.rng.IntN(len(r.clients))].ask()
		ops = append(ops, op)
		if r.rng.IntN(100) < 10 {
			ops = append(ops, op)
			r.count("sent twice at once")
		}
	}
	return ops
}

// ask is the next call of the client.
func (c *simClient) ask() *simOp {
	if len(c.unsure) > 0 && c.chance(50) {
		op := c.unsure[0]
		c.unsure = c.unsure[1:]
		if op.key.Operation == loyalty.KeyChange && c.chance(30) {
			// The document's other way: roll back by the change's id, and never
			// ask for the change again.
			c.run.count("rolled back what was not heard of")
			m := c.member()
			if m != nil {
				return c.rollBack(op.key.Key, m)
			}
		}
		c.run.count("repeated what was not heard of")
		return op
	}
	if n := len(c.ops); n > 0 && c.chance(12) {
		c.run.count("repeated later")
		return c.ops[max(n-1-c.rng().IntN(30), 0)]
	}
	op := c.want()
	if !op.reads {
		c.ops = append(c.ops, op)
	}
	if op.reason != "" {
		c.run.reasons[op.reason] = op
	}
	return op
}

// calls sends ops at once and judges the answers. The gate makes the first
// command one batch and all that came meanwhile the next, in the order in which
// they were sent.
func (r *simRun) calls(ops []*simOp) {
	for _, op := range ops {
		op.client.signIn()
	}
	r.faults.begin()
	r.truth.begin()
	r.troubledBefore = r.faults.isTroubled()
	r.gate.hold(true)
	sent := make([]*simSent, len(ops))
	for i, op := range ops {
		s := &simSent{op: op}
		sent[i] = s
		ctx, end := context.WithCancel(context.Background())
		s.end = end
		if !r.faults.quiet.Load() && r.rng.IntN(100) < 3 {
			s.read = &simReadFault{after: r.rng.IntN(2)}
			ctx = context.WithValue(ctx, simReadKey{}, s.read)
		}
		if op.reads {
			s.code, s.check = op.look(r.model, r.clock.instant())
		}
		op.sent++
		go func() {
			s.reply, s.err = op.client.wire.send(ctx, "http://sim", op.call)
			s.done.Store(true)
		}()
		synctest.Wait()
	}
	if !r.faults.quiet.Load() {
		r.disturb(sent)
	}
	hung := false
	for tries := 0; waiting(sent); tries++ {
		if tries == unanswered {
			r.problem("answer", "calls are not answered at all")
			for _, s := range sent {
				s.end()
			}
		}
		r.letOn()
	}
	for _, s := range sent {
		hung = hung || s.hung
	}
	for range abandoned {
		if hung { // the command goes on when nobody waits for it
			r.letOn()
		}
	}
	r.gate.hold(false)
	for _, s := range sent {
		s.end()
		r.judge(s)
	}
	if r.life.dead.Load() {
		r.restart(true)
	}
}

// letOn has the writer do what it can at the moment.
func (r *simRun) letOn() {
	if !r.gate.next() {
		time.Sleep(time.Millisecond) // the writer backs off
	}
	synctest.Wait()
}

func waiting(sent []*simSent) bool {
	synctest.Wait()
	for _, s := range sent {
		if !s.done.Load() {
			return true
		}
	}
	return false
}

// alone tells whether a call is not sent twice at once.
func alone(s *simSent, sent []*simSent) bool {
	return !slices.ContainsFunc(sent, func(x *simSent) bool {
		return x != s && x.op.key == s.op.key && x.op.merchant == s.op.merchant
	})
}

// disturb lets a client hang up while its call waits, or the process die.
func (r *simRun) disturb(sent []*simSent) {
	s := sent[r.rng.IntN(len(sent))]
	switch n := r.rng.IntN(200); {
	case n < 8 && s.op.key.Key != "" && !s.done.Load() && alone(s, sent):
		s.hung = true
		r.count("hung up")
		s.end()
	case n < 10:
		r.life.dead.Store(true)
		r.faults.strike(simFault{kind: "killed while calls wait", err: loyalty.ErrUnavailable, crash: true})
	}
	synctest.Wait()
}

// signIn keeps the client's token alive.
func (c *simClient) signIn() {
	if now := c.run.clock.Now(); c.wire.token == "" || now.Sub(c.tokenSince) > 100*time.Minute {
		c.wire.signIn(c.run.t, "http://sim")
		c.tokenSince = now
	}
}
