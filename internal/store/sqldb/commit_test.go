package sqldb

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/memberd/memberd/internal/store/sqldb/disktest"
)

// The outcome of COMMIT as the real server tells it.
func TestPostgresCommitOutcome(t *testing.T) {
	t.Parallel()
	const deferred = `CREATE TABLE d (a BIGINT CONSTRAINT u UNIQUE DEFERRABLE INITIALLY DEFERRED);
		CREATE TABLE e (a BIGINT);
		CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10); RETURN NULL; END $$;
		CREATE CONSTRAINT TRIGGER leave AFTER INSERT ON e DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION leave()`
	for _, test := range []struct {
		name       string
		spoil      func(t *testing.T, db *DB, tx *Tx) error
		rolledBack bool
		want       Class
	}{
		{"deferred unique", func(t *testing.T, _ *DB, tx *Tx) error {
			_, err := tx.Exec(t.Context(), "INSERT INTO d VALUES (1), (1)")
			return err
		}, true, Again},
		{"failed in native hands", func(t *testing.T, _ *DB, tx *Tx) error {
			if _, err := tx.PG().Exec(t.Context(), "SELECT 1 / 0"); err == nil {
				return errors.New("no error")
			}
			return nil
		}, true, Other},
		// The server leaves while COMMIT runs. Here a test knows that it was
		// before the commit record; from the answer alone nobody could.
		{"session ended during commit", func(t *testing.T, _ *DB, tx *Tx) error {
			_, err := tx.Exec(t.Context(), "INSERT INTO e VALUES (1)")
			return err
		}, false, Infrastructure},
		// The socket was closed already, so COMMIT could not be sent.
		{"session ended before commit", func(t *testing.T, db *DB, tx *Tx) error {
			pid := tx.PG().Conn().PgConn().PID()
			return db.Pool().QueryRow(t.Context(), "SELECT pg_terminate_backend($1, 5000)", pid).Scan(new(bool))
		}, true, Infrastructure},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachPostgres(t, func(t *testing.T, db *DB) {
				if _, err := db.Pool().Exec(t.Context(), deferred); err != nil {
					t.Fatal(err)
				}
				tx := begin(t, db)
				if _, err := tx.Exec(t.Context(), "UPDATE account SET points = 0"); err != nil {
					t.Fatal(err)
				}
				if err := test.spoil(t, db, tx); err != nil {
					t.Fatal(err)
				}
				err := tx.Commit(t.Context())
				if err == nil || CommitOutcome(err) != test.rolledBack || Classify(err) != test.want {
					t.Errorf("commit: %v (rolled back %v, %v)", err, CommitOutcome(err), Classify(err))
				}
				if n := points(t, db.Read(), 1); n != 10 {
					t.Errorf("points = %d after all", n)
				}
			})
		})
	}
}

// Answers that a test cannot make the server give.
func TestPostgresRolledBackTable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		want bool
	}{
		{&pgconn.PgError{SeverityUnlocalized: "ERROR", Code: "40001"}, true},
		{&pgconn.PgError{SeverityUnlocalized: "ERROR", Code: "23503"}, true},
		{&pgconn.PgError{SeverityUnlocalized: "ERROR", Code: "40003"}, false},
		{&pgconn.PgError{SeverityUnlocalized: "ERROR", Code: "08006"}, false},
		{&pgconn.PgError{SeverityUnlocalized: "ERROR", Code: "57014"}, false},
		{&pgconn.PgError{SeverityUnlocalized: "FATAL", Code: "57P01"}, false},
		{&pgconn.PgError{SeverityUnlocalized: "PANIC", Code: "53100"}, false},
		{&pgconn.PgError{Code: "23503"}, false},
		{pgx.ErrTxCommitRollback, true},
		{pgx.ErrTxClosed, false},
		{context.DeadlineExceeded, false},
	} {
		if got := postgresRolledBack(test.err); got != test.want {
			t.Errorf("%v: %v, want %v", test.err, got, test.want)
		}
	}
}

