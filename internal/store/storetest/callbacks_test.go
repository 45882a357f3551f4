package storetest_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/storetest"
	"github.com/memberd/memberd/internal/webhook"
)

// outbox is a database with apps and events that stand in it as a commit puts
// them.
type outbox struct {
	*storetest.Engine
	t testing.TB
}

func newOutbox(t testing.TB, e *storetest.Engine) *outbox {
	t.Helper()
	snap, err := loyalty.NewSnapshot("m", 1, 0, loyalty.DefaultSettings())
	must(t, err)
	e.AddMerchants(t, snap)
	o := &outbox{e, t}
	for _, app := range []string{"a", "b"} {
		o.app(app, "http://partner.example/"+app)
	}
	o.app("silent", "")
	return o
}

func (o *outbox) app(id, url string) {
	o.t.Helper()
	must(o.t, o.Store.InsertApp(o.t.Context(), access.AppRow{ID: id, MerchantID: "m", Name: id, Secret: "sealed", CallbackURL: url, CallerKey: "k", CreatedAt: 1}))
}

// add commits events of a stream, the first of which has the number from.
func (o *outbox) add(member int64, app string, from, n int64) {
	o.t.Helper()
	for no := from; no < from+n; no++ {
		o.Exec(o.t, `INSERT INTO callback_event (member_id, app_id, event_no, kind, ref, from_value, to_value, at, state, attempts, done_at)
			VALUES (?, ?, ?, 'points.changed', ?, 3, 4, ?, 1, 0, 0)`, member, app, no, 10+no, 1000+no)
	}
	o.Exec(o.t, `INSERT INTO callback_stream (member_id, app_id, last_no, done_no, next_at, attempts, failing_since, lease_owner)
		VALUES (?, ?, ?, 0, 0, 0, 0, '')
		ON CONFLICT (member_id, app_id) DO UPDATE SET
			next_at = CASE WHEN callback_stream.done_no = callback_stream.last_no THEN 0 ELSE callback_stream.next_at END,
			last_no = excluded.last_no`, member, app, from+n-1)
}

func (o *outbox) claim(owner string, now int64, rooms ...webhook.Room) []webhook.Claim {
	o.t.Helper()
	claims, err := o.Store.Claim(o.t.Context(), webhook.Lease{Owner: owner, Now: now, Until: now + 30_000}, rooms)
	must(o.t, err)
	slices.SortFunc(claims, func(x, y webhook.Claim) int {
		return cmp.Or(cmp.Compare(x.App, y.App), cmp.Compare(x.Member, y.Member), cmp.Compare(x.Done, y.Done))
	})
	return claims
}

func (o *outbox) record(outcomes ...webhook.Outcome) []webhook.Standing {
	o.t.Helper()
	standings, err := o.Store.Record(o.t.Context(), outcomes)
	must(o.t, err)
	return standings
}

func (o *outbox) due(now int64) []string {
	o.t.Helper()
	apps, err := o.Store.DueApps(o.t.Context(), now)
	must(o.t, err)
	return apps
}

