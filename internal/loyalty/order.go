package loyalty

import "math/bits"

// OrderKey names an order or a refund: its number means something in a number
// space only, and there it is unique across all members.
type OrderKey struct{ Space, No string }

// identity is how the platform finds out whose order it is.
func (k OrderKey) identity(merchant string) Identity {
	return Identity{merchant, ByOrder, numberIn(k.Space, k.No)}
}

// numberIn writes a number with its space. Names of spaces hold no slash.
func numberIn(space, number string) string { return space + "/" + number }

// OrderKind says what an order row is.
type OrderKind int

// The kinds. Their numbers are stored.
const (
	Purchase OrderKind = 1 // a consumption order, gateway 4.1
	Refund   OrderKind = 2 // gateway 4.2
)

// OrderState says what has become of an order row.
type OrderState int

// The states. Their numbers are stored.
const (
	Booked   OrderState = 1
	Parked   OrderState = 2 // a refund that waits for its order
	Declined OrderState = 3 // a parked refund that did not fit its order when that landed
)

// Order is a consumption order or a refund. Points and growth are what it
// moved, not negative: a refund's are what it took back.
type Order struct {
	Member int64
	Seq    int64 // dense per member, from 1
	ID     int64 // order_id, unique in the installation
	OrderKey
	Kind       OrderKind
	State      OrderState
	Parent     string // of a refund: the order's number, in the same space
	BookedAt   Instant
	ConsumedAt Instant // as the caller says
	Amount     int64   // fen
	Points     int64
	Growth     int64
	Entry      int64 // number of the first ledger entry it made, 0 for none

	// Of an order: what its refunds have taken back so far.
	Refunded   int64 // fen
	TakenBack  int64 // points
	GrowthBack int64

	Decision Decision
	App      string
}

// OrderInfo is what a caller tells about an order and the platform only keeps.
// Who bought, who sold and how it was paid is personal data and encrypted at
// rest; erasing the member removes it.
type OrderInfo struct {
	Store       string `json:"store_id,omitempty"`
	Shop        string `json:"shop_id,omitempty"`
	Description string `json:"desc,omitempty"`
	Material    string `json:"material_info,omitempty"` // free text, mostly JSON, as sent
	BillHead    string `json:"bill_head,omitempty"`
	BillNo      string `json:"bill_no,omitempty"`
	BillDate    string `json:"bill_date,omitempty"`
	BillStart   string `json:"bill_start_time,omitempty"`
	BillEnd     string `json:"bill_end_time,omitempty"`
	CashierNo   string `json:"cashier_no,omitempty"`

	Papers OrderPapers `json:"-"`
}

// OrderPapers is the personal part of an order.
type OrderPapers struct {
	Settlement   string `json:"fin_entity_info,omitempty"` // as sent
	PaperKind    string `json:"psea_zjlx,omitempty"`
	PaperName    string `json:"psea_zjlx_name,omitempty"`
	PaperNumber  string `json:"psea_zjhm,omitempty"`
	CashierName  string `json:"cashier_name,omitempty"`
	MemberNumber string `json:"vip_number,omitempty"`
	MemberName   string `json:"vip_name,omitempty"`
}

// aheadLimit is how far a caller's clock may be ahead of the merchant's.
const aheadLimit = Instant(5 * 60 * 1000)

// of is how much an amount in fen gives at r per yuan: one rounding, down.
func (r Fraction) of(fen int64) int64 {
	if r.Num == 0 {
		return 0
	}
	return mulDiv(fen, r.Num, 100*r.Den)
}

// mulDiv is a*b/c rounded down, without an overflow in between; none of them is
// negative and the result fits.
func mulDiv(a, b, c int64) int64 {
	q, _ := mulDivRest(a, b, c)
	return q
}

// mulDivRest is mulDiv with what rounding leaves.
func mulDivRest(a, b, c int64) (quotient, rest int64) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	q, r := bits.Div64(hi, lo, uint64(c))
	return int64(q), int64(r)
}

// left is the fen of the order that no refund has taken yet.
func (o *Order) left() int64 { return o.Amount - o.Refunded }

// addOrder numbers an order and keeps it. The totals count it when it is booked.
// It is never booked before the period in which it counts, though a clock that
// is behind the one that closed the last period may say so.
func (a *account) addOrder(o Order) *Order {
	a.Orders++
	o.Member, o.Seq, o.BookedAt = a.ID, a.Orders, max(a.now, a.PeriodStart)
	if a.now < o.BookedAt {
		o.Decision.At = a.now
	}
	if o.Entry == 0 {
		o.Decision.Place = a.Entries + 1
	}
	a.orders = append(a.orders, o)
	return &a.orders[len(a.orders)-1]
}

// changeOrder keeps an order as it is now; its row was there before.
func (a *account) changeOrder(o Order) {
	for i := range a.orders {
		if a.orders[i].Seq == o.Seq {
			a.orders[i] = o
			return
		}
	}
	a.orders = append(a.orders, o)
}

// consume counts an order into the member's consumption, growth value and level.
func (a *account) consume(o *Order) {
	a.ConsumeCount++
	a.ConsumeFen += o.Amount
	a.grow(o.Growth)
}
