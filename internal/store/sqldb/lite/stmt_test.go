package lite

import (
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	sqlite3 "modernc.org/sqlite/lib"
)

type (
	flag    bool
	word    string
	count   int16
	number8 int8
)

// What goes in comes out, into every kind of place.
func TestValues(t *testing.T) {
	t.Parallel()
	c := open(t, newPath(t))
	run(t, c, "CREATE TABLE v (n INTEGER, s TEXT) STRICT")
	texts := []string{"", "a", "会员 😀", "a\x00b\x00", "\x00", "\xff\xfe bad \xc3", strings.Repeat("long ", 200_000), "'; DROP TABLE v --"}
	for i, n := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64, 255, 1 << 40, 42} {
		s := texts[i]
		run(t, c, "DELETE FROM v")
		if changed := run(t, c, "INSERT INTO v VALUES (?, ?)", n, s); changed != 1 {
			t.Errorf("%d changed", changed)
		}
		var gotN int64
		var gotS string
		if err := scan(c, "SELECT n, s FROM v", nil, &gotN, &gotS); err != nil || gotN != n || gotS != s {
			t.Errorf("%d, %.20q: %d, %.20q, %v", n, s, gotN, gotS, err)
		}
		var length int64
		if err := scan(c, "SELECT length(CAST(s AS BLOB)) FROM v WHERE s = ? AND n = ?", []any{s, n}, &length); err != nil || length != int64(len(s)) {
			t.Errorf("%.20q: %d bytes, %v", s, length, err)
		}
	}
	var (
		f flag
		w word
		k count
		b bool
		i int
		m sql.NullInt64
		z sql.NullString
		e sql.NullString
	)
	args := []any{flag(true), word("named"), count(-7), true, int32(9), int64(5), "there"}
	err := scan(c, "SELECT ?, ?, ?, ?, ?, ?, ?, NULL", args, &f, &w, &k, &b, &i, &m, &z, &e)
	got := []any{f, w, k, b, i, m, z, e}
	want := []any{flag(true), word("named"), count(-7), true, 9, sql.NullInt64{Int64: 5, Valid: true}, sql.NullString{String: "there", Valid: true}, sql.NullString{}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

// What has no place, and what is no value.
func TestRefusedValues(t *testing.T) {
	t.Parallel()
	c := open(t, newPath(t))
	for _, test := range []struct {
		name, query string
		args        []any
		dest        []any
	}{
		{"NULL into an integer", "SELECT NULL", nil, []any{new(int64)}},
		{"NULL into a text", "SELECT NULL", nil, []any{new(string)}},
		{"NULL into a flag", "SELECT NULL", nil, []any{new(bool)}},
		{"NULL into a named text", "SELECT NULL", nil, []any{new(word)}},
		{"text into an integer", "SELECT 'x'", nil, []any{new(int64)}},
		{"too large", "SELECT 128", nil, []any{new(number8)}},
		{"too few places", "SELECT 1, 2", nil, []any{new(int64)}},
		{"too many places", "SELECT 1", nil, []any{new(int64), new(int64)}},
		{"no pointer", "SELECT 1", nil, []any{1}},
		{"nil", "SELECT 1", nil, []any{nil}},
		{"a float", "SELECT 1", nil, []any{new(float64)}},
		{"too few values", "SELECT ?, ?", []any{int64(1)}, []any{new(int64), new(int64)}},
		{"too many values", "SELECT ?", []any{int64(1), int64(2)}, []any{new(int64)}},
		{"a float as a value", "SELECT ?", []any{1.5}, []any{new(int64)}},
		{"nil as a value", "SELECT ?", []any{nil}, []any{new(int64)}},
		{"bytes as a value", "SELECT ?", []any{[]byte("secret")}, []any{new(string)}},
	} {
		for range 2 { // the statement must be good to use again
			if err := scan(c, test.query, test.args, test.dest...); err == nil {
				t.Errorf("%s: no error", test.name)
			} else if code(err) != 0 || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v", test.name, err)
			}
		}
	}
	if n := number(t, c, "SELECT 1"); n != 1 {
		t.Error(n)
	}
	noneInUse(t, c)
}

