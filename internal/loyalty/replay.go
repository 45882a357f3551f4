package loyalty

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// History is everything that is known of a member, as a back-test needs it.
type History struct {
	Member  Member
	Entries []Entry      // ascending
	Orders  []OrderFound // ascending; papers are not looked at
	Month   time.Month   // of birth, 0 unknown
	Day     int
	Labels  []string
}

// BackTest runs histories again under another programme.
type BackTest struct {
	Present   *Snapshot // the programme as it is
	Candidate *Snapshot // the programme to be tried
	Since     Instant   // from when on the candidate decides
	Now       Instant   // the merchant's clock
	// Past are the versions of the settings, ascending, up to Present; records
	// name them.
	Past []PastRules
}

// PastRules are rules with when they came into force, by the merchant's clock.
// A sandbox's clock moves, so of it the time is not exact; the records of
// bookings are.
type PastRules struct {
	From Instant
	*Snapshot
}

// version is the rules of a version; nil if they are not known.
func (b *BackTest) version(number int64) *Snapshot {
	i, found := slices.BinarySearchFunc(b.Past, number, func(p PastRules, n int64) int { return cmp.Compare(p.Version, n) })
	if !found {
		return nil
	}
	return b.Past[i].Snapshot
}

// Replayed is what a history has become.
type Replayed struct {
	// Member and Entries are as the candidate would have them now, what is due
	// included; of Entries only those since the back-test begins.
	Member  Member
	Entries []Entry
	// Ledger is the entries that there are since then, with what is due booked
	// as the present programme does, and Actual the member.
	Ledger []Entry
	Actual Member
	// Refused are the calls that would have been refused.
	Refused []ReplayRefused
}

// ReplayRefused is a call that the other programme would have refused, by the
// entry or the order that it made.
type ReplayRefused struct {
	Entry  int64
	Order  int64 // sequence number
	Points int64
	Code   Code
}

// replay is a history while it runs again.
type replay struct {
	*BackTest
	h        *History
	ws       *WorkingSet
	numbers  map[int64]int64 // of entries: what they were, what they are
	orderOf  map[int64]bool  // numbers of entries that orders made
	landed   map[OrderKey]*Order
	replayed Replayed
}

// step is one call of a history.
type step struct {
	no, seq int64 // place among the entries, then among the orders
	at      Instant
	run     func(r *replay, at Instant) error
}

// Run books a history again: what was before Since stands as it is, what came
// after goes through the commands that made it. Calls that were refused at the
// time have left nothing and cannot be tried. A member that is disabled or
// erased by now is taken for active.
func (b *BackTest) Run(h History) (Replayed, error) {
	r := &replay{BackTest: b, h: &h, ws: NewWorkingSet(), numbers: map[int64]int64{}, orderOf: map[int64]bool{}, landed: map[OrderKey]*Order{}}
	for i := range h.Orders {
		if o := &h.Orders[i].Order; o.Kind == Purchase {
			r.orderOf[o.Entry] = true
			r.landed[o.OrderKey] = o
		}
	}
	delete(r.orderOf, 0)
	before := r.base()
	for _, s := range r.steps() {
		if err := s.run(r, s.at); err != nil {
			return Replayed{}, err
		}
	}
	if _, err := play(r, BookDue{Who: r.who()}, Stamp{Now: b.Now}, nil); err != nil {
		return Replayed{}, err
	}
	state := r.ws.members[h.Member.ID]
	r.replayed.Member = state.member
	for _, no := range ascending(state.entries) {
		if no > before {
			r.replayed.Entries = append(r.replayed.Entries, *state.entries[no])
		}
	}
	r.actual(before)
	return r.replayed, nil
}

func (r *replay) who() Who { return Who{Merchant: r.h.Member.Merchant, ID: r.h.Member.ID} }

// actual is what there is, with everything booked that is due.
func (r *replay) actual(before int64) {
	m := r.h.Member
	rebuilt := rebuild(m.ID, r.h.Entries, Never)
	now, due := AsOf(m, rebuilt.openLots(), r.Present, max(r.Now, m.LastEntryAt))
	r.replayed.Actual = now
	r.replayed.Ledger = append(slices.Clone(r.h.Entries[before:]), due...)
}

