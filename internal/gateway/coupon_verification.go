package gateway

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// maxCodes bounds the coupons of one order.
const maxCodes = 100

// couponVerification is 5.4, wk.coupon.verification: 券核销; third_coupon_codes
// 优惠券券码, 可以多个, 以逗号隔开. All or nothing (G-225); the same call again is a
// success, the coupons under another order_no are 130003 (G-226). The document
// has it as GET although it changes something (G-220), so the answer must never
// come out of a cache.
func couponVerification(c *call) (answer, error) {
	snap, err := c.snapshot()
	if err != nil {
		return answer{}, err
	}
	f := &c.fields
	command := loyalty.RedeemCoupons{
		Who:     f.member(),
		Space:   c.app.Space,
		OrderNo: f.need(maxKey, both("order_no")...),
		Codes:   f.codes(both("third_coupon_codes")...),
		At:      f.needMoment(snap.Location(), both("verification_time")...),
		Store:   f.text(maxKey, both("store_id")...), // G-224
	}
	if err := f.check(); err != nil {
		return answer{}, err
	}
	if _, err := writer.Submit(c.ctx, c.Writer, command); err != nil {
		return answer{}, redeemRefusal(err, command.Codes)
	}
	return answer{}, nil
}

// codes is a required list of coupon codes, blanks and doubles dropped (G-221).
func (f *form) codes(names ...string) []string {
	codes, present, err := f.fields.Texts(names...)
	switch {
	case err != nil:
		f.fail(err)
	case !present:
		f.missing(names[0])
	case len(codes) > maxCodes:
		f.fail(invalid(fmt.Sprintf("%s 最多 %d 个", names[0], maxCodes)))
	}
	for i, code := range codes {
		if utf8.RuneCountInString(code) > maxKey {
			f.fail(&itemError{names[0], i + 1, invalid("券码过长")})
		}
	}
	return codes
}

// redeemRefusal names the code that could not be redeemed, for the cashier.
func redeemRefusal(err error, codes []string) error {
	var place loyalty.Refusal
	if errors.As(err, &place) && place.Item > 0 && place.Item <= len(codes) {
		code := codes[place.Item-1]
		if loyalty.ValidPhone(code) { // not a code, and not for a message
			return &itemError{"third_coupon_codes", place.Item, place.Code}
		}
		return &itemError{name: "券码 " + code, err: place.Code}
	}
	return aheadIn("verification_time", err)
}
