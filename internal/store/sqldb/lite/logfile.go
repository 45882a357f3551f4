package lite

import (
	"sync"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	sqlite3 "modernc.org/sqlite/lib"
)

// A commit writes a few pages for each change to the log, and SQLite writes each
// with two system calls, though nothing looks at them before the sync at the
// end. This file is a file system of SQLite's (a VFS) that is the usual one but
// for that: it gathers what is written to the log, one write following on the
// other, and hands it on in one piece, at the latest before the sync.
//
// Nothing about durability changes, as long as synchronous is FULL, its default.
// The log is synced when SQLite says so, with all that was written before in it;
// an error of the late write is the error of the sync, which SQLite takes for a
// failed commit just the same; and a frame is shown to other connections only
// after the sync of its commit.
//
// Pages that a transaction had to spill wait like all else. What the connection
// reads back of them comes from the memory: a read that had to write first could
// fail for want of room, and SQLite, which knows no such reads, would go on with
// a transaction that has lost pages. If the transaction is rolled back, what
// waits is forgotten: its place in the log is free for everybody from then on.

// logName is what the file system is called among SQLite's.
const logName = "memberd-log"

// gatherSize is how much is gathered at most: some sixty changes of a batch.
const gatherSize = 1 << 20

// writeSize is how much is handed on at a time: SQLite's own write takes less
// than 128 KiB, and what is a multiple of that for nothing at all.
const writeSize = 64 << 10

// usual is SQLite's own file system, and usualSize how large its files are in
// memory. Both are set by register.
var usual, usualSize uintptr

// register tells SQLite of the file system, once, before a connection is opened.
var register = sync.OnceValue(func() error {
	tls := libc.NewTLS()
	defer tls.Close()
	if rc := sqlite3.Xsqlite3_initialize(tls); rc != sqlite3.SQLITE_OK {
		return &Error{Code: int(rc), Message: "initialize"}
	}
	usual = sqlite3.Xsqlite3_vfs_find(tls, 0)
	own := *at[sqlite3.Tsqlite3_vfs](usual)
	usualSize = align(uintptr(own.FszOsFile))
	name, err := libc.CString(logName)
	if err != nil {
		return err
	}
	own.FpNext, own.FzName = 0, name
	own.FszOsFile = int32(usualSize + unsafe.Sizeof(logFile{}))
	own.FxOpen = pointerTo(openFile)
	place := libc.Xmalloc(tls, types.Size_t(unsafe.Sizeof(own))) // for good: SQLite keeps it in a list
	if place == 0 {
		return outOfMemory
	}
	*at[sqlite3.Tsqlite3_vfs](place) = own
	if rc := sqlite3.Xsqlite3_vfs_register(tls, place, 0); rc != sqlite3.SQLITE_OK {
		return &Error{Code: int(rc), Message: "register a file system"}
	}
	return nil
})

// logFile is a log's memory behind that of SQLite's own file.
type logFile struct {
	methods  sqlite3.Tsqlite3_io_methods // the usual ones but for those below
	usual    uintptr                     // the usual ones
	gathered uintptr                     // room for gatherSize bytes, 0 before the first write
	from     int64                       // where in the file they belong
	size     int64                       // how many wait
}

func logOf(file uintptr) *logFile { return at[logFile](file + usualSize) }

// openFile opens a file, and takes its methods' places if it is a log.
func openFile(tls *libc.TLS, _, name, file uintptr, flags int32, outFlags uintptr) int32 {
	open := function[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](at[sqlite3.Tsqlite3_vfs](usual).FxOpen)
	rc := open(tls, usual, name, file, flags, outFlags)
	methods := &at[sqlite3.Tsqlite3_file](file).FpMethods
	if rc != sqlite3.SQLITE_OK || flags&sqlite3.SQLITE_OPEN_WAL == 0 || *methods == 0 {
		return rc
	}
	l := logOf(file)
	*l = logFile{methods: *at[sqlite3.Tsqlite3_io_methods](*methods), usual: *methods}
	l.methods.FxWrite = pointerTo(logWrite)
	l.methods.FxSync = pointerTo(logSync)
	l.methods.FxRead = pointerTo(logRead)
	l.methods.FxTruncate = pointerTo(logTruncate)
	l.methods.FxFileSize = pointerTo(logFileSize)
	l.methods.FxClose = pointerTo(logClose)
	*methods = file + usualSize
	return rc
}

func (l *logFile) io() *sqlite3.Tsqlite3_io_methods { return at[sqlite3.Tsqlite3_io_methods](l.usual) }

