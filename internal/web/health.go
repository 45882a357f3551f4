package web

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// checkTimeout bounds one look at everything /readyz asks: a probe has its own
// time limit, mostly some seconds.
const checkTimeout = 2 * time.Second

// healthz says that the process lives. It asks nothing else: a process that is
// restarted because its database is away comes back no better.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"alive": true})
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready  bool              `json:"ready"`
	Checks map[string]string `json:"checks"` // name to "ok" or "red"
}

// readyz says whether calls should come here now.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	answer := readiness{Ready: true, Checks: map[string]string{}}
	set := func(name string, good bool) {
		if answer.Checks[name] = "ok"; !good {
			answer.Checks[name], answer.Ready = "red", false
		}
	}
	set("serving", !s.draining.Load())
	for _, check := range s.opts.Checks {
		err := check.Run(ctx)
		if err != nil {
			s.opts.Logger.Warn("not ready", "check", check.Name, "error", err)
		}
		set(check.Name, err == nil)
	}
	status := http.StatusOK
	if !answer.Ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, answer)
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // a client that hung up is no error
}
