package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Headers come from each source, commas and all.
func TestSMSHeaders(t *testing.T) {
	t.Parallel()
	const file = "[sms]\nsender = \"http\"\nurl = \"https://h\"\nbody = \"b\"\nheader = [\"X-Key: a, b\", 'X-Path: \\c']\n"
	want := []string{"X-Key: a, b", `X-Path: \c`}
	for name, test := range map[string]struct {
		file string
		env  map[string]string
		args []string
		want []string
	}{
		"none":        {"", nil, nil, nil},
		"empty list":  {"[sms]\nheader = []\n", nil, nil, nil},
		"file":        {file, nil, nil, want},
		"environment": {"", map[string]string{"MEMBERD_SMS_HEADER": "X-Key: a, b\nX-Path: \\c\n"}, nil, want},
		"flags":       {"", nil, []string{"--sms-header=X-Key: a, b", `--sms-header=X-Path: \c`}, want},
		"flag wins":   {file, map[string]string{"MEMBERD_SMS_HEADER": "A: 1"}, []string{"--sms-header", "B: 2"}, []string{"B: 2"}},
		"env wins":    {file, map[string]string{"MEMBERD_SMS_HEADER": "A: 1"}, nil, []string{"A: 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := parse(t, test.env, append([]string{"serve", "--data", folder(t, test.file)}, test.args...)...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, r.config.SMS.Headers()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What may be a credential is not printed, and what is printed is TOML.
func TestSMSIsMasked(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"MEMBERD_SMS_SENDER": "http", "MEMBERD_SMS_URL": "https://user:hunter2@sms.example:8443/hunter2?key=hunter2",
		"MEMBERD_SMS_HEADER": "Content-Type: application/json\nX-Key: hunter2\nhunter2",
		"MEMBERD_SMS_BODY":   `{"key":"hunter2"}`, "MEMBERD_SMS_SUCCESS": `"code":"OK"`,
	}
	r, err := parse(t, env, "serve", "--data", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := r.resolver.Print(&text, &r.config, r.ctx); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`url = "https://sms.example:8443/xxxxx"`, `header = ["Content-Type: application/json", "X-Key: xxxxx", "xxxxx"]`,
		`body = "xxxxx"`, `success = "\"code\":\"OK\""`, "# environment MEMBERD_SMS_URL",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %s in\n%s", want, text.String())
		}
	}
	if strings.Contains(text.String(), "hunter2") {
		t.Errorf("a secret is printed:\n%s", text.String())
	}
	if _, err := parse(t, nil, "serve", "--data", folder(t, text.String()[strings.Index(text.String(), "[sms]"):])); err != nil {
		t.Errorf("what is printed cannot be read: %v", err)
	}
	for url, want := range map[string]string{"": "", "https://h": "https://h", "https://h/": "https://h/xxxxx", "hunter2": "xxxxx", "https://u:p@%zz": "xxxxx"} {
		if got := onlyHost(url); got != want {
			t.Errorf("%s: %s", url, got)
		}
	}
}
