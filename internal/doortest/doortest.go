// Package doortest is what the tests of both front doors share: one bundle with
// a database of its own, merchants, apps and a clock that stands still, helpers
// that sign and send, and whole answers kept in golden files.
//
// It knows no door: a test makes the handler of its own door from the bundle.
// Nothing outside tests imports it. When a test ends its bundle proves that
// everything booked still adds up.
package doortest

import (
	"context"
	"crypto/rsa"
	"sync"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/access/accesstest"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/seal"
	"github.com/memberd/memberd/internal/sign"
	"github.com/memberd/memberd/internal/sms"
	"github.com/memberd/memberd/internal/writer"
)

// The merchants and the app ids of a bundle.
const (
	Merchant      = "1864" // the documents' own
	OtherMerchant = "2282"

	SigningApp  = "wkb1ag2hdad7e6jw1r"
	OtherApp    = "wkother00000000001"
	UnsignedApp = "2eb5c8f1170246429755e6dac313f89d"

	// Secret is the signing app's, so that signatures can be recomputed by hand.
	Secret = "0123456789abcdef0123456789abcdef"
)

// Start is what the clock shows at first: 10:00 in Shanghai.
var Start = time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)

// Options of a bundle; the zero value is what New takes.
type Options struct {
	// Settings changes the programme of Merchant.
	Settings func(*loyalty.Settings)
	// Sandbox makes Merchant a sandbox, which owns UnsignedApp.
	Sandbox bool
}

// App is an app with everything its integrator holds.
type App struct {
	access.App
	Key         *rsa.PrivateKey // signs envelope calls
	PlatformKey *rsa.PublicKey  // checks envelope answers

	mu        sync.Mutex
	token     string
	expiresAt int64 // unix ms
}

// Reader is everything that a door may read.
type Reader interface {
	Snapshot(ctx context.Context, merchant string) (*loyalty.Snapshot, error)
	Member(ctx context.Context, who loyalty.Who, now loyalty.Instant, profile bool) (loyalty.Found, error)
	Entries(ctx context.Context, who loyalty.Who, now loyalty.Instant, direction loyalty.Direction, page, size int) (loyalty.Found, loyalty.EntryPage, error)
	Coupons(ctx context.Context, who loyalty.Who, now loyalty.Instant, filter loyalty.CouponFilter, page, size int) (loyalty.Found, loyalty.CouponPage, error)
	Members(ctx context.Context, filter loyalty.MemberFilter, now loyalty.Instant, page, size int) (loyalty.MemberPage, error)
	Order(ctx context.Context, merchant string, key loyalty.OrderKey) (loyalty.OrderFound, []loyalty.OrderFound, error)
	EntriesOfOrder(ctx context.Context, member int64, key loyalty.OrderKey) ([]loyalty.Entry, error)
	Programme(ctx context.Context, merchant string, version int64) (settings *loyalty.Settings, since loyalty.Instant, err error)
}

// Bundle is a platform without doors.
type Bundle struct {
	Clock  *Clock
	Keys   *seal.Keys
	Codes  *loyalty.MemberCodes
	Reader Reader
	Writer *writer.Writer
	Access *access.Service
	SMS    *sms.Service
	Outbox *Outbox // where SMS sends to

	App      *App // of Merchant
	Other    *App // of OtherMerchant
	Unsigned *App // of Merchant, only in a sandbox

	t        testing.TB
	database *database
	counted  *countingStore
}

// New makes a bundle on a SQLite file of its own.
func New(t testing.TB) *Bundle {
	t.Helper()
	return NewWith(t, Options{})
}