// noneInUse tells whether every statement was put to rest.
func noneInUse(t *testing.T, c *Conn) {
	t.Helper()
	for query, s := range c.stmts {
		if s.busy || sqlite3.Xsqlite3_stmt_busy(c.tls, s.handle) != 0 {
			t.Errorf("still in use: %.80s", query)
		}
	}
	if len(c.once) != 0 {
		t.Errorf("%d statements that are not kept are left", len(c.once))
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	c := open(t, newPath(t))
	run(t, c, "CREATE TABLE x (id INTEGER PRIMARY KEY, v TEXT NOT NULL UNIQUE CHECK (v <> 'bad')) STRICT")
	run(t, c, "INSERT INTO x VALUES (1, 'one')")
	for _, test := range []struct {
		query string
		args  []any
		want  int
	}{
		{"INSERT INTO x VALUES (1, 'two')", nil, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY},
		{"INSERT INTO x VALUES (2, ?)", []any{"one"}, sqlite3.SQLITE_CONSTRAINT_UNIQUE},
		{"INSERT INTO x VALUES (2, ?)", []any{"bad"}, sqlite3.SQLITE_CONSTRAINT_CHECK},
		{"INSERT INTO x VALUES (2, NULL)", nil, sqlite3.SQLITE_CONSTRAINT_NOTNULL},
		{"INSERT INTO x VALUES (?, 'x')", []any{"secret"}, sqlite3.SQLITE_MISMATCH},
		{"SELECT nothing FROM x", nil, sqlite3.SQLITE_ERROR},
		{`SELECT "nothing" FROM x`, nil, sqlite3.SQLITE_ERROR},
		{"SELEKT", nil, sqlite3.SQLITE_ERROR},
		{"COMMIT", nil, sqlite3.SQLITE_ERROR},
		{"SELECT zeroblob(?)", []any{int64(2_000_000_000)}, sqlite3.SQLITE_TOOBIG},
		{"SELECT abs(?)", []any{int64(math.MinInt64)}, sqlite3.SQLITE_ERROR},
	} {
		_, err := c.Exec(test.query, test.args...)
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != test.want || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want code %d", test.query, err, test.want)
		}
	}
	for _, query := range []string{"", " ; ", "-- nothing", "SELECT 1; SELECT 2", "SELECT 1;;x", "SELECT 1\x00", "SELECT 1;\x00SELECT 2"} {
		if _, err := c.Exec(query); err == nil || code(err) != 0 {
			t.Errorf("%q: %v", query, err)
		}
	}
	for _, query := range []string{"SELECT 1;", " SELECT 1 ;\n\t; ", "SELECT 1 -- one"} {
		if _, err := c.Exec(query); err != nil {
			t.Errorf("%q: %v", query, err)
		}
	}
	noneInUse(t, c)
	if n := number(t, c, "SELECT count(*) FROM x"); n != 1 {
		t.Errorf("%d rows", n)
	}
}

// A statement whose rows are open is prepared a second time, and neither
// disturbs the other.
func TestBusyStatement(t *testing.T) {
	t.Parallel()
	c := open(t, newPath(t))
	const query = "WITH RECURSIVE n(i, s) AS (SELECT 1, ? UNION ALL SELECT i + 1, s FROM n WHERE i < ?) SELECT i, s FROM n"
	var nest func(depth int64)
	nest = func(depth int64) {
		text := strings.Repeat("x", int(depth)*100_000)
		rows, err := c.Query(query, text, depth)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var i int64
		for want := int64(1); rows.Next(); want++ {
			var s string
			if err := rows.Scan(&i, &s); err != nil || i != want || s != text {
				t.Fatalf("depth %d: row %d is %d, %d bytes, %v", depth, want, i, len(s), err)
			}
			if depth > 1 {
				nest(depth - 1)
			}
		}
		if rows.Err() != nil || i != depth {
			t.Fatalf("depth %d ended at %d: %v", depth, i, rows.Err())
		}
		if rows.Next() || rows.Scan(&i, new(string)) == nil || rows.Close() != nil || rows.Close() != nil || rows.Next() {
			t.Error("rows went on after their end")
		}
	}
	nest(4)
	if s := c.stmts[query]; s.texts != 0 {
		t.Errorf("%d bytes are kept for texts", s.textsSize)
	}
	noneInUse(t, c)
}

