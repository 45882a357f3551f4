package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/store/sqldb"
)

// receiver is a partner's server. It refuses the first request.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	got  []arrival
	more chan struct{}
}

type arrival struct {
	ID, Number, Kind string
	Body             map[string]any
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{more: make(chan struct{}, 1000)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		var frame struct{ RequestBody string }
		text, _ := io.ReadAll(q.Body)
		a := arrival{ID: q.Header.Get("Memberd-Event-Id"), Number: q.Header.Get("Memberd-Event-Number"), Kind: q.Header.Get("Memberd-Event-Type")}
		if json.Unmarshal(text, &frame) != nil || json.Unmarshal([]byte(frame.RequestBody), &a.Body) != nil || q.ContentLength != int64(len(text)) {
			t.Errorf("request: %s", text)
		}
		r.mu.Lock()
		r.got = append(r.got, a)
		first := len(r.got) == 1
		r.mu.Unlock()
		if first {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, `{"ver":"1","statusCode":"100","message":"成功"}`)
		r.more <- struct{}{}
	}))
	t.Cleanup(r.Close)
	return r
}

// wait waits until so many requests have come.
func (r *receiver) wait(t *testing.T, n int) []arrival {
	t.Helper()
	late := time.After(patience)
	for {
		r.mu.Lock()
		got := slices.Clone(r.got)
		r.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-r.more:
		case <-late:
			t.Fatalf("%d requests, want %d", len(got), n)
		}
	}
}

// sql runs statements on the rig's database beside whatever else uses it.
func (r *rig) sql(statements ...string) {
	r.t.Helper()
	url := "sqlite:" + r.path("memberd.db")
	if i := slices.Index(r.args, "--database"); i >= 0 {
		url = r.args[i+1]
	}
	ctx := context.Background()
	db, err := sqldb.Open(ctx, url)
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Write(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	for _, s := range statements {
		if _, err := tx.Exec(ctx, s); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		r.t.Fatal(err)
	}
}

// callbacks is the list of callbacks as "number state attempts failure".
func (r *rig) callbacks(flags ...string) (lines []string) {
	r.t.Helper()
	var list []listedCallback
	if err := json.Unmarshal([]byte(r.on(append([]string{"callback", "list", "--merchant", "1000", "--app", "listener", "--json"}, flags...)...)), &list); err != nil {
		r.t.Fatal(err)
	}
	for _, l := range list {
		lines = append(lines, fmt.Sprintf("%d %s %d %s", l.Number, l.State, l.Attempts, l.Failure))
	}
	return lines
}

// listening is a rig with a member of two events, and an app that wants them.
// The app comes when all has happened, and the outbox is filled by hand.
func (r *rig) listening(partner *receiver) (member string) {
	r.t.Helper()
	app := r.app("1000")
	s := r.serve()
	registered := s.must("/member/register/mobile", app, `{"mobile":"15623261994","channelCode":"dcxcx","registerType":"2","unionId":"u1"}`)
	body, _ := registered["responseBody"].(map[string]any)
	member = fmt.Sprint(body["memberId"])
	s.must("/member/score/updateScore", app, `{"memberId":"`+member+`","changeScore":20,"changeType":1,"operationType":1,"idempotencyBussinessId":"k1"}`)
	s.ends()
	r.on("app", "create", "--merchant", "1000", "--name", "listener", "--id", "listener", "--callback-url", partner.URL+"/callback?token=hunter2")
	r.sql(`INSERT INTO callback_event (member_id, app_id, event_no, kind, ref, from_value, to_value, at, state, attempts, done_at)
		VALUES (1, 'listener', 1, 'member.registered', 0, 0, 0, 1795312800000, 1, 0, 0), (1, 'listener', 2, 'points.changed', 1, 0, 0, 1795312800000, 1, 0, 0)`,
		`INSERT INTO callback_stream (member_id, app_id, last_no, done_no, next_at, attempts, failing_since, lease_owner)
		VALUES (1, 'listener', 2, 0, 0, 0, 0, '')`)
	return member
}

// ends stops a server that must end well.
func (s *server) ends() {
	s.rig.t.Helper()
	if code := s.stop(); code != 0 {
		s.rig.t.Fatal(code, s.log)
	}
}

func equal(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// From the outbox to the partner, through failures, and again by hand.
func TestCallbacks(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig) {
		partner := newReceiver(t)
		member := r.listening(partner)
		equal(t, "before", []string{"1 waiting 0 ", "2 waiting 0 "}, r.callbacks())

		// Loopback is not allowed unless the operator says so.
		r.env = append(r.env, "MEMBERD_CALLBACK_RETRY_BASE=100ms")
		s := r.serve()
		for late := time.Now().Add(patience); !strings.HasSuffix(r.callbacks()[0], "address not allowed"); {
			if time.Now().After(late) {
				t.Fatal(r.callbacks(), s.log)
			}
		}
		s.ends()
		r.env = append(r.env, "MEMBERD_CALLBACK_ALLOW_PRIVATE=true")
		s = r.serve()
		r.on("callback", "resend", "--merchant", "1000", "--state", "waiting")
		got := partner.wait(t, 3)
		for i, want := range []arrival{
			{"listener:1:1", "1", "member.registered", nil}, {"listener:1:1", "1", "member.registered", nil}, {"listener:1:2", "2", "points.changed", nil},
		} {
			one := got[i]
			one.Body = nil
			equal(t, "arrival", want, one)
		}
		equal(t, "1.4", []any{member, "15623261994"}, []any{got[0].Body["memberId"], got[0].Body["mobile"]})
		equal(t, "1.5", map[string]any{
			"changeScore": 20., "currentScore": 20., "changeType": 1., "operationType": 1.,
			"memberId": member, "mobile": "15623261994", "transNo": "SP000000000100000001",
		}, got[2].Body)
		resends(t, r, partner, member)
		if _, body := s.get("/metrics"); !strings.Contains(body, "memberd_callbacks_delivered_total 2\n") || !strings.Contains(body, "memberd_callbacks_paused_apps 0\n") {
			t.Error("metrics do not tell of it")
		}
		s.ends()
		lists(t, r, member)
		for _, secret := range []string{"15623261994", "hunter2", partner.Listener.Addr().String(), "listener:1"} {
			if strings.Contains(s.log.String(), secret) {
				t.Errorf("%s is in the log", secret)
			}
		}
	})
}

