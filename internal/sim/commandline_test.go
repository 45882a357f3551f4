package sim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

// The subcommands that change something take turns with a server under load,
// and the server honours what they did at once.
func TestCommandsBesideServer(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		seed := loyaltytest.Seed(t)
		p := s.serve()
		var at oneServer
		at.set(p)
		c := newClient(t, s.app)
		c.signIn(t, p.url)
		l := newLoad(t, c, seed, at.where)
		l.start()
		l.await(50)

		for n := range 2 {
			operate(t, s, c, p.url, fmt.Sprintf("135%08d", n), fmt.Sprintf("134%08d", n))
		}
		app := s.newApp()
		other := newClient(t, app)
		other.signIn(t, p.url)
		other.must(t, p.url, call{"wk.user.level.list", map[string]any{}}, nil)
		if !strings.Contains(s.on("app", "list", "--merchant", merchant), app.AppID) {
			t.Error("app list does not have the new app")
		}
		s.on("merchant", "create", "--id", "2282", "--name", "另一商家")
		s.check() // on the live server

		l.await(50)
		l.stop()
		l.audit(p.url)
		s.check()
		if log := warnings(p.log.String()); log != "" {
			t.Errorf("the server warns:\n%s", log)
		}
	})
}

// operate does to a member what operators do, and looks at it as an integrator.
func operate(t *testing.T, s *site, c *client, base, phone, next string) {
	t.Helper()
	var openID string
	c.must(t, base, call{"wk.user.info.add", map[string]any{"phone": phone, "project_id": "1", "nickname": "operated"}}, &openID)
	change := func(id string) call {
		return call{"wk.user.event.score.change", map[string]any{
			"open_id": openID, "change_event": "event_add", "score": 5, "change_reason": "x", "change_id": id,
		}}
	}
	expect := func(a call, code int) {
		t.Helper()
		if got := c.try(t, base, a); got.code != code {
			t.Errorf("%s %v: %s, want %d", a.method, a.body, got, code)
		}
	}
	byPhone := func(phone string) call { return call{"wk.user.info.query", map[string]any{"phone": phone}} }
	member := func(command, phone string, more ...string) string {
		return s.on(append([]string{"member", command, "--merchant", merchant, "--phone", phone, "--reason", "sim", "--operator", "sim"}, more...)...)
	}

	expect(change("a"), 0)
	member("disable", phone)
	expect(change("b"), codeInvalid)
	expect(byPhone(phone), 0)
	expect(change("a"), 0) // the first answer again, whatever has changed since
	member("enable", phone)
	expect(change("b"), 0)
	member("rephone", phone, "--to", next)
	expect(byPhone(phone), codeNotMember)
	var m struct {
		OpenID string `json:"open_id"`
		Score  int64  `json:"score"`
	}
	c.must(t, base, byPhone(next), &m)
	if m.OpenID != openID || m.Score != 10 {
		t.Errorf("after a change of phone: %+v, want %s and 10 points", m, openID)
	}
	member("erase", next)
	expect(byPhone(next), codeNotMember)
	expect(change("c"), codeNotMember)
}

// One SQLite folder has one server, however often another one is started.
func TestSecondServer(t *testing.T) {
	processTest(t)
	s := newSite(t, nil)
	p := s.serve()
	for range 2 {
		code, out, log := s.run("serve", "--listen", "127.0.0.1:0")
		if code != 1 || out != "" || !strings.Contains(log, s.dir) {
			t.Errorf("a second server: exit code %d, %q, %q", code, out, log)
		}
	}
	if status, _ := p.get(t, "/readyz"); status != 200 {
		t.Errorf("the first server: %d", status)
	}
	p.kill()
	next := s.serve() // the lock went with the process
	var ready struct {
		Ready bool `json:"ready"`
	}
	if _, body := next.get(t, "/readyz"); json.Unmarshal([]byte(body), &ready) != nil || !ready.Ready {
		t.Errorf("the next server: %s", body)
	}
}
