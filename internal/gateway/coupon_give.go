package gateway

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/memberd/memberd/internal/jsonx"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// couponSet is the name of the list, in messages.
const couponSet = "coupon_set"

// couponGive is 5.2, wk.coupon.give: 券发放; number 单人发放优惠券数量, coupon_set
// one entry for each coupon, so a member has as many entries as number says
// (G-193). All or nothing, and the refusal names the entry (G-196). A
// coupon_number that was given before answers its coupon (G-197).
func couponGive(c *call) (answer, error) {
	snap, err := c.snapshot()
	if err != nil {
		return answer{}, err
	}
	f := &c.fields
	command := loyalty.GiveCoupons{
		Merchant:   c.app.MerchantID,
		App:        c.app.ID,
		Template:   loyalty.TemplateKey{Space: c.app.Space, Number: f.need(maxKey, both("third_coupon_id")...)},
		Each:       f.needInteger(1, math.MaxInt64, "number"),
		ReceivedAt: f.needMoment(snap.Location(), both("create_time")...),
		Store:      f.text(maxKey, both("receive_store")...),
		Entries:    f.gifts(),
	}
	if err := f.check(); err != nil {
		return answer{}, err
	}
	done, err := writer.Submit(c.ctx, c.Writer, command)
	if err != nil {
		return answer{}, giveRefusal(err)
	}
	rows := make([]givenCoupon, 0, len(done.Coupons))
	for _, g := range done.Coupons {
		code := loyalty.CouponCode(g.Member, g.Seq)
		rows = append(rows, givenCoupon{Code: code, CodeStr: codeText(code), OpenID: g.OpenID, OpenID2: g.OpenID})
	}
	return answer{data: rows}, nil
}

// givenCoupon has the code as a number, as documented, and as a text, since it
// does not fit into a double (G-195); and the member in both spellings (G-194).
type givenCoupon struct {
	Code    int64  `json:"code"`
	CodeStr string `json:"code_str"`
	OpenID  string `json:"open_id"`
	OpenID2 string `json:"openId"`
}

var (
	errGiftCount  = invalid(fmt.Sprintf("%s 须为 1 至 %d 条", couponSet, loyalty.MaxGifts))
	errGiftsOfOne = invalid("该会员的条数与 number 不一致")
	errGiftNumber = invalid("coupon_number 不能含逗号, 首尾不能有空白")
)

// gifts reads coupon_set: a JSON text or a real list (G-191).
func (f *form) gifts() []loyalty.CouponGift {
	list, present, err := f.fields.Objects(both(couponSet)...)
	switch {
	case err != nil:
		f.fail(err)
		return nil
	case !present:
		f.missing(couponSet)
		return nil
	case len(list) == 0 || len(list) > loyalty.MaxGifts:
		f.fail(errGiftCount)
		return nil
	}
	gifts := make([]loyalty.CouponGift, 0, len(list))
	var unnamed error
	for i, entry := range list {
		gift, one := readGift(entry)
		if one.err != nil {
			f.fail(&itemError{couponSet, i + 1, one.err})
		} else if err := one.check(); err != nil && unnamed == nil {
			unnamed = &itemError{couponSet, i + 1, err}
		}
		gifts = append(gifts, gift)
	}
	if unnamed != nil { // behind everything that is wrong by form
		f.fail(unnamed)
	}
	return gifts
}

// The values of params_type.
const (
	byOpenID = 1
	byPhone  = 2
)

// readGift reads one entry. params_type says whether open_id holds an open id or
// a phone; without it the look of the value does (G-192).
func readGift(entry jsonx.Fields) (loyalty.CouponGift, form) {
	f := form{fields: entry}
	gift := loyalty.CouponGift{Number: f.giftNumber()}
	kind := f.integer(0, byOpenID, byPhone, both("params_type")...)
	id := f.text(maxKey, both("open_id")...)
	f.noMember = id == ""
	switch {
	case kind == byPhone && id != "" && !loyalty.ValidPhone(id):
		f.fail(errPhoneWrong)
	case kind == byPhone, kind == 0 && loyalty.ValidPhone(id):
		gift.Who.Phone = id
	default:
		gift.Who.OpenID = id
	}
	return gift, f
}

// giftNumber is the issuer's number of a coupon. 5.4 splits its list at commas
// and drops blanks, so a number with either could not be redeemed, or would be
// taken for other coupons.
func (f *form) giftNumber() string {
	number := f.need(maxKey, both("coupon_number")...)
	if strings.Contains(number, ",") || strings.TrimSpace(number) != number {
		f.fail(errGiftNumber)
	}
	return number
}

// giveRefusal names the list or the field that the domain does not know by name.
func giveRefusal(err error) error {
	var place loyalty.Refusal
	switch errors.As(err, &place); {
	case place.Item > 0 && place.Code == loyalty.GiveCount:
		return &itemError{couponSet, place.Item, errGiftsOfOne}
	case place.Item > 0:
		return &itemError{couponSet, place.Item, place.Code}
	}
	return aheadIn("create_time", err)
}
