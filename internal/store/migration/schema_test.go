package migration

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/pgtest"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// The two folders hold files of the same names with the same numbers, from 1 on
// without a gap.
func TestFoldersHaveEqualVersions(t *testing.T) {
	t.Parallel()
	lite, err := versions(files, sqldb.SQLite)
	if err != nil {
		t.Fatal(err)
	}
	pg, err := versions(files, sqldb.PostgreSQL)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(baseNames(lite), baseNames(pg)); diff != "" {
		t.Errorf("sqlite and postgres differ:\n%s", diff)
	}
	for i, version := range slices.Sorted(maps.Keys(lite)) {
		if version != int64(i+1) {
			t.Errorf("number %d is missing", i+1)
			break
		}
	}
}

func baseNames(versions map[int64]string) map[int64]string {
	names := make(map[int64]string, len(versions))
	for version, name := range versions {
		names[version] = path.Base(name)
	}
	return names
}

// Both engines end with the same tables, and each table with the same columns,
// of the same kind (integer, text or bytes) and as nullable.
func TestEnginesHaveEqualColumns(t *testing.T) {
	t.Parallel()
	lite := open(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	pg := open(t, pgtest.URL(t))
	for _, db := range []*sqldb.DB{lite, pg} {
		applied, err := Up(t.Context(), db)
		if err != nil || applied == 0 {
			t.Fatalf("%v: up = %d, %v", db.Dialect(), applied, err)
		}
		have, want, err := Current(t.Context(), db)
		if err != nil || have != want || have == 0 {
			t.Fatalf("%v: current = %d, %d, %v", db.Dialect(), have, want, err)
		}
	}
	got := columns(t, lite, `SELECT m.name, c.name, c.type, CASE WHEN c."notnull" = 1 OR c.pk > 0 THEN 'NO' ELSE 'YES' END
		FROM sqlite_master m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\'`)
	want := columns(t, pg, `SELECT table_name::text, column_name::text, data_type::text, is_nullable::text
		FROM information_schema.columns WHERE table_schema = 'public'`)
	if len(got) == 0 {
		t.Fatal("no tables")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("postgres (-) and sqlite (+) differ:\n%s", diff)
	}
}

// columns are table -> column -> kind and nullability.
func columns(t *testing.T, db *sqldb.DB, query string) map[string]map[string]string {
	t.Helper()
	rows, err := db.Read().Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	tables := make(map[string]map[string]string)
	for rows.Next() {
		var table, column, kind, nullable string
		if err := rows.Scan(&table, &column, &kind, &nullable); err != nil {
			t.Fatal(err)
		}
		if table == historyTable {
			continue
		}
		if tables[table] == nil {
			tables[table] = make(map[string]string)
		}
		tables[table][column] = fmt.Sprintf("%s nullable=%s", kindOf(kind), nullable)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return tables
}

// kindOf brings the engines' names of types together. Any other type is
// reported as it is, and so as a difference: columns are integers, text, and
// bytes for what is sealed.
func kindOf(kind string) string {
	switch strings.ToUpper(kind) {
	case "BIGINT", "INTEGER":
		return "integer"
	case "BYTEA", "BLOB":
		return "bytes"
	case "TEXT":
		return "text"
	}
	return kind
}
