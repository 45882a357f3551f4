package webhook

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

const patience = 20 * time.Second

func letter(url string, kind loyalty.EventKind) Letter {
	return Letter{URL: url, Body: []byte(`{"ver":1,"requestBody":"{}"}`), Event: loyalty.Callback{Member: 42, App: "wk1", No: 7, Kind: kind}}
}

// why is the reason of a failed post, "" for a success.
func why(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	f, ok := errors.AsType[*Failure](err)
	if !ok {
		t.Fatalf("%T: %v", err, err)
	}
	return f.Error()
}

func TestRequest(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body = r, string(b)
	}))
	defer server.Close()
	at := time.UnixMilli(1795312800123)
	c := NewClient(ClientOptions{AllowPrivate: true, Now: func() time.Time { return at }})
	if err := c.Post(t.Context(), letter(strings.Replace(server.URL, "http://", "http://u:p@", 1)+"/cb?a=1", changed)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Memberd-Event-Id": "wk1:42:7", "Memberd-Event-Number": "7", "Memberd-Event-Type": "points.changed",
		"Memberd-Timestamp": "1795312800123", "Content-Type": "application/json; charset=utf-8", "User-Agent": "memberd",
		"Authorization": "Basic dTpw",
	} {
		if h := got.Header.Get(name); h != want {
			t.Errorf("%s: %q", name, h)
		}
	}
	if got.Method != http.MethodPost || got.RequestURI != "/cb?a=1" || got.ContentLength != int64(len(body)) || len(got.TransferEncoding) > 0 || body != `{"ver":1,"requestBody":"{}"}` {
		t.Error(got.Method, got.RequestURI, got.ContentLength, got.TransferEncoding, body)
	}
}

// What a partner may answer, and what that means for 1.4 and for 1.5.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const none = "answer without statusCode"
	for name, test := range map[string]struct {
		status       int
		body         string
		for14, for15 string
	}{
		"100":                {status: 200, body: `{"ver":"1","statusCode":"100","message":"成功","sign":"sign"}`},
		"100 as a number":    {status: 200, body: `{"statusCode":100}`},
		"100, BOM":           {status: 200, body: "\xef\xbb\xbf" + `{"statusCode":100}`},
		"201 and 100":        {status: 201, body: `{"statusCode":"100"}`},
		"empty":              {status: 200},
		"blanks":             {status: 200, body: " \r\n"},
		"204":                {status: 204},
		"101":                {status: 200, body: `{"statusCode":"101"}`, for14: "statusCode 101", for15: "statusCode 101"},
		"500 as a number":    {status: 200, body: `{"statusCode":500}`, for14: "statusCode 500", for15: "statusCode 500"},
		"no number":          {status: 200, body: `{"statusCode":"13812345678901234"}`, for14: "statusCode is no number", for15: "statusCode is no number"},
		"an object":          {status: 200, body: `{"statusCode":{}}`, for14: "statusCode is no number", for15: "statusCode is no number"},
		"null":               {status: 200, body: `{"statusCode":null}`, for15: none},
		"other JSON":         {status: 200, body: `{"code":0}`, for15: none},
		"garbage":            {status: 200, body: "<html>success</html>", for15: none},
		"garbage with 101":   {status: 200, body: `"statusCode":"101"`, for15: none},
		"500":                {status: 500, body: `{"statusCode":"100"}`, for14: "HTTP status 500", for15: "HTTP status 500"},
		"302":                {status: 302, for14: "HTTP status 302", for15: "HTTP status 302"},
		"307":                {status: 307, for14: "HTTP status 307", for15: "HTTP status 307"},
		"404":                {status: 404, for14: "HTTP status 404", for15: "HTTP status 404"},
		"just short enough":  {status: 200, body: `{"statusCode":"100"}` + strings.Repeat(" ", maxAnswer-20)},
		"too long":           {status: 200, body: `{"statusCode":"100"}` + strings.Repeat(" ", maxAnswer-19), for14: "answer too long", for15: "answer too long"},
		"too long, any body": {status: 200, body: strings.Repeat("x", maxAnswer+1), for14: "answer too long", for15: "answer too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var elsewhere atomic.Int64
			other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
			defer other.Close()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", other.URL)
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}))
			defer server.Close()
			c := NewClient(ClientOptions{AllowPrivate: true})
			if got := why(t, c.Post(t.Context(), letter(server.URL, registered))); got != test.for14 {
				t.Errorf("1.4: %q, want %q", got, test.for14)
			}
			if got := why(t, c.Post(t.Context(), letter(server.URL, changed))); got != test.for15 {
				t.Errorf("1.5: %q, want %q", got, test.for15)
			}
			if elsewhere.Load() > 0 {
				t.Error("a redirect was followed")
			}
		})
	}
}

