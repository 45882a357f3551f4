package sim_test

import (
	"context"
	"crypto/rsa"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/envelope"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/sign"
	"github.com/memberd/memberd/internal/webhook"
)

// simStream is the events of a member for an app.
type simStream struct {
	member int64
	app    string
}

// simReceiver is the partner. What it does with an event follows from the seed,
// the event and how often it came, whatever runs beside it.
type simReceiver struct {
	run      *simRun
	workers  int // at a time; 1 makes the order of all deliveries the seed's, and of what jobs do
	platform *rsa.PublicKey

	mu    sync.Mutex
	well  bool // takes everything
	sick  bool // takes nothing
	times map[string]int
	taken map[simStream]int64 // the last event's number
	die   func()
}

func newSimReceiver(r *simRun) *simReceiver {
	return &simReceiver{run: r, workers: []int{1, 1, 4}[r.seed%3], times: map[string]int{}, taken: map[simStream]int64{}}
}

// fate is a number below a thousand for one thing that happens to an event.
func (p *simReceiver) fate(what string) int {
	p.times[what]++
	h := fnv.New64a()
	_ = binary.Write(h, binary.LittleEndian, p.run.seed)
	fmt.Fprint(h, what, p.times[what])
	return int(h.Sum64() >> 11 % 1_000)
}

var errSimPartner = &webhook.Failure{Reason: "HTTP status", Number: 500}

// Post implements webhook.Poster.
func (p *simReceiver) Post(ctx context.Context, l webhook.Letter) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := func(d time.Duration) {
		p.mu.Unlock()
		defer p.mu.Lock()
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
	fate := p.fate("post " + webhook.EventID(l.Event.App, l.Event.Member, l.Event.No))
	if p.well {
		fate = 999
	}
	switch {
	case p.sick && !p.well:
		p.run.count("callback/away")
		return errSimPartner
	case fate < 100:
		p.run.count("callback/refused")
		return errSimPartner
	case fate < 130:
		p.run.count("callback/hangs")
		wait(webhook.RequestLimit)
		return &webhook.Failure{Reason: "no answer in time"}
	case fate < 180:
		p.run.count("callback/taken, answer lost")
		p.take(l)
		return &webhook.Failure{Reason: "connection broke off"}
	case fate < 260:
		p.run.count("callback/slow")
		wait(time.Duration(fate%9+1) * time.Second)
		p.take(l)
		return ctx.Err()
	case fate < 280:
		p.run.count("callback/taken, deliverer dies")
		p.take(l)
		p.die()
		return nil
	}
	p.take(l)
	return nil
}

// take checks what arrived: its place in the stream, its signature, and that it
// tells what the model says.
func (p *simReceiver) take(l webhook.Letter) {
	r, e := p.run, l.Event
	k := simStream{e.Member, e.App}
	id := webhook.EventID(e.App, e.Member, e.No)
	switch last := p.taken[k]; {
	case e.No <= last:
		r.count("callback/repeated")
	case e.No != last+1:
		r.problem("callbacks", "%s came after number %d", id, last)
	default:
		p.taken[k] = e.No
		r.count("did: callback " + string(e.Kind))
	}
	r.note("callback %s %s", id, e.Kind)
	var frame struct {
		Partner string `json:"partnerId"`
		App     string `json:"appId"`
		Body    string `json:"requestBody"`
		Sign    string `json:"sign"`
	}
	if err := json.Unmarshal(l.Body, &frame); err != nil {
		r.problem("callbacks", "%s: %v", id, err)
		return
	}
	signed := base(map[string]string{"appId": frame.App, "partnerId": frame.Partner, "requestBody": frame.Body, "ver": "1"})
	if !sign.VerifyEnvelope(signed, frame.Sign, p.platform) {
		r.problem("callbacks", "%s is not signed by the platform", id)
	}
	p.compare(id, e, frame.Body)
}

