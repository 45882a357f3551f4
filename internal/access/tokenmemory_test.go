package access

import (
	"fmt"
	"testing"
)

func TestTokenMemoryIsBounded(t *testing.T) {
	t.Parallel()
	m := tokenMemory{limit: 10}
	for i := range 1000 {
		hash := hashToken(fmt.Sprint(i))
		m.put(hash, knownToken{appID: "a", expiresAt: 1000}, 1)
		if _, ok := m.get(hash); !ok {
			t.Fatal("the newest token was put out")
		}
		if len(m.tokens) > 10 {
			t.Fatalf("%d tokens are remembered, want 10 at most", len(m.tokens))
		}
	}
	if len(m.tokens) != 10 {
		t.Errorf("%d tokens are remembered, want 10", len(m.tokens))
	}
}

func TestTokenMemoryDropsExpired(t *testing.T) {
	t.Parallel()
	var m tokenMemory
	begin := int64(1_795_000_000_000)
	m.put(hashToken("a"), knownToken{expiresAt: begin + sweepEvery}, begin)
	m.put(hashToken("b"), knownToken{expiresAt: begin + sweepEvery + 1}, begin)
	m.put(hashToken("c"), knownToken{expiresAt: begin + 2*sweepEvery}, begin+sweepEvery)
	for token, want := range map[string]bool{"a": false, "b": true, "c": true} {
		if _, ok := m.get(hashToken(token)); ok != want {
			t.Errorf("token %s is remembered: %v, want %v", token, ok, want)
		}
	}
}
