// Package seal keeps personal data and secrets unreadable at rest, and lets
// them be found again by an exact value.
//
// One key file (or the environment) holds two things: a Tink AEAD keyset, under
// which columns are encrypted, and a 32-byte root, from which every keyed
// look-up and every other secret of the platform is derived. They age
// differently: the keyset can get a new primary key at any time (old texts name
// their key and still open), while the root stays, since every stored look-up
// value hangs on it.
//
// The package never writes a key into the database, a log or an error text; it
// never replaces a key file; and it never makes a second key for a database
// that has seen one (see OpenKeys).
package seal

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// What can be wrong with a key or a sealed text. None of the errors made from
// these carries key material or plain text.
var (
	// ErrKeyFormat: the text is not a key file of a version this build reads.
	ErrKeyFormat = errors.New("key format")
	// ErrScope: a scope is empty or has a part with the separator in it.
	ErrScope = errors.New("scope")
	// ErrOpen: the text was not sealed with this key for this scope.
	ErrOpen = errors.New("sealed text does not open")
)

const (
	version  = 1
	rootSize = 32
	// scopeSeparator joins the parts of a scope into associated data. A part
	// that holds it is refused, or two scopes could be written alike.
	scopeSeparator = "|"
)

// Keys seals, opens, looks up and derives. It is safe for concurrent use and
// must not be copied. Its printed form holds nothing secret.
type Keys struct {
	root   []byte
	handle *keyset.Handle
	clear  json.RawMessage // the keyset in Tink's JSON form, compact
	aead   tink.AEAD

	lookups     sync.Map // merchant -> *lookup
	lookupCount atomic.Int64
}

// keyFile is the stored form. A later version is a new number, never another
// meaning of these names.
type keyFile struct {
	Version    int             `json:"version"`
	LookupRoot string          `json:"lookup_root"`
	Keyset     json.RawMessage `json:"keyset"`
}

// Generate makes a fresh key: one AES-256-GCM key and a random root.
func Generate() (*Keys, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("generate keyset: %w", err)
	}
	root := make([]byte, rootSize)
	if _, err := rand.Read(root); err != nil {
		return nil, fmt.Errorf("generate look-up root: %w", err)
	}
	return newKeys(handle, root)
}

// Parse reads what Marshal wrote, or the standard Base64 of it (JSON is awkward
// in an environment variable). Everything else is ErrKeyFormat. The reason is
// given in fixed words: decoders quote what they choke on, and that is the key.
func Parse(text []byte) (*Keys, error) {
	text = bytes.TrimSpace(text)
	if !bytes.HasPrefix(text, []byte("{")) {
		raw, err := base64.StdEncoding.DecodeString(string(text))
		if err != nil {
			return nil, fmt.Errorf("%w: neither JSON nor Base64", ErrKeyFormat)
		}
		text = raw
	}
	var file keyFile
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&file) != nil || decoder.More() {
		return nil, fmt.Errorf("%w: not a key document", ErrKeyFormat)
	}
	if file.Version != version {
		return nil, fmt.Errorf("%w: version %d, this build reads version %d", ErrKeyFormat, file.Version, version)
	}
	root, err := base64.StdEncoding.DecodeString(file.LookupRoot)
	if err != nil || len(root) != rootSize {
		return nil, fmt.Errorf("%w: lookup_root is not the Base64 of %d bytes", ErrKeyFormat, rootSize)
	}
	handle, err := readKeyset(file.Keyset)
	if err != nil {
		return nil, err
	}
	return newKeys(handle, root)
}

func newKeys(handle *keyset.Handle, root []byte) (*Keys, error) {
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("%w: the keyset does not encrypt", ErrKeyFormat)
	}
	text, err := writeKeyset(handle)
	if err != nil {
		return nil, err
	}
	return &Keys{root: root, handle: handle, clear: text, aead: primitive}, nil
}

// Marshal is the key file: one line of JSON with everything in it. Whoever
// holds it reads all personal data of the database it belongs to.
func (k *Keys) Marshal() []byte {
	text, err := json.Marshal(keyFile{
		Version:    version,
		LookupRoot: base64.StdEncoding.EncodeToString(k.root),
		Keyset:     k.clear,
	})
	if err != nil {
		panic("seal: a keyset that was read can't be written") // clear is valid JSON
	}
	return append(text, '\n')
}

// Rotate returns keys with a new primary AEAD key beside the old ones, which
// still open what they sealed, and with the same root. k is left as it is.
func (k *Keys) Rotate() (*Keys, error) {
	manager := keyset.NewManagerFromHandle(k.handle)
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("rotate: %w", err)
	}
	if err := manager.SetPrimary(id); err != nil {
		return nil, fmt.Errorf("rotate: %w", err)
	}
	handle, err := manager.Handle()
	if err != nil {
		return nil, fmt.Errorf("rotate: %w", err)
	}
	return newKeys(handle, bytes.Clone(k.root))
}

// Seal encrypts plain for one place, named by scope (merchant, member, column):
// the text opens there and nowhere else, so that a row copied over another one
// is noticed. The text is Base64 (standard, padded) of a Tink ciphertext, which
// begins with the id of its key. Two calls never give the same text.
func (k *Keys) Seal(plain []byte, scope ...string) (string, error) {
	associated, err := join(scope)
	if err != nil {
		return "", err
	}
	sealed, err := k.aead.Encrypt(plain, associated)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	return base64.StdEncoding.EncodeToString(sealed), nil
}

// Open gives back what Seal was given with the same scope; ErrOpen if the text
// is damaged, from another key, or from another place.
func (k *Keys) Open(text string, scope ...string) ([]byte, error) {
	associated, err := join(scope)
	if err != nil {
		return nil, err
	}
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: not Base64", ErrOpen)
	}
	plain, err := k.aead.Decrypt(sealed, associated)
	if err != nil {
		return nil, fmt.Errorf("%w: other key, other scope, or damaged", ErrOpen)
	}
	return plain, nil
}

func join(scope []string) ([]byte, error) {
	if len(scope) == 0 {
		return nil, fmt.Errorf("%w: empty", ErrScope)
	}
	for _, part := range scope {
		if strings.Contains(part, scopeSeparator) {
			return nil, fmt.Errorf("%w: a part contains %q", ErrScope, scopeSeparator)
		}
	}
	return []byte(strings.Join(scope, scopeSeparator)), nil
}

// Derive returns size bytes that belong to purpose alone: the same for the same
// root, and telling nothing about the root or about other purposes. It panics
// on a size that HKDF-SHA256 can't give (more than 8,160 bytes).
func (k *Keys) Derive(purpose string, size int) []byte {
	return k.subkey("memberd/derive/"+purpose, size)
}

// subkey's infos begin with different words for look-ups, derived keys and the
// check, so that no purpose or merchant id can reach another's key.
func (k *Keys) subkey(info string, size int) []byte {
	key, err := hkdf.Key(sha256.New, k.root, nil, info, size)
	if err != nil {
		panic(fmt.Sprintf("seal: derive %d bytes: %v", size, err))
	}
	return key
}

// String, GoString and LogValue keep the key out of logs, whatever the verb.
func (k *Keys) String() string { return "seal.Keys" }

// GoString is String, for %#v.
func (k *Keys) GoString() string { return k.String() }

// LogValue is String, for log/slog.
func (k *Keys) LogValue() slog.Value { return slog.StringValue(k.String()) }
