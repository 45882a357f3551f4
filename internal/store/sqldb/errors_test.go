package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/memberd/memberd/internal/pgtest"
)

// Errors that both engines really give.
func TestClassifyStatements(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		for _, test := range []struct {
			query string
			args  []any
			want  Class
		}{
			{"INSERT INTO account VALUES (1, 'z', 0)", nil, Again},     // primary key
			{"INSERT INTO account VALUES (9, 'a', 0)", nil, Again},     // unique
			{"INSERT INTO account VALUES (9, NULL, 0)", nil, Culprit},  // not null
			{"INSERT INTO account VALUES (9, 'z', -1)", nil, Culprit},  // check
			{"INSERT INTO missing VALUES (?)", []any{int64(1)}, Other}, // no such table
			{"SELEKT", nil, Other}, // syntax
			{"UPDATE account SET points = 1 WHERE id = ?", []any{struct{}{}}, Other}, // cannot be sent
		} {
			tx := begin(t, db)
			_, err := tx.Exec(t.Context(), test.query, test.args...)
			if err == nil || Classify(err) != test.want || Classify(fmt.Errorf("x: %w", err)) != test.want {
				t.Errorf("%s: %v (%v), want %v", test.query, err, Classify(err), test.want)
			}
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestClassifyPostgresData(t *testing.T) {
	t.Parallel()
	db := open(t, pgtest.URL(t))
	for query, want := range map[string]Class{
		"SELECT 1 / (random() * 0)::bigint":                          Culprit,        // 22012
		"SELECT 9223372036854775807 + length(now()::text)":           Culprit,        // 22003
		"SELECT ('x' || now()::text)::bigint":                        Culprit,        // 22P02
		"SELECT pg_terminate_backend(pg_backend_pid())":              Infrastructure, // 57P01
		"SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(0.05)": Infrastructure, // 57014
	} {
		var got any
		err := db.Read().QueryRow(t.Context(), query).Scan(&got)
		if err == nil || Classify(err) != want {
			t.Errorf("%s: %v (%v), want %v", query, err, Classify(err), want)
		}
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Errorf("the pool did not replace its connection: %v", err)
	}
}

func TestClassifyPostgresLocks(t *testing.T) {
	t.Parallel()
	eachPostgres(t, func(t *testing.T, db *DB) {
		first, second := begin(t, db), begin(t, db)
		lock := func(tx *Tx, id int64) error {
			_, err := tx.Exec(t.Context(), "UPDATE account SET points = points WHERE id = ?", id)
			return err
		}
		for _, step := range []error{lock(first, 1), lock(second, 2)} {
			if step != nil {
				t.Fatal(step)
			}
		}
		// Each waits for the other; the server chooses one to fail with 40P01.
		failed := make(chan error, 2)
		go func() {
			err := lock(first, 2)
			first.Rollback(context.Background())
			failed <- err
		}()
		go func() {
			err := lock(second, 1)
			second.Rollback(context.Background())
			failed <- err
		}()
		err := errors.Join(<-failed, <-failed)
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); !ok || pgErr.Code != "40P01" || Classify(err) != Again {
			t.Errorf("deadlock: %v (%v)", err, Classify(err))
		}

		first, second = begin(t, db), begin(t, db)
		if err := lock(first, 1); err != nil {
			t.Fatal(err)
		}
		if _, err := second.Exec(t.Context(), "SET LOCAL lock_timeout = '20ms'"); err != nil {
			t.Fatal(err)
		}
		err = lock(second, 1)
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); !ok || pgErr.Code != "55P03" || Classify(err) != Again {
			t.Errorf("lock timeout: %v (%v)", err, Classify(err))
		}
	})
}

func eachPostgres(t *testing.T, test func(t *testing.T, db *DB)) {
	t.Helper()
	db := open(t, pgtest.URL(t))
	if _, err := db.Pool().Exec(t.Context(), testTables); err != nil {
		t.Fatal(err)
	}
	test(t, db)
}

// Two handles on one file stand for two processes.
func TestSQLiteBusyIsAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	holder, waiter := open(t, "sqlite:"+path), open(t, "sqlite:"+path)
	if _, err := waiter.lite.writer.Exec("PRAGMA busy_timeout(10)"); err != nil {
		t.Fatal(err)
	}
	tx := begin(t, holder)
	if _, err := waiter.Write(t.Context()); Classify(err) != Again {
		t.Fatalf("%v (%v)", err, Classify(err))
	}
	if waiter.lite.writer == nil {
		t.Error("a good connection was thrown away")
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin(t, waiter)
}

func TestClassifyCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]Class{
		5: Again, 5 | 2<<8: Again, 6: Again, 6 | 1<<8: Again, 17: Again, 1555: Again, 2067: Again, 2579: Again,
		19: Culprit, 1299: Culprit, 275: Culprit, 3091: Culprit, 20: Culprit, 18: Culprit, 25: Culprit,
		13: Infrastructure, 10: Infrastructure, 10 | 4<<8: Infrastructure, 8: Infrastructure, 14: Infrastructure,
		11: Infrastructure, 26: Infrastructure, 7: Infrastructure, 9: Infrastructure, 1: Other, 21: Other,
	} {
		if got := classifySQLite(code); got != want {
			t.Errorf("sqlite %d: %v, want %v", code, got, want)
		}
	}
	for code, want := range map[string]Class{
		"23505": Again, "23P01": Again, "40001": Again, "40P01": Again, "55P03": Again,
		"23502": Culprit, "23503": Culprit, "23514": Culprit, "22001": Culprit, "22003": Culprit, "54000": Culprit,
		"08006": Infrastructure, "53100": Infrastructure, "53300": Infrastructure, "57P01": Infrastructure,
		"57P02": Infrastructure, "57P03": Infrastructure, "58030": Infrastructure, "40003": Infrastructure,
		"25006": Infrastructure, "28P01": Infrastructure, "3D000": Infrastructure, "XX001": Infrastructure, "XX000": Other,
		"": Infrastructure, "42P01": Other, "42601": Other, "0A000": Other, "25P02": Other,
	} {
		if got := Classify(&pgconn.PgError{Code: code, SeverityUnlocalized: "ERROR"}); got != want {
			t.Errorf("postgres %q: %v, want %v", code, got, want)
		}
	}
	for _, err := range []error{context.Canceled, context.DeadlineExceeded, fs.ErrPermission, &pgconn.ConnectError{}} {
		if got := Classify(fmt.Errorf("x: %w", err)); got != Infrastructure {
			t.Errorf("%v: %v", err, got)
		}
	}
	if Classify(nil) != Other || Classify(errors.New("x")) != Other {
		t.Error("an unknown error has a class")
	}
}

// A server that goes away is Infrastructure, and one that comes back is used.
func TestPostgresServerGone(t *testing.T) {
	t.Parallel()
	pgtest.URL(t) // skips without PostgreSQL
	server, err := pgtest.Start(pgtest.Options{MaxConnections: 20})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	url, err := server.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db := open(t, url)
	tx := begin(t, db)
	if _, err := tx.Exec(t.Context(), "CREATE TABLE x (a BIGINT)"); err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err == nil || Classify(err) != Infrastructure {
		t.Errorf("commit: %v (%v)", err, Classify(err))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := db.Write(ctx); err == nil || Classify(err) != Infrastructure {
		t.Errorf("write: %v (%v)", err, Classify(err))
	}
	if err := db.Ping(ctx); err == nil || Classify(err) != Infrastructure {
		t.Errorf("ping: %v (%v)", err, Classify(err))
	}
}
