package sms_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A clock that is off by as much as the provider allows is good, and no more.
func TestCloudClock(t *testing.T) {
	t.Parallel()
	for name, p := range clouds {
		for _, off := range []time.Duration{-p.slack - time.Second, -p.slack, 0, p.slack, p.slack + time.Second} {
			t.Run(fmt.Sprint(name, off), func(t *testing.T) {
				t.Parallel()
				c := p.start(t, says(200, p.ok))
				err := p.sender(t, c.URL, morning.Add(off)).Send(t.Context(), awkward)
				if off.Abs() <= p.slack {
					must(t, err)
					return
				}
				discreet(t, err, p.late)
			})
		}
	}
}

// What counts as sent, and what is said when it was not: the code alone.
func TestCloudAnswers(t *testing.T) {
	t.Parallel()
	hello := strings.Repeat(" ", 1<<20)
	for name, p := range clouds {
		for what, test := range map[string]struct {
			status int
			text   string
			want   string // "" for sent
		}{
			"ok":                  {200, p.ok, ""},
			"ok with a bad start": {200, "x" + p.ok, "HTTP status 200, no code in the answer"},
			"ok with a 500":       {500, p.ok, "HTTP status 500, code O"},
			"ok in a redirect":    {302, p.ok, "HTTP status 302, code O"},
			"ok in other letters": {200, p.refused("oK"), "HTTP status 200, code oK"},
			"ok at a far end":     {200, hello + p.ok, "answer longer than 65536 bytes"},
			"ok and a long tail":  {200, p.ok + hello, "answer longer than 65536 bytes"},
			"throttled":           {429, p.refused("Throttling.User"), "HTTP status 429, code Throttling.User"},
			"throttled with 200":  {200, p.refused("RequestLimitExceeded"), "HTTP status 200, code RequestLimitExceeded"},
			"code quotes a phone": {400, p.refused("bad " + phone), "a code that cannot be shown"},
			"code quotes a code":  {400, p.refused("bad.0458"), "a code that cannot be shown"},
			"code is long":        {400, p.refused(strings.Repeat("x", 200)), "a code that cannot be shown"},
			"code is empty":       {200, p.refused(""), "no code in the answer"},
			"nothing":             {200, "", "HTTP status 200, no code in the answer"},
			"null":                {200, "null", "no code in the answer"},
			"list":                {200, "[]", "no code in the answer"},
			"number":              {200, `{"Code":0,"Response":0}`, "no code in the answer"},
			"empty object":        {200, "{}", "no code in the answer"},
			"html":                {502, "<html>" + phone + "</html>", "HTTP status 502, no code in the answer"},
			"text":                {503, "OK " + phone + " 0458", "HTTP status 503, no code in the answer"},
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				t.Parallel()
				c := p.start(t, says(test.status, test.text))
				err := p.sender(t, c.URL, morning).Send(t.Context(), awkward)
				if len(c.taken) != 1 {
					t.Fatalf("the request was not as documented: %v", err)
				}
				if test.want == "" {
					must(t, err)
					return
				}
				discreet(t, err, test.want)
			})
		}
	}
}

// A redirect is an answer, wherever it leads.
func TestCloudRedirect(t *testing.T) {
	t.Parallel()
	for name, p := range clouds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			elsewhere := newProvider(t, ok)
			c := p.start(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
			})
			discreet(t, p.sender(t, c.URL, morning).Send(t.Context(), awkward), "HTTP status 307")
			if elsewhere.body != "" {
				t.Error("a redirect was followed")
			}
		})
	}
}

func TestCloudSlow(t *testing.T) {
	t.Parallel()
	for name, p := range clouds {
		for what, begin := range map[string]string{"no answer": "", "half an answer": `{"Code":"OK"`} {
			t.Run(name+" "+what, func(t *testing.T) {
				t.Parallel()
				release := make(chan struct{})
				c := p.start(t, func(w http.ResponseWriter, _ *http.Request) {
					_, _ = io.WriteString(w, begin)
					_ = http.NewResponseController(w).Flush()
					<-release
				})
				t.Cleanup(func() { close(release) }) // before the server is closed, which waits
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				defer cancel()
				discreet(t, p.sender(t, c.URL, morning).Send(ctx, awkward), "no answer in time")
			})
		}
	}
}

// Failures of the connection, whose errors of net/http would quote the URL with
// the phone in it.
func TestCloudUnreachable(t *testing.T) {
	t.Parallel()
	for name, p := range clouds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gone := p.start(t, nil)
			gone.Close()
			discreet(t, p.sender(t, gone.URL, morning).Send(t.Context(), awkward), "connection refused")
			stranger := httptest.NewTLSServer(http.HandlerFunc(ok))
			t.Cleanup(stranger.Close)
			discreet(t, p.sender(t, stranger.URL, morning).Send(t.Context(), awkward), "certificate")
			rude := p.start(t, func(w http.ResponseWriter, _ *http.Request) {
				if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"+p.ok)
					_ = conn.Close()
				}
			})
			discreet(t, p.sender(t, rude.URL, morning).Send(t.Context(), awkward), "answer broke off")
		})
	}
}

// Both providers take lists of phones where one is meant.
func TestCloudPhone(t *testing.T) {
	t.Parallel()
	for name, p := range clouds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := p.start(t, says(200, p.ok))
			for _, to := range []string{"", phone + ",13900139000", "+86" + phone, phone + " ", "1380013800"} {
				m := awkward
				m.Phone = to
				if err := p.sender(t, c.URL, morning).Send(t.Context(), m); err == nil || strings.Contains(err.Error(), "138001380") {
					t.Errorf("%q: %v", to, err)
				}
			}
			if len(c.taken) != 0 {
				t.Errorf("taken: %v", c.taken)
			}
		})
	}
}
