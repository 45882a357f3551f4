package loyalty

import (
	"maps"
	"slices"
)

// MaxOpenLots bounds the open lots of a member, so that no member makes
// spending slow. Beyond it a grant joins the lot with the next later expiry.
const MaxOpenLots = 1_024

// account is a member's ledger while a command decides: a copy of its rows on
// which points are moved, and which remembers what it touched. Every change of
// points of every command goes through its few methods, so that balance, lots
// and entries cannot drift apart.
type account struct {
	Member
	snap *Snapshot
	now  Instant
	lots []Lot // open ones, in spend order
	view *View

	changedLots map[LotKey]bool
	lapsed      map[LotKey]Lapsed  // changed ones
	entries     []Entry            // new ones
	reversed    map[int64]Entry    // older ones whose Reversed moved
	orders      []Order            // new and changed ones
	reason      string             // of the entries that a refund makes
	settled     int                // periods ended or begun, and levels brought up to date
	tell        []Callback         // what partners shall hear
	tallies     map[TallyKey]int64 // changed ones
	levelMoves  []LevelMove        // new ones
}

// clone is the account as it stands, to come back to. Entries are never changed
// once they are appended, so they need no copy: there may be many of them.
func (a *account) clone() *account {
	c := *a
	c.lots, c.entries, c.orders = slices.Clone(a.lots), slices.Clip(a.entries), slices.Clone(a.orders)
	c.tell = slices.Clip(a.tell)
	c.tallies, c.levelMoves = maps.Clone(a.tallies), slices.Clip(a.levelMoves)
	c.changedLots, c.lapsed, c.reversed = maps.Clone(a.changedLots), maps.Clone(a.lapsed), maps.Clone(a.reversed)
	return &c
}

// open books what is due for the member that who names and hands out its
// account. Time never runs back for a member: a clock that was set back, or a
// second process whose clock is behind, does not reorder its ledger.
func open(v *View, who Who, at Stamp) (*account, error) {
	id, err := v.resolve(who)
	if err != nil {
		return nil, err
	}
	s := v.state(id)
	a := newAccount(s.member, slices.Collect(maps.Values(s.lots)), v.Snapshot(), at.Now)
	a.view = v
	a.bringUp()
	return a, nil
}

// newAccount takes lots in any order and keeps them.
func newAccount(m Member, lots []Lot, snap *Snapshot, now Instant) *account {
	a := &account{
		Member: m, snap: snap, now: max(now, m.LastEntryAt), lots: lots,
	}
	a.dropEmpty() // what an earlier command of the batch has emptied
	slices.SortFunc(a.lots, func(x, y Lot) int { return compareSpendOrder(x.LotKey, y.LotKey) })
	return a
}

// effects is everything that the account did.
func (a *account) effects() Effects {
	e := Effects{Member: &a.Member, At: a.now, Entries: a.entries, Orders: a.orders, Tell: a.tell, LevelMoves: a.levelMoves}
	a.NextDueAt = a.nextDue()
	for _, k := range sortedBy(compareSpendOrder, a.changedLots) {
		lot := Lot{LotKey: k}
		if i := a.find(k); i >= 0 {
			lot = a.lots[i]
		}
		e.Lots = append(e.Lots, lot)
	}
	for _, k := range sortedBy(compareSpendOrder, a.lapsed) {
		e.Lapsed = append(e.Lapsed, a.lapsed[k])
	}
	for _, k := range sortedBy(compareTallies, a.tallies) {
		e.Tallies = append(e.Tallies, Tally{a.ID, k, a.tallies[k]})
	}
	for _, no := range ascending(a.reversed) {
		e.Reversed = append(e.Reversed, a.reversed[no])
	}
	return e
}

// nextDue is when time will change the account next.
func (a *account) nextDue() Instant {
	next := a.PeriodEnd
	for _, l := range a.lots {
		if l.Pending {
			next = min(next, l.AvailableAt)
		} else {
			next = min(next, l.ExpiresAt)
		}
	}
	return next
}

// settle books what time has brought up to now, each as an entry of its own at
// its own instant: at one instant first releases, then the end of a period,
// then expiries.
func (a *account) settle() {
	for {
		due := a.nextDue()
		if due > a.now {
			return
		}
		now := a.now
		a.now = max(due, a.LastEntryAt)
		if !a.release(due) && !a.endPeriod(due) {
			a.expire(due)
		}
		a.now = now
	}
}