func (o *outbox) list(f webhook.Filter) (ids []string) {
	o.t.Helper()
	must(o.t, o.Store.EachCallback(o.t.Context(), f, func(l webhook.Listed) error {
		text := fmt.Sprintf("%s %s %d %s", l.ID(), l.State, l.Attempts, l.Failure)
		if l.Resend {
			text += "again"
		}
		ids = append(ids, text)
		return nil
	}))
	return ids
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func onOutboxes(t *testing.T, test func(t *testing.T, o *outbox)) {
	onEach(t, func(t *testing.T, open func(testing.TB) *storetest.Engine) { test(t, newOutbox(t, open(t))) })
}

func TestOutboxStream(t *testing.T) {
	onOutboxes(t, func(t *testing.T, o *outbox) {
		equal(t, "nothing due", []string(nil), o.due(5))
		o.add(1, "a", 1, 3)
		o.add(2, "a", 1, 1)
		o.add(3, "silent", 1, 1)
		equal(t, "due", []string{"a"}, o.due(5))
		equal(t, "no room", 0, len(o.claim("x", 5, webhook.Room{App: "b", Claims: 9})))

		claims := o.claim("one", 5, webhook.Room{App: "a", Claims: 9})
		equal(t, "claims", []webhook.Claim{{Member: 1, App: "a", Owner: "one"}, {Member: 2, App: "a", Owner: "one"}}, claims)
		equal(t, "claimed twice", 0, len(o.claim("two", 29_000, webhook.Room{App: "a", Claims: 9})))
		equal(t, "due while claimed", []string(nil), o.due(29_000))

		event, ok, err := o.Store.Event(t.Context(), claims[0])
		equal(t, "event", loyalty.Callback{Member: 1, App: "a", No: 1, Kind: loyalty.EventPointsChanged, Ref: 11, From: 3, To: 4, At: 1001}, event)
		if !ok || err != nil {
			t.Error(ok, err)
		}
		// The first goes on under its lease, the other is at its end.
		standings := o.record(
			webhook.Outcome{Claim: claims[0], No: 1, Result: webhook.Delivered, At: 50, Next: 40_000, Hold: true},
			webhook.Outcome{Claim: claims[1], No: 1, Result: webhook.Delivered, At: 51, Next: 40_000, Hold: true},
		)
		equal(t, "standings", []webhook.Standing{{Held: true, More: true}, {Held: true}}, standings)
		equal(t, "the lease moved", 0, len(o.claim("two", 39_999, webhook.Room{App: "a", Claims: 9})))
		// A stream at its end wakes with the next event, whoever had it.
		o.add(2, "a", 2, 1)
		second := o.claim("two", 60, webhook.Room{App: "a", Claims: 9})
		equal(t, "wakes", []webhook.Claim{{Member: 2, App: "a", Done: 1, Owner: "two"}}, second)
		// A failure gives the stream back for later.
		failed := webhook.Outcome{Claim: claims[0], No: 2, Result: webhook.Failed, At: 70, Next: 100, Failure: "HTTP status 500"}
		failed.Attempts, failed.FailingSince = 1, 70
		equal(t, "failure", []webhook.Standing{{Held: true, More: true}}, o.record(failed))
		equal(t, "lost", []webhook.Standing{{}}, o.record(failed))
		equal(t, "too early", 0, len(o.claim("three", 99, webhook.Room{App: "a", Claims: 9})))
		third := o.claim("three", 100, webhook.Room{App: "a", Claims: 9})
		equal(t, "again", []webhook.Claim{{Member: 1, App: "a", Done: 1, Attempts: 1, FailingSince: 70, Owner: "three"}}, third)
		// Parked: the next one may go.
		equal(t, "parked", []webhook.Standing{{Held: true, More: true}},
			o.record(webhook.Outcome{Claim: third[0], No: 2, Result: webhook.Parked, At: 110, Next: 110, Failure: "HTTP status 503"}))
		fourth := o.claim("four", 110, webhook.Room{App: "a", Claims: 9})
		equal(t, "after the parked one", []webhook.Claim{{Member: 1, App: "a", Done: 2, Owner: "four"}}, fourth)
		o.record(webhook.Outcome{Claim: fourth[0], No: 3, Result: webhook.Dropped, At: 120, Next: 120})
		equal(t, "list", []string{"a:1:1 delivered 1 ", "a:1:2 parked 2 HTTP status 503", "a:1:3 dropped 0 "}, o.list(webhook.Filter{App: "a", Member: 1}))
		equal(t, "idle", 0, len(o.claim("five", math.MaxInt64-40_000, webhook.Room{App: "a", Claims: 9}))-1) // member 2, claimed by two
	})
}

// An event that comes while the last one is being recorded is not left behind,
// whichever of the two commits first.
func TestOutboxRaceAtTheEnd(t *testing.T) {
	onOutboxes(t, func(t *testing.T, o *outbox) {
		for no := int64(1); no <= 40; no++ {
			o.add(1, "a", no, 1)
			var claims []webhook.Claim
			for len(claims) == 0 {
				claims = o.claim(fmt.Sprint("x", no), 100*no, webhook.Room{App: "a", Claims: 1})
			}
			var group sync.WaitGroup
			group.Go(func() { o.add(1, "a", no+1, 1) })
			group.Go(func() {
				o.record(webhook.Outcome{Claim: claims[0], No: no, Result: webhook.Delivered, At: 1, Next: 100 * no})
			})
			group.Wait()
			if len(o.due(100*no)) == 0 {
				t.Fatalf("number %d was left behind", no+1)
			}
			no++
			claims = o.claim(fmt.Sprint("y", no), 100*no, webhook.Room{App: "a", Claims: 1})
			o.record(webhook.Outcome{Claim: claims[0], No: no, Result: webhook.Delivered, At: 1, Next: 100 * no})
		}
	})
}

// Many processes claim at once: each stream goes to one of them.
func TestOutboxClaimsAtOnce(t *testing.T) {
	onOutboxes(t, func(t *testing.T, o *outbox) {
		const streams = 60
		for member := range int64(streams) {
			o.add(1+member, []string{"a", "b"}[member%2], 1, 2)
		}
		engines := []*storetest.Engine{o.Engine, o.Another(t)}
		var mu sync.Mutex
		owners := map[int64][]string{}
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				lease := webhook.Lease{Owner: fmt.Sprint("owner", i), Now: 5, Until: 30_005}
				for range 10 {
					claims, err := engines[i%2].Store.Claim(context.Background(), lease, []webhook.Room{{App: "a", Claims: 3}, {App: "b", Claims: 2}})
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					for _, c := range claims {
						owners[c.Member] = append(owners[c.Member], c.Owner)
					}
					mu.Unlock()
				}
			})
		}
		group.Wait()
		equal(t, "streams claimed", streams, len(owners))
		for member, by := range owners {
			if len(by) != 1 {
				t.Errorf("member %d was claimed by %v", member, by)
			}
		}
	})
}

