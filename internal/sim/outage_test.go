package sim_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
	"github.com/memberd/memberd/internal/pgtest"
)

// A database that goes away under a running server is answered with 503 and a
// red /readyz; when it is back the server is, by itself, and what was under way
// is there once or not at all, as the clients are told in the end.
func TestDatabaseOutage(t *testing.T) {
	processTest(t)
	pg, err := pgtest.Start(durable)
	needPostgres(t, err)
	t.Cleanup(func() {
		if err := pg.Stop(); err != nil {
			t.Error(err)
		}
	})
	s := newSite(t, pg)
	seed := loyaltytest.Seed(t)
	p := s.serve()
	var at oneServer
	at.set(p)
	c := newClient(t, s.app)
	c.signIn(t, p.url)
	l := newLoad(t, c, seed, at.where)
	l.start()
	l.await(300)

	crash(t, s.database)
	probe := call{"wk.user.event.score.change", map[string]any{
		"open_id": l.members[0].openID, "change_event": "event_add", "score": 1, "change_reason": "probe", "change_id": "probe",
	}}
	eventually(t, "503", func() bool { return c.try(t, p.url, probe).status == http.StatusServiceUnavailable })
	if status, body := p.get(t, "/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz without a database: %d %s", status, body)
	}
	if status, _ := p.get(t, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz without a database: %d", status)
	}
	// Reads and the other protocol say the same, in their own form.
	for _, a := range []call{
		{"wk.user.info.query", map[string]any{"open_id": l.members[0].openID}},
		{"/member/score/statisticalScore", map[string]any{"memberId": l.members[0].memberID}},
	} {
		if got := c.try(t, p.url, a); got.status != http.StatusServiceUnavailable || got.code != codeBusy {
			t.Errorf("%s without a database: %s", a.method, got)
		}
	}

	restart(t, pg, s.database)
	eventually(t, "ready", func() bool {
		status, _ := p.get(t, "/readyz")
		return status == http.StatusOK
	})
	l.await(300)
	l.stop()
	if r := l.insistAt(func() string { return p.url }, probe); r.code != 0 {
		t.Errorf("the probe: %s", r)
	}
	l.book(0, entry{reason: "probe", amount: 1})
	l.audit(p.url)
	s.check()
	if l.busy.Load() == 0 {
		t.Error("the load noticed nothing: the run proves nothing")
	}
	terminate(t, p)
}

// eventually repeats a question until the answer is yes.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !yes(); {
		if time.Now().After(deadline) {
			t.Fatalf("not %s after %s", what, patience)
		}
		time.Sleep(retryPause) // between two probes; nothing hangs on its length
	}
}

// folder is where the server of a database lives: its socket's folder, as
// pgtest lays it out.
func folder(t *testing.T, database string) string {
	t.Helper()
	u, err := url.Parse(database)
	must(t, err)
	return u.Query().Get("host")
}

func connect(database string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// crash ends PostgreSQL without a checkpoint: what it has to know when it comes
// back is in its log alone.
func crash(t *testing.T, database string) {
	t.Helper()
	lock := filepath.Join(folder(t, database), "data", "postmaster.pid")
	must(t, syscall.Kill(postmaster(t, lock), syscall.SIGQUIT))
	eventually(t, "ended", func() bool {
		_, err := os.Stat(lock)
		return errors.Is(err, os.ErrNotExist) && connect(database) != nil
	})
}

// postmaster is the process that runs on a folder now: pgtest's, or one that
// restart has started since. Its number is the first line of its lock.
func postmaster(t *testing.T, lock string) (pid int) {
	t.Helper()
	text, err := os.ReadFile(lock)
	must(t, err)
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err = strconv.Atoi(first)
	must(t, err)
	return pid
}

// restart starts PostgreSQL again on the folder of a crashed server, as that
// server's user. It ends with the test; should the test die before, PostgreSQL
// ends by itself when it misses its folder.
func restart(t *testing.T, pg *pgtest.Server, database string) {
	t.Helper()
	dir := folder(t, database)
	data := filepath.Join(dir, "data")
	info, err := os.Stat(data)
	must(t, err)
	owner := info.Sys().(*syscall.Stat_t)
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	defer log.Close()
	cmd := exec.Command(filepath.Join(pg.Bin(), "postgres"), "-D", data, "-c", "listen_addresses=", "-c", "unix_socket_directories="+dir, "-c", "max_connections=200", "-c", "timezone=UTC")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if int(owner.Uid) != os.Geteuid() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}
	}
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait()
	})
	eventually(t, "accepting", func() bool { return connect(database) == nil })
}
