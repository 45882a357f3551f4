package sim_test

import "sync"

// line is a line of the ledger as gateway 3.5 shows it.
type line struct {
	Statement string `json:"statement_id"`
	Amount    int64  `json:"amount"`
	Desc      string `json:"desc"`
}

// audit compares what the clients were told with what the server at base has:
// balances through both protocols, and entry by entry the whole ledger.
func (l *load) audit(base string) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	const readers = 4
	var all sync.WaitGroup
	next := make(chan int)
	for range readers {
		all.Go(func() {
			for member := range next {
				l.auditMember(base, member)
			}
		})
	}
	entries := 0
	for member := range l.members {
		entries += len(l.known[member])
		next <- member
	}
	close(next)
	all.Wait()
	l.t.Logf("%d calls acknowledged, %d entries; attempts without an answer: %d cut off, %d not let in, %d busy, %d unsure",
		l.done, entries, l.lost.Load(), l.turned.Load(), l.busy.Load(), l.unsure.Load())
}

func (l *load) auditMember(base string, member int) {
	var want int64
	for _, e := range l.known[member] {
		want += e.amount
	}
	if gateway, envelope := l.balances(base, member); gateway != want || envelope != want {
		l.t.Errorf("member %d: balance %d (gateway), %d (envelope), the clients know of %d", member, gateway, envelope, want)
	}
	lines := l.ledger(base, member)
	byStatement, byReason := map[string][]line{}, map[string][]line{}
	for _, at := range lines {
		byStatement[at.Statement] = append(byStatement[at.Statement], at)
		byReason[at.Desc] = append(byReason[at.Desc], at)
	}
	for _, e := range l.known[member] {
		found := byStatement[e.statement]
		if e.reason != "" {
			found = byReason[e.reason]
		}
		switch {
		case len(found) != 1:
			l.t.Errorf("member %d: %+v was acknowledged and is in the ledger %d times", member, e, len(found))
		case found[0].Amount != e.amount || e.statement != "" && found[0].Statement != e.statement:
			l.t.Errorf("member %d: %+v was acknowledged, the ledger has %+v", member, e, found[0])
		}
	}
	if len(lines) != len(l.known[member]) {
		l.t.Errorf("member %d: %d entries, the clients know of %d", member, len(lines), len(l.known[member]))
	}
}

// balances are a member's points, read through both protocols.
func (l *load) balances(base string, member int) (gateway, envelope int64) {
	var m struct {
		Score int64 `json:"score"`
	}
	l.read(base, call{"wk.user.info.query", map[string]any{"open_id": l.members[member].openID}}, &m)
	var s struct {
		Current int64 `json:"currentScore"`
		Total   int64 `json:"totalScore"`
		Used    int64 `json:"usedScore"`
	}
	l.read(base, call{"/member/score/statisticalScore", map[string]any{"memberId": l.members[member].memberID}}, &s)
	if s.Current != s.Total-s.Used {
		l.t.Errorf("member %d: %+v does not add up", member, s)
	}
	return m.Score, s.Current
}

// ledger is all of a member's entries, newest first.
func (l *load) ledger(base string, member int) (all []line) {
	const size = 100
	for page := 1; ; page++ {
		var lines []line
		if !l.read(base, call{"wk.user.score.record", map[string]any{
			"open_id": l.members[member].openID, "pageNo": page, "pageSize": size,
		}}, &lines) {
			return all
		}
		if all = append(all, lines...); len(lines) < size {
			return all
		}
	}
}

func (l *load) read(base string, a call, v any) bool {
	r, err := l.client.send(l.ctx, base, a)
	if err != nil || r.code != 0 {
		l.t.Errorf("%s: %s %v", a.method, r, err)
		return false
	}
	r.into(l.t, v)
	return true
}

// check lets the program itself recompute everything.
func (s *site) check() {
	s.t.Helper()
	if code, out, log := s.run("check"); code != 0 {
		s.t.Errorf("memberd check: exit code %d\n%s%s", code, out, log)
	}
}
