package loyalty

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// WorkingSet is what a batch has loaded, with the effects of the commands that
// have been decided so far. A store fills it, the writer decides on it, and
// Changes says what has to be saved. It is not safe for concurrent use.
type WorkingSet struct {
	snapshots  map[string]*Snapshot
	identities map[Identity]binding
	members    map[int64]*memberState
	templates  map[int64]*templateState
	byKey      map[merchantTemplate]int64
}

// Bound is what a name leads to: a member, and for numbers of orders and
// coupons the row's number with the member. The zero Bound is nobody.
type Bound struct{ Member, Row int64 }

// birth is when a member was born; the month is 0 if nobody knows.
type birth struct {
	month time.Month
	day   int
}

type binding struct{ loaded, now Bound }

type templateState struct {
	Template
	created bool // by this batch
	dirty   bool
}

type merchantTemplate struct {
	merchant string
	TemplateKey
}

// memberState is one member with everything of it that was loaded.
type memberState struct {
	member   Member
	created  bool // by this batch
	dirty    bool
	profile  *Profile
	profiled bool // profile changed
	lots     map[LotKey]Lot
	lotDirty map[LotKey]bool
	lapsed   map[LotKey]Lapsed
	lapDirty map[LotKey]bool
	entries  map[int64]*Entry
	fresh    []int64 // numbers of entries to append, ascending
	reversed map[int64]bool
	ofOrder  map[OrderKey][]int64
	keys     map[KeyID]*KeyRow // nil: looked for, not there
	newKeys  []KeyID
	audit    []Audit

	orders  rowsOf[Order]
	infos   []OrderInfoRow // to append
	forget  bool
	coupons rowsOf[Coupon]
	claims  map[int64]int64 // by template
	claimed map[int64]bool  // changed
	marks   *Marks
	marked  bool // marks changed

	tallies map[TallyKey]int64
	tallied map[TallyKey]bool // changed
	born    birth
	moves   rowsOf[LevelMove]

	streams map[string]int64 // newest event's number, by app
	events  []Callback       // to append
}

// rowsOf are numbered rows of a member, with what a batch did to them.
type rowsOf[R any] struct {
	rows    map[int64]R
	fresh   []int64 // to append, ascending
	changed map[int64]bool
}

// ascending are a map's keys in order. Most maps of a member are empty in most
// batches, and an empty one costs nothing.
func ascending[K cmp.Ordered, V any](m map[K]V) []K {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}

// sortedBy is ascending for keys with an order of their own.
func sortedBy[K comparable, V any](compare func(a, b K) int, m map[K]V) []K {
	if len(m) == 0 {
		return nil
	}
	return slices.SortedFunc(maps.Keys(m), compare)
}

// set makes a map when something comes into it: of most members of a batch
// little more than a lot, an entry and a key is there.
func set[K comparable, V any](m *map[K]V, key K, value V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[key] = value
}

// apply takes a row as it shall be, and tells whether it is a new one.
func (r *rowsOf[R]) apply(seq int64, row R) (created bool) {
	_, there := r.rows[seq]
	set(&r.rows, seq, row)
	if !there {
		r.fresh = append(r.fresh, seq)
	} else if !slices.Contains(r.fresh, seq) {
		set(&r.changed, seq, true)
	}
	return !there
}

func (r *rowsOf[R]) collect(created, changed *[]R) {
	for _, seq := range r.fresh {
		*created = append(*created, r.rows[seq])
	}
	for _, seq := range ascending(r.changed) {
		*changed = append(*changed, r.rows[seq])
	}
}

// where are the rows that match, ascending.
func (r *rowsOf[R]) where(match func(*R) bool) []R {
	var found []R
	for _, seq := range ascending(r.rows) {
		if row := r.rows[seq]; match(&row) {
			found = append(found, row)
		}
	}
	return found
}

// NewWorkingSet is empty.
func NewWorkingSet() *WorkingSet {
	return &WorkingSet{
		snapshots:  map[string]*Snapshot{},
		identities: map[Identity]binding{},
		members:    map[int64]*memberState{},
		templates:  map[int64]*templateState{},
		byKey:      map[merchantTemplate]int64{},
	}
}

