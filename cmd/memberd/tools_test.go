package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/writer"
)

func TestConfigurationMistakes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file string
		env  string
		args []string
		want string
	}{
		"unknown key":      {file: "lisen = \"127.0.0.1:0\"\n", args: []string{"serve"}, want: "line 1: there is no setting lisen"},
		"wrong value":      {file: "[log]\nformat = \"xml\"\n", args: []string{"check"}, want: "log.format: must be text or json"},
		"server's value":   {file: "queue = 0\n", args: []string{"serve"}, want: "queue: must be 1 to 65536, not 0"},
		"environment":      {env: "MEMBERD_TIMEOUT_READ=soon", args: []string{"serve"}, want: "environment MEMBERD_TIMEOUT_READ"},
		"database":         {env: "MEMBERD_DATABASE=mysql://u:hunter2@h/d", args: []string{"check"}, want: "database: must be"},
		"unknown flag":     {args: []string{"serve", "--lisen=x"}, want: "unknown flag --lisen"},
		"unknown command":  {args: []string{"sevre"}, want: "sevre"},
		"missing flag":     {args: []string{"merchant", "create"}, want: "--id"},
		"merchant's id":    {args: []string{"merchant", "create", "--id", "a b", "--name", "x"}, want: "merchant id"},
		"no member named":  {args: []string{"member", "show", "--merchant", "m1"}, want: "exactly one of"},
		"two members":      {args: []string{"member", "show", "--merchant", "m1", "--phone", phone, "--id", "1"}, want: "exactly one of"},
		"malformed phone":  {args: []string{"member", "show", "--merchant", "m1", "--phone", "123"}, want: "--phone must be 11 digits"},
		"reason is needed": {args: []string{"member", "erase", "--merchant", "m1", "--phone", phone}, want: "--reason"},
		"no label":         {args: []string{"member", "label", "--merchant", "m1", "--phone", phone, "--reason", "x"}, want: "exactly one of --add and --remove"},
		"two labels":       {args: []string{"member", "label", "--merchant", "m1", "--phone", phone, "--reason", "x", "--add", "a", "--remove", "b"}, want: "exactly one of --add and --remove"},
		"blanks in label":  {args: []string{"member", "label", "--merchant", "m1", "--phone", phone, "--reason", "x", "--add", " a"}, want: "without blanks around it"},
		"long label":       {args: []string{"member", "label", "--merchant", "m1", "--phone", phone, "--reason", "x", "--add", strings.Repeat("签", 256)}, want: "at most 255"},
		"no card":          {args: []string{"member", "card", "--merchant", "m1", "--phone", phone, "--reason", "x"}, want: "exactly one of --set and --remove"},
		"card without end": {args: []string{"member", "card", "--merchant", "m1", "--phone", phone, "--reason", "x", "--set", "88", "--name", "x"}, want: "--set needs --name and --until"},
		"end of no card":   {args: []string{"member", "card", "--merchant", "m1", "--phone", phone, "--reason", "x", "--remove", "88", "--until", "2027-12-31"}, want: "go with --set"},
		"no order":         {args: []string{"order", "show", "--merchant", "m1"}, want: "--no"},
		"reason is empty":  {args: []string{"member", "erase", "--merchant", "m1", "--phone", phone, "--reason", " "}, want: "--reason must be"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.env = []string{"MEMBERD_DATA=" + r.dir}
			if test.env != "" {
				r.env = append(r.env, test.env)
			}
			if test.file != "" {
				if err := os.WriteFile(r.path("memberd.toml"), []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got := r.run(test.args...)
			expectRefusal(t, got, exitUsage, test.want)
			if strings.Contains(got.err, "hunter2") {
				t.Error("a password is shown")
			}
		})
	}
}

