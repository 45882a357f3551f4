package loyalty

import "fmt"

// ChangePoints grants or takes points: gateway 3.3, envelope 1.3, 2.1 and 2.2.
type ChangePoints struct {
	Who Who
	// ID is the caller's key for KeyOp in Space; without one every call books.
	ID    string
	Space string
	KeyOp KeyOperation

	// Event names a registered event, which says direction and operation and
	// may fix the points. Without one Direction and Operation say it.
	Event     string
	Direction Direction
	Operation Operation

	// Points to move, at least 1; 0 where they follow from the event or from
	// Amount, which is in fen.
	Points int64
	Amount int64

	App  string
	Note Note
}

// PointsChanged is what a change did.
type PointsChanged struct {
	Member    int64     `json:"member"`
	Entry     int64     `json:"entry"` // 0: an amount that came to no point, nothing booked
	Direction Direction `json:"direction"`
	Points    int64     `json:"points"`  // moved, positive
	Balance   int64     `json:"balance"` // after it
}

// Key covers direction, event, points or amount, operation and business type;
// never free text, operator or store. A gateway change is void once its
// rollback has been asked for.
func (c ChangePoints) Key() Key {
	k := Key{KeyID: KeyID{Space: c.Space, Operation: c.KeyOp, Key: c.ID}}
	if c.Event != "" {
		k.Fingerprint = fmt.Sprintf("%q|%d|%d", c.Event, c.Points, c.Amount)
		k.BarredBy = KeyRollbackByChange
		return k
	}
	amount := int64(0)
	if c.Points == 0 {
		amount = c.Amount // beside points it is information only (E-075)
	}
	k.Fingerprint = fmt.Sprintf("%d|%d|%d|%d|%q", c.Direction, c.Points, amount, c.Operation, c.Note.Detail.BusinessType)
	return k
}

// Refs is the member, and what the rules need for an event or an amount.
func (c ChangePoints) Refs() Refs {
	r := Refs{Who: c.Who, Event: c.Event}
	if c.Points == 0 && c.Amount > 0 {
		r.Purchase = &PurchaseRef{Now: true}
	}
	return r
}

// Decide refuses: EventUnknown, PointsMissing, PointsNotPositive,
// AmountTooLarge, DirectionMismatch, MemberNotFound, MembersDisagree, MemberDisabled,
// MemberErased, NoPointsRule, CreditTooLarge, DailyCapReached,
// PointsInsufficient.
func (c ChangePoints) Decide(v *View, at Stamp) (Effects, PointsChanged, error) {
	snap := v.Snapshot()
	if err := c.resolveEvent(snap); err != nil {
		return Effects{}, PointsChanged{}, err
	}
	a, err := open(v, c.Who, at)
	if err != nil {
		return Effects{}, PointsChanged{}, err
	}
	if err := a.mayChange(); err != nil {
		return Effects{}, PointsChanged{}, err
	}
	if c.Direction == Credit && !snap.ruleInForce(a.now) {
		return Effects{}, PointsChanged{}, NoPointsRule
	}
	points, decision, err := c.points(a)
	if err != nil {
		return Effects{}, PointsChanged{}, err
	}
	result := PointsChanged{Member: a.ID, Direction: c.Direction, Points: points}
	if points > 0 {
		e, err := a.change(c.Direction, points, Entry{
			Operation: c.Operation, App: c.App, Space: c.Space, Note: c.Note, Decision: decision,
		})
		if err != nil {
			return Effects{}, PointsChanged{}, err
		}
		result.Entry = e.No
	}
	result.Balance = a.Balance
	return a.effects(), result, nil
}

// points is how many points to move, and why. What is spent has a record only
// where the rule has decided or a cap counts.
func (c ChangePoints) points(a *account) (int64, *Decision, error) {
	rule := &a.snap.Points
	if c.Points == 0 && rule.Rate.Num == 0 {
		return 0, nil, NoPointsRule
	}
	d, points := Decision{EarnedBy: ByCaller, Version: a.snap.Version}, c.Points
	switch {
	case points == 0 && c.Direction == Credit:
		d, points = a.earn(purchase{at: a.now, fen: c.Amount, stores: []string{c.Note.Detail.OrgCode}})
	case points == 0: // what is paid with points knows no multipliers
		d = Decision{EarnedBy: ByRule, Version: a.snap.Version, Points: rule.Rate, Rounding: RoundDown, Fen: c.Amount}
		points = d.Granted(c.Amount)
	case a.snap.events[c.Event].Points > 0:
		d.EarnedBy = ByEvent
	}
	limits := a.eventCap(c.Event)
	for _, limit := range limits {
		if points > limit.room() {
			return 0, nil, DailyCapReached
		}
	}
	d.Caps = append(d.Caps, limits...)
	if c.Direction == Debit && d.EarnedBy != ByRule && len(d.Caps) == 0 {
		return points, nil, nil
	}
	return points, &d, nil
}

// resolveEvent fills in what the event says and checks that what the caller
// says makes sense.
func (c *ChangePoints) resolveEvent(snap *Snapshot) error {
	if c.Points < 0 || c.Amount < 0 {
		return PointsNotPositive
	}
	if c.Event != "" {
		event, ok := snap.events[c.Event]
		if !ok {
			return EventUnknown
		}
		c.Direction, c.Operation, c.Note.Event = event.Direction, event.Operation, event.Name
		if event.Points > 0 {
			c.Points = event.Points
		}
	}
	if c.Points == 0 && c.Amount == 0 {
		return PointsMissing
	}
	if c.Points == 0 && c.Amount > MaxAmount {
		return AmountTooLarge
	}
	if !c.Operation.Valid() || c.Operation.Direction() != c.Direction {
		return DirectionMismatch
	}
	return nil
}

// mayChange refuses what a disabled or erased member cannot do.
func (m *Member) mayChange() error {
	switch m.Status {
	case Disabled:
		return MemberDisabled
	case Erased:
		return MemberErased
	}
	return nil
}

// change moves points in the direction, within the merchant's bound.
func (a *account) change(d Direction, points int64, e Entry) (*Entry, error) {
	if d == Debit {
		return a.spend(points, e)
	}
	if points > a.snap.MaxCredit {
		return nil, CreditTooLarge
	}
	return a.grant(points, e), nil
}
