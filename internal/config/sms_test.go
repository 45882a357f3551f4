package config

import (
	"maps"
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

// cloudEnv is the whole of both providers' settings.
var cloudEnv = map[string]map[string]string{
	"aliyun": {
		"MEMBERD_SMS_SENDER": "aliyun", "MEMBERD_SMS_ALIYUN_ACCESS_KEY_ID": "IDhunter2", "MEMBERD_SMS_ALIYUN_ACCESS_KEY_SECRET": "SEChunter2",
		"MEMBERD_SMS_ALIYUN_SIGN_NAME": "阿里云", "MEMBERD_SMS_ALIYUN_TEMPLATE": "SMS_154950909", "MEMBERD_SMS_ALIYUN_PARAM": "number",
		"MEMBERD_SMS_ALIYUN_ENDPOINT": "https://u:hunter2@sms.example",
	},
	"tencent": {
		"MEMBERD_SMS_SENDER": "tencent", "MEMBERD_SMS_TENCENT_SECRET_ID": "IDhunter2", "MEMBERD_SMS_TENCENT_SECRET_KEY": "SEChunter2",
		"MEMBERD_SMS_TENCENT_APP_ID": "1400006666", "MEMBERD_SMS_TENCENT_SIGN_NAME": "腾讯云", "MEMBERD_SMS_TENCENT_TEMPLATE": "1110",
		"MEMBERD_SMS_TENCENT_REGION": "ap-beijing", "MEMBERD_SMS_TENCENT_ENDPOINT": "https://u:hunter2@sms.example",
	},
}

// A provider's settings come from the environment, are complete, and show no
// key; what is printed reads back.
func TestSMSProviders(t *testing.T) {
	t.Parallel()
	wants := map[string]SMS{
		"aliyun": {Aliyun: Aliyun{"IDhunter2", "SEChunter2", "阿里云", "SMS_154950909", "number", "https://u:hunter2@sms.example"}, Tencent: Tencent{Region: "ap-guangzhou", Endpoint: "https://sms.tencentcloudapi.com"}},
		"tencent": {
			Tencent: Tencent{"IDhunter2", "SEChunter2", "1400006666", "腾讯云", "1110", "ap-beijing", "https://u:hunter2@sms.example"}, Aliyun: Aliyun{Param: "code", Endpoint: "https://dysmsapi.aliyuncs.com"},
		},
	}
	for name, env := range cloudEnv {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := parse(t, env, "serve", "--data", t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if err := r.config.Check(); err != nil {
				t.Fatal(err)
			}
			want := wants[name]
			want.Sender, want.Timeout = name, r.config.SMS.Timeout
			if diff := cmp.Diff(want, r.config.SMS); diff != "" {
				t.Error(diff)
			}
			var text strings.Builder
			if err := r.resolver.Print(&text, &r.config, r.ctx); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(text.String(), "hunter2") || !strings.Contains(text.String(), name+`.endpoint = "https://sms.example/xxxxx"`) || strings.Count(text.String(), `"xxxxx"`) != 2 {
				t.Errorf("printed:\n%s", text.String())
			}
			again, err := parse(t, nil, "serve", "--data", folder(t, text.String()[strings.Index(text.String(), "[sms]"):]))
			if err != nil || again.config.SMS.Sender != name || again.config.SMS.Aliyun.SignName != want.Aliyun.SignName || again.config.SMS.Tencent.AppID != want.Tencent.AppID {
				t.Errorf("what is printed does not read back: %v", err)
			}
		})
	}
}

// The file has them as a table of its own.
func TestSMSProviderFile(t *testing.T) {
	t.Parallel()
	r, err := parse(t, nil, "serve", "--sms-aliyun-template=SMS_2", "--data", folder(t, "[sms]\nsender = \"aliyun\"\n[sms.aliyun]\naccess_key_id = \"a\"\naccess_key_secret = \"b\"\nsign_name = \"云\"\ntemplate = \"SMS_1\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := Aliyun{"a", "b", "云", "SMS_2", "code", "https://dysmsapi.aliyuncs.com"}
	if diff := cmp.Diff(want, r.config.SMS.Aliyun); diff != "" {
		t.Error(diff)
	}
}

// Each key that a provider needs is asked for, and has no meaning to others.
func TestSMSProviderKeys(t *testing.T) {
	t.Parallel()
	for name, env := range cloudEnv {
		for variable := range env {
			if strings.HasSuffix(variable, "_SENDER") || strings.HasSuffix(variable, "_PARAM") || strings.HasSuffix(variable, "_REGION") || strings.HasSuffix(variable, "_ENDPOINT") {
				continue
			}
			key := "sms." + name + "." + strings.ToLower(variable[len("MEMBERD_SMS_")+len(name)+1:])
			less := maps.Clone(env)
			delete(less, variable)
			expectWrong(t, less, key+": must be there for sms.sender "+name)
			other := map[string]string{variable: "hunter2"}
			expectWrong(t, other, key+": has no meaning without sms.sender "+name)
		}
		mixed := maps.Clone(env)
		mixed["MEMBERD_SMS_BODY"] = "hunter2"
		expectWrong(t, mixed, "sms.body: has no meaning without sms.sender http")
	}
}

func expectWrong(t *testing.T, env map[string]string, want string) {
	t.Helper()
	r, err := parse(t, env, "serve", "--data", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.config.Check(); err == nil || err.Error() != want {
		t.Errorf("%v, want %q", err, want)
	}
}