// rebuild folds entries before a time into totals, lots and counters.
func rebuild(member int64, entries []Entry, before Instant) *Verifier {
	v := NewVerifier(member)
	for _, e := range entries {
		if e.At >= before {
			break
		}
		v.Entry(e)
	}
	return v
}

func (v *Verifier) openLots() (lots []Lot) {
	for k, l := range v.lots {
		if l.Remaining > 0 {
			l.LotKey = k
			lots = append(lots, l)
		}
	}
	return lots
}

// base puts the member as it was when the back-test begins into the working set,
// and returns how many entries it had.
func (r *replay) base() int64 {
	v := rebuild(r.h.Member.ID, r.h.Entries, r.Since)
	m := r.grown()
	w := v.want
	m.Entries, m.Credits, m.LastEntryAt = w.Entries, w.Credits, w.LastEntryAt
	m.Earned, m.Used, m.Balance, m.Pending, m.Deficit = w.Earned, w.Used, w.Balance, w.Pending, w.Deficit
	m.NextDueAt = newAccount(m, v.openLots(), r.Present, r.Since).nextDue()
	r.ws.PutSnapshot(r.Candidate)
	r.ws.PutMember(m)
	for _, l := range v.openLots() {
		r.ws.PutLot(m.ID, l)
	}
	for k, l := range v.lapsed {
		l.LotKey = k
		r.ws.PutLapsed(m.ID, l)
	}
	for _, e := range r.h.Entries[:w.Entries] {
		e.Reversed = v.reversed[e.No]
		r.ws.PutEntry(e, e.OrderNo != "")
		r.numbers[e.No] = e.No
	}
	for k, points := range v.tallies {
		r.ws.PutTally(Tally{m.ID, k, points})
	}
	r.ws.PutBirthday(m.ID, r.h.Month, r.h.Day)
	r.ws.PutMarks(m.ID, Marks{Labels: r.h.Labels})
	return w.Entries
}

// past is a member's growth value, level and periods while orders from before the
// beginning are counted.
type past struct {
	*replay
	*account
	next int // of Past
}

// grown is the member with the orders before the beginning counted as they were
// booked: growth value, level, periods, consumption, under the rules of then.
func (r *replay) grown() Member {
	m := r.h.Member
	m.Status, m.Growth, m.Held, m.Kept, m.ConsumeCount, m.ConsumeFen = Active, 0, 0, 0, 0, 0
	m.Orders, m.LevelMoves, m.PeriodStart, m.LastEntryAt, m.NextDueAt = 0, 0, 0, 0, Never
	p := &past{replay: r}
	rules := r.Present
	if len(r.Past) > 0 {
		rules, p.next = r.Past[0].Snapshot, 1
	}
	for p.next < len(r.Past) && r.Past[p.next].From <= m.RegisteredAt {
		rules = r.Past[p.next].Snapshot
		p.next++
	}
	if m.RegisteredAt >= r.Since {
		rules = r.Candidate
	}
	m.Level = rules.levelFor(0, 0)
	m.PeriodEnd = rules.Growth.Period.end(m.RegisteredAt, m.RegisteredAt, rules.loc)
	p.account = newAccount(m, nil, rules, m.RegisteredAt)

	rows := map[OrderKey]*Order{}
	var placed []*Order
	for i := range r.h.Orders {
		o := r.h.Orders[i].Order
		if !r.before(&o) {
			continue
		}
		p.pass(o.BookedAt, o.Decision.Version)
		p.Orders = o.Seq
		if o.Kind == Purchase {
			o.forgetRefunds()
		}
		rows[o.OrderKey] = &o
		placed = append(placed, &o)
		p.count(&o, rows[OrderKey{o.Space, o.Parent}], placed)
	}
	if r.Since > m.RegisteredAt { // the candidate finds whoever is there
		p.pass(r.Since-1, 0)
		p.snap, p.now = r.Candidate, r.Since
		p.bringUp()
	}
	for _, o := range placed {
		r.ws.PutOrder(*o)
		r.ws.PutIdentity(o.identity(m.Merchant), Bound{m.ID, o.Seq})
	}
	m = p.Member
	for _, move := range p.levelMoves {
		r.ws.PutLevelMove(move)
	}
	return m
}

