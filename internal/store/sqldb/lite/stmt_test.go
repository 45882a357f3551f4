package lite

import (
	"database/sql"
	"errors"
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
		a = any("none")
	)
	n, s, none := int64(7), "told where", ""
	rows, err := c.Query("SELECT ?, ?, ?", &n, &s, &none)
	if err != nil {
		t.Fatal(err)
	}
	n, s, none = 0, "changed since", "x" // too late
	var gotN int64
	var gotS, gotNone string
	if !rows.Next() || rows.Scan(&gotN, &gotS, &gotNone) != nil || gotN != 7 || gotS != "told where" || gotNone != "" {
		t.Errorf("pointers: %d, %q, %q", gotN, gotS, gotNone)
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
	args := []any{flag(true), word("named"), count(-7), true, int32(9), int64(5), "there"}
	err = scan(c, "SELECT ?, ?, ?, ?, ?, ?, ?, NULL, NULL", args, &f, &w, &k, &b, &i, &m, &z, &e, &a)
	got := []any{f, w, k, b, i, m, z, e, a}
	want := []any{flag(true), word("named"), count(-7), true, 9, sql.NullInt64{Int64: 5, Valid: true}, sql.NullString{String: "there", Valid: true}, sql.NullString{}, nil}
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
