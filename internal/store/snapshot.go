package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// settingsMark is what tells whether a merchant's settings have moved.
type settingsMark struct {
	merchant string
	version  int64
	offset   int64
}

const selectMark = `
	SELECT
		settings_version,
		clock_offset
	FROM merchant
	WHERE merchant_id = ?`

const selectSettings = `
	SELECT
		settings_version,
		clock_offset,
		settings
	FROM merchant
	WHERE merchant_id = ?`

// Snapshot is a merchant's rules as they are now; access.ErrNoMerchant when
// there is no such merchant. The document is read and checked again only when
// its version has moved.
func (s *Store) Snapshot(ctx context.Context, merchant string) (_ *loyalty.Snapshot, err error) {
	defer func() { err = outage(err) }()
	return s.snapshotOf(ctx, s.db.Read(), merchant)
}

func (s *Store) snapshotOf(ctx context.Context, q sqldb.Queryer, merchant string) (*loyalty.Snapshot, error) {
	mark := settingsMark{merchant: merchant}
	err := q.QueryRow(ctx, selectMark, merchant).Scan(&mark.version, &mark.offset)
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
		snap := value.(*loyalty.Snapshot)
		if snap.Version == mark.version && snap.ClockOffset == mark.offset {
			return snap
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
	if err := q.QueryRow(ctx, selectSettings, mark.merchant).Scan(&mark.version, &mark.offset, &document); err != nil {
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
	s.snapshots.Store(mark.merchant, snap)
	return snap, nil
}
