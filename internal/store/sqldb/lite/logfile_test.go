package lite

import (
	"database/sql"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/memberd/memberd/internal/store/sqldb/disktest"
)

// world is one database file seen by several, and what must be in it.
type world struct {
	t         *testing.T
	rnd       *rand.Rand
	path      string
	writer    *Conn   // what is tested
	copier    *Conn   // checkpoints
	other     *sql.DB // the usual file system: looks on, and writes at times
	committed map[int64]string
	now       map[int64]string // in the writer's transaction
	spilt     int
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	path := newPath(t)
	w := &world{t: t, rnd: rand.New(rand.NewPCG(seed, 0)), path: path, committed: map[int64]string{}}
	w.reopen()
	createX(t, w.writer)
	run(t, w.writer, "CREATE INDEX x_v ON x (v)")
	w.copier, w.other = open(t, path), usually(t, path)
	return w
}

func (w *world) reopen() {
	w.t.Helper()
	if w.writer != nil {
		if err := w.writer.Close(); err != nil {
			w.t.Fatal(err)
		}
	}
	w.writer = open(w.t, w.path)
	run(w.t, w.writer, fmt.Sprintf("PRAGMA cache_size(%d)", 2+w.rnd.IntN(20)))
	run(w.t, w.writer, fmt.Sprintf("PRAGMA journal_size_limit(%d)", w.rnd.IntN(200_000)))
}

func (w *world) value() string {
	return fmt.Sprint(w.rnd.Uint32(), strings.Repeat("v", w.rnd.IntN(1<<w.rnd.IntN(14))))
}

// change changes a row, and what must be there.
func (w *world) change() {
	id, v := w.rnd.Int64N(150), w.value()
	if w.rnd.IntN(4) == 0 {
		run(w.t, w.writer, "DELETE FROM x WHERE id = ?", id)
		delete(w.now, id)
		return
	}
	run(w.t, w.writer, "INSERT INTO x VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET v = excluded.v", id, v)
	w.now[id] = v
}

// part changes rows within a savepoint, which may be undone.
func (w *world) part(depth int) {
	before := maps.Clone(w.now)
	run(w.t, w.writer, "SAVEPOINT s")
	for range w.rnd.IntN(25) {
		w.change()
	}
	if depth > 0 && w.rnd.IntN(2) == 0 {
		w.part(depth - 1)
	}
	if w.rnd.IntN(2) == 0 {
		run(w.t, w.writer, "ROLLBACK TO s")
		w.now = before
	}
	run(w.t, w.writer, "RELEASE s")
}

func (w *world) transaction() {
	w.t.Helper()
	w.now = maps.Clone(w.committed)
	run(w.t, w.writer, "BEGIN IMMEDIATE")
	for range w.rnd.IntN(4) {
		for range w.rnd.IntN(25) {
			w.change()
		}
		w.part(2)
		if waiting(w.t, w.writer) > 0 {
			w.spilt++
		}
		w.disturb("PASSIVE")
		w.own()
	}
	if w.rnd.IntN(8) == 0 {
		w.sees("what a crash leaves in a transaction", w.crashed())
	}
	if w.rnd.IntN(3) == 0 {
		run(w.t, w.writer, "ROLLBACK")
	} else {
		run(w.t, w.writer, "COMMIT")
		w.committed = w.now
		if w.rnd.IntN(2) == 0 {
			w.sees("what a crash leaves", w.crashed())
		}
	}
	w.sees("another connection", w.other)
}

// own compares what the transaction itself sees.
func (w *world) own() {
	w.t.Helper()
	id := w.rnd.Int64N(150)
	var v string
	err := scan(w.writer, "SELECT v FROM x WHERE id = ?", []any{id}, &v)
	if want, there := w.now[id]; there && (err != nil || v != want) || !there && err == nil {
		w.t.Fatalf("row %d: %.20q, %v, want %.20q", id, v, err, want)
	}
}

func (w *world) disturb(mode string) {
	w.t.Helper()
	if w.rnd.IntN(3) == 0 {
		run(w.t, w.copier, "PRAGMA wal_checkpoint("+mode+")")
	}
}

// crashed is what a crash would leave now, opened elsewhere.
func (w *world) crashed() *sql.DB {
	w.t.Helper()
	return usually(w.t, copyOf(w.t, w.path))
}

