package store

import (
	"context"
	"errors"

	"github.com/memberd/memberd/internal/loyalty"
)

// Programme is a version of a merchant's settings and since when it has been
// in force, in real time. The settings are nil, without an error, where that
// version was not kept or there never was one.
func (s *Store) Programme(ctx context.Context, merchant string, version int64) (*loyalty.Settings, loyalty.Instant, error) {
	settings, err := s.SettingsAt(ctx, merchant, version)
	if errors.Is(err, ErrNoVersion) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	versions, err := s.SettingsVersions(ctx, merchant)
	if err != nil {
		return nil, 0, err
	}
	for _, v := range versions {
		if v.Version == version {
			return &settings, v.ChangedAt, nil
		}
	}
	return &settings, 0, nil
}
