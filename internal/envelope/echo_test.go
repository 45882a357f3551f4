package envelope

import (
	"testing"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
)

const pathEcho = "/member/sandbox/echo"

// The echo reads what 2.1 reads, and changes nothing.
func TestEcho(t *testing.T) {
	t.Parallel()
	s := withMembers(t, nil)
	s.call("what 2.1 takes", pathEcho, fill(`{%m,"changeScore":20,"changeType":1,"operationType":1,%k}`, 1))
	s.call("what 2.1 refuses: too few points", pathEcho, fill(`{%m,"changeScore":0,"changeType":1,"operationType":1,%k}`, 1))
	s.call("the member is not looked for", pathEcho, `{"memberId":"1","changeScore":20,"operationType":1}`)
	s.golden("echo")
	member := s.Member(loyalty.Who{Merchant: doortest.Merchant, Phone: phoneC})
	if member.Balance != 0 {
		t.Errorf("balance %d", member.Balance)
	}
}
