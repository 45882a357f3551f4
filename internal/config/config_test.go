package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

// program is a command line as cmd/memberd has it.
type program struct {
	Serve struct {
		Config string `name:"config"`
		Common
		Server
	} `cmd:""`
	Other struct {
		Config string `name:"config"`
		Common
		Name string `name:"name"`
	} `cmd:""`
	Apart struct {
		Data string `name:"data"`
	} `cmd:""`
}

type run struct {
	config   Config
	resolver *Resolver
	ctx      *kong.Context
	command  program
}

func parse(t *testing.T, env map[string]string, args ...string) (*run, error) {
	t.Helper()
	r := &run{resolver: NewResolver(func(name string) (string, bool) { v, ok := env[name]; return v, ok })}
	parser, err := kong.New(&r.command, kong.Resolvers(r.resolver), kong.ValueFormatter(HelpValue), kong.Exit(func(int) { t.Error("kong wants to exit") }))
	if err != nil {
		t.Fatal(err)
	}
	r.ctx, err = parser.Parse(args)
	r.config = Config{r.command.Serve.Common, r.command.Serve.Server}
	return r, err
}

// folder is a fresh data folder; a text makes memberd.toml in it.
func folder(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if text != "" {
		if err := os.WriteFile(filepath.Join(dir, FileName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	r, err := parse(t, map[string]string{"MEMBERD_DATA": t.TempDir()}, "serve")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.config.Check(); err != nil {
		t.Fatal(err)
	}
	want := Server{
		Listen: "127.0.0.1:8080", MaxBody: 1 << 20, Queue: 2048, Batch: 128,
		Timeout: Timeout{Duration(5 * time.Second), Duration(15 * time.Second), Duration(30 * time.Second), Duration(2 * time.Minute)},
		SMS: SMS{
			Sender: SMSFile, Timeout: Duration(10 * time.Second),
			Aliyun:  Aliyun{Param: "code", Endpoint: "https://dysmsapi.aliyuncs.com"},
			Tencent: Tencent{Region: "ap-guangzhou", Endpoint: "https://sms.tencentcloudapi.com"},
		},
		Callback: Callback{
			RetryBase: Duration(time.Minute), Workers: 256, PerApp: 32, Keep: Duration(30 * 24 * time.Hour),
		},
	}
	if diff := cmp.Diff(want, r.config.Server); diff != "" {
		t.Error(diff)
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	dir := folder(t, "listen = \"127.0.0.1:1\"\nqueue = 7\n[log]\nlevel = \"warn\"\n[timeout]\nidle = \"9s\"\n")
	env := map[string]string{"MEMBERD_DATA": dir, "MEMBERD_LISTEN": "127.0.0.1:2", "MEMBERD_LOG_LEVEL": "", "MEMBERD_TIMEOUT_READ": "3s"}

	r, err := parse(t, env, "serve", "--queue=8")
	if err != nil {
		t.Fatal(err)
	}
	c := r.config
	got := []any{c.Data, c.Queue, c.Listen, c.Log.Level, c.Timeout.Idle, c.Timeout.Read, c.Log.Format}
	want := []any{dir, 8, "127.0.0.1:2", "warn", Duration(9 * time.Second), Duration(3 * time.Second), "text"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("data(env) queue(flag) listen(env) level(file; empty env) idle(file) read(env) format(default):", diff)
	}

	r, err = parse(t, env, "serve", "--listen=127.0.0.1:3")
	if err != nil {
		t.Fatal(err)
	}
	if r.config.Listen != "127.0.0.1:3" || r.config.Queue != 7 {
		t.Errorf("flag over environment: listen %s, queue %d", r.config.Listen, r.config.Queue)
	}
}

func TestWhichFile(t *testing.T) {
	t.Parallel()
	dir := folder(t, "queue = 1")
	named := filepath.Join(t.TempDir(), "named.toml")
	if err := os.WriteFile(named, []byte("queue = 2\ndata = \"elsewhere\""), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		env   map[string]string
		args  []string
		queue int
		data  string
	}{
		"data flag":        {nil, []string{"serve", "--data", dir}, 1, dir},
		"data environment": {map[string]string{"MEMBERD_DATA": dir}, []string{"serve"}, 1, dir},
		"config flag":      {map[string]string{"MEMBERD_CONFIG": "none"}, []string{"serve", "--config", named}, 2, "elsewhere"},
		"config env":       {map[string]string{"MEMBERD_CONFIG": named}, []string{"serve", "--data", dir}, 2, dir},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := parse(t, test.env, test.args...)
			if err != nil {
				t.Fatal(err)
			}
			if r.config.Queue != test.queue || r.config.Data != test.data {
				t.Errorf("queue %d, data %s; want %d, %s", r.config.Queue, r.config.Data, test.queue, test.data)
			}
		})
	}
}

func TestFileMistakesAreNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"unknown key":       {"listen = \"127.0.0.1:1\"\nlisten_adress = 1\n", "line 2: there is no setting listen_adress"},
		"unknown in table":  {"[log]\n\nfromat = \"json\"\n", "line 3: there is no setting log.fromat"},
		"unknown table":     {"[lgo]\nformat = \"json\"\n", "there is no setting lgo"},
		"wrong type":        {"\n\nqueue = \"many\"\n", "line 3, column"},
		"not a duration":    {"[timeout]\nread = \"soon\"\n", "timeout.read"},
		"not TOML":          {"listen = 127.0.0.1:8080\n", "line 1, column"},
		"data inside data":  {"data = \"x\"\n", "data cannot be set in the data folder's own file"},
		"secret key refuse": {"key = \"x\"\n", "there is no setting key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, test.text)
			_, err := parse(t, nil, "serve", "--data", dir)
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), FileName) {
				t.Errorf("error %q does not name the file and say %q", err, test.want)
			}
		})
	}
}

