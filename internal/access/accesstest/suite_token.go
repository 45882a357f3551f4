package accesstest

import (
	"testing"

	"github.com/memberd/memberd/internal/access"
)

const (
	day  = "2026-11-22"
	hour = int64(3_600_000)
)

// tokenRow names a token by its kind and a word; at is when it was issued.
func tokenRow(kind access.TokenKind, app, word string, at int64) access.TokenRow {
	life := 2 * hour
	if kind == access.RefreshToken {
		life = 365 * 24 * hour
	}
	return access.TokenRow{Hash: string(kind) + "-" + word, Kind: kind, AppID: app, CreatedAt: at, ExpiresAt: at + life}
}

func pair(app, word, day string, limit int, at int64) access.PairIssue {
	return access.PairIssue{AppID: app, Day: day, Limit: limit,
		Access:  tokenRow(access.AccessToken, app, word, at),
		Refresh: tokenRow(access.RefreshToken, app, word, at)}
}

func refresh(app, refreshWord, word, day string, limit int, at int64) access.AccessIssue {
	return access.AccessIssue{AppID: app, Day: day, Limit: limit, RefreshHash: "refresh-" + refreshWord,
		Access: tokenRow(access.AccessToken, app, word, at)}
}

// wantToken checks that a token is stored (or not) under its own kind, and
// never under the other.
func wantToken(t *testing.T, s access.Storage, row access.TokenRow, stored bool) {
	t.Helper()
	got, err := s.TokenByHash(t.Context(), row.Kind, row.Hash)
	if stored {
		wantRow(t, got, err, row)
	} else {
		wantErr(t, "token "+row.Hash, err, access.ErrBadToken)
	}
	other := access.AccessToken
	if row.Kind == other {
		other = access.RefreshToken
	}
	_, err = s.TokenByHash(t.Context(), other, row.Hash)
	wantErr(t, "token "+row.Hash+" as "+string(other), err, access.ErrBadToken)
}

func testPair(t *testing.T, s access.Storage) {
	withApps(t, s)
	p := pair("a1", "1", day, 1, begin)
	wantToken(t, s, p.Access, false)
	wantToken(t, s, p.Refresh, false)
	must(t, s.IssuePair(t.Context(), p))
	wantToken(t, s, p.Access, true)
	wantToken(t, s, p.Refresh, true)
}

func testPairLimit(t *testing.T, s access.Storage) {
	ctx := t.Context()
	withApps(t, s)
	must(t, s.IssuePair(ctx, pair("a1", "1", day, 2, begin)))
	last := pair("a1", "2", day, 2, begin+1)
	must(t, s.IssuePair(ctx, last))
	refused := pair("a1", "3", day, 2, begin+2)
	for range 2 {
		wantErr(t, "third pair of two", s.IssuePair(ctx, refused), access.ErrDailyLimit)
	}
	wantToken(t, s, refused.Access, false)
	wantToken(t, s, refused.Refresh, false)
	wantToken(t, s, last.Access, true)
	wantToken(t, s, last.Refresh, true)
	must(t, s.IssuePair(ctx, pair("a1", "4", day, 3, begin+3)))          // refusals did not count
	must(t, s.IssuePair(ctx, pair("a2", "5", day, 2, begin+3)))          // another app
	must(t, s.IssuePair(ctx, pair("a1", "6", "2026-11-23", 1, begin+4))) // another day
}

func testPairEndsRefresh(t *testing.T, s access.Storage) {
	ctx := t.Context()
	withApps(t, s)
	first, second := pair("a1", "1", day, 9, begin), pair("a1", "2", day, 9, begin+1)
	other := pair("a2", "3", day, 9, begin)
	for _, p := range []access.PairIssue{first, other, second} {
		must(t, s.IssuePair(ctx, p))
	}
	wantToken(t, s, first.Refresh, false)
	wantToken(t, s, first.Access, true)
	wantToken(t, s, second.Refresh, true)
	wantToken(t, s, second.Access, true)
	wantToken(t, s, other.Refresh, true)
}