// release ends the waiting period of all lots that become available at due.
func (a *account) release(due Instant) bool {
	var amount, filled int64
	var parts Parts
	for i := range a.lots {
		l := &a.lots[i]
		if !l.Pending || l.AvailableAt != due {
			continue
		}
		amount += l.Remaining
		l.Pending = false
		fill := min(a.Deficit-filled, l.Remaining)
		filled += fill
		l.Remaining -= fill
		set(&a.changedLots, l.LotKey, true)
		a.tellExpiring(l.LotKey, l.Remaining)
		parts = append(parts, Part{l.LotKey, -fill})
	}
	if len(parts) == 0 {
		return false
	}
	a.Earned += amount
	a.append(Entry{
		Kind: Release, Operation: OpManualGrant, Amount: amount, Points: amount,
		Pending: -amount, Deficit: -filled, Parts: parts,
	})
	a.dropEmpty()
	return true
}

// expire takes out what the lots that end at due still hold.
func (a *account) expire(due Instant) {
	var amount int64
	var parts Parts
	for i := range a.lots {
		l := &a.lots[i]
		if l.Pending || l.ExpiresAt != due {
			continue
		}
		amount += l.Remaining
		parts = append(parts, Part{l.LotKey, -l.Remaining})
		lapsed := a.lapsedOf(l.LotKey)
		lapsed.Quantity += l.Remaining
		set(&a.lapsed, l.LotKey, lapsed)
		l.Remaining = 0
		set(&a.changedLots, l.LotKey, true)
	}
	a.Used += amount
	a.append(Entry{Kind: Expiry, Operation: OpClearing, Amount: amount, Points: -amount, Parts: parts})
	a.dropEmpty()
}

// grant adds points: a deficit is filled first, the rest joins a lot.
func (a *account) grant(points int64, e Entry) *Entry {
	start := a.now
	key := LotKey{}
	if days := a.snap.Points.WaitingDays; days > 0 {
		start = startOfDay(a.now, a.snap.loc, days)
		key.AvailableAt = start
	}
	key.ExpiresAt = a.snap.Points.Validity.ExpiresAt(start, a.snap.loc)
	pending := key.AvailableAt > a.now

	if e.Decision == nil {
		e.Decision = &Decision{EarnedBy: ByCaller, Version: a.snap.Version}
	}
	e.Kind, e.Amount = Grant, points
	if pending {
		e.Pending = points
		e.Parts = Parts{a.join(key, points, true)}
	} else {
		filled := min(a.Deficit, points)
		e.Points, e.Deficit = points, -filled
		a.Earned += points
		if points > filled {
			e.Parts = Parts{a.join(key, points-filled, false)}
		}
	}
	return a.append(e)
}

// join puts points into the lot with the key, or opens it. A member with too
// many lots gets the next later expiry instead; where there is none, the end
// of that year, so that such a member gains one lot a year. Points that have to
// wait join those that wait at least as long, or wait to the next month's
// start: then it is one lot a month.
func (a *account) join(key LotKey, points int64, pending bool) Part {
	i := a.find(key)
	if i < 0 && len(a.lots) >= MaxOpenLots && key.ExpiresAt > a.now { // what ends at once needs no room
		key = a.crowded(key, pending)
		i = a.find(key)
	}
	if i < 0 {
		i, _ = a.place(key)
		a.lots = slices.Insert(a.lots, i, Lot{LotKey: key, Pending: pending})
	}
	a.lots[i].Remaining += points
	set(&a.changedLots, key, true)
	if !pending {
		a.tellExpiring(key, points)
	}
	return Part{key, points}
}

// tellExpiring announces points at once that end within the time for which
// AnnounceExpiring has looked already.
func (a *account) tellExpiring(key LotKey, points int64) {
	if points > 0 && key.ExpiresAt > a.now && key.ExpiresAt <= a.AnnouncedUntil {
		a.tell = append(a.tell, expiring(points, key.ExpiresAt, a.now))
	}
}

