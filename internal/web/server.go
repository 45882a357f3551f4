package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"
)

// drainTimeout is how long calls that were accepted may take once the server
// stops accepting. With DrainDelay (5 s at most) and what is left to close, the
// process ends within the 10 s that process managers wait before they kill.
const drainTimeout = 4 * time.Second

// Server serves the doors. Make one with New.
type Server struct {
	opts     Options
	http     *http.Server
	draining atomic.Bool
}

// New returns a server that does not listen yet.
func New(opts Options) *Server {
	s := &Server{opts: opts}
	s.http = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: opts.ReadHeaderTimeout,
		ReadTimeout:       opts.ReadTimeout,
		WriteTimeout:      opts.WriteTimeout,
		IdleTimeout:       opts.IdleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(quietHandler{opts.Logger.Handler()}, slog.LevelDebug),
	}
	return s
}

// Serve accepts on l until ctx ends, then drains: /readyz turns red; after
// DrainDelay the listener closes; calls that were accepted are finished. It
// returns nil when all of them were, and closes l in any case.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.draining.Store(true)
	s.opts.Logger.Info("draining")
	if s.opts.DrainDelay > 0 {
		select {
		case err := <-failed:
			return fmt.Errorf("serve: %w", err)
		case <-time.After(s.opts.DrainDelay):
		}
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := s.http.Shutdown(end); err != nil {
		return fmt.Errorf("drain: %w", errors.Join(err, s.http.Close()))
	}
	return nil
}

// ServeAdmin serves Go's profiler on l until ctx ends. It is on a listener of
// its own because whoever reaches it can read memory and slow the process down.
func ServeAdmin(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve profiler: %w", err)
	}
	return nil
}

// quietHandler drops the text of net/http's own complaints, which quote what
// strangers sent, and keeps that there was one.
type quietHandler struct{ slog.Handler }

func (h quietHandler) Handle(ctx context.Context, r slog.Record) error {
	return h.Handler.Handle(ctx, slog.NewRecord(r.Time, r.Level, "http server complaint", 0))
}
