package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	_ "modernc.org/sqlite" // the driver, for openSQL

	"github.com/memberd/memberd/internal/store/sqldb/lite"
)

// What every connection is told. journal_mode is stored in the file; all else
// belongs to the connection and has to be said each time.
var commonPragmas = []string{
	"busy_timeout(5000)",  // another process (a subcommand, a backup) is waited for 5 s, then SQLITE_BUSY
	"journal_mode(WAL)",   // readers never wait for the writer, nor it for them
	"synchronous(FULL)",   // fsync at each commit: an answer given is an answer kept through a power cut
	"foreign_keys(0)",     // the domain keeps references; checking them would cost a look-up per row
	"secure_delete(FAST)", // an erased member's nickname leaves no bytes behind in its page; costs no extra page
	"temp_store(MEMORY)",  // sorting personal data leaves no temporary file behind
	// A log that one slow reader let grow is cut back afterwards, to 192 MiB: what
	// is usual stays, since cutting it makes a commit wait, and growing again the
	// next ones.
	fmt.Sprintf("journal_size_limit(%d)", checkpointAll/2*3*4096),
}

var (
	// The writer's cache holds the hot pages of indexes: 16 MiB. More is slower,
	// because a commit that has moved pages of a tree looks through all of it.
	writerPragmas = slices.Concat(commonPragmas, []string{"cache_size(-16384)"})
	// query_only makes a writing statement on the reading side fail instead of
	// competing with the writer.
	readerPragmas = slices.Concat(commonPragmas, []string{"cache_size(-16384)", "query_only(1)"})
)

// sqliteDB is one connection that writes and several that read.
type sqliteDB struct {
	path    string
	turn    chan struct{} // holds one token; who has it owns writer
	writer  *lite.Conn    // nil after it was discarded
	queue   *queue        // of processes that want to write
	readers *pool

	checkpoints *checkpointer
	closing     chan struct{}
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
	db := &sqliteDB{path: path, turn: make(chan struct{}, 1), closing: make(chan struct{})}
	if db.queue, err = openQueue(path); err != nil {
		return nil, err
	}
	if err := db.first(ctx); err != nil {
		return nil, errors.Join(err, db.queue.file.Close())
	}
	db.readers = newPool(path, max(4, runtime.NumCPU()))
	db.checkpoints = startCheckpointer(db)
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
	if db.writer, err = openConn(db.path, writerPragmas); err != nil {
		return err
	}
	var mode string
	err = answer(db.writer, "PRAGMA journal_mode", &mode)
	if err == nil && mode != "wal" {
		err = fmt.Errorf("journal mode is %s, not wal: the file system lacks shared memory", mode)
	}
	if err != nil {
		return errors.Join(err, db.writer.Close())
	}
	return nil
}

// answer scans the one row that a PRAGMA answers with.
func answer(conn *lite.Conn, pragma string, dest ...any) error {
	rows, err := conn.Query(pragma)
	if err != nil {
		return err
	}
	return firstRow(rows, nil).Scan(dest...)
}

// openConn opens a connection and tells it the pragmas.
func openConn(path string, pragmas []string) (*lite.Conn, error) {
	conn, err := lite.Open(path)
	if err != nil {
		return nil, err
	}
	for _, pragma := range pragmas {
		if _, err := conn.Exec("PRAGMA " + pragma); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
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

// openSQL opens database/sql on the file, for tools that speak nothing else. The
// path goes in as an escaped file: URL, so that ?, # and % in it are part of the
// name.
func openSQL(path string) (*sql.DB, error) {
	params := url.Values{"_pragma": writerPragmas, "_txlock": {"immediate"}, "_dqs": {"0"}}
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: params.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(2)
	return db, nil
}

func (db *sqliteDB) close() error {
	close(db.closing)
	<-db.turn // never put back: who comes later sees closed
	db.checkpoints.stop()
	var errs []error
	if db.writer != nil {
		errs = append(errs, db.writer.Close())
	}
	close(db.turn)
	return errors.Join(append(errs, db.queue.file.Close(), db.readers.close())...)
}
