package loyalty

import (
	"encoding/json"
	"fmt"
)

// Command is a change asked for, as a value.
type Command[R any] interface {
	// Key is the caller's idempotency key; the zero Key for none.
	Key() Key
	// Refs names every row that Decide may look at.
	Refs() Refs
	// Decide says what the rows shall be and what the caller gets. It is pure;
	// its error is a [Code], and then it has no effects.
	Decide(*View, Stamp) (Effects, R, error)
}

// Stamp is what a decision needs from outside: the time and fresh ids.
type Stamp struct {
	Now Instant // the merchant's clock, read after the member was locked
	// NewID is the first of the fresh numbers that the refs ask for, and OpenID
	// fresh for commands that ask for a new member.
	NewID  int64
	OpenID string
}

// IDKind is a kind of number that the database hands out.
type IDKind string

// The kinds.
const (
	MemberIDs   IDKind = "member"
	OrderIDs    IDKind = "order"
	TemplateIDs IDKind = "template"
	CouponIDs   IDKind = "coupon"
)

// NewIDs asks for fresh numbers of a kind, in a row.
type NewIDs struct {
	Kind  IDKind
	Count int64
}

// Who refers to a member in one or several ways, which must agree.
type Who struct {
	Merchant   string
	ID         int64
	OpenID     string
	Phone      string
	ExternalID string
}

// Identities are the look-ups that w needs: one for each name it gives.
func (w Who) Identities() []Identity {
	var ids []Identity
	for _, i := range []Identity{
		{w.Merchant, ByOpenID, w.OpenID},
		{w.Merchant, ByPhone, w.Phone},
		{w.Merchant, ByExternalID, w.ExternalID},
	} {
		if i.Value != "" {
			ids = append(ids, i)
		}
	}
	return ids
}

// Refs names the rows of one command.
type Refs struct {
	Who     Who   // the member; its row and its open lots come with it
	Holders []Who // members whose rows alone are needed, without lots
	// Identities are further names that must be looked up, taken or not. The
	// order or coupon that a number names comes with it.
	Identities []Identity
	Keys       []KeyID     // of the member; the entry that a key made comes with it
	Entries    []int64     // numbers of the member's entries
	Order      OrderKey    // all entries of the member of this order
	RefundsOf  OrderKey    // refunds of the member that wait for this order
	CouponsOf  OrderKey    // coupons of the member that were redeemed for this order
	Coupons    []int64     // numbers of the member's coupons
	Template   TemplateKey // a template, to be changed
	Profile    bool        // the member's personal data
	Marks      bool        // the member's labels and paid cards
	// What the merchant's rules may want to look at besides: see RuleNeeds.
	Event    string       // a change event that the command books
	Purchase *PurchaseRef // money that may earn points
	Reverses bool         // entries named above may be reversed
	New      NewIDs       // fresh numbers; for a member an open id as well
}

// PurchaseRef refers to money that may earn points, by the time of the purchase:
// At, or Now for the time of booking.
type PurchaseRef struct {
	At  Instant
	Now bool
}

// AllIdentities are all look-ups of the command.
func (r *Refs) AllIdentities() []Identity {
	all := r.Who.Identities()
	for _, w := range r.Holders {
		all = append(all, w.Identities()...)
	}
	return append(all, r.Identities...)
}

// KeyOperation separates the key spaces of operations: the documents' own
// examples use one id for several of them (E-017, G-101).
type KeyOperation string

// The operations that take a key.
const (
	KeyChange            KeyOperation = "change"             // gateway 3.3
	KeyRollbackByChange  KeyOperation = "rollback_change"    // gateway 3.4 without a statement id
	KeyRollbackStatement KeyOperation = "rollback_statement" // gateway 3.4 with one
	KeyOpt               KeyOperation = "opt"                // envelope 1.3
	KeyUpdate            KeyOperation = "update"             // envelope 2.1
	KeySend              KeyOperation = "send"               // envelope 2.2
	KeyReturn            KeyOperation = "return"             // envelope 2.3
	KeyOrder             KeyOperation = "order"              // gateway 4.1
	KeyRefund            KeyOperation = "refund"             // gateway 4.2
)

// KeyID names an idempotency key of a member.
type KeyID struct {
	Space     string // number space of the app
	Operation KeyOperation
	Key       string
}

// Key is an idempotency key with what the call was about.
type Key struct {
	KeyID
	// Fingerprint is what decides the outcome, after parsing: directions,
	// numbers and names of rules, never free text.
	Fingerprint string
	// BarredBy is an operation that has declared this key void by using the
	// same id: a change whose rollback came first (finding G-108).
	BarredBy KeyOperation
}

// KeyRow is a used key: the first call's fingerprint and answer.
type KeyRow struct {
	Member int64
	KeyID
	Fingerprint string
	Answer      string // JSON of the result; ids and numbers only
	Entry       int64  // number of the ledger entry that the call made, 0 for none
	At          Instant
}

