package gateway

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/jsonx"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/sign"
)

// call is one call that was let in.
type call struct {
	*door
	ctx    context.Context
	app    *access.App
	now    loyalty.Instant // real time, one for the whole call
	params []sign.Param
	source string // address that the call came from
	fields form
	// refresh is the presented refresh token, in 2.2 only.
	refresh *access.Refresh
}

// admit checks, in this order: verb, query, timestamp, token or app_id, sign,
// body (semantics.md, "Gateway frame"; the method was found before). So a
// stranger learns nothing about methods' parameters, and nothing is parsed that
// was not signed.
func (d *door) admit(w http.ResponseWriter, r *http.Request, m *method) (*call, error) {
	if r.Method != http.MethodPost && (r.Method != http.MethodGet || !m.get) {
		return nil, errVerb
	}
	params, err := sign.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	c := &call{door: d, ctx: r.Context(), now: loyalty.InstantOf(d.Now()), params: params, source: r.RemoteAddr}
	// G-007: the path decides, and the parameter may only repeat it.
	if named := c.param("method"); named != "" && named != m.name {
		return nil, errMethodDiffers
	}
	if err := c.identify(m); err != nil {
		return nil, err
	}
	if id := c.param("app_id"); id != "" && id != c.app.ID {
		return nil, errAppDiffers
	}
	body, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	// Rate limits charge the app that is named here, unless the answer is 1002: a
	// stranger who only knows its id must not get further with any other.
	d.Attribute(c.ctx, "app", c.app.ID)
	if !sign.VerifyParams(params, m.name, body, c.app.Secret, c.param("sign")) {
		return nil, errSign
	}
	return c, c.read(m, body)
}

// param is a query parameter, "" when it is absent.
func (c *call) param(name string) string {
	for i := range c.params {
		if c.params[i].Name == name {
			return c.params[i].Value
		}
	}
	return ""
}

// identify finds the app by what the method says and checks the timestamp. How
// far it may be off is the app's setting, so the app is looked up first; but a
// caller without an app hears about its clock first all the same, measured by
// the default.
func (c *call) identify(m *method) error {
	at, ok := timestamp(c.param("timestamp"))
	if !ok {
		return errTimestamp
	}
	app, err := m.app(c)
	window := int64(access.DefaultWindowMillis)
	switch {
	case m.token:
		window = c.TokenWindow.Milliseconds()
	case err == nil:
		window = app.WindowMillis
	}
	if off := int64(c.now) - at; off > window || off < -window {
		return errTimestamp
	}
	c.app = app
	return err
}

// timestamp reads milliseconds as decimal digits. 15 digits reach the year
// 33658; more could overflow the difference.
func timestamp(text string) (int64, bool) {
	if text == "" || len(text) > 15 || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	at, err := strconv.ParseInt(text, 10, 64)
	return at, err == nil
}

// byAccessToken finds the app of a business call.
func byAccessToken(c *call) (*access.App, error) {
	app, err := c.Access.AppByToken(c.ctx, c.param("access_token"))
	return app, c.interrupted(err)
}

// interrupted tells a caller that hung up from a database that failed.
func (c *call) interrupted(err error) error {
	if err != nil && c.ctx.Err() != nil && errors.Is(err, c.ctx.Err()) {
		return errHungUp
	}
	return err
}

// read parses the body: nothing, or one JSON object. Token calls have all their
// parameters in the query, and whatever body there is was signed (G-056).
func (c *call) read(m *method, body []byte) error {
	if m.token {
		return nil
	}
	var fields jsonx.Fields
	if len(strings.TrimSpace(string(body))) > 0 {
		var err error
		if fields, err = jsonx.Object(body); err != nil {
			return err
		}
	}
	if m.get { // G-001, G-003: parameters in the query as well
		query := sign.Values(c.params)
		for _, name := range []string{"method", "access_token", "timestamp", "sign", "app_id"} {
			delete(query, name)
		}
		var err error
		if fields, err = jsonx.Merge(fields, jsonx.FromQuery(query)); err != nil {
			return err
		}
	}
	c.fields = form{fields: fields, merchant: c.app.MerchantID}
	return nil
}