func TestPrintConfig(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.env = []string{"MEMBERD_DATABASE=postgres://u:hunter2@h/d", "MEMBERD_KEY=hunter2"}
	for _, command := range [][]string{{"config"}, {"serve", "--print-config"}} {
		out := r.run(append(command, "--data", r.dir, "--queue=9")...)
		for _, want := range []string{"queue = 9", "# flag --queue", fmt.Sprint("batch = ", writer.MaxBatch), `database = "postgres://u:xxxxx@h/d"`, "# environment MEMBERD_DATABASE", "[timeout]"} {
			if out.code != 0 || !strings.Contains(out.out, want) {
				t.Errorf("%v: no %q in %d\n%s%s", command, want, out.code, out.out, out.err)
			}
		}
		if strings.Contains(out.out, "hunter2") {
			t.Error("a secret is printed")
		}
	}
}

// A misspelt folder is not made.
func TestNoDatabase(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.args = []string{"--data", r.path("typo")}
	for _, args := range [][]string{{"check"}, {"backup", r.path("b")}, {"app", "list", "--merchant", "m1"}, {"app", "create", "--merchant", "m1", "--name", "x"}} {
		r.refused(exitNo, "there is no database", args...)
	}
	if _, err := os.Stat(r.path("typo")); err == nil {
		t.Error("the folder was made")
	}
}

func TestVersionAndHelp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if got := r.run("version"); got.code != 0 || !strings.HasPrefix(got.out, "memberd ") {
		t.Error(got)
	}
	if got := r.run("serve", "--help"); got.code != 0 || !strings.Contains(got.out, "MEMBERD_RATE_LIMIT_PER_SECOND") {
		t.Error(got)
	}
	expectRefusal(t, r.run(), exitUsage, "memberd --help")
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig) {
		if out := r.on("migrate"); !strings.HasPrefix(out, "migrated from version 0 to ") {
			t.Error(out)
		}
		if out := r.on("migrate"); !strings.Contains(out, "nothing to do") {
			t.Error(out)
		}
		r.on("check")
	})
}

// check names the member, the field, what is stored and what it should be.
func TestCheckFindsDifferences(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.app("m1")
	s := r.serve()
	openID := register(t, s, app)
	s.must("wk.user.event.score.change", app, `{"open_id":"`+openID+`","change_event":"event_add","score":100,"change_reason":"x","change_id":"c1","out_biz_no":"b1"}`)
	r.on("check")
	r.exec("UPDATE member SET balance = balance + 1")
	got := r.run(append([]string{"check"}, r.args...)...)
	if got.code != exitNo || !strings.Contains(strings.Join(strings.Fields(got.out), " "), "100000000000000001 balance 101 100") {
		t.Errorf("%d\n%s%s", got.code, got.out, got.err)
	}
	got = r.run(append([]string{"check", "--json"}, r.args...)...)
	var result checkResult
	if err := json.Unmarshal([]byte(got.out), &result); err != nil || got.code != exitNo || result.Members != 1 || len(result.Differences) == 0 {
		t.Errorf("%d %v %s", got.code, err, got.out)
	}
}

// A backup of a live server is whole, and useless without the key.
func TestBackup(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.app("m1")
	s := r.serve()
	register(t, s, app)
	copied := newRig(t)
	if out := r.on("backup", copied.path("memberd.db")); !strings.Contains(out, "memberd.key apart") {
		t.Error(out)
	}
	r.refused(exitNo, "never overwrites", "backup", copied.path("memberd.db"))
	copied.refused(exitNo, "encryption key missing", "member", "show", "--merchant", "m1", "--phone", phone)
	if err := os.WriteFile(copied.path("memberd.key"), []byte(mustRead(t, r.path("memberd.key"))), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := copied.on("member", "show", "--merchant", "m1", "--phone", phone, "--reveal"); !strings.Contains(out, phone) {
		t.Error(out)
	}
	copied.on("check")
}

func TestBackupOfPostgresIsItsOwnMatter(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig) {
		if len(r.args) == 2 {
			t.Skip("SQLite is copied in TestBackup")
		}
		r.on("migrate")
		r.refused(exitNo, "pg_dump", "backup", r.path("x"))
	})
}

func TestCallTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.app("m1")
	s := r.serve()
	file := app + ".token"
	read := func() (held tokens) {
		t.Helper()
		if err := json.Unmarshal([]byte(mustRead(t, file)), &held); err != nil {
			t.Fatal(err)
		}
		return held
	}
	change := func(edit func(*tokens)) {
		t.Helper()
		held := read()
		edit(&held)
		text, err := json.Marshal(held)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		s.must("wk.user.level.list", app, "")
	}
	s.must("wk.user.level.list", app, "")
	first := read()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	change(func(*tokens) {})
	if read() != first {
		t.Error("a good token was renewed")
	}
	change(func(held *tokens) { held.AccessExpires = 1 })
	if refreshed := read(); refreshed.Access == first.Access || refreshed.Refresh != first.Refresh {
		t.Error("an expired token was not refreshed")
	}
	change(func(held *tokens) { held.Access = "at" + strings.Repeat("0", 32) })
	if read().Refresh != first.Refresh {
		t.Error("a token that the server does not know was not refreshed")
	}
	change(func(held *tokens) { held.AccessExpires, held.Refresh = 1, "rt"+strings.Repeat("0", 32) })
	if asked := read(); asked.Refresh == first.Refresh {
		t.Error("no new pair in place of a refresh token that is gone")
	}
	s.must("dss.auth.token.refresh", app, "")
	s.must("dss.auth.token.query", app, "")
}

func TestCallRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.app("m1")
	s := r.serve()
	expectRefusal(t, s.call("wk.user.info.query", app, `{"phone":`), exitUsage, "--data is not JSON")
	expectRefusal(t, s.call("member/getMembers", app, ""), exitUsage, "neither a gateway method")
	expectRefusal(t, s.call("wk.user.info.query", r.path("none"), ""), exitUsage, "credentials")
	if got := s.call("wk.user.info.queer", app, ""); got.code != exitNo || decode(t, got.out)["error_code"] != 1008.0 {
		t.Error(got)
	}
	if got := s.call("/member/getMembers", app, `{"partnerId":"m2"}`); got.code != exitNo || decode(t, got.out)["statusCode"] != "1001" {
		t.Error(got)
	}
	nobody := &server{rig: r, url: "http://127.0.0.1:1"}
	expectRefusal(t, nobody.call("/member/getMembers", app, ""), exitUsage, "cannot be reached")
	got := nobody.call("wk.user.level.list", app, "")
	expectRefusal(t, got, exitUsage, "cannot be reached")
	if strings.Contains(got.err, "sign=") || strings.Contains(got.err, "app_id") {
		t.Error("the error shows the signed URL")
	}
}

// An answer that somebody else signed, or nobody, is not to be trusted.
func TestCallChecksTheAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.app("m1")
	s := r.serve()
	r.on("merchant", "create", "--id", "m2", "--name", "x")
	other := decode(t, r.on("app", "create", "--merchant", "m2", "--name", "x", "--json"))
	forged := r.path("forged.json")
	text := decode(t, mustRead(t, app))
	text["envelope_platform_public_key"] = other["envelope_platform_public_key"]
	encoded, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(forged, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	expectRefusal(t, s.call("/member/getMembers", forged, `{"partnerId":"m1"}`), exitUsage, "signature is WRONG")
	if got := s.call("/member/getMembers", app, `{"partnerId":"m1"}`); got.code != 0 {
		t.Error(got)
	}
	unsigned := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"ver":"1","statusCode":"100","message":"成功","responseBody":"{}"}`))
	}))
	defer unsigned.Close()
	fake := &server{rig: r, url: unsigned.URL}
	expectRefusal(t, fake.call("/member/getMembers", app, ""), exitUsage, "NOT SIGNED")
}
