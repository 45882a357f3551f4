package loyalty

// SyncCoupon is gateway 5.3: the issuer says what state a coupon is in.
type SyncCoupon struct {
	Who   Who
	Space string
	Code  string // coupon_number, or the platform's own code
	State CouponState
}

// CouponSynced is the coupon afterwards.
type CouponSynced struct{ Coupon Coupon }

// Key is none: the same state again is a success without effect.
func (c SyncCoupon) Key() Key { return Key{} }

// Refs is the member and whoever has the coupon.
func (c SyncCoupon) Refs() Refs {
	r := Refs{Who: c.Who}
	r.nameCoupon(c.Space, c.Code)
	return r
}

// Decide refuses: CouponStateUnknown, MemberNotFound, MembersDisagree,
// CouponNotFound, MemberDisabled, MemberErased, CouponStateRefused.
func (c SyncCoupon) Decide(v *View, at Stamp) (Effects, CouponSynced, error) {
	if c.State < CouponDeleted || c.State > CouponWaiting {
		return Effects{}, CouponSynced{}, CouponStateUnknown
	}
	a, err := open(v, c.Who, at)
	if err != nil {
		return Effects{}, CouponSynced{}, err
	}
	found := v.coupon(a.ID, c.Space, c.Code)
	if found == nil {
		return Effects{}, CouponSynced{}, CouponNotFound
	}
	coupon := *found
	if coupon.StateAt(a.now) == c.State {
		return Effects{}, CouponSynced{coupon}, nil
	}
	if c.State == CouponUsed || c.State == CouponInUse { // giving back and deleting go on
		if err := a.mayChange(); err != nil {
			return Effects{}, CouponSynced{}, err
		}
	}
	if !coupon.mayBecome(c.State, a.now) {
		return Effects{}, CouponSynced{}, CouponStateRefused
	}
	switch c.State {
	case CouponValid:
		coupon.unuse()
	case CouponUsed:
		coupon.UsedAt = a.now
	}
	coupon.State = c.State
	e := a.effects()
	e.Coupons = []Coupon{coupon}
	return e, CouponSynced{coupon}, nil
}

// mayBecome is the table of what an issuer may report, from the state at the
// instant (semantics of 5.3). Past its end a coupon can only be used up, whose
// report may come late, or be deleted.
func (c *Coupon) mayBecome(to CouponState, at Instant) bool {
	from := c.StateAt(at)
	allowed := false
	switch {
	case from == CouponDeleted:
	case to == CouponDeleted:
		allowed = true
	case from == CouponWaiting:
		allowed = to == CouponValid
	case from == CouponValid:
		allowed = to == CouponInUse || to == CouponUsed
	case from == CouponInUse:
		allowed = to == CouponValid || to == CouponUsed
	case from == CouponUsed:
		allowed = to == CouponValid
	}
	if c.EndAt <= at && (to == CouponValid || to == CouponInUse) {
		return false
	}
	return allowed
}

// nameCoupon makes the refs lead to the coupon that a code names.
func (r *Refs) nameCoupon(space, code string) {
	r.Identities = append(r.Identities, couponIdentity(r.Who.Merchant, space, code))
	if _, seq, ok := ParseCouponCode(code); ok {
		r.Coupons = append(r.Coupons, seq)
	}
}
