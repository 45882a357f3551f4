package webhook

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

type streamKey struct {
	member int64
	app    string
}

type memoryStream struct {
	events          []loyalty.Callback
	state           []State
	done            int64
	next            int64 // -1 for idle
	attempts, since int64
	owner           string
	resends         map[int64]*memoryResend
}

type memoryResend struct {
	next, attempts, since int64
	owner                 string
}

// memory is an outbox in memory, the plainest there is.
type memory struct {
	mu      sync.Mutex
	streams map[streamKey]*memoryStream
	order   []streamKey
	// failRecords makes that many next records fail, as if the process had died.
	failRecords int
	claimed     map[string]int // by app
}

func newMemory() *memory {
	return &memory{streams: map[streamKey]*memoryStream{}, claimed: map[string]int{}}
}

var errMemory = errors.New("memory: the record was lost")

// add commits one event.
func (m *memory) add(member int64, app string, kind loyalty.EventKind) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := streamKey{member, app}
	s := m.streams[k]
	if s == nil {
		s = &memoryStream{next: -1, resends: map[int64]*memoryResend{}}
		m.streams[k] = s
		m.order = append(m.order, k)
	}
	no := int64(len(s.events)) + 1
	s.events = append(s.events, loyalty.Callback{Member: member, App: app, No: no, Kind: kind, Ref: no})
	s.state = append(s.state, StateWaiting)
	if s.next < 0 {
		s.next = 0
	}
	return no
}

func (m *memory) resend(member int64, app string, no int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.streams[streamKey{member, app}].resends[no] = &memoryResend{}
}

func (m *memory) stream(member int64, app string) memoryStream {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := *m.streams[streamKey{member, app}]
	s.state = slices.Clone(s.state)
	return s
}

// idle tells whether nothing waits for an app; "" for all.
func (m *memory) idle(app string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, s := range m.streams {
		if (app == "" || k.app == app) && (s.next >= 0 || len(s.resends) > 0) {
			return false
		}
	}
	return true
}

func (m *memory) DueApps(_ context.Context, now int64) (apps []string, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.order {
		s := m.streams[k]
		due := s.next >= 0 && s.next <= now
		for _, r := range s.resends {
			due = due || r.next <= now
		}
		if due && !slices.Contains(apps, k.app) {
			apps = append(apps, k.app)
		}
	}
	return apps, nil
}

func (m *memory) Claim(_ context.Context, l Lease, rooms []Room) (claims []Claim, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, room := range rooms {
		before := len(claims)
		take := func(limit int, resend bool) {
			for _, k := range m.order {
				if k.app != room.App {
					continue
				}
				some := m.streams[k].claim(k, l, limit, resend)
				claims = append(claims, some...)
				limit -= len(some)
			}
		}
		left := func() int { return room.Claims - (len(claims) - before) }
		take(min(room.Resends, left()), true)
		take(left(), false)
		take(left(), true)
		m.claimed[room.App] += len(claims) - before
	}
	return claims, nil
}

func (s *memoryStream) claim(k streamKey, l Lease, limit int, resend bool) (claims []Claim) {
	if !resend && limit > 0 && s.next >= 0 && s.next <= l.Now {
		s.next, s.owner = l.Until, l.Owner
		return []Claim{{k.member, k.app, false, s.done, s.attempts, s.since, l.Owner}}
	}
	for no, r := range s.resends {
		if resend && limit > len(claims) && r.next <= l.Now {
			r.next, r.owner = l.Until, l.Owner
			claims = append(claims, Claim{k.member, k.app, true, no - 1, r.attempts, r.since, l.Owner})
		}
	}
	return claims
}

func (m *memory) Event(_ context.Context, c Claim) (loyalty.Callback, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.streams[streamKey{c.Member, c.App}]
	if c.Done >= int64(len(s.events)) {
		return loyalty.Callback{}, false, nil
	}
	return s.events[c.Done], true, nil
}

