// Package sqldb opens the two databases the product runs on, SQLite and
// PostgreSQL 15 or later, and hides what must differ between them: how they
// are opened, how a write transaction begins, how a query is spelt for the
// driver, which locks exist, and what an error code means for the caller.
//
// Statements are written once, with ? for a parameter, and are rewritten to $n
// for PostgreSQL the first time they are seen. Columns are integers and text
// only; ids and times come from Go. Text that is ordered or compared by range
// must carry Dialect.CollateC in the query or COLLATE "C" in the table, because
// a PostgreSQL database sorts by its own locale while SQLite sorts by bytes.
//
// The package knows no table and no rule of the product. It never retries a
// statement, never classifies an error by its text, never logs, and never puts
// an argument of a statement into an error.
package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// ErrClosed is returned by every method of a DB after Close.
var ErrClosed = errors.New("sqldb: database is closed")

// ErrNoRows is what Row.Scan returns when the query had no row; test for it
// with errors.Is. It is database/sql's value on both engines.
var ErrNoRows = sql.ErrNoRows

// Rows is the result of a query, at the row before the first. It must be closed
// before the next statement of the same transaction: on PostgreSQL the
// connection is busy until then.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close() error
}

// Row is the result of a query of which only the first row matters. Scan
// returns ErrNoRows when there is none.
type Row interface {
	Scan(dest ...any) error
}

// Queryer runs reading statements written with ?. *Tx, *ReadTx and *Reader are
// Queryers, so that a look-up is written once and used inside and outside a
// transaction.
type Queryer interface {
	Dialect() Dialect
	Query(ctx context.Context, query string, args ...any) (Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) Row
}

// DB is an open database. It is safe for use by many goroutines.
type DB struct {
	dialect Dialect
	closed  atomic.Bool
	lite    *sqliteDB // nil on PostgreSQL
	pg      *pgxpool.Pool
}

// Open opens the database that url names and checks that it can be used:
//
//	sqlite:PATH                      the rest is the path, as it is, unescaped
//	postgres://... postgresql://...  any URL that pgx accepts
//
// A SQLite file that does not exist is made (mode 0600), as is its folder
// (mode 0700). Errors never show the URL, which may hold a password.
func Open(ctx context.Context, url string) (*DB, error) {
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		lite, err := openSQLite(ctx, path)
		if err != nil {
			return nil, fmt.Errorf("open sqlite: %w", err)
		}
		return &DB{dialect: SQLite, lite: lite}, nil
	}
	if strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		pool, err := openPostgres(ctx, url)
		if err != nil {
			return nil, fmt.Errorf("open postgres: %w", err)
		}
		return &DB{dialect: PostgreSQL, pg: pool}, nil
	}
	return nil, errors.New("open database: the URL must begin with sqlite:, postgres:// or postgresql://")
}

// Dialect says which engine this is.
func (db *DB) Dialect() Dialect { return db.dialect }

// Path is the absolute path of the SQLite file, "" on PostgreSQL.
func (db *DB) Path() string {
	if db.lite == nil {
		return ""
	}
	return db.lite.path
}

// Pool is the native pool for what only PostgreSQL has (COPY, LISTEN); nil on
// SQLite.
func (db *DB) Pool() *pgxpool.Pool { return db.pg }

// OpenSQL returns a database/sql handle of its own for tools that need one,
// such as the migrations. The caller closes it; the DB stays open. On SQLite
// its transactions begin as BEGIN IMMEDIATE and take turns with those of Write.
func (db *DB) OpenSQL() (*sql.DB, error) {
	if db.closed.Load() {
		return nil, ErrClosed
	}
	if db.pg != nil {
		return stdlib.OpenDBFromPool(db.pg), nil
	}
	return openSQL(db.lite.path)
}

// Ping answers whether the database can be reached, through the reading side.
func (db *DB) Ping(ctx context.Context) error {
	var one int64
	return db.Read().QueryRow(ctx, "SELECT 1").Scan(&one)
}

// Close waits for the write transaction that is open, if any, and closes all
// connections. Reads that are still running end with an error.
func (db *DB) Close() error {
	if db.closed.Swap(true) {
		return nil
	}
	if db.pg != nil {
		db.pg.Close()
		return nil
	}
	return db.lite.close()
}