// NewWith is New with options.
func NewWith(t testing.TB, opts Options) *Bundle {
	t.Helper()
	keys, err := seal.Generate()
	must(t, err)
	// A fixed key: member codes are then the same in every run.
	codes, err := loyalty.NewMemberCodes([]byte("doortest-codes-0"))
	must(t, err)
	b := &Bundle{Clock: &Clock{now: Start}, Keys: keys, Codes: codes, Outbox: &Outbox{code: "4586"}, t: t}
	b.database = openDatabase(t, keys)
	b.Reader = b.database.store
	b.Access = access.New(b.database.store, keys, access.Options{
		Now: b.Clock.Now, GenerateKey: accesstest.KeyGenerator(),
	})
	b.SMS = sms.New(sms.Options{
		Storage: b.database.store, Settings: b.database.store, Keys: keys, Sender: b.Outbox, Now: b.Clock.Now, NewCode: b.Outbox.newCode,
	})
	b.counted = &countingStore{Store: b.database.store}
	b.Writer = writer.New(b.counted, writer.Options{Now: b.Clock.Now})
	t.Cleanup(func() {
		b.Writer.Close()
		b.Check(t)
		b.database.close(t)
	})
	b.merchant(Merchant, opts.Sandbox, opts.Settings)
	b.merchant(OtherMerchant, false, nil)
	b.App = b.CreateApp(access.NewApp{
		ID: SigningApp, MerchantID: Merchant, Secret: Secret, TokenLimit: access.SandboxLimit, RefreshLimit: access.SandboxLimit,
	})
	b.Other = b.CreateApp(access.NewApp{ID: OtherApp, MerchantID: OtherMerchant, TokenLimit: access.SandboxLimit})
	if opts.Sandbox {
		b.Unsigned = b.CreateApp(access.NewApp{ID: UnsignedApp, MerchantID: Merchant, Unsigned: true})
	}
	return b
}

func (b *Bundle) merchant(id string, sandbox bool, change func(*loyalty.Settings)) {
	b.t.Helper()
	settings := loyalty.DefaultSettings()
	if change != nil {
		change(&settings)
	}
	_, err := b.Access.CreateMerchant(context.Background(), id, "商家 "+id, sandbox, settings.Document())
	must(b.t, err)
}

// ChangeSettings changes the programme of a merchant; it holds at once.
func (b *Bundle) ChangeSettings(merchant string, change func(*loyalty.Settings)) {
	b.t.Helper()
	_, err := b.database.store.ChangeSettings(context.Background(), merchant, "doortest", "test", func(_ int64, s loyalty.Settings) (loyalty.Settings, error) {
		change(&s)
		return s, nil
	})
	must(b.t, err)
}

// CreateApp makes another app; a name is given to it.
func (b *Bundle) CreateApp(n access.NewApp) *App {
	b.t.Helper()
	n.Name = "doortest"
	app, credentials, err := b.Access.CreateApp(context.Background(), n)
	must(b.t, err)
	key, err := sign.ParsePrivateKey(credentials.EnvelopePrivateKey)
	must(b.t, err)
	platform, err := sign.ParsePublicKey(credentials.EnvelopePlatformPublicKey)
	must(b.t, err)
	return &App{App: app, Key: key, PlatformKey: platform}
}

// Token is a live access token of the app.
func (b *Bundle) Token(app *App) string {
	b.t.Helper()
	app.mu.Lock()
	defer app.mu.Unlock()
	if b.Clock.Now().UnixMilli() >= app.expiresAt {
		pair, err := b.Access.QueryToken(context.Background(), &app.App)
		must(b.t, err)
		app.token, app.expiresAt = pair.Access.Token, pair.Access.ExpiresAt
	}
	return app.token
}

// Do has a command decided and saved, past the doors.
func Do[R any](b *Bundle, c loyalty.Command[R]) R {
	b.t.Helper()
	result, err := writer.Submit(context.Background(), b.Writer, c)
	must(b.t, err)
	return result
}

// Register makes a member of Merchant, past the doors. openID may be empty.
func (b *Bundle) Register(openID string, profile loyalty.Profile) loyalty.MemberRegistered {
	b.t.Helper()
	return Do(b, loyalty.RegisterMember{Merchant: Merchant, OpenID: openID, Profile: profile, App: SigningApp})
}

// Member is a member as the database has it now; it must exist.
func (b *Bundle) Member(who loyalty.Who) loyalty.Found {
	b.t.Helper()
	found, err := b.Reader.Member(context.Background(), who, loyalty.InstantOf(b.Clock.Now()), true)
	must(b.t, err)
	return found
}

// Check recomputes everything from the ledger and fails on any difference.
func (b *Bundle) Check(t testing.TB) {
	t.Helper()
	for _, d := range b.database.verify(t) {
		t.Errorf("does not add up: member %d, %s is %s, recomputed %s", d.Member, d.Field, d.Stored, d.Recomputed)
	}
}

// Clock is real time that stands still until it is moved.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now is what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock, back too.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
