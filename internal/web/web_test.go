package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bundle is a server with one door whose handler the test gives.
type bundle struct {
	server *Server
	log    *lockedBuffer
	red    atomic.Pointer[error]
}

// lockedBuffer is a log that tests read while a server writes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func setup(t *testing.T, door http.HandlerFunc, change ...func(*Options)) *bundle {
	t.Helper()
	b := &bundle{log: &lockedBuffer{}}
	opts := Options{
		Doors: []Door{{
			Name: "gateway", Prefix: "/gw/gateway/", Handler: door,
			TurnAway: func(w http.ResponseWriter, status int) {
				w.WriteHeader(status)
				fmt.Fprintf(w, "turned away %d", status)
			},
			App: func(r *http.Request) string { return r.URL.Query().Get("app_id") },
		}},
		Checks: []Check{{"database", func(context.Context) error {
			if err := b.red.Load(); err != nil {
				return *err
			}
			return nil
		}}},
		Metrics: NewMetrics("v1", "sqlite"),
		Logger:  slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		MaxBody: 1024, ReadHeaderTimeout: time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Minute,
	}
	for _, c := range change {
		c(&opts)
	}
	b.server = New(opts)
	return b
}

func (b *bundle) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.server.http.Handler.ServeHTTP(w, r)
	return w
}

func (b *bundle) get(path string) *httptest.ResponseRecorder {
	return b.do(httptest.NewRequest(http.MethodGet, path, nil))
}

// lines are the log's records, without time and duration.
func (b *bundle) lines(t *testing.T) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for line := range strings.Lines(b.log.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		delete(record, "time")
		delete(record, "ms")
		lines = append(lines, record)
	}
	return lines
}

func TestRequestLog(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		Annotate(r.Context(), "method", "wk.user.info.query")
		Annotate(r.Context(), "app", "app1")
		Annotate(r.Context(), "code", 110003)
		Annotate(r.Context(), "phone", "13812345678")
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, "answer")
	})
	r := httptest.NewRequest(http.MethodPost, "/gw/gateway/wk.user.info.query/v1?phone=13812345678&sign=abc", strings.NewReader(`{"phone":"13812345678"}`))
	r.Header.Set("X-Request-Id", "till-7.0001")
	w := b.do(r)
	if w.Header().Get("X-Request-Id") != "till-7.0001" || w.Body.String() != "answer" {
		t.Errorf("answer %q, id %q", w.Body, w.Header().Get("X-Request-Id"))
	}
	want := []map[string]any{{
		"level": "INFO", "msg": "request", "request_id": "till-7.0001", "verb": "POST", "route": "/gw/gateway/",
		"method": "wk.user.info.query", "app": "app1", "code": "110003", "status": 200.0, "bytes": 6.0,
	}}
	if diff := cmp.Diff(want, b.lines(t)); diff != "" {
		t.Error(diff)
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sent string
		kept bool
	}{
		"plain":      {"0af7651916cd43dd", true},
		"none":       {"", false},
		"short":      {"abc", false},
		"long":       {strings.Repeat("a", 65), false},
		"line break": {"abcdefgh\nlevel=ERROR", false},
		"blank":      {"abcdefgh level=ERROR", false},
		"Chinese":    {"会员会员会员", false},
		"a phone":    {"13812345678", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, RequestID(r.Context())) })
			r := httptest.NewRequest(http.MethodGet, "/gw/gateway/x", nil)
			r.Header["X-Request-Id"] = []string{test.sent}
			w := b.do(r)
			got := w.Header().Get("X-Request-Id")
			if got != w.Body.String() {
				t.Errorf("header %q, context %q", got, w.Body)
			}
			if (got == test.sent) != test.kept || len(got) < 8 {
				t.Errorf("sent %q, got %q", test.sent, got)
			}
		})
	}
}

// A path that is not clean is answered, never redirected: a redirect would
// repeat the query, and with it a token.
func TestUncleanPathsAreNotRedirected(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "door") })
	for path, door := range map[string]bool{
		"/gw/gateway//x": true, "/gw/gateway/./x": true, "/gw/gateway": true,
		"//gw/gateway/x": false, "/gw//gateway/x": false, "/gw/./gateway/x": false, "/healthz/../x": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "http://host"+path+"?access_token=SECRET", nil)
		w := b.do(r)
		if w.Header().Get("Location") != "" || strings.Contains(w.Body.String(), "SECRET") || (w.Body.String() == "door") != door {
			t.Errorf("%s: %d %v %s", path, w.Code, w.Header(), w.Body)
		}
	}
}

