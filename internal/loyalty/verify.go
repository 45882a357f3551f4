package loyalty

import (
	"fmt"
	"slices"
)

// Difference is a stored value that is not what the ledger says.
type Difference struct {
	Member     int64
	Field      string
	Stored     string
	Recomputed string
}

// Verifier recomputes one member from its ledger, orders and coupons. Feed it
// every entry, order and coupon in the order of their numbers, then ask
// Differences.
type Verifier struct {
	want     Member
	lots     map[LotKey]Lot
	lapsed   map[LotKey]Lapsed
	ownLot   map[int64]LotKey // of grants
	reversed map[int64]int64  // recomputed
	stored   map[int64]int64  // as the entries say
	amounts  map[int64]int64
	grants   map[int64]Entry    // by number
	refunded map[OrderKey]int64 // points taken back, as the entries say
	// firstBack is the number of the first entry that a refund made.
	firstBack map[OrderKey]int64
	parked    []Order
	orders    map[OrderKey]*Order
	sums      map[OrderKey]*Order  // of booked refunds, by their order
	claims    map[int64]int64      // coupons by template
	counted   map[int64][]TallyKey // what entries count into, by number
	tallies   map[TallyKey]int64
	at        Instant
	found     []Difference
}

// MemberRows are rows of a member that are compared with what is recomputed.
type MemberRows struct {
	Lots   []Lot
	Lapsed []Lapsed
	Claims []Claims
	// LevelMoves are ascending.
	LevelMoves []LevelMove
	Tallies    []Tally
}

// NewVerifier is for one member.
func NewVerifier(member int64) *Verifier {
	return &Verifier{
		want: Member{ID: member}, lots: map[LotKey]Lot{}, lapsed: map[LotKey]Lapsed{},
		ownLot: map[int64]LotKey{}, reversed: map[int64]int64{}, stored: map[int64]int64{}, amounts: map[int64]int64{},
		grants: map[int64]Entry{}, refunded: map[OrderKey]int64{}, firstBack: map[OrderKey]int64{}, orders: map[OrderKey]*Order{},
		sums: map[OrderKey]*Order{}, claims: map[int64]int64{}, counted: map[int64][]TallyKey{}, tallies: map[TallyKey]int64{},
	}
}

func (v *Verifier) differ(field string, stored, recomputed any) {
	v.found = append(v.found, Difference{v.want.ID, field, fmt.Sprint(stored), fmt.Sprint(recomputed)})
}

func (v *Verifier) equal(field string, stored, recomputed int64) {
	if stored != recomputed {
		v.differ(field, stored, recomputed)
	}
}

// Entry takes the next entry in.
func (v *Verifier) Entry(e Entry) {
	w := &v.want
	w.Entries++
	if e.Kind.Direction() == Credit {
		w.Credits++
	}
	w.Balance += e.Points
	w.Pending += e.Pending
	w.Deficit += e.Deficit
	w.LastEntryAt = e.At
	name := func(field string) string { return fmt.Sprintf("entry %d %s", e.No, field) }
	v.equal(name("number"), e.No, w.Entries)
	v.equal(name("credits"), e.Credits, w.Credits)
	v.equal(name("balance"), e.Balance, w.Balance)
	if e.At < v.at {
		v.differ(name("time"), e.At, fmt.Sprintf("not before %d", v.at))
	}
	v.at = e.At

	var sum int64
	for _, p := range e.Parts {
		sum += p.Quantity
		v.move(e, p)
	}
	v.equal(name("parts"), sum, e.Points+e.Pending+e.Deficit)
	v.total(e)
	v.stored[e.No], v.amounts[e.No] = e.Reversed, e.Amount
	v.decision(e, name)
}

// move books one part of an entry into its lot.
func (v *Verifier) move(e Entry, p Part) {
	lot := v.lots[p.LotKey]
	lot.LotKey = p.LotKey
	lot.Remaining += p.Quantity
	switch e.Kind {
	case Grant:
		lot.Pending = e.Pending > 0
		v.ownLot[e.No] = p.LotKey
	case Release:
		lot.Pending = false
	case PutBack, Expiry:
		if p.Quantity > 0 {
			break
		}
		lapsed := v.lapsed[p.LotKey]
		lapsed.LotKey = p.LotKey
		lapsed.Quantity -= p.Quantity
		v.lapsed[p.LotKey] = lapsed
	}
	v.lots[p.LotKey] = lot
	if lot.Remaining < 0 {
		v.differ(fmt.Sprintf("entry %d lot %v", e.No, p.LotKey), lot.Remaining, "not below 0")
	}
}

