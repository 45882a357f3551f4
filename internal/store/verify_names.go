package store

import (
	"context"
	"errors"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// names checks that a member can be found. No name is shown, only the number
// of the member that it leads to.
func (r *verifying) names(ctx context.Context, m *verifiedMember) error {
	if m.openIDOwner != m.ID {
		r.differ(m.ID, "identity open_id", m.openIDOwner, m.ID)
	}
	if !m.hasProfile {
		r.differ(m.ID, "profile", "missing", "one row")
		return nil
	}
	profile, err := r.store.openProfile(m.Merchant, m.profile)
	if err != nil {
		r.differ(m.ID, "profile", "does not open", "sealed for this member")
		return nil
	}
	if m.Status == loyalty.Erased || profile.Phone == "" {
		return nil
	}
	phone := r.store.stored(loyalty.Identity{Merchant: m.Merchant, Kind: loyalty.ByPhone, Value: profile.Phone})
	var owner int64
	err = r.tx.QueryRow(ctx, selectIdentity, m.Merchant, string(loyalty.ByPhone), phone).Scan(&owner)
	if err != nil && !errors.Is(err, sqldb.ErrNoRows) {
		return err
	}
	if owner != m.ID {
		r.differ(m.ID, "identity phone", owner, m.ID)
	}
	return nil
}

const verifyNames = `
	SELECT
		i.kind,
		i.member_id
	FROM identity i
	LEFT JOIN member m ON m.member_id = i.member_id
		AND m.merchant_id = i.merchant_id
	WHERE m.member_id IS NULL
	ORDER BY
		i.member_id,
		i.kind
	LIMIT 1000`

// strayNames looks for names that lead to no member of their merchant. There
// is no index from members to names, and none is needed for anything else, so
// this reads the table once, in the last range.
func (r *verifying) strayNames(ctx context.Context) error {
	return each(ctx, r.tx, func(row scanner) error {
		var kind string
		var member int64
		err := row.Scan(&kind, &member)
		r.differ(member, "identity "+kind, member, "no such member")
		return err
	}, verifyNames)
}
