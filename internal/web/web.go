// Package web is what stands between the network and the doors: an http.Server
// with limits, request ids, the request log, recovery from panics, health,
// metrics, and the way a server ends.
//
// It knows no protocol. A door is a handler under a path, and it tells what it
// knows of a call (its method, the app, the code it answered) through Annotate,
// which reaches the log and the metrics. The package never logs a path it does
// not know, a query, a body or an address, so no personal data can get into
// the log through it.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"
)

// maxHeaderBytes bounds a request's head. The longest documented one is below
// 1 KiB; proxies and browsers add some.
const maxHeaderBytes = 64 << 10

// Door is one protocol under its path.
type Door struct {
	// Name is its label in log and metrics.
	Name string
	// Prefix is the path under which everything is the door's, with its slash
	// at the end.
	Prefix  string
	Handler http.Handler
	// TurnAway answers, in the door's own form, what this package refuses by
	// itself: 413, 429, 500.
	TurnAway func(w http.ResponseWriter, status int)
	// App is the app that a request says it comes from, before anything is
	// proven; empty if it says none. It may read the body and must then put it
	// back. It is asked only when calls are limited.
	App func(r *http.Request) string
}

// Check is one thing that has to be right for a server to be ready. Name is
// shown; the error's text is only logged.
type Check struct {
	Name string
	Run  func(ctx context.Context) error
}

// Options of a Server.
type Options struct {
	Doors   []Door
	Checks  []Check
	Metrics *Metrics
	Logger  *slog.Logger
	// Limiter bounds the calls of an app; nil is no bound.
	Limiter *Limiter
	// MaxBody is the largest request body in bytes.
	MaxBody int64

	ReadHeaderTimeout, ReadTimeout, WriteTimeout, IdleTimeout time.Duration
	// DrainDelay is how long Serve goes on accepting after its context ended,
	// with a red /readyz.
	DrainDelay time.Duration
}

// handler is everything the public address serves.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", s.opts.Metrics.handler())
	mux.HandleFunc("/", notFound)

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next := http.Handler(mux)
		c := &call{door: s.doorOf(r.URL.Path), started: time.Now(), id: requestID(r)}
		if c.door.Handler != nil {
			next, c.route = c.door.Handler, c.door.Prefix
		} else if clean := path.Clean(r.URL.Path); clean != r.URL.Path && clean+"/" != r.URL.Path {
			// The mux would redirect, and repeat the query with its token.
			next, c.route = http.HandlerFunc(notFound), "none"
		} else {
			_, pattern := mux.Handler(r)
			c.route = strings.TrimPrefix(pattern, "GET ")
			if c.route == "/" || c.route == "" { // "": the mux answers a wrong method by itself
				c.route = "none"
			}
		}
		answer := &recorder{ResponseWriter: w}
		answer.Header().Set("X-Request-Id", c.id)
		r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
		r.Body = http.MaxBytesReader(w, r.Body, s.opts.MaxBody)
		defer s.finish(r, c, answer)
		switch {
		case r.ContentLength > s.opts.MaxBody:
			c.turnAway(answer, http.StatusRequestEntityTooLarge)
		case !s.allowed(r, c):
			c.turnAway(answer, http.StatusTooManyRequests)
		default:
			next.ServeHTTP(answer, r)
		}
	})
}

// doorOf is the door that a path belongs to. It is chosen before the mux, which
// would redirect paths with a doubled slash, and repeat tokens in the answer.
func (s *Server) doorOf(path string) Door {
	for _, door := range s.opts.Doors {
		if strings.HasPrefix(path+"/", door.Prefix) {
			return door
		}
	}
	return Door{}
}

// allowed tells whether the app that the request names may call now.
func (s *Server) allowed(r *http.Request, c *call) bool {
	if s.opts.Limiter == nil || c.door.App == nil {
		return true
	}
	app := c.door.App(r)
	return app == "" || s.opts.Limiter.Allowed(app)
}

// wrongSign is the number of a call that was not the app's own, in both doors.
const wrongSign = "1002"

// count charges a call to the app that made it.
func (s *Server) count(c *call) {
	if s.opts.Limiter != nil && c.app != "" && c.code != wrongSign {
		s.opts.Limiter.Count(c.app)
	}
}

// turnAway answers in the door's form, or in plain JSON outside the doors.
func (c *call) turnAway(w http.ResponseWriter, status int) {
	if c.door.TurnAway != nil {
		c.door.TurnAway(w, status)
		return
	}
	writeJSON(w, status, map[string]any{"error": http.StatusText(status), "request_id": c.id})
}

// notFound is everything outside the doors.
func notFound(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusNotFound, map[string]any{"error": http.StatusText(http.StatusNotFound), "request_id": RequestID(r.Context())})
}
