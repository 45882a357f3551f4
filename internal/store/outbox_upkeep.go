package store

import (
	"context"
	"database/sql"

	"github.com/memberd/memberd/internal/store/sqldb"
	"github.com/memberd/memberd/internal/webhook"
)

// An app that is told nothing any more may have been once.
const selectTidyApps = `
	SELECT a.app_id
	FROM app a
	WHERE a.callback_url <> ''
		OR EXISTS (
			SELECT 1
			FROM callback_event e
			WHERE e.app_id = a.app_id
				AND e.state IN (2, 4)
		)
	ORDER BY a.app_id`

// deleteDoneEvents leaves what is to be sent again.
func deleteDoneEvents(d sqldb.Dialect) string {
	return `
	DELETE FROM callback_event
	WHERE (member_id, app_id, event_no) IN (
		SELECT
			e.member_id,
			e.app_id,
			e.event_no
		FROM callback_event e
		WHERE e.app_id = ?
			AND e.state IN (2, 4)
			AND e.done_at < ?
			AND NOT EXISTS (
				SELECT 1
				FROM callback_resend r
				WHERE r.member_id = e.member_id
					AND r.app_id = e.app_id
					AND r.event_no = e.event_no
			)
		ORDER BY e.done_at
		LIMIT ?` + skipLocked(d) + `
	)`
}

// No delay and no lease reaches beyond the horizon; only a clock that was ahead
// when the row was written does.
const (
	hurryStreams = `
	UPDATE callback_stream SET next_at = 0
	WHERE app_id = ?
		AND next_at > ?
		AND next_at < 9223372036854775807`

	hurryResends = `
	UPDATE callback_resend SET next_at = 0
	WHERE app_id = ?
		AND next_at > ?`
)

// Tidy implements webhook.Storage. Each app is a transaction of its own.
func (s *Store) Tidy(ctx context.Context, before, horizon int64, limit int) (deleted int64, err error) {
	defer func() { err = outage(err) }()
	var apps []string
	if err := each(ctx, s.db.Read(), func(row scanner) error {
		var app string
		err := row.Scan(&app)
		apps = append(apps, app)
		return err
	}, selectTidyApps); err != nil {
		return 0, wrapped("delete old callbacks", err)
	}
	for _, app := range apps {
		busy, err := s.tidyable(ctx, app, before, horizon)
		if err == nil && busy {
			err = s.write(ctx, func(tx *sqldb.Tx) error {
				n, err := tx.Exec(ctx, deleteDoneEvents(tx.Dialect()), app, before, int64(limit))
				if err != nil {
					return err
				}
				deleted = max(deleted, n)
				if _, err := tx.Exec(ctx, hurryStreams, app, horizon); err != nil {
					return err
				}
				_, err = tx.Exec(ctx, hurryResends, app, horizon)
				return err
			})
		}
		if err != nil {
			return deleted, wrapped("delete old callbacks", err)
		}
	}
	return deleted, nil
}

// A transaction that changes nothing still takes the turn of one that does.
const selectTidyable = `
	SELECT 1
	WHERE EXISTS (
		SELECT 1
		FROM callback_event
		WHERE app_id = ?
			AND state IN (2, 4)
			AND done_at < ?
	)
	OR EXISTS (
		SELECT 1
		FROM callback_stream
		WHERE app_id = ?
			AND next_at > ?
			AND next_at < 9223372036854775807
	)
	OR EXISTS (
		SELECT 1
		FROM callback_resend
		WHERE app_id = ?
			AND next_at > ?
	)`

func (s *Store) tidyable(ctx context.Context, app string, before, horizon int64) (bool, error) {
	found := false
	err := each(ctx, s.db.Read(), func(row scanner) error {
		var one int64
		found = true
		return row.Scan(&one)
	}, selectTidyable, app, before, app, horizon, app, horizon)
	return found, err
}

const selectLag = `
	SELECT
		CAST(coalesce(sum(w.waiting), 0) AS BIGINT),
		CAST(min(CASE WHEN m.sandbox = 0 THEN e.at END) AS BIGINT)
	FROM (
		SELECT
			s.member_id,
			s.app_id,
			s.done_no,
			s.last_no - s.done_no AS waiting
		FROM app a
		JOIN callback_stream s ON s.app_id = a.app_id
		WHERE a.disabled = 0
			AND a.callback_url <> ''
			AND s.next_at < 9223372036854775807
		LIMIT ?
	) AS w
	JOIN app a ON a.app_id = w.app_id
	JOIN merchant m ON m.merchant_id = a.merchant_id
	LEFT JOIN callback_event e ON e.member_id = w.member_id
		AND e.app_id = w.app_id
		AND e.event_no = w.done_no + 1`

// Lag implements webhook.Storage.
func (s *Store) Lag(ctx context.Context) (l webhook.Lag, err error) {
	defer func() { err = outage(err) }()
	var oldest sql.NullInt64
	if err := s.db.Read().QueryRow(ctx, selectLag, int64(webhook.MaxLag)).Scan(&l.Events, &oldest); err != nil {
		return l, wrapped("lag of callbacks", err)
	}
	l.Oldest = oldest.Int64
	return l, nil
}