// forgetRefunds makes an order what it was before its refunds.
func (o *Order) forgetRefunds() {
	o.Refunded, o.TakenBack, o.GrowthBack = 0, 0, 0
	o.Decision.Back = Returned{}
	o.Decision.Lines = slices.Clone(o.Decision.Lines)
	for i := range o.Decision.Lines {
		o.Decision.Lines[i].Back = 0
	}
}

// count books an order row into growth value and consumption.
func (p *past) count(o, parent *Order, placed []*Order) {
	switch {
	case o.Kind == Purchase:
		p.consume(o)
		for _, parked := range placed {
			if parked.Kind == Refund && parked.State == Booked && parked.Space == o.Space && parked.Parent == o.No {
				p.unconsume(o, parked)
			}
		}
	case o.State == Booked && parent != nil:
		p.unconsume(parent, o)
	case o.State == Booked && p.landedBefore(o): // booked when its order comes
	case o.State == Booked, p.declinedLater(o): // its order came after the beginning
		o.Points = asked(o)
		o.State, o.Entry, o.Growth = Parked, 0, 0
	}
}

// pass lets time go by, with the ends of periods and the changes of rules up to
// then. What was booked under a version was booked after it came.
func (p *past) pass(to Instant, version int64) {
	for p.next < len(p.Past) {
		rules := p.Past[p.next]
		if rules.From > to && rules.Version > version {
			break
		}
		p.endPeriods(min(rules.From, to))
		p.snap = rules.Snapshot
		p.bringUp()
		p.next++
	}
	p.endPeriods(to)
}

func (p *past) endPeriods(to Instant) {
	for p.PeriodEnd <= to {
		p.now = p.PeriodEnd
		p.endPeriod(p.PeriodEnd)
	}
	p.now = max(to, p.now)
}

// landedBefore tells whether the order of a refund came before the back-test
// begins.
func (r *replay) landedBefore(o *Order) bool {
	return r.before(r.landed[OrderKey{o.Space, o.Parent}])
}

// declinedLater tells whether a refund waited when the back-test begins, and did
// not fit its order when that landed.
func (r *replay) declinedLater(o *Order) bool {
	parent := r.landed[OrderKey{o.Space, o.Parent}]
	return o.State == Declined && parent != nil && !r.before(parent) &&
		o.BookedAt > r.Present.ParkedBefore(parent.BookedAt)
}

// asked is the points that the caller of a refund named.
func asked(o *Order) int64 {
	if o.Decision.EarnedBy == ByCaller && o.State == Booked {
		return o.Points
	}
	return o.Decision.Asked
}

// unconsume counts a refund that was booked.
func (a *account) unconsume(o, refund *Order) {
	o.Decision.bringBack(refund.Decision.Lines, refund.Amount)
	o.Refunded += refund.Amount
	o.TakenBack += refund.Points
	o.GrowthBack += refund.Growth
	a.ConsumeFen -= refund.Amount
	if o.left() == 0 && refund.Amount > 0 {
		a.ConsumeCount--
	}
	a.grow(-refund.Growth)
}

// steps are the calls since the beginning, in their order.
func (r *replay) steps() []step {
	var steps []step
	for i := range r.h.Entries {
		e := &r.h.Entries[i]
		if e.At < r.Since {
			continue
		}
		if run := r.ofEntry(e); run != nil {
			steps = append(steps, step{no: e.No, seq: math.MaxInt64, at: e.At, run: run}) // what is placed before it comes before it
		}
	}
	last, next := int64(0), r.anchors()
	for i := range r.h.Orders {
		o := &r.h.Orders[i]
		if r.before(&o.Order) {
			continue
		}
		no, at := r.place(&o.Order)
		no = max(min(no, next[i]), last)
		last = no
		steps = append(steps, step{no: no, seq: o.Seq, at: at, run: func(r *replay, at Instant) error { return r.order(o, at) }})
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Or(cmp.Compare(a.no, b.no), cmp.Compare(a.seq, b.seq)) })
	return steps
}

// parkedOnce tells whether a refund came before its order.
func (r *replay) parkedOnce(o *Order) bool {
	parent := r.landed[OrderKey{o.Space, o.Parent}]
	return o.Kind == Refund && (parent == nil || parent.Seq > o.Seq)
}

// before tells whether an order row was made before the back-test begins, as its
// entry was: it may be booked later than that, when the period began in which it
// counts.
func (r *replay) before(o *Order) bool {
	_, at := r.place(o)
	return at < r.Since
}