func TestOutboxResend(t *testing.T) {
	onOutboxes(t, func(t *testing.T, o *outbox) {
		ctx := t.Context()
		o.add(1, "a", 1, 4)
		o.add(2, "b", 1, 1)
		c := o.claim("x", 5, webhook.Room{App: "a", Claims: 1})[0]
		for no, result := range []webhook.Result{webhook.Delivered, webhook.Parked, webhook.Dropped} {
			c.Done = int64(no)
			o.record(webhook.Outcome{Claim: c, No: int64(no) + 1, Result: result, At: int64(100 * (no + 1)), Next: 30_000, Hold: true})
		}
		equal(t, "parked", []string{"a:1:2 parked 1 "}, o.list(webhook.Filter{App: "a", State: webhook.StateParked}))
		equal(t, "delivered", []string{"a:1:1 delivered 1 "}, o.list(webhook.Filter{App: "a", State: webhook.StateDelivered, Since: 100, Until: 101}))
		equal(t, "delivered then", []string(nil), o.list(webhook.Filter{App: "a", State: webhook.StateDelivered, Since: 101}))
		equal(t, "waiting", []string{"a:1:4 waiting 0 "}, o.list(webhook.Filter{App: "a", State: webhook.StateWaiting, Since: 1004}))
		equal(t, "waiting later", []string(nil), o.list(webhook.Filter{App: "a", State: webhook.StateWaiting, Since: 1005}))
		equal(t, "by number", []string{"a:1:3 dropped 0 "}, o.list(webhook.Filter{App: "a", Member: 1, No: 3}))
		equal(t, "first", []string{"a:1:1 delivered 1 "}, o.list(webhook.Filter{App: "a", Member: 1, Limit: 1}))

		// All of the member: one delivered, one parked; the waiting one is in its
		// stream, which is claimed and left alone; the dropped one stays.
		n, err := o.Store.ResendCallbacks(ctx, webhook.Filter{App: "a", Member: 1})
		must(t, err)
		equal(t, "sent again", 3, n)
		equal(t, "due", []string{"a", "b"}, o.due(6))
		again := o.claim("y", 6, webhook.Room{App: "a", Claims: 9})
		equal(t, "claims", []webhook.Claim{
			{Member: 1, App: "a", Resend: true, Owner: "y"}, {Member: 1, App: "a", Resend: true, Done: 1, Owner: "y"},
		}, again)
		event, ok, err := o.Store.Event(ctx, again[1])
		if event.No != 2 || !ok || err != nil {
			t.Error(event, ok, err)
		}
		// Asking once more does not take the claim away.
		_, err = o.Store.ResendCallbacks(ctx, webhook.Filter{App: "a", State: webhook.StateParked})
		must(t, err)
		failed := webhook.Outcome{Claim: again[0], No: 1, Result: webhook.Failed, At: 200, Next: 500, Failure: "HTTP status 500"}
		failed.Attempts, failed.FailingSince = 1, 200
		equal(t, "held", []webhook.Standing{{Held: true}, {Held: true}}, o.record(failed,
			webhook.Outcome{Claim: again[1], No: 2, Result: webhook.Delivered, At: 210, Next: 210}))
		equal(t, "list", []string{"a:1:1 delivered 2 HTTP status 500again", "a:1:2 delivered 2 ", "a:1:3 dropped 0 ", "a:1:4 waiting 0 "},
			o.list(webhook.Filter{App: "a", Member: 1}))
		last := o.claim("z", 500, webhook.Room{App: "a", Claims: 9})
		equal(t, "tried again", []webhook.Claim{{Member: 1, App: "a", Resend: true, Attempts: 1, FailingSince: 200, Owner: "z"}}, last)
		o.record(webhook.Outcome{Claim: last[0], No: 1, Result: webhook.Parked, At: 600, Next: 600, Failure: "no connection"})
		equal(t, "given up", []string{"a:1:1 delivered 3 no connection"}, o.list(webhook.Filter{App: "a", Member: 1, No: 1}))

		// A stream that waits for its next attempt is hurried.
		c.Done = 3
		c.Attempts = 1
		o.record(webhook.Outcome{Claim: c, No: 4, Result: webhook.Failed, At: 700, Next: 1 << 50, Failure: "no connection"})
		equal(t, "not due", []string{"b"}, o.due(1000))
		_, err = o.Store.ResendCallbacks(ctx, webhook.Filter{App: "a", State: webhook.StateWaiting})
		must(t, err)
		equal(t, "hurried", []string{"a", "b"}, o.due(1000))
	})
}

