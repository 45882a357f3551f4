package store

import (
	"context"
	"errors"

	"github.com/memberd/memberd/internal/store/sqldb"
	"github.com/memberd/memberd/internal/webhook"
)

// What an outcome does to a stream. The condition on lease_owner makes it the
// claim's own.
const (
	advanceStream = `
	UPDATE callback_stream SET
		done_no = ?,
		attempts = 0,
		failing_since = 0,
		next_at = CASE WHEN last_no <= ? THEN 9223372036854775807 ELSE ? END,
		lease_owner = CASE WHEN last_no <= ? THEN '' ELSE ? END
	WHERE member_id = ?
		AND app_id = ?
		AND lease_owner = ?
	RETURNING last_no`

	postponeStream = `
	UPDATE callback_stream SET
		attempts = ?,
		failing_since = ?,
		next_at = ?,
		lease_owner = ''
	WHERE member_id = ?
		AND app_id = ?
		AND lease_owner = ?
	RETURNING last_no`

	finishResend = `
	DELETE FROM callback_resend
	WHERE member_id = ?
		AND app_id = ?
		AND event_no = ?
		AND lease_owner = ?`

	postponeResend = `
	UPDATE callback_resend SET
		attempts = ?,
		failing_since = ?,
		next_at = ?,
		lease_owner = ''
	WHERE member_id = ?
		AND app_id = ?
		AND event_no = ?
		AND lease_owner = ?`

	finishEvent = `
	UPDATE callback_event SET
		state = ?,
		attempts = attempts + ?,
		done_at = ?,
		failure = ?
	WHERE member_id = ?
		AND app_id = ?
		AND event_no = ?`

	failEvent = `
	UPDATE callback_event SET
		attempts = attempts + 1,
		failure = ?
	WHERE member_id = ?
		AND app_id = ?
		AND event_no = ?`
)

// Record implements webhook.Storage.
func (s *Store) Record(ctx context.Context, outcomes []webhook.Outcome) (standings []webhook.Standing, err error) {
	defer func() { err = outage(err) }()
	err = s.write(ctx, func(tx *sqldb.Tx) error {
		standings = make([]webhook.Standing, len(outcomes))
		for i := range outcomes {
			o := &outcomes[i]
			var err error
			if o.Resend {
				standings[i], err = recordResend(ctx, tx, o)
			} else {
				standings[i], err = recordStream(ctx, tx, o)
			}
			if err == nil && standings[i].Held {
				err = recordEvent(ctx, tx, o)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return standings, wrapped("record callbacks", err)
}

func recordStream(ctx context.Context, tx *sqldb.Tx, o *webhook.Outcome) (webhook.Standing, error) {
	var row sqldb.Row
	done := o.Done
	switch o.Result {
	case webhook.Failed, webhook.Released:
		row = tx.QueryRow(ctx, postponeStream, o.Attempts, o.FailingSince, o.Next, o.Member, o.App, o.Owner)
	default:
		done = o.No
		owner := ""
		if o.Hold {
			owner = o.Owner
		}
		row = tx.QueryRow(ctx, advanceStream, o.No, o.No, o.Next, o.No, owner, o.Member, o.App, o.Owner)
	}
	var last int64
	err := row.Scan(&last)
	if errors.Is(err, sqldb.ErrNoRows) {
		return webhook.Standing{}, nil
	}
	return webhook.Standing{Held: err == nil, More: last > done}, err
}

func recordResend(ctx context.Context, tx *sqldb.Tx, o *webhook.Outcome) (webhook.Standing, error) {
	var n int64
	var err error
	switch o.Result {
	case webhook.Failed, webhook.Released:
		n, err = tx.Exec(ctx, postponeResend, o.Attempts, o.FailingSince, o.Next, o.Member, o.App, o.No, o.Owner)
	default:
		n, err = tx.Exec(ctx, finishResend, o.Member, o.App, o.No, o.Owner)
	}
	return webhook.Standing{Held: n > 0}, err
}

// recordEvent leaves the state of an event alone whose resend went wrong: it
// stays delivered, or parked.
func recordEvent(ctx context.Context, tx *sqldb.Tx, o *webhook.Outcome) (err error) {
	state, tried := webhook.State(0), 1
	switch {
	case o.Result == webhook.Released, o.Resend && o.Result == webhook.Dropped:
		return nil
	case o.Result == webhook.Failed, o.Resend && o.Result == webhook.Parked:
		_, err = tx.Exec(ctx, failEvent, o.Failure, o.Member, o.App, o.No)
		return err
	case o.Result == webhook.Delivered:
		state = webhook.StateDelivered
	case o.Result == webhook.Parked:
		state = webhook.StateParked
	default:
		state, tried = webhook.StateDropped, 0
	}
	_, err = tx.Exec(ctx, finishEvent, int64(state), int64(tried), o.At, o.Failure, o.Member, o.App, o.No)
	return err
}
