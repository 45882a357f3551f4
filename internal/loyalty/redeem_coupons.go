package loyalty

import "slices"

// RedeemCoupons is gateway 5.4: one or several coupons of a member are used for
// an order, all or nothing. Coupons that were redeemed for the same order
// before count as done.
type RedeemCoupons struct {
	Who     Who
	Space   string
	Codes   []string // coupon_numbers, or the platform's own codes; each once
	OrderNo string
	At      Instant // verification_time
	Store   string  // "" for any
}

// CouponsRedeemed are the coupons afterwards, in the order of the codes.
type CouponsRedeemed struct{ Coupons []Coupon }

// Key is none: a coupon remembers its order.
func (c RedeemCoupons) Key() Key { return Key{} }

// Refs is the member and whoever has the coupons, with their templates.
func (c RedeemCoupons) Refs() Refs {
	r := Refs{Who: c.Who}
	for _, code := range c.Codes {
		r.nameCoupon(c.Space, code)
	}
	return r
}

// Decide refuses, with the place in the list where there is one: NothingNamed,
// TimeAhead, MemberNotFound, MembersDisagree, CouponNotFound, MemberDisabled,
// MemberErased, CouponNotUsable.
func (c RedeemCoupons) Decide(v *View, at Stamp) (Effects, CouponsRedeemed, error) {
	switch {
	case len(c.Codes) == 0 || c.OrderNo == "":
		return Effects{}, CouponsRedeemed{}, NothingNamed
	case c.At > at.Now+aheadLimit:
		return Effects{}, CouponsRedeemed{}, TimeAhead
	}
	a, err := open(v, c.Who, at)
	if err != nil {
		return Effects{}, CouponsRedeemed{}, err
	}
	result := CouponsRedeemed{Coupons: make([]Coupon, len(c.Codes))}
	for i, code := range c.Codes {
		found := v.coupon(a.ID, c.Space, code)
		if found == nil {
			return Effects{}, CouponsRedeemed{}, Refusal{Code: CouponNotFound, Item: i + 1}
		}
		result.Coupons[i] = *found
	}
	var used []Coupon
	for i := range result.Coupons {
		coupon := &result.Coupons[i]
		if coupon.State == CouponUsed && coupon.UsedFor == c.OrderNo {
			continue
		}
		if err := a.mayChange(); err != nil {
			return Effects{}, CouponsRedeemed{}, err
		}
		if !c.usable(coupon, v.templateOf(coupon), a.now) {
			return Effects{}, CouponsRedeemed{}, Refusal{Code: CouponNotUsable, Item: i + 1}
		}
		coupon.State, coupon.UsedAt, coupon.UsedFor, coupon.UsedStore = CouponUsed, c.At, c.OrderNo, c.Store
		// A coupon that two codes name is used once.
		used = slices.DeleteFunc(used, func(u Coupon) bool { return u.Seq == coupon.Seq })
		used = append(used, *coupon)
	}
	if len(used) == 0 {
		return Effects{}, result, nil
	}
	e := a.effects()
	e.Coupons = used
	return e, result, nil
}

// usable: valid or in use, within its time when it was verified, and at the
// store.
func (c RedeemCoupons) usable(coupon *Coupon, t *Template, now Instant) bool {
	state := coupon.StateAt(now)
	return (state == CouponValid || state == CouponInUse) &&
		coupon.BeginAt <= c.At && c.At < coupon.EndAt && t.usableAt(c.Store)
}
