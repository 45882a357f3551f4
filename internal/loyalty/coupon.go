package loyalty

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// CouponCategory is what a coupon takes off, gateway 5.1.
type CouponCategory int

// The categories. The numbers are coupon_category on the wire.
const (
	OrderOff        CouponCategory = 0 // 订单满减
	FreeShipping    CouponCategory = 1 // 订单免运费
	OrderDiscount   CouponCategory = 2 // 订单折扣
	ProductOff      CouponCategory = 3 // 商品满减
	ProductDiscount CouponCategory = 4 // 商品折扣
)

// Percentage tells whether the discount is a percentage and not money.
func (c CouponCategory) Percentage() bool { return c == OrderDiscount || c == ProductDiscount }

// TemplateKey names a template as its issuer does: third_coupon_id in a number
// space.
type TemplateKey struct{ Space, Number string }

// Template is what coupons are made of. But for Issued it never changes.
type Template struct {
	ID       int64 // coupon_info_id
	Merchant string
	TemplateKey
	Issued    int64 // coupons given so far; it never goes down
	CreatedAt Instant
	App       string
	TemplateTerms
}

// TemplateTerms is what the issuer says of a template. Names and numbers are
// those of gateway 5.1.
type TemplateTerms struct {
	Name       string         `json:"name"`
	Category   CouponCategory `json:"coupon_category"`
	Discount   int64          `json:"discount_fee"` // fen; of discounts a percentage
	MinimumFee int64          `json:"minimum_fee"`  // fen
	Rules      string         `json:"rules"`

	// Period: valid from BeginAt until EndAt, exclusive. Else valid on the day
	// it is received and Term days after it.
	Period  bool    `json:"period"`
	BeginAt Instant `json:"begin_time,omitempty"`
	EndAt   Instant `json:"end_time,omitempty"`
	Term    int     `json:"fixed_term,omitempty"`

	Quantity   int64 `json:"quantity"`     // stock; 0: unlimited
	ClaimLimit int64 `json:"claim_number"` // for each member; 0: unlimited

	CentreStatus  int         `json:"coupon_centre_status"`
	Restriction   Restriction `json:"member_restrict_type"`
	ReceiveMethod int         `json:"receive_method"`
	UseScope      int         `json:"use_scope_type"`
	SuitStore     int         `json:"suit_store_type"` // 1: Stores only
	SuitItem      int         `json:"suit_item_type"`  // 1: Items only, 2: Categories only
	Stores        []ScopeItem `json:"stores,omitempty"`
	Items         []ScopeItem `json:"items,omitempty"`
	Categories    []ScopeItem `json:"categories,omitempty"`

	// EnforceOnGive makes the platform check Restriction when a coupon is given.
	// The document has no fields for levels and newness and lets the issuer
	// choose, so it is off unless the template says so (finding G-177).
	EnforceOnGive bool    `json:"enforce_on_give,omitempty"`
	Levels        []int64 `json:"levels,omitempty"`          // of RestrictLevels
	NewMemberDays int     `json:"new_member_days,omitempty"` // of RestrictNew: registered at most so many days ago
}

// Restriction is who may receive a coupon.
type Restriction int

// The restrictions. The numbers are member_restrict_type on the wire.
const (
	RestrictNew    Restriction = 0
	RestrictLevels Restriction = 1
	RestrictNobody Restriction = 2
)

// ScopeItem is a store, a product or a category of products. Ids are compared
// as text (finding G-174).
type ScopeItem struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Bounds of templates and of giving coupons.
const (
	MaxCouponTerm  = 36_500        // days: a hundred years
	MaxCouponStock = 1_000_000_000 // and of what one member may have
	MaxGifts       = 1_000         // entries of one call of gateway 5.2

	maxScopeItems = 1_000
	newMemberDays = 30 // where the template does not say
)

// check refuses terms that make no sense, and names the field of the wire.
func (t *TemplateTerms) check(snap *Snapshot) error {
	percent := t.Category.Percentage()
	for _, rule := range []struct {
		field string
		good  bool
	}{
		{"name", t.Name != ""},
		{"coupon_category", t.Category >= OrderOff && t.Category <= ProductDiscount},
		{"discount_fee", t.Discount >= 0 && t.Discount <= MaxAmount && (!percent || t.Discount >= 1 && t.Discount <= 99)},
		{"minimum_fee", t.MinimumFee >= 0 && t.MinimumFee <= MaxAmount},
		{"begin_time", !t.Period || t.BeginAt > 0},
		{"end_time", !t.Period || t.EndAt > t.BeginAt},
		{"fixed_term", t.Period || t.Term >= 1 && t.Term <= MaxCouponTerm},
		{"quantity", t.Quantity >= 0 && t.Quantity <= MaxCouponStock},
		{"claim_number", t.ClaimLimit >= 0 && t.ClaimLimit <= MaxCouponStock},
		{"member_restrict_type", t.Restriction >= RestrictNew && t.Restriction <= RestrictNobody},
		{"stores", len(t.Stores) <= maxScopeItems && (t.SuitStore != 1 || len(t.Stores) > 0)},
		{"items", len(t.Items) <= maxScopeItems && (t.SuitItem != 1 || len(t.Items) > 0)},
		{"categories", len(t.Categories) <= maxScopeItems && (t.SuitItem != 2 || len(t.Categories) > 0)},
		{"new_member_days", t.NewMemberDays >= 0 && t.NewMemberDays <= MaxCouponTerm},
		{"levels", t.levelsExist(snap)},
	} {
		if !rule.good {
			return Refusal{Code: TemplateInvalid, Field: rule.field}
		}
	}
	return nil
}