// PutSnapshot stores a merchant's rules as loaded.
func (ws *WorkingSet) PutSnapshot(s *Snapshot) { ws.snapshots[s.Merchant] = s }

// PutIdentity stores the outcome of a look-up; the zero Bound for nobody.
func (ws *WorkingSet) PutIdentity(i Identity, b Bound) { ws.identities[i] = binding{b, b} }

// PutMember stores a member row as loaded.
func (ws *WorkingSet) PutMember(m Member) { ws.state(m.ID).member = m }

// PutLot stores an open lot as loaded.
func (ws *WorkingSet) PutLot(member int64, l Lot) { set(&ws.state(member).lots, l.LotKey, l) }

// PutLapsed stores what expired out of a lot, as loaded.
func (ws *WorkingSet) PutLapsed(member int64, l Lapsed) { set(&ws.state(member).lapsed, l.LotKey, l) }

// PutEntry stores a ledger entry as loaded; order says that it was loaded as
// one of its order.
func (ws *WorkingSet) PutEntry(e Entry, order bool) {
	s := ws.state(e.Member)
	set(&s.entries, e.No, &e)
	if order {
		s.putOfOrder(e.Order(), e.No)
	}
}

// putOfOrder keeps an order's entry numbers ascending, however they were read.
func (s *memberState) putOfOrder(o OrderKey, no int64) {
	if i, found := slices.BinarySearch(s.ofOrder[o], no); !found {
		set(&s.ofOrder, o, slices.Insert(s.ofOrder[o], i, no))
	}
}

// PutKey stores a used key as loaded.
func (ws *WorkingSet) PutKey(row KeyRow) { set(&ws.state(row.Member).keys, row.KeyID, &row) }

// PutProfile stores personal data as loaded.
func (ws *WorkingSet) PutProfile(member int64, p Profile) { ws.state(member).profile = &p }

// PutOrder stores an order as loaded.
func (ws *WorkingSet) PutOrder(o Order) { set(&ws.state(o.Member).orders.rows, o.Seq, o) }

// PutCoupon stores a coupon as loaded.
func (ws *WorkingSet) PutCoupon(c Coupon) { set(&ws.state(c.Member).coupons.rows, c.Seq, c) }

// PutClaims stores a count of claims as loaded.
func (ws *WorkingSet) PutClaims(c Claims) { set(&ws.state(c.Member).claims, c.Template, c.Count) }

// PutMarks stores labels and paid cards as loaded.
func (ws *WorkingSet) PutMarks(member int64, m Marks) { ws.state(member).marks = &m }

// PutTally stores a tally as loaded.
func (ws *WorkingSet) PutTally(t Tally) { set(&ws.state(t.Member).tallies, t.TallyKey, t.Points) }

// PutLevelMove stores a member's way to another level, as loaded.
func (ws *WorkingSet) PutLevelMove(m LevelMove) { set(&ws.state(m.Member).moves.rows, m.No, m) }

// PutBirthday stores the month and day of a member's birth, as loaded.
func (ws *WorkingSet) PutBirthday(member int64, month time.Month, day int) {
	ws.state(member).born = birth{month, day}
}

// PutStream stores how far an app's events of a member go, as loaded.
func (ws *WorkingSet) PutStream(s Stream) { set(&ws.state(s.Member).streams, s.App, s.Last) }

// PutTemplate stores a template as loaded.
func (ws *WorkingSet) PutTemplate(t Template) {
	ws.templates[t.ID] = &templateState{Template: t}
	ws.byKey[merchantTemplate{t.Merchant, t.TemplateKey}] = t.ID
}

func (ws *WorkingSet) state(member int64) *memberState {
	s := ws.members[member]
	if s == nil {
		s = &memberState{}
		ws.members[member] = s
	}
	return s
}

// Snapshot is the rules of a merchant, nil when there is no such merchant.
func (ws *WorkingSet) Snapshot(merchant string) *Snapshot { return ws.snapshots[merchant] }

