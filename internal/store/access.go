package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/seal"
	"github.com/memberd/memberd/internal/store/sqldb"
)

var (
	_ access.Storage  = (*Store)(nil)
	_ seal.CheckStore = (*Store)(nil)
)

const insertMerchant = `
	INSERT INTO merchant (
		merchant_id,
		name,
		sandbox,
		clock_offset,
		platform_key,
		settings_version,
		members_version,
		settings,
		created_at
	) VALUES (?, ?, ?, ?, ?, 1, 1, ?, ?)
	ON CONFLICT DO NOTHING`

// InsertMerchant implements access.Storage. The settings document is the first
// version of its history. A document that names no zone gets the row's.
func (s *Store) InsertMerchant(ctx context.Context, m access.MerchantRow, settings string) error {
	document, invalid := firstSettings(m, settings)
	err := s.write(ctx, func(tx *sqldb.Tx) error {
		n, err := tx.Exec(ctx, insertMerchant, m.ID, m.Name, flag(m.Sandbox), m.ClockOffset, m.PlatformKey, document, m.CreatedAt)
		if err != nil {
			return err
		}
		if n == 0 {
			return access.ErrExists
		}
		if invalid != nil {
			return invalid
		}
		_, err = tx.Exec(ctx, insertHistory, m.ID, int64(1), document, m.CreatedAt, "", "merchant created")
		return err
	})
	return wrapped("insert merchant", err)
}

// firstSettings is the document to store: complete, so that later defaults do
// not change an existing merchant.
func firstSettings(m access.MerchantRow, document string) (string, error) {
	settings, err := loyalty.ParseSettings(document)
	if err != nil {
		return "", err
	}
	if zone, err := zoneOf(document); err != nil || zone == "" {
		settings.Zone = m.Zone
	}
	if _, err := loyalty.NewSnapshot(m.ID, 1, m.ClockOffset, settings); err != nil {
		return "", err
	}
	return settings.Document(), nil
}

func zoneOf(document string) (string, error) {
	var settings struct {
		Zone string `json:"zone"`
	}
	if err := json.Unmarshal([]byte(document), &settings); err != nil {
		return "", fmt.Errorf("settings document: %w", err)
	}
	return settings.Zone, nil
}

const selectMerchant = `
	SELECT
		merchant_id,
		name,
		sandbox,
		clock_offset,
		platform_key,
		settings,
		created_at
	FROM merchant
	WHERE merchant_id = ?`

// Merchant implements access.Storage.
func (s *Store) Merchant(ctx context.Context, id string) (_ access.MerchantRow, err error) {
	defer func() { err = outage(err) }()
	var m access.MerchantRow
	var sandbox int64
	var document string
	err = s.db.Read().QueryRow(ctx, selectMerchant, id).Scan(
		&m.ID, &m.Name, &sandbox, &m.ClockOffset, &m.PlatformKey, &document, &m.CreatedAt)
	if errors.Is(err, sqldb.ErrNoRows) {
		return access.MerchantRow{}, access.ErrNoMerchant
	}
	if err == nil {
		m.Zone, err = zoneOf(document)
	}
	m.Sandbox = sandbox != 0
	return m, wrapped("read merchant", err)
}

const appColumns = `
	app_id,
	merchant_id,
	name,
	secret,
	space,
	unsigned,
	disabled,
	callback_url,
	caller_key,
	token_limit,
	refresh_limit,
	window_ms,
	created_at`

func scanApp(row scanner) (a access.AppRow, err error) {
	var unsigned, disabled int64
	err = row.Scan(&a.ID, &a.MerchantID, &a.Name, &a.Secret, &a.Space, &unsigned, &disabled,
		&a.CallbackURL, &a.CallerKey, &a.TokenLimit, &a.RefreshLimit, &a.WindowMillis, &a.CreatedAt)
	a.Unsigned, a.Disabled = unsigned != 0, disabled != 0
	return a, err
}

const insertApp = `
	INSERT INTO app (` + appColumns + `
	) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT DO NOTHING`

const merchantExists = `SELECT 1 FROM merchant WHERE merchant_id = ?`

