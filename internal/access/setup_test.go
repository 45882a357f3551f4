package access_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/access/accesstest"
	"github.com/memberd/memberd/internal/seal"
)

var _ access.Sealer = (*seal.Keys)(nil)

// clock is real time that stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// spy counts reads and lets a test stand in front of them.
type spy struct {
	*accesstest.Memory
	appReads, tokenReads atomic.Int64
	beforeApp            func(id string) // after it, the app is read
	afterApp             func(id string) // before it, the app was read
	fail                 atomic.Pointer[error]
}

func (s *spy) App(ctx context.Context, id string) (access.AppRow, error) {
	s.appReads.Add(1)
	if s.beforeApp != nil {
		s.beforeApp(id)
	}
	if ctx.Err() != nil { // as a database does with a caller that hung up
		return access.AppRow{}, ctx.Err()
	}
	if err := s.fail.Load(); err != nil {
		return access.AppRow{}, *err
	}
	row, err := s.Memory.App(ctx, id)
	if s.afterApp != nil {
		s.afterApp(id)
	}
	return row, err
}

func (s *spy) TokenByHash(ctx context.Context, kind access.TokenKind, hash string) (access.TokenRow, error) {
	s.tokenReads.Add(1)
	return s.Memory.TokenByHash(ctx, kind, hash)
}

// countingSealer counts how often a secret is decrypted.
type countingSealer struct {
	*seal.Keys
	opens atomic.Int64
}

func (c *countingSealer) Open(text string, scope ...string) ([]byte, error) {
	c.opens.Add(1)
	return c.Keys.Open(text, scope...)
}

type bundle struct {
	clock   *clock
	storage *spy
	sealer  *countingSealer
	service *access.Service
}

// setup gives a Service with sandbox merchant "box" and merchant "1864". The
// clock shows 23:30 of 22 November 2026 in Shanghai.
func setup(t testing.TB) *bundle {
	t.Helper()
	keys, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{
		clock:   &clock{now: time.Date(2026, 11, 22, 15, 30, 0, 0, time.UTC)},
		storage: &spy{Memory: accesstest.NewMemory()},
		sealer:  &countingSealer{Keys: keys},
	}
	b.service = b.process()
	for id, sandbox := range map[string]bool{"1864": false, "box": true} {
		if _, err := b.service.CreateMerchant(context.Background(), id, "商家", sandbox, "{}"); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// process is another Service on the same database.
func (b *bundle) process() *access.Service {
	return access.New(b.storage, b.sealer, access.Options{Now: b.clock.Now, GenerateKey: accesstest.KeyGenerator()})
}

func (b *bundle) app(t testing.TB, n access.NewApp) *access.App {
	t.Helper()
	if n.MerchantID == "" {
		n.MerchantID = "1864"
	}
	if n.Name == "" {
		n.Name = "till"
	}
	app, _, err := b.service.CreateApp(context.Background(), n)
	if err != nil {
		t.Fatal(err)
	}
	return &app
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
