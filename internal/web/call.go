package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// call is what is known of one request while it runs. Only the goroutine that
// serves the request touches it.
type call struct {
	door    Door
	route   string
	id      string
	started time.Time
	method  string
	app     string
	code    string
}

type callKey struct{}

// Annotate tells the log and the metrics what a door knows of the call: its
// "method" (as the door's own table spells it), "app" (its id) and "code" (what
// was answered). Other keys are left out, so that nothing gets into the log by
// accident. It does nothing for a context that is not a request's, and must be
// called by the goroutine that serves the request.
func Annotate(ctx context.Context, key string, value any) {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		c.annotate(key, value)
	}
}

func (c *call) annotate(key string, value any) {
	text := fmt.Sprint(value)
	if !printable(text) {
		text = "invalid"
	}
	switch key {
	case "method":
		c.method = text
	case "app":
		c.app = text
	case "code":
		c.code = text
	}
}

// maxNote bounds what a log line repeats of a caller's words.
const maxNote = 64

// printable is a sane form for ids and names that callers have a say in.
func printable(text string) bool {
	if len(text) > maxNote {
		return false
	}
	for i := range len(text) {
		switch b := text[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9':
		case b == '-', b == '_', b == '.', b == '/', b == ':', b == '{', b == '}':
		default:
			return false
		}
	}
	return true
}

// RequestID is the id of the request that ctx belongs to, empty if none.
func RequestID(ctx context.Context) string {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c.id
	}
	return ""
}

// requestID takes the caller's id when it is short and plain, so that one id
// can be followed through a proxy and the log cannot be written into. An id
// without a letter may be somebody's phone.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if len(id) >= 8 && printable(id) && strings.Trim(id, "0123456789-_.:/{}") != "" {
		return id
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// finish recovers from a panic, then writes the log line and the metrics.
func (s *Server) finish(r *http.Request, c *call, w *recorder) {
	if v := recover(); v != nil {
		if v == http.ErrAbortHandler {
			panic(v)
		}
		// The value may quote what a caller sent; its type and the stack say where.
		s.opts.Logger.Error("panic", "request_id", c.id, "route", c.route, "type", fmt.Sprintf("%T", v), "stack", string(stack()))
		if w.status == 0 {
			c.turnAway(w, http.StatusInternalServerError)
		} else {
			w.broken = true
		}
	}
	if w.status == 0 {
		w.status = http.StatusOK // nothing written at all: net/http answers 200
	}
	s.count(c)
	took := time.Since(c.started)
	s.opts.Metrics.observe(c, w.status, took)
	level := slog.LevelInfo
	if c.door.Name == "" && w.status < http.StatusBadRequest {
		level = slog.LevelDebug // probes and scrapes come every few seconds
	}
	s.opts.Logger.LogAttrs(r.Context(), level, "request",
		slog.String("request_id", c.id),
		slog.String("verb", verb(r.Method)),
		slog.String("route", c.route),
		slog.String("method", c.method),
		slog.String("app", c.app),
		slog.String("code", c.code),
		slog.Int("status", w.status),
		slog.Int64("bytes", w.bytes),
		slog.Float64("ms", float64(took.Microseconds())/1000),
	)
	if w.broken {
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one
	}
}

// verb keeps made-up HTTP methods, which may be any token, out of the log.
func verb(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// stack is where the panic happened. Its arguments are pointers and numbers in
// hexadecimal, not the callers' text; its first line is the goroutine's.
func stack() []byte {
	_, rest, _ := bytes.Cut(debug.Stack(), []byte("\n"))
	return rest
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
	broken bool
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK { // 1xx comes before the answer
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