func testAccess(t *testing.T, s access.Storage) {
	ctx := t.Context()
	withApps(t, s)
	p := pair("a1", "p", day, 1, begin)
	must(t, s.IssuePair(ctx, p))
	a := refresh("a1", "p", "1", day, 20, begin+hour)
	must(t, s.IssueAccess(ctx, a))
	wantToken(t, s, a.Access, true)
	wantToken(t, s, p.Access, true)
	wantToken(t, s, p.Refresh, true) // neither changed nor extended
}

func testAccessLimit(t *testing.T, s access.Storage) {
	ctx := t.Context()
	withApps(t, s)
	must(t, s.IssuePair(ctx, pair("a1", "p", day, 5, begin)))
	must(t, s.IssueAccess(ctx, refresh("a1", "p", "1", day, 2, begin)))
	must(t, s.IssueAccess(ctx, refresh("a1", "p", "2", day, 2, begin)))
	refused := refresh("a1", "p", "3", day, 2, begin)
	for range 2 {
		wantErr(t, "third refresh of two", s.IssueAccess(ctx, refused), access.ErrDailyLimit)
	}
	wantToken(t, s, refused.Access, false)
	must(t, s.IssueAccess(ctx, refresh("a1", "p", "4", day, 3, begin)))
	must(t, s.IssueAccess(ctx, refresh("a1", "p", "5", "2026-11-23", 1, begin)))
	// Counted apart: three refreshes were no pairs, and a new pair does not
	// give refreshes back.
	must(t, s.IssuePair(ctx, pair("a1", "q", day, 2, begin)))
	wantErr(t, "refresh after a new pair", s.IssueAccess(ctx, refresh("a1", "q", "6", day, 3, begin)), access.ErrDailyLimit)
}

func testAccessNeedsRefresh(t *testing.T, s access.Storage) {
	ctx := t.Context()
	withApps(t, s)
	old, p := pair("a1", "old", day, 9, begin), pair("a1", "p", day, 9, begin)
	must(t, s.IssuePair(ctx, old))
	must(t, s.IssuePair(ctx, p))
	must(t, s.IssuePair(ctx, pair("a2", "other", day, 9, begin)))
	byAccess := refresh("a1", "p", "x", day, 1, begin)
	byAccess.RefreshHash = p.Access.Hash
	cases := map[string]access.AccessIssue{
		"unknown":         refresh("a1", "none", "x", day, 1, begin),
		"replaced":        refresh("a1", "old", "x", day, 1, begin),
		"another app's":   refresh("a1", "other", "x", day, 1, begin),
		"an access token": byAccess,
		"expired":         refresh("a1", "p", "x", day, 1, p.Refresh.ExpiresAt),
	}
	for name, a := range cases {
		wantErr(t, name, s.IssueAccess(ctx, a), access.ErrBadRefresh)
		wantToken(t, s, a.Access, false)
	}
	// None of them counted; and the last instant of the token is a good one.
	must(t, s.IssueAccess(ctx, refresh("a1", "p", "x", day, 1, p.Refresh.ExpiresAt-1)))
	// The token is looked at before the limit.
	wantErr(t, "unknown token over the limit", s.IssueAccess(ctx, cases["unknown"]), access.ErrBadRefresh)
}

func testExpiredGo(t *testing.T, s access.Storage) {
	ctx := t.Context()
	withApps(t, s)
	p, other := pair("a1", "p", day, 9, begin), pair("a2", "other", day, 9, begin)
	must(t, s.IssuePair(ctx, p))
	must(t, s.IssuePair(ctx, other))
	must(t, s.IssueAccess(ctx, refresh("a1", "p", "1", day, 9, begin+2*hour-1)))
	wantToken(t, s, p.Access, true) // its last millisecond
	second := refresh("a1", "p", "2", day, 9, begin+2*hour)
	must(t, s.IssueAccess(ctx, second))
	wantToken(t, s, p.Access, false)
	wantToken(t, s, p.Refresh, true)
	wantToken(t, s, other.Access, true) // left to its own app's next call
	must(t, s.IssuePair(ctx, pair("a1", "q", day, 9, second.Access.ExpiresAt)))
	wantToken(t, s, second.Access, false)
}
