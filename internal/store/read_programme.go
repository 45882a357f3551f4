package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// SettingsVersion is one change of a merchant's settings.
type SettingsVersion struct {
	Version   int64
	ChangedAt loyalty.Instant // real time
	Operator  string          // "" for the platform itself
	Reason    string
}

const selectSettingsVersions = `
	SELECT
		version,
		changed_at,
		operator,
		reason
	FROM settings_history
	WHERE merchant_id = ?
	ORDER BY version DESC`

// SettingsVersions are all versions of a merchant's settings, newest first.
// access.ErrNoMerchant when there is no such merchant.
func (s *Store) SettingsVersions(ctx context.Context, merchant string) (list []SettingsVersion, err error) {
	defer func() { err = outage(err) }()
	err = each(ctx, s.db.Read(), func(row scanner) error {
		var v SettingsVersion
		err := row.Scan(&v.Version, &v.ChangedAt, &v.Operator, &v.Reason)
		list = append(list, v)
		return err
	}, selectSettingsVersions, merchant)
	if err != nil {
		return nil, fmt.Errorf("versions of the settings of merchant %s: %w", merchant, err)
	}
	if len(list) == 0 {
		return nil, access.ErrNoMerchant
	}
	return list, nil
}

const selectSettingsAt = `
	SELECT settings
	FROM settings_history
	WHERE merchant_id = ?
		AND version = ?`

// ErrNoVersion: the merchant's settings have no such version.
var ErrNoVersion = errors.New("there is no such version of the settings")

// SettingsAt is a version of a merchant's settings, the present one or an older
// one. What later builds have added to settings has its default there.
// ErrNoVersion when there is no such version, or no such merchant.
func (s *Store) SettingsAt(ctx context.Context, merchant string, version int64) (_ loyalty.Settings, err error) {
	defer func() { err = outage(err) }()
	var document string
	err = s.db.Read().QueryRow(ctx, selectSettingsAt, merchant, version).Scan(&document)
	if errors.Is(err, sqldb.ErrNoRows) {
		return loyalty.Settings{}, ErrNoVersion
	}
	var settings loyalty.Settings
	if err == nil {
		settings, err = loyalty.ParseSettings(document)
	}
	if err != nil {
		return loyalty.Settings{}, fmt.Errorf("settings of merchant %s, version %d: %w", merchant, version, err)
	}
	return settings, nil
}

var selectEntryOfMerchant = `SELECT ` + prefixed("e", entryColumns) + `
	FROM entry e
	JOIN member m ON m.member_id = e.member_id
	WHERE e.member_id = ?
		AND e.entry_no = ?
		AND m.merchant_id = ?`

// EntryNo is one line of the ledger of a merchant's member. Its error is
// loyalty.StatementNotFound when there is none, or no such member.
func (s *Store) EntryNo(ctx context.Context, merchant string, member, no int64) (_ loyalty.Entry, err error) {
	defer func() { err = outage(err) }()
	e, err := scanEntry(s.db.Read().QueryRow(ctx, selectEntryOfMerchant, member, no, merchant))
	if errors.Is(err, sqldb.ErrNoRows) {
		return loyalty.Entry{}, loyalty.StatementNotFound
	}
	return e, wrapped("entry", err)
}