// InsertApp implements access.Storage.
func (s *Store) InsertApp(ctx context.Context, a access.AppRow) error {
	err := s.write(ctx, func(tx *sqldb.Tx) error {
		var one int64
		err := tx.QueryRow(ctx, merchantExists, a.MerchantID).Scan(&one)
		if errors.Is(err, sqldb.ErrNoRows) {
			return access.ErrNoMerchant
		}
		if err != nil {
			return err
		}
		n, err := tx.Exec(ctx, insertApp, a.ID, a.MerchantID, a.Name, a.Secret, a.Space, flag(a.Unsigned), flag(a.Disabled),
			a.CallbackURL, a.CallerKey, int64(a.TokenLimit), int64(a.RefreshLimit), a.WindowMillis, a.CreatedAt)
		switch {
		case err != nil:
			return err
		case n == 0:
			return access.ErrExists
		case a.CallbackURL == "":
			return nil
		}
		return appsMoved(ctx, tx, a.MerchantID)
	})
	return wrapped("insert app", err)
}

const selectApp = `SELECT ` + appColumns + `
	FROM app
	WHERE app_id = ?`

// App implements access.Storage.
func (s *Store) App(ctx context.Context, id string) (_ access.AppRow, err error) {
	defer func() { err = outage(err) }()
	var apps []access.AppRow
	if err := collect(ctx, s.db.Read(), &apps, scanApp, selectApp, id); err != nil {
		return access.AppRow{}, wrapped("read app", err)
	}
	if len(apps) == 0 {
		return access.AppRow{}, access.ErrNoApp
	}
	return apps[0], nil
}

const selectApps = `SELECT ` + appColumns + `
	FROM app
	WHERE merchant_id = ?
	ORDER BY
		created_at,
		app_id`

// Apps implements access.Storage.
func (s *Store) Apps(ctx context.Context, merchantID string) ([]access.AppRow, error) {
	var apps []access.AppRow
	err := collect(ctx, s.db.Read(), &apps, scanApp, selectApps, merchantID)
	return apps, wrapped("list apps", err)
}

const updateAppDisabled = `UPDATE app SET disabled = ? WHERE app_id = ? RETURNING merchant_id`

const updateCallbackURL = `UPDATE app SET callback_url = ? WHERE app_id = ? RETURNING merchant_id`

// SetAppDisabled implements access.Storage.
func (s *Store) SetAppDisabled(ctx context.Context, id string, disabled bool) error {
	return wrapped("disable app", s.changeApp(ctx, updateAppDisabled, flag(disabled), id))
}

// SetCallbackURL implements access.Storage.
func (s *Store) SetCallbackURL(ctx context.Context, id, url string) error {
	return wrapped("change callback url", s.changeApp(ctx, updateCallbackURL, url, id))
}

// changeApp changes one app, and lets every process know.
func (s *Store) changeApp(ctx context.Context, update string, args ...any) error {
	return s.write(ctx, func(tx *sqldb.Tx) error {
		var merchant string
		err := tx.QueryRow(ctx, update, args...).Scan(&merchant)
		if errors.Is(err, sqldb.ErrNoRows) {
			return access.ErrNoApp
		}
		if err != nil {
			return err
		}
		return appsMoved(ctx, tx, merchant)
	})
}

// KeyCheck implements seal.CheckStore.
func (s *Store) KeyCheck(ctx context.Context) (value string, found bool, err error) {
	return KeyChecks(s.db).KeyCheck(ctx)
}

// InsertKeyCheck implements seal.CheckStore.
func (s *Store) InsertKeyCheck(ctx context.Context, value string) (inserted bool, err error) {
	return KeyChecks(s.db).InsertKeyCheck(ctx, value)
}

// KeyChecks is the key_check table of a database whose key is not known yet:
// the key has to be opened before a Store can be made.
func KeyChecks(db *sqldb.DB) seal.CheckStore { return keyChecks{&Store{db: db}} }

type keyChecks struct{ store *Store }

const selectKeyCheck = `SELECT value FROM key_check WHERE id = 1`

func (k keyChecks) KeyCheck(ctx context.Context) (value string, found bool, err error) {
	err = k.store.db.Read().QueryRow(ctx, selectKeyCheck).Scan(&value)
	if errors.Is(err, sqldb.ErrNoRows) {
		return "", false, nil
	}
	return value, err == nil, wrapped("read key check", err)
}

const insertKeyCheck = `INSERT INTO key_check (id, value) VALUES (1, ?) ON CONFLICT DO NOTHING`

func (k keyChecks) InsertKeyCheck(ctx context.Context, value string) (inserted bool, err error) {
	err = k.store.write(ctx, func(tx *sqldb.Tx) error {
		n, err := tx.Exec(ctx, insertKeyCheck, value)
		inserted = n == 1
		return err
	})
	return inserted && err == nil, wrapped("insert key check", err)
}

// wrapped says what failed; refusals stay what they are.
func wrapped(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
