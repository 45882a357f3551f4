package sqldb

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// ErrTxDone is returned by a transaction that has ended.
var ErrTxDone = errors.New("sqldb: transaction has ended")

// Tx is a write transaction. It belongs to one goroutine and ends with Commit
// or Rollback.
//
// After a statement has failed, every further one returns ErrTxFailed and
// Commit rolls back. PostgreSQL behaves so by itself; SQLite does not: some
// errors (disk full, I/O) end its transaction silently, and statements sent
// after that would each commit alone.
type Tx struct {
	db     *DB
	conn   *writeConn // SQLite
	pg     pgx.Tx     // PostgreSQL
	failed error      // the first error of a statement
	done   bool
}

// ErrTxFailed is returned by a transaction of which a statement failed before.
var ErrTxFailed = errors.New("sqldb: an earlier statement of the transaction failed")

// Write begins a write transaction. On SQLite it waits for its turn and then is
// BEGIN IMMEDIATE: the write lock is held from the start, so what it reads
// cannot change before it commits; another process is waited for up to 5 s and
// then the error is of class Again. On PostgreSQL it is READ COMMITTED on a
// connection of the pool, and rows are protected only once they are locked.
func (db *DB) Write(ctx context.Context) (*Tx, error) {
	if db.closed.Load() {
		return nil, ErrClosed
	}
	if db.pg != nil {
		tx, err := db.pg.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite})
		if err != nil {
			return nil, err
		}
		return &Tx{db: db, pg: tx}, nil
	}
	conn, err := db.lite.begin(ctx)
	if err != nil {
		return nil, err
	}
	return &Tx{db: db, conn: conn}, nil
}

// begin takes the turn and keeps it when it returns no error.
func (db *sqliteDB) begin(ctx context.Context) (*writeConn, error) {
	select {
	case _, ok := <-db.turn:
		if !ok {
			return nil, ErrClosed
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if db.writer == nil {
		conn, err := newWriteConn(ctx, db.writers)
		if err != nil {
			db.turn <- struct{}{}
			return nil, err
		}
		db.writer = conn
	}
	conn := db.writer
	if err := db.beginInTurn(ctx, conn); err != nil {
		// A context that ends just after BEGIN did its work gives an error and
		// an open transaction. Rolling back when there is none is an error
		// too, and means nothing; a broken connection is replaced.
		_, undo := conn.exec(context.WithoutCancel(ctx), "ROLLBACK")
		db.release(undo != nil && Classify(err) != Again)
		return nil, err
	}
	return conn, nil
}

// beginInTurn waits for other processes before it asks for the write lock.
func (db *sqliteDB) beginInTurn(ctx context.Context, conn *writeConn) error {
	if err := db.queue.enter(ctx); err != nil {
		return err
	}
	_, err := conn.exec(ctx, "BEGIN IMMEDIATE")
	return errors.Join(err, db.queue.leave())
}

// release gives the turn back. A connection in doubt is replaced when the next
// transaction begins.
func (db *sqliteDB) release(discard bool) {
	if discard && db.writer != nil {
		db.writer.discard()
		db.writer = nil
	}
	db.turn <- struct{}{}
}

// Dialect says which engine this is.
func (tx *Tx) Dialect() Dialect { return tx.db.dialect }

// PG is the native transaction, for what only pgx can do (Batch, CopyFrom); its
// statements are written with $n. nil on SQLite. Commit and Rollback must go
// through Tx.
func (tx *Tx) PG() pgx.Tx { return tx.pg }

func (tx *Tx) usable() error {
	if tx.done {
		return ErrTxDone
	}
	if tx.failed != nil {
		return ErrTxFailed
	}
	return nil
}

// fail remembers the first error of a statement and hands it back. No row is
// not a failure.
func (tx *Tx) fail(err error) error {
	if err != nil && tx.failed == nil && !errors.Is(err, ErrNoRows) {
		tx.failed = err
	}
	return err
}

// Exec runs a statement written with ? and returns how many rows it changed.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := tx.usable(); err != nil {
		return 0, err
	}
	if tx.pg != nil {
		tag, err := tx.pg.Exec(ctx, rebound.get(query), args...)
		return tag.RowsAffected(), tx.fail(err)
	}
	ctx, err := unwatched(ctx)
	if err != nil {
		return 0, tx.fail(err)
	}
	n, err := tx.conn.exec(ctx, query, args...)
	return n, tx.fail(err)
}

// unwatched is a context that nobody waits for. database/sql and the driver each
// start a goroutine for every statement whose context can end, which costs more
// than most statements of a batch do. These touch a few rows by key, with the
// write lock held: none is worth interrupting, and between two of them the
// context is asked.
func unwatched(ctx context.Context) (context.Context, error) {
	return context.WithoutCancel(ctx), ctx.Err()
}

// Query runs a statement written with ? that returns rows. On SQLite a
// statement must not be run again while its own rows are open.
func (tx *Tx) Query(ctx context.Context, query string, args ...any) (Rows, error) {
	if err := tx.usable(); err != nil {
		return nil, err
	}
	if tx.pg != nil {
		rows, err := tx.pg.Query(ctx, rebound.get(query), args...)
		if err != nil {
			return nil, tx.fail(err)
		}
		return &txRows{pgRows{rows}, tx, func() {}}, nil
	}
	ctx, err := unwatched(ctx)
	if err != nil {
		return nil, tx.fail(err)
	}
	stmt, release, err := tx.conn.prepared(ctx, query)
	if err != nil {
		return nil, tx.fail(err)
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		release()
		return nil, tx.fail(err)
	}
	return &txRows{rows, tx, release}, nil
}

// QueryRow runs a statement that returns rows of which only the first matters.
func (tx *Tx) QueryRow(ctx context.Context, query string, args ...any) Row {
	return firstRow(tx.Query(ctx, query, args...))
}

// txRows tells the transaction of an error that comes with a row.
type txRows struct {
	Rows
	tx      *Tx
	release func()
}

func (r *txRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.tx.fail(r.Rows.Err())
	return false
}

func (r *txRows) Close() error {
	err := r.Rows.Close()
	r.release()
	return r.tx.fail(err)
}

// Rollback ends the transaction without a trace. After Commit or Rollback it
// does nothing, so it can be deferred. It ignores the end of ctx.
func (tx *Tx) Rollback(ctx context.Context) error {
	if tx.done {
		return nil
	}
	tx.done = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	if tx.pg != nil {
		if err := tx.pg.Rollback(ctx); !isTxDone(err) {
			return err
		}
		return nil
	}
	_, err := tx.conn.exec(ctx, "ROLLBACK")
	// An error here mostly says that SQLite has rolled back already. Either way
	// a new connection begins without a transaction.
	tx.db.lite.release(err != nil)
	if tx.failed != nil {
		return nil
	}
	return err
}
