package sqldb

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
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
	ctx, err := unwatched(ctx)
	if err != nil {
		return nil, err
	}
	stmt, err := r.db.lite.stmts.get(ctx, query)
	if err != nil {
		return nil, err
	}
	if stmt == nil {
		return sqlRows(r.db.lite.readers.QueryContext(ctx, query, args...))
	}
	return sqlRows(stmt.QueryContext(ctx, args...))
}

// QueryRow runs a reading statement of which only the first row matters.
func (r *Reader) QueryRow(ctx context.Context, query string, args ...any) Row {
	return firstRow(r.Query(ctx, query, args...))
}

// ReadTx is one snapshot of the data: every statement of it sees the same. It
// belongs to one goroutine and must be closed.
type ReadTx struct {
	db   *DB
	lite *sql.Tx
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
		tx.lite, err = db.lite.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	}
	if err != nil {
		return nil, err
	}
	return tx, nil
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
	stmt, ok := tx.db.lite.stmts.stmts.Load(query)
	if !ok {
		// Not prepared through the pool here: with every reading connection in
		// a snapshot, each would wait for another one.
		return sqlRows(tx.lite.QueryContext(ctx, query, args...))
	}
	return sqlRows(tx.lite.StmtContext(ctx, stmt.(*sql.Stmt)).QueryContext(ctx, args...))
}

// QueryRow runs a reading statement of which only the first row matters.
func (tx *ReadTx) QueryRow(ctx context.Context, query string, args ...any) Row {
	return firstRow(tx.Query(ctx, query, args...))
}

// Close ends the snapshot. Closing it again does nothing.
func (tx *ReadTx) Close() error {
	var err error
	if tx.pg != nil {
		err = tx.pg.Rollback(context.Background())
	} else {
		err = tx.lite.Rollback()
	}
	if isTxDone(err) {
		return nil
	}
	return err
}

// sqlRows keeps a nil *sql.Rows from becoming a Rows that is not nil.
func sqlRows(rows *sql.Rows, err error) (Rows, error) {
	if err != nil {
		return nil, err
	}
	return rows, nil
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
