package sqldb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/memberd/memberd/internal/pgtest"
)

// lockChildEnv holds a folder that this program is to lock until it is killed.
const lockChildEnv = "MEMBERD_SQLDB_TEST_LOCK"

func TestMain(m *testing.M) {
	if dir := os.Getenv(lockChildEnv); dir != "" {
		if _, err := LockFolder(dir); err != nil {
			panic(err)
		}
		os.Stdout.WriteString("locked\n")
		select {}
	}
	pgtest.Main(m)
}

const testTables = `
CREATE TABLE account (id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, points BIGINT NOT NULL CHECK (points >= 0));
INSERT INTO account VALUES (1, 'a', 10);
INSERT INTO account VALUES (2, 'b', 20);
`

func open(t *testing.T, url string) *DB {
	t.Helper()
	db, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// eachEngine runs a test on a database with the test's tables, on either engine.
func eachEngine(t *testing.T, test func(t *testing.T, db *DB)) {
	t.Parallel()
	run := func(t *testing.T, url string) {
		db := open(t, url)
		pool, err := db.OpenSQL()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pool.ExecContext(t.Context(), testTables); err != nil {
			t.Fatal(err)
		}
		if err := pool.Close(); err != nil {
			t.Fatal(err)
		}
		test(t, db)
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		run(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		run(t, pgtest.URL(t))
	})
}

func begin(t *testing.T, db *DB) *Tx {
	t.Helper()
	tx, err := db.Write(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Rollback(context.Background()) })
	return tx
}

func points(t *testing.T, q Queryer, id int64) (n int64) {
	t.Helper()
	if err := q.QueryRow(t.Context(), "SELECT points FROM account WHERE id = ?", id).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWriteCommitAndRollback(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		const add = "UPDATE account SET points = points + ? WHERE id = ?"
		for _, keep := range []bool{true, false, true} {
			before := points(t, db.Read(), 1)
			tx := begin(t, db)
			if n, err := tx.Exec(t.Context(), add, 5, int64(1)); n != 1 || err != nil {
				t.Fatalf("exec = %d, %v", n, err)
			}
			if n := points(t, tx, 1); n != before+5 {
				t.Errorf("inside: %d, want %d", n, before+5)
			}
			if n := points(t, db.Read(), 1); n != before {
				t.Errorf("a reader sees %d before the commit", n)
			}
			want := before
			if keep {
				want += 5
				if err := tx.Commit(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := tx.Commit(t.Context()); !errors.Is(err, ErrTxDone) {
					t.Errorf("second commit: %v", err)
				}
			}
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := points(t, db.Read(), 1); n != want {
				t.Errorf("after keep=%v: %d, want %d", keep, n, want)
			}
			if _, err := tx.Exec(t.Context(), add, 5, int64(1)); !errors.Is(err, ErrTxDone) {
				t.Errorf("exec after the end: %v", err)
			}
		}
	})
}