// crowded is the key to use instead of key when no lot may be opened.
func (a *account) crowded(key LotKey, pending bool) LotKey {
	for _, l := range a.lots { // in spend order: the first later one is the next
		if l.Pending == pending && l.ExpiresAt >= key.ExpiresAt && l.Source == key.Source &&
			(!pending || l.AvailableAt >= key.AvailableAt) {
			return l.LotKey
		}
	}
	if pending {
		y, m, _ := key.AvailableAt.In(a.snap.loc).Date()
		key.AvailableAt = dayStart(y, m+1, 1, a.snap.loc)
	}
	if key.ExpiresAt != Never {
		// A later release must not run into the end.
		key.ExpiresAt = endOfYear(max(key.ExpiresAt, key.AvailableAt+1), a.snap.loc)
	}
	return key
}

// spend takes points in spend order. A deficit blocks it.
func (a *account) spend(points int64, e Entry) (*Entry, error) {
	if a.Deficit > 0 || a.Balance < points {
		return nil, PointsInsufficient
	}
	e.Kind, e.Amount, e.Points = Spend, points, -points
	left := points
	for i := 0; i < len(a.lots) && left > 0; i++ {
		if l := &a.lots[i]; !l.Pending {
			e.Parts = append(e.Parts, a.take(l, &left, points))
		}
	}
	a.dropEmpty()
	a.Used += points
	return a.append(e), nil
}

// take moves up to limit points out of l, no more than *left, and counts down.
func (a *account) take(l *Lot, left *int64, limit int64) Part {
	n := min(*left, l.Remaining, limit)
	l.Remaining -= n
	*left -= n
	set(&a.changedLots, l.LotKey, true)
	return Part{l.LotKey, -n}
}

// append numbers an entry, books it into the totals and keeps it.
func (a *account) append(e Entry) *Entry {
	a.Entries++
	if e.Kind.Direction() == Credit {
		a.Credits++
	}
	a.Balance += e.Points
	a.Pending += e.Pending
	a.Deficit += e.Deficit
	a.LastEntryAt = a.now
	e.Member, e.No, e.At = a.ID, a.Entries, a.now
	e.Balance, e.Credits = a.Balance, a.Credits
	if e.Decision != nil {
		a.count(&e, e.Amount)
	}
	a.entries = append(a.entries, e)
	return &a.entries[len(a.entries)-1]
}

// markReversed counts n points of an earlier command's entry as reversed.
func (a *account) markReversed(orig Entry, n int64) {
	orig.Reversed += n
	a.count(&orig, -n)
	set(&a.reversed, orig.No, orig)
}

// entryNow is an entry that the refs lead to, or a new one, with what this
// command has reversed of it.
func (a *account) entryNow(no int64) Entry {
	if e, ok := a.reversed[no]; ok {
		return e
	}
	if len(a.entries) > 0 && no >= a.entries[0].No {
		return *a.entryNo(no)
	}
	return *a.view.entry(a.ID, no)
}

// entriesOf is the numbers of all entries of the order that the refs name,
// ascending, new ones included.
func (a *account) entriesOf(k OrderKey) []int64 {
	nos := slices.Clone(a.view.ofOrder(a.ID))
	for _, e := range a.entries {
		if e.Order() == k {
			nos = append(nos, e.No)
		}
	}
	return nos
}

// orderNow is an order that this command has made or changed.
func (a *account) orderNow(k OrderKey) Order {
	i := slices.IndexFunc(a.orders, func(o Order) bool { return o.OrderKey == k })
	return a.orders[i]
}

// place is where the lot k stands among the open ones, or would.
func (a *account) place(k LotKey) (i int, found bool) {
	return slices.BinarySearchFunc(a.lots, k, func(l Lot, k LotKey) int { return compareSpendOrder(l.LotKey, k) })
}

// find is where the lot k stands among the open ones; -1 if it is none.
func (a *account) find(k LotKey) int {
	if i, found := a.place(k); found {
		return i
	}
	return -1
}

func (a *account) dropEmpty() {
	a.lots = slices.DeleteFunc(a.lots, func(l Lot) bool { return l.Remaining == 0 })
}

// lapsedOf is what expired out of the lot k, as far as the account knows.
func (a *account) lapsedOf(k LotKey) Lapsed {
	if l, ok := a.lapsed[k]; ok {
		return l
	}
	l := Lapsed{LotKey: k}
	if a.view != nil {
		if loaded, ok := a.view.state(a.ID).lapsed[k]; ok {
			l = loaded
		}
	}
	return l
}
