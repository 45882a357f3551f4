// Package loyaltytest holds what proves the domain right: an in-memory store
// that is the reference for the real ones, a generator of random commands, and
// the tests that every store has to pass with them. Production code never
// imports it.
package loyaltytest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/memberd/memberd/internal/loyalty"
)

// Memory is the reference store: plain maps, one transaction at a time, no
// cleverness. A real store is right when it cannot be told from this one.
type Memory struct {
	turn chan struct{} // holds the one transaction

	mu         sync.Mutex
	nextID     int64
	snapshots  map[string]*loyalty.Snapshot
	members    map[int64]loyalty.Member
	profiles   map[int64]loyalty.ProfileRow
	lots       map[int64]map[loyalty.LotKey]loyalty.Lot
	lapsed     map[int64]map[loyalty.LotKey]loyalty.Lapsed
	entries    map[int64][]loyalty.Entry
	keys       map[int64]map[loyalty.KeyID]loyalty.KeyRow
	identities map[loyalty.Identity]int64
	audit      []loyalty.Audit
}

// NewMemory is an empty store with the merchants' rules.
func NewMemory(snapshots ...*loyalty.Snapshot) *Memory {
	m := &Memory{
		turn: make(chan struct{}, 1), nextID: 1,
		snapshots: map[string]*loyalty.Snapshot{}, members: map[int64]loyalty.Member{},
		profiles: map[int64]loyalty.ProfileRow{}, lots: map[int64]map[loyalty.LotKey]loyalty.Lot{},
		lapsed: map[int64]map[loyalty.LotKey]loyalty.Lapsed{}, entries: map[int64][]loyalty.Entry{},
		keys: map[int64]map[loyalty.KeyID]loyalty.KeyRow{}, identities: map[loyalty.Identity]int64{},
	}
	for _, s := range snapshots {
		m.snapshots[s.Merchant] = s
	}
	return m
}

// PutSnapshot adds a merchant, or gives it other rules.
func (m *Memory) PutSnapshot(s *loyalty.Snapshot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.snapshots[s.Merchant] = s
}

// ReserveMemberIDs counts on from the last block.
func (m *Memory) ReserveMemberIDs(_ context.Context, n int64) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := m.nextID
	m.nextID += n
	return first, nil
}

// Begin waits until no other transaction is open.
func (m *Memory) Begin(ctx context.Context) (loyalty.Tx, error) {
	select {
	case m.turn <- struct{}{}:
		return &memoryTx{Memory: m}, nil
	case <-ctx.Done():
		return nil, loyalty.ErrUnavailable
	}
}

type memoryTx struct {
	*Memory
	changes loyalty.Changes
	ended   bool
}

// Load copies what refs name.
func (tx *memoryTx) Load(_ context.Context, refs []loyalty.Refs) (*loyalty.WorkingSet, error) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	ws := loyalty.NewWorkingSet()
	for i := range refs {
		r := &refs[i]
		if s := tx.snapshots[r.Who.Merchant]; s != nil {
			ws.PutSnapshot(s)
		}
		for _, id := range r.AllIdentities() {
			ws.PutIdentity(id, tx.identities[id])
		}
	}
	for i := range refs {
		for _, id := range ws.Resolve(&refs[i]) {
			if m, ok := tx.members[id]; ok {
				ws.PutMember(m)
				tx.loadRows(ws, id, &refs[i])
			}
		}
	}
	return ws, nil
}

func (tx *memoryTx) loadRows(ws *loyalty.WorkingSet, id int64, r *loyalty.Refs) {
	for _, l := range tx.lots[id] {
		ws.PutLot(id, l)
	}
	nos := slices.Clone(r.Entries)
	for _, k := range r.Keys {
		if row, ok := tx.keys[id][k]; ok {
			ws.PutKey(row)
			nos = append(nos, row.Entry)
		}
	}
	for _, e := range tx.entries[id] {
		ofOrder := r.Order.No != "" && e.Order() == r.Order
		if !ofOrder && !slices.Contains(nos, e.No) {
			continue
		}
		ws.PutEntry(e, ofOrder)
		for _, p := range e.Parts {
			if l, ok := tx.lapsed[id][p.LotKey]; ok {
				ws.PutLapsed(id, l)
			}
		}
	}
	if r.Profile {
		if p, ok := tx.profiles[id]; ok {
			ws.PutProfile(id, p.Profile)
		}
	}
}

// Save keeps the changes until the commit.
func (tx *memoryTx) Save(_ context.Context, c loyalty.Changes) error {
	tx.changes = c
	return nil
}

// Rollback ends the transaction.
func (tx *memoryTx) Rollback() {
	if !tx.ended {
		tx.ended = true
		<-tx.turn
	}
}

// Commit takes the changes over.
func (tx *memoryTx) Commit(context.Context) error {
	tx.mu.Lock()
	tx.apply(tx.changes)
	tx.mu.Unlock()
	tx.Rollback()
	return nil
}

