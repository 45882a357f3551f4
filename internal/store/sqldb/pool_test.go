package sqldb

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/memberd/memberd/internal/store/sqldb/lite"
)

// endless has a first row and then works for ever.
const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i = 1 OR i < 0"

func openX(t *testing.T) *DB {
	t.Helper()
	db := open(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	tx := begin(t, db)
	for _, statement := range []string{
		"CREATE TABLE x (id INTEGER PRIMARY KEY, v TEXT NOT NULL) STRICT", "INSERT INTO x VALUES (1, 'one'), (2, 'two')",
	} {
		if _, err := tx.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// allBack tells whether every connection was given back.
func allBack(t *testing.T, p *pool) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.slots) != cap(p.slots) || len(p.used) != 0 || len(p.idle) > cap(p.slots) {
		t.Errorf("%d of %d slots, %d in use, %d idle", len(p.slots), cap(p.slots), len(p.used), len(p.idle))
	}
}

// However a read ends, its connection comes back.
func TestReadersComeBack(t *testing.T) {
	t.Parallel()
	db := openX(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	p := db.lite.readers
	for _, test := range []struct {
		name string
		read func(ctx context.Context) error
		want error // nil: any
	}{
		{"a wrong statement", func(ctx context.Context) error { _, err := db.Read().Query(ctx, "SELEKT"); return err }, nil},
		{"a wrong value", func(ctx context.Context) error {
			return db.Read().QueryRow(ctx, "SELECT ?", 1.5).Scan(new(int64))
		}, nil},
		{"a write", func(ctx context.Context) error {
			return db.Read().QueryRow(ctx, "DELETE FROM x RETURNING 1").Scan(new(int64))
		}, nil},
		{"no row", func(ctx context.Context) error {
			return db.Read().QueryRow(ctx, "SELECT id FROM x WHERE id = 9").Scan(new(int64))
		}, ErrNoRows},
		{"a wrong place", func(ctx context.Context) error { return db.Read().QueryRow(ctx, "SELECT v FROM x").Scan(new(int64)) }, nil},
		{"an error on the way", func(ctx context.Context) error {
			rows, err := db.Read().Query(ctx, "SELECT abs(id - 1 - 9223372036854775807) FROM (SELECT 1 AS id UNION ALL SELECT 0)")
			if err != nil {
				return err
			}
			for rows.Next() {
			}
			return rows.Err() // not closed
		}, nil},
		{"left half way", func(ctx context.Context) error {
			rows, err := db.Read().Query(ctx, "SELECT id FROM x")
			if err != nil || !rows.Next() {
				return err
			}
			return errors.Join(rows.Close(), rows.Close(), errors.New("left"))
		}, nil},
		{"a context that ended", func(context.Context) error { return db.Read().QueryRow(ended, "SELECT 1").Scan(new(int64)) }, context.Canceled},
		{"a snapshot with one", func(context.Context) error { _, err := db.ReadTx(ended); return err }, context.Canceled},
		{"a snapshot with an error", func(ctx context.Context) error {
			tx, err := db.ReadTx(ctx)
			if err != nil {
				return err
			}
			return errors.Join(tx.QueryRow(ctx, "SELEKT").Scan(new(int64)), tx.Close(), tx.Close())
		}, nil},
	} {
		for range cap(p.slots) + 1 {
			if err := test.read(t.Context()); err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("%s: %v", test.name, err)
			}
		}
		allBack(t, p)
	}
	missing := newPool(filepath.Join(t.TempDir(), "missing", "x.db"), 1)
	for range 2 {
		if _, err := missing.get(t.Context()); Classify(err) != Infrastructure {
			t.Errorf("a file that cannot be opened: %v", err)
		}
	}
	allBack(t, missing)
}

// With every connection in use one waits, until its context ends or a connection
// comes back.
func TestReadersAllInUse(t *testing.T) {
	t.Parallel()
	db := openX(t)
	p := db.lite.readers
	var used []*lite.Conn
	for range cap(p.slots) {
		conn, err := p.get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		used = append(used, conn)
	}
	ctx, cancel := context.WithCancel(t.Context())
	answers := make(chan error)
	go func() {
		answers <- db.Read().QueryRow(ctx, "SELECT 1").Scan(new(int64))
	}()
	cancel()
	if err := <-answers; !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended: %v", err)
	}
	go func() {
		answers <- db.Read().QueryRow(t.Context(), "SELECT 1").Scan(new(int64))
	}()
	p.put(used[0])
	if err := <-answers; err != nil {
		t.Error(err)
	}
	for _, conn := range used[1:] {
		p.put(conn)
	}
	allBack(t, p)
}

