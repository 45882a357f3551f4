package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// settingsMark is what tells whether a merchant's settings have moved, its clock
// or its apps.
type settingsMark struct {
	merchant string
	version  int64
	offset   int64
	apps     int64
}

// fields is where the columns of a mark are scanned to, but for the merchant.
func (m *settingsMark) fields() []any { return []any{&m.version, &m.offset, &m.apps} }

// markedSnapshot is a snapshot with all of its mark.
type markedSnapshot struct {
	*loyalty.Snapshot
	apps int64
}

const selectMark = `
	SELECT
		settings_version,
		clock_offset,
		apps_version
	FROM merchant
	WHERE merchant_id = ?`

const selectSettings = `
	SELECT
		settings_version,
		clock_offset,
		apps_version,
		settings
	FROM merchant
	WHERE merchant_id = ?`

// selectToldApps are the apps that are told what happens. One that is
// disabled is told nothing of what happens meanwhile.
const selectToldApps = `
	SELECT app_id
	FROM app
	WHERE merchant_id = ?
		AND disabled = 0
		AND callback_url <> ''
	ORDER BY app_id`

// Snapshot is a merchant's rules as they are now; access.ErrNoMerchant when
// there is no such merchant. The document is read and checked again only when
// its version has moved.
func (s *Store) Snapshot(ctx context.Context, merchant string) (_ *loyalty.Snapshot, err error) {
	defer func() { err = outage(err) }()
	return s.snapshotOf(ctx, s.db.Read(), merchant)
}

func (s *Store) snapshotOf(ctx context.Context, q sqldb.Queryer, merchant string) (*loyalty.Snapshot, error) {
	mark := settingsMark{merchant: merchant}
	err := q.QueryRow(ctx, selectMark, merchant).Scan(mark.fields()...)
	if errors.Is(err, sqldb.ErrNoRows) {
		return nil, access.ErrNoMerchant
	}
	if err != nil {
		return nil, fmt.Errorf("settings of merchant %s: %w", merchant, err)
	}
	return s.snapshot(ctx, q, mark)
}

// cached is the snapshot at mark, nil when this process has not got it.
func (s *Store) cached(mark settingsMark) *loyalty.Snapshot {
	if value, ok := s.snapshots.Load(mark.merchant); ok {
		snap := value.(markedSnapshot)
		if snap.Version == mark.version && snap.ClockOffset == mark.offset && snap.apps == mark.apps {
			return snap.Snapshot
		}
	}
	return nil
}

// snapshot is the snapshot at mark, or a newer one where q sees one.
func (s *Store) snapshot(ctx context.Context, q sqldb.Queryer, mark settingsMark) (*loyalty.Snapshot, error) {
	if snap := s.cached(mark); snap != nil {
		return snap, nil
	}
	var document string
	if err := q.QueryRow(ctx, selectSettings, mark.merchant).Scan(append(mark.fields(), &document)...); err != nil {
		return nil, fmt.Errorf("settings of merchant %s: %w", mark.merchant, err)
	}
	settings, err := loyalty.ParseSettings(document)
	if err != nil {
		return nil, fmt.Errorf("settings of merchant %s: %w", mark.merchant, err)
	}
	snap, err := loyalty.NewSnapshot(mark.merchant, mark.version, mark.offset, settings)
	if err != nil {
		return nil, err
	}
	if snap.Apps, err = callbackApps(ctx, q, mark.merchant); err != nil {
		return nil, err
	}
	s.snapshots.Store(mark.merchant, markedSnapshot{snap, mark.apps})
	return snap, nil
}

func callbackApps(ctx context.Context, q sqldb.Queryer, merchant string) (apps []string, err error) {
	err = each(ctx, q, func(row scanner) error {
		var app string
		err := row.Scan(&app)
		apps = append(apps, app)
		return err
	}, selectToldApps, merchant)
	if err != nil {
		return nil, fmt.Errorf("apps of merchant %s: %w", merchant, err)
	}
	slices.Sort(apps) // in byte order, whatever the database's is
	return apps, nil
}

const moveApps = `UPDATE merchant SET apps_version = apps_version + 1 WHERE merchant_id = ?`

// appsMoved tells every process that the merchant's apps are others now.
func appsMoved(ctx context.Context, tx *sqldb.Tx, merchant string) error {
	if err := holdMerchants(ctx, tx); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, moveApps, merchant)
	return err
}
