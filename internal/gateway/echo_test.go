package gateway

import (
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
)

const methodEcho = "wk.sandbox.echo"

// The echo reads what a points change reads, and changes nothing.
func TestEcho(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{Sandbox: true})
	s.each(methodEcho,
		"what 3.3 takes", changeExample,
		"the same again", changeExample,
		"what 3.3 refuses: a field is missing", with(changeExample, `"event_add"`, `""`),
		"the member is not looked for", with(changeExample, openID, noOpenID),
	)
	s.call("a wrong sign", doortest.GatewayCall{Method: methodEcho, Body: changeExample, Sign: wrongSign})
	s.golden("echo")
	if got := s.Member(loyalty.Who{Merchant: doortest.Merchant, OpenID: openID}); got.Balance != 0 {
		t.Errorf("balance %d", got.Balance)
	}
}

// Outside of a sandbox there is no such method.
func TestEchoOfLiveMerchant(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{})
	a := s.call("live", doortest.GatewayCall{Method: methodEcho, Body: changeExample})
	if !strings.Contains(a.Body, `"error_code":1008`) {
		t.Error(a.Body)
	}
}
