package loyalty

import (
	"errors"
	"strconv"
)

// Code names one reason for which a command is refused. The list is closed:
// each door has one table from codes to its own numbers and texts.
type Code int

// The codes in groups, in the order in which the groups take precedence.
const (
	// Shape: what was asked for makes no sense by itself.
	PhoneMalformed     Code = iota + 1 // a phone that is not 11 digits beginning with 1
	EventUnknown                       // a change event that the merchant has not registered
	PointsMissing                      // neither points nor an amount, and the event has no fixed value
	PointsNotPositive                  // points below 0
	AmountTooLarge                     // more money than MaxAmount to compute points from
	DirectionMismatch                  // an operation type of the other direction, or none of the 17
	NothingNamed                       // a call that does not name what it is about
	AmountNegative                     // money below 0
	TimeAhead                          // a time more than five minutes ahead of the merchant's clock
	TemplateInvalid                    // terms of a coupon template that make no sense
	GiveCount                          // no entries, too many, or a member with more or fewer than the call says
	CouponRepeated                     // one coupon number twice in a list
	CouponStateUnknown                 // a state that is none of the five

	// Member: who is meant.
	MemberNotFound  // nobody by that id, open id or phone
	MembersDisagree // two references that name two members

	// The thing named by the caller.
	StatementNotFound      // no ledger entry by that statement id, change id or order
	StatementForeign       // an entry of another member
	StatementNotReversible // an entry that can't be reversed: a reversal, an expiry, a release
	OrderNotFound          // no order by that number, another member's, or a refund
	TemplateNotFound       // no coupon template by that number
	CouponNotFound         // no coupon by that code, or another member's

	// Idempotency.
	KeyReused // the key was used for something else, or its change was declared void

	// Bounds.
	MemberDisabled   // a disabled member neither earns nor spends
	MemberErased     // an erased member neither earns nor spends
	PhoneTaken       // the phone belongs to another member
	OuterIDTaken     // the outer number belongs to another member
	ChannelTaken     // the union id or open id of a channel belongs to another member
	CreditTooLarge   // more points in one call than the merchant allows
	RollbackTooLarge // more than is left to roll back
	NothingLeft      // everything has been rolled back already
	NoPointsRule     // no points rule, or it is not in force
	NothingToChange  // the member is in that state already
	TooManyMarks     // more labels or paid cards than a member can have
	RefundTooLarge   // more money or points than is left of the order
	DailyCapReached  // more points of an event than a member can have in a day

	TemplateTaken      // the template's number has other terms
	TemplateOver       // the template's period has ended
	CouponTaken        // the coupon's number is another coupon's
	RestrictionUnmet   // the template is for other members
	StockExhausted     // no coupons of the template are left
	ClaimLimitReached  // the member has all it may have of the template
	CouponStateRefused // the coupon can't come into that state from where it is
	CouponNotUsable    // deleted, used, not begun, expired or not for the store

	// Balance.
	PointsInsufficient // the balance does not cover it

	codeEnd
)

// Codes lists every code, for tests that prove a table complete.
func Codes() []Code {
	all := make([]Code, 0, codeEnd-1)
	for c := Code(1); c < codeEnd; c++ {
		all = append(all, c)
	}
	return all
}

var codeNames = map[Code]string{
	PhoneMalformed: "phone malformed", EventUnknown: "event unknown", PointsMissing: "points missing",
	PointsNotPositive: "points not positive", AmountTooLarge: "amount too large", DirectionMismatch: "direction mismatch", NothingNamed: "nothing named",
	MemberNotFound: "member not found", MembersDisagree: "members disagree",
	StatementNotFound: "statement not found", StatementForeign: "statement of another member", StatementNotReversible: "statement not reversible",
	KeyReused: "key reused", MemberDisabled: "member disabled", MemberErased: "member erased", PhoneTaken: "phone taken",
	OuterIDTaken: "outer id taken", ChannelTaken: "channel taken", CreditTooLarge: "credit too large",
	RollbackTooLarge: "rollback too large", NothingLeft: "nothing left", NoPointsRule: "no points rule", DailyCapReached: "daily cap reached",
	NothingToChange: "nothing to change", PointsInsufficient: "points insufficient",
	AmountNegative: "amount negative", TimeAhead: "time ahead", TemplateInvalid: "template invalid",
	GiveCount: "give count", CouponRepeated: "coupon repeated", CouponStateUnknown: "coupon state unknown",
	OrderNotFound: "order not found", TemplateNotFound: "template not found", CouponNotFound: "coupon not found",
	TooManyMarks: "too many marks", RefundTooLarge: "refund too large", TemplateTaken: "template taken",
	TemplateOver: "template over", CouponTaken: "coupon taken", RestrictionUnmet: "restriction unmet",
	StockExhausted: "stock exhausted", ClaimLimitReached: "claim limit reached",
	CouponStateRefused: "coupon state refused", CouponNotUsable: "coupon not usable",
}

// String is the English name of a code, for logs.
func (c Code) String() string {
	if s, ok := codeNames[c]; ok {
		return s
	}
	return "unknown code"
}

// Error makes a code usable as an error by itself.
func (c Code) Error() string { return "loyalty: " + c.String() }

// Refusal is a code with the place in what the caller sent: a field of the wire,
// or an item of a list. It holds no values, which may be personal data.
type Refusal struct {
	Code  Code
	Field string
	Item  int // from 1; 0: none
}

// Error names the code and the place.
func (r Refusal) Error() string {
	switch {
	case r.Field != "":
		return r.Code.Error() + ": " + r.Field
	case r.Item != 0:
		return r.Code.Error() + ": item " + strconv.Itoa(r.Item)
	}
	return r.Code.Error()
}

// Unwrap is the code.
func (r Refusal) Unwrap() error { return r.Code }

// CodeOf finds the code in err's chain; ok is false when there is none.
func CodeOf(err error) (c Code, ok bool) {
	ok = errors.As(err, &c)
	return c, ok
}

// beforeIdempotency tells whether a refusal takes precedence over a reused key:
// the caller hears first that the member or the statement does not exist.
func (c Code) beforeIdempotency() bool { return c < KeyReused }
