package reconcile

import (
	"fmt"
	"slices"

	"github.com/memberd/memberd/internal/loyalty"
)

// Member is whom a line names, as the platform knows it.
type Member struct {
	ID     int64 // 0 for nobody
	OpenID string
	Status loyalty.Status
}

// Fix is a correction of a line that an earlier run has booked.
type Fix struct {
	Refund     *loyalty.Order // of an order or a refund: the money and points of a further refund
	Points     int64          // else points given, negative: taken
	RolledBack int64          // or points of the change that were rolled back
}

// Facts are what the caller has looked up about a difference.
type Facts struct {
	// Member is whom the file's line names, and Found the order or refund that
	// has the line's number here.
	Member Member
	Found  *Line
	// Key is the row of the key of the file's change, and Void tells that the
	// partner has declared the key void.
	Key  *loyalty.KeyRow
	Void bool
	// Parent is the order of a refund, of either side. Where the platform lacks
	// it and the file would have it recorded, Coming is whose it will be.
	Parent *loyalty.Order
	Coming Member
	Fixes  []Fix
}

// Judge decides what is to be done about a difference.
func (o *Options) Judge(d *Difference, f Facts) {
	switch d.Class {
	case OnlyTheirs:
		o.onlyTheirs(d, f)
	case OnlyOurs:
		o.onlyOurs(d, f)
	case Different:
		o.different(d, f)
	case OtherMember:
		d.Why = "the two sides name different members: find out who it was; points of one are not moved to another"
	}
}

func (d *Difference) nothing(format string, args ...any) { d.Why = fmt.Sprintf(format, args...) }

func (d *Difference) propose(r ...Repair) { d.Repairs = append(d.Repairs, r...) }

// onlyTheirs is a line that the day of the platform lacks.
func (o *Options) onlyTheirs(d *Difference, f Facts) {
	switch t := d.Theirs; {
	case f.Found != nil:
		o.elsewhere(d, f.Found)
	case f.Key != nil:
		o.usedKey(d, f.Key)
	case t.Kind == Refund:
		o.theirRefund(d, f)
	case t.OpenID == "" && t.MemberID == "":
		d.nothing("the file does not say whose it is (open_id or member_id)")
	case f.Member.ID == 0:
		d.nothing("the merchant has no such member")
	case f.Member.Status != loyalty.Active:
		d.nothing("the member is disabled or erased")
	case t.NoPoints:
		d.nothing("the file does not say the points")
	case stateOf(t) != booked:
		d.nothing("the file says that it is %s", t.State)
	case t.Kind == Order && t.Consumed.Step == 0:
		d.nothing("the file does not say when it was (consumed_at)")
	case t.Kind == Order:
		d.propose(o.recordOrder(t, f.Member))
	case !t.Kind.direct():
		d.nothing("the file does not say which change it takes back")
	case f.Void:
		d.nothing("a rollback has declared this key void: the partner has given it up")
	case t.Points == 0:
		d.nothing("it moves no points")
	default:
		d.propose(o.change(f.Member.ID, f.Member.OpenID, loyalty.KeyOperation(t.Kind), t.Number, t.Points, reasonLate, ""))
	}
}

func (o *Options) theirRefund(d *Difference, f Facts) {
	t := d.Theirs
	owner := f.Coming.ID
	if f.Parent != nil {
		owner = f.Parent.Member
	}
	switch {
	case t.Parent == "":
		d.nothing("the file does not say of which order (parent_order_no)")
	case owner == 0:
		d.nothing("the platform has no order %s", t.Parent)
	case f.Parent != nil && f.Parent.Kind != loyalty.Purchase:
		d.nothing("%s is a refund, too", t.Parent)
	case (t.OpenID != "" || t.MemberID != "") && f.Member.ID != owner:
		d.nothing("the order %s is another member's", t.Parent)
	case t.NoPoints:
		d.nothing("the file does not say the points")
	case stateOf(t) != booked:
		d.nothing("the file says that it is %s", t.State)
	case t.Consumed.Step == 0:
		d.nothing("the file does not say when it was (consumed_at)")
	case f.Parent != nil && t.Amount > f.Parent.Amount-f.Parent.Refunded:
		d.nothing("more than the %s that are left of order %s", Yuan(f.Parent.Amount-f.Parent.Refunded), t.Parent)
	default:
		d.propose(o.refundOrder(t, owner))
	}
}

// elsewhere is a number that the platform has, but not among the lines that
// were compared.
func (o *Options) elsewhere(d *Difference, found *Line) {
	d.Ours, d.Fields = found, Compare(found, d.Theirs, o.Day)
	where := "booked on " + o.Day.clock(found.Booked.At)
	switch {
	case slices.Contains(d.Fields, FieldMember):
		d.Class = OtherMember
		d.nothing("%s for another member", where)
	case len(d.Fields) > 0:
		d.Class = Different
		d.nothing("%s: reconcile the file of that day, or without --store and --app", where)
	default:
		d.Class = Elsewhere
		d.nothing("%s", where)
		if o.Day.has(found.Booked.At) {
			d.nothing("%s through another store or app, or by an operator", where)
		}
	}
}

