package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"sync"
)

const (
	// lookupSize is what is kept of the HMAC. 128 bits make an accidental
	// match among a merchant's members practically impossible and keep the
	// index small.
	lookupSize = 16
	// lookupCacheLimit bounds the merchants whose key is kept. An installation
	// has a handful; beyond the limit look-ups work, only slower.
	lookupCacheLimit = 10_000
)

// lookup is one merchant's keyed hash. A used hmac keeps the state behind its
// pads, so a pooled one costs two blocks instead of four and no allocation.
type lookup struct{ pool sync.Pool }

type lookupState struct {
	mac hash.Hash
	buf []byte
}

// Lookup is the text under which value (a phone in its one normal form, an id
// card number) is stored for exact matches: equal for equal arguments, of no
// use without the key, and different between merchants and between kinds. It is
// 22 characters of base64url without padding.
func (k *Keys) Lookup(merchant, kind, value string) string {
	l := k.lookup(merchant)
	s := l.pool.Get().(*lookupState)
	s.mac.Reset()
	// The zero byte ends the kind, so ("ab","c") and ("a","bc") differ.
	s.buf = append(append(append(s.buf[:0], kind...), 0), value...)
	s.mac.Write(s.buf)
	clear(s.buf)
	s.buf = s.mac.Sum(s.buf[:0])
	text := base64.RawURLEncoding.EncodeToString(s.buf[:lookupSize])
	l.pool.Put(s)
	return text
}

func (k *Keys) lookup(merchant string) *lookup {
	if l, ok := k.lookups.Load(merchant); ok {
		return l.(*lookup)
	}
	key := k.subkey("memberd/lookup/"+merchant, sha256.Size)
	made := &lookup{}
	made.pool.New = func() any {
		return &lookupState{mac: hmac.New(sha256.New, key), buf: make([]byte, 0, 64)}
	}
	if k.lookupCount.Load() >= lookupCacheLimit {
		return made
	}
	l, loaded := k.lookups.LoadOrStore(merchant, made)
	if !loaded {
		k.lookupCount.Add(1)
	}
	return l.(*lookup)
}
