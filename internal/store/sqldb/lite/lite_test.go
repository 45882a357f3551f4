package lite

import (
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"

	sqlite3 "modernc.org/sqlite/lib"

	_ "modernc.org/sqlite" // the driver, for a second opinion with the usual file system
)

func newPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "test.db")
}

// open is a connection as package sqldb makes them, with a cache of so few pages
// that transactions spill.
func open(t *testing.T, path string) *Conn {
	t.Helper()
	c, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, pragma := range []string{"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "cache_size(10)"} {
		run(t, c, "PRAGMA "+pragma)
	}
	return c
}

// openX is a new file with the table that content reads.
func openX(t *testing.T) (path string, c *Conn) {
	t.Helper()
	path = newPath(t)
	c = open(t, path)
	createX(t, c)
	return path, c
}

func createX(t *testing.T, c *Conn) {
	t.Helper()
	run(t, c, "CREATE TABLE x (id INTEGER PRIMARY KEY, v TEXT NOT NULL) STRICT")
}

func run(t *testing.T, c *Conn, query string, args ...any) int64 {
	t.Helper()
	n, err := c.Exec(query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// scan is the first row of a query.
func scan(c *Conn, query string, args []any, dest ...any) error {
	rows, err := c.Query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		return errors.Join(rows.Err(), sql.ErrNoRows)
	}
	return rows.Scan(dest...)
}

func number(t *testing.T, c *Conn, query string, args ...any) (n int64) {
	t.Helper()
	if err := scan(c, query, args, &n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// code is the primary code of an error of the engine, 0 if it is none.
func code(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code & 0xff
	}
	return 0
}

// usually opens a file with the driver for database/sql and the usual file
// system, on one connection.
func usually(t *testing.T, path string) *sql.DB {
	t.Helper()
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=busy_timeout(5000)"}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// content is every row of the table x.
func content(t *testing.T, db *sql.DB) (all []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT id || ':' || v FROM x ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// copyOf is what a crash would leave now: the file and its log, but not the
// memory that connections share.
func copyOf(t *testing.T, path string) string {
	t.Helper()
	to := newPath(t)
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+suffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func intact(t *testing.T, db *sql.DB) {
	t.Helper()
	var answer string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&answer); err != nil || answer != "ok" {
		t.Fatalf("integrity: %s, %v", answer, err)
	}
}

// A name that is no more than a name, and one that cannot be opened.
func TestOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := open(t, filepath.Join(dir, "a?mode=ro#%41.db"))
	run(t, c, "CREATE TABLE x (a INTEGER) STRICT")
	if names, err := filepath.Glob(filepath.Join(dir, "a[?]mode=ro#%41.db*")); err != nil || !slices.Contains(names, filepath.Join(dir, "a?mode=ro#%41.db-wal")) {
		t.Errorf("%v, %v", names, err)
	}
	if _, err := Open(filepath.Join(dir, "missing", "x.db")); code(err) != sqlite3.SQLITE_CANTOPEN {
		t.Errorf("a folder that is missing: %v", err)
	}
}
