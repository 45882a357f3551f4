package access

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	accessPrefix  = "at"
	refreshPrefix = "rt"
	tokenRandom   = 16 // bytes, written as 32 upper-case hex digits
	tokenLength   = 2 + 2*tokenRandom
)

// NewAccess is a fresh access token, shown to its app and never stored.
type NewAccess struct {
	Token     string // at + 32 upper-case hex
	ExpireIn  int64  // seconds, as the documents count
	ExpiresAt int64  // unix ms
}

// String keeps the token out of logs.
func (NewAccess) String() string { return "access token" }

// GoString is String, for %#v.
func (a NewAccess) GoString() string { return a.String() }

// TokenPair is what gateway 2.1 answers.
type TokenPair struct {
	Access           NewAccess
	Refresh          string // rt + 32 upper-case hex
	RefreshExpiresAt int64  // unix ms
}

// String keeps the tokens out of logs.
func (TokenPair) String() string { return "token pair" }

// GoString is String, for %#v.
func (p TokenPair) GoString() string { return p.String() }

type tokenHash [sha256.Size]byte

func hashToken(token string) tokenHash { return sha256.Sum256([]byte(token)) }

func (h tokenHash) text() string { return base64.RawURLEncoding.EncodeToString(h[:]) }

func newToken(prefix string) string {
	return prefix + strings.ToUpper(hex.EncodeToString(randomBytes(tokenRandom)))
}

// wellFormed spares the database what no token can look like.
func wellFormed(token, prefix string) bool {
	if len(token) != tokenLength || token[:2] != prefix {
		return false
	}
	for i := 2; i < len(token); i++ {
		if c := token[i]; (c < '0' || c > '9') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// QueryToken gives the app a new pair of tokens and ends its older refresh
// token; older access tokens live out their two hours. The caller has checked
// timestamp and sign. ErrDailyLimit if the merchant's calendar day has had its
// pairs: then the tokens there are stay good.
func (s *Service) QueryToken(ctx context.Context, app *App) (TokenPair, error) {
	now := s.now()
	day, err := s.day(ctx, app, now)
	if err != nil {
		return TokenPair{}, err
	}
	access := newToken(accessPrefix)
	refresh := newToken(refreshPrefix)
	issue := PairIssue{
		AppID:   app.ID,
		Day:     day,
		Limit:   app.TokenLimit,
		Access:  tokenRow(AccessToken, access, app, now, AccessLife),
		Refresh: tokenRow(RefreshToken, refresh, app, now, RefreshLife),
	}
	if err := s.storage.IssuePair(ctx, issue); err != nil {
		return TokenPair{}, err
	}
	return TokenPair{
		Access:           s.issued(access, issue.Access),
		Refresh:          refresh,
		RefreshExpiresAt: issue.Refresh.ExpiresAt,
	}, nil
}

// Refresh is a live refresh token that was presented. The app is known by it
// and its secret checks the sign; only then is Issue called, which counts.
type Refresh struct {
	App     *App
	service *Service
	hash    tokenHash
}

// RefreshToken finds the app of a refresh token. ErrBadRefresh: unknown,
// expired or replaced by a newer pair. ErrAppGone: its app is gone or disabled.
func (s *Service) RefreshToken(ctx context.Context, token string) (*Refresh, error) {
	if !wellFormed(token, refreshPrefix) {
		return nil, ErrBadRefresh
	}
	hash := hashToken(token)
	row, err := s.storage.TokenByHash(ctx, RefreshToken, hash.text())
	if errors.Is(err, ErrBadToken) {
		return nil, ErrBadRefresh
	}
	if err != nil {
		return nil, err
	}
	if s.now().UnixMilli() >= row.ExpiresAt {
		return nil, ErrBadRefresh
	}
	app, err := s.appOfToken(ctx, row.AppID)
	if err != nil {
		return nil, err
	}
	return &Refresh{App: app, service: s, hash: hash}, nil
}

// Issue gives a new access token and leaves the refresh token as it is.
// ErrDailyLimit if the day has had its refreshes; ErrBadRefresh if the token
// ended since it was presented.
func (r *Refresh) Issue(ctx context.Context) (NewAccess, error) {
	s := r.service
	now := s.now()
	day, err := s.day(ctx, r.App, now)
	if err != nil {
		return NewAccess{}, err
	}
	token := newToken(accessPrefix)
	issue := AccessIssue{
		AppID:       r.App.ID,
		Day:         day,
		Limit:       r.App.RefreshLimit,
		RefreshHash: r.hash.text(),
		Access:      tokenRow(AccessToken, token, r.App, now, AccessLife),
	}
	if err := s.storage.IssueAccess(ctx, issue); err != nil {
		return NewAccess{}, err
	}
	return s.issued(token, issue.Access), nil
}

// AppByToken finds the app of an access token; every business call begins here,
// usually without touching the database. A token that another process issued is
// looked up before it is refused. ErrBadToken: unknown or expired. ErrAppGone:
// its app is gone or disabled.
func (s *Service) AppByToken(ctx context.Context, token string) (*App, error) {
	if !wellFormed(token, accessPrefix) {
		return nil, ErrBadToken
	}
	hash := hashToken(token)
	now := s.now().UnixMilli()
	known, ok := s.tokens.get(hash)
	if !ok {
		row, err := s.storage.TokenByHash(ctx, AccessToken, hash.text())
		if err != nil {
			return nil, err
		}
		known = knownToken{appID: row.AppID, expiresAt: row.ExpiresAt}
		if now < known.expiresAt {
			s.tokens.put(hash, known, now)
		}
	}
	if now >= known.expiresAt {
		return nil, ErrBadToken
	}
	return s.appOfToken(ctx, known.appID)
}

func (s *Service) appOfToken(ctx context.Context, id string) (*App, error) {
	app, err := s.App(ctx, id)
	if errors.Is(err, ErrNoApp) {
		return nil, ErrAppGone
	}
	return app, err
}

// day is the merchant's calendar day, by which limits are counted.
func (s *Service) day(ctx context.Context, app *App, now time.Time) (string, error) {
	merchant, err := s.Merchant(ctx, app.MerchantID)
	if err != nil {
		return "", fmt.Errorf("merchant of app %s: %w", app.ID, err)
	}
	return now.In(merchant.Location).Format(time.DateOnly), nil
}

func (s *Service) issued(token string, row TokenRow) NewAccess {
	s.tokens.put(hashToken(token), knownToken{appID: row.AppID, expiresAt: row.ExpiresAt}, row.CreatedAt)
	return NewAccess{
		Token:     token,
		ExpireIn:  int64(AccessLife / time.Second),
		ExpiresAt: row.ExpiresAt,
	}
}

func tokenRow(kind TokenKind, token string, app *App, now time.Time, life time.Duration) TokenRow {
	return TokenRow{
		Hash:      hashToken(token).text(),
		Kind:      kind,
		AppID:     app.ID,
		CreatedAt: now.UnixMilli(),
		ExpiresAt: now.Add(life).UnixMilli(),
	}
}
