package loyalty

import (
	"fmt"
	"strconv"
	"strings"
)

// Status is the state of a member.
type Status int

// The states. Their numbers are stored; statusFlag on the wire is 1 for Active
// and 0 for the others.
const (
	Active   Status = 1
	Disabled Status = 2 // can be read; earning, spending, coupons and codes are refused
	Erased   Status = 3 // personal data is gone, ledger and keys stay
)

// Member is the part of a member that changes with its points. Personal data
// is apart, in [Profile], so that a points change never touches it.
type Member struct {
	ID       int64 // member number, at most 10 digits
	Merchant string
	OpenID   string // 32 hex digits
	Status   Status

	Level  int64 // number of the level reached
	Growth int64 // growth value of the present period
	// Held is the level that the last period has earned for this one; 0 for none.
	Held int64
	// Kept is the level that a change of the levels has left the member; 0 for
	// none. It goes with the period, or when the member fits it anyway.
	Kept int64
	// PeriodStart and PeriodEnd bound the period in which growth value counts;
	// 0 and Never where there are no periods. The end is exclusive.
	PeriodStart Instant
	PeriodEnd   Instant
	// AnnouncedUntil is up to which expiry EventPointsExpiring has been sent.
	AnnouncedUntil Instant

	Earned  int64 // totalScore: granted, less what was taken back
	Used    int64 // usedScore: spent and expired, less what was given back
	Balance int64 // currentScore = Earned - Used = usable lots - Deficit
	Pending int64 // granted, in the waiting period
	Deficit int64 // taken back beyond the balance, filled by later credits

	Entries    int64 // number of ledger entries, the last one's number
	Credits    int64 // how many of them are income
	Audits     int64 // number of audit records
	Orders     int64 // number of orders and refunds
	Coupons    int64 // number of coupons ever given
	LevelMoves int64 // number of changes of the level

	ConsumeCount int64 // orders, less those that were refunded as a whole
	ConsumeFen   int64 // money of orders, less refunds

	NextDueAt    Instant // when the next lot is released or expires
	LastEntryAt  Instant // time of the newest entry; time never runs back for a member
	RegisteredAt Instant
}

// Limits of what callers may write, in characters. The documents give none;
// without any one caller could fill the database.
const (
	MaxKey  = 128   // ids and numbers
	MaxName = 255   // names and other short texts
	MaxText = 1_000 // reasons, remarks
	MaxURL  = 2_048
)

// memberIDBase makes 18-digit member ids of member numbers.
const memberIDBase = 100_000_000_000_000_000

// MaxMemberID is the largest member number: it has to fit the 10 digits that
// statement ids and member codes have for it.
const MaxMemberID = 9_999_999_999

// MemberIDText is the memberId of the envelope protocol, 18 digits.
func MemberIDText(id int64) string { return strconv.FormatInt(memberIDBase+id, 10) }

// ShownMemberID is the memberId that a member is known by: the one it came with
// from another system, else its own.
func ShownMemberID(external string, id int64) string {
	if external != "" {
		return external
	}
	return MemberIDText(id)
}

