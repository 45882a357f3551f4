package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// Coupons is a page of the coupons of the member that who names, newest first,
// as they stand at the real time now; pages count from 1. Errors are those of
// Member. A page beyond the last has no coupons and the right total.
//
// Numbers are dense, so a page of all coupons is a range of the primary key and
// their total a counter. Coupons that pass a filter are counted by an index.
func (s *Store) Coupons(ctx context.Context, who loyalty.Who, now loyalty.Instant, filter loyalty.CouponFilter, page, size int) (_ loyalty.Found, _ loyalty.CouponPage, err error) {
	defer func() { err = outage(err) }()
	tx, err := s.db.ReadTx(ctx)
	if err != nil {
		return loyalty.Found{}, loyalty.CouponPage{}, fmt.Errorf("read coupons: %w", err)
	}
	defer tx.Close()
	f, _, err := s.found(ctx, tx, who, now, false)
	if err != nil {
		return f, loyalty.CouponPage{}, err
	}
	result, err := couponPage(ctx, tx, &f, filter, now+loyalty.Instant(f.Snapshot.ClockOffset), page, size)
	if err != nil {
		return f, loyalty.CouponPage{}, fmt.Errorf("coupons of member %d: %w", f.ID, err)
	}
	return f, result, nil
}

// couponFilters are the filters in SQL: what loyalty.Coupon's StateAt, Usable
// and Expired say. All their parameters are the time.
var couponFilters = map[loyalty.CouponFilter]string{
	loyalty.ValidCoupons:   usableAt("?"),
	loyalty.UsedCoupons:    `state = 2`,
	loyalty.ExpiredCoupons: `state IN (1, 3, 4) AND end_at <= ?`,
	loyalty.DeletedCoupons: `state = 0`,
	loyalty.WaitingCoupons: `state = 4 AND begin_at > ?`,
}

func usableAt(at string) string {
	return `state IN (1, 4) AND end_at > ` + at + ` AND (state = 1 OR begin_at <= ` + at + `)`
}

const selectCoupons = `SELECT ` + couponColumns + `
	FROM coupon
	WHERE member_id = ?
		AND coupon_seq BETWEEN ? AND ?
	ORDER BY coupon_seq DESC`

func couponsCount(filter loyalty.CouponFilter) string {
	return `SELECT count(*)
	FROM coupon
	WHERE member_id = ?
		AND ` + couponFilters[filter]
}

func couponsPage(filter loyalty.CouponFilter) string {
	return `SELECT ` + couponColumns + `
	FROM coupon
	WHERE member_id = ?
		AND ` + couponFilters[filter] + `
	ORDER BY coupon_seq DESC
	LIMIT ? OFFSET ?`
}

func couponPage(ctx context.Context, tx *sqldb.ReadTx, f *loyalty.Found, filter loyalty.CouponFilter, at loyalty.Instant, page, size int) (result loyalty.CouponPage, err error) {
	condition, filtered := couponFilters[filter]
	args := []any{f.ID}
	for range strings.Count(condition, "?") {
		args = append(args, int64(at))
	}
	result.Total = f.Coupons
	if filtered {
		if err := tx.QueryRow(ctx, couponsCount(filter), args...).Scan(&result.Total); err != nil {
			return result, err
		}
	}
	skip, ok := skipped(page, size, result.Total)
	if !ok {
		return result, nil
	}
	var coupons []loyalty.Coupon
	if filtered {
		err = collect(ctx, tx, &coupons, scanCoupon, couponsPage(filter), append(args, int64(size), skip)...)
	} else {
		high := result.Total - skip
		err = collect(ctx, tx, &coupons, scanCoupon, selectCoupons, f.ID, high-int64(size)+1, high)
	}
	if err != nil {
		return result, err
	}
	result.Coupons, err = held(ctx, tx, coupons)
	return result, err
}

func selectTemplates(d sqldb.Dialect) string {
	return `SELECT ` + templateColumns + `
	FROM coupon_template
	WHERE template_id` + d.In()
}

// held puts coupons and their templates together; each template is read once.
func held(ctx context.Context, tx *sqldb.ReadTx, coupons []loyalty.Coupon) ([]loyalty.HeldCoupon, error) {
	var ids []int64
	for _, c := range coupons {
		ids = append(ids, c.Template)
	}
	var templates []loyalty.Template
	err := collect(ctx, tx, &templates, scanTemplate, selectTemplates(tx.Dialect()), sqldb.List(tx.Dialect(), unique(ids)))
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]*loyalty.Template, len(templates))
	for i := range templates {
		byID[templates[i].ID] = &templates[i]
	}
	list := make([]loyalty.HeldCoupon, len(coupons))
	for i, c := range coupons {
		t := byID[c.Template]
		if t == nil {
			return nil, fmt.Errorf("coupon %d: template %d is missing", c.Seq, c.Template)
		}
		list[i] = loyalty.HeldCoupon{Coupon: c, Template: t}
	}
	return list, nil
}