func TestQueryRowsListsAndNoRow(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		snapshot, err := db.ReadTx(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer snapshot.Close()
		tx := begin(t, db)
		for name, q := range map[string]Queryer{"read": db.Read(), "snapshot": snapshot, "tx": tx} {
			for list, want := range map[string][]int64{"[1 2 3]": {1, 2}, "[2]": {2}, "[]": nil} {
				var values []int64
				for i := int64(1); i <= 3; i++ {
					if list == "[1 2 3]" || (list == "[2]" && i == 2) {
						values = append(values, i)
					}
				}
				d := q.Dialect()
				rows, err := q.Query(t.Context(), "SELECT id FROM account WHERE id"+d.In()+" ORDER BY name"+d.CollateC(), List(d, values))
				if err != nil {
					t.Fatal(err)
				}
				var got []int64
				for rows.Next() {
					var id int64
					if err := rows.Scan(&id); err != nil {
						t.Fatal(err)
					}
					got = append(got, id)
				}
				if err := errors.Join(rows.Err(), rows.Close()); err != nil {
					t.Fatal(err)
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s %s: %v, want %v", name, list, got, want)
				}
			}
			var text string
			if err := q.QueryRow(t.Context(), "SELECT name FROM account WHERE name"+q.Dialect().In(), List(q.Dialect(), []string{`"`, "b"})).Scan(&text); err != nil || text != "b" {
				t.Errorf("%s: text list: %q, %v", name, text, err)
			}
			if err := q.QueryRow(t.Context(), "SELECT id FROM account WHERE id = ?", 99).Scan(new(int64)); !errors.Is(err, ErrNoRows) {
				t.Errorf("%s: no row: %v", name, err)
			}
		}
		// No row is an answer, not a failure.
		if err := tx.Commit(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestReadTxIsOneSnapshot(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		snapshot, err := db.ReadTx(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		before := points(t, snapshot, 1)
		tx := begin(t, db)
		if _, err := tx.Exec(t.Context(), "UPDATE account SET points = 77 WHERE id = 1"); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := points(t, snapshot, 1); n != before {
			t.Errorf("the snapshot moved from %d to %d", before, n)
		}
		if n := points(t, db.Read(), 1); n != 77 {
			t.Errorf("a new read sees %d, want 77", n)
		}
		if err := errors.Join(snapshot.Close(), snapshot.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestReadSideCannotWrite(t *testing.T) {
	t.Parallel()
	db := open(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	err := db.Read().QueryRow(t.Context(), "CREATE TABLE x (a INTEGER)").Scan()
	if Classify(err) != Infrastructure { // SQLITE_READONLY
		t.Errorf("err = %v", err)
	}
}

// After a failed statement nothing may be kept, not even by a caller that
// overlooks the error.
func TestFailedTransactionKeepsNothing(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		tx := begin(t, db)
		const insert = "INSERT INTO account VALUES (?, ?, 0)"
		if _, err := tx.Exec(t.Context(), insert, 3, "c"); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), insert, 4, "a"); Classify(err) != Again {
			t.Fatalf("err = %v, want a unique violation", err)
		}
		if _, err := tx.Exec(t.Context(), insert, 5, "e"); !errors.Is(err, ErrTxFailed) {
			t.Errorf("the next statement: %v", err)
		}
		err := tx.Commit(t.Context())
		if !errors.Is(err, ErrTxFailed) || !CommitOutcome(err) || Classify(err) != Again {
			t.Errorf("commit: %v", err)
		}
		var n int64
		if err := db.Read().QueryRow(t.Context(), "SELECT count(*) FROM account").Scan(&n); err != nil || n != 2 {
			t.Errorf("%d accounts, %v", n, err)
		}
		tx = begin(t, db)
		if _, err := tx.Exec(t.Context(), insert, 3, "c"); err != nil {
			t.Error(err)
		}
	})
}

// Writers of one process wait for one another, and none is lost.
func TestWritersTakeTurns(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 5 {
					tx, err := db.Write(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					var n int64
					err = tx.QueryRow(t.Context(), "SELECT points FROM account WHERE id = 1"+db.Dialect().ForUpdate()).Scan(&n)
					if err == nil {
						_, err = tx.Exec(t.Context(), "UPDATE account SET points = ? WHERE id = 1", n+1)
					}
					if err := errors.Join(err, tx.Commit(t.Context())); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if n := points(t, db.Read(), 1); n != 50 {
			t.Errorf("points = %d, want 50", n)
		}
	})
}

// A plan that looks dear is compiled by a server that was not told better, which
// takes longer than running it.
func TestSessionDefaults(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	for _, c := range []struct{ url, jit string }{{url, "off"}, {url + "&jit=on", "on"}} {
		var jit string
		if err := open(t, c.url).Read().QueryRow(t.Context(), "SELECT current_setting('jit')").Scan(&jit); err != nil {
			t.Fatal(err)
		}
		if jit != c.jit {
			t.Errorf("jit is %s, want %s", jit, c.jit)
		}
	}
}

func TestClosed(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		if err := db.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Close(), db.Close()); err != nil {
			t.Fatal(err)
		}
		_, errWrite := db.Write(t.Context())
		_, errSnapshot := db.ReadTx(t.Context())
		_, errSQL := db.OpenSQL()
		for _, err := range []error{errWrite, errSnapshot, errSQL, db.Ping(t.Context())} {
			if !errors.Is(err, ErrClosed) || Classify(err) != Infrastructure {
				t.Errorf("err = %v, want ErrClosed", err)
			}
		}
	})
}

// A cancelled wait must not leave the turn taken, nor a transaction open.
func TestCancelledWriteLeavesTheTurn(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 3 {
			if _, err := db.Write(ctx); Classify(err) != Infrastructure {
				t.Fatalf("err = %v", err)
			}
		}
		tx := begin(t, db)
		if _, err := tx.Exec(ctx, "UPDATE account SET points = 0"); err == nil {
			t.Fatal("a statement ran under a cancelled context")
		}
		if err := tx.Rollback(ctx); err != nil {
			t.Error(err)
		}
		tx = begin(t, db)
		if n := points(t, tx, 2); n != 20 {
			t.Errorf("points = %d", n)
		}
	})
}
