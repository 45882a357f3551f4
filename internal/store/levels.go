package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/store/sqldb"
)

const selectMembersVersion = `
	SELECT
		settings_version,
		members_version
	FROM merchant
	WHERE merchant_id = ?`

// MembersReached is the version of a merchant's settings, and whether all its
// members have been brought to the levels and periods of it. access.ErrNoMerchant
// when there is no such merchant.
func (s *Store) MembersReached(ctx context.Context, merchant string) (version int64, reached bool, err error) {
	version, reached, err = membersReached(ctx, s.db.Read(), merchant)
	return version, reached, outage(err)
}

func membersReached(ctx context.Context, q sqldb.Queryer, merchant string) (version int64, reached bool, err error) {
	var members int64
	err = q.QueryRow(ctx, selectMembersVersion, merchant).Scan(&version, &members)
	if errors.Is(err, sqldb.ErrNoRows) {
		return 0, false, access.ErrNoMerchant
	}
	if err != nil {
		return 0, false, fmt.Errorf("version of the members of merchant %s: %w", merchant, err)
	}
	return version, members >= version, nil
}

// alignMembers is how many members are looked at in one statement.
const alignMembers = 1_000

// The merchant is compared in a way that no index helps with: see purgeKeys.
const selectMemberRowsFrom = `SELECT ` + memberColumns + `
	FROM member
	WHERE merchant_id || '' = ?
		AND member_id >= ?
	ORDER BY member_id
	LIMIT ?`

// UnalignedMembers looks at some of a merchant's members, from the number from
// on, and gives those that do not stand as the present levels and periods want.
// next is where to go on, 0 after the last member. access.ErrNoMerchant when
// there is no such merchant.
func (s *Store) UnalignedMembers(ctx context.Context, merchant string, from int64) (ids []int64, next int64, err error) {
	defer func() { err = outage(err) }()
	snap, err := s.Snapshot(ctx, merchant)
	if err != nil {
		return nil, 0, err
	}
	looked := 0
	err = each(ctx, s.db.Read(), func(row scanner) error {
		m, err := scanMember(row)
		if err != nil {
			return err
		}
		looked++
		next = m.ID + 1
		if !snap.Aligned(&m) {
			ids = append(ids, m.ID)
		}
		return nil
	}, selectMemberRowsFrom, merchant, from, int64(alignMembers))
	if err != nil {
		return nil, 0, fmt.Errorf("levels of members of merchant %s: %w", merchant, err)
	}
	if looked < alignMembers {
		next = 0
	}
	return ids, next, nil
}

const updateMembersVersion = `
	UPDATE merchant SET members_version = ?
	WHERE merchant_id = ?
		AND members_version < ?`

// SetMembersReached notes that all members of a merchant have been brought to a
// version of its settings. A later version that is noted already stays.
func (s *Store) SetMembersReached(ctx context.Context, merchant string, version int64) (err error) {
	err = s.write(ctx, func(tx *sqldb.Tx) error {
		if err := holdMerchants(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, updateMembersVersion, version, merchant, version)
		return err
	})
	if err != nil {
		return fmt.Errorf("version of the members of merchant %s: %w", merchant, outage(err))
	}
	return nil
}
