package sim_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/pgtest"
)

// patience bounds whatever a test waits for; nothing takes as long on a machine
// that works.
const patience = time.Minute

// scratch is a folder for the whole run of the tests.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "memberd-sim-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if server := postgres.server; server != nil {
		err = server.Stop()
	}
	if err := errors.Join(err, os.RemoveAll(scratch)); err != nil {
		fmt.Fprintln(os.Stderr, "sim:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// program builds memberd, once. Under the race detector the servers run under
// it as well.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "memberd")
	args := []string{"build", "-o", path}
	if raceDetector {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "github.com/memberd/memberd/cmd/memberd")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// postgres is one server for all runs but those that stop it. It is durable: a
// crash of a server process must not be excused by the database's.
var postgres struct {
	once   sync.Once
	server *pgtest.Server
	err    error
}

// durable is how the runs want PostgreSQL. Its log names the database, as
// several runs share the file.
var durable = pgtest.Options{Durable: true, Settings: map[string]string{"log_line_prefix": "%m [%p] %d "}}

func sharedPostgres(t testing.TB) *pgtest.Server {
	t.Helper()
	postgres.once.Do(func() { postgres.server, postgres.err = pgtest.Start(durable) })
	needPostgres(t, postgres.err)
	return postgres.server
}

// needPostgres skips where PostgreSQL is not installed, as pgtest does.
func needPostgres(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, pgtest.ErrNotFound) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	must(t, err)
}

// extra is how long a run under load goes on after it has seen what it has to
// see: none, unless MEMBERD_SIM_SECONDS says so.
func extra(t testing.TB) time.Duration {
	t.Helper()
	text := os.Getenv("MEMBERD_SIM_SECONDS")
	if text == "" {
		return 0
	}
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 0 {
		t.Fatalf("MEMBERD_SIM_SECONDS=%q: must be a number of seconds", text)
	}
	return time.Duration(seconds) * time.Second
}

// processTest begins a test that starts servers.
func processTest(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers")
	}
	t.Parallel()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
