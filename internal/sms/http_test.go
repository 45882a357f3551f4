package sms_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/sms"
)

// awkward has everything that an encoding has to take care of.
var awkward = sms.Message{
	Phone: phone, Code: "0458", Text: "验证码 \"0458\" \\ & <5> 50% {phone}\n", At: time.Date(2026, 11, 22, 10, 0, 0, 5e6, time.FixedZone("", 8*3600)),
}

// provider answers as told and keeps what it got.
type provider struct {
	*httptest.Server
	header http.Header
	host   string
	body   string
}

func newProvider(t *testing.T, answer http.HandlerFunc) *provider {
	t.Helper()
	p := &provider{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.header, p.host, p.body = r.Header, r.Host, r.Method+" "+string(body)
		answer(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"code":"OK"}`) }

func TestHTTPBody(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		headers    []string
		body, want string
	}{
		"json":      {nil, `{"to":"{phone}","code":"{code}","content":"{text}","at":"{time}"}`, `{"to":"13800138000","code":"0458","content":"验证码 \"0458\" \\ \u0026 \u003c5\u003e 50% {phone}\n","at":"2026-11-22T02:00:00.005Z"}`},
		"json kind": {[]string{"content-type: application/vnd.sms+json"}, `{"a":["{phone}","{text}"]}`, `{"a":["13800138000","验证码 \"0458\" \\ \u0026 \u003c5\u003e 50% {phone}\n"]}`},
		"form":      {[]string{"Content-Type: application/x-www-form-urlencoded; charset=utf-8"}, `to={phone}&content={text}&key=a%26b`, "to=13800138000&content=" + url.QueryEscape(awkward.Text) + "&key=a%26b"},
		"xml":       {[]string{"Content-Type: text/xml"}, `<sms to="{phone}">{text}</sms>`, `<sms to="13800138000">验证码 &#34;0458&#34; \ &amp; &lt;5&gt; 50% {phone}&#xA;</sms>`},
		"plain":     {[]string{"Content-Type: text/plain"}, `{phone} {code}`, `13800138000 0458`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, ok)
			sender, err := sms.NewHTTP(sms.HTTPOptions{URL: p.URL, Headers: test.headers, Body: test.body})
			must(t, err)
			must(t, sender.Send(t.Context(), awkward))
			if diff := cmp.Diff("POST "+test.want, p.body); diff != "" {
				t.Error(diff)
			}
			if got := p.header.Get("Content-Type"); test.headers == nil && got != "application/json; charset=utf-8" {
				t.Errorf("Content-Type %q", got)
			}
			if strings.HasPrefix(name, "json") && !json.Valid([]byte(p.body[5:])) {
				t.Error("no JSON")
			}
		})
	}
}

func TestHTTPHeaders(t *testing.T) {
	t.Parallel()
	p := newProvider(t, ok)
	sender, err := sms.NewHTTP(sms.HTTPOptions{
		URL: p.URL, Body: `{"a":"{phone}{code}"}`, Headers: []string{"Authorization: Bearer a:b, c", "X-Tag:1", "X-Tag: 2", "Host: sms.example"},
	})
	must(t, err)
	must(t, sender.Send(t.Context(), awkward))
	if diff := cmp.Diff([]string{"Bearer a:b, c"}, p.header.Values("Authorization")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"1", "2"}, p.header.Values("X-Tag")); diff != "" {
		t.Error(diff)
	}
	if p.host != "sms.example" {
		t.Errorf("host %s", p.host)
	}
}

// What counts as sent, and what is said when it was not: never the URL's
// credentials, the message, or what the provider answered.
func TestHTTPAnswers(t *testing.T) {
	t.Parallel()
	status := func(n int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(n)
			_, _ = io.WriteString(w, "OK 13800138000 0458")
		}
	}
	raw := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, text)
				_ = conn.Close()
			}
		}
	}
	huge := strings.Repeat("x", 1<<20)
	for name, test := range map[string]struct {
		answer  http.HandlerFunc
		success string
		want    string // "" for sent
	}{
		"200":                         {ok, "", ""},
		"204":                         {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "", ""},
		"success text":                {ok, `"code":"OK"`, ""},
		"success text missing":        {ok, `"code":0`, "sms.success is not in the answer"},
		"success text, empty answer":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "OK", "sms.success is not in the answer"},
		"500":                         {status(500), "", "HTTP status 500"},
		"500 with the text":           {status(500), "OK", "HTTP status 500"},
		"401":                         {status(401), "", "HTTP status 401"},
		"huge, text at the beginning": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "OK"+huge) }, "OK", ""},
		"huge, text at the end":       {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, huge+"OK") }, "OK", "sms.success is not in the answer"},
		"hangs up":                    {raw(""), "", "no proper answer"},
		"no HTTP":                     {raw("13800138000 0458\r\n\r\n"), "", "no proper answer"},
		"breaks off":                  {raw("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n13800138000 0458"), "OK", "answer broke off"},
		"breaks off behind the text":  {raw("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nOK"), "OK", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, test.answer)
			err := sendTo(t, t.Context(), p.URL, test.success)
			if test.want == "" {
				must(t, err)
				return
			}
			discreet(t, err, test.want)
		})
	}
}

