package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/pgtest"
)

// asProgram makes the test binary be memberd. Servers run like this, so that
// under the race detector they are watched; subcommands are run from a plain
// build, which starts ten times as fast.
const asProgram = "MEMBERD_TEST_AS_PROGRAM"

// plain is the path of the build that subcommands are run from.
var plain string

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(testMain(m))
}

// testMain leaves the end of pgtest's server to pgtest: pgtest.Main would end
// the process before the build is removed.
func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "memberd-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	plain = filepath.Join(dir, "memberd")
	build := exec.Command("go", "build", "-o", plain, ".")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// patience bounds whatever a test waits for; nothing takes as long on a machine
// that works.
const patience = time.Minute

// rig is a data folder and an environment.
type rig struct {
	t    testing.TB
	dir  string
	env  []string
	args []string // of every subcommand that works on the database
}

func newRig(t testing.TB) *rig {
	t.Helper()
	dir := t.TempDir()
	return &rig{t: t, dir: dir, args: []string{"--data", dir}}
}

// onBoth runs a test on either database.
func onBoth(t *testing.T, test func(*testing.T, *rig)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, newRig(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.args = append(r.args, "--database", pgtest.URL(t))
		test(t, r)
	})
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

func (r *rig) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	// No MEMBERD_ name of the developer's own gets in.
	cmd.Env = append([]string{asProgram + "=1", "HOME=" + r.dir, "PATH=" + os.Getenv("PATH")}, r.env...)
	return cmd
}

// result is how a subcommand ended.
type result struct {
	code     int
	out, err string
}

// run runs a subcommand, as it is written.
func (r *rig) run(args ...string) result {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	cmd := r.command(ctx, plain, args...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), stderr.String()}
}

// on runs a subcommand on the rig's database and expects success.
func (r *rig) on(args ...string) string {
	r.t.Helper()
	got := r.run(append(args, r.args...)...)
	if got.code != 0 {
		r.t.Fatalf("memberd %s: exit code %d\n%s%s", strings.Join(args, " "), got.code, got.out, got.err)
	}
	return got.out
}

// refused runs a subcommand on the rig's database and expects that it ends with
// code and says want on standard error.
func (r *rig) refused(code int, want string, args ...string) {
	r.t.Helper()
	expectRefusal(r.t, r.run(append(args, r.args...)...), code, want)
}

func expectRefusal(t testing.TB, got result, code int, want string) {
	t.Helper()
	if got.code != code || !strings.Contains(got.err, want) {
		t.Errorf("exit code %d, want %d; standard error %q, want %q; standard output %q", got.code, code, got.err, want, got.out)
	}
}

// app makes a merchant and an app and returns the credentials' file.
func (r *rig) app(merchant string) string {
	r.t.Helper()
	r.on("merchant", "create", "--id", merchant, "--name", "测试商家", "--sandbox")
	file := r.path("app.json")
	text := r.on("app", "create", "--merchant", merchant, "--name", "till", "--json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return file
}

// server is a running memberd serve.
type server struct {
	rig    *rig
	url    string
	cmd    *exec.Cmd
	log    *syncBuffer
	out    *syncBuffer
	cancel func()
	ended  sync.Once
	code   int
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

var servingOn = regexp.MustCompile(`is serving on (http://\S+)`)

// serve starts a server on a free port and waits until it listens.
func (r *rig) serve(args ...string) *server {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &server{rig: r, log: &syncBuffer{}, out: &syncBuffer{}, cancel: cancel}
	self, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	s.cmd = r.command(ctx, self, append(append([]string{"serve", "--listen", "127.0.0.1:0"}, args...), r.args...)...)
	s.cmd.Stderr = s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	late := time.AfterFunc(patience, cancel)
	lines := bufio.NewReader(io.TeeReader(out, s.out))
	first, _ := lines.ReadString('\n')
	late.Stop()
	found := servingOn.FindStringSubmatch(first)
	if found == nil {
		cancel()
		_ = s.cmd.Wait()
		r.t.Fatalf("the server did not start: %q\n%s", first, s.log)
	}
	s.url = found[1]
	drained := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, lines); close(drained) }()
	wait := s.cancel
	s.cancel = func() { wait(); <-drained }
	r.t.Cleanup(func() { s.stop() })
	return s
}

// stop sends SIGTERM, waits, and returns the exit code.
func (s *server) stop() int {
	s.ended.Do(func() {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
		_ = s.cmd.Wait()
		late.Stop()
		s.cancel()
		s.code = s.cmd.ProcessState.ExitCode()
	})
	return s.code
}

// call runs memberd call against the server.
func (s *server) call(target, app, data string) result {
	s.rig.t.Helper()
	args := []string{"call", target, "--app", app, "--url", s.url}
	if data != "" {
		args = append(args, "--data", data)
	}
	return s.rig.run(args...)
}

// must calls and expects success; the answer is decoded into a tree.
func (s *server) must(target, app, data string) map[string]any {
	s.rig.t.Helper()
	got := s.call(target, app, data)
	if got.code != 0 {
		s.rig.t.Fatalf("call %s: exit code %d\n%s%s", target, got.code, got.out, got.err)
	}
	return decode(s.rig.t, got.out)
}

func decode(t testing.TB, text string) map[string]any {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return tree
}

// get fetches a path of the server.
func (s *server) get(path string) (status int, body string) {
	s.rig.t.Helper()
	ctx, cancel := context.WithTimeout(s.rig.t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		s.rig.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.rig.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.rig.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}
