package sqldb

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/memberd/memberd/internal/store/sqldb/lite"
)

// Reader runs single reading statements, each on whichever connection is free
// and each with its own view of the data. It is a value to pass around, with
// nothing to close.
type Reader struct{ db *DB }

// Read returns the reading side: on SQLite connections that cannot write.
func (db *DB) Read() *Reader { return &Reader{db} }

// Dialect says which engine this is.
func (r *Reader) Dialect() Dialect { return r.db.dialect }

// Query runs a reading statement written with ?. On SQLite it is not interrupted
// when ctx ends meanwhile: what reads many rows belongs into a ReadTx.
func (r *Reader) Query(ctx context.Context, query string, args ...any) (Rows, error) {
	if r.db.closed.Load() {
		return nil, ErrClosed
	}
	if r.db.pg != nil {
		rows, err := r.db.pg.Query(ctx, rebound.get(query), args...)
		if err != nil {
			return nil, err
		}
		return pgRows{rows}, nil
	}
	conn, err := r.db.lite.readers.get(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := conn.Query(query, args...)
	if err != nil {
		r.db.lite.readers.put(conn)
		return nil, err
	}
	return &pooledRows{rows, func() { r.db.lite.readers.put(conn) }}, nil
}

// QueryRow runs a reading statement of which only the first row matters.
func (r *Reader) QueryRow(ctx context.Context, query string, args ...any) Row {
	return firstRow(r.Query(ctx, query, args...))
}

// ReadTx is one snapshot of the data: every statement of it sees the same. It
// belongs to one goroutine and must be closed.
type ReadTx struct {
	db   *DB
	lite *lite.Conn // nil once closed
	open Rows       // of the last query on SQLite, which may have been left open
	pg   pgx.Tx
}

// ReadTx begins a snapshot: on SQLite a deferred transaction on a reading
// connection (the snapshot is taken by its first statement), on PostgreSQL
// REPEATABLE READ READ ONLY. Keep it short: while it is open SQLite's log
// cannot be reset nor PostgreSQL's dead rows be removed.
func (db *DB) ReadTx(ctx context.Context) (*ReadTx, error) {
	if db.closed.Load() {
		return nil, ErrClosed
	}
	var err error
	tx := &ReadTx{db: db}
	if db.pg != nil {
		tx.pg, err = db.pg.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	} else {
		tx.lite, err = db.lite.snapshot(ctx)
	}
	if err != nil {
		return nil, err
	}
	return tx, nil
}

func (db *sqliteDB) snapshot(ctx context.Context) (*lite.Conn, error) {
	conn, err := db.readers.get(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec("BEGIN"); err != nil {
		db.readers.put(conn)
		return nil, err
	}
	return conn, nil
}

// Dialect says which engine this is.
func (tx *ReadTx) Dialect() Dialect { return tx.db.dialect }

// Query runs a reading statement written with ?.
func (tx *ReadTx) Query(ctx context.Context, query string, args ...any) (Rows, error) {
	if tx.pg != nil {
		rows, err := tx.pg.Query(ctx, rebound.get(query), args...)
		if err != nil {
			return nil, err
		}
		return pgRows{rows}, nil
	}
	switch {
	case tx.db.closed.Load():
		return nil, ErrClosed
	case tx.lite == nil:
		return nil, ErrTxDone
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rows, err := tx.lite.Query(query, args...)
	if err != nil {
		return nil, err
	}
	tx.open = rows
	if ctx.Done() != nil {
		tx.open = &watchedRows{Rows: rows, ctx: ctx, unwatch: interruptAfter(ctx, tx.lite)}
	}
	return tx.open, nil
}

// QueryRow runs a reading statement of which only the first row matters.
func (tx *ReadTx) QueryRow(ctx context.Context, query string, args ...any) Row {
	return firstRow(tx.Query(ctx, query, args...))
}

// Close ends the snapshot. Closing it again does nothing.
func (tx *ReadTx) Close() error {
	if tx.pg != nil {
		if err := tx.pg.Rollback(context.Background()); !isTxDone(err) {
			return err
		}
		return nil
	}
	if tx.lite == nil {
		return nil
	}
	conn := tx.lite
	tx.lite = nil
	if tx.open != nil {
		_ = tx.open.Close()
	}
	_, err := conn.Exec("ROLLBACK")
	tx.db.lite.readers.put(conn)
	return err
}

// pooledRows gives their connection back when they end.
type pooledRows struct {
	*lite.Rows
	release func() // nil once called
}

func (r *pooledRows) Next() bool { return r.Rows.Next() || r.end() }

func (r *pooledRows) Close() error {
	err := r.Rows.Close()
	r.end()
	return err
}

func (r *pooledRows) end() bool {
	if r.release != nil {
		r.release()
		r.release = nil
	}
	return false
}

// watchedRows fail when their context ends.
type watchedRows struct {
	*lite.Rows
	ctx     context.Context
	unwatch func()
	begun   bool
	err     error // of a context that had ended before the query began
}

func (r *watchedRows) Next() bool {
	if !r.begun { // an interruption before this would have met nothing
		r.begun = true
		if r.err = r.ctx.Err(); r.err != nil {
			_ = r.Rows.Close()
		}
	}
	if r.Rows.Next() {
		return true
	}
	r.unwatch()
	return false
}

func (r *watchedRows) Err() error {
	if r.err != nil {
		return r.err
	}
	err := r.Rows.Err()
	if ctxErr := r.ctx.Err(); err != nil && ctxErr != nil {
		return ctxErr
	}
	return err
}

func (r *watchedRows) Close() error {
	r.unwatch()
	return r.Rows.Close()
}

// interruptAfter interrupts conn when ctx ends, until unwatch was called. After
// that no interruption is on its way any more, which would hit a stranger.
func interruptAfter(ctx context.Context, conn *lite.Conn) (unwatch func()) {
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		conn.Interrupt()
		close(fired)
	})
	return sync.OnceFunc(func() {
		if !stop() {
			<-fired
		}
	})
}

// row is the first row of a query, and the query's error until Scan asks.
type row struct {
	rows Rows
	err  error
}

func firstRow(rows Rows, err error) Row { return &row{rows, err} }

func (r *row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	if !r.rows.Next() {
		r.rows.Close()
		if err := r.rows.Err(); err != nil {
			return err
		}
		return ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		r.rows.Close()
		return err
	}
	return r.rows.Close()
}