func (p *simReceiver) compare(id string, e loyalty.Callback, body string) {
	r := p.run
	for _, want := range r.model.dump().Events {
		if want.Member != e.Member || want.App != e.App || want.No != e.No {
			continue
		}
		if diff := cmp.Diff(want, e); diff != "" {
			r.problem("callbacks", "%s (-model +sent):\n%s", id, diff)
		}
		if e.Kind != loyalty.EventPointsChanged {
			return
		}
		entry, _ := r.model.entry(e.Member, e.Ref)
		if wrong := same(json.RawMessage(body), map[string]any{
			"changeScore": max(entry.Points, -entry.Points), "currentScore": entry.Balance,
			"memberId": loyalty.MemberIDText(e.Member), "transNo": loyalty.StatementID(e.Member, e.Ref),
		}); wrong != "" {
			r.problem("callbacks", "%s: %s", id, wrong)
		}
		return
	}
	r.problem("callbacks", "%s is an event that never was", id)
}

// missing is how many events of the model the partner has not got.
func (p *simReceiver) missing() (n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.run.model.dump().Streams {
		n += s.Last - p.taken[simStream{s.Member, s.App}]
	}
	return n
}

// simOutbox is the outbox of one deliverer's life. After its death nothing of it
// reaches the database.
type simOutbox struct {
	webhook.Storage
	dead *atomic.Bool
	post *simReceiver
}

func (o *simOutbox) Record(ctx context.Context, outcomes []webhook.Outcome) ([]webhook.Standing, error) {
	if o.dead.Load() {
		return nil, loyalty.ErrUnavailable
	}
	before, after := false, false
	o.post.mu.Lock()
	for _, x := range outcomes {
		fate := o.post.fate(fmt.Sprint("record ", webhook.EventID(x.App, x.Member, x.No), x.Result))
		before = before || fate < 25 && !o.post.well
		after = after || fate >= 975 && !o.post.well
	}
	o.post.mu.Unlock()
	if before {
		o.post.run.count("callback/not recorded")
		return nil, loyalty.ErrUnavailable
	}
	standings, err := o.Storage.Record(ctx, outcomes)
	if after && err == nil {
		o.post.run.count("callback/recorded, and an error")
		return nil, loyalty.ErrUnavailable
	}
	return standings, err
}

func (o *simOutbox) Claim(ctx context.Context, l webhook.Lease, rooms []webhook.Room) ([]webhook.Claim, error) {
	if o.dead.Load() {
		return nil, loyalty.ErrUnavailable
	}
	return o.Storage.Claim(ctx, l, rooms)
}

// deliver lets the deliverer work for so long, one process after the other when
// it dies.
func (r *simRun) deliver(span time.Duration, sick bool) {
	const drain = time.Minute // leases and open requests end within it
	r.count("deliveries")
	r.clock.flow(true)
	until := time.Now().Add(span)
	r.post.mu.Lock()
	r.post.sick = sick
	r.post.mu.Unlock()
	for time.Now().Before(until) && !r.failed() {
		ctx, end := context.WithDeadline(context.Background(), until)
		var dead atomic.Bool
		r.post.die = func() {
			dead.Store(true)
			end()
		}
		storage := webhook.Storage(r.life.store)
		if r.plant.outbox != nil {
			storage = r.plant.outbox(storage)
		}
		webhook.New(webhook.Options{
			Storage:  &simOutbox{storage, &dead, r.post},
			Renderer: &envelope.Callbacks{Reader: r.life.store, Access: r.life.access, Now: r.clock.Now},
			Poster:   r.post, Workers: r.post.workers, PerApp: r.post.workers,
			RetryBase: time.Second, ParkAfter: 20_000 * time.Hour, Keep: 20_000 * time.Hour, Poll: time.Second,
			Random: func() float64 { return 0.5 },
		}).Run(ctx)
		end()
	}
	time.Sleep(time.Until(until))
	r.clock.flow(false)
	r.clock.moveTo(until.Add(drain))
}

// deliverAll lets a partner that is well take everything.
func (r *simRun) deliverAll() {
	r.post.mu.Lock()
	r.post.well = true
	r.post.mu.Unlock()
	for range 12 {
		r.deliver(10*time.Minute, false)
		if r.failed() || r.post.missing() == 0 {
			return
		}
	}
	r.problem("callbacks", "%d events do not reach a partner that takes everything", r.post.missing())
}
