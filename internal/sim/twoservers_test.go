package sim_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

const (
	// crossings is how many phones are registered at both servers at once.
	crossings = 60
	// disableWithin is how soon every server refuses an app that was disabled.
	disableWithin = 2 * time.Second
)

// Two servers on one PostgreSQL are one platform: the same members, keys and
// tokens, whichever of them is asked, and never in each other's way.
func TestTwoServers(t *testing.T) {
	processTest(t)
	s := newSite(t, sharedPostgres(t))
	seed := loyaltytest.Seed(t)
	a, b := s.serve(), s.serve()
	c := newClient(t, s.app)
	refresh := c.signIn(t, a.url)
	bases := []string{a.url, b.url}
	// Two calls of three go to one of them, the third to both at once.
	where := func(rng *rand.Rand) []string {
		switch rng.IntN(6) {
		case 0, 1:
			return bases[:1]
		case 2, 3:
			return bases[1:]
		case 4:
			return bases
		}
		return []string{b.url, a.url}
	}
	l := newLoad(t, c, seed, where)
	l.start()
	crossRegister(t, c, bases)
	visibleAtOnce(t, c, bases)
	sharedTokens(t, c, bases, refresh)
	disabledEverywhere(t, s, bases)
	time.Sleep(extra(t))
	l.await(500)
	l.stop()
	l.audit(a.url)
	l.audit(b.url)
	s.check()
	if n := l.lost.Load() + l.turned.Load() + l.busy.Load() + l.unsure.Load(); n != 0 {
		t.Errorf("%d calls were not answered", n)
	}
	noDeadlocks(t, s)
	for _, p := range []*process{a, b} {
		if log := warnings(p.log.String()); log != "" {
			t.Errorf("a server warns:\n%s", log)
		}
	}
}

// crossRegister registers the same phones at both servers, from either end.
func crossRegister(t *testing.T, c *client, bases []string) {
	t.Helper()
	ids := make([][]string, len(bases))
	var all sync.WaitGroup
	for i, base := range bases {
		ids[i] = make([]string, crossings)
		all.Go(func() {
			for n := range crossings {
				if i == 1 {
					n = crossings - 1 - n
				}
				got, err := c.send(context.Background(), base, call{"wk.user.info.add", map[string]any{
					"phone": fmt.Sprintf("137%08d", n), "project_id": "1", "nickname": "cross",
				}})
				if err != nil || got.code != 0 {
					t.Errorf("register: %s %v", got, err)
					continue
				}
				got.into(t, &ids[i][n])
			}
		})
	}
	all.Wait()
	if !slices.Equal(ids[0], ids[1]) {
		t.Error("one phone, two members")
	}
}

// visibleAtOnce registers and books at one server and reads at the other.
func visibleAtOnce(t *testing.T, c *client, bases []string) {
	t.Helper()
	for n := range 20 {
		here, there := bases[n%2], bases[(n+1)%2]
		phone := fmt.Sprintf("136%08d", n)
		var openID string
		c.must(t, here, call{"wk.user.info.add", map[string]any{"phone": phone, "project_id": "1", "nickname": "new"}}, &openID)
		var m struct {
			OpenID string `json:"open_id"`
			Score  int64  `json:"score"`
		}
		c.must(t, there, call{"wk.user.info.query", map[string]any{"phone": phone}}, &m)
		if m.OpenID != openID {
			t.Errorf("registered as %s, the other server says %s", openID, m.OpenID)
		}
		c.must(t, there, call{"wk.user.event.score.change", map[string]any{
			"open_id": openID, "change_event": "event_add", "score": 7, "change_reason": "x", "change_id": "v" + phone,
		}}, nil)
		c.must(t, here, call{"wk.user.info.query", map[string]any{"open_id": openID}}, &m)
		if m.Score != 7 {
			t.Errorf("balance %d, booked at the other server: 7", m.Score)
		}
		var code string
		c.must(t, here, call{"wk.user.code.generate", map[string]any{"open_id": openID}}, &code)
		c.must(t, there, call{"wk.user.code.parsing", map[string]any{"code": code}}, nil)
	}
}

// sharedTokens uses what one server gave at the other, at once.
func sharedTokens(t *testing.T, c *client, bases []string, refresh string) {
	t.Helper()
	other := *c
	for n := range 6 {
		here, there := bases[n%2], bases[(n+1)%2]
		if n%3 == 0 {
			refresh = other.signIn(t, here)
		} else {
			got, err := other.gateway(context.Background(), here, "dss.auth.token.refresh", url.Values{"refresh_token": {refresh}}, nil)
			must(t, err)
			var pair struct {
				Access string `json:"access_token"`
			}
			got.into(t, &pair)
			other.token = pair.Access
		}
		other.must(t, there, call{"wk.user.level.list", map[string]any{}}, nil)
	}
}

// disabledEverywhere turns an app off and on, and lets both servers say what
// they make of it.
func disabledEverywhere(t *testing.T, s *site, bases []string) {
	t.Helper()
	app := s.newApp()
	c := newClient(t, app)
	c.signIn(t, bases[0])
	levels := call{"wk.user.level.list", map[string]any{}}
	members := call{"/member/getMembers", map[string]any{"pageSize": 1}}
	for _, base := range bases {
		c.must(t, base, levels, nil)
		c.must(t, base, members, nil)
	}
	s.on("app", "disable", app.AppID)
	since := time.Now()
	for _, base := range bases {
		for _, a := range []call{levels, members} {
			for {
				sent := time.Now()
				if got := c.try(t, base, a); got.code != 0 {
					if got.code != codeAppGone || got.status != http.StatusOK {
						t.Errorf("%s of a disabled app: %s", a.method, got)
					}
					break
				}
				if late := sent.Sub(since); late > disableWithin {
					t.Errorf("%s of a disabled app was answered after %s", a.method, late)
					break
				}
				time.Sleep(retryPause) // between two probes
			}
		}
	}
	s.on("app", "enable", app.AppID)
	for _, base := range bases {
		eventually(t, "enabled", func() bool { return c.try(t, base, levels).code == 0 })
	}
}

// noDeadlocks reads what PostgreSQL says about the site's database.
func noDeadlocks(t *testing.T, s *site) {
	t.Helper()
	u, err := url.Parse(s.database)
	must(t, err)
	text, err := os.ReadFile(filepath.Join(folder(t, s.database), "log"))
	must(t, err)
	name := " " + strings.TrimPrefix(u.Path, "/") + " "
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, name) && (strings.Contains(line, "deadlock") || strings.Contains(line, "ERROR") || strings.Contains(line, "FATAL")) {
			t.Errorf("PostgreSQL says: %s", line)
		}
	}
}