// A connection that comes back in a transaction would show old data for ever.
func TestReaderInTransaction(t *testing.T) {
	t.Parallel()
	db := openX(t)
	p := db.lite.readers
	conn, err := p.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec("BEGIN"); err != nil {
		t.Fatal(err)
	}
	p.put(conn)
	if conn, err = p.get(t.Context()); err != nil || conn.InTransaction() {
		t.Errorf("in a transaction, %v", err)
	}
	p.put(conn)
	allBack(t, p)
}

// Reads that run when the database is closed end with an error, those that wait
// are told, and the last one to come back closes the file.
func TestCloseWithReadsRunning(t *testing.T) {
	t.Parallel()
	db := openX(t)
	p := db.lite.readers
	var running, ended sync.WaitGroup
	read := func(q Queryer, end func() error) {
		defer ended.Done()
		rows, err := q.Query(t.Context(), endless)
		if err != nil || !rows.Next() {
			t.Error(err)
		}
		running.Done()
		if rows.Next() || Classify(rows.Err()) != Infrastructure {
			t.Errorf("the read ended with %v", rows.Err())
		} else if e, ok := errors.AsType[*lite.Error](rows.Err()); !ok || e.Code != sqlite3.SQLITE_INTERRUPT {
			t.Errorf("the read ended with %v", rows.Err())
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	}
	for i := range cap(p.slots) {
		running.Add(1)
		ended.Add(1)
		if i%2 == 0 {
			go read(db.Read(), func() error { return nil })
			continue
		}
		tx, err := db.ReadTx(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		go read(tx, tx.Close)
	}
	running.Wait()
	ended.Add(1)
	go func() { // it may wait for a slot, or come after the end
		defer ended.Done()
		if err := db.Ping(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("a read that waited: %v", err)
		}
	}()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	ended.Wait()
	allBack(t, p)
	if len(p.idle) != 0 {
		t.Errorf("%d connections were kept", len(p.idle))
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(db.Path() + suffix); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", suffix, err)
		}
	}
}

// Rows that were left open end with their transaction, as long as somebody else
// may have its connection.
func TestRowsLeftOpen(t *testing.T) {
	t.Parallel()
	db := openX(t)
	ctx, cancel := context.WithCancel(t.Context())
	read, err := db.ReadTx(ctx)
	if err != nil {
		t.Fatal(err)
	}
	left, err := read.Query(ctx, "SELECT id FROM x")
	if err != nil || !left.Next() {
		t.Fatal(err)
	}
	if err := read.Close(); err != nil || left.Next() || left.Close() != nil {
		t.Errorf("%v, or the rows went on", err)
	}
	stranger, err := db.Read().Query(t.Context(), endless+" LIMIT 1")
	if err != nil || !stranger.Next() {
		t.Fatal(err)
	}
	cancel() // interrupts nobody any more
	if stranger.Next() || stranger.Err() != nil {
		t.Errorf("a stranger: %v", stranger.Err())
	}
	for _, end := range []func(tx *Tx) error{
		func(tx *Tx) error { return tx.Commit(t.Context()) },
		func(tx *Tx) error { return tx.Rollback(t.Context()) },
	} {
		tx := begin(t, db)
		rows, err := tx.Query(t.Context(), "SELECT id FROM x")
		if err != nil || !rows.Next() {
			t.Fatal(err)
		}
		if err := end(tx); err != nil || rows.Next() || rows.Close() != nil {
			t.Errorf("%v, or the rows went on", err)
		}
	}
	allBack(t, db.lite.readers)
}

// A context that ends between the query and its first row.
func TestContextEndsBeforeFirstRow(t *testing.T) {
	t.Parallel()
	db := openX(t)
	ctx, cancel := context.WithCancel(t.Context())
	tx, err := db.ReadTx(ctx)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := tx.Query(ctx, "SELECT id FROM x")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if rows.Next() || !errors.Is(rows.Err(), context.Canceled) {
		t.Errorf("%v", rows.Err())
	}
	if err := errors.Join(rows.Close(), tx.Close()); err != nil {
		t.Error(err)
	}
	allBack(t, db.lite.readers)
}
