package sim_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/pgtest"
)

// A full disk under SQLite: changes are answered with 503, reads go on, and
// when there is room again changes do too, without anybody's help.
func TestFaultDiskFull(t *testing.T) {
	processTest(t)
	dir := newTmpfs(t, "48m")
	r := newFaultRun(t, siteIn(t, filepath.Join(dir, "data"), "", nil))
	ballast := filepath.Join(dir, "ballast")
	for r.another() {
		fill(t, ballast)
		r.f.count("disks filled", 1)
		r.down("database or disk is full")
		if got := r.client.try(t, r.p.url, call{"wk.user.info.query", map[string]any{"open_id": r.load.members[0].openID}}); got.code != 0 {
			t.Errorf("a query on a full disk: %s", got)
		}
		must(t, os.Remove(ballast))
		r.up(time.Now())
	}
	r.finish()
}

// A full disk under PostgreSQL. It refuses statements, or ends if it was its
// log that found no room; then somebody has to start it again, but not memberd.
func TestFaultDiskFullPostgres(t *testing.T) {
	processTest(t)
	dir := newTmpfs(t, "192m")
	pg := startPostgresIn(t, dir, map[string]string{"max_wal_size": "48MB", "min_wal_size": "32MB"})
	r := newFaultRun(t, newSite(t, pg))
	ballast := filepath.Join(dir, "ballast")
	for r.another() {
		fill(t, ballast)
		r.f.count("disks filled", 1)
		r.unreachable()
		must(t, os.Remove(ballast))
		since := time.Now()
		// Ended, or recovering by itself: only the lock tells.
		_, err := os.Stat(filepath.Join(folder(t, r.s.database), "data", "postmaster.pid"))
		if errors.Is(err, fs.ErrNotExist) {
			r.f.count("PostgreSQL started again", 1)
			restart(t, pg, r.s.database)
		}
		r.up(since)
	}
	r.finish()
}

func startPostgresIn(t *testing.T, dir string, settings map[string]string) *pgtest.Server {
	t.Helper()
	options := pgtest.Options{Durable: true, Dir: dir, Settings: map[string]string{}}
	for _, more := range []map[string]string{durable.Settings, settings} {
		for name, value := range more {
			options.Settings[name] = value
		}
	}
	pg, err := pgtest.Start(options)
	needPostgres(t, err)
	t.Cleanup(func() {
		if err := pg.Stop(); err != nil {
			t.Error(err)
		}
	})
	return pg
}

// A power cut under the data folder: what no program had synced is gone, and
// nothing that was acknowledged is.
func TestFaultPowerCut(t *testing.T) {
	processTest(t)
	d := newDisk(t, "128M")
	r := newFaultRun(t, siteIn(t, filepath.Join(d.dir, "data"), "", nil))
	for r.another() {
		lost := filepath.Join(d.dir, "never synced")
		must(t, os.WriteFile(lost, make([]byte, 1<<16), 0o600))
		halt(t, r.p.cmd.Process.Pid)
		d.cut()
		since := time.Now()
		r.f.count("power cuts", 1)
		r.replace(func() {
			d.again()
			if info, err := os.Stat(lost); err == nil && info.Size() > 0 {
				t.Error("what was never synced is there: the run proves nothing")
			}
		})
		r.up(since)
		_ = os.Remove(lost)
	}
	r.finish()
}

// The same with PostgreSQL on the disk, and memberd elsewhere and left alone.
func TestFaultPowerCutPostgres(t *testing.T) {
	processTest(t)
	d := newDisk(t, "320M")
	pg := startPostgresIn(t, d.dir, map[string]string{"max_wal_size": "64MB", "min_wal_size": "32MB"})
	r := newFaultRun(t, newSite(t, pg))
	runTool(t, "sync", "-f", d.dir) // initdb did not
	for r.another() {
		lock := filepath.Join(folder(t, r.s.database), "data", "postmaster.pid")
		parent := postmaster(t, lock)
		halt(t, parent) // so that it gets no more children
		all := family(t, parent)
		halt(t, all...)
		d.cut()
		since := time.Now()
		r.f.count("power cuts", 1)
		for _, pid := range all {
			must(t, syscall.Kill(pid, syscall.SIGKILL))
		}
		r.unreachable()
		d.again()
		// Their owner is dead, and another may have its number now.
		_, _ = os.Remove(lock), os.Remove(filepath.Join(folder(t, r.s.database), ".s.PGSQL.5432.lock"))
		restart(t, pg, r.s.database)
		r.up(since)
	}
	r.finish()
}

// A disk that becomes read-only under the running server, as ext4 does when it
// finds an error: 503 at once and for good, because nothing but a new mount
// helps, and that needs the server stopped. On a folder that cannot be written
// it does not start, and says why.
func TestFaultReadOnly(t *testing.T) {
	processTest(t)
	d := newDisk(t, "128M")
	r := newFaultRun(t, siteIn(t, filepath.Join(d.dir, "data"), "", nil))
	for r.another() {
		// No commit is on its way to the disk at that moment: of the one that is,
		// Linux may report success and not keep it.
		halt(t, r.p.cmd.Process.Pid)
		d.freeze()
		must(t, r.p.cmd.Process.Signal(syscall.SIGCONT))
		r.f.count("read-only", 1)
		r.down("disk I/O error")
		since := time.Now()
		r.replace(func() {
			code, out, log := r.s.run("serve", "--listen", "127.0.0.1:0")
			if code == 0 || !strings.Contains(out+log, "read-only file system") {
				t.Errorf("serve on a read-only disk: exit code %d\n%s%s", code, out, log)
			}
			d.again()
		})
		r.up(since)
	}
	r.finish()
}