// Subjects are the members that the command is about, as its look-ups named
// them when they were loaded: their rows come with them.
func (ws *WorkingSet) Subjects(r *Refs) []int64 { return ws.named([]Who{r.Who}, nil) }

// Held are the members whose rows alone are needed.
func (ws *WorkingSet) Held(r *Refs) []int64 { return ws.named(r.Holders, nil) }

// Resolve gives all members that r's look-ups named when they were loaded: they
// have to be locked.
func (ws *WorkingSet) Resolve(r *Refs) []int64 {
	return ws.named(append([]Who{r.Who}, r.Holders...), r.Identities)
}

// named are members, each once, as they were named when they were loaded. A list
// of a thousand is gone through once.
func (ws *WorkingSet) named(who []Who, identities []Identity) (ids []int64) {
	seen := make(map[int64]bool, len(who)+len(identities))
	seen[0] = true
	add := func(id int64) {
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	for _, w := range who {
		add(w.ID)
		for _, i := range w.Identities() {
			add(ws.identities[i].loaded.Member)
		}
	}
	for _, i := range identities {
		add(ws.identities[i].loaded.Member)
	}
	return ids
}

// Moved tells whether an earlier command of the batch has given one of the
// names by which r means its member or its holders to another member that was
// there before: its rows for r were not loaded, so r belongs into the next
// batch. A member that this batch created has no rows but those that are here.
func (ws *WorkingSet) Moved(r *Refs) bool {
	names := r.Who.Identities()
	for _, w := range r.Holders {
		names = append(names, w.Identities()...)
	}
	for _, i := range names {
		b := ws.identities[i]
		if b.now.Member == b.loaded.Member || b.now.Member == 0 {
			continue
		}
		if s := ws.members[b.now.Member]; s == nil || !s.created {
			return true
		}
	}
	return false
}

// Rows is how many rows of members have been loaded.
func (ws *WorkingSet) Rows() int {
	n := len(ws.members) + len(ws.templates)
	for _, s := range ws.members {
		n += len(s.lots) + len(s.lapsed) + len(s.entries) + len(s.keys) + len(s.orders.rows) + len(s.coupons.rows)
	}
	return n
}

// Apply takes a decided command's effects in, for the commands after it.
func (ws *WorkingSet) Apply(e Effects) {
	if e.Template != nil {
		ws.applyTemplate(*e.Template)
	}
	for _, other := range e.Others {
		ws.Apply(other)
	}
	if e.Member == nil {
		if e.Key != nil {
			ws.state(e.Key.Member).addKey(e.Key)
		}
		return
	}
	s := ws.state(e.Member.ID)
	s.announce(e, ws.snapshots[e.Member.Merchant])
	s.member, s.dirty = *e.Member, true
	s.created = s.created || e.Created
	if e.Profile != nil {
		s.profile, s.profiled = e.Profile, true
	}
	s.applyPoints(e)
	ws.applyNames(e)
	ws.applyOrders(s, e)
	ws.applyCoupons(s, e)
	if e.Marks != nil {
		s.marks, s.marked = e.Marks, true
	}
	for _, t := range e.Tallies {
		set(&s.tallies, t.TallyKey, t.Points)
		set(&s.tallied, t.TallyKey, true)
	}
	for _, m := range e.LevelMoves {
		s.moves.apply(m.No, m)
	}
	s.audit = append(s.audit, e.Audit...)
	if e.Key != nil {
		s.addKey(e.Key)
	}
}

func (ws *WorkingSet) applyTemplate(t Template) {
	s := ws.templates[t.ID]
	if s == nil {
		s = &templateState{created: true}
		ws.templates[t.ID] = s
		ws.byKey[merchantTemplate{t.Merchant, t.TemplateKey}] = t.ID
	}
	s.Template, s.dirty = t, true
}

func (s *memberState) applyPoints(e Effects) {
	for _, l := range e.Lots {
		set(&s.lots, l.LotKey, l)
		set(&s.lotDirty, l.LotKey, true)
	}
	for _, l := range e.Lapsed {
		set(&s.lapsed, l.LotKey, l)
		set(&s.lapDirty, l.LotKey, true)
	}
	for i := range e.Entries {
		entry := e.Entries[i]
		set(&s.entries, entry.No, &entry)
		s.fresh = append(s.fresh, entry.No)
		if entry.OrderNo != "" {
			s.putOfOrder(entry.Order(), entry.No)
		}
	}
	for i := range e.Reversed {
		entry := e.Reversed[i]
		set(&s.entries, entry.No, &entry)
		set(&s.reversed, entry.No, true)
	}
}

func (ws *WorkingSet) applyNames(e Effects) {
	for _, i := range e.Released {
		b, looked := ws.identities[i]
		if !looked { // known from the member's own row, not from a look-up
			b.loaded = Bound{Member: e.Member.ID}
		}
		b.now = Bound{}
		ws.identities[i] = b
	}
	for _, i := range e.Claimed {
		ws.claim(i, Bound{Member: e.Member.ID})
	}
}

func (ws *WorkingSet) claim(i Identity, to Bound) {
	b := ws.identities[i]
	b.now = to
	ws.identities[i] = b
}

func (ws *WorkingSet) applyOrders(s *memberState, e Effects) {
	for _, o := range e.Orders {
		if s.orders.apply(o.Seq, o) {
			ws.claim(o.identity(s.member.Merchant), Bound{o.Member, o.Seq})
		}
	}
	if e.OrderInfo != nil {
		row := *e.OrderInfo
		row.Member, row.Merchant = s.member.ID, s.member.Merchant
		s.infos = append(s.infos, row)
	}
	if e.Forget {
		s.forget = true
		for i := range s.infos {
			s.infos[i].Papers = OrderPapers{}
		}
	}
}

func (ws *WorkingSet) applyCoupons(s *memberState, e Effects) {
	for _, c := range e.Coupons {
		if s.coupons.apply(c.Seq, c) {
			ws.claim(couponIdentity(s.member.Merchant, c.Space, c.Number), Bound{c.Member, c.Seq})
		}
	}
	if e.Claims != nil {
		set(&s.claims, e.Claims.Template, e.Claims.Count)
		set(&s.claimed, e.Claims.Template, true)
	}
}

func (s *memberState) addKey(row *KeyRow) {
	set(&s.keys, row.KeyID, row)
	s.newKeys = append(s.newKeys, row.KeyID)
}

// Changes is what a batch has to save, each list sorted by key, so that every
// process takes locks in the same order.
type Changes struct {
	NewMembers []Member
	Members    []Member // that were there before
	Profiles   []ProfileRow
	Lots       []LotRow // Remaining 0: delete
	Lapsed     []LapsedRow
	Entries    []Entry // new
	Reversed   []Entry // older ones whose Reversed moved
	Unbound    []Identity
	Bound      []IdentityRow
	Keys       []KeyRow
	Audit      []Audit

	NewOrders    []Order
	Orders       []Order // that were there before
	Forgotten    []int64 // members whose orders lose their personal part; before OrderInfos
	OrderInfos   []OrderInfoRow
	NewCoupons   []Coupon
	Coupons      []Coupon // that were there before
	Claims       []Claims
	LevelMoves   []LevelMove // new
	Tallies      []Tally     // to insert or replace
	Marks        []MarksRow  // replace all of the member's
	NewTemplates []Template
	Templates    []Template // whose Issued moved

	Events  []Callback
	Streams []Stream // that Events go to, as they are after them
}

// ProfileRow, LotRow, LapsedRow, MarksRow and IdentityRow are rows with their
// member.
type (
	ProfileRow struct {
		Member   int64
		Merchant string
		New      bool
		Profile
	}
	LotRow struct {
		Member int64
		Lot
	}
	LapsedRow struct {
		Member int64
		Lapsed
	}
	MarksRow struct {
		Member   int64
		Merchant string
		Marks
	}
	IdentityRow struct {
		Identity
		Bound
	}
)

// Changes collects what Apply took in.
func (ws *WorkingSet) Changes() Changes {
	c := ws.room()
	for _, id := range ascending(ws.members) {
		ws.members[id].collect(id, &c)
	}
	for _, id := range ascending(ws.templates) {
		switch t := ws.templates[id]; {
		case t.created:
			c.NewTemplates = append(c.NewTemplates, t.Template)
		case t.dirty:
			c.Templates = append(c.Templates, t.Template)
		}
	}
	for i, b := range ws.identities {
		if b.now == b.loaded {
			continue
		}
		if b.loaded.Member != 0 {
			c.Unbound = append(c.Unbound, i)
		}
		if b.now.Member != 0 {
			c.Bound = append(c.Bound, IdentityRow{i, b.now})
		}
	}
	slices.SortFunc(c.Unbound, compareIdentities)
	slices.SortFunc(c.Bound, func(a, b IdentityRow) int { return compareIdentities(a.Identity, b.Identity) })
	return c
}

// room is no changes, with room for what nearly every member of a batch has.
func (ws *WorkingSet) room() (c Changes) {
	var members, lots, entries, keys int
	for _, s := range ws.members {
		if s.dirty && !s.created {
			members++
		}
		lots, entries, keys = lots+len(s.lotDirty), entries+len(s.fresh), keys+len(s.newKeys)
	}
	c.Members, c.Lots = slices.Grow(c.Members, members), slices.Grow(c.Lots, lots)
	c.Entries, c.Keys = slices.Grow(c.Entries, entries), slices.Grow(c.Keys, keys)
	return c
}

func (s *memberState) collect(id int64, c *Changes) {
	if s.dirty && s.created {
		c.NewMembers = append(c.NewMembers, s.member)
	} else if s.dirty {
		c.Members = append(c.Members, s.member)
	}
	if s.profiled {
		c.Profiles = append(c.Profiles, ProfileRow{id, s.member.Merchant, s.created, *s.profile})
	}
	for _, k := range sortedBy(compareSpendOrder, s.lotDirty) {
		c.Lots = append(c.Lots, LotRow{id, s.lots[k]})
	}
	for _, k := range sortedBy(compareSpendOrder, s.lapDirty) {
		c.Lapsed = append(c.Lapsed, LapsedRow{id, s.lapsed[k]})
	}
	for _, no := range s.fresh {
		c.Entries = append(c.Entries, *s.entries[no])
	}
	for _, no := range ascending(s.reversed) {
		if len(s.fresh) == 0 || no < s.fresh[0] { // a new one is saved with it
			c.Reversed = append(c.Reversed, *s.entries[no])
		}
	}
	for _, k := range s.newKeys {
		c.Keys = append(c.Keys, *s.keys[k])
	}
	c.Audit = append(c.Audit, s.audit...)
	s.orders.collect(&c.NewOrders, &c.Orders)
	s.coupons.collect(&c.NewCoupons, &c.Coupons)
	c.OrderInfos = append(c.OrderInfos, s.infos...)
	if s.forget {
		c.Forgotten = append(c.Forgotten, id)
	}
	for _, no := range s.moves.fresh {
		c.LevelMoves = append(c.LevelMoves, s.moves.rows[no])
	}
	for _, k := range sortedBy(compareTallies, s.tallied) {
		c.Tallies = append(c.Tallies, Tally{id, k, s.tallies[k]})
	}
	for _, t := range ascending(s.claimed) {
		c.Claims = append(c.Claims, Claims{id, t, s.claims[t]})
	}
	c.Events = append(c.Events, s.events...)
	last := map[string]int64{} // of the streams that something was told to
	for _, e := range s.events {
		last[e.App] = e.No
	}
	for _, app := range ascending(last) {
		c.Streams = append(c.Streams, Stream{id, app, last[app]})
	}
	if s.marked {
		c.Marks = append(c.Marks, MarksRow{id, s.member.Merchant, *s.marks})
	}
}

func compareIdentities(a, b Identity) int {
	return cmp.Or(cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value))
}
