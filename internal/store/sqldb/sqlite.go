package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	_ "modernc.org/sqlite" // the driver, in Go: no C compiler, one static binary
)

// What every connection is told. journal_mode is stored in the file; all else
// belongs to the connection and has to be said each time.
var commonPragmas = []string{
	"busy_timeout(5000)",           // another process (a subcommand, a backup) is waited for 5 s, then SQLITE_BUSY
	"journal_mode(WAL)",            // readers never wait for the writer, nor it for them
	"synchronous(FULL)",            // fsync at each commit: an answer given is an answer kept through a power cut
	"foreign_keys(0)",              // the domain keeps references; checking them would cost a look-up per row
	"secure_delete(FAST)",          // an erased member's nickname leaves no bytes behind in its page; costs no extra page
	"temp_store(MEMORY)",           // sorting personal data leaves no temporary file behind
	"wal_autocheckpoint(4000)",     // 16 MiB instead of 4: hot member rows are rewritten often, so fewer, fuller checkpoints
	"journal_size_limit(67108864)", // a log that one slow reader let grow is cut back to 64 MiB afterwards
}

var (
	// The writer's cache holds the hot pages of indexes: 64 MiB.
	writerPragmas = append([]string{"cache_size(-65536)"}, commonPragmas...)
	// Readers are several, so 16 MiB each; query_only makes a writing statement
	// on the reading side fail instead of competing with the writer.
	readerPragmas = append([]string{"cache_size(-16384)", "query_only(1)"}, commonPragmas...)
)

// sqliteDB is one connection that writes and several that read.
type sqliteDB struct {
	path    string
	writers *sql.DB
	turn    chan struct{} // holds one token; who has it owns writer
	writer  *writeConn    // nil until first used, and after it was discarded
	queue   *queue        // of processes that want to write
	readers *sql.DB
	stmts   stmtCache
}

func openSQLite(ctx context.Context, path string) (*sqliteDB, error) {
	if path == "" || path == ":memory:" || strings.HasPrefix(path, "file:") {
		return nil, errors.New("the URL must be sqlite: and the path of a file")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := makeFile(path); err != nil {
		return nil, err
	}
	db := &sqliteDB{path: path, turn: make(chan struct{}, 1)}
	if db.queue, err = openQueue(path); err != nil {
		return nil, err
	}
	if db.writers, err = openPool(path, writerPragmas, 1); err != nil {
		return nil, err
	}
	if db.readers, err = openPool(path, readerPragmas, max(4, runtime.NumCPU())); err != nil {
		return nil, errors.Join(err, db.writers.Close())
	}
	db.stmts.db = db.readers
	if err := db.first(ctx); err != nil {
		return nil, errors.Join(err, db.readers.Close(), db.writers.Close())
	}
	db.turn <- struct{}{}
	return db, nil
}

// first makes the first connection. Turning a new file to WAL wants it for
// itself and does not honour busy_timeout, so two processes that open one new
// file at the same moment take turns here.
func (db *sqliteDB) first(ctx context.Context) error {
	unlock, err := lockDir(ctx, filepath.Dir(db.path))
	if err != nil {
		return err
	}
	defer unlock()
	if db.writer, err = newWriteConn(ctx, db.writers); err != nil {
		return err
	}
	var mode string
	if err := db.writer.conn.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("journal mode is %s, not wal: the file system lacks shared memory", mode)
	}
	return nil
}

// makeFile makes the folder and the empty file, because SQLite would make the
// file readable by all. An existing file is not even opened: closing any
// descriptor of it would drop the locks this process holds on it.
func makeFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// openPool opens no connection yet. The path goes in as an escaped file: URL,
// so that ?, # and % in it are part of the name; _dqs=0 makes a misspelt column
// in double quotes an error, as on PostgreSQL, and not a string.
func openPool(path string, pragmas []string, size int) (*sql.DB, error) {
	params := url.Values{"_pragma": pragmas, "_txlock": {"immediate"}, "_dqs": {"0"}}
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: params.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size) // opening one costs a schema parse and an empty cache
	return db, nil
}

func (db *sqliteDB) close() error {
	<-db.turn // never put back: who comes later sees closed
	var errs []error
	if db.writer != nil {
		errs = append(errs, db.writer.close())
	}
	close(db.turn)
	return errors.Join(append(errs, db.queue.file.Close(), db.stmts.close(), db.readers.Close(), db.writers.Close())...)
}

// writeConn is the writing connection with the statements prepared on it. Only
// the holder of the turn touches it.
type writeConn struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

func newWriteConn(ctx context.Context, pool *sql.DB) (*writeConn, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &writeConn{conn: conn, stmts: make(map[string]*sql.Stmt)}, nil
}

// prepared returns the statement to run; release ends one that the cache had no
// room for.
func (w *writeConn) prepared(ctx context.Context, query string) (stmt *sql.Stmt, release func(), err error) {
	if stmt, ok := w.stmts[query]; ok {
		return stmt, func() {}, nil
	}
	if stmt, err = w.conn.PrepareContext(ctx, query); err != nil {
		return nil, nil, err
	}
	if len(w.stmts) >= maxCached {
		return stmt, func() { stmt.Close() }, nil
	}
	w.stmts[query] = stmt
	return stmt, func() {}, nil
}

func (w *writeConn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	stmt, release, err := w.prepared(ctx, query)
	if err != nil {
		return 0, err
	}
	defer release()
	result, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (w *writeConn) close() error {
	return errors.Join(w.closeStmts(), w.conn.Close())
}

// discard closes the connection to the database itself, which ends whatever it
// had open; close would leave it in the pool to be used again.
func (w *writeConn) discard() {
	_ = w.closeStmts()
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
}

func (w *writeConn) closeStmts() error {
	var errs []error
	for _, stmt := range w.stmts {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(errs...)
}

// stmtCache keeps one *sql.Stmt per text for the reading pool; database/sql
// prepares it once on each connection that comes to use it. Without it every
// query would be parsed and planned anew.
type stmtCache struct {
	db    *sql.DB
	stmts sync.Map // text -> *sql.Stmt
	count atomic.Int64
}

// get returns nil and no error when the cache is full.
func (c *stmtCache) get(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := c.stmts.Load(query); ok {
		return stmt.(*sql.Stmt), nil
	}
	if c.count.Load() >= maxCached {
		return nil, nil
	}
	stmt, err := c.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if had, loaded := c.stmts.LoadOrStore(query, stmt); loaded {
		stmt.Close() // another goroutine was first
		return had.(*sql.Stmt), nil
	}
	c.count.Add(1)
	return stmt, nil
}

func (c *stmtCache) close() error {
	var errs []error
	c.stmts.Range(func(_, stmt any) bool {
		errs = append(errs, stmt.(*sql.Stmt).Close())
		return true
	})
	return errors.Join(errs...)
}
