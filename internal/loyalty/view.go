package loyalty

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// WorkingSet is what a batch has loaded, with the effects of the commands that
// have been decided so far. A store fills it, the writer decides on it, and
// Changes says what has to be saved. It is not safe for concurrent use.
type WorkingSet struct {
	snapshots  map[string]*Snapshot
	identities map[Identity]binding
	members    map[int64]*memberState
}

type binding struct {
	loaded, now int64 // 0: nobody
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
	orders   map[Order][]int64
	keys     map[KeyID]*KeyRow // nil: looked for, not there
	newKeys  []KeyID
	audit    []Audit
}

// NewWorkingSet is empty.
func NewWorkingSet() *WorkingSet {
	return &WorkingSet{
		snapshots:  map[string]*Snapshot{},
		identities: map[Identity]binding{},
		members:    map[int64]*memberState{},
	}
}

// PutSnapshot stores a merchant's rules as loaded.
func (ws *WorkingSet) PutSnapshot(s *Snapshot) { ws.snapshots[s.Merchant] = s }

// PutIdentity stores the outcome of a look-up; member 0 for nobody.
func (ws *WorkingSet) PutIdentity(i Identity, member int64) {
	ws.identities[i] = binding{loaded: member, now: member}
}

// PutMember stores a member row as loaded.
func (ws *WorkingSet) PutMember(m Member) { ws.state(m.ID).member = m }

// PutLot stores an open lot as loaded.
func (ws *WorkingSet) PutLot(member int64, l Lot) { ws.state(member).lots[l.LotKey] = l }

// PutLapsed stores what expired out of a lot, as loaded.
func (ws *WorkingSet) PutLapsed(member int64, l Lapsed) { ws.state(member).lapsed[l.LotKey] = l }

// PutEntry stores a ledger entry as loaded; order says that it was loaded as
// one of its order.
func (ws *WorkingSet) PutEntry(e Entry, order bool) {
	s := ws.state(e.Member)
	s.entries[e.No] = &e
	if order {
		s.putOrder(e.Order(), e.No)
	}
}

// putOrder keeps an order's entry numbers ascending, however they were read.
func (s *memberState) putOrder(o Order, no int64) {
	if i, found := slices.BinarySearch(s.orders[o], no); !found {
		s.orders[o] = slices.Insert(s.orders[o], i, no)
	}
}

// PutKey stores a used key as loaded.
func (ws *WorkingSet) PutKey(row KeyRow) { ws.state(row.Member).keys[row.KeyID] = &row }

// PutProfile stores personal data as loaded.
func (ws *WorkingSet) PutProfile(member int64, p Profile) { ws.state(member).profile = &p }

func (ws *WorkingSet) state(member int64) *memberState {
	s := ws.members[member]
	if s == nil {
		s = &memberState{
			lots: map[LotKey]Lot{}, lotDirty: map[LotKey]bool{},
			lapsed: map[LotKey]Lapsed{}, lapDirty: map[LotKey]bool{},
			entries: map[int64]*Entry{}, reversed: map[int64]bool{},
			orders: map[Order][]int64{}, keys: map[KeyID]*KeyRow{},
		}
		ws.members[member] = s
	}
	return s
}

// Snapshot is the rules of a merchant, nil when there is no such merchant.
func (ws *WorkingSet) Snapshot(merchant string) *Snapshot { return ws.snapshots[merchant] }

