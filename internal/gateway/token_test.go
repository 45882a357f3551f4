package gateway

import (
	"net/url"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/doortest"
)

const (
	methodTokenQuery   = "dss.auth.token.query"
	methodTokenRefresh = "dss.auth.token.refresh"
)

func TestTokenQuery(t *testing.T) {
	t.Parallel()
	s := newSession(t, doortest.Options{})
	// An app as app create makes it: one pair a day. Its id is masked nowhere,
	// so it is a fixed one.
	app := s.CreateApp(access.NewApp{ID: "wktokens", MerchantID: doortest.Merchant, Secret: doortest.Secret})
	query := func(id string) url.Values {
		return url.Values{"app_id": {id}, "code": {""}, "redirect_url": {""}}
	}
	c := doortest.GatewayCall{Method: methodTokenQuery, App: app, Token: "-", Query: query(app.ID)}
	vary := func(change func(*doortest.GatewayCall)) doortest.GatewayCall {
		v := c
		change(&v)
		return v
	}
	s.call("the document's example, with the clock at timestamp=1: 1003 (G-016)", vary(func(c *doortest.GatewayCall) {
		c.Query = query(app.ID)
		c.Query.Set("timestamp", "1")
	}))
	s.call("3001 ms late", vary(func(c *doortest.GatewayCall) { c.Late = 3001 * time.Millisecond }))
	s.call("3001 ms early, and the app unknown", vary(func(c *doortest.GatewayCall) { c.Late, c.Query = -3001*time.Millisecond, query("wknobody") }))
	s.call("no app_id", vary(func(c *doortest.GatewayCall) { c.Query = nil }))
	s.call("unknown app", vary(func(c *doortest.GatewayCall) { c.Query, c.Sign = query("wknobody"), "0" }))
	s.call("wrong sign", vary(func(c *doortest.GatewayCall) { c.Sign = "00000000000000000000000000000000" }))
	s.call("another method's version", vary(func(c *doortest.GatewayCall) { c.Version = "v2" }))
	s.call("the first pair of the day, by GET, 3000 ms late", vary(func(c *doortest.GatewayCall) { c.Verb, c.Late = "GET", 3*time.Second }))
	s.call("the second pair of the day: failures did not count, the success did", c)
	s.Clock.Advance(14 * time.Hour) // midnight in Shanghai
	s.call("the next day in Shanghai, by POST with a body, which is signed and not read", vary(func(c *doortest.GatewayCall) { c.Body = "{}" }))
	must(t, s.Access.SetAppDisabled(t.Context(), app.ID, true))
	s.call("a disabled app", c)
	s.golden("token_query")
}

func TestTokenRefresh(t *testing.T) {
	t.Parallel()
	s := newSession(t, doortest.Options{})
	app := s.CreateApp(access.NewApp{ID: "wktokens", MerchantID: doortest.Merchant, RefreshLimit: 2})
	pair, err := s.Access.QueryToken(t.Context(), &app.App)
	must(t, err)
	call := func(note, token string, change func(*doortest.GatewayCall)) {
		t.Helper()
		c := doortest.GatewayCall{Method: methodTokenRefresh, App: app, Token: "-", Query: url.Values{"refresh_token": {token}}}
		if change != nil {
			change(&c)
		}
		s.call(note, c)
	}
	unknown := "rt00000000000000000000000000000000"
	call("stale, and the token unknown", unknown, func(c *doortest.GatewayCall) { c.Late = 4 * time.Second })
	call("unknown token", unknown, nil)
	call("an access token is no refresh token", pair.Access.Token, nil)
	call("no token", "", nil)
	call("another app_id than the token's", pair.Refresh, func(c *doortest.GatewayCall) { c.Query.Set("app_id", doortest.SigningApp) })
	call("wrong sign", pair.Refresh, func(c *doortest.GatewayCall) { c.Sign = "00000000000000000000000000000000" })
	call("refreshed", pair.Refresh, nil)
	call("refreshed by GET, with its app_id", pair.Refresh, func(c *doortest.GatewayCall) { c.Verb = "GET"; c.Query.Set("app_id", app.ID) })
	call("over the day's limit", pair.Refresh, nil)
	s.Clock.Advance(24 * time.Hour)
	call("the next day", pair.Refresh, nil)
	s.Clock.Advance(365 * 24 * time.Hour)
	call("a year later", pair.Refresh, nil)
	fresh, err := s.Access.QueryToken(t.Context(), &app.App)
	must(t, err)
	must(t, s.Access.SetAppDisabled(t.Context(), app.ID, true))
	call("a disabled app", fresh.Refresh, nil)
	s.golden("token_refresh")
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
