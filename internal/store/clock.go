package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// ErrLiveMerchant is returned for the clock of a merchant that is no sandbox.
var ErrLiveMerchant = errors.New("the clock of a live merchant cannot be moved")

// ErrClockTooFar is returned for a step that is out of bounds, or would bring
// the clock farther ahead than loyalty.MaxClockOffset.
var ErrClockTooFar = errors.New("a clock cannot be moved so far")

const advanceClock = `
	UPDATE merchant SET clock_offset = clock_offset + ?
	WHERE merchant_id = ?
		AND sandbox = 1
	RETURNING clock_offset`

// AdvanceClock moves a sandbox merchant's clock forward by so many milliseconds
// and returns how far it is ahead of the real one. Every batch that begins
// later goes by it, in every process. It fails with ErrLiveMerchant, also for a
// merchant that is not there, and with ErrClockTooFar.
func (s *Store) AdvanceClock(ctx context.Context, merchant string, by int64) (offset int64, err error) {
	defer func() { err = outage(err) }()
	if by < 0 || by > loyalty.MaxClockStep {
		return 0, fmt.Errorf("advance clock by %d ms: %w", by, ErrClockTooFar)
	}
	err = s.write(ctx, func(tx *sqldb.Tx) error {
		if err := holdMerchants(ctx, tx); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, advanceClock, by, merchant).Scan(&offset)
		if errors.Is(err, sqldb.ErrNoRows) {
			return ErrLiveMerchant
		}
		if err == nil && offset > loyalty.MaxClockOffset {
			return ErrClockTooFar
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("advance clock of merchant %s: %w", merchant, err)
	}
	return offset, nil
}