// Resolve gives the members that r's look-ups named when they were loaded.
func (ws *WorkingSet) Resolve(r *Refs) []int64 {
	var ids []int64
	add := func(id int64) {
		if id != 0 && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	add(r.Who.ID)
	for _, i := range r.AllIdentities() {
		add(ws.identities[i].loaded)
	}
	return ids
}

// Moved tells whether an earlier command of the batch has given one of r's
// names to another member that was there before: its rows for r were not
// loaded, so r belongs into the next batch. A member that this batch created
// has no rows but those that are here.
func (ws *WorkingSet) Moved(r *Refs) bool {
	for _, i := range r.AllIdentities() {
		b := ws.identities[i]
		if b.now == b.loaded || b.now == 0 {
			continue
		}
		if s := ws.members[b.now]; s == nil || !s.created {
			return true
		}
	}
	return false
}

// Rows is how many rows of members have been loaded.
func (ws *WorkingSet) Rows() int {
	n := len(ws.members)
	for _, s := range ws.members {
		n += len(s.lots) + len(s.lapsed) + len(s.entries) + len(s.keys)
	}
	return n
}

// Apply takes a decided command's effects in, for the commands after it.
func (ws *WorkingSet) Apply(e Effects) {
	if e.Member == nil {
		if e.Key != nil {
			ws.state(e.Key.Member).addKey(e.Key)
		}
		return
	}
	s := ws.state(e.Member.ID)
	s.member, s.dirty = *e.Member, true
	s.created = s.created || e.Created
	if e.Profile != nil {
		s.profile, s.profiled = e.Profile, true
	}
	for _, l := range e.Lots {
		s.lots[l.LotKey], s.lotDirty[l.LotKey] = l, true
	}
	for _, l := range e.Lapsed {
		s.lapsed[l.LotKey], s.lapDirty[l.LotKey] = l, true
	}
	for i := range e.Entries {
		entry := e.Entries[i]
		s.entries[entry.No] = &entry
		s.fresh = append(s.fresh, entry.No)
		if entry.OrderNo != "" {
			s.putOrder(entry.Order(), entry.No)
		}
	}
	for i := range e.Reversed {
		entry := e.Reversed[i]
		s.entries[entry.No] = &entry
		s.reversed[entry.No] = true
	}
	for _, i := range e.Released {
		b, looked := ws.identities[i]
		if !looked { // known from the member's own row, not from a look-up
			b.loaded = e.Member.ID
		}
		b.now = 0
		ws.identities[i] = b
	}
	for _, i := range e.Claimed {
		b := ws.identities[i]
		b.now = e.Member.ID
		ws.identities[i] = b
	}
	s.audit = append(s.audit, e.Audit...)
	if e.Key != nil {
		s.addKey(e.Key)
	}
}

func (s *memberState) addKey(row *KeyRow) {
	s.keys[row.KeyID] = row
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
}

// ProfileRow, LotRow, LapsedRow and IdentityRow are rows with their member.
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
	IdentityRow struct {
		Identity
		Member int64
	}
)

// Changes collects what Apply took in.
func (ws *WorkingSet) Changes() Changes {
	var c Changes
	for _, id := range slices.Sorted(maps.Keys(ws.members)) {
		ws.members[id].collect(id, &c)
	}
	for i, b := range ws.identities {
		if b.now == b.loaded {
			continue
		}
		if b.loaded != 0 {
			c.Unbound = append(c.Unbound, i)
		}
		if b.now != 0 {
			c.Bound = append(c.Bound, IdentityRow{i, b.now})
		}
	}
	slices.SortFunc(c.Unbound, compareIdentities)
	slices.SortFunc(c.Bound, func(a, b IdentityRow) int { return compareIdentities(a.Identity, b.Identity) })
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
	for _, k := range sortedLots(s.lotDirty) {
		c.Lots = append(c.Lots, LotRow{id, s.lots[k]})
	}
	for _, k := range sortedLots(s.lapDirty) {
		c.Lapsed = append(c.Lapsed, LapsedRow{id, s.lapsed[k]})
	}
	for _, no := range s.fresh {
		c.Entries = append(c.Entries, *s.entries[no])
	}
	for _, no := range slices.Sorted(maps.Keys(s.reversed)) {
		if len(s.fresh) == 0 || no < s.fresh[0] { // a new one is saved with it
			c.Reversed = append(c.Reversed, *s.entries[no])
		}
	}
	for _, k := range s.newKeys {
		c.Keys = append(c.Keys, *s.keys[k])
	}
	c.Audit = append(c.Audit, s.audit...)
}

