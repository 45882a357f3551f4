package sqldb

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/memberd/memberd/internal/store/sqldb/lite"
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
	conn   *lite.Conn // SQLite
	open   *lite.Rows // of its last query, which may have been left open
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
func (db *sqliteDB) begin(ctx context.Context) (*lite.Conn, error) {
	select {
	case _, ok := <-db.turn:
		if !ok {
			return nil, ErrClosed
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := ctx.Err(); err != nil { // of two that are ready, select takes either
		db.turn <- struct{}{}
		return nil, err
	}
	if db.writer == nil {
		conn, err := openConn(db.path, writerPragmas)
		if err != nil {
			db.turn <- struct{}{}
			return nil, err
		}
		db.writer = conn
	}
	if err := db.beginInTurn(ctx); err != nil {
		db.release(false)
		return nil, err
	}
	return db.writer, nil
}

// beginInTurn waits for other processes before it asks for the write lock.
func (db *sqliteDB) beginInTurn(ctx context.Context) error {
	if err := db.queue.enter(ctx); err != nil {
		return err
	}
	_, err := db.writer.Exec("BEGIN IMMEDIATE")
	return errors.Join(err, db.queue.leave())
}

// release gives the turn back. A connection in doubt is replaced when the next
// transaction begins.
func (db *sqliteDB) release(discard bool) {
	if discard || db.writer.InTransaction() {
		_ = db.writer.Close() // rolls back whatever it had open
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
// On SQLite it is not interrupted when ctx ends meanwhile: the statements of a
// batch touch a few rows by key, with the write lock held. Between two of them
// the context is asked.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := tx.usable(); err != nil {
		return 0, err
	}
	if tx.pg != nil {
		tag, err := tx.pg.Exec(ctx, rebound.get(query), args...)
		return tag.RowsAffected(), tx.fail(err)
	}
	if err := ctx.Err(); err != nil {
		return 0, tx.fail(err)
	}
	n, err := tx.conn.Exec(query, args...)
	return n, tx.fail(err)
}

// Query runs a statement written with ? that returns rows. As Exec it is not
// interrupted on SQLite.
func (tx *Tx) Query(ctx context.Context, query string, args ...any) (Rows, error) {
	if err := tx.usable(); err != nil {
		return nil, err
	}
	if tx.pg != nil {
		rows, err := tx.pg.Query(ctx, rebound.get(query), args...)
		if err != nil {
			return nil, tx.fail(err)
		}
		return &txRows{pgRows{rows}, tx}, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, tx.fail(err)
	}
	rows, err := tx.conn.Query(query, args...)
	if err != nil {
		return nil, tx.fail(err)
	}
	tx.open = rows
	return &txRows{rows, tx}, nil
}

// end sends the last statement on SQLite. Rows that were left open would go on
// in the next transaction.
func (tx *Tx) end(statement string) error {
	if tx.open != nil {
		_ = tx.open.Close()
	}
	_, err := tx.conn.Exec(statement)
	return err
}

// QueryRow runs a statement that returns rows of which only the first matters.
func (tx *Tx) QueryRow(ctx context.Context, query string, args ...any) Row {
	return firstRow(tx.Query(ctx, query, args...))
}

// txRows tells the transaction of an error that comes with a row.
type txRows struct {
	Rows
	tx *Tx
}

func (r *txRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.tx.fail(r.Rows.Err())
	return false
}

func (r *txRows) Close() error {
	return r.tx.fail(r.Rows.Close())
}

// Rollback ends the transaction without a trace. After Commit or Rollback it
// does nothing, so it can be deferred. It ignores the end of ctx.
func (tx *Tx) Rollback(ctx context.Context) error {
	if tx.done {
		return nil
	}
	tx.done = true
	if tx.pg != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
		defer cancel()
		if err := tx.pg.Rollback(ctx); !isTxDone(err) {
			return err
		}
		return nil
	}
	err := tx.end("ROLLBACK")
	// An error here mostly says that SQLite has rolled back already. Either way
	// a new connection begins without a transaction.
	tx.db.lite.release(err != nil)
	if tx.failed != nil {
		return nil
	}
	return err
}