// A violated deferred constraint is an error of COMMIT itself that leaves the
// transaction open. A full disk is one that does not; see below.
func TestSQLiteCommitOutcome(t *testing.T) {
	t.Parallel()
	db := open(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	tx := begin(t, db)
	for _, statement := range []string{
		"CREATE TABLE p (id INTEGER PRIMARY KEY) STRICT",
		"CREATE TABLE c (p INTEGER REFERENCES p DEFERRABLE INITIALLY DEFERRED) STRICT",
	} {
		if _, err := tx.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.lite.writer.Exec("PRAGMA foreign_keys(1)"); err != nil {
		t.Fatal(err)
	}
	tx = begin(t, db)
	if _, err := tx.Exec(t.Context(), "INSERT INTO c VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	err := tx.Commit(t.Context())
	if err == nil || !CommitOutcome(err) || Classify(err) != Culprit {
		t.Errorf("deferred constraint: %v (%v, %v)", err, CommitOutcome(err), Classify(err))
	}
	if db.lite.writer == nil {
		t.Error("a good connection was thrown away")
	}

	tx = begin(t, db)
	if _, err := tx.Exec(t.Context(), "INSERT INTO p VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	// COMMIT on a connection that has no transaction stands for an engine that
	// ended it by itself and does not say why.
	if _, err := db.lite.writer.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err == nil || CommitOutcome(err) {
		t.Errorf("no transaction: %v (%v)", err, CommitOutcome(err))
	}
	if db.lite.writer != nil {
		t.Error("a connection in doubt was kept")
	}
	if _, err := begin(t, db).Exec(t.Context(), "INSERT INTO p VALUES (1)"); err != nil {
		t.Errorf("after a new connection: %v", err)
	}
}

// The disk is full when COMMIT writes the log, so nothing of the transaction is
// kept, and with room again writing goes on.
func TestSQLiteFullDisk(t *testing.T) {
	t.Parallel()
	dir, makeRoom := disktest.Small(t)
	db := open(t, "sqlite:"+filepath.Join(dir, "test.db"))
	write := func(statement string, args ...any) error {
		tx := begin(t, db)
		if _, err := tx.Exec(t.Context(), statement, args...); err != nil {
			t.Fatal(err) // nothing is written before COMMIT
		}
		return tx.Commit(t.Context())
	}
	if err := write("CREATE TABLE x (a TEXT) STRICT"); err != nil {
		t.Fatal(err)
	}
	kept, full := int64(0), error(nil)
	for full == nil && kept < 1000 {
		if full = write("INSERT INTO x VALUES (?)", strings.Repeat("x", 20_000)); full == nil {
			kept++
		}
	}
	if full == nil || kept == 0 || !CommitOutcome(full) || Classify(full) != Infrastructure {
		t.Errorf("after %d rows: %v (rolled back %v, %v)", kept, full, CommitOutcome(full), Classify(full))
	}
	count := func() (n int64) {
		if err := db.Read().QueryRow(t.Context(), "SELECT count(*) FROM x").Scan(&n); err != nil {
			t.Error(err)
		}
		return n
	}
	if n := count(); n != kept {
		t.Errorf("%d rows, want %d", n, kept)
	}
	makeRoom()
	if err := write("INSERT INTO x VALUES ('after')"); err != nil || count() != kept+1 {
		t.Errorf("with room again: %d rows, want %d, %v", count(), kept+1, err)
	}
}

func TestSQLiteFull(t *testing.T) {
	t.Parallel()
	db := open(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	tx := begin(t, db)
	if _, err := tx.Exec(t.Context(), "CREATE TABLE x (a TEXT) STRICT"); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.lite.writer.Exec("PRAGMA max_page_count(3)"); err != nil {
		t.Fatal(err)
	}
	tx = begin(t, db)
	_, err := tx.Exec(t.Context(), "INSERT INTO x VALUES (?)", string(make([]byte, 100_000)))
	if Classify(err) != Infrastructure {
		t.Errorf("%v (%v)", err, Classify(err))
	}
	if _, err := tx.Exec(t.Context(), "INSERT INTO x VALUES ('kept?')"); !errors.Is(err, ErrTxFailed) {
		t.Errorf("the next statement: %v", err)
	}
	if err := tx.Commit(t.Context()); !CommitOutcome(err) {
		t.Errorf("commit: %v", err)
	}
	var n int64
	if err := db.Read().QueryRow(t.Context(), "SELECT count(*) FROM x").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows, %v", n, err)
	}
	begin(t, db)
}
