package access

import (
	"context"
	"crypto/rsa"
	"fmt"
	"time"
	_ "time/tzdata" // a merchant's day must not hang on what the machine has installed

	"github.com/memberd/memberd/internal/sign"
)

// Options are what a test replaces. The zero value is right for production.
type Options struct {
	// Now is the real clock; time.Now by default.
	Now func() time.Time
	// GenerateKey makes an RSA key of at least 2048 bits. A real one takes
	// some tenths of a second, so tests share a few.
	GenerateKey func() (*rsa.PrivateKey, error)
}

// Service answers who may call. It is safe for concurrent use; several of them,
// in several processes, may share one database.
type Service struct {
	storage     Storage
	sealer      Sealer
	now         func() time.Time
	generateKey func() (*rsa.PrivateKey, error)

	apps      *cache[AppRow, App]
	merchants *cache[MerchantRow, Merchant]
	tokens    tokenMemory
}

// New returns a Service on storage. It reads nothing yet.
func New(storage Storage, sealer Sealer, options Options) *Service {
	s := &Service{
		storage:     storage,
		sealer:      sealer,
		now:         options.Now,
		generateKey: options.GenerateKey,
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.generateKey == nil {
		s.generateKey = sign.GenerateKey
	}
	s.apps = newCache(s.now, storage.App, s.openApp, ErrNoApp)
	s.merchants = newCache(s.now, storage.Merchant, s.openMerchant, ErrNoMerchant)
	return s
}

// App returns the app as it was at most two seconds ago: ErrNoApp for an
// unknown id, ErrAppGone for a disabled app, so that no door can forget to look.
func (s *Service) App(ctx context.Context, id string) (*App, error) {
	if !validID(id) { // spares the database what no app can be called
		return nil, ErrNoApp
	}
	app, err := s.apps.get(ctx, id)
	if err != nil {
		return nil, err
	}
	if app.Disabled {
		return nil, ErrAppGone
	}
	return app, nil
}

// Merchant returns the merchant as it was at most two seconds ago, or
// ErrNoMerchant.
func (s *Service) Merchant(ctx context.Context, id string) (*Merchant, error) {
	if !validID(id) {
		return nil, ErrNoMerchant
	}
	return s.merchants.get(ctx, id)
}

// Apps returns all apps of a merchant, disabled ones too, oldest first, straight
// from the database.
func (s *Service) Apps(ctx context.Context, merchantID string) ([]*App, error) {
	rows, err := s.storage.Apps(ctx, merchantID)
	if err != nil {
		return nil, err
	}
	apps := make([]*App, 0, len(rows))
	for _, row := range rows {
		app, err := s.openApp(row)
		if err != nil {
			return nil, err
		}
		apps = append(apps, app)
	}
	return apps, nil
}

// SetAppDisabled turns an app off or on again: here at once, in every other
// process within two seconds. ErrNoApp if there is none.
func (s *Service) SetAppDisabled(ctx context.Context, id string, disabled bool) error {
	if err := s.storage.SetAppDisabled(ctx, id, disabled); err != nil {
		return err
	}
	s.apps.forget(id)
	return nil
}

// SetCallbackURL changes where an app's callbacks go; "" ends them: here at once,
// in every other process as with SetAppDisabled. What waits goes to the new URL.
func (s *Service) SetCallbackURL(ctx context.Context, id, url string) error {
	if err := checkCallbackURL(url); err != nil {
		return err
	}
	if err := s.storage.SetCallbackURL(ctx, id, url); err != nil {
		return err
	}
	s.apps.forget(id)
	return nil
}

func (s *Service) openApp(row AppRow) (*App, error) {
	secret, err := s.sealer.Open(row.Secret, secretScope(row.MerchantID, row.ID)...)
	if err != nil {
		return nil, fmt.Errorf("secret of app %s: %w", row.ID, err)
	}
	callerKey, err := sign.ParsePublicKey(row.CallerKey)
	if err != nil {
		return nil, fmt.Errorf("caller key of app %s: %w", row.ID, err)
	}
	return &App{
		ID:           row.ID,
		MerchantID:   row.MerchantID,
		Name:         row.Name,
		Secret:       string(secret),
		Space:        row.Space,
		Unsigned:     row.Unsigned,
		Disabled:     row.Disabled,
		CallbackURL:  row.CallbackURL,
		CallerKey:    callerKey,
		TokenLimit:   row.TokenLimit,
		RefreshLimit: row.RefreshLimit,
		WindowMillis: row.WindowMillis,
		CreatedAt:    row.CreatedAt,
	}, nil
}

func (s *Service) openMerchant(row MerchantRow) (*Merchant, error) {
	text, err := s.sealer.Open(row.PlatformKey, platformKeyScope(row.ID)...)
	if err != nil {
		return nil, fmt.Errorf("platform key of merchant %s: %w", row.ID, err)
	}
	key, err := sign.ParsePrivateKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("platform key of merchant %s: %w", row.ID, err)
	}
	location, err := time.LoadLocation(row.Zone)
	if err != nil {
		return nil, fmt.Errorf("zone of merchant %s: %w", row.ID, err)
	}
	return &Merchant{
		ID:          row.ID,
		Name:        row.Name,
		Sandbox:     row.Sandbox,
		ClockOffset: row.ClockOffset,
		Zone:        row.Zone,
		Location:    location,
		PlatformKey: key,
		CreatedAt:   row.CreatedAt,
	}, nil
}
