package store

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	SELECT
		settings,
		changed_at
	FROM settings_history
	WHERE merchant_id = ?
		AND version = ?`

// ErrNoVersion: the merchant's settings have no such version.
var ErrNoVersion = errors.New("there is no such version of the settings")

// SettingsAt is a version of a merchant's settings, the present one or an older
// one. What later builds have added to settings has its default there.
// ErrNoVersion when there is no such version, or no such merchant.
func (s *Store) SettingsAt(ctx context.Context, merchant string, version int64) (loyalty.Settings, error) {
	settings, _, err := s.settingsAt(ctx, merchant, version)
	return settings, err
}

// Programme is a version of a merchant's settings and since when it has been
// in force, in real time. The settings are nil, without an error, where that
// version was not kept or there never was one.
func (s *Store) Programme(ctx context.Context, merchant string, version int64) (*loyalty.Settings, loyalty.Instant, error) {
	settings, since, err := s.settingsAt(ctx, merchant, version)
	switch {
	case errors.Is(err, ErrNoVersion):
		return nil, 0, nil
	case err != nil:
		return nil, 0, err
	}
	return &settings, since, nil
}

func (s *Store) settingsAt(ctx context.Context, merchant string, version int64) (settings loyalty.Settings, since loyalty.Instant, err error) {
	defer func() { err = outage(err) }()
	var document string
	err = s.db.Read().QueryRow(ctx, selectSettingsAt, merchant, version).Scan(&document, &since)
	if errors.Is(err, sqldb.ErrNoRows) {
		return settings, 0, ErrNoVersion
	}
	if err == nil {
		settings, err = loyalty.ParseSettings(document)
	}
	if err != nil {
		return settings, 0, fmt.Errorf("settings of merchant %s, version %d: %w", merchant, version, err)
	}
	return settings, since, nil
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

// Standing is a member as the rules of purchases look at it, as it is stored.
type Standing struct {
	loyalty.Member
	Month  time.Month // of birth, 0 unknown
	Day    int
	Labels []string // where they are asked for
}

// standingPage is how many members are read at once.
const standingPage = 1_000

// The merchant is compared in a way that no index helps with: see purgeKeys.
var selectStandings = `SELECT ` + prefixed("m", memberColumns) + `,
	coalesce(p.birth_month, 0),
	coalesce(p.birth_day, 0)
	FROM member m
	LEFT JOIN member_profile p ON p.member_id = m.member_id
	WHERE m.merchant_id || '' = ?
		AND m.member_id > ?
	ORDER BY m.member_id
	LIMIT ?`

// EachMember visits all members of a merchant by number, erased ones too, and
// ends with the first error of visit. Members are read a page at a time, each
// page at one moment; nothing that is sealed is opened.
func (s *Store) EachMember(ctx context.Context, merchant string, labels bool, visit func(*Standing) error) error {
	for last := int64(0); ; {
		page, err := s.standings(ctx, merchant, last, labels)
		if err != nil {
			return outage(fmt.Errorf("members of merchant %s: %w", merchant, err))
		}
		for i := range page {
			last = page[i].ID
			if err := visit(&page[i]); err != nil {
				return err
			}
		}
		if len(page) < standingPage {
			return nil
		}
	}
}

func (s *Store) standings(ctx context.Context, merchant string, after int64, labels bool) ([]Standing, error) {
	tx, err := s.db.ReadTx(ctx)
	if err != nil {
		return nil, err
	}
	defer tx.Close()
	page, err := members(ctx, tx, merchant, after, standingPage)
	if err != nil || !labels || len(page) == 0 {
		return page, err
	}
	ids := make([]int64, len(page))
	at := make(map[int64]int, len(page))
	for i := range page {
		ids[i], at[page[i].ID] = page[i].ID, i
	}
	err = each(ctx, tx, func(row scanner) error {
		l, err := scanLabel(row)
		if err == nil {
			m := &page[at[l.member]]
			m.Labels = append(m.Labels, l.label)
		}
		return err
	}, labelsListed(tx.Dialect()), sqldb.List(tx.Dialect(), ids))
	return page, err
}

// members are a merchant's next members by number, without labels.
func members(ctx context.Context, q sqldb.Queryer, merchant string, after, limit int64) (page []Standing, err error) {
	err = each(ctx, q, func(row scanner) error {
		var m Standing
		var month int64
		err := row.Scan(append(memberFields(&m.Member), &month, &m.Day)...)
		m.Month = time.Month(month)
		page = append(page, m)
		return err
	}, selectStandings, merchant, after, limit)
	return page, err
}
