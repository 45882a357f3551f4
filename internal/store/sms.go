package store

import (
	"context"
	"crypto/subtle"
	"errors"

	"github.com/memberd/memberd/internal/sms"
	"github.com/memberd/memberd/internal/store/sqldb"
)

var _ sms.Storage = (*Store)(nil)

// The condition makes sends to one phone take turns, in all processes.
const upsertSMSCode = `
	INSERT INTO sms_code (
		merchant_id,
		phone,
		send_id,
		code,
		sent_at,
		expires_at,
		kept_until,
		attempts,
		used_for
	) VALUES (?, ?, ?, ?, ?, ?, ?, 0, '')
	ON CONFLICT (merchant_id, phone) DO UPDATE SET
		send_id = excluded.send_id,
		code = excluded.code,
		sent_at = excluded.sent_at,
		expires_at = excluded.expires_at,
		kept_until = excluded.kept_until,
		attempts = 0,
		used_for = ''
	WHERE sms_code.sent_at <= ?`

const countSMS = `
	INSERT INTO sms_count (
		merchant_id,
		kind,
		subject,
		period,
		count,
		kept_until
	) VALUES (?, ?, ?, ?, 1, ?)
	ON CONFLICT (merchant_id, kind, subject, period) DO UPDATE SET count = sms_count.count + 1
	WHERE sms_count.count < ?`

// IssueCode implements sms.Storage.
func (s *Store) IssueCode(ctx context.Context, i sms.Issue) (err error) {
	defer func() { err = outage(err) }()
	err = s.write(ctx, func(tx *sqldb.Tx) error {
		n, err := tx.Exec(ctx, upsertSMSCode, i.Merchant, i.Phone, i.ID, i.Code, i.SentAt, i.ExpiresAt, i.KeptUntil, i.SentBefore)
		if err != nil {
			return err
		}
		if n == 0 {
			return sms.ErrTooMany
		}
		for _, c := range i.Counts {
			n, err := tx.Exec(ctx, countSMS, i.Merchant, c.Kind, c.Subject, c.Period, c.KeptUntil, int64(c.Limit))
			if err != nil {
				return err
			}
			if n == 0 {
				return sms.ErrTooMany
			}
		}
		return deleteOldSMS(ctx, tx, i.SentAt)
	})
	return wrapped("issue sms code", err)
}

// oldSMS is how many old rows of each table a send deletes: more than the four
// rows that it can add, so that they never pile up, and few enough to be quick.
const oldSMS = 20

// deleteOldSMS runs last and skips what others hold, so it waits for nobody.
func deleteOldSMS(ctx context.Context, tx *sqldb.Tx, now int64) error {
	for _, text := range []string{deleteOldCodes(tx.Dialect()), deleteOldSMSCounts(tx.Dialect())} {
		if _, err := tx.Exec(ctx, text, now, int64(oldSMS)); err != nil {
			return err
		}
	}
	return nil
}

func deleteOldCodes(d sqldb.Dialect) string {
	return `
	DELETE FROM sms_code
	WHERE (merchant_id, phone) IN (
		SELECT
			merchant_id,
			phone
		FROM sms_code
		WHERE kept_until <= ?
		ORDER BY kept_until
		LIMIT ?` + skipLocked(d) + `)`
}

func deleteOldSMSCounts(d sqldb.Dialect) string {
	return `
	DELETE FROM sms_count
	WHERE (merchant_id, kind, subject, period) IN (
		SELECT
			merchant_id,
			kind,
			subject,
			period
		FROM sms_count
		WHERE kept_until <= ?
		ORDER BY kept_until
		LIMIT ?` + skipLocked(d) + `)`
}

// skipLocked locks the selected rows that nobody else has locked and leaves the
// others out.
func skipLocked(d sqldb.Dialect) string {
	if d == sqldb.PostgreSQL {
		return d.ForUpdate() + " SKIP LOCKED"
	}
	return ""
}

const deleteSMSCode = `
	DELETE FROM sms_code
	WHERE merchant_id = ?
		AND phone = ?
		AND send_id = ?`

const uncountSMS = `
	UPDATE sms_count SET count = count - 1
	WHERE merchant_id = ?
		AND kind = ?
		AND subject = ?
		AND period = ?
		AND count > 0`

// WithdrawCode implements sms.Storage.
func (s *Store) WithdrawCode(ctx context.Context, i sms.Issue) (err error) {
	defer func() { err = outage(err) }()
	err = s.write(ctx, func(tx *sqldb.Tx) error {
		if _, err := tx.Exec(ctx, deleteSMSCode, i.Merchant, i.Phone, i.ID); err != nil {
			return err
		}
		for _, c := range i.Counts {
			if _, err := tx.Exec(ctx, uncountSMS, i.Merchant, c.Kind, c.Subject, c.Period); err != nil {
				return err
			}
		}
		return nil
	})
	return wrapped("withdraw sms code", err)
}

// The statement locks the row, so attempts at one code take turns.
const countSMSAttempt = `
	UPDATE sms_code SET attempts = attempts + 1
	WHERE merchant_id = ?
		AND phone = ?
		AND expires_at > ?
		AND attempts < ?
	RETURNING
		code,
		used_for`

const useSMSCode = `
	UPDATE sms_code SET
		attempts = attempts - 1,
		used_for = ?
	WHERE merchant_id = ?
		AND phone = ?`

// TryCode implements sms.Storage.
func (s *Store) TryCode(ctx context.Context, a sms.Attempt) (right bool, err error) {
	defer func() { err = outage(err) }()
	err = s.write(ctx, func(tx *sqldb.Tx) error {
		right = false
		var code, usedFor string
		err := tx.QueryRow(ctx, countSMSAttempt, a.Merchant, a.Phone, a.Now, int64(a.Limit)).Scan(&code, &usedFor)
		if errors.Is(err, sqldb.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		same := subtle.ConstantTimeCompare([]byte(code), []byte(a.Code)) == 1
		if !same || usedFor != "" && !(a.Purpose.Repeatable() && usedFor == string(a.Purpose)) {
			return nil
		}
		right = true
		_, err = tx.Exec(ctx, useSMSCode, string(a.Purpose), a.Merchant, a.Phone)
		return err
	})
	if err != nil {
		return false, wrapped("check sms code", err)
	}
	return right, nil
}
