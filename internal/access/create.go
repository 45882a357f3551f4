package access

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"github.com/memberd/memberd/internal/sign"
)

const (
	// A made app id is 20 characters of the documents' form, "wkb1ag2h...".
	appIDPrefix   = "wk"
	appIDRandom   = 18
	appIDAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
)

// CreateMerchant stores a new merchant with a platform key of its own and
// settings as its settings document. ErrInvalid: id is not 1..64 of A-Z a-z 0-9
// _ -, or name is empty, over 128 characters or has control characters in it.
// ErrExists: the id is taken.
func (s *Service) CreateMerchant(ctx context.Context, id, name string, sandbox bool, settings string) (Merchant, error) {
	if err := checkID("merchant id", id); err != nil {
		return Merchant{}, err
	}
	if err := checkName("merchant name", name); err != nil {
		return Merchant{}, err
	}
	key, err := s.generateKey()
	if err != nil {
		return Merchant{}, fmt.Errorf("generate platform key: %w", err)
	}
	text, err := sign.EncodePrivateKey(key)
	if err != nil {
		return Merchant{}, fmt.Errorf("encode platform key: %w", err)
	}
	sealed, err := s.sealer.Seal([]byte(text), platformKeyScope(id)...)
	if err != nil {
		return Merchant{}, fmt.Errorf("seal platform key: %w", err)
	}
	row := MerchantRow{
		ID:          id,
		Name:        name,
		Sandbox:     sandbox,
		Zone:        DefaultZone,
		PlatformKey: sealed,
		CreatedAt:   s.now().UnixMilli(),
	}
	merchant, err := s.openMerchant(row)
	if err != nil {
		return Merchant{}, err
	}
	if err := s.storage.InsertMerchant(ctx, row, settings); err != nil {
		return Merchant{}, err
	}
	s.merchants.forget(id)
	return *merchant, nil
}

// NewApp asks for an app. Only MerchantID and Name are needed; zero values mean
// the defaults.
type NewApp struct {
	MerchantID string
	Name       string
	ID         string // made if empty
	Secret     string // made if empty; brought along by who comes from another platform
	Space      string // number space; empty: the merchant's shared one
	// Unsigned lets the app send "sign":"skip". Sandbox merchants only.
	Unsigned     bool
	CallbackURL  string // http or https
	TokenLimit   int    // pairs a day: 1, or 1000 in a sandbox
	RefreshLimit int    // refreshes a day: 20, or 1000 in a sandbox
	WindowMillis int64  // timestamps of business calls: 300,000
}

// CreateApp stores a new app and returns what its integrator needs; the secret
// and the private key are not shown again. ErrNoMerchant, ErrExists, or
// ErrInvalid with the field.
func (s *Service) CreateApp(ctx context.Context, n NewApp) (App, Credentials, error) {
	fail := func(err error) (App, Credentials, error) { return App{}, Credentials{}, err }
	merchantRow, err := s.storage.Merchant(ctx, n.MerchantID)
	if err != nil {
		return fail(err)
	}
	merchant, err := s.openMerchant(merchantRow)
	if err != nil {
		return fail(err)
	}
	n.setDefaults(merchant.Sandbox)
	if err := n.check(merchant.Sandbox); err != nil {
		return fail(err)
	}
	callerKey, err := s.generateKey()
	if err != nil {
		return fail(fmt.Errorf("generate caller key: %w", err))
	}
	private, err := sign.EncodePrivateKey(callerKey)
	if err != nil {
		return fail(fmt.Errorf("encode caller key: %w", err))
	}
	public, err := sign.EncodePublicKey(&callerKey.PublicKey)
	if err != nil {
		return fail(fmt.Errorf("encode caller key: %w", err))
	}
	platform, err := sign.EncodePublicKey(&merchant.PlatformKey.PublicKey)
	if err != nil {
		return fail(fmt.Errorf("encode platform key: %w", err))
	}
	sealed, err := s.sealer.Seal([]byte(n.Secret), secretScope(n.MerchantID, n.ID)...)
	if err != nil {
		return fail(fmt.Errorf("seal app secret: %w", err))
	}
	row := AppRow{
		ID:           n.ID,
		MerchantID:   n.MerchantID,
		Name:         n.Name,
		Secret:       sealed,
		Space:        n.Space,
		Unsigned:     n.Unsigned,
		CallbackURL:  n.CallbackURL,
		CallerKey:    public,
		TokenLimit:   n.TokenLimit,
		RefreshLimit: n.RefreshLimit,
		WindowMillis: n.WindowMillis,
		CreatedAt:    s.now().UnixMilli(),
	}
	app, err := s.openApp(row)
	if err != nil {
		return fail(err)
	}
	if err := s.storage.InsertApp(ctx, row); err != nil {
		return fail(err)
	}
	s.apps.forget(n.ID)
	return *app, Credentials{
		AppID:                     n.ID,
		AppSecret:                 n.Secret,
		MerchantID:                n.MerchantID,
		EnvelopePrivateKey:        private,
		EnvelopePlatformPublicKey: platform,
	}, nil
}

func (n *NewApp) setDefaults(sandbox bool) {
	pairs, refreshes := DefaultTokenLimit, DefaultRefreshLimit
	if sandbox {
		pairs, refreshes = SandboxLimit, SandboxLimit
	}
	if n.TokenLimit == 0 {
		n.TokenLimit = pairs
	}
	if n.RefreshLimit == 0 {
		n.RefreshLimit = refreshes
	}
	if n.WindowMillis == 0 {
		n.WindowMillis = DefaultWindowMillis
	}
	if n.ID == "" {
		n.ID = newAppID()
	}
	if n.Secret == "" {
		n.Secret = hex.EncodeToString(randomBytes(16))
	}
}

// newAppID throws away the bytes beyond the last whole multiple of the
// alphabet, so that every letter is equally likely.
func newAppID() string {
	const bound = 256 - 256%len(appIDAlphabet)
	id := []byte(appIDPrefix)
	for len(id) < len(appIDPrefix)+appIDRandom {
		for _, b := range randomBytes(2 * appIDRandom) {
			if int(b) < bound && len(id) < len(appIDPrefix)+appIDRandom {
				id = append(id, appIDAlphabet[int(b)%len(appIDAlphabet)])
			}
		}
	}
	return string(id)
}

// randomBytes has no error: crypto/rand ends the process rather than return
// bytes that are not random.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
