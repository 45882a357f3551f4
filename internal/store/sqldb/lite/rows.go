package lite

import (
	"database/sql"
	"errors"
	"fmt"
	"reflect"

	sqlite3 "modernc.org/sqlite/lib"
)

// errClosed is of rows that were left open when their connection was closed.
var errClosed = errors.New("sqlite: the connection is closed")

// Rows is the result of a query, at the row before the first. It must be closed;
// reading it to its end does that too.
type Rows struct {
	stmt *stmt // nil once closed
	row  bool  // there is one to scan
	err  error
}

// Next goes to the next row. False is the end, or the error that Err tells.
func (r *Rows) Next() bool {
	if r.stmt == nil {
		return false
	}
	if r.stmt.handle == 0 {
		r.err = errClosed
		r.end()
		return false
	}
	switch rc := sqlite3.Xsqlite3_step(r.stmt.conn.tls, r.stmt.handle); rc {
	case sqlite3.SQLITE_ROW:
		r.row = true
		return true
	case sqlite3.SQLITE_DONE:
	default:
		r.err = r.stmt.conn.fail(rc)
	}
	r.end()
	return false
}

// Err is the error that ended Next, if one did.
func (r *Rows) Err() error { return r.err }

// Close ends the query. Closing it again does nothing.
func (r *Rows) Close() error {
	r.end()
	return nil
}

func (r *Rows) end() {
	if r.stmt != nil {
		r.stmt.rest()
		r.stmt, r.row = nil, false
	}
}

// Scan reads the row's columns: into pointers to integers, texts and flags of
// any name, or into a sql.Scanner or an any, which alone take NULL.
func (r *Rows) Scan(dest ...any) error {
	if !r.row {
		return errors.New("sqlite: no row to scan")
	}
	s := r.stmt
	if s.handle == 0 {
		return errClosed
	}
	if len(dest) != s.columns {
		return fmt.Errorf("sqlite: %d values for %d columns", len(dest), s.columns)
	}
	for i, d := range dest {
		var err error
		switch d := d.(type) {
		case *int64:
			*d, err = s.integer(i)
		case *string:
			*d, err = s.text(i)
		case *any:
			*d, err = s.value(i)
		default:
			err = s.scan(i, d)
		}
		if err != nil {
			return fmt.Errorf("sqlite: column %d: %w", i, err)
		}
	}
	return nil
}

func (s *stmt) scan(i int, dest any) error {
	if scanner, ok := dest.(sql.Scanner); ok {
		value, err := s.value(i)
		if err != nil {
			return err
		}
		return scanner.Scan(value)
	}
	v := reflect.ValueOf(dest)
	if v.Kind() != reflect.Pointer {
		return fmt.Errorf("a %T is no place for a value", dest)
	}
	v = v.Elem()
	switch v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := s.integer(i)
		if err == nil && v.OverflowInt(n) {
			err = fmt.Errorf("%d is too large for a %s", n, v.Type())
		}
		v.SetInt(n)
		return err
	case reflect.String:
		text, err := s.text(i)
		v.SetString(text)
		return err
	case reflect.Bool:
		n, err := s.integer(i)
		v.SetBool(n != 0)
		return err
	}
	return fmt.Errorf("a %T is no place for a value", dest)
}

// integer reads a column that must hold one. Only a 0 is looked at twice: it is
// what the engine makes of NULL and of words. Not noticed are a fraction, which
// is cut off, and a text that begins with a number; tables that are STRICT have
// neither in a column of integers.
func (s *stmt) integer(i int) (int64, error) {
	n := sqlite3.Xsqlite3_column_int64(s.conn.tls, s.handle, int32(i))
	if n == 0 {
		if kind := s.kind(i); kind != sqlite3.SQLITE_INTEGER {
			return 0, notThere(kind, "an integer")
		}
	}
	return n, nil
}

func (s *stmt) text(i int) (string, error) {
	p := sqlite3.Xsqlite3_column_text(s.conn.tls, s.handle, int32(i))
	n := int(sqlite3.Xsqlite3_column_bytes(s.conn.tls, s.handle, int32(i)))
	if n > 0 && p != 0 {
		return string(bytesAt(p, n)), nil
	}
	if kind := s.kind(i); kind == sqlite3.SQLITE_NULL {
		return "", notThere(kind, "a text")
	}
	if p == 0 && n > 0 {
		return "", outOfMemory
	}
	return "", nil
}

func notThere(kind int32, want string) error {
	if kind == sqlite3.SQLITE_NULL {
		return errors.New("is NULL, not " + want)
	}
	return errors.New("is not " + want)
}

func (s *stmt) kind(i int) int32 { return sqlite3.Xsqlite3_column_type(s.conn.tls, s.handle, int32(i)) }

// value is a column as it is.
func (s *stmt) value(i int) (any, error) {
	switch s.kind(i) {
	case sqlite3.SQLITE_NULL:
		return nil, nil
	case sqlite3.SQLITE_INTEGER:
		return s.integer(i)
	}
	return s.text(i)
}