func resends(t *testing.T, r *rig, partner *receiver, member string) {
	r.refused(exitUsage, "say which", "callback", "resend", "--merchant", "1000")
	r.refused(exitUsage, "needs --since", "callback", "resend", "--merchant", "1000", "--state", "delivered")
	r.refused(exitUsage, "has the form", "callback", "resend", "--merchant", "1000", "--event", "nonsense")
	r.refused(exitNo, "no event", "callback", "resend", "--merchant", "1000", "--event", "listener:1:9")
	r.refused(exitNo, "has no app", "callback", "resend", "--merchant", "1000", "--event", "nobody:1:1")
	r.refused(exitNo, "has no app", "callback", "list", "--merchant", "1000", "--app", "nobody")
	r.refused(exitUsage, "--since must be", "callback", "list", "--merchant", "1000", "--since", "yesterday")
	if out := r.on("callback", "resend", "--merchant", "1000", "--event", "listener:1:2"); out != "1 callbacks are sent again\n" {
		t.Error(out)
	}
	equal(t, "sent again", "listener:1:2", partner.wait(t, 4)[3].ID)
	r.on("callback", "resend", "--merchant", "1000", "--member", member)
	partner.wait(t, 6)
}

func lists(t *testing.T, r *rig, member string) {
	equal(t, "waiting", []string(nil), r.callbacks())
	list := r.callbacks("--member", member)
	if len(list) != 2 || !strings.HasPrefix(list[0], "1 delivered ") || !strings.HasPrefix(list[1], "2 delivered 3 ") {
		t.Error(list)
	}
	equal(t, "delivered then", []string(nil), r.callbacks("--state", "delivered", "--until", "2026-01-01"))
	equal(t, "limit", 1, len(r.callbacks("--state", "delivered", "--since", "2020-01-01T00:00", "--limit", "1")))
}
