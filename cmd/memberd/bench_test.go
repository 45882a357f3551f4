package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/bench"
)

// quiet keeps a line for each of thousands of calls out of what a failing test
// shows.
var quiet = []string{"MEMBERD_LOG_LEVEL=warn"}

// load runs a load for d and returns its report.
func (s *server) load(app, scenario string, d time.Duration, flags ...string) bench.Report {
	s.rig.t.Helper()
	args := []string{"bench", scenario, "--app", app, "--url", s.url, "-c", "4", "-d", d.String(), "--warm-up", "50ms", "--json"}
	got := s.rig.run(append(args, flags...)...)
	if got.code != 0 {
		s.rig.t.Fatalf("bench %s %v: exit code %d\n%s%s\n%s", scenario, flags, got.code, got.out, got.err, s.log)
	}
	var r bench.Report
	if err := json.Unmarshal([]byte(got.out), &r); err != nil {
		s.rig.t.Fatal(err, got.out)
	}
	if r.Failed != 0 || r.Scenario != scenario || r.Latency.Max < r.Latency.P99 {
		s.rig.t.Errorf("bench %s %v: %+v", scenario, flags, r)
	}
	return r
}

// shortly runs a load, a short one unless the machine is too busy to begin a call
// in that time, and returns its report.
func (s *server) shortly(app, scenario string, flags ...string) bench.Report {
	s.rig.t.Helper()
	for d := 300 * time.Millisecond; ; d *= 4 {
		r := s.load(app, scenario, d, flags...)
		if r.Calls > 0 && r.Latency.P50 > 0 {
			return r
		}
		if d > patience/4 {
			s.rig.t.Fatalf("bench %s %v: %+v", scenario, flags, r)
		}
	}
}

// points is what a member of the load has.
func (s *server) points(app, phone string) float64 {
	s.rig.t.Helper()
	data, _ := s.must("wk.user.info.query", app, `{"phone":"`+phone+`"}`)["data"].(map[string]any)
	points, ok := data["score"].(float64)
	if !ok {
		s.rig.t.Fatal(data)
	}
	return points
}

// Every scenario through either door, on either database; the ledger adds up
// afterwards, and the echo is not in it.
func TestBench(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig) {
		r.env = quiet
		app := r.app("1000")
		s := r.serve()
		for _, door := range []string{"gateway", "envelope"} {
			for _, scenario := range bench.Scenarios() {
				s.shortly(app, scenario, "--door", door, "--members", "5")
			}
		}
		// One member alone, so that the points tell how many calls were booked: those
		// counted, and those of the warm-up.
		before := s.points(app, "10000000000")
		closed := s.shortly(app, "points-change", "--members", "1")
		gained := int64(s.points(app, "10000000000") - before)
		if closed.Loop != "closed" || gained < closed.Calls {
			t.Errorf("%d calls were counted, %d points booked", closed.Calls, gained)
		}
		before = s.points(app, "10000000000")
		s.shortly(app, "echo", "--members", "1")
		if after := s.points(app, "10000000000"); after != before {
			t.Errorf("the echo moved points: %v, then %v", before, after)
		}
		open := s.load(app, "member-query", 300*time.Millisecond, "--rate", "100", "--members", "40", "--zipf", "1.1", "--seed", "7")
		if open.Loop != "open" || open.Calls+open.Unsent != 30 || open.Members != 40 || open.Seed != 7 {
			t.Errorf("open loop: %+v", open)
		}
		if out := r.on("check"); !strings.Contains(out, "40 members checked, 0 differences") {
			t.Error(out)
		}
	})
}

// Members are registered once. A file of another database is noticed.
func TestBenchMembers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.env = quiet
	app := r.app("1000")
	s := r.serve()
	held := func() string {
		text, err := os.ReadFile(app + ".members")
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	s.shortly(app, "echo", "--members", "8")
	first := held()
	s.shortly(app, "echo", "--members", "3")
	if held() != first {
		t.Error("fewer members, and the file has changed")
	}
	if err := os.Remove(app + ".members"); err != nil {
		t.Fatal(err)
	}
	s.shortly(app, "echo", "--members", "8")
	if held() != first {
		t.Error("without the file other members were found")
	}
	strangers := strings.Repeat(`"168eebeb0d2e4edca2258ce156ec545d",`, 7) + `"168eebeb0d2e4edca2258ce156ec545d"`
	if err := os.WriteFile(app+".members", []byte(`{"gateway":[`+strangers+`]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s.shortly(app, "member-query", "--members", "8")
	if held() != first {
		t.Error("the members of another database are still in the file")
	}
	if info, err := os.Stat(app + ".members"); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	if out := r.on("check"); !strings.Contains(out, "8 members checked, 0 differences") {
		t.Error(out)
	}
}

// A merchant that is no sandbox is left alone, unless somebody insists; then
// failures end the program with 1, after the report.
func TestBenchOfLiveMerchant(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.env = quiet
	r.on("merchant", "create", "--id", "1000", "--name", "live")
	app := filepath.Join(r.dir, "app.json")
	if err := os.WriteFile(app, []byte(r.on("app", "create", "--merchant", "1000", "--name", "till", "--json")), 0o600); err != nil {
		t.Fatal(err)
	}
	s := r.serve()
	args := []string{"--app", app, "--url", s.url, "-c", "2", "-d", "1s", "--warm-up", "0s", "--members", "2"}
	expectRefusal(t, r.run(append([]string{"bench", "points-change"}, args...)...), exitNo, "no sandbox")
	expectRefusal(t, r.run(append([]string{"bench", "echo", "--i-know-what-i-do"}, args...)...), exitNo, "only sandboxes have the echo")
	if out := r.on("check"); !strings.Contains(out, "0 members checked") {
		t.Error("members were registered: ", out)
	}
	got := r.run(append([]string{"bench", "points-change", "--i-know-what-i-do"}, args...)...)
	if got.code != 0 || !strings.Contains(got.out, "no errors") || !strings.Contains(got.out, "p99.9") {
		t.Errorf("%+v", got)
	}
	r.on("member", "disable", "--merchant", "1000", "--phone", "10000000000", "--reason", "test", "--operator", "test")
	got = r.run(append([]string{"bench", "points-change", "--i-know-what-i-do"}, args...)...)
	if got.code != exitNo || !strings.Contains(got.out, "1001") {
		t.Errorf("a member is disabled: %+v", got)
	}
}

func TestBenchCalledWrongly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.path("app.json")
	if err := os.WriteFile(app, []byte(`{"app_id":"a","merchant_id":"1000"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for flag, want := range map[string]string{
		"--members=0": "--members must", "--zipf=1": "--zipf must", "--connections=0": "--connections must",
		"--rate=-1": "--rate must", "--duration=0s": "--duration must", "--duration=2h": "--duration must",
		"--timeout=0s": "--timeout must", "--url=ftp://x": "--url must", "--door=back": "--door must",
	} {
		expectRefusal(t, r.run("bench", "echo", "--app", app, flag), exitUsage, want)
	}
	expectRefusal(t, r.run("bench", "nonsense", "--app", app), exitUsage, "must be one of")
	expectRefusal(t, r.run("bench", "echo", "--app", r.path("none.json")), exitUsage, "credentials")
}