// place is before which entry an order row was made, and when: that of its own
// first entry, else the one that its record names, else, for rows from before
// there were records, the first entry after its time.
func (r *replay) place(o *Order) (int64, Instant) {
	if o.Entry != 0 && !r.parkedOnce(o) {
		return o.Entry, r.h.Entries[o.Entry-1].At
	}
	decided := cmp.Or(o.Decision.At, o.BookedAt)
	if o.Decision.Place != 0 {
		return o.Decision.Place, decided
	}
	i, _ := slices.BinarySearchFunc(r.h.Entries, decided, func(e Entry, at Instant) int {
		if e.At > at {
			return 1
		}
		return -1
	})
	return int64(i) + 1, decided
}

// anchors are, for every order row, the first entry that it or a later one made:
// rows are numbered in the order in which they came.
func (r *replay) anchors() []int64 {
	anchors := make([]int64, len(r.h.Orders))
	next := int64(len(r.h.Entries)) + 1
	for i := len(r.h.Orders) - 1; i >= 0; i-- {
		if o := &r.h.Orders[i].Order; o.Entry != 0 && !r.parkedOnce(o) {
			next = o.Entry
		}
		anchors[i] = next
	}
	return anchors
}

// ofEntry is the call that made an entry; nil for what time or an order made.
func (r *replay) ofEntry(e *Entry) func(*replay, Instant) error {
	switch {
	case r.orderOf[e.No], e.Detail.Refund != "":
		return nil
	case e.Kind == Grant && e.Operation == OpRegisterGift && (e.Decision == nil || e.Decision.EarnedBy == ByGift):
		return func(r *replay, at Instant) error { return r.gift(e, at) }
	case e.Kind == Grant, e.Kind == Spend:
		return func(r *replay, at Instant) error { return r.change(e, at) }
	case e.Kind == TakeBack, e.Kind == PutBack:
		return func(r *replay, at Instant) error { return r.reversal(e, at) }
	}
	return nil
}

// play runs a command on the working set.
func play[R any](r *replay, c Command[R], at Stamp, recalled map[string]Miss) (Effects, error) {
	refs := c.Refs()
	e, _, err := c.Decide(&View{ws: r.ws, refs: &refs, recalled: recalled}, at)
	if err == nil {
		r.ws.Apply(e)
	}
	return e, err
}

// note keeps what a call made, or that it would have been refused.
func (r *replay) note(was ReplayRefused, e Effects, err error) error {
	if err != nil {
		code, refused := CodeOf(err)
		if !refused {
			return err
		}
		was.Code = code
		r.replayed.Refused = append(r.replayed.Refused, was)
		return nil
	}
	for _, made := range e.Entries {
		if was.Entry != 0 && (made.Kind == Grant || made.Kind == Spend) {
			r.numbers[was.Entry] = made.No
			return nil
		}
	}
	return nil
}

func (r *replay) gift(e *Entry, at Instant) error {
	if r.Candidate.RegisterGift == 0 {
		return nil
	}
	return r.grant(e, at, r.Candidate.RegisterGift, ByGift)
}

// grant books points that no rule is asked for.
func (r *replay) grant(e *Entry, at Instant, points int64, by EarnedBy) error {
	refs := Refs{Who: r.who()}
	a, err := open(&View{ws: r.ws, refs: &refs}, r.who(), Stamp{Now: at})
	if err != nil {
		return err
	}
	_, err = a.change(Credit, points, Entry{
		Operation: e.Operation, App: e.App, Space: e.Space, Note: e.Note,
		Decision: &Decision{EarnedBy: by, Version: r.Candidate.Version},
	})
	effects := Effects{}
	if err == nil {
		effects = a.effects()
		r.ws.Apply(effects)
	}
	return r.note(ReplayRefused{Entry: e.No, Points: points}, effects, err)
}

func (r *replay) change(e *Entry, at Instant) error {
	c := ChangePoints{
		Who: r.who(), Space: e.Space, Event: e.Event, Direction: e.Kind.Direction(), Operation: e.Operation,
		Points: e.Amount, App: e.App, Note: e.Note,
	}
	if d := e.Decision; d != nil && d.EarnedBy == ByRule {
		c.Points, c.Amount = 0, d.Fen
	}
	if e.Operation == OpPaymentReturn && c.Points > 0 { // a free return asks for no rule in force
		return r.grant(e, at, e.Amount, ByCaller)
	}
	effects, err := play(r, c, Stamp{Now: at}, r.recalled(e.Decision))
	return r.note(ReplayRefused{Entry: e.No, Points: e.Amount}, effects, err)
}

