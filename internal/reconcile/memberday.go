package reconcile

import (
	"encoding/json"
	"strings"

	"github.com/memberd/memberd/internal/loyalty"
)

// MemberDay is what was booked for one member in a day, oldest first.
type MemberDay struct {
	ID      int64
	OpenID  string
	Orders  []DayOrder
	Entries []loyalty.Entry
	Keys    []loyalty.KeyRow // those used in the day; of neighbouring days some more
}

// DayOrder is an order or a refund with the store that its caller named.
type DayOrder struct {
	loyalty.Order
	Store string
}

// Filter selects what a partner's file is about.
type Filter struct {
	Space string // number space of the partner's app, "" for the shared one
	Store string // "" for all
	App   string // "" for all
}

func (f Filter) takes(space, store, app string) bool {
	return space == f.Space && (f.Store == "" || store == f.Store) && (f.App == "" || app == f.App)
}

// LineOf is an order or a refund as the day's file has it.
func LineOf(o DayOrder, openID string) Line {
	l := Line{
		Kind: Order, Number: o.No, Parent: o.Parent, OpenID: openID, MemberID: loyalty.MemberIDText(o.Member),
		Store: o.Store, State: stateNames[o.State], Amount: o.Amount, Points: o.Points, Consumed: Moment{o.ConsumedAt, second},
		Booked: &Booked{Member: o.Member, At: o.BookedAt, App: o.App, Order: &o.Order},
	}
	if o.Kind == loyalty.Refund {
		l.Kind = Refund
	}
	if o.Entry != 0 {
		l.Booked.Statement = loyalty.StatementID(o.Member, o.Entry)
	}
	return l
}

// Lines are a member's lines of a day: the orders and refunds, then the changes
// of points that apps asked for. What time brings, what operators do and what an
// order or a refund moved are no changes of their own.
func (d *MemberDay) Lines(f Filter) (lines []Line) {
	ofOrders := map[int64]bool{}
	for _, o := range d.Orders {
		ofOrders[o.Entry] = true
		if f.takes(o.Space, o.Store, o.App) {
			lines = append(lines, LineOf(o, d.OpenID))
		}
	}
	k := newKeys(d.Keys, ofOrders)
	for i := 0; i < len(d.Entries); i++ {
		e := &d.Entries[i]
		if !asked(e) || ofOrders[e.No] {
			continue
		}
		kind, key, last := k.of(d.Entries, i)
		if key == "" && e.Operation == loyalty.OpRegisterGift {
			continue // came with the registration
		}
		l := Line{
			Kind: kind, Number: key, OpenID: d.OpenID, MemberID: loyalty.MemberIDText(d.ID), Store: e.Detail.OrgCode, State: stateNames[loyalty.Booked],
			Amount: e.Detail.OrderFen,
			Booked: &Booked{Member: d.ID, At: e.At, Statement: loyalty.StatementID(d.ID, e.No), App: e.App, Left: e.Left()},
		}
		for ; i <= last; i++ {
			if asked(&d.Entries[i]) {
				l.Points += signed(&d.Entries[i])
			}
		}
		i = last
		if key == "" {
			l.Number = l.Booked.Statement
		}
		if f.takes(e.Space, l.Store, e.App) {
			lines = append(lines, l)
		}
	}
	return lines
}

// asked tells whether an app asked for an entry as such.
func asked(e *loyalty.Entry) bool {
	switch e.Kind {
	case loyalty.Grant, loyalty.Spend, loyalty.TakeBack, loyalty.PutBack:
		return e.App != "" && e.Detail.Refund == ""
	}
	return false
}

func signed(e *loyalty.Entry) int64 {
	if e.Kind.Direction() == loyalty.Debit {
		return -e.Amount
	}
	return e.Amount
}

// answer is what the stored answers of changes have in common.
type answer struct {
	Entry     int64             `json:"entry"`
	Direction loyalty.Direction `json:"direction"` // of changes, 0 in answers of reversals
	Points    int64             `json:"points"`    // positive
	Balance   int64             `json:"balance"`
}

func answerOf(row *loyalty.KeyRow) (a answer) {
	_ = json.Unmarshal([]byte(row.Answer), &a) // ours; one that is none says nothing
	return a
}

// keys finds the key under which an entry was booked. Entries do not hold it:
// the key's row names the entry, or for reversals its stored answer does.
type keys struct {
	byEntry map[int64]*loyalty.KeyRow
	returns []*loyalty.KeyRow // of envelope 2.3, which may make several entries
}

func newKeys(rows []loyalty.KeyRow, ofOrders map[int64]bool) *keys {
	k := &keys{byEntry: map[int64]*loyalty.KeyRow{}}
	for i := range rows {
		row := &rows[i]
		switch row.Operation {
		case loyalty.KeyOrder, loyalty.KeyRefund:
			ofOrders[row.Entry] = true
		case loyalty.KeyReturn:
			if row.Entry != 0 {
				k.byEntry[row.Entry] = row
			} else {
				k.returns = append(k.returns, row)
			}
		case loyalty.KeyRollbackByChange, loyalty.KeyRollbackStatement:
			if entry := answerOf(row).Entry; entry != 0 {
				k.byEntry[entry] = row
			}
		default:
			if row.Entry != 0 {
				k.byEntry[row.Entry] = row
			}
		}
	}
	return k
}

// of is the kind and the key of the entry at i, "" where it has none, and the
// index of the last entry that the same call made.
func (k *keys) of(entries []loyalty.Entry, i int) (Kind, string, int) {
	e := &entries[i]
	if row := k.byEntry[e.No]; row != nil {
		return Kind(row.Operation), row.Key, i
	}
	if e.Reverses == 0 {
		return Update, "", i // only 2.1 goes without a key
	}
	var moved int64
	for last := i; last < len(entries); last++ {
		next := &entries[last]
		writeOff := next.Kind == loyalty.WriteOff && last > i
		if next.At != e.At || next.App != e.App || !writeOff && (next.Reverses == 0 || !asked(next) || last > i && k.byEntry[next.No] != nil) {
			break
		}
		if !writeOff {
			moved += next.Amount
		}
		for r, row := range k.returns {
			if a := answerOf(row); row.At == e.At && a.Points == moved && a.Balance == next.Balance {
				k.returns = append(k.returns[:r:r], k.returns[r+1:]...)
				return Return, row.Key, last
			}
		}
	}
	return Return, "", i
}

// normal is a number as it is compared: files lose blanks around a field, and
// how its lines end.
func normal(number string) string {
	if strings.ContainsRune(number, '\r') {
		number = strings.ReplaceAll(number, "\r\n", "\n")
	}
	return strings.TrimSpace(number)
}