func (t *TemplateTerms) levelsExist(snap *Snapshot) bool {
	if t.EnforceOnGive && t.Restriction == RestrictLevels && len(t.Levels) == 0 {
		return false
	}
	for _, n := range t.Levels {
		if !slices.ContainsFunc(snap.Levels, func(l Level) bool { return l.Number == n }) {
			return false
		}
	}
	return true
}

// Document is the terms as they are stored, and by which two are compared.
func (t *TemplateTerms) Document() string {
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // plain values only: cannot happen
	}
	return string(b)
}

// ParseTemplateTerms reads what Document wrote.
func ParseTemplateTerms(document string) (t TemplateTerms, err error) {
	if err := json.Unmarshal([]byte(document), &t); err != nil {
		return t, fmt.Errorf("terms of a coupon template: %w", err)
	}
	return t, nil
}

// life is when a coupon received at the instant can be used, end exclusive. A
// term counts whole days after the day of receipt (finding G-237).
func (t *TemplateTerms) life(received Instant, snap *Snapshot) (begin, end Instant) {
	if t.Period {
		return t.BeginAt, t.EndAt
	}
	return received, startOfDay(received, snap.loc, t.Term+1)
}

// usableAt tells whether coupons can be redeemed at the store; "" is any.
func (t *TemplateTerms) usableAt(store string) bool {
	return store == "" || t.SuitStore != 1 ||
		slices.ContainsFunc(t.Stores, func(s ScopeItem) bool { return s.ID == store })
}

// mayReceive tells whether the template's restriction lets the member have one.
func (t *TemplateTerms) mayReceive(m *Member, snap *Snapshot, now Instant) bool {
	if !t.EnforceOnGive {
		return true
	}
	switch t.Restriction {
	case RestrictLevels:
		return slices.Contains(t.Levels, m.Level)
	case RestrictNew:
		days := t.NewMemberDays
		if days == 0 {
			days = newMemberDays
		}
		return m.RegisteredAt >= startOfDay(now, snap.loc, -days)
	}
	return true
}

// CouponState is the state of a coupon. The numbers are status in gateway 5.3.
type CouponState int

// The states.
const (
	CouponDeleted CouponState = 0 // final
	CouponValid   CouponState = 1
	CouponUsed    CouponState = 2
	CouponInUse   CouponState = 3
	CouponWaiting CouponState = 4 // before its begin
)

// Coupon is one coupon of a member.
type Coupon struct {
	Member   int64
	Seq      int64 // dense per member, from 1
	ID       int64 // unique in the installation
	Template int64
	Space    string
	Number   string // coupon_number: the issuer's code, unique in the space
	// State is as stored: a waiting coupon is valid once its begin has come,
	// without any row changing. StateAt tells.
	State        CouponState
	GivenAt      Instant // when it was booked
	ReceivedAt   Instant // create_time, as the issuer says
	BeginAt      Instant
	EndAt        Instant // exclusive
	ReceiveStore string
	UsedAt       Instant // 0: not used
	UsedFor      string  // order number in Space, "" for none
	UsedStore    string
	Lapsed       bool // its end has been booked
	App          string
}

// StateAt is the state at an instant.
func (c *Coupon) StateAt(at Instant) CouponState {
	if c.State == CouponWaiting && c.BeginAt <= at {
		return CouponValid
	}
	return c.State
}

// Expired tells whether the coupon's time is over before it was used.
func (c *Coupon) Expired(at Instant) bool {
	return c.EndAt <= at && c.State != CouponDeleted && c.State != CouponUsed
}

// Usable tells whether the coupon counts as one that the member can use.
func (c *Coupon) Usable(at Instant) bool {
	return c.StateAt(at) == CouponValid && c.EndAt > at
}

// unuse makes a used coupon valid again.
func (c *Coupon) unuse() {
	c.State, c.UsedAt, c.UsedFor, c.UsedStore = CouponValid, 0, "", ""
}

// Code is the platform's own code of the coupon.
func (c *Coupon) Code() int64 { return CouponCode(c.Member, c.Seq) }

// couponCodeBase makes 19-digit codes of member and coupon numbers.
const (
	couponCodeBase = 3_000_000_000_000_000_000
	couponSeqs     = 100_000_000
)

// CouponCode is the code of a coupon: 3, the member number in 10 digits, the
// coupon's in 8. It is the primary key written out.
func CouponCode(member, seq int64) int64 { return couponCodeBase + member*couponSeqs + seq }

// ParseCouponCode takes a code apart.
func ParseCouponCode(text string) (member, seq int64, ok bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || len(text) != 19 || n <= couponCodeBase || n > CouponCode(MaxMemberID, couponSeqs-1) {
		return 0, 0, false
	}
	n -= couponCodeBase
	return n / couponSeqs, n % couponSeqs, n/couponSeqs > 0 && n%couponSeqs > 0
}

// couponIdentity is how the platform finds out whose coupon a number is.
func couponIdentity(merchant, space, number string) Identity {
	return Identity{merchant, ByCoupon, numberIn(space, number)}
}
