package lite

import (
	"fmt"
	"strings"
	"testing"

	sqlite3 "modernc.org/sqlite/lib"
)

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
	path, c := openX(t)
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
