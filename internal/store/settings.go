package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

const insertHistory = `
	INSERT INTO settings_history (
		merchant_id,
		version,
		settings,
		changed_at,
		operator,
		reason
	) VALUES (?, ?, ?, ?, ?, ?)`

// lockMerchants waits for the batches that are running and lets no later one
// begin. A row lock alone could wait for ever: each batch only shares the row,
// and there may always be another one before the last has gone.
const lockMerchants = `LOCK TABLE merchant IN EXCLUSIVE MODE`

const updateSettings = `
	UPDATE merchant SET
		settings_version = ?,
		settings = ?
	WHERE merchant_id = ?`

// ChangeSettings replaces a merchant's settings by what change makes of them
// and returns their new version. change may be called again when another
// process was in the way; its error is returned as it is. Settings that
// loyalty.NewSnapshot refuses are not stored. access.ErrNoMerchant when there
// is no such merchant. Once it has returned, no commit in any process uses the
// old settings.
func (s *Store) ChangeSettings(ctx context.Context, merchant, operator, reason string, change func(loyalty.Settings) (loyalty.Settings, error)) (version int64, err error) {
	err = s.write(ctx, func(tx *sqldb.Tx) error {
		if tx.Dialect() == sqldb.PostgreSQL {
			if _, err := tx.Exec(ctx, lockMerchants); err != nil {
				return err
			}
		}
		var offset int64
		var document string
		err := tx.QueryRow(ctx, selectSettings, merchant).Scan(&version, &offset, &document)
		if errors.Is(err, sqldb.ErrNoRows) {
			return access.ErrNoMerchant
		}
		if err != nil {
			return err
		}
		settings, err := loyalty.ParseSettings(document)
		if err != nil {
			return err
		}
		if settings, err = change(settings); err != nil {
			return err
		}
		version++
		if _, err := loyalty.NewSnapshot(merchant, version, offset, settings); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, updateSettings, version, settings.Document(), merchant); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, insertHistory, merchant, version, settings.Document(), s.now().UnixMilli(), operator, reason)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("change settings of merchant %s: %w", merchant, err)
	}
	return version, nil
}
