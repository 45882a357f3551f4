package sqldb

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestSQLitePathsAndModes(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"plain.db", "a b?c=d&e.db", "50%25#x.db", "会员 'q\"uote;.db", "file:x.db"} {
		dir := filepath.Join(t.TempDir(), "new", "folder")
		path := filepath.Join(dir, name)
		db := open(t, "sqlite:"+path)
		tx := begin(t, db)
		if _, err := tx.Exec(t.Context(), "CREATE TABLE x (a INTEGER) STRICT"); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if db.Path() != path {
			t.Errorf("Path = %q", db.Path())
		}
		for file, want := range map[string]fs.FileMode{dir: 0o700 | fs.ModeDir, path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600, path + ".queue": 0o600} {
			if info, err := os.Stat(file); err != nil || info.Mode() != want {
				t.Errorf("%s: %v, %v, want %v", file, info, err, want)
			}
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 4 {
			t.Errorf("%s: %v, %v", name, entries, err)
		}
	}
}

func TestSQLitePragmas(t *testing.T) {
	t.Parallel()
	db := open(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	tx := begin(t, db)
	for pragma, want := range map[string][2]int64{ // writer, reader
		"synchronous": {2, 2}, "busy_timeout": {5000, 5000}, "foreign_keys": {0, 0}, "temp_store": {2, 2},
	} {
		for i, q := range []Queryer{tx, db.Read()} {
			var got int64
			if err := q.QueryRow(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want[i] {
				t.Errorf("%s = %d, %v, want %d", pragma, got, err, want[i])
			}
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	secret := "s3cret"
	for _, url := range []string{"", "x.db", "sqlite:", "sqlite::memory:", "sqlite:file:x?mode=memory", "mysql://x",
		"postgres://u:" + secret + "@/nosuch?host=/nonexistent", "postgres://u:" + secret + "@[bad"} {
		db, err := Open(t.Context(), url)
		if err == nil {
			db.Close()
			t.Errorf("%q opens", url)
			continue
		}
		if msg := err.Error(); len(url) > 60 && (strings.Contains(msg, secret) || strings.Contains(msg, "u:")) {
			t.Errorf("the error shows the URL: %s", msg)
		}
	}
}

func TestLockFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unlock, err := LockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockFolder(dir); !errors.Is(err, ErrFolderLocked) {
		t.Fatalf("err = %v, want ErrFolderLocked", err)
	}
	unlock()
	unlock()

	// Another process holds it until it is killed.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self)
	child.Env = append(os.Environ(), lockChildEnv+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	if _, err := LockFolder(dir); !errors.Is(err, ErrFolderLocked) {
		t.Errorf("err = %v, want ErrFolderLocked", err)
	}
	child.Process.Kill()
	child.Wait()
	unlock, err = LockFolder(dir)
	if err != nil {
		t.Fatalf("after the other was killed: %v", err)
	}
	unlock()
}

func TestBackup(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		file := filepath.Join(t.TempDir(), "copy ?#%.db")
		if db.Dialect() == PostgreSQL {
			if err := db.Backup(t.Context(), file); !errors.Is(err, ErrUseDump) {
				t.Errorf("err = %v", err)
			}
			return
		}
		tx := begin(t, db) // the server goes on writing meanwhile
		if _, err := tx.Exec(t.Context(), "UPDATE account SET points = 99"); err != nil {
			t.Fatal(err)
		}
		if err := db.Backup(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		if err := db.Backup(t.Context(), file); !errors.Is(err, fs.ErrExist) {
			t.Errorf("existing file: %v", err)
		}
		if n := points(t, open(t, "sqlite:"+file).Read(), 2); n != 20 {
			t.Errorf("the copy has %d, want the committed 20", n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		failed := filepath.Join(t.TempDir(), "failed.db")
		if err := db.Backup(ctx, failed); err == nil {
			t.Error("no error from a cancelled backup")
		}
		if _, err := os.Stat(failed); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a failed copy was left: %v", err)
		}
	})
}

func TestRebind(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"SELECT 1":                             "SELECT 1",
		"a = ? AND b = ?":                      "a = $1 AND b = $2",
		"'?' || ? || '??''?' || ?":             "'?' || $1 || '??''?' || $2",
		`"a?" = ?`:                             `"a?" = $1`,
		"-- ?\n? -- ?":                         "-- ?\n$1 -- ?",
		"/* ? */ ? /* ?":                       "/* ? */ $1 /* ?",
		"?,?,?,?,?,?,?,?,?,?,?":                "$1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11",
		"n - ? / ?":                            "n - $1 / $2",
		"'会员?' = ?":                            "'会员?' = $1",
		"it''s outside of any string '' and ?": "it''s outside of any string '' and $1",
	} {
		for range 2 { // the second time from the cache
			if got := rebound.get(query); got != want {
				t.Errorf("%q -> %q, want %q", query, got, want)
			}
		}
	}
}