type (
	writeFunc    = func(tls *libc.TLS, file, data uintptr, size int32, at sqlite3.Tsqlite3_int64) int32
	syncFunc     = func(tls *libc.TLS, file uintptr, flags int32) int32
	truncateFunc = func(tls *libc.TLS, file uintptr, size sqlite3.Tsqlite3_int64) int32
	sizeFunc     = func(tls *libc.TLS, file, size uintptr) int32
	closeFunc    = func(tls *libc.TLS, file uintptr) int32
)

func logWrite(tls *libc.TLS, file, data uintptr, size int32, offset sqlite3.Tsqlite3_int64) int32 {
	l := logOf(file)
	if l.gathered == 0 {
		if l.gathered = libc.Xmalloc(tls, gatherSize); l.gathered == 0 {
			return sqlite3.SQLITE_NOMEM
		}
	}
	if offset != l.from+l.size || l.size+int64(size) > gatherSize {
		if rc := l.flush(tls, file); rc != sqlite3.SQLITE_OK {
			return rc
		}
		l.from = offset
	}
	copy(bytesAt(l.gathered+uintptr(l.size), int(size)), bytesAt(data, int(size)))
	l.size += int64(size)
	return sqlite3.SQLITE_OK
}

// flush writes out what was gathered. What could not be written is dropped: the
// caller fails, and SQLite writes the transaction anew or never.
func (l *logFile) flush(tls *libc.TLS, file uintptr) int32 {
	if l.size == 0 {
		return sqlite3.SQLITE_OK
	}
	data, from, size := l.gathered, l.from, l.size
	l.from, l.size = from+size, 0
	write := function[writeFunc](l.io().FxWrite)
	for size > 0 {
		n := min(size, writeSize)
		if rc := write(tls, file, data, int32(n), from); rc != sqlite3.SQLITE_OK {
			return rc
		}
		data, from, size = data+uintptr(n), from+n, size-n
	}
	return sqlite3.SQLITE_OK
}

func logSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	l := logOf(file)
	if rc := l.flush(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return function[syncFunc](l.io().FxSync)(tls, file, flags)
}

func logRead(tls *libc.TLS, file, data uintptr, size int32, offset sqlite3.Tsqlite3_int64) int32 {
	l := logOf(file)
	if l.size > 0 && offset < l.from+l.size && offset+int64(size) > l.from {
		if offset >= l.from && offset+int64(size) <= l.from+l.size {
			copy(bytesAt(data, int(size)), bytesAt(l.gathered+uintptr(offset-l.from), int(size)))
			return sqlite3.SQLITE_OK
		}
		// In part only COMMIT reads it, where errors of writing are known.
		if rc := l.flush(tls, file); rc != sqlite3.SQLITE_OK {
			return rc
		}
	}
	return function[writeFunc](l.io().FxRead)(tls, file, data, size, offset)
}

func logTruncate(tls *libc.TLS, file uintptr, size sqlite3.Tsqlite3_int64) int32 {
	l := logOf(file)
	if rc := l.flush(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return function[truncateFunc](l.io().FxTruncate)(tls, file, size)
}

func logFileSize(tls *libc.TLS, file, size uintptr) int32 {
	l := logOf(file)
	if rc := l.flush(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return function[sizeFunc](l.io().FxFileSize)(tls, file, size)
}

// logClose forgets what waits: it was not committed.
func logClose(tls *libc.TLS, file uintptr) int32 {
	l := logOf(file)
	libc.Xfree(tls, l.gathered)
	l.gathered, l.size = 0, 0
	return function[closeFunc](l.io().FxClose)(tls, file)
}

// logRolledBack is called by the engine after each roll-back, before anything
// else happens on the connection.
func logRolledBack(tls *libc.TLS, db uintptr) {
	if l := logOfConn(tls, db); l != nil {
		l.size = 0
	}
}

// logOfConn is the log that a connection has open, nil if it has none.
func logOfConn(tls *libc.TLS, db uintptr) *logFile {
	out := tls.Alloc(pointer)
	defer tls.Free(pointer)
	if rc := sqlite3.Xsqlite3_file_control(tls, db, 0, sqlite3.SQLITE_FCNTL_JOURNAL_POINTER, out); rc != sqlite3.SQLITE_OK {
		return nil
	}
	file := *at[uintptr](out)
	if file == 0 || at[sqlite3.Tsqlite3_file](file).FpMethods != file+usualSize {
		return nil // a journal, before the database has a log
	}
	return logOf(file)
}

// pointerTo is a function as the engine calls it, which was C and knows them by
// address. It must be one that is declared in a package, not a closure.
func pointerTo[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// function is the other way round.
func function[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&p)) }

func align(n uintptr) uintptr { return (n + 7) &^ 7 }