// sendTo sends with credentials everywhere.
func sendTo(t *testing.T, ctx context.Context, address, success string) error {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	u.User, u.Path, u.RawQuery = url.UserPassword("user", "hunter2"), "/hunter2", "key=hunter2"
	sender, err := sms.NewHTTP(sms.HTTPOptions{
		URL: u.String(), Body: `{"key":"hunter2","to":"{phone}","text":"{text}"}`, Headers: []string{"X-Key: hunter2"}, Success: success,
	})
	must(t, err)
	return sender.Send(ctx, awkward)
}

func discreet(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("%v, want %q", err, want)
	}
	for _, secret := range []string{phone, "0458", "hunter2", "验证码"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q quotes %s", err, secret)
		}
	}
}

func TestHTTPRedirect(t *testing.T) {
	t.Parallel()
	elsewhere := newProvider(t, ok)
	for _, status := range []int{301, 302, 303, 307, 308} {
		p := newProvider(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, status) })
		discreet(t, sendTo(t, t.Context(), p.URL, ""), "HTTP status 30")
	}
	if elsewhere.body != "" {
		t.Error("a redirect was followed")
	}
}

func TestHTTPSlow(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{"no answer": "", "half an answer": "O"} {
		release := make(chan struct{})
		p := newProvider(t, func(w http.ResponseWriter, _ *http.Request) {
			if begin != "" {
				_, _ = io.WriteString(w, begin)
				_ = http.NewResponseController(w).Flush()
			}
			<-release
		})
		t.Cleanup(func() { close(release) }) // before the server is closed, which waits
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := sendTo(t, ctx, p.URL, "OK")
		cancel()
		if err == nil || !strings.Contains(err.Error(), "no answer in time") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHTTPNobodyThere(t *testing.T) {
	t.Parallel()
	p := newProvider(t, ok)
	p.Close()
	discreet(t, sendTo(t, t.Context(), p.URL, ""), "connection refused")
}

func TestHTTPCertificate(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(ok))
	t.Cleanup(server.Close)
	discreet(t, sendTo(t, t.Context(), server.URL, ""), "certificate")
}

func TestHTTPOptions(t *testing.T) {
	t.Parallel()
	good := sms.HTTPOptions{URL: "https://sms.example/send", Body: `{"to":"{phone}","code":"{code}"}`}
	for name, test := range map[string]struct {
		change func(*sms.HTTPOptions)
		want   string
	}{
		"good":               {func(*sms.HTTPOptions) {}, ""},
		"no url":             {func(o *sms.HTTPOptions) { o.URL = "" }, "sms.url"},
		"no host":            {func(o *sms.HTTPOptions) { o.URL = "https:///hunter2" }, "sms.url"},
		"ftp":                {func(o *sms.HTTPOptions) { o.URL = "ftp://u:hunter2@sms.example" }, "sms.url"},
		"broken url":         {func(o *sms.HTTPOptions) { o.URL = "https://u:hunter2@%zz" }, "sms.url"},
		"no colon":           {func(o *sms.HTTPOptions) { o.Headers = []string{"A: 1", "hunter2"} }, "sms.header: number 2"},
		"no name":            {func(o *sms.HTTPOptions) { o.Headers = []string{": hunter2"} }, "sms.header: number 1"},
		"a space in it":      {func(o *sms.HTTPOptions) { o.Headers = []string{"X Key: hunter2"} }, "sms.header: number 1"},
		"a line break":       {func(o *sms.HTTPOptions) { o.Headers = []string{"X-Key: hunter2\r\nX: y"} }, "sms.header: number 1"},
		"an image":           {func(o *sms.HTTPOptions) { o.Headers = []string{"Content-Type: image/png"} }, "Content-Type must be"},
		"a broken type":      {func(o *sms.HTTPOptions) { o.Headers = []string{"Content-Type: a b c"} }, "Content-Type is not"},
		"no phone":           {func(o *sms.HTTPOptions) { o.Body = `{"to":"","code":"{code}"}` }, "sms.body: needs {phone}"},
		"neither code":       {func(o *sms.HTTPOptions) { o.Body = `{"to":"{phone}"}` }, "sms.body: needs {phone}"},
		"no JSON":            {func(o *sms.HTTPOptions) { o.Body = `to={phone}&code={code}&key=hunter2` }, "sms.body: is no JSON"},
		"text out of quotes": {func(o *sms.HTTPOptions) { o.Body = `{"to":"{phone}","text":{text}}` }, "sms.body: is no JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := good
			test.change(&o)
			_, err := sms.NewHTTP(o)
			if test.want == "" {
				must(t, err)
				return
			}
			discreet(t, err, test.want)
		})
	}
}
