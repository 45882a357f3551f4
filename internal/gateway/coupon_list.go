package gateway

import (
	"strconv"

	"github.com/memberd/memberd/internal/jsonx"
	"github.com/memberd/memberd/internal/loyalty"
)

// couponFilters: status 1-有效; 2-已经使用; 3-已过期, 不传默认查全部. As a filter 3
// is expired, while as a state it is in use (G-211). 0 and 4 are our addition
// (G-240).
var couponFilters = map[int64]loyalty.CouponFilter{
	0: loyalty.DeletedCoupons,
	1: loyalty.ValidCoupons,
	2: loyalty.UsedCoupons,
	3: loyalty.ExpiredCoupons,
	4: loyalty.WaitingCoupons,
}

// couponList is 5.5, wk.coupon.user.list: 查询用户优惠券, newest first. open_id is
// the holder's, whom the document calls 发放人 (G-230).
func couponList(c *call) (answer, error) {
	f := &c.fields
	who := f.member()
	filter := f.couponFilter()
	no, size := f.paging(15)
	if err := f.check(); err != nil {
		return answer{}, err
	}
	found, list, err := c.Reader.Coupons(c.ctx, who, c.now, filter, no, size)
	switch {
	case err != nil:
		return answer{}, c.interrupted(err)
	case found.Status == loyalty.Erased:
		return answer{}, errNotMember
	}
	now := c.now + loyalty.Instant(found.Snapshot.ClockOffset)
	rows := make([]couponData, 0, len(list.Coupons))
	for i := range list.Coupons {
		rows = append(rows, newCouponData(&list.Coupons[i], now))
	}
	return answer{data: rows, page: &page{no, size, list.Total}}, nil
}

func (f *form) couponFilter() loyalty.CouponFilter {
	status, present, err := f.fields.Int("status")
	switch {
	case err != nil:
		f.fail(err)
	case !present:
		return loyalty.AllCoupons
	}
	filter, known := couponFilters[status]
	if err == nil && !known {
		f.fail(&jsonx.FieldError{Name: "status", Reason: jsonx.OutOfRange})
	}
	return filter
}

// couponCode is a code of 19 digits, as the number that the document shows and
// as a text, since it does not fit into a double (G-046).
type couponCode struct {
	CouponCode    int64  `json:"coupon_code"`
	CouponCodeStr string `json:"coupon_code_str"`
}

func newCouponCode(code int64) couponCode { return couponCode{code, codeText(code)} }

func codeText(code int64) string { return strconv.FormatInt(code, 10) }

// couponData is a coupon with its template, in the order of the example. Money
// is fen (G-236), discount_fee of a discount a percentage, times are ms.
type couponData struct {
	couponCode
	CouponInfoID    int64   `json:"coupon_info_id"`
	Stores          string  `json:"stores"`
	EndTime         int64   `json:"end_time"`
	MinimumFee      int64   `json:"minimum_fee"`
	ReceiveTime     int64   `json:"receive_time"`
	BeginTime       int64   `json:"begin_time"`
	CouponCategory  int     `json:"coupon_category"`
	Rules           string  `json:"rules"`
	DiscountFee     int64   `json:"discount_fee"`
	RestrictType    int     `json:"member_restrict_type"`
	ThirdCouponCode string  `json:"third_coupon_code"`
	UseScopeType    int     `json:"use_scope_type"`
	SuitStoreType   int     `json:"suit_store_type"`
	SuitItemType    int     `json:"suit_item_type"`
	UseOrderNo      *string `json:"use_order_no"`
	Name            string  `json:"name"`
	Categories      string  `json:"categories"`
	FixedTerm       int     `json:"fixed_term"` // 0 for a period
	ID              int64   `json:"id"`
	Items           string  `json:"items"`
	CouponType      int     `json:"coupon_type"`
	Status          int     `json:"status"`
	Expired         bool    `json:"expired,omitempty"`
}

// newCouponData shows an expired coupon as 0, which the document calls invalid,
// and marks it, since 0 is also deleted (G-211).
func newCouponData(h *loyalty.HeldCoupon, now loyalty.Instant) couponData {
	t := h.Template
	d := couponData{
		couponCode: newCouponCode(h.Code()), CouponInfoID: t.ID, Stores: scopeText(t.Stores),
		EndTime: int64(h.EndAt), MinimumFee: t.MinimumFee, ReceiveTime: int64(h.ReceivedAt), BeginTime: int64(h.BeginAt),
		CouponCategory: int(t.Category), Rules: t.Rules, DiscountFee: t.Discount, RestrictType: int(t.Restriction),
		ThirdCouponCode: h.Number, UseScopeType: t.UseScope, SuitStoreType: t.SuitStore, SuitItemType: t.SuitItem,
		UseOrderNo: orNull(h.UsedFor), Name: t.Name, Categories: scopeText(t.Categories), FixedTerm: t.Term,
		ID: h.Coupon.ID, Items: scopeText(t.Items), Status: int(h.StateAt(now)),
	}
	if t.Period {
		d.CouponType = 1
	}
	if h.Expired(now) {
		d.Status, d.Expired = int(loyalty.CouponDeleted), true
	}
	return d
}
