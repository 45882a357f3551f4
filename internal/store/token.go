package store

import (
	"context"
	"errors"
	"time"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// The kinds of counters; pairs and refreshes are counted apart.
const (
	countPairs     = "pair"
	countRefreshes = "refresh"
)

// keepCounters is how many days a counter outlives its day: longer than clocks
// of different processes and zones can be apart.
const keepCounters = 7

const deleteTokensOfKind = `
	DELETE FROM token
	WHERE app_id = ?
		AND kind = ?`

// IssuePair implements access.Storage.
func (s *Store) IssuePair(ctx context.Context, p access.PairIssue) (err error) {
	defer func() { err = outage(err) }()
	err = s.write(ctx, func(tx *sqldb.Tx) error {
		if err := lockApp(ctx, tx, p.AppID); err != nil {
			return err
		}
		if err := countToken(ctx, tx, p.AppID, p.Day, countPairs, p.Limit); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, deleteTokensOfKind, p.AppID, string(access.RefreshToken)); err != nil {
			return err
		}
		if err := deleteExpired(ctx, tx, p.AppID, p.Access.CreatedAt); err != nil {
			return err
		}
		if err := insertToken(ctx, tx, p.Access); err != nil {
			return err
		}
		return insertToken(ctx, tx, p.Refresh)
	})
	return wrapped("issue tokens", err)
}

const selectLiveToken = `
	SELECT 1
	FROM token
	WHERE token_hash = ?
		AND kind = ?
		AND app_id = ?
		AND expires_at > ?`

// IssueAccess implements access.Storage.
func (s *Store) IssueAccess(ctx context.Context, a access.AccessIssue) (err error) {
	defer func() { err = outage(err) }()
	err = s.write(ctx, func(tx *sqldb.Tx) error {
		if err := lockApp(ctx, tx, a.AppID); err != nil {
			return err
		}
		var one int64
		err := tx.QueryRow(ctx, selectLiveToken, a.RefreshHash, string(access.RefreshToken), a.AppID, a.Access.CreatedAt).Scan(&one)
		if errors.Is(err, sqldb.ErrNoRows) {
			return access.ErrBadRefresh
		}
		if err != nil {
			return err
		}
		if err := countToken(ctx, tx, a.AppID, a.Day, countRefreshes, a.Limit); err != nil {
			return err
		}
		if err := deleteExpired(ctx, tx, a.AppID, a.Access.CreatedAt); err != nil {
			return err
		}
		return insertToken(ctx, tx, a.Access)
	})
	return wrapped("issue token", err)
}

const appExists = `SELECT 1 FROM app WHERE app_id = ?`

// lockApp makes calls for one app take turns, in all processes.
func lockApp(ctx context.Context, tx *sqldb.Tx, app string) error {
	var one int64
	err := tx.QueryRow(ctx, appExists+tx.Dialect().ForUpdate(), app).Scan(&one)
	if errors.Is(err, sqldb.ErrNoRows) {
		return access.ErrNoApp
	}
	return err
}

const countOneMore = `
	INSERT INTO token_count (
		app_id,
		day,
		kind,
		count
	) VALUES (?, ?, ?, 1)
	ON CONFLICT (app_id, day, kind) DO UPDATE SET count = token_count.count + 1
	WHERE token_count.count < ?`

const deleteOldCounts = `DELETE FROM token_count WHERE app_id = ? AND day < ?`

// countToken counts one more, or refuses.
func countToken(ctx context.Context, tx *sqldb.Tx, app, day, kind string, limit int) error {
	n, err := tx.Exec(ctx, countOneMore, app, day, kind, int64(limit))
	if err != nil {
		return err
	}
	if n == 0 {
		return access.ErrDailyLimit
	}
	today, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, deleteOldCounts,
		app, today.AddDate(0, 0, -keepCounters).Format(time.DateOnly))
	return err
}

const deleteExpiredTokens = `DELETE FROM token WHERE app_id = ? AND expires_at <= ?`

func deleteExpired(ctx context.Context, tx *sqldb.Tx, app string, now int64) error {
	_, err := tx.Exec(ctx, deleteExpiredTokens, app, now)
	return err
}

const insertTokenRow = `
	INSERT INTO token (
		token_hash,
		app_id,
		kind,
		expires_at
	) VALUES (?, ?, ?, ?)`

func insertToken(ctx context.Context, tx *sqldb.Tx, t access.TokenRow) error {
	_, err := tx.Exec(ctx, insertTokenRow, t.Hash, t.AppID, string(t.Kind), t.ExpiresAt)
	return err
}

const selectToken = `
	SELECT
		token_hash,
		app_id,
		kind,
		expires_at
	FROM token
	WHERE token_hash = ?
		AND kind = ?`

// TokenByHash implements access.Storage.
func (s *Store) TokenByHash(ctx context.Context, kind access.TokenKind, hash string) (_ access.TokenRow, err error) {
	defer func() { err = outage(err) }()
	var t access.TokenRow
	err = s.db.Read().QueryRow(ctx, selectToken, hash, string(kind)).Scan(&t.Hash, &t.AppID, &t.Kind, &t.ExpiresAt)
	if errors.Is(err, sqldb.ErrNoRows) {
		return access.TokenRow{}, access.ErrBadToken
	}
	t.CreatedAt = t.ExpiresAt - tokenLife(t.Kind).Milliseconds()
	return t, wrapped("read token", err)
}

// tokenLife is how long a token of the kind lives. The table has the end of its
// life alone, of which the beginning follows.
func tokenLife(kind access.TokenKind) time.Duration {
	if kind == access.RefreshToken {
		return access.RefreshLife
	}
	return access.AccessLife
}