// Receivers that do not keep to HTTP.
func TestLyingReceivers(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-token"
	for name, test := range map[string]struct {
		serve func(net.Conn)
		want  string
	}{
		"closes at once": {func(net.Conn) {}, "connection broke off"},
		"closes early": {func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"statusCode\":")
		}, "connection broke off"},
		"no HTTP": {func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH "+secret+"\r\n\r\n") }, "connection broke off"},
		"hangs": {func(c net.Conn) {
			_, _ = io.Copy(io.Discard, c)
		}, "no answer in time"},
		"drips": {func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			for {
				if _, err := io.WriteString(c, " "); err != nil {
					return
				}
				time.Sleep(5 * time.Millisecond) // the receiver's own pace
			}
		}, "no answer in time"},
		"endless head": {func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for {
				if _, err := io.WriteString(c, "X: "+strings.Repeat("x", 1000)+"\r\n"); err != nil {
					return
				}
			}
		}, "connection broke off"},
		"1 GiB": {func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
			chunk := []byte(strings.Repeat("x", 1<<16))
			for range 1 << 14 {
				if _, err := c.Write(chunk); err != nil {
					return
				}
			}
		}, "answer too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					go func() {
						defer conn.Close()
						// An answer before the request would be another story.
						if _, err := conn.Read(make([]byte, 1<<12)); err == nil {
							test.serve(conn)
						}
					}()
				}
			}()
			limit := patience
			if test.want == "no answer in time" {
				limit = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			c := NewClient(ClientOptions{AllowPrivate: true})
			err = c.Post(ctx, letter("http://user:"+secret+"@"+listener.Addr().String()+"/"+secret, changed))
			if got := why(t, err); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Error("the error shows what it must not")
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := listener.Addr().String()
	listener.Close()
	port := free[strings.LastIndexByte(free, ':')+1:]
	open, guarded := NewClient(ClientOptions{AllowPrivate: true}), NewClient(ClientOptions{})
	for _, test := range []struct {
		client    *Client
		url, want string
	}{
		{open, "http://" + free, "no connection"},
		{open, "http://no-such-host.invalid/", "host not found"},
		{guarded, "http://no-such-host.invalid/", "host not found"},
		{open, "ftp://127.0.0.1/", "callback URL is no http or https URL"},
		{open, "file:///etc/passwd", "callback URL is no http or https URL"},
		{open, "http://", "callback URL is no http or https URL"},
		{open, "http://a b/", "callback URL is no http or https URL"},
		{guarded, "http://127.0.0.1:" + port, "address not allowed"},
		{guarded, "http://localhost:" + port, "address not allowed"},
		{guarded, "http://169.254.169.254/latest/meta-data/", "address not allowed"},
		{guarded, "http://100.100.100.200/", "address not allowed"},
		{guarded, "http://[::ffff:127.0.0.1]:" + port, "address not allowed"},
		{guarded, "http://[::1]:" + port, "address not allowed"},
		{guarded, "http://0.0.0.0:" + port, "address not allowed"},
		{guarded, "http://10.0.0.1/", "address not allowed"},
		{guarded, "https://192.168.1.1/", "address not allowed"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if got := why(t, test.client.Post(ctx, letter(test.url, changed))); got != test.want {
			t.Errorf("%s: %q, want %q", test.url, got, test.want)
		}
		cancel()
	}
}

// A proxy of the environment would be a way around the check.
func TestNoProxy(t *testing.T) {
	t.Parallel()
	transport := NewClient(ClientOptions{}).client.Transport.(*http.Transport)
	if transport.Proxy != nil {
		t.Error("a proxy is asked")
	}
}

func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"1.1.1.1": true, "8.8.8.8": true, "100.63.255.255": true, "100.128.0.0": true, "172.15.0.1": true, "172.32.0.1": true,
		"192.0.1.1": true, "198.17.255.255": true, "223.255.255.255": true,
		"2606:4700::1111": true, "240e::1": true, "::ffff:8.8.8.8": true,

		"127.0.0.1": false, "127.255.255.254": false, "10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false,
		"192.168.0.1": false, "169.254.169.254": false, "100.64.0.1": false, "100.100.100.200": false, "0.0.0.0": false, "0.1.2.3": false,
		"224.0.0.1": false, "239.1.1.1": false, "240.0.0.1": false, "255.255.255.255": false, "192.0.0.8": false,
		"192.0.2.1": false, "198.18.0.1": false, "198.51.100.1": false, "203.0.113.1": false,
		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd00:ec2::254": false, "ff02::1": false,
		"::ffff:127.0.0.1": false, "::ffff:100.64.0.1": false, "::ffff:198.18.0.1": false, "::ffff:169.254.169.254": false, "::ffff:10.0.0.1": false, "::7f00:1": false,
		"64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false, "fec0::1": false,
		"::ffff:0:7f00:1": false, "::ffff:0:a9fe:a9fe": false, "64:ff9b:1::a00:1": false, "100::1": false, "5f00::1": false, "4000::1": false, "168.63.129.16": false,
	} {
		if got := public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	for _, address := range []string{"", "nonsense", "example.com:80", "127.0.0.1"} {
		if onlyPublic("tcp", address, nil) == nil {
			t.Errorf("%q may be dialled", address)
		}
	}
	if err := onlyPublic("tcp", net.JoinHostPort("8.8.8.8", strconv.Itoa(443)), nil); err != nil {
		t.Error(err)
	}
}

// Answers that are read to their end leave the connection for the next request.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"statusCode":"100"}`)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c := NewClient(ClientOptions{AllowPrivate: true})
	for range 5 {
		if err := c.Post(t.Context(), letter(server.URL, changed)); err != nil {
			t.Fatal(err)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}
