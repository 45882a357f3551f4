// Package lite is SQLite's own C interface in Go, as far as package sqldb needs
// it: one connection, statements that stay prepared, integers and text.
//
// The engine is modernc.org/sqlite/lib, SQLite translated to Go. Its driver for
// database/sql costs more per statement than most of our statements themselves
// (see ADR 13), so the hot path speaks to the engine directly. Nothing here
// knows of pools, turns or contexts.
//
// All memory that the engine sees is the C heap's. What goes in is copied there,
// what comes out is copied from there.
package lite

import (
	"errors"
	"fmt"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// pointer is the size of one.
const pointer = int(unsafe.Sizeof(uintptr(0)))

// maxKept bounds the statements that stay prepared. The product has some two
// hundred; the bound only keeps texts that are built anew for every call from
// filling the memory.
const maxKept = 1024

// Error is an answer of the engine other than success. It quotes no value that
// was bound.
type Error struct {
	Code    int // the extended result code
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("sqlite: %s (%d)", e.Message, e.Code) }

var outOfMemory = &Error{Code: sqlite3.SQLITE_NOMEM, Message: "out of memory"}

// Conn is a connection to a database file. It belongs to one goroutine at a
// time; Interrupt alone may be called by others.
type Conn struct {
	tls   *libc.TLS // nil once closed
	db    uintptr
	stmts map[string]*stmt
	once  map[*stmt]bool // those in use that are not kept
	log   uintptr        // where logCommitted counts pages
}

// Open opens a file, which is made if it is missing. The path is taken as it is:
// ?, # and % are part of the name, but a name that begins with "file:" would be
// a URL, so it should be absolute. The file is touched by the first statement.
//
// A misspelt column in double quotes is an error on the connection, as on
// PostgreSQL, and not a string.
func Open(path string) (*Conn, error) {
	if err := register(); err != nil {
		return nil, err
	}
	c := &Conn{tls: libc.NewTLS(), stmts: make(map[string]*stmt), once: make(map[*stmt]bool)}
	if err := c.open(path); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Conn) open(path string) error {
	name, err := libc.CString(path)
	if err != nil {
		return err
	}
	defer libc.Xfree(c.tls, name)
	vfs, err := libc.CString(logName)
	if err != nil {
		return err
	}
	defer libc.Xfree(c.tls, vfs)
	if c.log = libc.Xcalloc(c.tls, 1, 4); c.log == 0 {
		return outOfMemory
	}
	scratch := c.tls.Alloc(16) // for one answer, and then for two arguments
	defer c.tls.Free(16)
	// One goroutine at a time needs no mutex in the engine.
	const flags = sqlite3.SQLITE_OPEN_READWRITE | sqlite3.SQLITE_OPEN_CREATE | sqlite3.SQLITE_OPEN_NOMUTEX
	rc := sqlite3.Xsqlite3_open_v2(c.tls, name, scratch, flags, vfs)
	c.db = *at[uintptr](scratch)
	if rc != sqlite3.SQLITE_OK {
		return c.fail(rc)
	}
	sqlite3.Xsqlite3_extended_result_codes(c.tls, c.db, 1)
	sqlite3.Xsqlite3_wal_hook(c.tls, c.db, pointerTo(logCommitted), c.log)
	sqlite3.Xsqlite3_rollback_hook(c.tls, c.db, pointerTo(logRolledBack), c.db)
	for _, option := range []int32{sqlite3.SQLITE_DBCONFIG_DQS_DDL, sqlite3.SQLITE_DBCONFIG_DQS_DML} {
		off := libc.VaList(scratch, int32(0), uintptr(0))
		if rc := sqlite3.Xsqlite3_db_config(c.tls, c.db, option, off); rc != sqlite3.SQLITE_OK {
			return c.fail(rc)
		}
	}
	return nil
}

// fail is the error of the call that just answered rc.
func (c *Conn) fail(rc int32) error {
	e := &Error{Code: int(rc), Message: libc.GoString(sqlite3.Xsqlite3_errstr(c.tls, rc))}
	if c.db == 0 {
		return e
	}
	// The text of the handle may still be that of an earlier call.
	if extended := sqlite3.Xsqlite3_extended_errcode(c.tls, c.db); extended&0xff == rc&0xff {
		e.Code = int(extended)
		if text := libc.GoString(sqlite3.Xsqlite3_errmsg(c.tls, c.db)); text != e.Message {
			e.Message += ": " + text
		}
	}
	return e
}

// Exec runs one statement to its end and returns how many rows it changed. Its
// values are integers, flags and texts of any name, or pointers to an int64 or a
// string.
func (c *Conn) Exec(query string, args ...any) (changed int64, err error) {
	s, err := c.bound(query, args)
	if err != nil {
		return 0, err
	}
	rc := sqlite3.Xsqlite3_step(c.tls, s.handle)
	for rc == sqlite3.SQLITE_ROW { // a PRAGMA answers what it has set
		rc = sqlite3.Xsqlite3_step(c.tls, s.handle)
	}
	if rc != sqlite3.SQLITE_DONE {
		err = c.fail(rc)
	} else {
		changed = sqlite3.Xsqlite3_changes64(c.tls, c.db)
	}
	s.rest()
	return changed, err
}

// Query runs one statement whose rows are to be read. It begins with the first
// Next, so that is where most errors come up.
func (c *Conn) Query(query string, args ...any) (*Rows, error) {
	s, err := c.bound(query, args)
	if err != nil {
		return nil, err
	}
	return &Rows{stmt: s}, nil
}

// bound returns the statement to run, with its values.
func (c *Conn) bound(query string, args []any) (*stmt, error) {
	s, err := c.prepared(query)
	if err != nil {
		return nil, err
	}
	if err := s.bind(args); err != nil {
		s.rest()
		return nil, err
	}
	return s, nil
}

// prepared returns the statement to run. One whose own rows are still open is
// prepared a second time.
func (c *Conn) prepared(query string) (*stmt, error) {
	if s, ok := c.stmts[query]; ok && !s.busy {
		s.busy = true
		return s, nil
	}
	s, err := c.prepare(query)
	if err != nil {
		return nil, err
	}
	s.busy = true
	if _, ok := c.stmts[query]; !ok && len(c.stmts) < maxKept {
		c.stmts[query] = s
		s.kept = true
	} else {
		c.once[s] = true
	}
	return s, nil
}

func (c *Conn) prepare(query string) (*stmt, error) {
	text, err := libc.CString(query)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(c.tls, text)
	out := c.tls.Alloc(2 * pointer)
	defer c.tls.Free(2 * pointer)
	handle, tail := at[uintptr](out), at[uintptr](out+uintptr(pointer))
	rc := sqlite3.Xsqlite3_prepare_v3(c.tls, c.db, text, int32(len(query))+1, sqlite3.SQLITE_PREPARE_PERSISTENT, out, out+uintptr(pointer))
	if rc != sqlite3.SQLITE_OK {
		return nil, c.fail(rc)
	}
	s := &stmt{
		conn: c, handle: *handle,
		params:  int(sqlite3.Xsqlite3_bind_parameter_count(c.tls, *handle)),
		columns: int(sqlite3.Xsqlite3_column_count(c.tls, *handle)),
	}
	if rest := *tail - text; s.handle == 0 || !blank(query[rest:]) {
		s.close()
		return nil, fmt.Errorf("sqlite: a text must be exactly one statement")
	}
	return s, nil
}

// blank tells whether nothing is left of a text.
func blank(rest string) bool {
	for _, c := range []byte(rest) {
		if c != ' ' && c != '\t' && c != '\n' && c != ';' {
			return false
		}
	}
	return true
}

// InTransaction tells whether a transaction is open.
func (c *Conn) InTransaction() bool {
	return sqlite3.Xsqlite3_get_autocommit(c.tls, c.db) == 0
}

// LogPages is how many pages the log had after the last commit on this
// connection. Copying them into the database is the caller's: the connection
// does it only when it is the last to be closed.
func (c *Conn) LogPages() int64 { return int64(*at[int32](c.log)) }

// logCommitted is called by the engine after each commit.
func logCommitted(_ *libc.TLS, count, _, _ uintptr, pages int32) int32 {
	*at[int32](count) = pages
	return sqlite3.SQLITE_OK
}

// SyncDatabase waits until what was written to the database file is on the disk.
// A checkpoint does so itself only when nothing was committed since it began;
// otherwise it leaves it to a later one.
func (c *Conn) SyncDatabase() error {
	out := c.tls.Alloc(pointer)
	defer c.tls.Free(pointer)
	if rc := sqlite3.Xsqlite3_file_control(c.tls, c.db, 0, sqlite3.SQLITE_FCNTL_FILE_POINTER, out); rc != sqlite3.SQLITE_OK {
		return c.fail(rc)
	}
	file := *at[uintptr](out)
	methods := at[sqlite3.Tsqlite3_file](file).FpMethods
	if methods == 0 {
		return nil // a database in memory
	}
	sync := function[syncFunc](at[sqlite3.Tsqlite3_io_methods](methods).FxSync)
	if rc := sync(c.tls, file, sqlite3.SQLITE_SYNC_NORMAL); rc != sqlite3.SQLITE_OK {
		return &Error{Code: int(rc), Message: "sync the database"}
	}
	return nil
}

// Interrupt makes the statement that runs, if any, fail with SQLITE_INTERRUPT.
// The connection must not be closed meanwhile.
func (c *Conn) Interrupt() { sqlite3.Xsqlite3_interrupt(c.tls, c.db) }

// Close ends the connection. A transaction that is open is rolled back, and rows
// that are open end with an error. Closing it again does nothing.
func (c *Conn) Close() error {
	if c.tls == nil {
		return nil
	}
	for _, s := range c.stmts {
		s.close()
	}
	for s := range c.once {
		s.close()
	}
	rc := sqlite3.Xsqlite3_close_v2(c.tls, c.db)
	libc.Xfree(c.tls, c.log)
	c.tls.Close()
	c.tls, c.db, c.log = nil, 0, 0
	if rc != sqlite3.SQLITE_OK {
		return &Error{Code: int(rc), Message: "close"}
	}
	return nil
}

// at is a value on the C heap. go vet knows only Go's memory, where a number
// must not become a pointer, because what it pointed to may be gone.
func at[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// bytesAt is n bytes on the C heap.
func bytesAt(p uintptr, n int) []byte { return unsafe.Slice(at[byte](p), n) }