// reversal reverses as much as was reversed; all that is left where that was
// all.
func (r *replay) reversal(e *Entry, at Instant) error {
	no, there := r.numbers[e.Reverses]
	if !there {
		return nil // what it reverses would not have been booked
	}
	refs := Refs{Who: r.who(), Entries: []int64{no}, Reverses: true}
	v := &View{ws: r.ws, refs: &refs}
	a, err := open(v, r.who(), Stamp{Now: at})
	if err != nil {
		return err
	}
	orig := *v.entry(a.ID, no)
	n := min(e.Amount, orig.Left())
	if r.allOf(e) {
		n = orig.Left()
	}
	if n == 0 {
		return nil
	}
	if _, err = a.reverse(orig, n, Entry{App: e.App, Space: e.Space, Note: e.Note}); err != nil {
		return r.note(ReplayRefused{Entry: e.No, Points: n}, Effects{}, err)
	}
	r.ws.Apply(a.effects())
	return nil
}

// allOf tells whether an entry reversed all that was left of another.
func (r *replay) allOf(e *Entry) bool {
	left := r.h.Entries[e.Reverses-1].Amount
	for _, other := range r.h.Entries[e.Reverses:e.No] {
		if other.Reverses == e.Reverses && (other.Kind == TakeBack || other.Kind == PutBack) {
			left -= other.Amount
		}
	}
	return left == 0
}

func (r *replay) order(o *OrderFound, at Instant) error {
	stamp := Stamp{Now: at, NewID: o.ID}
	was := ReplayRefused{Order: o.Seq, Points: o.Points}
	d := &o.Decision
	if o.Kind == Purchase {
		was.Entry = o.Entry
		effects, err := play(r, RecordOrder{
			Who: r.who(), Order: o.OrderKey, Amount: o.Amount, ConsumedAt: o.ConsumedAt,
			Points: o.Points, Given: d.EarnedBy == ByCaller && !d.Open, App: o.App, Info: o.Info,
		}, stamp, r.recalled(d))
		return r.note(was, effects, err)
	}
	if parent := r.landed[OrderKey{o.Space, o.Parent}]; o.State == Declined &&
		(parent == nil || o.BookedAt <= r.Present.ParkedBefore(parent.BookedAt)) {
		return nil // given up before its order came
	}
	effects, err := play(r, RefundOrder{
		Who: r.who(), Order: o.OrderKey, Parent: o.Parent, Amount: o.Amount, ConsumedAt: o.ConsumedAt,
		Points: asked(&o.Order), Given: d.EarnedBy == ByCaller, App: o.App, Info: o.Info,
	}, stamp, nil)
	return r.note(was, effects, err)
}

// recalled is what the record of a purchase knows of the member's birthday and
// labels at the time, for multipliers that have stayed the same.
func (r *replay) recalled(d *Decision) map[string]Miss {
	if d == nil || len(d.Tests) == 0 {
		return nil
	}
	old := r.version(d.Version)
	if old == nil {
		return nil
	}
	known := map[string]Miss{}
	for _, t := range d.Tests {
		if !sameCondition(t.ID, &old.Settings, &r.Candidate.Settings) {
			continue
		}
		switch t.Miss {
		case "", MissGoods:
			known[t.ID] = ""
		case MissBirthdayUnknown, MissBirthday, MissLabel:
			known[t.ID] = t.Miss
		}
	}
	return known
}

// sameCondition tells whether two programmes ask the same of a member under a
// multiplier's id.
func sameCondition(id string, a, b *Settings) bool {
	find := func(s *Settings) *Condition {
		i := slices.IndexFunc(s.Points.Multipliers, func(m Multiplier) bool { return m.ID == id })
		if i < 0 {
			return nil
		}
		return &s.Points.Multipliers[i].When
	}
	x, y := find(a), find(b)
	return x != nil && y != nil && x.Birthday == y.Birthday && slices.Equal(x.Labels, y.Labels)
}