// total books an entry into the totals and counts reversals.
func (v *Verifier) total(e Entry) {
	w := &v.want
	switch e.Kind {
	case Grant:
		w.Earned += e.Points
		v.grants[e.No] = e
	case Spend, Expiry:
		w.Used += e.Amount
	case Release, WriteOff:
		w.Earned += e.Amount
	case PutBack:
		w.Used -= e.Points
		v.reversed[e.Reverses] += e.Amount
		v.reversal(e.Reverses, e.Amount)
	case TakeBack:
		w.Earned -= e.Amount + e.Pending
		w.Used -= e.Lapsed
		v.reversed[e.Reverses] += e.Amount
		v.reversal(e.Reverses, e.Amount)
		if e.Detail.Refund != "" {
			refund := OrderKey{e.Space, e.Detail.Refund}
			v.refunded[refund] += e.Amount
			if v.firstBack[refund] == 0 {
				v.firstBack[refund] = e.No
			}
		}
		if own, ok := v.ownLot[e.Reverses]; ok && e.Lapsed > 0 {
			lapsed := v.lapsed[own]
			lapsed.Attributed += e.Lapsed
			v.lapsed[own] = lapsed
		}
	}
}

// Differences compares what is stored with what the entries say. snap may be
// nil; then the level is not checked.
func (v *Verifier) Differences(m Member, rows MemberRows, snap *Snapshot) []Difference {
	w := v.want
	v.equal("entries", m.Entries, w.Entries)
	v.equal("credits", m.Credits, w.Credits)
	v.equal("balance", m.Balance, w.Balance)
	v.equal("earned", m.Earned, w.Earned)
	v.equal("used", m.Used, w.Used)
	v.equal("balance against earned and used", m.Balance, m.Earned-m.Used)
	v.equal("pending", m.Pending, w.Pending)
	v.equal("deficit", m.Deficit, w.Deficit)
	v.equal("last entry time", int64(m.LastEntryAt), int64(w.LastEntryAt))
	v.compareLots(m, rows.Lots)
	v.compareLapsed(rows.Lapsed)
	v.compareOrders(m)
	v.equal("coupons", m.Coupons, w.Coupons)
	v.compareClaims(rows.Claims)
	v.compareTallies(rows.Tallies)
	v.compareLevelMoves(m, rows.LevelMoves)
	for no, stored := range v.stored {
		v.equal(fmt.Sprintf("entry %d reversed", no), stored, v.reversed[no])
		if back := v.reversed[no]; back > v.amounts[no] {
			v.differ(fmt.Sprintf("entry %d reversed", no), back, fmt.Sprintf("at most %d", v.amounts[no]))
		}
	}
	if snap != nil {
		v.equal("level", m.Level, max(snap.levelFor(m.Held, m.Growth), m.Kept))
	}
	slices.SortStableFunc(v.found, func(a, b Difference) int {
		return slices.Compare([]byte(a.Field), []byte(b.Field))
	})
	return v.found
}

func (v *Verifier) compareLots(m Member, lots []Lot) {
	ledger := account{Member: Member{PeriodEnd: m.PeriodEnd}}
	var usable, pending int64
	for _, l := range lots {
		want := v.lots[l.LotKey]
		v.equal(fmt.Sprintf("lot %v remaining", l.LotKey), l.Remaining, want.Remaining)
		if l.Pending != want.Pending {
			v.differ(fmt.Sprintf("lot %v pending", l.LotKey), l.Pending, want.Pending)
		}
		if l.Pending {
			pending += l.Remaining
		} else {
			usable += l.Remaining
		}
		delete(v.lots, l.LotKey)
		ledger.lots = append(ledger.lots, l)
	}
	for k, want := range v.lots {
		v.equal(fmt.Sprintf("lot %v remaining", k), 0, want.Remaining)
	}
	v.equal("balance against lots", m.Balance, usable-m.Deficit)
	v.equal("pending against lots", m.Pending, pending)
	v.equal("next due", int64(m.NextDueAt), int64(ledger.nextDue()))
}

func (v *Verifier) compareLapsed(lapsed []Lapsed) {
	for _, l := range lapsed {
		want := v.lapsed[l.LotKey]
		v.equal(fmt.Sprintf("lot %v lapsed", l.LotKey), l.Quantity, want.Quantity)
		v.equal(fmt.Sprintf("lot %v set off", l.LotKey), l.Attributed, want.Attributed)
		delete(v.lapsed, l.LotKey)
	}
	for k, want := range v.lapsed {
		v.equal(fmt.Sprintf("lot %v lapsed", k), 0, want.Quantity)
	}
}
