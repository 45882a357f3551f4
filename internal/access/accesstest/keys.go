package accesstest

import (
	"crypto/rand"
	"crypto/rsa"
	"sync"
	"sync/atomic"
)

// sharedKeys is how many keys a test binary makes: enough that two merchants
// and their apps do not get the same ones.
const sharedKeys = 4

var keys [sharedKeys]func() (*rsa.PrivateKey, error)

func init() {
	for i := range keys {
		keys[i] = sync.OnceValues(func() (*rsa.PrivateKey, error) {
			return rsa.GenerateKey(rand.Reader, 2048)
		})
	}
}

// KeyGenerator returns an access.Options.GenerateKey for tests: it goes round a
// few keys of full size that the test binary makes once, when they are first
// asked for. Each generator goes round by itself, so the first four keys of a
// Service are four different ones whatever runs beside it.
func KeyGenerator() func() (*rsa.PrivateKey, error) {
	var next atomic.Uint64
	return func() (*rsa.PrivateKey, error) {
		return keys[(next.Add(1)-1)%sharedKeys]()
	}
}
