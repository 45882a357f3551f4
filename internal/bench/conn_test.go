package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func serverOf(t testing.TB, address string) *server {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newServer(u, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What net/http's server sends is read, in all forms that it has, on one
// connection as long as the server keeps it.
func TestConnWithRealServer(t *testing.T) {
	t.Parallel()
	var connections atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Query().Get("form") {
		case "chunked":
			w.(http.Flusher).Flush()
		case "close":
			w.Header().Set("Connection", "close")
		case "busy":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "early":
			w.WriteHeader(http.StatusEarlyHints)
		}
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, body)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	c := &conn{server: serverOf(t, s.URL+"/below/")}
	defer c.close()
	long := strings.Repeat("x", 100_000)
	for _, test := range []struct {
		form, body  string
		status      int
		connections int64
	}{
		{"", "a", 200, 1},
		{"chunked", "b", 200, 1},
		{"chunked", long, 200, 1},
		{"busy", "c", 503, 1},
		{"early", "d", 200, 1},
		{"", long, 200, 1},
		{"close", "e", 200, 1},
		{"", "f", 200, 2},
	} {
		status, answer, err := c.post([]byte("/path?form="+test.form), []byte(test.body))
		if want := "POST /below/path " + test.body; err != nil || status != test.status || string(answer) != want {
			t.Errorf("form %q: %d %.60q %v", test.form, status, answer, err)
		}
		if got := connections.Load(); got != test.connections {
			t.Errorf("form %q: connection %d, want %d", test.form, got, test.connections)
		}
	}
}

func TestConnWithTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	target := serverOf(t, s.URL)
	c := &conn{server: target}
	defer c.close()
	if _, _, err := c.post([]byte("/"), nil); !errors.Is(err, errNotConnected) {
		t.Errorf("a certificate that nobody knows: %v", err)
	}
	target.tls = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	target.tls.ServerName = "example.com"
	if _, answer, err := c.post([]byte("/"), nil); err != nil || string(answer) != "HTTP/1.1" {
		t.Errorf("%q %v", answer, err)
	}
}

// rawServer answers each connection with one text and closes it, or hangs.
func rawServer(t *testing.T, answer string, hang bool) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { close(done); l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
					return
				}
				_, _ = io.WriteString(c, answer)
				if hang {
					<-done
				}
			}()
		}
	}()
	return serverOf(t, "http://"+l.Addr().String())
}

// What is no answer is an error with its word in the report, and the next call
// has another connection.
func TestConnFailures(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, answer string
		hang         bool
		want         string
	}{
		{"nothing", "", false, failBroken},
		{"no HTTP", "SSH-2.0-OpenSSH_9.2 hello\r\n\r\n", false, failForm},
		{"half a body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", false, failBroken},
		{"no length", "HTTP/1.1 200 OK\r\n\r\nabc", false, failForm},
		{"a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", false, failForm},
		{"too long", "HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n", false, failForm},
		{"an endless line", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 10000), false, failForm},
		{"no answer", "", true, failTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := rawServer(t, test.answer, test.hang)
			s.timeout = 5 * time.Second
			if test.hang {
				s.timeout = 50 * time.Millisecond
			}
			c := &conn{server: s}
			for range 2 {
				_, _, err := c.post([]byte("/"), []byte("{}"))
				if err == nil || failureOf(err) != test.want {
					t.Errorf("%v is %q, want %q", err, failureOf(err), test.want)
				}
				if c.c != nil {
					t.Error("the connection is kept")
				}
			}
		})
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c := &conn{server: serverOf(t, "http://"+l.Addr().String())}
	if _, _, err := c.post([]byte("/"), nil); failureOf(err) != failNotConnected {
		t.Error(err)
	}
}

// A connection that was idle for long is not used again.
func TestIdleConnection(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) }))
	t.Cleanup(s.Close)
	c := &conn{server: serverOf(t, s.URL)}
	defer c.close()
	call := func() string {
		_, answer, err := c.post([]byte("/"), nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(answer)
	}
	first := call()
	if second := call(); second != first {
		t.Errorf("%s, then %s", first, second)
	}
	c.used = c.used.Add(-2 * idleLimit)
	if third := call(); third == first {
		t.Error("an old connection was used again")
	}
}

// BenchmarkClient is why this package has a client of its own: one call after
// the other against a handler that does nothing, the server's part included.
func BenchmarkClient(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"success":true,"error_code":200,"error_message":"","data":{"statement_id":"SP000000000100000001"},"errorCode":200,"errorMessage":""}`)
	}))
	defer s.Close()
	body := []byte(`{"open_id":"25c56912e05847c0b09f03ca7e52b796","change_event":"event_add","score":1,"change_reason":"bench","change_id":"1"}`)
	b.Run("own", func(b *testing.B) {
		b.ReportAllocs()
		target := serverOf(b, s.URL)
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			c := &conn{server: target}
			defer c.close()
			for pb.Next() {
				if _, _, err := c.post([]byte("/x"), body); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("net-http", func(b *testing.B) {
		b.ReportAllocs()
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100, DisableCompression: true}, Timeout: 5 * time.Second}
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				answer, err := client.Post(s.URL+"/x", "application/json", bytes.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
		})
	})
}
