package loyalty

import "slices"

// Found is a member as a read sees it: with everything booked that is due,
// whether or not it has been saved yet.
type Found struct {
	Member
	Profile Profile // only where it was asked for
	Marks   Marks   // in lists of members
	// UsableCoupons is how many coupons the member can use now; only where the
	// profile was asked for.
	UsableCoupons int64
	Snapshot      *Snapshot
}

// AsOf is the member as it stands at now, and the entries that booking what is
// due would append. They are the stored totals and none when nothing has come
// due. Reads use it, so that expiry is right whether or not any job has run.
func AsOf(m Member, lots []Lot, snap *Snapshot, now Instant) (Member, []Entry) {
	if m.NextDueAt > now && snap.Aligned(&m) {
		return m, nil
	}
	a := newAccount(m, slices.Clone(lots), snap, now)
	a.bringUp()
	a.NextDueAt = a.nextDue()
	return a.Member, a.entries
}

// MemberFilter selects members of a merchant; zero fields select all. All
// bounds include their ends.
type MemberFilter struct {
	Merchant       string
	Phone          string // exact
	Nickname       string // contained in it
	Level          *int64 // as last booked: the end of a period shows here when it has been
	MinBalance     *int64
	MaxBalance     *int64
	RegisteredFrom Instant
	RegisteredTo   Instant // 0: open
	Active         *bool
	Label          string // exact
	PaidCard       string // id, exact
	Nobody         bool   // a filter on something that no member has
}

// MemberPage is a page of members, newest registration first, then by number.
type MemberPage struct {
	Total   int64
	Members []Found
}

// EntryPage is a page of a member's ledger, newest entry first.
type EntryPage struct {
	Total   int64
	Entries []Entry
}

// CouponFilter selects coupons of a member, as gateway 5.5 does.
type CouponFilter int

// The filters.
const (
	AllCoupons     CouponFilter = iota
	ValidCoupons                // valid and not expired
	UsedCoupons                 // used
	ExpiredCoupons              // past their end, and neither used nor deleted
	DeletedCoupons              // deleted
	WaitingCoupons              // not begun
)

// CouponPage is a page of a member's coupons, newest first.
type CouponPage struct {
	Total   int64
	Coupons []HeldCoupon
}

// HeldCoupon is a coupon with its template.
type HeldCoupon struct {
	Coupon
	Template *Template
}

// OrderPage is a page of a member's orders and refunds, newest first.
type OrderPage struct {
	Total  int64
	Orders []OrderFound
}

// OrderFound is an order with what its caller told.
type OrderFound struct {
	Order
	Info OrderInfo
}