func (m *memory) Record(_ context.Context, outcomes []Outcome) ([]Standing, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failRecords > 0 {
		m.failRecords--
		return nil, errMemory
	}
	standings := make([]Standing, len(outcomes))
	for i, o := range outcomes {
		s := m.streams[streamKey{o.Member, o.App}]
		if o.Resend {
			standings[i] = s.recordResend(o)
		} else {
			standings[i] = s.record(o)
		}
	}
	return standings, nil
}

func (s *memoryStream) record(o Outcome) Standing {
	if s.owner != o.Owner {
		return Standing{}
	}
	last := int64(len(s.events))
	switch o.Result {
	case Failed, Released:
		s.attempts, s.since, s.next, s.owner = o.Attempts, o.FailingSince, o.Next, ""
		return Standing{Held: true, More: true}
	case Delivered:
		s.state[o.No-1] = StateDelivered
	case Parked:
		s.state[o.No-1] = StateParked
	case Dropped:
		s.state[o.No-1] = StateDropped
	}
	s.done, s.attempts, s.since, s.next = o.No, 0, 0, o.Next
	if !o.Hold {
		s.owner = ""
	}
	if s.done == last {
		s.next, s.owner = -1, ""
	}
	return Standing{Held: true, More: s.done < last}
}

func (s *memoryStream) recordResend(o Outcome) Standing {
	r := s.resends[o.No]
	if r == nil || r.owner != o.Owner {
		return Standing{}
	}
	switch o.Result {
	case Failed, Released:
		*r = memoryResend{next: o.Next, attempts: o.Attempts, since: o.FailingSince}
	default:
		if o.Result == Delivered {
			s.state[o.No-1] = StateDelivered
		}
		delete(s.resends, o.No)
	}
	return Standing{Held: true}
}

func (m *memory) Tidy(context.Context, int64, int64, int) (int64, error) { return 0, nil }

func (m *memory) Lag(context.Context) (l Lag, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.streams {
		l.Events += int64(len(s.events)) - s.done
	}
	return l, nil
}

// plainRenderer renders nothing; url is what an app is set to.
type plainRenderer struct {
	mu     sync.Mutex
	erased map[int64]bool
	broken map[int64]bool
	off    map[string]bool
	away   bool
	slow   time.Duration
}

func (r *plainRenderer) Render(_ context.Context, e loyalty.Callback) (string, []byte, error) {
	r.mu.Lock()
	slow := r.slow
	r.mu.Unlock()
	time.Sleep(slow)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.away:
		return "", nil, loyalty.ErrUnavailable
	case r.erased[e.Member]:
		return "", nil, loyalty.MemberErased
	case r.broken[e.Member]:
		return "", nil, errors.New("no such entry")
	case r.off[e.App]:
		return "", nil, nil
	}
	return "http://" + e.App, []byte("{}"), nil
}

// partner is a Poster that does as told and keeps what arrived.
type partner struct {
	mu       sync.Mutex
	arrived  []string // ids in order
	open     map[streamKey]int
	overlaps int
	most     map[string]int // requests at a time, by app
	now      map[string]int
	answer   func(ctx context.Context, e loyalty.Callback, times int) error
	times    map[string]int
}

func newPartner(answer func(ctx context.Context, e loyalty.Callback, times int) error) *partner {
	return &partner{answer: answer, open: map[streamKey]int{}, most: map[string]int{}, now: map[string]int{}, times: map[string]int{}}
}

func (p *partner) Post(ctx context.Context, l Letter) error {
	e := l.Event
	id, k := EventID(e.App, e.Member, e.No), streamKey{e.Member, e.App}
	p.mu.Lock()
	p.arrived = append(p.arrived, id)
	p.times[id]++
	times := p.times[id]
	if p.open[k]++; p.open[k] > 1 {
		p.overlaps++
	}
	p.now[e.App]++
	p.most[e.App] = max(p.most[e.App], p.now[e.App])
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.open[k]--
		p.now[e.App]--
		p.mu.Unlock()
	}()
	if p.answer == nil {
		return nil
	}
	return p.answer(ctx, e, times)
}

func (p *partner) ids() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.arrived)
}
