package sqldb

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	sqlite3 "modernc.org/sqlite/lib"
)

// CommitError is an error of Tx.Commit. Classify and errors.As see through it.
type CommitError struct {
	Err        error
	RolledBack bool // the engine has said for certain that nothing was kept
}

func (e *CommitError) Error() string {
	if e.RolledBack {
		return "commit: rolled back: " + e.Err.Error()
	}
	return "commit: outcome unknown: " + e.Err.Error()
}

func (e *CommitError) Unwrap() error { return e.Err }

// CommitOutcome says of an error that Commit returned whether the transaction
// has certainly been rolled back. If not, its effects may or may not be there,
// and it must not be run again.
func CommitOutcome(err error) (rolledBack bool) {
	commitErr, ok := errors.AsType[*CommitError](err)
	return ok && commitErr.RolledBack
}

// endTimeout is when a COMMIT or ROLLBACK without an answer is given up: a
// standby that went away or a network that swallows packets would otherwise
// hold the writer for good.
const endTimeout = 20 * time.Second

// Commit ends the transaction and keeps its effects, or returns a *CommitError.
// It ignores the end of ctx: giving up early on an answer that is under way
// would only turn a known outcome into an unknown one.
func (tx *Tx) Commit(ctx context.Context) error {
	if tx.done {
		return ErrTxDone
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	if tx.failed != nil {
		// COMMIT was never sent. Should the roll-back fail too, the connection
		// is closed, and both engines drop what a closed connection left open.
		_ = tx.Rollback(ctx)
		return &CommitError{Err: errors.Join(ErrTxFailed, tx.failed), RolledBack: true}
	}
	tx.done = true
	if tx.pg != nil {
		gone := tx.pg.Conn().IsClosed() // then COMMIT can't be sent
		if err := tx.pg.Commit(ctx); err != nil {
			return &CommitError{Err: err, RolledBack: gone || postgresRolledBack(err)}
		}
		return nil
	}
	return tx.commitSQLite()
}

// commitSQLite sends COMMIT and, when that fails, ROLLBACK by hand, because the
// answer to the second tells what the first did.
func (tx *Tx) commitSQLite() error {
	err := tx.end("COMMIT")
	if err == nil {
		tx.db.lite.checkpoints.committed(tx.conn.LogPages())
		tx.db.lite.release(false)
		return nil
	}
	_, undo := tx.conn.Exec("ROLLBACK")
	tx.db.lite.release(undo != nil)
	return &CommitError{Err: err, RolledBack: undo == nil || sqliteRolledBack(err)}
}

// sqliteRolledBack judges an error of COMMIT after which SQLite had no
// transaction open any more, that is, when SQLite itself ended it.
//
//   - FULL: a frame of the log could not be written. The frame that makes a
//     commit valid is the last of all, so it is not there.
//   - All others are unknown, I/O errors above all: if the fsync failed, that
//     last frame may already be in the log. This process does not see it, but
//     should the machine stop before the next commit overwrites it, recovery
//     would find it and take the transaction for committed. The same holds for
//     NOMEM, which can strike after the log was written.
//
// BUSY and a violated constraint leave the transaction open, so the ROLLBACK
// that followed has succeeded and this is not asked.
func sqliteRolledBack(err error) bool {
	code, ok := sqliteCode(err)
	return ok && code&0xff == sqlite3.SQLITE_FULL
}

// postgresRolledBack judges an error of COMMIT.
//
//   - ErrTxCommitRollback: the server answered ROLLBACK, because an earlier
//     statement had failed.
//   - An answer of severity ERROR: the server raises it while preparing to
//     commit (deferred constraints 23xxx, serialization 40001). Once the commit
//     record is being written, any failure is a PANIC, and once it is written
//     nothing is raised any more.
//   - Not: 40003, which says that the outcome is unknown; 08, 57, 58 and XX,
//     which proxies and a server going down use for "the connection is gone";
//     FATAL and PANIC. There the commit record may have been written.
//   - Not sent at all (SafeToRetry): the server ends the transaction with the
//     connection. But not "conn closed", which pgx also says, as safe to retry,
//     of a connection that broke while it waited for the answer: its reader
//     peeks at the answer, drops the error of that and then finds the
//     connection closed.
//   - Everything else (network errors, timeouts, a closed connection): COMMIT
//     was on its way, and only its answer is missing.
func postgresRolledBack(err error) bool {
	if errors.Is(err, pgx.ErrTxCommitRollback) {
		return true
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		if pgErr.SeverityUnlocalized != "ERROR" || pgErr.Code == "40003" || len(pgErr.Code) != 5 {
			return false
		}
		switch pgErr.Code[:2] {
		case "08", "57", "58", "XX":
			return false
		}
		return true
	}
	return pgconn.SafeToRetry(err) && !errors.Is(err, pgconn.ErrConnClosed)
}
