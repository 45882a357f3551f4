package gateway

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// templateAdd is 5.1, wk.coupon.template.add: 新建优惠券模板. data is the number
// of the template, later coupon_info_id. The same template again has the same
// number, other terms under its third_coupon_id are 130001 (G-182).
func templateAdd(c *call) (answer, error) {
	snap, err := c.snapshot()
	if err != nil {
		return answer{}, err
	}
	f := &c.fields
	command := loyalty.AddTemplate{
		Merchant: c.app.MerchantID,
		App:      c.app.ID,
		Template: loyalty.TemplateKey{Space: c.app.Space, Number: f.need(maxKey, both("third_coupon_id")...)},
		Terms:    f.templateTerms(snap.Location()),
	}
	if err := f.check(); err != nil {
		return answer{}, err
	}
	done, err := writer.Submit(c.ctx, c.Writer, command)
	if err != nil {
		return answer{}, termsRefusal(err)
	}
	return answer{data: done.ID}, nil
}

// templateTerms reads the terms. coupon_type decides whether the period or the
// term counts; the other one is not looked at (G-181). Which values make sense
// together is for the domain to say.
func (f *form) templateTerms(zone *time.Location) loyalty.TemplateTerms {
	t := loyalty.TemplateTerms{
		Name:          f.need(maxName, "name"),
		Category:      loyalty.CouponCategory(f.needInteger(0, 4, both("coupon_category")...)),
		MinimumFee:    f.integer(0, 0, loyalty.MaxAmount, both("minimum_fee")...),
		Rules:         f.need(maxText, "rules"),
		Period:        f.needInteger(0, 1, both("coupon_type")...) == 1,
		Quantity:      f.integer(0, 0, loyalty.MaxCouponStock, "quantity"),
		ClaimLimit:    f.integer(0, 0, loyalty.MaxCouponStock, both("claim_number")...),
		CentreStatus:  int(f.integer(1, 0, 1, both("coupon_centre_status")...)), // G-176
		Restriction:   loyalty.Restriction(f.integer(2, 0, 2, both("member_restrict_type")...)),
		ReceiveMethod: int(f.integer(0, 0, 1, both("receive_method")...)),
		UseScope:      int(f.integer(0, 0, 1, both("use_scope_type")...)), // G-175
		SuitStore:     int(f.integer(0, 0, 1, both("suit_store_type")...)),
		SuitItem:      int(f.integer(0, 0, 2, both("suit_item_type")...)),
	}
	if t.Category == loyalty.FreeShipping { // takes off what the shipping costs (G-180)
		t.Discount = f.integer(0, 0, loyalty.MaxAmount, both("discount_fee")...)
	} else {
		t.Discount = f.needInteger(0, loyalty.MaxAmount, both("discount_fee")...)
	}
	if t.Period {
		t.BeginAt = f.needMoment(zone, both("begin_time")...)
		t.EndAt = f.needMoment(zone, both("end_time")...)
	} else {
		t.Term = int(f.needInteger(0, loyalty.MaxCouponTerm, both("fixed_term")...))
	}
	t.Stores = f.scope(t.SuitStore == 1, "stores")
	t.Items = f.scope(t.SuitItem == 1, "items")
	t.Categories = f.scope(t.SuitItem == 2, "categories")
	f.enforcement(&t)
	return t
}

// enforcement reads our additions to the document: whether 5.2 checks
// member_restrict_type, by which levels and which age of membership (G-177).
func (f *form) enforcement(t *loyalty.TemplateTerms) {
	t.EnforceOnGive = f.flag(both("enforce_on_give")...)
	t.NewMemberDays = int(f.integer(0, 0, loyalty.MaxCouponTerm, both("new_member_days")...))
	texts, _, err := f.fields.Texts("levels")
	if err != nil {
		f.fail(err)
	}
	for _, text := range texts {
		number, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			f.fail(invalid("levels 必须是会员等级编号的列表"))
			return
		}
		t.Levels = append(t.Levels, number)
	}
	slices.Sort(t.Levels) // the same levels in another order are the same terms
}

// termsHints say what to do about terms that the domain refuses.
var termsHints = map[string]string{
	"discount_fee": "折扣券须为 1 至 99, 其他券不能为负数 (单位: 分)",
	"end_time":     "必须晚于 begin_time",
	"fixed_term":   "必须为 1 至 36500 天",
	"stores":       "不能为空且最多 1000 个: suit_store_type 为 1 时必传",
	"items":        "不能为空且最多 1000 个: suit_item_type 为 1 时必传",
	"categories":   "不能为空且最多 1000 个: suit_item_type 为 2 时必传",
	"levels":       "须为已有的会员等级, 限定会员等级并强制校验时必传",
}

func termsRefusal(err error) error {
	var place loyalty.Refusal
	if !errors.As(err, &place) || place.Code != loyalty.TemplateInvalid {
		return err
	}
	if hint := termsHints[place.Field]; hint != "" {
		return invalid(place.Field + " " + hint)
	}
	return err
}