func TestPanicIsAnsweredAndLogged(t *testing.T) {
	t.Parallel()
	b := setup(t, func(http.ResponseWriter, *http.Request) { panic("13812345678") })
	w := b.get("/gw/gateway/x")
	if w.Code != 500 || w.Body.String() != "turned away 500" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	lines := b.lines(t)
	if len(lines) != 2 || lines[0]["msg"] != "panic" || lines[1]["status"] != 500.0 {
		t.Errorf("log %v", lines)
	}
	if strings.Contains(b.log.String(), "13812345678") {
		t.Error("the log repeats what was panicked with")
	}
}

// An answer that broke off must not look complete.
func TestPanicAfterAnswerBegan(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "half")
		panic("x")
	})
	s := httptest.NewServer(b.server.http.Handler)
	defer s.Close()
	answer, err := http.Get(s.URL + "/gw/gateway/x")
	if err == nil {
		defer answer.Body.Close()
		_, err = io.ReadAll(answer.Body)
	}
	if err == nil {
		t.Error("the client takes half an answer for a whole one")
	}
}

func TestOutsideTheDoors(t *testing.T) {
	t.Parallel()
	b := setup(t, func(http.ResponseWriter, *http.Request) { t.Error("the door was asked") })
	for _, path := range []string{"/", "/member", "/gw/other", "/13812345678", "/healthz/x"} {
		w := b.get(path)
		var body map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != 404 || body["error"] != "Not Found" || body["request_id"] == "" {
			t.Errorf("%s: %d %s %v", path, w.Code, w.Body, err)
		}
	}
	if strings.Contains(b.log.String(), "13812345678") {
		t.Error("the log repeats an unknown path")
	}
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		var tooLarge *http.MaxBytesError
		fmt.Fprint(w, errors.As(err, &tooLarge))
	})
	for _, test := range []struct {
		size    int
		chunked bool
		want    string
	}{{1024, false, "false"}, {1025, false, "turned away 413"}, {1024, true, "false"}, {1025, true, "true"}} {
		r := httptest.NewRequest(http.MethodPost, "/gw/gateway/x", strings.NewReader(strings.Repeat("a", test.size)))
		if test.chunked {
			r.ContentLength = -1
		}
		if got := b.do(r).Body.String(); got != test.want {
			t.Errorf("%d bytes, chunked %v: %s, want %s", test.size, test.chunked, got, test.want)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	b := setup(t, http.NotFound)
	check := func(status int, want string) {
		t.Helper()
		w := b.get("/readyz")
		if diff := cmp.Diff(want+"\n", w.Body.String()); w.Code != status || diff != "" {
			t.Errorf("status %d, want %d; %s", w.Code, status, diff)
		}
	}
	check(200, `{"ready":true,"checks":{"database":"ok","serving":"ok"}}`)
	red := errors.New("gone")
	b.red.Store(&red)
	check(503, `{"ready":false,"checks":{"database":"red","serving":"ok"}}`)
	if w := b.get("/healthz"); w.Code != 200 || w.Body.String() != "{\"alive\":true}\n" {
		t.Errorf("healthz: %d %s", w.Code, w.Body)
	}
	b.red.Store(nil)
	b.server.draining.Store(true)
	check(503, `{"ready":false,"checks":{"database":"ok","serving":"red"}}`)
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		Annotate(r.Context(), "app", r.URL.Query().Get("app_id"))
		Annotate(r.Context(), "code", r.URL.Query().Get("code"))
	}, func(o *Options) {
		o.Limiter = NewLimiter(1, 2, func() time.Time { return time.UnixMilli(now.Load()) })
	})
	call := func(app, code string, want int) {
		t.Helper()
		if w := b.get("/gw/gateway/x?app_id=" + app + "&code=" + code); w.Code != want {
			t.Errorf("app %s, code %s: %d, want %d", app, code, w.Code, want)
		}
	}
	for range 10 {
		call("a", "1002", 200) // a stranger who names the app
	}
	call("a", "200", 200)
	call("a", "1001", 200)
	call("a", "200", 429)
	call("a", "1002", 429)
	call("b", "200", 200)
	call("", "200", 200)
	now.Store(999)
	call("a", "200", 429)
	now.Store(1000)
	call("a", "200", 200)
	call("a", "200", 429)
	now.Store(100_000_000) // idle for a day: the burst, no more
	call("a", "200", 200)
	call("a", "200", 200)
	call("a", "200", 429)
	now.Store(0) // a clock that was set back neither gives nor takes
	call("a", "200", 429)
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		Annotate(r.Context(), "method", r.URL.Query().Get("m"))
		Annotate(r.Context(), "code", r.URL.Query().Get("c"))
	})
	b.server.opts.Metrics.Stage("commit", time.Millisecond)
	b.server.opts.Metrics.Batch(3, "committed")
	b.server.opts.Metrics.Gauge("memberd_test", "A test.", func() float64 { return 7 })
	b.get("/gw/gateway/x?m=wk.user.info.query&c=200")
	b.get("/gw/gateway/x?m=made.up&c=1008")
	b.get("/nowhere/13812345678")
	text := b.get("/metrics").Body.String()
	for _, want := range []string{
		`memberd_http_requests_total{code="2xx",method="wk.user.info.query",route="/gw/gateway/"} 1`,
		`memberd_http_requests_total{code="2xx",method="unknown",route="/gw/gateway/"} 1`,
		`memberd_http_requests_total{code="4xx",method="none",route="none"} 1`,
		`memberd_answers_total{answer="1008",door="gateway"} 1`,
		`memberd_writer_stage_seconds_count{stage="commit"} 1`,
		`memberd_writer_batches_total{outcome="committed"} 1`,
		`memberd_writer_batch_commands_sum 3`,
		`memberd_build_info{database="sqlite",version="v1"} 1`,
		"memberd_test 7", "go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, "made.up") || strings.Contains(text, "13812345678") {
		t.Error("a stranger's text is a label")
	}
}

