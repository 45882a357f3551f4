package envelope

import (
	"context"

	"github.com/memberd/memberd/internal/loyalty"
)

// maxCoupons bounds the coupons of one answer: the document has no pages for
// them, and nobody shows more.
const maxCoupons = 1_000

// couponAnswer is a coupon in the answer of 1.1. cuoponType is the table's name
// and stays; couponType is what it is meant to be called (E-037).
type couponAnswer struct {
	CouponCode  string `json:"couponCode"` // the issuer's number
	CouponLimit string `json:"couponLimit"`
	CouponName  string `json:"couponName"`
	CouponRule  string `json:"couponRule"`
	CouponType  int    `json:"couponType"`
	CuoponType  int    `json:"cuoponType"`
}

// The kinds of coupons of 1.1: "0：商品 券 1：代金券 3 折扣券". The platform has
// none that is exchanged for a product, so 0 is never answered.
const (
	couponOfMoney    = 1
	couponOfDiscount = 3
)

// memberCoupons are the coupons that the member can use now, newest first; an
// empty list when there are none.
func (d *door) memberCoupons(ctx context.Context, c *call, m loyalty.Found) ([]couponAnswer, error) {
	who := loyalty.Who{Merchant: m.Merchant, ID: m.ID}
	_, page, err := d.Reader.Coupons(ctx, who, c.now, loyalty.ValidCoupons, 1, maxCoupons)
	if err != nil {
		return nil, err
	}
	list := make([]couponAnswer, 0, len(page.Coupons))
	for _, held := range page.Coupons {
		list = append(list, newCouponAnswer(held, m.Snapshot))
	}
	return list, nil
}

func newCouponAnswer(held loyalty.HeldCoupon, snap *loyalty.Snapshot) couponAnswer {
	a := couponAnswer{
		CouponCode:  held.Number,
		CouponLimit: lifeText(held.BeginAt, held.EndAt, snap),
		CouponName:  held.Template.Name,
		CouponRule:  held.Template.Rules,
		CouponType:  couponOfMoney,
	}
	if held.Template.Category.Percentage() {
		a.CouponType = couponOfDiscount
	}
	a.CuoponType = a.CouponType
	return a
}

// lifeText says from which day to which a coupon can be used, in the form of
// the document: "2019-10-1 至 2019-10-10 当天有效" (E-040). The end is exclusive,
// so the last day is the one just before it.
func lifeText(begin, end loyalty.Instant, snap *loyalty.Snapshot) string {
	const day = "2006-1-2"
	loc := snap.Location()
	return begin.In(loc).Format(day) + " 至 " + (end - 1).In(loc).Format(day) + " 当天有效"
}