// Asking for a resend takes its locks in the order of members, as recording
// does, whatever the order in which the events are listed.
func TestOutboxResendLocksInOrder(t *testing.T) {
	t.Parallel()
	e := storetest.Postgres(t)
	o, ctx := newOutbox(t, e), t.Context()
	delivered := webhook.Filter{App: "a", State: webhook.StateDelivered}
	for member := range int64(2) {
		o.add(1+member, "a", 1, 1)
		o.Exec(t, `UPDATE callback_event SET state = 2, done_at = ? WHERE member_id = ?`, 200-member, 1+member)
	}
	equal(t, "listed", []string{"a:2:1 delivered 0 ", "a:1:1 delivered 0 "}, o.list(delivered))
	_, err := e.Store.ResendCallbacks(ctx, delivered)
	must(t, err)
	tx, err := e.DB.Write(ctx)
	must(t, err)
	defer tx.Rollback(ctx)
	_, err = tx.Exec(ctx, `UPDATE callback_resend SET attempts = 1 WHERE member_id = 1`)
	must(t, err)
	ended := make(chan error, 1)
	go func() {
		_, err := e.Store.ResendCallbacks(context.WithoutCancel(ctx), delivered)
		ended <- err
	}()
	for waiting := int64(0); waiting == 0; {
		must(t, e.DB.Read().QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting))
	}
	_, err = tx.Exec(ctx, `SELECT 1 FROM callback_resend WHERE member_id = 2 FOR UPDATE NOWAIT`)
	if err != nil {
		t.Errorf("member 2 is locked before member 1: %v", err)
	}
	must(t, tx.Rollback(ctx))
	must(t, <-ended)
}

// What is sent again gets its share first, then come the streams, and then once
// more what is sent again.
func TestOutboxShares(t *testing.T) {
	onOutboxes(t, func(t *testing.T, o *outbox) {
		for member := range int64(6) {
			o.add(1+member, "a", 1, 1)
		}
		o.Exec(t, `UPDATE callback_event SET state = 3 WHERE member_id <= 4`)
		o.Exec(t, `UPDATE callback_stream SET done_no = 1, next_at = ? WHERE member_id <= 4`, int64(math.MaxInt64))
		_, err := o.Store.ResendCallbacks(t.Context(), webhook.Filter{App: "a", State: webhook.StateParked})
		must(t, err)
		for i, step := range []struct {
			room             webhook.Room
			resends, streams int
		}{
			{webhook.Room{App: "a", Claims: 1}, 0, 1},
			{webhook.Room{App: "a", Claims: 1, Resends: 1}, 1, 0},
			{webhook.Room{App: "a", Claims: 3, Resends: 1}, 2, 1},
			{webhook.Room{App: "a", Claims: 9, Resends: 5}, 1, 0},
		} {
			claims := o.claim(fmt.Sprint("owner", i), 5, step.room)
			resends := 0
			for _, c := range claims {
				if c.Resend {
					resends++
				}
			}
			equal(t, fmt.Sprint("step ", i), [2]int{step.resends, step.streams}, [2]int{resends, len(claims) - resends})
		}
	})
}

