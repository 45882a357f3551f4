package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
	"github.com/memberd/memberd/internal/webhook"
)

// This file is the outbox as the deliverer sees it. Rows of callback_event and
// callback_stream are made where changes are saved; here they are claimed, read
// and finished.

var _ webhook.Storage = (*Store)(nil)

// A stream that has nothing to send has the largest number as next_at. Streams of a disabled app wait until it is enabled again.
const selectDueApps = `
	SELECT a.app_id
	FROM app a
	WHERE a.disabled = 0
		AND a.callback_url <> ''
		AND (
			EXISTS (
				SELECT 1
				FROM callback_stream s
				WHERE s.app_id = a.app_id
					AND s.next_at <= ?
					AND s.next_at < 9223372036854775807
			)
			OR EXISTS (
				SELECT 1
				FROM callback_resend r
				WHERE r.app_id = a.app_id
					AND r.next_at <= ?
			)
		)
	ORDER BY a.app_id`

// DueApps implements webhook.Storage.
func (s *Store) DueApps(ctx context.Context, now int64) (apps []string, err error) {
	defer func() { err = outage(err) }()
	err = each(ctx, s.db.Read(), func(row scanner) error {
		var app string
		err := row.Scan(&app)
		apps = append(apps, app)
		return err
	}, selectDueApps, now, now)
	return apps, wrapped("apps with callbacks", err)
}

// The rows are chosen in a part of their own, which runs once: as a plain
// condition PostgreSQL might run it again for other rows and lock more than
// asked for.
func claimStreams(d sqldb.Dialect) string {
	return `
	WITH due (m, a) AS MATERIALIZED (
		SELECT
			member_id,
			app_id
		FROM callback_stream
		WHERE app_id = ?
			AND next_at <= ?
			AND next_at < 9223372036854775807
		ORDER BY next_at
		LIMIT ?` + skipLocked(d) + `
	)
	UPDATE callback_stream SET
		next_at = ?,
		lease_owner = ?
	FROM due
	WHERE member_id = due.m
		AND app_id = due.a
	RETURNING
		member_id,
		app_id,
		done_no,
		attempts,
		failing_since`
}

func claimResends(d sqldb.Dialect) string {
	return `
	WITH due (m, a, n) AS MATERIALIZED (
		SELECT
			member_id,
			app_id,
			event_no
		FROM callback_resend
		WHERE app_id = ?
			AND next_at <= ?
		ORDER BY next_at
		LIMIT ?` + skipLocked(d) + `
	)
	UPDATE callback_resend SET
		next_at = ?,
		lease_owner = ?
	FROM due
	WHERE member_id = due.m
		AND app_id = due.a
		AND event_no = due.n
	RETURNING
		member_id,
		app_id,
		event_no - 1,
		attempts,
		failing_since`
}

// Claim implements webhook.Storage.
func (s *Store) Claim(ctx context.Context, l webhook.Lease, rooms []webhook.Room) (claims []webhook.Claim, err error) {
	defer func() { err = outage(err) }()
	err = s.write(ctx, func(tx *sqldb.Tx) error {
		claims = nil
		for _, room := range rooms {
			some, err := claimRoom(ctx, tx, l, room)
			if err != nil {
				return err
			}
			claims = append(claims, some...)
		}
		return nil
	})
	return claims, wrapped("claim callbacks", err)
}

func claimRoom(ctx context.Context, tx *sqldb.Tx, l webhook.Lease, room webhook.Room) (claims []webhook.Claim, err error) {
	claim := func(limit int, resend bool) (taken int, err error) {
		if limit <= 0 {
			return 0, nil
		}
		text := claimStreams(tx.Dialect())
		if resend {
			text = claimResends(tx.Dialect())
		}
		err = each(ctx, tx, func(row scanner) error {
			c := webhook.Claim{Owner: l.Owner, Resend: resend}
			err := row.Scan(&c.Member, &c.App, &c.Done, &c.Attempts, &c.FailingSince)
			claims = append(claims, c)
			taken++
			return err
		}, text, room.App, l.Now, int64(limit), l.Until, l.Owner)
		return taken, err
	}
	first := min(room.Resends, room.Claims)
	resends, err := claim(first, true)
	if err == nil {
		_, err = claim(room.Claims-resends, false)
	}
	if err == nil && resends == first { // there may be more
		_, err = claim(room.Claims-len(claims), true)
	}
	return claims, err
}

const selectNextEvent = `
	SELECT
		member_id,
		app_id,
		event_no,
		kind,
		ref,
		from_value,
		to_value,
		at
	FROM callback_event
	WHERE member_id = ?
		AND app_id = ?
		AND event_no > ?
	ORDER BY event_no
	LIMIT 1`

// Event implements webhook.Storage.
func (s *Store) Event(ctx context.Context, c webhook.Claim) (e loyalty.Callback, ok bool, err error) {
	defer func() { err = outage(err) }()
	err = s.db.Read().QueryRow(ctx, selectNextEvent, c.Member, c.App, c.Done).
		Scan(&e.Member, &e.App, &e.No, &e.Kind, &e.Ref, &e.From, &e.To, &e.At)
	switch {
	case errors.Is(err, sqldb.ErrNoRows):
		return e, false, nil
	case err != nil:
		return e, false, fmt.Errorf("next callback: %w", err)
	}
	return e, !c.Resend || e.No == c.Done+1, nil
}
