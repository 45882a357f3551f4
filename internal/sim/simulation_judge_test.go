package sim_test

import (
	"net/http"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/storetest"
)

// judge compares one answer with the model, and gives the client what it would
// have got of it.
func (r *simRun) judge(s *simSent) {
	op := s.op
	heard := s.err == nil && s.reply.answered() && !s.hung
	r.note("%s %s #%d %s: %v %d/%d %s", op.client.name, op.name, op.sent, op.key.Key, s.err != nil, s.reply.status, s.reply.code, s.reply.data)
	r.count("calls")
	if s.read != nil && s.read.hit.Load() {
		r.count("read/unavailable")
		if heard || s.reply.status != http.StatusServiceUnavailable {
			r.problem("answer", "%s: a read failed and the answer is %s (%v)", op.name, s.reply, s.err)
		}
		if !op.reads {
			op.client.unsure = append(op.client.unsure, op)
		}
		return
	}
	switch {
	case heard && op.reads:
		r.judgeQuery(s)
	case heard:
		r.judgeCommand(s)
	case s.err != nil && !s.hung:
		r.problem("answer", "%s %v: no answer: %v", op.name, op.call.body, s.err)
	default:
		r.judgeUnheard(s)
	}
}

func (r *simRun) judgeQuery(s *simSent) {
	r.count("did: " + s.op.name)
	if s.reply.code != s.code {
		r.problem("answer", "%s %v: %s, should be %d", s.op.name, s.op.call.body, s.reply, s.code)
		return
	}
	if s.code == 0 {
		if wrong := s.check(s.reply.data); wrong != "" {
			r.problem("answer", "%s %v: %s", s.op.name, s.op.call.body, wrong)
		}
	}
}

// judgeCommand carries out in the model what was answered, and compares.
func (r *simRun) judgeCommand(s *simSent) {
	op := s.op
	id, openID := op.fresh(r.truth)
	out := r.model.do(op.command, r.clock.instant(), id, openID)
	want := simNumber(out)
	if s.reply.code != want {
		r.problem("answer", "%s %v: %s, should be %d (%v, %+v)", op.name, op.call.body, s.reply, want, out.Err, out.Result)
		return
	}
	if want != 0 {
		code, refused := loyalty.CodeOf(out.Err)
		if refused {
			r.count("refused: " + code.String())
		} else {
			r.count("did: declare a change void")
		}
		op.void = op.void || code == loyalty.KeyReused
	} else {
		r.count("did: " + op.name)
		if wrong := op.check(out.Result, s.reply.data); wrong != "" {
			r.problem("answer", "%s %v: %s", op.name, op.call.body, wrong)
		}
		text := string(s.reply.data)
		if op.first == "" {
			op.first = text
		} else if op.first != text {
			r.problem("repeat", "%s %v: answered %s at first and %s now", op.name, op.call.body, op.first, text)
		}
		if done, ok := out.Result.(loyalty.PointsChanged); ok && done.Entry != 0 {
			op.booked = true
		}
	}
	if !r.faults.quiet.Load() && r.rng.IntN(100) < 4 { // the answer came too late for the client
		r.count("timed out")
		op.client.unsure = append(op.client.unsure, op)
		return
	}
	if op.answered++; op.answered == 1 && want == 0 && op.learn != nil {
		op.learn(out.Result)
	}
}

// judgeUnheard is about a call of which nobody was told: it must have a reason,
// and the model does what was done.
func (r *simRun) judgeUnheard(s *simSent) {
	op := s.op
	busy := s.err == nil && s.reply.status == http.StatusServiceUnavailable
	switch trouble := r.troubledBefore || r.faults.isTroubled() || r.faults.had(loyalty.ErrUnavailable) || r.faults.had(loyalty.ErrUnknownOutcome); {
	case s.hung:
	case busy && !trouble:
		r.problem("answer", "%s %v: %s without a fault", op.name, op.call.body, s.reply)
	case !busy && !r.faults.had(loyalty.ErrUnknownOutcome) && !r.faults.had(loyalty.ErrCulprit):
		r.problem("answer", "%s %v: %s without a fault", op.name, op.call.body, s.reply)
	}
	if op.reads {
		return
	}
	// Busy says that nothing was booked; if that is not true, rows will differ.
	done := !busy && r.faults.done()
	if op.key.Key != "" {
		done = !busy && r.truth.booked(op.merchant, op.key, !s.hung)
	}
	if done {
		id, openID := op.fresh(r.truth)
		r.model.do(op.command, r.clock.instant(), id, openID)
		r.count("done and not heard of")
	} else {
		r.count("not done and not heard of")
	}
	op.client.unsure = append(op.client.unsure, op)
}

// compareWithTold holds the ledger against what the clients were told, without
// the model: each change that was acknowledged is there once, and none that was
// not.
func (r *simRun) compareWithTold() {
	state, err := storetest.Dump(r.t.Context(), r.db, r.keys)
	if err != nil {
		r.problem("dump", "the database cannot be read: %v", err)
		return
	}
	found := map[string]int{}
	sums := map[int64]int64{}
	for _, e := range state.Entries {
		sums[e.Member] += e.Points
		if e.Kind == loyalty.Grant || e.Kind == loyalty.Spend {
			found[e.Reason]++
		}
	}
	for reason, op := range r.reasons {
		switch n := found[reason]; {
		case op.booked && n != 1:
			r.problem("told", "%s %v was acknowledged and is in the ledger %d times", op.name, op.call.body, n)
		case n > 1, n == 1 && !op.booked && op.answered > 0 && !op.void:
			r.problem("told", "%s %v is in the ledger %d times, and its client knows of none", op.name, op.call.body, n)
		}
	}
	for _, m := range state.Members {
		if sums[m.ID] != m.Balance || m.Balance != m.Earned-m.Used {
			r.problem("told", "member %d: entries sum up to %d, balance %d, earned %d, used %d", m.ID, sums[m.ID], m.Balance, m.Earned, m.Used)
		}
	}
}
