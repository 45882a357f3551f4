package store

import (
	"context"
	"fmt"

	"github.com/memberd/memberd/internal/store/sqldb"
)

const takeLease = `
	INSERT INTO job_lease (
		name,
		owner,
		lease_until
	) VALUES (?, ?, ?)
	ON CONFLICT (name) DO UPDATE SET
		owner = excluded.owner,
		lease_until = excluded.lease_until
	WHERE job_lease.owner = excluded.owner
		OR job_lease.lease_until <= ?`

// Lease gives the name to the owner until the time given, unless somebody else
// holds it at now. Times are real, in Unix milliseconds.
func (s *Store) Lease(ctx context.Context, name, owner string, now, until int64) (held bool, err error) {
	defer func() { err = outage(err) }()
	err = s.write(ctx, func(tx *sqldb.Tx) error {
		n, err := tx.Exec(ctx, takeLease, name, owner, until, now)
		held = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("lease %s: %w", name, err)
	}
	return held, nil
}

const freeLease = `
	DELETE FROM job_lease
	WHERE name = ?
		AND owner = ?`

// Unlease gives the name free if the owner holds it.
func (s *Store) Unlease(ctx context.Context, name, owner string) (err error) {
	defer func() { err = outage(err) }()
	err = s.write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, freeLease, name, owner)
		return err
	})
	if err != nil {
		return fmt.Errorf("free lease %s: %w", name, err)
	}
	return nil
}
