package loyalty

// The commands in this file are given by the clock, not by a caller. Each can
// be repeated at will: what is done is not due any more.

// BookDue changes nothing by itself: it books what time has brought.
type BookDue struct{ Who Who }

// DueBooked tells how many things were due: entries booked, periods and coupons
// ended, refunds given up, expiries announced.
type DueBooked struct{ Entries int }

// Key is none: what is booked is due no more.
func (c BookDue) Key() Key { return Key{} }

// Refs is the member alone.
func (c BookDue) Refs() Refs { return Refs{Who: c.Who} }

// Decide refuses: MemberNotFound, MembersDisagree.
func (c BookDue) Decide(v *View, at Stamp) (Effects, DueBooked, error) {
	a, err := open(v, c.Who, at)
	if err != nil || len(a.entries)+a.settled == 0 {
		return Effects{}, DueBooked{}, err
	}
	return a.effects(), DueBooked{len(a.entries) + a.settled}, nil
}

// LapseCoupons books the end of coupons whose time is over, so that partners
// are told once. Whether a coupon can be used does not hang on it.
type LapseCoupons struct {
	Who     Who
	Coupons []int64 // their numbers
}

// Key is none.
func (c LapseCoupons) Key() Key { return Key{} }

// Refs is the member and the coupons.
func (c LapseCoupons) Refs() Refs { return Refs{Who: c.Who, Coupons: c.Coupons} }

// Decide refuses: MemberNotFound, MembersDisagree.
func (c LapseCoupons) Decide(v *View, at Stamp) (Effects, DueBooked, error) {
	a, err := open(v, c.Who, at)
	if err != nil {
		return Effects{}, DueBooked{}, err
	}
	var lapsed []Coupon
	for _, coupon := range v.couponsNamed(a.ID) {
		if coupon.Expired(a.now) && !coupon.Lapsed {
			coupon.Lapsed = true
			lapsed = append(lapsed, coupon)
		}
	}
	if len(lapsed) == 0 {
		return Effects{}, DueBooked{}, nil
	}
	e := a.effects()
	e.Coupons = lapsed
	return e, DueBooked{len(lapsed)}, nil
}

// AnnounceExpiring tells partners which points of a member will expire within
// the merchant's time of announcement, each once.
type AnnounceExpiring struct{ Who Who }

// Key is none.
func (c AnnounceExpiring) Key() Key { return Key{} }

// Refs is the member alone.
func (c AnnounceExpiring) Refs() Refs { return Refs{Who: c.Who} }

// Decide refuses: MemberNotFound, MembersDisagree.
func (c AnnounceExpiring) Decide(v *View, at Stamp) (Effects, DueBooked, error) {
	a, err := open(v, c.Who, at)
	if err != nil {
		return Effects{}, DueBooked{}, err
	}
	until := a.snap.ExpiringUntil(a.now)
	if until <= a.AnnouncedUntil {
		return Effects{}, DueBooked{}, nil
	}
	points := map[Instant]int64{}
	for _, l := range a.lots {
		if !l.Pending && l.ExpiresAt > a.AnnouncedUntil && l.ExpiresAt <= until {
			points[l.ExpiresAt] += l.Remaining
		}
	}
	a.AnnouncedUntil = until
	e := a.effects()
	for _, end := range ascending(points) {
		e.Tell = append(e.Tell, expiring(points[end], end, a.now))
	}
	return e, DueBooked{len(points)}, nil
}

func expiring(points int64, end, at Instant) Callback {
	return Callback{Kind: EventPointsExpiring, From: points, To: int64(end), At: at}
}

// ExpiringUntil is up to which expiry points are announced at an instant: whole
// days, so that a day's look finds nothing to do a second time.
func (s *Snapshot) ExpiringUntil(at Instant) Instant {
	return startOfDay(at, s.loc, s.Callbacks.ExpiringDays+1)
}

// GiveUpRefund declines a parked refund whose order has not come for too long.
type GiveUpRefund struct {
	Who   Who
	Order OrderKey
}

// Key is none.
func (c GiveUpRefund) Key() Key { return Key{} }

// Refs is the member and the refund.
func (c GiveUpRefund) Refs() Refs {
	return Refs{Who: c.Who, Identities: []Identity{c.Order.identity(c.Who.Merchant)}}
}

// Decide refuses: MemberNotFound, MembersDisagree, OrderNotFound.
func (c GiveUpRefund) Decide(v *View, at Stamp) (Effects, DueBooked, error) {
	a, err := open(v, c.Who, at)
	if err != nil {
		return Effects{}, DueBooked{}, err
	}
	r, owner := v.order(c.Order)
	if owner != a.ID {
		return Effects{}, DueBooked{}, OrderNotFound
	}
	if r.State != Parked || r.BookedAt > a.snap.ParkedBefore(a.now) {
		return Effects{}, DueBooked{}, nil
	}
	r.State, r.Points = Declined, 0
	a.changeOrder(*r)
	return a.effects(), DueBooked{1}, nil
}

// ParkedBefore is when a refund must have been parked to be given up at an
// instant.
func (s *Snapshot) ParkedBefore(at Instant) Instant {
	return startOfDay(at, s.loc, -s.Orders.ParkDays)
}