func TestMissingNamedFile(t *testing.T) {
	t.Parallel()
	if _, err := parse(t, nil, "serve", "--config", filepath.Join(t.TempDir(), "none.toml")); err == nil {
		t.Error("a named file that is missing must be an error")
	}
}

func TestEnvironmentMistakeIsNamed(t *testing.T) {
	t.Parallel()
	_, err := parse(t, map[string]string{"MEMBERD_DATA": t.TempDir(), "MEMBERD_QUEUE": "lots"}, "serve")
	if err == nil || !strings.Contains(err.Error(), "environment MEMBERD_QUEUE") {
		t.Errorf("got %v", err)
	}
}

// A subcommand's own flags are never taken from the file or the environment.
func TestOtherFlagsStay(t *testing.T) {
	t.Parallel()
	r, err := parse(t, map[string]string{"MEMBERD_DATA": t.TempDir(), "MEMBERD_NAME": "x"}, "other")
	if err != nil || r.command.Other.Name != "" {
		t.Errorf("name %q, %v", r.command.Other.Name, err)
	}
	r, err = parse(t, map[string]string{"MEMBERD_DATA": t.TempDir()}, "apart")
	if err != nil || r.command.Apart.Data != "" {
		t.Errorf("another flag named data: %q, %v", r.command.Apart.Data, err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"data":           {func(c *Config) { c.Data = " " }, "data: must name a folder"},
		"database":       {func(c *Config) { c.Database = "mysql://root:hunter2@x/y" }, "database: must be"},
		"empty sqlite":   {func(c *Config) { c.Database = "sqlite:" }, "database: must be"},
		"format":         {func(c *Config) { c.Log.Format = "xml" }, `log.format: must be text or json, not "xml"`},
		"level":          {func(c *Config) { c.Log.Level = "loud" }, "log.level:"},
		"no port":        {func(c *Config) { c.Listen = "localhost" }, "listen: must be HOST:PORT"},
		"bad port":       {func(c *Config) { c.Listen = "localhost:99999" }, "listen:"},
		"admin":          {func(c *Config) { c.AdminListen = "x" }, "admin_listen:"},
		"body":           {func(c *Config) { c.MaxBody = 2 << 20 }, "max_body: must be 1024 to 1048576"},
		"queue":          {func(c *Config) { c.Queue = 0 }, "queue: must be 1 to"},
		"batch":          {func(c *Config) { c.Batch = 129 }, "batch: must be 1 to 128, not 129"},
		"drain":          {func(c *Config) { c.DrainDelay = Duration(6 * time.Second) }, "drain_delay: must be 0s to 5s, not 6s"},
		"timeout":        {func(c *Config) { c.Timeout.Write = 0 }, "timeout.write:"},
		"burst alone":    {func(c *Config) { c.RateLimit.Burst = 3 }, "rate_limit.burst: has no meaning"},
		"sender":         {func(c *Config) { c.SMS.Sender = "pigeon" }, `sms.sender: must be file, http, aliyun or tencent, not "pigeon"`},
		"url of a file":  {func(c *Config) { c.SMS.URL = "https://u:hunter2@h" }, "sms.url: has no meaning without sms.sender http"},
		"header, file":   {func(c *Config) { c.SMS.Header = []string{"A: hunter2"} }, "sms.header: has no meaning"},
		"no url":         {func(c *Config) { c.SMS = SMS{Sender: SMSHTTP, Body: "b"} }, "sms.url: must be there"},
		"no body":        {func(c *Config) { c.SMS = SMS{Sender: SMSHTTP, URL: "https://h"} }, "sms.body: must be there"},
		"url of FTP":     {func(c *Config) { c.SMS = SMS{Sender: SMSHTTP, URL: "ftp://hunter2@h", Body: "b"} }, "sms.url: must be a URL"},
		"phone in url":   {func(c *Config) { c.SMS = SMS{Sender: SMSHTTP, URL: "https://h/?to={phone}", Body: "b"} }, "sms.url: places for the message"},
		"sms timeout":    {func(c *Config) { c.SMS.Timeout = Duration(time.Minute) }, "sms.timeout: must be 100ms to 20s"},
		"retry base":     {func(c *Config) { c.Callback.RetryBase = 0 }, "callback.retry_base: must be 10ms to 1h"},
		"no workers":     {func(c *Config) { c.Callback.Workers = 0 }, "callback.workers: must be 1 to 4096, not 0"},
		"per app":        {func(c *Config) { c.Callback.PerApp = 5000 }, "callback.per_app: must be 1 to 4096"},
		"keep":           {func(c *Config) { c.Callback.Keep = 0 }, "callback.keep: must be 1h"},
		"negative limit": {func(c *Config) { c.RateLimit.PerSecond = -1 }, "rate_limit.per_second:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := parse(t, map[string]string{"MEMBERD_DATA": t.TempDir()}, "serve")
			if err != nil {
				t.Fatal(err)
			}
			test.change(&r.config)
			err = r.config.Check()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("the error shows a password")
			}
		})
	}
}