func TestOutboxUpkeep(t *testing.T) {
	onOutboxes(t, func(t *testing.T, o *outbox) {
		ctx := t.Context()
		o.add(1, "a", 1, 10)
		o.add(2, "a", 1, 1)
		c := o.claim("x", 5, webhook.Room{App: "a", Claims: 1})[0]
		for no := int64(1); no <= 6; no++ {
			result := webhook.Delivered
			if no == 2 {
				result = webhook.Parked
			}
			c.Done = no - 1
			o.record(webhook.Outcome{Claim: c, No: no, Result: result, At: 100 * no, Next: 30_000, Hold: true})
		}
		_, err := o.Store.ResendCallbacks(ctx, webhook.Filter{App: "a", Member: 1, No: 3})
		must(t, err)
		lag, err := o.Store.Lag(ctx)
		must(t, err)
		equal(t, "lag", webhook.Lag{Events: 5, Oldest: 1001}, lag)
		for _, step := range []struct{ before, deleted int64 }{{100, 0}, {101, 1}, {500, 1}, {500, 0}, {601, 2}} {
			if step.before == 601 { // an app that is told nothing any more
				must(t, o.Store.SetCallbackURL(ctx, "a", ""))
			}
			n, err := o.Store.Tidy(ctx, step.before, math.MaxInt64-1, 2)
			must(t, err)
			if n != step.deleted {
				t.Errorf("before %d: %d deleted, want %d", step.before, n, step.deleted)
			}
		}
		must(t, o.Store.SetCallbackURL(ctx, "a", "http://partner.example/a"))
		equal(t, "left", 6, len(o.list(webhook.Filter{App: "a", Member: 1}))) // parked, to be sent again, four that wait
		// A clock that was ahead: what is due too far away is due now.
		c.Done = 6
		o.record(webhook.Outcome{Claim: c, No: 7, Result: webhook.Failed, At: 700, Next: 1 << 50})
		o.claim("y", 900, webhook.Room{App: "a", Claims: 9})
		equal(t, "claimed", []string(nil), o.due(901))
		_, err = o.Store.Tidy(ctx, 0, 1<<50, 2)
		must(t, err)
		equal(t, "not beyond the horizon", []string(nil), o.due(901))
		_, err = o.Store.Tidy(ctx, 0, 1<<50-1, 2)
		must(t, err)
		equal(t, "beyond", []string{"a"}, o.due(901))
		// A disabled app waits.
		must(t, o.Store.SetAppDisabled(ctx, "a", true))
		equal(t, "disabled", []string(nil), o.due(901))
		lag, err = o.Store.Lag(ctx)
		must(t, err)
		equal(t, "lag of a disabled app", webhook.Lag{}, lag)
	})
}

// The deliverer on the real outbox, in two processes at once: everything
// arrives in order, and nothing is left.
func TestOutboxDelivered(t *testing.T) {
	onOutboxes(t, func(t *testing.T, o *outbox) {
		const members, events = 12, 15
		p := &postman{last: map[string]int64{}, seen: map[string]int{}}
		ctx, cancel := context.WithCancel(context.Background())
		var group sync.WaitGroup
		for _, e := range []*storetest.Engine{o.Engine, o.Another(t)} {
			d := webhook.New(webhook.Options{
				Storage: e.Store, Renderer: p, Poster: p, RetryBase: 20 * time.Millisecond, Workers: 8, PerApp: 6,
			})
			group.Go(func() { d.Run(ctx) })
		}
		for no := int64(1); no <= events; no += 3 {
			for member := range int64(members) {
				o.add(1+member, "a", no, 3)
				o.add(1+member, "b", no, 3)
			}
		}
		deadline := time.After(60 * time.Second)
		for p.count() < 2*members*events {
			select {
			case <-deadline:
				t.Fatalf("%d of %d arrived", p.count(), 2*members*events)
			case <-time.After(10 * time.Millisecond):
			}
		}
		cancel()
		group.Wait()
		for _, fault := range p.faults {
			t.Error(fault)
		}
		equal(t, "waiting", 0, len(o.list(webhook.Filter{App: "a", State: webhook.StateWaiting})))
	})
}

// postman fails every fifth time, and watches the order.
type postman struct {
	mu     sync.Mutex
	posts  int
	last   map[string]int64
	seen   map[string]int
	faults []string
}

func (*postman) Render(_ context.Context, e loyalty.Callback) (string, []byte, error) {
	return "http://partner.example", []byte("{}"), nil
}

func (p *postman) Post(_ context.Context, l webhook.Letter) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.posts++; p.posts%5 == 0 {
		return &webhook.Failure{Reason: "no connection"}
	}
	stream := fmt.Sprint(l.Event.App, l.Event.Member)
	if l.Event.No != p.last[stream]+1 {
		p.faults = append(p.faults, fmt.Sprintf("%s: %d after %d", stream, l.Event.No, p.last[stream]))
	}
	p.last[stream] = l.Event.No
	p.seen[webhook.EventID(l.Event.App, l.Event.Member, l.Event.No)]++
	return nil
}

func (p *postman) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.seen)
}
