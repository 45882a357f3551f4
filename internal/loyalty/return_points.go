package loyalty

import (
	"fmt"
	"slices"
)

// ReturnPoints is envelope 2.3: it reverses earlier changes of a member. Which
// ones is found in this order: those of the order number; the change made
// under the same id; or, where only points are given, a free return.
type ReturnPoints struct {
	Who       Who
	ID        string // idempotencyBussinessId, key and in the second case also target
	Space     string
	Operation Operation // of the originals, or of the reversal (E-132)
	OrderNo   string
	Points    int64 // 0: all that is left
	App       string
	Note      Note
}

// PointsReturned is what a return did.
type PointsReturned struct {
	Member  int64 `json:"member"`
	Points  int64 `json:"points"` // moved, positive
	Balance int64 `json:"balance"`
}

// Key covers the target and the quantity.
func (c ReturnPoints) Key() Key {
	return Key{
		KeyID: KeyID{Space: c.Space, Operation: KeyReturn, Key: c.ID},
		Fingerprint: fmt.Sprintf("%q|%q|%d|%d|%q",
			c.OrderNo, c.Note.Activity, c.Points, c.Operation, c.Note.Detail.BusinessType),
	}
}

// targets are the keys under which the change may have been made, the one that
// the document's example repeats first.
func (c ReturnPoints) targets() []KeyID {
	if c.ID == "" || c.OrderNo != "" {
		return nil
	}
	var keys []KeyID
	for _, op := range []KeyOperation{KeySend, KeyUpdate, KeyOpt} {
		keys = append(keys, KeyID{Space: c.Space, Operation: op, Key: c.ID})
	}
	return keys
}

// Refs is the member with the entries of the order, or those of the keys.
func (c ReturnPoints) Refs() Refs {
	return Refs{Who: c.Who, Order: OrderKey{c.Space, c.OrderNo}, Keys: c.targets(), Reverses: true}
}

// Decide refuses: NothingNamed, PointsNotPositive, DirectionMismatch, MemberNotFound, MembersDisagree,
// StatementNotFound, RollbackTooLarge, PointsInsufficient, and for a free
// return what ChangePoints refuses.
func (c ReturnPoints) Decide(v *View, at Stamp) (Effects, PointsReturned, error) {
	switch {
	case c.OrderNo == "" && c.ID == "":
		return Effects{}, PointsReturned{}, NothingNamed
	case c.Points < 0:
		return Effects{}, PointsReturned{}, PointsNotPositive
	case !c.Operation.Valid():
		return Effects{}, PointsReturned{}, DirectionMismatch
	}
	a, err := open(v, c.Who, at)
	if err != nil {
		return Effects{}, PointsReturned{}, err
	}
	targets, err := c.find(v, a.ID)
	if err != nil {
		return Effects{}, PointsReturned{}, err
	}
	if targets == nil {
		return c.free(a)
	}
	return c.reverse(a, targets)
}

// find gives the entries to reverse, newest first; nil means a free return.
func (c ReturnPoints) find(v *View, member int64) ([]Entry, error) {
	if c.OrderNo != "" {
		for _, original := range c.Operation.originals() {
			if found := c.ofOrder(v, member, original); found != nil {
				return found, nil
			}
		}
		return nil, StatementNotFound
	}
	for _, k := range c.targets() {
		switch row := v.key(member, k); {
		case row == nil:
		case row.Entry == 0: // a change that moved nothing: there is nothing to return
			return []Entry{}, nil
		default:
			return []Entry{*v.entry(member, row.Entry)}, nil
		}
	}
	if c.Points == 0 {
		return nil, StatementNotFound
	}
	return nil, nil
}

// ofOrder is the order's changes of one operation, newest first. Operations are
// not mixed: undoing an earlier deduction is not what a return of grants means.
func (c ReturnPoints) ofOrder(v *View, member int64, operation Operation) []Entry {
	var found []Entry
	for _, no := range slices.Backward(v.ofOrder(member)) {
		e := v.entry(member, no)
		if (e.Kind == Grant || e.Kind == Spend) && e.Operation == operation &&
			(c.Note.Activity == "" || c.Note.Activity == e.Activity) {
			found = append(found, *e)
		}
	}
	return found
}

// reverse reverses the targets, newest first, up to the points asked for.
func (c ReturnPoints) reverse(a *account, targets []Entry) (Effects, PointsReturned, error) {
	var left int64
	for _, e := range targets {
		left += e.Left()
	}
	want := c.Points
	if want == 0 || left == 0 { // nothing left: a repeated return is harmless
		want = left
	}
	if want > left {
		return Effects{}, PointsReturned{}, RollbackTooLarge
	}
	var moved int64
	for _, orig := range targets {
		n := min(orig.Left(), want)
		if n == 0 {
			continue
		}
		want -= n
		moved += n
		note := c.Note
		note.OrderNo, note.Activity = orig.OrderNo, orig.Activity
		if _, err := a.reverse(orig, n, Entry{App: c.App, Space: c.Space, Note: note}); err != nil {
			return Effects{}, PointsReturned{}, err
		}
	}
	return a.effects(), PointsReturned{Member: a.ID, Points: moved, Balance: a.Balance}, nil
}

// free books a return that refers to no earlier change. What reverses a grant
// takes points, what reverses a payment gives them (case 3 of the document).
func (c ReturnPoints) free(a *account) (Effects, PointsReturned, error) {
	if err := a.mayChange(); err != nil {
		return Effects{}, PointsReturned{}, err
	}
	operation := c.Operation
	switch operation {
	case OpPaymentReturn, OpPurchaseClawback, OpLevelGiftClawback, OpPromotionClawback:
		// is a reversal's code already
	default:
		operation = operation.reversal()
	}
	e := Entry{Operation: operation, App: c.App, Space: c.Space, Note: c.Note}
	if _, err := a.change(operation.Direction(), c.Points, e); err != nil {
		return Effects{}, PointsReturned{}, err
	}
	return a.effects(), PointsReturned{Member: a.ID, Points: c.Points, Balance: a.Balance}, nil
}
