package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"io/fs"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/memberd/memberd/internal/store/sqldb/lite"
)

// Class is what an error of the database asks of the caller.
type Class int

// The classes.
const (
	// Other: none of the below, mostly a mistake in a statement or a value that
	// the driver could not send. It follows from the work given, as Culprit
	// does, and trying again unchanged is in vain.
	Other Class = iota
	// Again: somebody else was in the way (a lock, a unique value taken since
	// it was looked up). Do the whole transaction again from its first read.
	Again
	// Culprit: a value in this transaction is unacceptable.
	Culprit
	// Infrastructure: the database cannot serve anybody now.
	Infrastructure
)

// String is the class's name, for logs and metrics.
func (c Class) String() string {
	switch c {
	case Again:
		return "again"
	case Culprit:
		return "culprit"
	case Infrastructure:
		return "infrastructure"
	}
	return "other"
}

// Classify tells the class of an error by its type and code, never by its text.
// A nil error is Other.
//
// The end of a context counts as Infrastructure: transactions run under the
// server's context, not under a client's.
func Classify(err error) Class {
	if err == nil {
		return Other
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return classifyPostgres(pgErr)
	}
	if code, ok := sqliteCode(err); ok {
		return classifySQLite(code)
	}
	if isInfrastructure(err) {
		return Infrastructure
	}
	return Other
}

func isInfrastructure(err error) bool {
	for _, target := range []error{
		context.Canceled, context.DeadlineExceeded, driver.ErrBadConn, sql.ErrConnDone, ErrClosed,
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, fs.ErrPermission,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	if _, ok := errors.AsType[syscall.Errno](err); ok {
		return true
	}
	return pgconn.SafeToRetry(err) // nothing was sent: the connection was already gone
}

// classifyPostgres goes by SQLSTATE: the whole code where one matters, else its
// class, the first two characters.
func classifyPostgres(err *pgconn.PgError) Class {
	switch err.Code {
	case "23505", "23P01", // unique, exclusion
		"40001", "40002", "40P01", // serialization, deadlock
		"55P03": // lock_timeout
		return Again
	case "40003": // the outcome of the statement is unknown
		return Infrastructure
	case "25006", "25P03", "25P04": // a standby; transactions the server timed out
		return Infrastructure
	case "XX000":
		// "Internal error" is what the server says of anything it has no code
		// for, mostly what one statement asked for; XX001 and XX002 are damage.
		return Other
	case "0A000":
		// A plan that was prepared before a migration changed its columns; pgx
		// forgets it, so the next attempt has a new one.
		if err.Routine == "RevalidateCachedQuery" {
			return Again
		}
		return Other
	}
	if len(err.Code) != 5 {
		return Infrastructure
	}
	switch err.Code[:2] {
	case "22", "23", "44", "54": // data, constraints, check option, limits
		return Culprit
	case "08", "28", "3D", "53", "57", "58", "XX":
		// connection, log-in, no such database, resources, shutting down or
		// cancelled by an operator, system, damaged
		return Infrastructure
	}
	if err.SeverityUnlocalized == "FATAL" || err.SeverityUnlocalized == "PANIC" {
		return Infrastructure
	}
	return Other
}

// classifySQLite goes by the extended result code; its low byte is the primary
// one.
func classifySQLite(code int) Class {
	switch code {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return Again
	}
	switch code & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_SCHEMA:
		return Again
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE:
		return Culprit
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN,
		sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL,
		sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_INTERRUPT:
		return Infrastructure
	}
	return Other
}

// sqliteCode is the extended result code of an error of SQLite, ours or that of
// the driver which OpenSQL hands out.
func sqliteCode(err error) (int, bool) {
	if e, ok := errors.AsType[*lite.Error](err); ok {
		return e.Code, true
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code(), true
	}
	return 0, false
}

func isTxDone(err error) bool {
	return err == nil || errors.Is(err, sql.ErrTxDone) || errors.Is(err, pgx.ErrTxClosed)
}