func sortedLots[V any](set map[LotKey]V) []LotKey {
	return slices.SortedFunc(maps.Keys(set), compareSpendOrder)
}

func compareIdentities(a, b Identity) int {
	return cmp.Or(cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value))
}

// View is what one command may see: the rows that its Refs name. Asking for
// another row is a bug of the command and panics, because whether such a row
// is there would depend on its neighbours in the batch.
type View struct {
	ws   *WorkingSet
	refs *Refs
}

// Snapshot is the rules of the command's merchant.
func (v *View) Snapshot() *Snapshot { return v.ws.snapshots[v.refs.Who.Merchant] }

// lookup is the member that i names now; 0 for nobody.
func (v *View) lookup(i Identity) int64 {
	if !slices.Contains(v.refs.AllIdentities(), i) {
		panic(fmt.Sprintf("loyalty: look-up by %s that no ref names", i.Kind))
	}
	return v.ws.identities[i].now
}

// memberOf resolves a reference; found is false unless all ways given name one
// and the same member.
func (v *View) memberOf(w Who) (id int64, found bool) {
	id, err := v.resolve(w)
	return id, err == nil
}

// resolve gives the member that w names: MemberNotFound when nobody is named,
// MembersDisagree when one way names somebody and another does not, or names
// somebody else. Points must not be booked on a guess (finding G-036).
func (v *View) resolve(w Who) (int64, error) {
	var id int64
	disagree := false
	seen := 0
	consider := func(named int64) {
		if seen > 0 && named != id {
			disagree = true
		}
		id = max(id, named)
		seen++
	}
	if w.ID != 0 {
		s := v.ws.members[w.ID]
		if s == nil || s.member.Merchant != w.Merchant {
			consider(0)
		} else {
			consider(w.ID)
		}
	}
	for _, i := range w.identities() {
		consider(v.lookup(i))
	}
	switch {
	case id == 0:
		return 0, MemberNotFound
	case disagree:
		return 0, MembersDisagree
	}
	return id, nil
}

// state is a member's rows; the member must be one that the refs lead to.
func (v *View) state(member int64) *memberState {
	s := v.ws.members[member]
	if s == nil {
		panic(fmt.Sprintf("loyalty: member %d that no ref names", member))
	}
	return s
}

// key is a used key of the member, nil when it was not used.
func (v *View) key(member int64, k KeyID) *KeyRow {
	if !slices.Contains(v.refs.Keys, k) {
		panic(fmt.Sprintf("loyalty: key of %s that no ref names", k.Operation))
	}
	return v.state(member).keys[k]
}

// entry is a ledger entry of the member, nil when it does not exist. It must
// be named by number, by a key or by an order number.
func (v *View) entry(member, no int64) *Entry {
	s := v.state(member)
	named := slices.Contains(v.refs.Entries, no) || slices.Contains(s.orders[v.refs.Order], no)
	for _, k := range v.refs.Keys {
		if row := s.keys[k]; row != nil && row.Entry == no {
			named = true
		}
	}
	if !named {
		panic(fmt.Sprintf("loyalty: entry %d that no ref names", no))
	}
	return s.entries[no]
}

// ofOrder is the numbers of the member's entries of the order that the refs
// name, ascending.
func (v *View) ofOrder(member int64) []int64 {
	if v.refs.Order.No == "" {
		panic("loyalty: entries of an order that no ref names")
	}
	return v.state(member).orders[v.refs.Order]
}

// profile is a copy of the member's personal data.
func (v *View) profile(member int64) Profile {
	if !v.refs.Profile {
		panic("loyalty: a profile that no ref names")
	}
	p := v.state(member).profile
	if p == nil {
		return Profile{}
	}
	copied := *p
	copied.Channels = slices.Clone(p.Channels)
	return copied
}
