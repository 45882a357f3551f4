package loyalty

import "fmt"

// RollBackChange is gateway 3.4 without a statement id: the caller never saw
// the answer to its change and names it by its change id. Where the change was
// not booked the id is declared void, so that a change which is still on its
// way can't be booked later: that mark is a result, not an error (G-108).
type RollBackChange struct {
	Who      Who
	ChangeID string
	Space    string
	Quantity int64 // points to roll back; 0: all that is left
	App      string
	Note     Note
}

// RolledBack is what a rollback did.
type RolledBack struct {
	Member   int64 `json:"member"`
	Original int64 `json:"original"` // number of the entry that was rolled back
	Entry    int64 `json:"entry"`    // number of the new entry; 0: nothing was left
	Points   int64 `json:"points"`   // rolled back, positive
	Balance  int64 `json:"balance"`
	Void     bool  `json:"void,omitempty"` // no such change; its id is void now
}

// Key is the change id in a space of its own.
func (c RollBackChange) Key() Key {
	return Key{
		KeyID:       KeyID{Space: c.Space, Operation: KeyRollbackByChange, Key: c.ChangeID},
		Fingerprint: fmt.Sprintf("%s|%d", c.ChangeID, c.Quantity),
	}
}

func (c RollBackChange) change() KeyID {
	return KeyID{Space: c.Space, Operation: KeyChange, Key: c.ChangeID}
}

// Refs is the member, the change's key and the entry it made.
func (c RollBackChange) Refs() Refs {
	return Refs{Who: c.Who, Keys: []KeyID{c.change()}, Reverses: true}
}

// Decide refuses: NothingNamed, PointsNotPositive, MemberNotFound,
// MembersDisagree, RollbackTooLarge, PointsInsufficient.
func (c RollBackChange) Decide(v *View, at Stamp) (Effects, RolledBack, error) {
	switch {
	case c.ChangeID == "":
		return Effects{}, RolledBack{}, NothingNamed
	case c.Quantity < 0:
		return Effects{}, RolledBack{}, PointsNotPositive
	}
	a, err := open(v, c.Who, at)
	if err != nil {
		return Effects{}, RolledBack{}, err
	}
	row := v.key(a.ID, c.change())
	if row == nil || row.Entry == 0 {
		return a.effects(), RolledBack{Member: a.ID, Balance: a.Balance, Void: true}, nil
	}
	orig := v.entry(a.ID, row.Entry)
	if orig.Left() == 0 {
		return a.effects(), RolledBack{Member: a.ID, Original: orig.No, Balance: a.Balance}, nil
	}
	return a.rollBack(*orig, c.Quantity, Entry{App: c.App, Note: c.Note})
}

// RollBackStatement is gateway 3.4 with a statement id: the id names the
// change, and the change id is the rollback's own key.
type RollBackStatement struct {
	Who       Who
	Statement string // as StatementID writes it
	ID        string // the rollback's own key
	Space     string
	Quantity  int64 // points to roll back; 0: all that is left
	App       string
	Note      Note
}

// Key covers the statement and the quantity.
func (c RollBackStatement) Key() Key {
	return Key{
		KeyID:       KeyID{Space: c.Space, Operation: KeyRollbackStatement, Key: c.ID},
		Fingerprint: fmt.Sprintf("%s|%d", c.Statement, c.Quantity),
	}
}

// Refs is the member and the entry.
func (c RollBackStatement) Refs() Refs {
	r := Refs{Who: c.Who, Reverses: true}
	if _, no, ok := ParseStatementID(c.Statement); ok {
		r.Entries = []int64{no}
	}
	return r
}

// Decide refuses: PointsNotPositive, MemberNotFound, MembersDisagree, StatementNotFound,
// StatementForeign, StatementNotReversible, NothingLeft, RollbackTooLarge,
// PointsInsufficient.
func (c RollBackStatement) Decide(v *View, at Stamp) (Effects, RolledBack, error) {
	if c.Quantity < 0 {
		return Effects{}, RolledBack{}, PointsNotPositive
	}
	a, err := open(v, c.Who, at)
	if err != nil {
		return Effects{}, RolledBack{}, err
	}
	member, no, ok := ParseStatementID(c.Statement)
	switch {
	case !ok:
		return Effects{}, RolledBack{}, StatementNotFound
	case member != a.ID:
		return Effects{}, RolledBack{}, StatementForeign
	}
	orig := v.entry(a.ID, no)
	switch {
	case orig == nil:
		return Effects{}, RolledBack{}, StatementNotFound
	case orig.Kind != Grant && orig.Kind != Spend:
		return Effects{}, RolledBack{}, StatementNotReversible
	case orig.Left() == 0:
		return Effects{}, RolledBack{}, NothingLeft
	}
	return a.rollBack(*orig, c.Quantity, Entry{App: c.App, Note: c.Note})
}

// rollBack reverses quantity points of orig, or all that is left.
func (a *account) rollBack(orig Entry, quantity int64, e Entry) (Effects, RolledBack, error) {
	if quantity == 0 {
		quantity = orig.Left()
	}
	if quantity > orig.Left() {
		return Effects{}, RolledBack{}, RollbackTooLarge
	}
	e.Space, e.OrderNo, e.Activity = orig.Space, orig.OrderNo, orig.Activity
	entry, err := a.reverse(orig, quantity, e)
	if err != nil {
		return Effects{}, RolledBack{}, err
	}
	result := RolledBack{
		Member: a.ID, Original: orig.No, Entry: entry.No, Points: quantity, Balance: a.Balance,
	}
	return a.effects(), result, nil
}

// reverse takes back of a grant or puts back of a spend.
func (a *account) reverse(orig Entry, n int64, e Entry) (*Entry, error) {
	e.Operation = orig.Operation.reversal()
	if orig.Kind == Grant {
		return a.takeBack(orig, n, e)
	}
	return a.putBack(orig, n, e), nil
}
