package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const phone = "13812345678"

func register(t testing.TB, s *server, app string) (openID string) {
	t.Helper()
	answer := s.must("wk.user.info.add", app, `{"project_id":"p1","nickname":"小明","phone":"`+phone+`","birthday":"1990-01-02","gender":1,"realname":"王小明"}`)
	openID, _ = answer["data"].(string)
	if len(openID) != 32 {
		t.Fatalf("no open id in %v", answer)
	}
	return openID
}

// The whole way of an integrator and an operator, subcommands beside a running
// server, on both databases.
func TestWholeWay(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig) {
		app := r.app("m1")
		s := r.serve()
		openID := register(t, s, app)
		change := `{"open_id":"` + openID + `","change_event":"event_add","score":100,"change_reason":"开卡礼","change_id":"c1","out_biz_no":"b1"}`
		first := s.must("wk.user.event.score.change", app, change)
		if diff := cmp.Diff(first, s.must("wk.user.event.score.change/v1", app, change)); diff != "" {
			t.Error("the same change again:", diff)
		}
		answer := s.must("/member/getMemberInfoByIdOrMobile", app, `{"partnerId":"m1","mobile":"`+phone+`","showScoreSwitch":"1"}`)
		if body, _ := answer["responseBody"].(map[string]any); body["currentScore"] != 100.0 || body["mobile"] != phone {
			t.Errorf("envelope: %v", answer)
		}
		overdraw := `{"open_id":"` + openID + `","change_event":"event_subtract","score":101,"change_reason":"x","change_id":"c2","out_biz_no":"b2"}`
		got := s.call("wk.user.event.score.change", app, overdraw)
		if got.code != exitNo || decode(t, got.out)["error_code"] != 150003.0 {
			t.Errorf("overdraw: exit code %d, %s", got.code, got.out)
		}
		operate(t, r, s, app)
		if out := r.on("check"); out != "1 members checked, 0 differences\n" {
			t.Error(out)
		}
		if code := s.stop(); code != 0 {
			t.Errorf("exit code %d\n%s", code, s.log)
		}
		for _, secret := range []string{phone, "13912345678", "王小明", "小明", openID} {
			if strings.Contains(s.log.String()+s.out.String(), secret) {
				t.Errorf("the server's log holds %s", secret)
			}
		}
	})
}

// operate is the operator's part of the way.
func operate(t *testing.T, r *rig, s *server, app string) {
	t.Helper()
	who := []string{"--merchant", "m1", "--phone", phone}
	member := func(verb string, more ...string) string {
		return r.on(append(append([]string{"member", verb}, who...), more...)...)
	}
	shown := member("show")
	for want, there := range map[string]bool{"138****5678": true, "王**": true, phone: false, "王小明": false, "1990": false, "一级会员": true} {
		if strings.Contains(shown, want) != there {
			t.Errorf("show: %q there: %v\n%s", want, !there, shown)
		}
	}
	if revealed := member("show", "--reveal"); !strings.Contains(revealed, phone) || !strings.Contains(revealed, "王小明") {
		t.Errorf("show --reveal:\n%s", revealed)
	}
	member("disable", "--reason", "lost card", "--operator", "lin")
	query := `{"phone":"` + phone + `"}`
	if got := s.call("wk.user.code.generate", app, query); got.code != exitNo || !strings.Contains(got.out, "会员已停用") {
		t.Errorf("code of a disabled member: %d %s", got.code, got.out)
	}
	r.refused(exitNo, "nothing to change", "member", "disable", "--merchant", "m1", "--phone", phone, "--reason", "again")
	member("enable", "--reason", "found it")
	s.must("wk.user.code.generate", app, query)
	member("rephone", "--to", "13912345678", "--reason", "new number")
	r.refused(exitNo, "there is no such member", append([]string{"member", "show"}, who...)...)
	who[3] = "13912345678"
	exported := decode(t, member("export"))
	profile, _ := exported["profile"].(map[string]any)
	entries, _ := exported["entries"].([]any)
	audit, _ := exported["changes_by_operators"].([]any)
	if profile["phone"] != "13912345678" || profile["real_name"] != "王小明" || profile["nickname"] != "小明" || len(entries) != 1 || len(audit) != 3 {
		t.Errorf("export: %v", exported)
	}
	id, _ := exported["member_id"].(string)
	who[2], who[3] = "--id", id
	member("erase", "--reason", "asked for it")
	if shown := member("show", "--reveal"); !strings.Contains(shown, "erased") || strings.Contains(shown, "13912345678") || !strings.Contains(shown, "asked for it") {
		t.Errorf("after erasing:\n%s", shown)
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	file := r.app("m1")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			names = append(names, strings.Trim(name, `"`))
		}
	}
	want := []string{"app_id", "app_secret", "merchant_id", "envelope_private_key", "envelope_platform_public_key"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	table := r.on("app", "create", "--merchant", "m1", "--name", "other", "--id", "other", "--space", "s2", "--callback-url", "https://example.com/x")
	for _, want := range []string{"app_id", "other", "s2", "https://example.com/x", "shown once"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
	list := r.on("app", "list", "--merchant", "m1")
	if !strings.Contains(list, "other") || strings.Count(list, "\n") != 3 {
		t.Error(list)
	}
	r.refused(exitNo, "app other exists already", "app", "create", "--merchant", "m1", "--name", "x", "--id", "other")
	r.refused(exitNo, "no such merchant", "app", "create", "--merchant", "m2", "--name", "x")
	r.refused(exitUsage, "callback url", "app", "create", "--merchant", "m1", "--name", "x", "--callback-url", "ftp://x")
	r.refused(exitNo, "there is no app nobody", "app", "disable", "nobody")
	r.refused(exitNo, "merchant m1 exists already", "merchant", "create", "--id", "m1", "--name", "x")
}

// A running server honours a disabled app within 2 seconds.
func TestDisabledApp(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig) {
		app := r.app("m1")
		s := r.serve()
		s.must("wk.user.level.list", app, "")
		id, _ := decode(t, mustRead(t, app))["app_id"].(string)
		until := func(state string, code int) {
			t.Helper()
			r.on("app", state, id)
			deadline := time.Now().Add(3 * time.Second) // 2 s and the calls' own time
			for s.call("/member/getMembers", app, `{"partnerId":"m1"}`).code != code {
				if time.Now().After(deadline) {
					t.Fatalf("app %s: not honoured in time", state)
				}
			}
		}
		until("disable", exitNo)
		until("enable", 0)
	})
}