func (m *Memory) apply(c loyalty.Changes) {
	for _, row := range append(slices.Clone(c.NewMembers), c.Members...) {
		m.members[row.ID] = row
	}
	for _, p := range c.Profiles {
		p.New = false
		m.profiles[p.Member] = p
	}
	for _, l := range c.Lots {
		if l.Remaining == 0 {
			delete(m.lots[l.Member], l.LotKey)
			continue
		}
		inner(m.lots, l.Member)[l.LotKey] = l.Lot
	}
	for _, l := range c.Lapsed {
		inner(m.lapsed, l.Member)[l.LotKey] = l.Lapsed
	}
	for _, e := range c.Entries {
		m.entries[e.Member] = append(m.entries[e.Member], e)
	}
	for _, e := range c.Reversed {
		m.entries[e.Member][e.No-1].Reversed = e.Reversed
	}
	for _, i := range c.Unbound {
		delete(m.identities, i)
	}
	for _, i := range c.Bound {
		m.identities[i.Identity] = i.Member
	}
	for _, k := range c.Keys {
		inner(m.keys, k.Member)[k.KeyID] = k
	}
	m.audit = append(m.audit, c.Audit...)
}

func inner[K comparable, V any](outer map[int64]map[K]V, member int64) map[K]V {
	if outer[member] == nil {
		outer[member] = map[K]V{}
	}
	return outer[member]
}

// State is everything a store holds about members, each list sorted by its
// primary key, so that two stores can be compared.
type State struct {
	Members    []loyalty.Member
	Profiles   []loyalty.ProfileRow
	Lots       []loyalty.LotRow
	Lapsed     []loyalty.LapsedRow
	Entries    []loyalty.Entry
	Keys       []loyalty.KeyRow
	Identities []loyalty.IdentityRow // values as stored
	Audit      []loyalty.Audit
}

// Dump is the whole state. stored says how a store writes an identity's value;
// nil for as it is.
func (m *Memory) Dump(stored func(loyalty.Identity) string) State {
	m.mu.Lock()
	defer m.mu.Unlock()
	var s State
	for _, id := range slices.Sorted(maps.Keys(m.members)) {
		s.Members = append(s.Members, m.members[id])
		if p, ok := m.profiles[id]; ok {
			s.Profiles = append(s.Profiles, p)
		}
		for _, l := range m.lots[id] {
			s.Lots = append(s.Lots, loyalty.LotRow{Member: id, Lot: l})
		}
		for _, l := range m.lapsed[id] {
			s.Lapsed = append(s.Lapsed, loyalty.LapsedRow{Member: id, Lapsed: l})
		}
		s.Entries = append(s.Entries, m.entries[id]...)
		for _, k := range m.keys[id] {
			s.Keys = append(s.Keys, k)
		}
	}
	for i, member := range m.identities {
		if stored != nil {
			i.Value = stored(i)
		}
		s.Identities = append(s.Identities, loyalty.IdentityRow{Identity: i, Member: member})
	}
	s.Audit = slices.Clone(m.audit)
	s.Sort()
	return s
}

// Sort puts every list into the order of its primary key.
func (s *State) Sort() {
	slices.SortFunc(s.Lots, func(a, b loyalty.LotRow) int {
		return cmp.Or(cmp.Compare(a.Member, b.Member), compareLotKeys(a.LotKey, b.LotKey))
	})
	slices.SortFunc(s.Lapsed, func(a, b loyalty.LapsedRow) int {
		return cmp.Or(cmp.Compare(a.Member, b.Member), compareLotKeys(a.LotKey, b.LotKey))
	})
	slices.SortFunc(s.Keys, func(a, b loyalty.KeyRow) int {
		return cmp.Or(cmp.Compare(a.Member, b.Member), cmp.Compare(a.Space, b.Space),
			cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Key, b.Key))
	})
	slices.SortFunc(s.Identities, func(a, b loyalty.IdentityRow) int {
		return cmp.Or(cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value))
	})
	slices.SortFunc(s.Audit, func(a, b loyalty.Audit) int {
		return cmp.Or(cmp.Compare(a.Member, b.Member), cmp.Compare(a.No, b.No))
	})
}

func compareLotKeys(a, b loyalty.LotKey) int {
	return cmp.Or(cmp.Compare(a.ExpiresAt, b.ExpiresAt), cmp.Compare(a.AvailableAt, b.AvailableAt), cmp.Compare(a.Source, b.Source))
}

// Verify recomputes every member of the state from its entries.
func (s *State) Verify(snapshots map[string]*loyalty.Snapshot) []loyalty.Difference {
	var found []loyalty.Difference
	for _, m := range s.Members {
		v := loyalty.NewVerifier(m.ID)
		for _, e := range s.Entries {
			if e.Member == m.ID {
				v.Entry(e)
			}
		}
		var lots []loyalty.Lot
		for _, l := range s.Lots {
			if l.Member == m.ID {
				lots = append(lots, l.Lot)
			}
		}
		var lapsed []loyalty.Lapsed
		for _, l := range s.Lapsed {
			if l.Member == m.ID {
				lapsed = append(lapsed, l.Lapsed)
			}
		}
		found = append(found, v.Differences(m, lots, lapsed, snapshots[m.Merchant])...)
	}
	return found
}
