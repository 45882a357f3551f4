package gateway

import (
	"math"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// couponSync is 5.3, wk.coupon.sync.status: 优惠券状态同步; third_coupon_code
// 发放卷传入的 coupon_number, though its sample is one of the platform's own codes,
// so that is found by both (G-210). status 0 无效/删除, 1 有效, 2 已经使用, 3 使用中,
// 4 未开始. data is the coupon_number (G-212).
func couponSync(c *call) (answer, error) {
	f := &c.fields
	command := loyalty.SyncCoupon{
		Who:   f.member(),
		Space: c.app.Space,
		Code:  f.need(maxKey, both("third_coupon_code")...),
		State: f.couponState(),
	}
	if err := f.check(); err != nil {
		return answer{}, err
	}
	done, err := writer.Submit(c.ctx, c.Writer, command)
	if err != nil {
		return answer{}, err
	}
	return answer{data: done.Coupon.Number}, nil
}

// couponState is a required state of a coupon.
func (f *form) couponState() loyalty.CouponState {
	n := f.needInteger(math.MinInt64, math.MaxInt64, "status")
	if n < int64(loyalty.CouponDeleted) || n > int64(loyalty.CouponWaiting) {
		f.fail(loyalty.CouponStateUnknown)
	}
	return loyalty.CouponState(n)
}
