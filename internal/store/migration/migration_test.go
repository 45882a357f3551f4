package migration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/memberd/memberd/internal/pgtest"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// childEnv holds the URL of a database that this program is to migrate with the
// test's files, after a line on its standard input.
const childEnv = "MEMBERD_MIGRATION_TEST_CHILD"

func TestMain(m *testing.M) {
	if url := os.Getenv(childEnv); url != "" {
		if err := child(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	pgtest.Main(m)
}

func child(url string) error {
	if _, err := io.ReadFull(os.Stdin, make([]byte, 1)); err != nil {
		return err
	}
	db, err := sqldb.Open(context.Background(), url)
	if err != nil {
		return err
	}
	_, err = up(context.Background(), db, testFiles(3))
	return errors.Join(err, db.Close())
}

// testFiles makes n migrations. The later ones are not harmless when run twice:
// they double what is there.
func testFiles(n int) fs.FS {
	files := fstest.MapFS{}
	for _, engine := range []string{"sqlite", "postgres"} {
		for i := 1; i <= n; i++ {
			text := "-- +goose Up\nUPDATE counter SET n = n * 2;\n"
			if i == 1 {
				text = "-- +goose Up\nCREATE TABLE counter (n BIGINT NOT NULL);\nINSERT INTO counter VALUES (1);\n"
			}
			files[fmt.Sprintf("%s/%05d_step.sql", engine, i)] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return files
}

// eachEngine runs a test on a fresh database of either engine.
func eachEngine(t *testing.T, test func(t *testing.T, url string)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, pgtest.URL(t))
	})
}

func open(t *testing.T, url string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), url)
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

func counter(t *testing.T, db *sqldb.DB) (n int64) {
	t.Helper()
	if err := db.Read().QueryRow(t.Context(), "SELECT n FROM counter").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestUpStepByStep(t *testing.T) {
	eachEngine(t, func(t *testing.T, url string) {
		db := open(t, url)
		for _, step := range []struct {
			files                  int
			have, applied, counter int64
		}{
			{files: 1, have: 0, applied: 1, counter: 1},
			{files: 1, have: 1, applied: 0, counter: 1},
			{files: 3, have: 1, applied: 2, counter: 4},
			{files: 3, have: 3, applied: 0, counter: 4},
		} {
			have, want, err := current(t.Context(), db, testFiles(step.files))
			if err != nil || have != step.have || want != int64(step.files) {
				t.Fatalf("%+v: current = %d, %d, %v", step, have, want, err)
			}
			applied, err := up(t.Context(), db, testFiles(step.files))
			if err != nil || int64(applied) != step.applied {
				t.Fatalf("%+v: up = %d, %v", step, applied, err)
			}
			if n := counter(t, db); n != step.counter {
				t.Fatalf("%+v: counter = %d", step, n)
			}
		}
	})
}

func TestUpRefusesNewer(t *testing.T) {
	eachEngine(t, func(t *testing.T, url string) {
		db := open(t, url)
		if _, err := up(t.Context(), db, testFiles(3)); err != nil {
			t.Fatal(err)
		}
		if _, err := up(t.Context(), db, testFiles(2)); !errors.Is(err, ErrNewer) {
			t.Fatalf("err = %v, want ErrNewer", err)
		}
	})
}

func TestFailedMigrationLeavesNothing(t *testing.T) {
	eachEngine(t, func(t *testing.T, url string) {
		db := open(t, url)
		files := testFiles(2).(fstest.MapFS)
		bad := "-- +goose Up\nUPDATE counter SET n = 50;\nINSERT INTO missing VALUES (1);\n"
		broken := maps.Clone(files)
		for name := range files {
			if path.Base(name) == "00002_step.sql" {
				broken[name] = &fstest.MapFile{Data: []byte(bad)}
			}
		}
		if _, err := up(t.Context(), db, broken); err == nil {
			t.Fatal("no error from a statement on a missing table")
		}
		if have, _, err := current(t.Context(), db, files); have != 1 || err != nil {
			t.Errorf("version = %d, %v, want 1", have, err)
		}
		if n := counter(t, db); n != 1 {
			t.Errorf("counter = %d: half a migration was kept", n)
		}
		if _, err := up(t.Context(), db, files); err != nil || counter(t, db) != 2 {
			t.Errorf("after the repair: %v", err)
		}
	})
}

// Several processes open and migrate one fresh database at the same moment.
func TestProcessesTakeTurns(t *testing.T) {
	eachEngine(t, func(t *testing.T, url string) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		type process struct {
			*exec.Cmd
			start  io.WriteCloser
			output bytes.Buffer
		}
		processes := make([]process, 4)
		for i := range processes {
			p := &processes[i]
			p.Cmd = exec.Command(self)
			p.Env = append(os.Environ(), childEnv+"="+url)
			p.Stdout, p.Stderr = &p.output, &p.output
			if p.start, err = p.StdinPipe(); err != nil {
				t.Fatal(err)
			}
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
		}
		for i := range processes {
			processes[i].start.Write([]byte("\n"))
		}
		for i := range processes {
			if err := processes[i].Wait(); err != nil || processes[i].output.Len() > 0 {
				t.Errorf("process %d: %v\n%s", i, err, &processes[i].output)
			}
		}
		if n := counter(t, open(t, url)); n != 4 {
			t.Errorf("counter = %d, want 4: a migration ran twice or not at all", n)
		}
	})
}

func TestOneNumberTwice(t *testing.T) {
	t.Parallel()
	files := testFiles(2).(fstest.MapFS)
	files["sqlite/00002_other.sql"] = &fstest.MapFile{}
	if _, err := versions(files, sqldb.SQLite); err == nil {
		t.Error("two files with one number pass")
	}
}
