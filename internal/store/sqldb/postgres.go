package sqldb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// minPostgres is PostgreSQL 15: the oldest that the tests run on.
	minPostgres = 150000
	// minPoolConns serves one writer and a crowd of short reads; a URL may name
	// another number with pool_max_conns.
	minPoolConns = 8
)

// What a session is told unless the URL says otherwise.
var sessionDefaults = map[string]string{
	"application_name": "memberd",
	// As long as SQLite waits for its lock; beyond it the batch is decided anew.
	"lock_timeout": "5s",
	// A process that hangs inside a transaction holds its members' locks; after
	// this the server ends it and the others go on.
	"idle_in_transaction_session_timeout": "60s",
	// Statements here touch few rows or are simple. Where the planner expects
	// more, compiling took up to a second and saved some milliseconds.
	"jit": "off",
}

func openPostgres(ctx context.Context, url string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx masks the password it finds, but a malformed URL may hide one from it.
		return nil, errors.New("the URL cannot be parsed")
	}
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = int32(max(minPoolConns, 2*runtime.NumCPU()))
	}
	for name, value := range sessionDefaults {
		if _, ok := config.ConnConfig.RuntimeParams[name]; !ok {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := checkServer(ctx, pool); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

func checkServer(ctx context.Context, pool *pgxpool.Pool) error {
	var version int
	var encoding string
	const query = `SELECT current_setting('server_version_num')::int, current_setting('server_encoding')`
	if err := pool.QueryRow(ctx, query).Scan(&version, &encoding); err != nil {
		return plainConnectError(err)
	}
	if version < minPostgres {
		return fmt.Errorf("the server is version %d, 15 or later is needed", version/10000)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database is encoded as %s, UTF8 is needed", encoding)
	}
	return nil
}

// plainConnectError leaves out the URL's user and host, which pgx prints, but
// keeps what the server or the network said.
func plainConnectError(err error) error {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); !ok {
		return err
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return &connectError{"refused with SQLSTATE " + pgErr.Code, err}
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return &connectError{"cannot connect: " + op.Err.Error(), err} // its address is left out
	}
	return &connectError{"cannot connect", err}
}

type connectError struct {
	text string
	err  error
}

func (e *connectError) Error() string { return e.text }
func (e *connectError) Unwrap() error { return e.err }

// pgRows is pgx.Rows with a Close that fits Rows.
type pgRows struct{ pgx.Rows }

func (r pgRows) Close() error {
	r.Rows.Close()
	return r.Rows.Err()
}