func mustRead(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSecondServeIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.serve()
	r.refused(exitNo, "another memberd serve is running", "serve", "--listen", "127.0.0.1:0")
	if code := s.stop(); code != 0 {
		t.Fatal(code)
	}
	r.serve() // the lock is free again
}

// Several servers may stand on one PostgreSQL, and a token of one is good at
// the other.
func TestTwoServersOnPostgres(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig) {
		if len(r.args) == 2 {
			t.Skip("SQLite has one server")
		}
		app := r.app("m1")
		one, two := r.serve(), r.serve()
		openID := register(t, one, app)
		token := mustRead(t, app+".token")
		two.must("wk.user.info.query", app, `{"open_id":"`+openID+`"}`)
		if mustRead(t, app+".token") != token {
			t.Error("the token of one server was not good at the other")
		}
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.app("m1")
	other := newRig(t)
	other.app("m1")
	key := mustRead(t, r.path("memberd.key"))

	r.env = []string{"MEMBERD_KEY=" + mustRead(t, other.path("memberd.key"))}
	r.refused(exitNo, "does not belong to this database", "serve", "--listen", "127.0.0.1:0")
	r.env = []string{"MEMBERD_KEY=" + key}
	if err := os.Rename(r.path("memberd.key"), r.path("elsewhere")); err != nil {
		t.Fatal(err)
	}
	r.on("check") // with the environment alone
	r.env = nil
	r.refused(exitNo, "encryption key missing", "serve", "--listen", "127.0.0.1:0")
	if _, err := os.Stat(r.path("memberd.key")); err == nil {
		t.Error("a second key was made for a database that has one")
	}
}

func TestMerchantSettings(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.unsignedApp()
	document := r.on("merchant", "settings", "--id", demoMerchant)
	file := r.path("settings.json")
	replace := func(from, to string) {
		t.Helper()
		text := strings.Replace(document, from, to, 1)
		if text == document {
			t.Fatalf("%s is not in %s", from, document)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	apply := []string{"merchant", "settings", "--id", demoMerchant, "--file", file, "--reason", "test"}
	replace(`"max_credit": 1000000`, `"max_credit": 5`)
	s := r.serve()
	if got := r.on(apply...); !strings.Contains(got, "settings version 2") {
		t.Error(got)
	}
	if _, body := s.post("/member/register/mobile", registration("15623261994")); decode(t, body)["statusCode"] != "100" {
		t.Fatal(body)
	}
	// In force at once, in a server that runs.
	got := s.call("/member/score/sendScore", app, `{"mobile":"15623261994","memberId":"100000000000000001","score":6,"operationType":1,"idempotencyBussinessId":"1"}`)
	if decode(t, got.out)["statusCode"] != "1001" {
		t.Error(got.out)
	}
	r.refused(exitUsage, "needs a --reason", apply[:6:6]...)
	replace(`"max_credit"`, `"max_credits"`)
	r.refused(exitUsage, "lacks max_credit", apply...)
	replace(`"max_credit": 1000000`, `"max_credit": 1000000, "surprise": 1`)
	r.refused(exitUsage, "surprise", apply...)
	replace(`"num": 1,`, ``)
	r.refused(exitUsage, "lacks points.rate.num", apply...)
	replace(`"max_credit": 1000000`, `"max_credit": -1`)
	r.refused(exitNo, "max_credit", apply...)
	replace(`"threshold": 300`, `"threshold": 301`)
	if got := r.on(apply...); !strings.Contains(got, "settings version 3") { // members or not
		t.Error(got)
	}
	r.refused(exitNo, "no such merchant", "merchant", "settings", "--id", "none")
}