func TestManyTexts(t *testing.T) {
	t.Parallel()
	c := open(t, newPath(t))
	for i := range int64(maxKept + 200) {
		if n := number(t, c, fmt.Sprintf("SELECT %d + ?", i), i); n != 2*i {
			t.Fatalf("%d, want %d", n, 2*i)
		}
	}
	if len(c.stmts) != maxKept {
		t.Errorf("%d statements are kept", len(c.stmts))
	}
	noneInUse(t, c)
	rows, err := c.Query("SELECT 'not kept' || ?", "!")
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	if len(c.once) != 1 {
		t.Errorf("%d statements are in use", len(c.once))
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
	noneInUse(t, c)
}

// A PRAGMA does its work while it is prepared; run again it must do it again.
func TestPragmaAgain(t *testing.T) {
	t.Parallel()
	c := open(t, newPath(t))
	for _, want := range []int64{100, 200, 100, 300, 200} {
		run(t, c, fmt.Sprintf("PRAGMA cache_size(%d)", want))
		if got := number(t, c, "PRAGMA cache_size"); got != want {
			t.Errorf("cache_size = %d, want %d", got, want)
		}
	}
}

// The tables change under statements that are kept.
func TestSchemaChanges(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	c := open(t, path)
	run(t, c, "CREATE TABLE x (id INTEGER PRIMARY KEY, v TEXT NOT NULL) STRICT")
	run(t, c, "INSERT INTO x VALUES (?, ?)", int64(1), "one")
	var v string
	if err := scan(c, "SELECT v FROM x WHERE id = ?", []any{int64(1)}, &v); err != nil || v != "one" {
		t.Error(v, err)
	}
	for _, query := range []string{"ALTER TABLE x ADD COLUMN w TEXT NOT NULL DEFAULT 'w'", "CREATE INDEX x_v ON x (v)"} {
		if _, err := usually(t, path).ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
		if err := scan(c, "SELECT v FROM x WHERE id = ?", []any{int64(1)}, &v); err != nil || v != "one" {
			t.Error(v, err)
		}
	}
	if _, err := c.Exec("INSERT INTO x VALUES (?, ?)", int64(2), "two"); code(err) != sqlite3.SQLITE_ERROR {
		t.Errorf("too few columns: %v", err)
	}
	run(t, c, "INSERT INTO x (id, v) VALUES (?, ?)", int64(2), "two")
}

// Rows that were left open end when their connection does, and don't touch what
// is gone.
func TestRowsAfterClose(t *testing.T) {
	t.Parallel()
	c := open(t, newPath(t))
	var left []*Rows
	for range 3 { // one is kept, two are not
		rows, err := c.Query("SELECT 1 UNION ALL SELECT ?", int64(2))
		if err != nil || !rows.Next() {
			t.Fatal(err)
		}
		left = append(left, rows)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := left[0].Scan(new(int64)); err == nil {
		t.Error("a row was read")
	}
	for _, rows := range left[:2] {
		if rows.Next() || rows.Err() == nil {
			t.Error("rows went on, or ended as if complete")
		}
	}
	for _, rows := range left {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// An interruption ends what runs, and only that.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	c := open(t, newPath(t))
	c.Interrupt() // nothing runs
	rows, err := c.Query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i = 1 OR i < 0")
	if err != nil || !rows.Next() {
		t.Fatal(err, rows.Err())
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Interrupt()
	}()
	if rows.Next() || code(rows.Err()) != sqlite3.SQLITE_INTERRUPT {
		t.Errorf("after an interruption: %v", rows.Err())
	}
	<-done
	if n := number(t, c, "SELECT 1"); n != 1 {
		t.Error(n)
	}
	noneInUse(t, c)
}
