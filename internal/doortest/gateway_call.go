package doortest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/memberd/memberd/internal/sign"
)

// GatewayCall is a call of the gateway protocol. The zero value of every field
// but Method means what a careful client sends.
type GatewayCall struct {
	Method  string
	Version string // v1
	Verb    string // POST
	Body    string
	Query   url.Values    // further parameters, signed too
	App     *App          // the bundle's App
	Token   string        // a live one of App; "-" for none
	Late    time.Duration // how far the timestamp is behind the clock
	Raw     string        // appended to the query behind the sign, unsigned
	Sign    string        // instead of the right one
}

// Request builds and signs the call.
func (b *Bundle) Request(c GatewayCall) *http.Request {
	b.t.Helper()
	app := c.App
	if app == nil {
		app = b.App
	}
	query := url.Values{}
	for name, values := range c.Query {
		query[name] = values
	}
	if !query.Has("timestamp") {
		query.Set("timestamp", strconv.FormatInt(b.Clock.Now().Add(-c.Late).UnixMilli(), 10))
	}
	switch c.Token {
	case "":
		query.Set("access_token", b.Token(app))
	case "-":
	default:
		query.Set("access_token", c.Token)
	}
	signed := c.Sign
	if signed == "" {
		signed = sign.Gateway(query, []byte(c.Body), app.Secret)
	}
	version, verb := c.Version, c.Verb
	if version == "" {
		version = "v1"
	}
	if verb == "" {
		verb = http.MethodPost
	}
	target := "/gw/gateway/" + c.Method + "/" + version + "?" + query.Encode() + "&sign=" + signed + c.Raw
	return httptest.NewRequest(verb, target, strings.NewReader(c.Body))
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Send has the handler answer.
func Send(h http.Handler, r *http.Request) Answer {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	result := w.Result()
	body, _ := io.ReadAll(result.Body) // a recorder's body does not fail
	return Answer{result.StatusCode, result.Header, string(body)}
}
