// Package access knows who may call: merchants, their apps, the apps' secrets
// and RSA keys, and the gateway's tokens.
//
// Both doors ask it the same three questions. Which app is this (App,
// AppByToken)? With which secret or key does it sign (App.Secret,
// App.CallerKey, Merchant.PlatformKey)? May it have another token (QueryToken,
// RefreshToken)? It does not check signs, timestamps or rate limits, which are
// the doors' rules; it never logs; and what it hands to Storage is either
// public, or sealed, or a hash.
//
// All its times are real time, never a sandbox merchant's shifted clock.
//
// # Errors
//
// Every error that a caller may have to tell apart is one of these, found with
// errors.Is. Whatever is none of them is a failure of the database or of a key.
//
//	error            meaning                                         gateway code
//	ErrExists        the id is taken                                 (command line, console)
//	ErrInvalid       a field is malformed; *InvalidError names it    1001
//	ErrNoMerchant    no such merchant                                (command line, console)
//	ErrNoApp         no such app                                     110004
//	ErrAppGone       the app is disabled, or a token's app is gone   110005
//	ErrBadToken      access token unknown or expired                 1004
//	ErrBadRefresh    refresh token unknown, expired or replaced      1006
//	ErrDailyLimit    the day's tokens are used up                    1007
package access

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// The closed list of refusals; the package comment says what each means.
var (
	ErrExists     = errors.New("id exists")
	ErrInvalid    = errors.New("invalid")
	ErrNoMerchant = errors.New("no such merchant")
	ErrNoApp      = errors.New("no such app")
	ErrAppGone    = errors.New("app gone or disabled")
	ErrBadToken   = errors.New("access token unknown or expired")
	ErrBadRefresh = errors.New("refresh token unknown, expired or replaced")
	ErrDailyLimit = errors.New("daily limit reached")
)

// InvalidError names the field of a request that can't be, and why. It is
// ErrInvalid for errors.Is.
type InvalidError struct{ Field, Reason string }

func (e *InvalidError) Error() string { return "invalid " + e.Field + ": " + e.Reason }

// Is makes every InvalidError an ErrInvalid.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

// Limits and lives that the documents name, and the defaults where they leave
// the number to the platform.
const (
	AccessLife  = 2 * time.Hour
	RefreshLife = 365 * 24 * time.Hour

	DefaultTokenLimit   = 1  // pairs an app and day (gateway 2.1)
	DefaultRefreshLimit = 20 // refreshes an app and day (gateway 2.2)
	// SandboxLimit is both limits of a sandbox merchant's app: whoever tries
	// things out loses tokens all the time.
	SandboxLimit = 1000

	// DefaultWindowMillis is how far a business call's timestamp may be off.
	DefaultWindowMillis = 300_000

	// DefaultZone is where a merchant's days begin unless it says otherwise.
	DefaultZone = "Asia/Shanghai"

	// CacheLife is how long an app or merchant is used without looking at the
	// database. With one read on top it keeps the promise that every process
	// honours a change within two seconds.
	CacheLife = time.Second
)

// Merchant is one brand with members of its own.
type Merchant struct {
	ID, Name    string
	Sandbox     bool
	ClockOffset int64 // ms that the merchant's clock is ahead of real time; 0 unless Sandbox
	Zone        string
	Location    *time.Location // Zone, loaded
	PlatformKey *rsa.PrivateKey
	CreatedAt   int64 // unix ms
}

// App is one caller of a merchant. An App that a Service returned is shared by
// all its callers: read it, never change it.
type App struct {
	ID, MerchantID, Name string
	Secret               string
	// Space is the idempotency and number space; "" is the one that the
	// merchant's apps share.
	Space        string
	Unsigned     bool // may send "sign":"skip"; only in sandbox merchants
	Disabled     bool
	CallbackURL  string         // "" for none
	CallerKey    *rsa.PublicKey // checks what the app signs in the envelope protocol
	TokenLimit   int            // pairs a day
	RefreshLimit int            // refreshes a day
	WindowMillis int64          // business calls: largest |now - timestamp|
	CreatedAt    int64          // unix ms
}

// Credentials is what an integrator gets, once: the secret and the private key
// can't be shown again. The keys are Base64 of PKCS#8 and SubjectPublicKeyInfo
// DER, as Java prints them.
type Credentials struct {
	AppID                     string `json:"app_id"`
	AppSecret                 string `json:"app_secret"`
	MerchantID                string `json:"merchant_id"`
	EnvelopePrivateKey        string `json:"envelope_private_key"`
	EnvelopePlatformPublicKey string `json:"envelope_platform_public_key"`
}

// The printed forms below keep secrets out of logs, whatever the verb.

func (m Merchant) String() string { return "merchant " + m.ID }

// GoString is String, for %#v.
func (m Merchant) GoString() string { return m.String() }

// LogValue is the id alone.
func (m Merchant) LogValue() slog.Value { return slog.StringValue(m.ID) }

func (a App) String() string { return fmt.Sprintf("app %s of merchant %s", a.ID, a.MerchantID) }

// GoString is String, for %#v.
func (a App) GoString() string { return a.String() }

// LogValue is the id alone.
func (a App) LogValue() slog.Value { return slog.StringValue(a.ID) }

func (c Credentials) String() string { return "credentials of app " + c.AppID }

// GoString is String, for %#v.
func (c Credentials) GoString() string { return c.String() }

// LogValue is the app's id alone.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.AppID) }