// The number of series is bounded whatever a door annotates.
func TestMethodLabelsAreBounded(t *testing.T) {
	t.Parallel()
	m := NewMetrics("", "")
	seen := map[string]bool{}
	for i := range 10 * maxMethods {
		seen[m.method(&call{method: fmt.Sprint("m", i)})] = true
	}
	if len(seen) != maxMethods+1 || !seen["other"] {
		t.Errorf("%d labels", len(seen))
	}
}

// serve runs the bundle's server on loopback; end is its context's.
func (b *bundle) serve(t *testing.T) (url string, end func(), done chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done = make(chan error, 1)
	go func() { done <- b.server.Serve(ctx, l) }()
	return "http://" + l.Addr().String(), cancel, done
}

func TestDrainFinishesWhatWasAccepted(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	b := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		fmt.Fprint(w, "done")
	})
	url, end, served := b.serve(t)
	answer := make(chan string, 1)
	go func() {
		r, err := http.Get(url + "/gw/gateway/x")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		answer <- string(body)
	}()
	<-entered
	end()
	deadline := time.Now().Add(10 * time.Second)
	for refused := false; !refused; { // until the listener is closed
		if time.Now().After(deadline) {
			t.Fatal("still accepting")
		}
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if refused = err != nil; !refused {
			conn.Close()
		}
	}
	select {
	case err := <-served:
		t.Fatal("Serve returned before the call was finished:", err)
	default:
	}
	close(release)
	if got := <-answer; got != "done" {
		t.Error(got)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// With a delay the server goes on serving with a red /readyz.
func TestDrainDelay(t *testing.T) {
	t.Parallel()
	b := setup(t, http.NotFound, func(o *Options) { o.DrainDelay = time.Second })
	url, end, served := b.serve(t)
	end()
	for deadline := time.Now().Add(10 * time.Second); !b.server.draining.Load(); {
		if runtime.Gosched(); time.Now().After(deadline) {
			t.Fatal("not draining")
		}
	}
	r, err := http.Get(url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != 503 {
		t.Error(r.StatusCode)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
