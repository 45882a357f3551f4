package sqldb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/store/sqldb/disktest"
)

// fill changes some 1000 pages in one transaction, always the same ones, and
// returns how many the log has then.
func fill(t *testing.T, db *DB, i int) int64 {
	t.Helper()
	tx := begin(t, db)
	if _, err := tx.Exec(t.Context(), "INSERT INTO x VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET v = excluded.v", content(i)); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db.lite.checkpoints.pages.Load()
}

func content(i int) string { return strings.Repeat(fmt.Sprintf("%09d ", i), 400_000) }

// holds tells whether the database, opened anew, has what was written last.
func holds(t *testing.T, path string, i int) {
	t.Helper()
	db := open(t, "sqlite:"+path)
	var got, answer string
	err := errors.Join(db.Read().QueryRow(t.Context(), "SELECT v FROM x WHERE id = 1").Scan(&got),
		db.Read().QueryRow(t.Context(), "PRAGMA integrity_check").Scan(&answer))
	if err != nil || got != content(i) || answer != "ok" {
		t.Errorf("%.10q, want %.10q; integrity: %s; %v", got, content(i), answer, err)
	}
}

// The log of a writer that never rests is begun anew again and again. While a
// snapshot is open it cannot be; afterwards it is.
func TestLogIsBegunAnew(t *testing.T) {
	t.Parallel()
	db := openX(t)
	i := 0
	anew := func() {
		t.Helper()
		for last := int64(0); ; i++ {
			pages := fill(t, db, i)
			if pages < last {
				return
			}
			// Far more than the passes beside the writer take.
			if last = pages; pages > 5*checkpointAll {
				t.Fatalf("the log has %d pages", pages)
			}
		}
	}
	anew()
	anew()
	snapshot, err := db.ReadTx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := func() (v string) {
		if err := snapshot.QueryRow(t.Context(), "SELECT v FROM x WHERE id = 1").Scan(&v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	before := seen()
	for last := int64(0); last < checkpointAll+4000; i++ {
		pages := fill(t, db, i)
		if pages < last {
			t.Fatalf("begun anew at %d pages, under an open snapshot", last)
		}
		last = pages
	}
	if seen() != before {
		t.Error("the snapshot changed")
	}
	if err := snapshot.Close(); err != nil {
		t.Fatal(err)
	}
	anew()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	holds(t, db.Path(), i)
}

// What was committed after the copy beside the writer is copied in the turn, so
// that the next transaction begins the log anew.
func TestLastCopyHasTheTurn(t *testing.T) {
	t.Parallel()
	db := openX(t)
	conn, err := openConn(db.Path(), commonPragmas)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	c := db.lite.checkpoints
	fill(t, db, 1)
	if c.copyBeside(conn) {
		t.Error("a short log was to be copied to its end")
	}
	tx := begin(t, db)
	if _, err := tx.Exec(t.Context(), "UPDATE x SET v = ? WHERE id = 1", content(2)); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.copyInTurn(conn)
	}()
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-done
	pages := c.pages.Load()
	if again := fill(t, db, 3); again > pages {
		t.Errorf("the log goes on: %d pages after %d", again, pages)
	}
	// After the end nobody waits for the turn.
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	c.copyInTurn(conn)
	holds(t, db.Path(), 3)
}

// The log may be begun anew while the checkpointer still counts what it copied of
// the old one; the count must not put off the next copy.
func TestCopiedOfAnOldLog(t *testing.T) {
	t.Parallel()
	db := openX(t)
	c := &checkpointer{db: db.lite, wake: make(chan struct{}, 1)}
	fill(t, db, 1)
	c.committed(1) // said before the checkpointer counts the 978 pages
	conn, err := openConn(db.Path(), commonPragmas)
	if err != nil {
		t.Fatal(err)
	}
	c.copyBeside(conn)
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	c.committed(checkpointStep)
	if len(c.wake) != 1 {
		t.Errorf("%d pages wait to be copied, and nobody is told", checkpointStep)
	}
}

// Where there is little room the log is begun anew earlier.
func TestLogOnASmallDisk(t *testing.T) {
	t.Parallel()
	dir, _ := disktest.Small(t)
	db := open(t, "sqlite:"+filepath.Join(dir, "test.db"))
	if pages := db.lite.checkpoints.longest(); pages != checkpointAllTight {
		t.Errorf("%d pages with less than 1 MiB to spare", pages)
	}
	if pages := (&checkpointer{db: &sqliteDB{path: dir + "/missing"}}).longest(); pages != checkpointAll {
		t.Errorf("%d pages where nobody says how much room there is", pages)
	}
}

// A commit asks for a copy as long as none has been counted, so also during one.
// It is not followed by a second one for the little that it left: each syncs the
// log, and commits wait for the disk meanwhile.
func TestAskedForDuringACopy(t *testing.T) {
	t.Parallel()
	db := openX(t)
	for _, test := range []struct {
		pages  int64
		copied bool
	}{{checkpointStep - 1, false}, {checkpointStep, true}} {
		c := &checkpointer{db: db.lite, wake: make(chan struct{}, 1), done: make(chan struct{})}
		fill(t, db, 1)
		c.pages.Store(test.pages)
		c.wake <- struct{}{}
		close(c.wake)
		c.run()
		if copied := c.tried.Load() > 0; copied != test.copied {
			t.Errorf("%d pages: copied %v", test.pages, copied)
		}
	}
}

// Close meets the checkpointer wherever it is: copying beside the writer, or
// waiting for the turn, which the last transaction has. Afterwards all is in the
// database and the log is gone.
func TestCloseDuringCheckpoint(t *testing.T) {
	t.Parallel()
	for _, inTransaction := range []bool{false, true} {
		t.Run(fmt.Sprintf("in a transaction %v", inTransaction), func(t *testing.T) {
			t.Parallel()
			for i := range 4 {
				db := openX(t)
				fill(t, db, i)
				c := db.lite.checkpoints
				c.pages.Store(checkpointAll) // it is to copy all
				closed := make(chan error)
				if inTransaction {
					tx := begin(t, db)
					c.wake <- struct{}{} // it will have to wait for the turn
					go func() { closed <- db.Close() }()
					<-db.lite.closing
					if err := tx.Commit(t.Context()); err != nil {
						t.Error(err)
					}
				} else {
					c.wake <- struct{}{}
					if i%2 == 1 {
						c.wake <- struct{}{} // it is copying now
					}
					go func() { closed <- db.Close() }()
				}
				if err := <-closed; err != nil {
					t.Error(err)
				}
				<-c.done
				if _, err := os.Stat(db.Path() + "-wal"); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the log is left: %v", err)
				}
				if _, err := db.Write(t.Context()); !errors.Is(err, ErrClosed) {
					t.Errorf("a write after Close: %v", err)
				}
				holds(t, db.Path(), i)
			}
		})
	}
}

// A checkpointer that cannot open the file leaves the log as it is and tries
// again when it is asked the next time.
func TestCheckpointerWithoutFile(t *testing.T) {
	t.Parallel()
	db := openX(t)
	c := &checkpointer{db: &sqliteDB{path: db.Path() + "/missing", turn: make(chan struct{}, 1), closing: make(chan struct{})},
		wake: make(chan struct{}), done: make(chan struct{})}
	c.pages.Store(checkpointStep)
	go c.run()
	for range 3 {
		c.wake <- struct{}{}
	}
	c.stop()
	if pages := fill(t, db, 1); pages < 900 {
		t.Errorf("%d pages", pages)
	}
}