func (w *world) sees(who string, db *sql.DB) {
	w.t.Helper()
	intact(w.t, db)
	var want []string
	for _, id := range slices.Sorted(maps.Keys(w.committed)) {
		want = append(want, fmt.Sprintf("%d:%s", id, w.committed[id]))
	}
	if got := content(w.t, db); !slices.Equal(got, want) {
		w.t.Fatalf("%s sees %d rows that are not the %d committed", who, len(got), len(want))
	}
}

// Whatever transactions do and whoever else is at the file, what was committed
// is there, for everybody and after a crash, and nothing else is.
func TestLogIsWhole(t *testing.T) {
	t.Parallel()
	for range 4 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed)
			for range 25 {
				w.transaction()
				if w.rnd.IntN(3) == 0 {
					id, v := w.rnd.Int64N(150), w.value()
					if _, err := w.other.ExecContext(t.Context(), "REPLACE INTO x VALUES (?, ?)", id, v); err != nil {
						t.Fatal(err)
					}
					w.committed[id] = v
				}
				w.disturb([]string{"PASSIVE", "FULL", "RESTART", "TRUNCATE"}[w.rnd.IntN(4)])
				if w.rnd.IntN(8) == 0 {
					w.reopen()
				}
			}
			if w.spilt == 0 {
				t.Error("no transaction was too large for its cache")
			}
		})
	}
}

// A transaction of more than the log gathers at a time.
func TestLargeTransaction(t *testing.T) {
	t.Parallel()
	path, c := openX(t)
	run(t, c, "PRAGMA cache_size(10000)")
	before := c.LogPages()
	run(t, c, "BEGIN IMMEDIATE")
	for id := range int64(40) {
		run(t, c, "INSERT INTO x VALUES (?, ?)", id, strings.Repeat("x", 100_000))
	}
	run(t, c, "COMMIT")
	if pages := c.LogPages() - before; pages < 40*24 || pages*4096 < 2*gatherSize {
		t.Errorf("%d pages were written to the log", pages)
	}
	crashed := usually(t, copyOf(t, path))
	intact(t, crashed)
	if rows := content(t, crashed); len(rows) != 40 {
		t.Errorf("%d rows", len(rows))
	}
}

// A database that may not grow: the statement fails, the transaction is undone.
func TestFullDatabase(t *testing.T) {
	t.Parallel()
	path, c := openX(t)
	run(t, c, "INSERT INTO x VALUES (1, 'before')")
	run(t, c, "PRAGMA max_page_count(20)")
	run(t, c, "BEGIN IMMEDIATE")
	run(t, c, "INSERT INTO x VALUES (2, 'lost')")
	if _, err := c.Exec("INSERT INTO x VALUES (3, ?)", strings.Repeat("x", 200_000)); code(err) != sqlite3.SQLITE_FULL {
		t.Errorf("%v", err)
	}
	if c.InTransaction() {
		run(t, c, "ROLLBACK")
	}
	run(t, c, "INSERT INTO x VALUES (4, 'after')")
	crashed := usually(t, copyOf(t, path))
	intact(t, crashed)
	if got := content(t, crashed); !slices.Equal(got, []string{"1:before", "4:after"}) {
		t.Errorf("%q", got)
	}
}

// A disk that is full in truth, if this process may mount one.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir, makeRoom := disktest.Small(t)
	path := filepath.Join(dir, "test.db")
	c := open(t, path)
	run(t, c, "PRAGMA cache_size(100)")
	createX(t, c)
	rows, full := 0, false
	for range 100 {
		run(t, c, "BEGIN IMMEDIATE")
		for id := range 3 {
			run(t, c, "INSERT INTO x VALUES (?, ?)", rows+id, strings.Repeat("x", 9000))
		}
		if _, err := c.Exec("COMMIT"); err != nil {
			if full = true; code(err) != sqlite3.SQLITE_FULL || c.InTransaction() {
				t.Errorf("COMMIT: %v", err)
			}
			break
		}
		rows += 3
	}
	if !full || rows == 0 {
		t.Fatalf("%d rows fitted", rows)
	}
	look := func(when string) {
		crashed := usually(t, copyOf(t, path))
		intact(t, crashed)
		if got := len(content(t, crashed)); got != rows {
			t.Errorf("%s: %d rows, want %d", when, got, rows)
		}
	}
	look("full")
	makeRoom()
	run(t, c, "INSERT INTO x VALUES (?, 'after')", rows)
	rows++
	look("with room again")
}
