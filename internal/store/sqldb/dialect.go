package sqldb

import (
	"encoding/json"
	"fmt"
)

// Dialect is one of the two engines. Its methods return the fragments of SQL in
// which they differ, each with a leading space so that it can be appended.
type Dialect int

// The engines.
const (
	SQLite Dialect = iota + 1
	PostgreSQL
)

// String is the engine's name, for logs.
func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "sqlite"
	case PostgreSQL:
		return "postgres"
	}
	return fmt.Sprintf("Dialect(%d)", int(d))
}

func (d Dialect) onPostgres(s string) string {
	if d == PostgreSQL {
		return s
	}
	return ""
}

// ForUpdate locks the selected rows until the transaction ends. SQLite needs
// nothing: a write transaction is the only one there is.
func (d Dialect) ForUpdate() string { return d.onPostgres(" FOR UPDATE") }

// ForShare keeps the selected rows from changing until the transaction ends.
func (d Dialect) ForShare() string { return d.onPostgres(" FOR SHARE") }

// CollateC orders the text before it by bytes, as SQLite does anyway.
func (d Dialect) CollateC() string { return d.onPostgres(` COLLATE "C"`) }

// In is the condition "is one of the values of this one parameter"; the
// parameter is made by List. The text does not depend on how many there are, so
// the statement is prepared once.
func (d Dialect) In() string {
	if d == PostgreSQL {
		return " = ANY(?)"
	}
	return " IN (SELECT value FROM json_each(?))"
}

// List makes the parameter for In. An empty or nil list matches nothing.
func List[T int64 | string](d Dialect, values []T) any {
	if values == nil {
		values = []T{}
	}
	if d == PostgreSQL {
		return values
	}
	text, err := json.Marshal(values)
	if err != nil {
		panic(err) // integers and strings always marshal
	}
	return string(text)
}
