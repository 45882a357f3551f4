package access

import (
	"sync"
	"time"
)

const (
	// tokenMemoryLimit bounds the remembered tokens, some 10 MB. One that was
	// put out is looked up in the database again.
	tokenMemoryLimit = 100_000
	// sweepEvery is how often expired tokens are looked for, at the earliest.
	sweepEvery = int64(10 * time.Minute / time.Millisecond)
)

type knownToken struct {
	appID     string
	expiresAt int64 // unix ms
}

// tokenMemory remembers access tokens that are known to be good. It never
// remembers that one is unknown: another process may issue it a moment later.
type tokenMemory struct {
	mu      sync.RWMutex
	tokens  map[tokenHash]knownToken
	sweptAt int64 // unix ms
	limit   int   // 0: tokenMemoryLimit
}

func (m *tokenMemory) get(hash tokenHash) (knownToken, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	t, ok := m.tokens[hash]
	return t, ok
}

// put remembers a token; now is in unix ms.
func (m *tokenMemory) put(hash tokenHash, token knownToken, now int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tokens == nil {
		m.tokens = make(map[tokenHash]knownToken)
	}
	limit := m.limit
	if limit == 0 {
		limit = tokenMemoryLimit
	}
	if now-m.sweptAt >= sweepEvery || now < m.sweptAt {
		for h, t := range m.tokens {
			if now >= t.expiresAt {
				delete(m.tokens, h)
			}
		}
		m.sweptAt = now
	}
	// Any one goes: which is used next is unknown, and a miss costs one read.
	for h := range m.tokens {
		if len(m.tokens) < limit {
			break
		}
		delete(m.tokens, h)
	}
	m.tokens[hash] = token
}