// usedKey is a change whose key the member has used: on another day, or
// without moving a point.
func (o *Options) usedKey(d *Difference, row *loyalty.KeyRow) {
	a := answerOf(row)
	moved := a.Points
	// Answers of reversals do not say which way they went.
	if a.Direction == loyalty.Debit || a.Direction == 0 && d.Theirs.Points < 0 {
		moved = -moved
	}
	if moved == d.Theirs.Points {
		d.Class = Elsewhere
		d.nothing("booked on %s with %d points", o.Day.clock(row.At), moved)
		return
	}
	d.Class, d.Fields = Different, []Field{FieldPoints}
	d.nothing("booked on %s with %d points: reconcile the file of that day", o.Day.clock(row.At), moved)
}

// onlyOurs is a line that the file lacks.
func (o *Options) onlyOurs(d *Difference, f Facts) {
	b := d.Ours.Booked
	amount, points := d.Ours.after(f.Fixes)
	left := b.Left
	if b.Order != nil {
		left = b.Order.Points - b.Order.TakenBack + b.Order.Amount - b.Order.Refunded
	}
	switch {
	case b.App == "":
		d.Class = ByOperators
		d.nothing("booked by an operator, or by an earlier run; no app knows of it")
	case d.Ours.Kind == Refund:
		d.nothing("a refund is not taken back; if the partner does not have it, record the order anew under another number")
	case stateOf(d.Ours) != booked:
		d.nothing("it is %s", d.Ours.State)
	case d.Ours.Kind != Order && !d.Ours.Kind.direct():
		d.nothing("what takes a change back is not taken back itself")
	case len(f.Fixes) > 0 && left == 0:
		d.Class = Repaired
		d.nothing("taken back by an earlier run")
	case left == 0:
		d.nothing("nothing is left of it to take back")
	case d.Ours.Kind == Order && !o.Day.has(d.Ours.Consumed.At):
		d.nothing("consumed on %s: look in the file of that day", o.Day.clock(d.Ours.Consumed.At))
	case !o.VoidOurs && !o.Whole:
		d.nothing("the file may not be whole; once it has a last line with totals --void-ours would take it back (amount %s, points %d)", Yuan(amount), points)
	case !o.VoidOurs:
		d.nothing("the file lacks it; --void-ours would take it back (amount %s, points %d)", Yuan(amount), points)
	case b.Order != nil:
		d.propose(o.refundRest(b.Member, d.Ours.Number, o.FixKey(d.Ours, len(f.Fixes)+1),
			b.Order.Amount-b.Order.Refunded, max(b.Order.Points-b.Order.TakenBack, 0), d.Ours.Store))
	default:
		d.propose(o.rollBack(b, o.FixKey(d.Ours, len(f.Fixes)+1), b.Left))
	}
}

// after is what a line comes to with its corrections.
func (l *Line) after(fixes []Fix) (amount, points int64) {
	amount, points = l.Amount, l.Points
	for _, f := range fixes {
		switch {
		case f.Refund != nil && l.Kind == Refund:
			amount += f.Refund.Amount
			points += f.Refund.Points
		case f.Refund != nil:
			amount -= f.Refund.Amount
			points -= f.Refund.Points
		case l.Kind == Refund:
			points -= f.Points
		case l.Points < 0:
			points += f.Points + f.RolledBack
		default:
			points += f.Points - f.RolledBack
		}
	}
	return amount, points
}

// because says why differences in a field are left to a person.
var because = map[Field]string{
	FieldKind:     "an order on one side and a refund on the other",
	FieldParent:   "a refund of one order here and of another there",
	FieldConsumed: "the time of consumption is kept as it was sent",
	FieldStore:    "the store is kept as it was sent",
}

func (o *Options) different(d *Difference, f Facts) {
	for _, field := range d.Fields {
		if why, ok := because[field]; ok {
			d.nothing("%s: %s; decide yourself", field, why)
			return
		}
		if field == FieldState {
			d.nothing("here it is %s", stateOf(d.Ours))
			return
		}
	}
	amount, points := d.Ours.after(f.Fixes)
	wanted := d.Theirs.Points
	if d.Theirs.NoPoints {
		wanted = points
	}
	if wanted == points && (!d.Ours.Kind.numbered() || amount == d.Theirs.Amount) {
		d.Class = Repaired
		d.nothing("corrected by an earlier run: %d booked", len(f.Fixes))
		return
	}
	switch {
	case d.Ours.Kind == Order:
		o.correctOrder(d, f, d.Ours.Booked.Order, d.Ours.Number, amount-d.Theirs.Amount, points-wanted)
	case d.Ours.Kind == Refund && f.Parent == nil:
		d.nothing("the platform has no order %s", d.Ours.Parent)
	case d.Ours.Kind == Refund:
		o.correctOrder(d, f, f.Parent, d.Ours.Parent, d.Theirs.Amount-amount, wanted-points)
	default:
		o.correctChange(d, f, points, wanted)
	}
}