// ParseMemberID reads a memberId; ok is false for anything else than the
// 18 digits that MemberIDText makes.
func ParseMemberID(text string) (id int64, ok bool) {
	if len(text) != 18 {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= memberIDBase || n > memberIDBase+MaxMemberID {
		return 0, false
	}
	return n - memberIDBase, true
}

// StatementID is the number of a ledger entry on the wire: "SP", the member
// number in 10 digits, the entry number in 8.
func StatementID(member, entry int64) string {
	return fmt.Sprintf("SP%010d%08d", member, entry)
}

// ParseStatementID takes a statement id apart.
func ParseStatementID(text string) (member, entry int64, ok bool) {
	if len(text) != 20 || text[:2] != "SP" {
		return 0, 0, false
	}
	for _, c := range []byte(text[2:]) {
		if c < '0' || c > '9' {
			return 0, 0, false
		}
	}
	member, _ = strconv.ParseInt(text[2:12], 10, 64)
	entry, _ = strconv.ParseInt(text[12:], 10, 64)
	return member, entry, member > 0 && entry > 0
}

// Profile is who a member is. All of it but Nickname, the month and day of
// birth and the store is personal data and encrypted at rest.
type Profile struct {
	Nickname   string `json:"-"`
	BirthMonth int    `json:"-"` // 1 to 12, 0 unknown
	BirthDay   int    `json:"-"`
	Store      string `json:"-"` // store or project where the member registered

	// ExternalID is the memberId under which the member came from another
	// system; it is shown instead of our own.
	ExternalID string `json:"external_id,omitempty"`

	Phone        string    `json:"phone,omitempty"`
	RealName     string    `json:"real_name,omitempty"`
	Gender       int       `json:"gender,omitempty"` // 0 unknown, 1 male, 2 female
	Birthday     string    `json:"birthday,omitempty"`
	IDCard       string    `json:"id_card,omitempty"`
	Email        string    `json:"email,omitempty"`
	Country      string    `json:"country,omitempty"`
	Province     string    `json:"province,omitempty"`
	City         string    `json:"city,omitempty"`
	Photo        string    `json:"photo,omitempty"`
	QID          string    `json:"q_id,omitempty"`
	OuterUserID  string    `json:"outer_user_id,omitempty"`
	Company      string    `json:"company,omitempty"`
	Remark       string    `json:"remark,omitempty"`
	EmployeeID   string    `json:"employee_id,omitempty"`
	EmployeeName string    `json:"employee_name,omitempty"`
	Channels     []Channel `json:"channels,omitempty"`
}

// Channel is one way by which a member came: a mini-program, an official
// account, a till.
type Channel struct {
	Code           string  `json:"code"`
	ID             string  `json:"id"`
	CardCode       string  `json:"card_code,omitempty"`
	CardID         string  `json:"card_id,omitempty"`
	Store          string  `json:"store,omitempty"`
	RegisterType   string  `json:"register_type,omitempty"`
	ThirdPartyCode string  `json:"third_party_code,omitempty"` // open id of the channel
	UnionID        string  `json:"union_id,omitempty"`
	CreatedAt      Instant `json:"created_at"`
	UpdatedAt      Instant `json:"updated_at"`
}

// IdentityKind is a kind of name by which a member can be looked up.
type IdentityKind string

// The kinds. Values of the first four are personal data: a store keeps only a
// keyed hash of them.
const (
	ByPhone      IdentityKind = "phone"
	ByOuterID    IdentityKind = "outer_user"
	ByUnionID    IdentityKind = "union"
	ByThirdParty IdentityKind = "third_party" // value: channel code, colon, open id of the channel
	ByOpenID     IdentityKind = "open_id"
	ByExternalID IdentityKind = "external_id"
	ByOrder      IdentityKind = "order"  // value: space, slash, number
	ByCoupon     IdentityKind = "coupon" // value: space, slash, number
)

// Secret tells whether values of the kind are personal data.
func (k IdentityKind) Secret() bool {
	switch k {
	case ByPhone, ByOuterID, ByUnionID, ByThirdParty:
		return true
	}
	return false
}

// Identity is one name of a member, or of an order or coupon of one, unique
// within the merchant.
type Identity struct {
	Merchant string
	Kind     IdentityKind
	Value    string
}

// ValidPhone tells whether text is a mobile number as both documents have it:
// 11 digits beginning with 1.
func ValidPhone(text string) bool {
	if len(text) != 11 || text[0] != '1' {
		return false
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// MaskNumber hides all of an id number but its first three and last four
// characters; of a short one everything.
func MaskNumber(number string) string {
	const head, tail = 3, 4
	text := []rune(number)
	if len(text) < 2*(head+tail) {
		return strings.Repeat("*", len(text))
	}
	return string(text[:head]) + strings.Repeat("*", len(text)-head-tail) + string(text[len(text)-tail:])
}

// Audit records a change of a member that is no points change: who, what, why.
// The reason is an operator's free text; the rest holds no personal data.
type Audit struct {
	Member   int64
	No       int64 // dense per member
	At       Instant
	Action   string
	Operator string
	Reason   string
}
