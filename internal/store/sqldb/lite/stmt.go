package lite

import (
	"errors"
	"fmt"
	"math"
	"reflect"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	sqlite3 "modernc.org/sqlite/lib"
)

// stmt is a prepared statement with the memory of its texts.
type stmt struct {
	conn            *Conn
	handle          uintptr // 0 once closed
	params, columns int
	busy            bool // from binding until its rows are closed
	kept            bool // to be run again

	// texts is where the engine finds the values of text parameters, which it
	// is told not to copy: they stay until the statement is bound anew.
	texts     uintptr
	textsSize int
}

// maxTexts is how much memory a statement keeps between two runs.
const maxTexts = 64 << 10

// bind gives the parameters their values.
func (s *stmt) bind(args []any) error {
	if len(args) != s.params {
		return fmt.Errorf("sqlite: %d values for %d parameters", len(args), s.params)
	}
	size := 1 // an empty text must have an address too
	for _, arg := range args {
		switch v := arg.(type) {
		case int64, *int64:
		case string:
			size += len(v)
		case *string:
			size += len(*v)
		default:
			if value := reflect.ValueOf(v); value.Kind() == reflect.String {
				size += value.Len()
			}
		}
	}
	if err := s.room(size); err != nil {
		return err
	}
	to := s.texts
	for i, arg := range args {
		param := int32(i + 1)
		var rc int32
		switch v := arg.(type) {
		case int64:
			rc = sqlite3.Xsqlite3_bind_int64(s.conn.tls, s.handle, param, v)
		case *int64:
			rc = sqlite3.Xsqlite3_bind_int64(s.conn.tls, s.handle, param, *v)
		case string:
			rc = s.bindText(param, v, &to)
		case *string:
			rc = s.bindText(param, *v, &to)
		default:
			value := reflect.ValueOf(v)
			if value.Kind() == reflect.String {
				rc = s.bindText(param, value.String(), &to)
				break
			}
			n, err := integerOf(value)
			if err != nil {
				return fmt.Errorf("sqlite: parameter %d: %w", param, err)
			}
			rc = sqlite3.Xsqlite3_bind_int64(s.conn.tls, s.handle, param, n)
		}
		if rc != sqlite3.SQLITE_OK {
			return s.conn.fail(rc)
		}
	}
	return nil
}

// bindText copies a text to where there is room for it.
func (s *stmt) bindText(param int32, text string, to *uintptr) int32 {
	n := copy(bytesAt(*to, len(text)), text)
	rc := sqlite3.Xsqlite3_bind_text(s.conn.tls, s.handle, param, *to, int32(n), sqlite3.SQLITE_STATIC)
	*to += uintptr(n)
	return rc
}

// integerOf is the integer or flag that a value of another type is.
func integerOf(v reflect.Value) (int64, error) {
	switch v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.Bool:
		if v.Bool() {
			return 1, nil
		}
		return 0, nil
	}
	if !v.IsValid() {
		return 0, errors.New("nil cannot be stored")
	}
	return 0, fmt.Errorf("a %s cannot be stored", v.Type())
}

// room makes sure that texts of so many bytes fit.
func (s *stmt) room(size int) error {
	if size <= s.textsSize {
		return nil
	}
	if size > math.MaxInt32 { // more than the engine can be told
		return &Error{Code: sqlite3.SQLITE_TOOBIG, Message: "string or blob too big"}
	}
	libc.Xfree(s.conn.tls, s.texts)
	s.textsSize = max(size, 256)
	if s.texts = libc.Xmalloc(s.conn.tls, types.Size_t(s.textsSize)); s.texts == 0 {
		s.textsSize = 0
		return outOfMemory
	}
	return nil
}

// rest ends a run. The error that the engine repeats here has been seen.
func (s *stmt) rest() {
	if s.handle == 0 {
		return
	}
	sqlite3.Xsqlite3_reset(s.conn.tls, s.handle)
	s.busy = false
	switch {
	case !s.kept:
		delete(s.conn.once, s)
		s.close()
	case s.textsSize > maxTexts:
		s.free()
	}
}

func (s *stmt) free() {
	sqlite3.Xsqlite3_clear_bindings(s.conn.tls, s.handle)
	libc.Xfree(s.conn.tls, s.texts)
	s.texts, s.textsSize = 0, 0
}

func (s *stmt) close() {
	sqlite3.Xsqlite3_finalize(s.conn.tls, s.handle)
	libc.Xfree(s.conn.tls, s.texts)
	s.handle, s.texts, s.textsSize = 0, 0, 0
}