// Effects are the rows as they shall be after a command. Rows are keyed by
// their own ids; what is not named stays as it is.
type Effects struct {
	Member   *Member  // nil: no change
	At       Instant  // merchant's clock
	Profile  *Profile // nil: no change
	Created  bool     // Member is new
	Lots     []Lot    // Remaining 0 removes the lot
	Lapsed   []Lapsed
	Entries  []Entry // new ones, ascending
	Reversed []Entry // older ones whose Reversed moved
	Claimed  []Identity
	Released []Identity
	Audit    []Audit
	Key      *KeyRow

	Orders     []Order // new ones and changed ones
	OrderInfo  *OrderInfoRow
	Coupons    []Coupon // new ones and changed ones
	Claims     *Claims
	Marks      *Marks // nil: no change
	Forget     bool   // the personal part of all orders
	Template   *Template
	LevelMoves []LevelMove // new ones
	Tallies    []Tally     // as they shall be
	Tell       []Callback  // what partners are told besides what follows from the rest
	Others     []Effects   // of further members
}

// Claims is how many coupons of a template a member has been given, counted for
// templates that limit it.
type Claims struct{ Member, Template, Count int64 }

// OrderInfoRow is what a caller told about an order, with the order's number.
type OrderInfoRow struct {
	Member   int64
	Merchant string
	Seq      int64
	OrderInfo
}

// Empty tells whether there is nothing to save.
func (e *Effects) Empty() bool {
	return e.Member == nil && e.Key == nil && e.Template == nil && len(e.Others) == 0
}

// TookID tells whether a row got the fresh number that the command asked for.
func (e *Effects) TookID(kind IDKind) bool {
	switch kind {
	case MemberIDs:
		return e.Created
	case OrderIDs:
		return len(e.Orders) > 0
	case TemplateIDs:
		return e.Template != nil
	}
	return len(e.Others) > 0
}

// AnyCommand is a command whose result type is forgotten, so that different
// commands can stand in one queue.
type AnyCommand struct {
	Refs Refs
	// Decide runs the command against what has been loaded and what earlier
	// commands of the batch did. result is the command's R.
	Decide func(*WorkingSet, Stamp) (effects Effects, result any, err error)
}

// Any forgets the result type of a command.
func Any[R any](c Command[R]) AnyCommand {
	refs := c.Refs()
	key := c.Key()
	if key.Key != "" {
		refs.Keys = append(refs.Keys, key.KeyID)
		if key.BarredBy != "" {
			refs.Keys = append(refs.Keys, key.barrier())
		}
	}
	return AnyCommand{Refs: refs, Decide: func(ws *WorkingSet, at Stamp) (Effects, any, error) {
		effects, result, err := decideOnce(c, key, &View{ws: ws, refs: &refs}, at)
		return effects, result, err
	}}
}

func (k Key) barrier() KeyID {
	return KeyID{Space: k.Space, Operation: k.BarredBy, Key: k.Key}
}

// decideOnce is idempotency, once for all commands. A key that was used for
// the same thing answers as the first time, whatever has changed since. A key
// used for something else is refused, unless what the call names does not even
// exist: refusals have a fixed order.
func decideOnce[R any](c Command[R], key Key, v *View, at Stamp) (Effects, R, error) {
	var result R
	if v.Snapshot() == nil { // no such merchant, hence no such member
		return Effects{}, result, MemberNotFound
	}
	member, found := v.memberOf(v.refs.Who)
	if key.Key == "" || !found {
		effects, result, err := c.Decide(v, at)
		return effects, result, err
	}
	row := v.key(member, key.KeyID)
	barred := key.BarredBy != "" && v.key(member, key.barrier()) != nil
	if row != nil && row.Fingerprint == key.Fingerprint && !barred {
		if err := json.Unmarshal([]byte(row.Answer), &result); err != nil {
			return Effects{}, result, fmt.Errorf("stored answer of key: %w", err)
		}
		if key.Operation == KeyChange && v.Snapshot().StrictChangeID {
			return Effects{}, result, KeyReused
		}
		return Effects{}, result, nil
	}
	if row != nil || barred {
		_, _, err := c.Decide(v, at)
		if code, ok := CodeOf(err); ok && code.beforeIdempotency() {
			return Effects{}, result, err
		}
		return Effects{}, result, KeyReused
	}
	effects, result, err := c.Decide(v, at)
	if err != nil {
		var none R
		return Effects{}, none, err
	}
	answer, err := json.Marshal(result)
	if err != nil {
		return Effects{}, result, fmt.Errorf("answer of key: %w", err)
	}
	used := KeyRow{Member: member, KeyID: key.KeyID, Fingerprint: key.Fingerprint, Answer: string(answer), At: at.Now}
	for _, e := range effects.Entries {
		if e.Kind == Grant || e.Kind == Spend {
			used.Entry = e.No // what a later rollback by this key refers to
		}
	}
	effects.Key = &used
	return effects, result, nil
}