// What is printed reads back as the same configuration.
func TestPrintRoundTrip(t *testing.T) {
	t.Parallel()
	dir := folder(t, "")
	first, err := parse(t, map[string]string{"MEMBERD_LOG_FORMAT": "json"}, "serve", "--data", dir, "--queue=5", "--database", `sqlite:a "b"\c.db`, "--timeout-idle=7s")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := first.resolver.Print(&text, &first.config, first.ctx); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"# flag --queue\n", "# environment MEMBERD_LOG_FORMAT\n", "# default\n"} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("no line with %q in\n%s", line, text.String())
		}
	}
	path := filepath.Join(t.TempDir(), "printed.toml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	second, err := parse(t, nil, "serve", "--config", path)
	if err != nil {
		t.Fatal(err, text.String())
	}
	if diff := cmp.Diff(first.config, second.config); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutPassword(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                                      "",
		"sqlite:/a/b.db":                        "sqlite:/a/b.db",
		"postgres://u:hunter2@h:5432/d":         "postgres://u:xxxxx@h:5432/d",
		"postgres://u@h/d?password=hunter2&a=b": "postgres://u@h/d?a=b&password=xxxxx",
		"postgres://u:hunter2@%zz/d":            "postgres://xxxxx",
	} {
		if got := WithoutPassword(url); got != want {
			t.Errorf("%s: got %s, want %s", url, got, want)
		}
	}
}

// The three names of every setting follow from one another, and kong knows
// each of them.
func TestNames(t *testing.T) {
	t.Parallel()
	var p program
	parser, err := kong.New(&p)
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string]bool{}
	for _, f := range parser.Model.Flags {
		flags[f.Name] = true
	}
	for _, child := range parser.Model.Children {
		for _, f := range child.Flags {
			flags[f.Name] = true
		}
	}
	all := settings()
	if len(all) != 40 {
		t.Errorf("%d settings", len(all))
	}
	for _, s := range all {
		if !flags[s.Flag] {
			t.Errorf("setting %s has no flag --%s", s.Key, s.Flag)
		}
		if want := "MEMBERD_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(s.Key)); s.Env != want {
			t.Errorf("setting %s: environment %s, want %s", s.Key, s.Env, want)
		}
	}
}
