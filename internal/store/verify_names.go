package store

import (
	"context"
	"errors"
	"fmt"

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
	var owner, row int64
	err = r.tx.QueryRow(ctx, selectIdentity, m.Merchant, string(loyalty.ByPhone), phone).Scan(&owner, &row)
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
		i.member_id,
		i.row_no,
		CASE WHEN m.member_id IS NULL THEN 0 ELSE 1 END
	FROM identity i
	LEFT JOIN member m ON m.member_id = i.member_id
		AND m.merchant_id = i.merchant_id
	LEFT JOIN member_order o ON i.kind = 'order'
		AND o.member_id = i.member_id
		AND o.order_seq = i.row_no
		AND o.space || '/' || o.number = i.value
	LEFT JOIN coupon c ON i.kind = 'coupon'
		AND c.member_id = i.member_id
		AND c.coupon_seq = i.row_no
		AND c.space || '/' || c.number = i.value
	WHERE m.member_id IS NULL
		OR (i.kind = 'order' AND o.member_id IS NULL)
		OR (i.kind = 'coupon' AND c.member_id IS NULL)
		OR (i.kind NOT IN ('order', 'coupon') AND i.row_no <> 0)
	ORDER BY
		i.member_id,
		i.kind
	LIMIT 1000`

// strayNames looks for names that lead to no member of their merchant, or to no
// row of it that has this number. There is no index from members to names, and
// none is needed for anything else, so this reads the table once, in the last
// range.
func (r *verifying) strayNames(ctx context.Context) error {
	return each(ctx, r.tx, func(row scanner) error {
		var kind string
		var to loyalty.Bound
		var member int64
		err := row.Scan(&kind, &to.Member, &to.Row, &member)
		if member == 0 {
			r.differ(to.Member, "identity "+kind, to.Member, "no such member")
		} else {
			r.differ(to.Member, "identity "+kind, fmt.Sprintf("row %d", to.Row), "no row of this number")
		}
		return err
	}, verifyNames)
}

const verifyMarks = `
	SELECT
		l.member_id,
		'label'
	FROM member_label l
	LEFT JOIN member m ON m.member_id = l.member_id
		AND m.merchant_id = l.merchant_id
	WHERE l.member_id BETWEEN ? AND ?
		AND m.member_id IS NULL
	UNION ALL
	SELECT
		c.member_id,
		'paid card'
	FROM paid_card c
	LEFT JOIN member m ON m.member_id = c.member_id
		AND m.merchant_id = c.merchant_id
	WHERE c.member_id BETWEEN ? AND ?
		AND m.member_id IS NULL`

// strayMarks looks for marks of no member of their merchant.
func (r *verifying) strayMarks(ctx context.Context) error {
	return each(ctx, r.tx, func(row scanner) error {
		var member int64
		var kind string
		err := row.Scan(&member, &kind)
		r.differ(member, kind, "of a member", "no such member of the merchant")
		return err
	}, verifyMarks, r.from, r.to, r.from, r.to)
}

const verifyIssued = `
	SELECT
		t.template_id,
		t.issued,
		coalesce(c.given, 0)
	FROM coupon_template t
	LEFT JOIN (
		SELECT
			template_id,
			count(*) AS given
		FROM coupon
		GROUP BY template_id
	) AS c ON c.template_id = t.template_id
	WHERE t.issued <> coalesce(c.given, 0)`

// issued sets the counters of templates against all coupons there are, which
// are read once, in the last range.
func (r *verifying) issued(ctx context.Context) error {
	return each(ctx, r.tx, func(row scanner) error {
		var template, issued, given int64
		err := row.Scan(&template, &issued, &given)
		r.differ(0, fmt.Sprintf("template %d issued", template), issued, given)
		return err
	}, verifyIssued)
}
