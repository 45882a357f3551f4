package sim_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/pgtest"
)

// merchant is the one merchant of a site.
const merchant = "1864"

// site is an installation: a data folder, a database, and the credentials of an
// app that may ask for tokens all day.
type site struct {
	t        *testing.T
	dir      string
	database string         // URL, "" for SQLite in dir
	pg       *pgtest.Server // nil for SQLite
	app      access.Credentials

	mu      sync.Mutex
	running []*process
}

// onBoth runs a test on a site of either database.
func onBoth(t *testing.T, test func(*testing.T, *site)) {
	processTest(t)
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, newSite(t, nil))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, newSite(t, sharedPostgres(t)))
	})
}

// newSite sets a merchant and an app up from the command line, as an operator
// does. pg is nil for SQLite.
func newSite(t *testing.T, pg *pgtest.Server) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), pg: pg}
	if pg != nil {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		var err error
		s.database, err = pg.Create(ctx)
		must(t, err)
	}
	s.on("merchant", "create", "--id", merchant, "--name", "测试商家", "--sandbox")
	s.app = s.newApp()
	return s
}

func (s *site) newApp() access.Credentials {
	s.t.Helper()
	var app access.Credentials
	must(s.t, json.Unmarshal([]byte(s.on("app", "create", "--merchant", merchant, "--name", "till", "--json")), &app))
	return app
}

func (s *site) command(ctx context.Context, args ...string) *exec.Cmd {
	s.t.Helper()
	path, err := program()
	must(s.t, err)
	args = append(args, "--data", s.dir)
	if s.database != "" {
		args = append(args, "--database", s.database)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	// No MEMBERD_ name of the developer's own gets in. The race detector holds
	// every process up for a second at its end unless it is told not to.
	cmd.Env = []string{"HOME=" + s.dir, "PATH=" + os.Getenv("PATH"), "MEMBERD_LOG_LEVEL=debug", "GORACE=atexit_sleep_ms=0"}
	return cmd
}

// run runs a subcommand to its end.
func (s *site) run(args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := s.command(ctx, args...)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), log.String()
}

// on runs a subcommand that must succeed and returns its standard output.
func (s *site) on(args ...string) string {
	s.t.Helper()
	code, out, log := s.run(args...)
	if code != 0 {
		s.t.Fatalf("memberd %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, log)
	}
	return out
}

// process is a running server.
type process struct {
	url  string
	cmd  *exec.Cmd
	out  *syncBuffer
	log  *syncBuffer
	gone chan struct{} // closed when it has ended and everything it wrote is here
}

// syncBuffer may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

var servingOn = regexp.MustCompile(`is serving on (http://\S+)`)

// serve starts a server on a free port and returns when it listens.
func (s *site) serve() *process {
	s.t.Helper()
	p := &process{out: &syncBuffer{}, log: &syncBuffer{}, gone: make(chan struct{})}
	p.cmd = s.command(context.Background(), "serve", "--listen", "127.0.0.1:0")
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	must(s.t, err)
	must(s.t, p.cmd.Start())
	late := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	lines := bufio.NewReader(io.TeeReader(out, p.out))
	first, _ := lines.ReadString('\n')
	late.Stop()
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		_ = p.cmd.Wait()
		close(p.gone)
	}()
	found := servingOn.FindStringSubmatch(first)
	if found == nil {
		p.kill()
		s.t.Fatalf("the server did not start: %q\n%s", first, p.log)
	}
	p.url = found[1]
	s.mu.Lock()
	s.running = append(s.running, p)
	s.mu.Unlock()
	s.t.Cleanup(func() {
		p.kill()
		if at := strings.Index(p.log.String(), "DATA RACE"); at >= 0 {
			s.t.Errorf("a data race in the server:\n%s", p.log.String()[at:])
		}
		if log := warnings(p.log.String()); log != "" && s.t.Failed() {
			s.t.Logf("what the server warned of last:\n%s", log)
		}
	})
	return p
}

// kill ends a server as a power cut does; one that has ended stays so.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.gone
}

// stop asks a server to end and returns its exit code and how long it took.
func (p *process) stop() (code int, took time.Duration) {
	began := time.Now()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	<-p.gone
	late.Stop()
	return p.cmd.ProcessState.ExitCode(), time.Since(began)
}

// get is a plain GET of a path.
func (p *process) get(t testing.TB, path string) (status int, body string) {
	t.Helper()
	c := http.Client{Timeout: patience}
	r, err := c.Get(p.url + path)
	must(t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	must(t, err)
	return r.StatusCode, string(text)
}

// warnings are the lines of a log that are more than a request, the last ones
// of them.
func warnings(log string) string {
	const most = 12
	var found []string
	for line := range strings.Lines(log) {
		if !strings.Contains(line, "level=INFO") && !strings.Contains(line, "level=DEBUG") {
			found = append(found, line)
		}
	}
	return strings.Join(found[max(0, len(found)-most):], "")
}
