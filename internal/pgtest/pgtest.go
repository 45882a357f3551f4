// Package pgtest gives a test a PostgreSQL database of its own. It starts one
// throwaway server per test process, on a unix socket in a temporary folder,
// and makes each database as a copy of a template that was migrated once.
//
// It never uses a server that it did not start, never opens a TCP port, and
// leaves nothing behind, even when the test process is killed. Its data is not
// meant to survive anything: fsync is off unless a durable server is asked for.
package pgtest

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"sync"
	"testing"
	"time"
)

// durableEnv asks for a server with fsync on, for all tests of the process.
const durableEnv = "MEMBERD_PGTEST_DURABLE"

var shared struct {
	once   sync.Once
	server *Server
	err    error

	mu        sync.Mutex
	templates map[uintptr]*template
}

type template struct {
	once sync.Once
	name string
	err  error
}

// Main runs the tests of a package and stops the server that they started. It
// is the whole body of a TestMain. Without it the server still goes away when
// the process ends, only less politely.
func Main(m *testing.M) {
	code := m.Run()
	// Nobody starts a server any more, and one that was started is complete.
	shared.once.Do(func() {})
	if shared.server != nil {
		if err := shared.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest: stop:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// URL returns the URL of a new empty database, dropped when t ends.
func URL(t testing.TB) string {
	t.Helper()
	return New(t, nil)
}

// New returns the URL of a new database, dropped when t ends. With a template
// function the database begins as a copy of the one that the function filled:
// it is called once per process, with the URL of an empty database, and must
// have closed its connections when it returns. Functions are told apart by
// their code, so closures of one literal count as the same.
//
// Without PostgreSQL on this machine the test is skipped, or fails if CI=true.
func New(t testing.TB, fill func(url string) error) string {
	t.Helper()
	server := sharedServer(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	from := "template0"
	if fill != nil {
		var err error
		if from, err = sharedTemplate(ctx, server, fill); err != nil {
			t.Fatalf("pgtest: template: %v", err)
		}
	}
	name, err := server.create(ctx, from)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := server.Drop(ctx, name); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return server.URL(name)
}

func sharedServer(t testing.TB) *Server {
	t.Helper()
	shared.once.Do(func() {
		shared.server, shared.err = Start(Options{Durable: os.Getenv(durableEnv) != ""})
	})
	if shared.err == nil && shared.server != nil {
		return shared.server
	}
	if isNotFound(shared.err) && os.Getenv("CI") != "true" {
		t.Skipf("pgtest: %v", shared.err)
	}
	t.Fatalf("pgtest: %v", shared.err)
	return nil
}

func sharedTemplate(ctx context.Context, server *Server, fill func(url string) error) (string, error) {
	key := reflect.ValueOf(fill).Pointer()
	shared.mu.Lock()
	if shared.templates == nil {
		shared.templates = make(map[uintptr]*template)
	}
	one := shared.templates[key]
	if one == nil {
		one = new(template)
		shared.templates[key] = one
	}
	shared.mu.Unlock()
	one.once.Do(func() {
		if one.name, one.err = server.create(ctx, "template0"); one.err == nil {
			one.err = fill(server.URL(one.name))
		}
	})
	return one.name, one.err
}
