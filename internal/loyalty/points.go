package loyalty

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// LotKey is what makes two grants join one lot: equal end, equal release and
// equal funding source.
type LotKey struct {
	ExpiresAt   Instant
	AvailableAt Instant // 0: usable from the start
	Source      string
}

// compareSpendOrder sorts keys as points are spent: earliest expiry first, then
// oldest, never-expiring last.
func compareSpendOrder(a, b LotKey) int {
	return cmp.Or(
		cmp.Compare(a.ExpiresAt, b.ExpiresAt),
		cmp.Compare(a.AvailableAt, b.AvailableAt),
		cmp.Compare(a.Source, b.Source),
	)
}

// Lot is points of one member with one life. A lot without points has no row:
// its key says all there is to know about it, so a grant joins it again by
// opening it.
type Lot struct {
	LotKey
	Remaining int64
	Pending   bool // in the waiting period, not part of the balance
}

// Lapsed is what expired out of a lot. A grant that is taken back later does
// not have to be paid for out of other points as far as its own expired
// unused; Attributed is what has been set off in that way.
type Lapsed struct {
	LotKey
	Quantity   int64
	Attributed int64
}

// EntryKind says what a ledger entry is.
type EntryKind int

// The kinds of entries. Their numbers are stored.
const (
	Grant    EntryKind = 1 // points given
	Spend    EntryKind = 2 // points taken
	TakeBack EntryKind = 3 // a grant reversed, in part or whole
	PutBack  EntryKind = 4 // a spend reversed, in part or whole
	Release  EntryKind = 5 // the waiting period of a lot is over
	Expiry   EntryKind = 6 // points past their life
	WriteOff EntryKind = 7 // what a take back could not collect, under the policy floor
)

// Direction is on which side of the ledger the kind stands.
func (k EntryKind) Direction() Direction {
	switch k {
	case Grant, PutBack, Release, WriteOff:
		return Credit
	}
	return Debit
}

// Entry is one line of a member's ledger. The balance is the sum of Points.
type Entry struct {
	Member int64
	No     int64 // dense per member, from 1
	At     Instant
	Kind   EntryKind

	Amount  int64 // magnitude of the change as it was asked for
	Points  int64 // signed effect on the balance
	Pending int64 // signed effect on pending points
	Deficit int64 // signed effect on the deficit
	Lapsed  int64 // what of Amount had expired, or was given back in vain
	Balance int64 // balance after the entry

	Operation Operation
	Reverses  int64 // number of the entry that this one reverses, or writes off for; 0 for none
	Reversed  int64 // how much of Amount later entries reversed
	Credits   int64 // how many of the member's entries up to this one are income
	Parts     Parts // which lots it changed, and by how much

	// Decision says why a grant is what it is; nil for what was booked before
	// there were records, and for most debits.
	Decision *Decision

	App   string // app that asked, "" for operators and for what time brings
	Space string // number space of the app, in which OrderNo is a number
	Note
}

// Note is what the caller tells about a change. It decides nothing about the
// change itself; OrderNo and Activity let a later return find it.
type Note struct {
	Event    string // change_event of gateway 3.3
	Reason   string // change_reason, or the operation's name
	OrderNo  string // out_biz_no, orderId
	Activity string
	Detail   Detail
}

// Detail is the rarely used rest of a note.
type Detail struct {
	Remark        string `json:"remark,omitempty"`
	OperationName string `json:"operation_name,omitempty"`
	BusinessType  string `json:"business_type,omitempty"`
	Operator      string `json:"operator,omitempty"`
	OperatorID    string `json:"operator_id,omitempty"`
	OrgCode       string `json:"org_code,omitempty"`
	OrgType       string `json:"org_type,omitempty"`
	OrderFen      int64  `json:"order_fen,omitempty"` // amount of the order, in fen
	Refund        string `json:"refund,omitempty"`    // number of the refund that took the points back
}

// Order names the order of the entry.
func (e *Entry) Order() OrderKey { return OrderKey{Space: e.Space, No: e.OrderNo} }

// Left is how much of the entry can still be reversed.
func (e *Entry) Left() int64 { return e.Amount - e.Reversed }

// Part is what an entry did to one lot.
type Part struct {
	LotKey
	Quantity int64 // signed
}

// Parts is written as text, one "expires:available:quantity:source" after the
// other, separated by blanks. It is read and written with its entry, always as
// a whole, and so needs no rows of its own.
type Parts []Part

// String writes the parts as they are stored.
func (p Parts) String() string {
	if len(p) == 0 {
		return ""
	}
	b := make([]byte, 0, 40*len(p))
	for i, part := range p {
		if i > 0 {
			b = append(b, ' ')
		}
		b = appendInstant(b, part.ExpiresAt)
		b = append(b, ':')
		b = appendInstant(b, part.AvailableAt)
		b = append(b, ':')
		b = strconv.AppendInt(b, part.Quantity, 10)
		b = append(b, ':')
		b = append(b, escapeSource(part.Source)...)
	}
	return string(b)
}

// ParseParts reads what String wrote.
func ParseParts(text string) (Parts, error) {
	if text == "" {
		return nil, nil
	}
	var parts Parts
	for word := range strings.SplitSeq(text, " ") {
		f := strings.SplitN(word, ":", 4)
		if len(f) != 4 {
			return nil, fmt.Errorf("parts of an entry: %q", word)
		}
		expires, err1 := parseInstant(f[0])
		available, err2 := parseInstant(f[1])
		quantity, err3 := strconv.ParseInt(f[2], 10, 64)
		if err := cmp.Or(err1, err2, err3); err != nil {
			return nil, fmt.Errorf("parts of an entry: %w", err)
		}
		key := LotKey{ExpiresAt: expires, AvailableAt: available, Source: sourceUnescaper.Replace(f[3])}
		parts = append(parts, Part{LotKey: key, Quantity: quantity})
	}
	return parts, nil
}

var (
	sourceEscaper   = strings.NewReplacer("%", "%25", " ", "%20")
	sourceUnescaper = strings.NewReplacer("%20", " ", "%25", "%")
)

func escapeSource(s string) string {
	if s == "" {
		return s
	}
	return sourceEscaper.Replace(s)
}

func appendInstant(b []byte, i Instant) []byte {
	if i == Never {
		return append(b, '-')
	}
	return strconv.AppendInt(b, int64(i), 10)
}

func parseInstant(text string) (Instant, error) {
	if text == "-" {
		return Never, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return Instant(n), err
}
