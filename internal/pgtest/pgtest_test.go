package pgtest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// childEnv makes this test program start a server, print its folder and wait to
// be killed.
const childEnv = "MEMBERD_PGTEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		s, err := Start(Options{})
		if err != nil {
			panic(err)
		}
		os.Stdout.WriteString(s.dir + "\n")
		select {}
	}
	Main(m)
}

func query[T any](t *testing.T, url, statement string) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var got T
	if err := conn.QueryRow(t.Context(), statement).Scan(&got); err != nil {
		t.Fatal(err)
	}
	return got
}

var filled atomic.Int64

func fill(url string) error {
	filled.Add(1)
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE TABLE t (n BIGINT); INSERT INTO t VALUES (7)")
	return errors.Join(err, conn.Close(ctx))
}

func TestNewCopiesTemplateOnce(t *testing.T) {
	t.Parallel()
	a, b := New(t, fill), New(t, fill)
	if a == b {
		t.Fatal("two tests share one database")
	}
	if n := query[int64](t, a, "UPDATE t SET n = n + 1 RETURNING n"); n != 8 {
		t.Errorf("a: n = %d, want 8", n)
	}
	if n := query[int64](t, b, "SELECT n FROM t"); n != 7 {
		t.Errorf("b: n = %d, want 7 as in the template", n)
	}
	if n := filled.Load(); n != 1 {
		t.Errorf("template filled %d times, want once", n)
	}
}

func TestURLIsEmptyAndQuick(t *testing.T) {
	t.Parallel()
	url := URL(t)
	for setting, want := range map[string]string{"fsync": "off", "server_encoding": "UTF8", "lc_collate": "C", "listen_addresses": "", "max_connections": "200"} {
		if got := query[string](t, url, "SHOW "+setting); got != want {
			t.Errorf("%s = %q, want %q", setting, got, want)
		}
	}
	if n := query[int64](t, url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"); n != 0 {
		t.Errorf("%d tables in a new database", n)
	}
}

func TestDurableServer(t *testing.T) {
	t.Parallel()
	s, err := Start(Options{Durable: true, MaxConnections: 20, Settings: map[string]string{"work_mem": "1MB"}})
	if errors.Is(err, ErrNotFound) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	url, err := s.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for setting, want := range map[string]string{"fsync": "on", "synchronous_commit": "on", "max_connections": "20", "work_mem": "1MB"} {
		if got := query[string](t, url, "SHOW "+setting); got != want {
			t.Errorf("%s = %q, want %q", setting, got, want)
		}
	}
	if err := errors.Join(s.Stop(), s.Stop()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("folder is still there: %v", err)
	}
}

// A killed process runs no deferred function, so only the watchdog can clean up.
func TestKilledProcessLeavesNothing(t *testing.T) {
	t.Parallel()
	URL(t) // skips without PostgreSQL
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self)
	child.Env = append(os.Environ(), childEnv+"=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 4096)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimSpace(string(line[:n]))
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	if err := child.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	child.Wait()
	for deadline := time.Now().Add(20 * time.Second); ; {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there 20 s after its process was killed", dir)
		}
		<-time.After(50 * time.Millisecond) // another process cleans up: nothing to be told by
	}
}
