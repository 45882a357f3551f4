package access_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/access"
)

func pairOf(t *testing.T, b *bundle, app *access.App) access.TokenPair {
	t.Helper()
	p, err := b.service.QueryToken(t.Context(), app)
	must(t, err)
	return p
}

func TestQueryToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.app(t, access.NewApp{})
	p := pairOf(t, b, app)
	if !regexp.MustCompile(`^at[0-9A-F]{32}$`).MatchString(p.Access.Token) ||
		!regexp.MustCompile(`^rt[0-9A-F]{32}$`).MatchString(p.Refresh) {
		t.Error("tokens have another form")
	}
	now := b.clock.Now()
	if p.Access.ExpireIn != 7200 || p.Access.ExpiresAt != now.Add(2*time.Hour).UnixMilli() ||
		p.RefreshExpiresAt != now.Add(365*24*time.Hour).UnixMilli() {
		t.Errorf("lives %d, %d, %d", p.Access.ExpireIn, p.Access.ExpiresAt, p.RefreshExpiresAt)
	}
	for _, row := range b.storage.Tokens() {
		if len(row.Hash) != 43 || strings.Contains(p.Access.Token+p.Refresh, row.Hash) {
			t.Errorf("a token is stored as %d characters", len(row.Hash))
		}
	}
}

func TestAccessTokenLife(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.app(t, access.NewApp{})
	token := pairOf(t, b, app).Access.Token
	other := b.process()
	for _, s := range []*access.Service{b.service, other, other} {
		got, err := s.AppByToken(t.Context(), token)
		must(t, err)
		if got.ID != app.ID {
			t.Errorf("token of %s", got.ID)
		}
	}
	if got := b.storage.tokenReads.Load(); got != 1 {
		t.Errorf("%d token reads, want one, by the process that did not issue it", got)
	}
	b.clock.advance(2*time.Hour - time.Millisecond)
	_, err := b.service.AppByToken(t.Context(), token)
	wantErr(t, "last millisecond", err, nil)
	b.clock.advance(time.Millisecond)
	for _, s := range []*access.Service{b.service, other, b.process()} {
		_, err := s.AppByToken(t.Context(), token)
		wantErr(t, "after two hours", err, access.ErrBadToken)
	}
}

func TestBadTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := pairOf(t, b, b.app(t, access.NewApp{}))
	cases := map[string]struct {
		access, refresh string
		reads           int64 // of the database, both together
	}{
		"empty":         {"", "", 0},
		"each other's":  {p.Refresh, p.Access.Token, 0},
		"swapped heads": {"at" + p.Refresh[2:], "rt" + p.Access.Token[2:], 2},
		"unknown":       {"at" + strings.Repeat("0", 32), "rt" + strings.Repeat("0", 32), 2},
		"lower case":    {"at" + strings.Repeat("a", 32), "rt" + strings.Repeat("a", 32), 0},
		"longer":        {p.Access.Token + "0", p.Refresh + "0", 0},
		"head in caps":  {"AT" + p.Access.Token[2:], "RT" + p.Refresh[2:], 0},
	}
	for name, c := range cases {
		before := b.storage.tokenReads.Load()
		_, err := b.service.AppByToken(t.Context(), c.access)
		wantErr(t, name, err, access.ErrBadToken)
		_, err = b.service.RefreshToken(t.Context(), c.refresh)
		wantErr(t, name, err, access.ErrBadRefresh)
		if got := b.storage.tokenReads.Load() - before; got != c.reads {
			t.Errorf("%s: %d reads, want %d", name, got, c.reads)
		}
	}
}

// A token that was refused a moment ago may have been issued since, elsewhere.
func TestTokenIssuedElsewhereIsGoodAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.app(t, access.NewApp{MerchantID: "box"})
	for range 3 {
		p, err := b.process().QueryToken(t.Context(), app)
		must(t, err)
		_, err = b.service.AppByToken(t.Context(), p.Access.Token)
		wantErr(t, "token issued elsewhere", err, nil)
		_, err = b.service.RefreshToken(t.Context(), p.Refresh)
		wantErr(t, "refresh token issued elsewhere", err, nil)
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.app(t, access.NewApp{})
	p := pairOf(t, b, app)
	b.clock.advance(time.Hour)
	r, err := b.process().RefreshToken(t.Context(), p.Refresh)
	must(t, err)
	if r.App.ID != app.ID || r.App.Secret != app.Secret {
		t.Error("another app")
	}
	fresh, err := r.Issue(t.Context())
	must(t, err)
	if fresh.Token == p.Access.Token || fresh.ExpireIn != 7200 || fresh.ExpiresAt != b.clock.Now().Add(2*time.Hour).UnixMilli() {
		t.Errorf("life %d, until %d", fresh.ExpireIn, fresh.ExpiresAt)
	}
	for _, token := range []string{fresh.Token, p.Access.Token} { // the older one lives out
		_, err := b.service.AppByToken(t.Context(), token)
		wantErr(t, "after a refresh", err, nil)
	}
	b.clock.advance(365*24*time.Hour - time.Hour - time.Millisecond)
	_, err = b.service.RefreshToken(t.Context(), p.Refresh)
	wantErr(t, "last millisecond of the year", err, nil)
	b.clock.advance(time.Millisecond) // refreshing extended nothing
	_, err = b.service.RefreshToken(t.Context(), p.Refresh)
	wantErr(t, "after a year", err, access.ErrBadRefresh)
}

func TestNewPairEndsOlderRefreshToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.app(t, access.NewApp{MerchantID: "box"})
	first := pairOf(t, b, app)
	presented, err := b.service.RefreshToken(t.Context(), first.Refresh)
	must(t, err)
	second := pairOf(t, b, app)
	_, err = b.service.RefreshToken(t.Context(), first.Refresh)
	wantErr(t, "older refresh token", err, access.ErrBadRefresh)
	_, err = presented.Issue(t.Context())
	wantErr(t, "older refresh token, presented before", err, access.ErrBadRefresh)
	_, err = b.service.RefreshToken(t.Context(), second.Refresh)
	wantErr(t, "newer refresh token", err, nil)
	_, err = b.service.AppByToken(t.Context(), first.Access.Token)
	wantErr(t, "older access token", err, nil)
}

// Half past eleven at night in Shanghai: the day ends in half an hour, while in
// UTC it goes on for another eight.
func TestDailyLimits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.app(t, access.NewApp{})
	first := pairOf(t, b, app)
	_, err := b.process().QueryToken(t.Context(), app)
	wantErr(t, "second pair of a day", err, access.ErrDailyLimit)
	r, err := b.service.RefreshToken(t.Context(), first.Refresh)
	wantErr(t, "refresh token after a refused pair", err, nil)
	for range access.DefaultRefreshLimit {
		_, err := r.Issue(t.Context())
		must(t, err)
	}
	_, err = r.Issue(t.Context())
	wantErr(t, "21st refresh of a day", err, access.ErrDailyLimit)

	b.clock.advance(30*time.Minute - time.Millisecond)
	_, err = b.service.QueryToken(t.Context(), app)
	wantErr(t, "last millisecond of the day", err, access.ErrDailyLimit)
	b.clock.advance(time.Millisecond)
	_, err = r.Issue(t.Context())
	wantErr(t, "refresh on the next day", err, nil)
	_, err = b.service.QueryToken(t.Context(), app)
	wantErr(t, "pair on the next day", err, nil)
}

func TestMerchantZoneDecidesTheDay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row, err := b.storage.Merchant(t.Context(), "1864")
	must(t, err)
	row.Zone = "America/New_York" // half past ten in the morning there
	b.storage.SetMerchant(row)
	b.clock.advance(access.CacheLife)
	app := b.app(t, access.NewApp{})
	pairOf(t, b, app)
	b.clock.advance(time.Hour) // Shanghai's midnight
	_, err = b.service.QueryToken(t.Context(), app)
	wantErr(t, "same day in New York", err, access.ErrDailyLimit)
}

func TestTokensOfAnAppThatIsGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.app(t, access.NewApp{})
	p := pairOf(t, b, app)
	both := func(what string, want error) {
		t.Helper()
		_, err := b.service.AppByToken(t.Context(), p.Access.Token)
		wantErr(t, what, err, want)
		_, err = b.service.RefreshToken(t.Context(), p.Refresh)
		wantErr(t, what, err, want)
	}
	must(t, b.service.SetAppDisabled(t.Context(), app.ID, true))
	both("disabled", access.ErrAppGone)
	must(t, b.service.SetAppDisabled(t.Context(), app.ID, false))
	both("enabled again", nil)
	b.storage.DeleteApp(app.ID)
	b.clock.advance(access.CacheLife)
	both("deleted", access.ErrAppGone)
}

func TestConcurrentTokenCalls(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.app(t, access.NewApp{})
	services := []*access.Service{b.service, b.process()}
	ctx := context.WithoutCancel(t.Context())
	var mu sync.Mutex
	var good []access.TokenPair
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			p, err := services[i%2].QueryToken(ctx, app)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				good = append(good, p)
			case !errors.Is(err, access.ErrDailyLimit):
				t.Error(err)
			}
		})
	}
	group.Wait()
	if len(good) != 1 {
		t.Fatalf("%d of 50 calls succeeded, want 1", len(good))
	}
	for range 8 {
		group.Go(func() {
			for i := range 200 {
				if _, err := services[i%2].AppByToken(ctx, good[0].Access.Token); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

func BenchmarkAppByToken(b *testing.B) {
	setup := setup(b)
	p, err := setup.service.QueryToken(b.Context(), setup.app(b, access.NewApp{}))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := setup.service.AppByToken(b.Context(), p.Access.Token); err != nil {
			b.Fatal(err)
		}
	}
}
