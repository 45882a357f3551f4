package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

const (
	sendTo = `{"target":"` + phone + `"}`
	judge  = `{"phone":"` + phone + `","verify_code":"%s"}`
)

// A code goes to the outbox of either server on a database, and is right at any
// of them, once.
func TestTextMessages(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig) {
		app := r.app("m1")
		s := r.serve()
		s.must("wk.sms.verify.send", app, sendTo)
		code := r.texted()
		if info, err := os.Stat(r.path("sms-outbox.jsonl")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("outbox: %v, %v", info, err)
		}
		expectRefusal(t, s.call("wk.sms.verify.send", app, sendTo), exitNo, "")
		if s.stop() != 0 {
			t.Error("exit code")
		}
		if !strings.Contains(s.out.String(), r.path("sms-outbox.jsonl")) {
			t.Errorf("the outbox is not named:\n%s", s.out)
		}
		next := r.serve()
		next.must("wk.sms.verify.judge", app, fmt.Sprintf(judge, code))
		if got := next.call("wk.sms.verify.judge", app, fmt.Sprintf(judge, code)); !strings.Contains(got.out, "140005") {
			t.Errorf("a used code: %s%s", got.out, got.err)
		}
		for _, secret := range []string{phone, "验证码"} {
			if strings.Contains(s.log.String()+next.log.String(), secret) {
				t.Errorf("%s is in the log", secret)
			}
		}
	})
}

// texted is the code of the newest message in the outbox.
func (r *rig) texted() string {
	r.t.Helper()
	text, err := os.ReadFile(r.path("sms-outbox.jsonl"))
	if err != nil {
		r.t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var m struct{ Phone, Code, Text string }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &m); err != nil || m.Phone != phone || len(m.Code) != 4 || !strings.Contains(m.Text, m.Code) {
		r.t.Fatalf("outbox: %v in\n%s", err, text)
	}
	return m.Code
}

// The HTTP sender, from configuration file to provider.
func TestTextMessagesByHTTP(t *testing.T) {
	t.Parallel()
	got := make(chan string, 2)
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r.Header.Get("X-Key") + " " + string(body)
		_, _ = io.WriteString(w, `{"code":0}`)
	}))
	t.Cleanup(provider.Close)
	r := newRig(t)
	app := r.app("m1")
	config := fmt.Sprintf("[sms]\nsender = \"http\"\nurl = \"%s/hunter2\"\nheader = [\"X-Key: a, b\"]\nbody = '{\"to\":\"{phone}\",\"code\":\"{code}\"}'\nsuccess = '\"code\":0'\n", provider.URL)
	if err := os.WriteFile(r.path("memberd.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s := r.serve()
	s.must("wk.sms.verify.send", app, sendTo)
	first := <-got
	body, ok := strings.CutPrefix(first, "a, b ")
	var m struct{ To, Code string }
	if err := json.Unmarshal([]byte(body), &m); !ok || err != nil || m.To != phone {
		t.Fatalf("the provider got %q", first)
	}
	s.must("wk.sms.verify.judge", app, fmt.Sprintf(judge, m.Code))
	if _, err := os.Stat(r.path("sms-outbox.jsonl")); err == nil {
		t.Error("there is an outbox as well")
	}
	provider.Close()
	other := strings.Replace(sendTo, phone, "13900139000", 1)
	if got := s.call("wk.sms.verify.send", app, other); !strings.Contains(got.out, "140001") {
		t.Errorf("without the provider: %s%s", got.out, got.err)
	}
	log := s.log.String()
	if !strings.Contains(log, "sms not sent") || strings.Contains(log, "13900139000") || strings.Contains(log, "hunter2") {
		t.Errorf("log:\n%s", log)
	}
}

// What is wrong with a sender is said before anything is made.
func TestTextMessageMistakes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		env  []string
		want string
	}{
		"sender":   {[]string{"MEMBERD_SMS_SENDER=pigeon"}, "sms.sender: must be file, http, aliyun or tencent"},
		"no url":   {[]string{"MEMBERD_SMS_SENDER=http"}, "sms.url: must be there"},
		"no phone": {[]string{"MEMBERD_SMS_SENDER=http", "MEMBERD_SMS_URL=https://h/hunter2", "MEMBERD_SMS_BODY={}"}, "sms.body: needs {phone}"},
		"no key":   {[]string{"MEMBERD_SMS_SENDER=aliyun"}, "sms.aliyun.access_key_id: must be there"},
		"endpoint": {providers["aliyun"].env("https://h/hunter2"), "sms.aliyun.endpoint: must be a host only"},
		"secret":   {append(providers["tencent"].env("https://h"), "MEMBERD_SMS_TENCENT_SECRET_KEY=hunter2 x"), "sms.tencent.secret_key: must be as"},
		"header":   {[]string{"MEMBERD_SMS_SENDER=http", "MEMBERD_SMS_URL=https://h", "MEMBERD_SMS_BODY={phone}{code}", "MEMBERD_SMS_HEADER=hunter2"}, "sms.header: number 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.args = []string{"--data", r.path("new")}
			r.env = test.env
			r.refused(exitUsage, test.want, "serve")
			if got := r.run("serve", "--data", r.path("new")); strings.Contains(got.err, "hunter2") {
				t.Error("a secret is shown")
			}
			if _, err := os.Stat(r.path("new")); err == nil {
				t.Error("the folder was made")
			}
		})
	}
}
