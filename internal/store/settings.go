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

// holdMerchants comes before every change of a row of merchant.
func holdMerchants(ctx context.Context, tx *sqldb.Tx) error {
	if tx.Dialect() != sqldb.PostgreSQL {
		return nil
	}
	_, err := tx.Exec(ctx, lockMerchants)
	return err
}

const updateSettings = `
	UPDATE merchant SET
		settings_version = ?,
		settings = ?
	WHERE merchant_id = ?`

// ChangeSettings replaces a merchant's settings by what change makes of them,
// given their version, and returns the new version. change may be called again when another
// process was in the way; its error is returned as it is. Settings that
// loyalty.NewSnapshot refuses are not stored. access.ErrNoMerchant when there
// is no such merchant. Once it has returned, no commit in any process uses the
// old settings.
func (s *Store) ChangeSettings(ctx context.Context, merchant, operator, reason string, change func(version int64, old loyalty.Settings) (loyalty.Settings, error)) (version int64, err error) {
	err = s.write(ctx, func(tx *sqldb.Tx) error {
		if err := holdMerchants(ctx, tx); err != nil {
			return err
		}
		mark := settingsMark{merchant: merchant}
		var document string
		err := tx.QueryRow(ctx, selectSettings, merchant).Scan(append(mark.fields(), &document)...)
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
		if settings, err = change(mark.version, settings); err != nil {
			return err
		}
		version = mark.version + 1
		if _, err := loyalty.NewSnapshot(merchant, version, mark.offset, settings); err != nil {
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
