// Package loyaltytest holds what proves the domain right: an in-memory store
// that is the reference for the real ones, a generator of random commands, and
// the tests that every store has to pass with them. Production code never
// imports it.
package loyaltytest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// Memory is the reference store: plain maps, one transaction at a time, no
// cleverness. A real store is right when it cannot be told from this one.
type Memory struct {
	turn chan struct{} // holds the one transaction

	mu         sync.Mutex
	nextID     map[loyalty.IDKind]int64
	snapshots  map[string]*loyalty.Snapshot
	members    map[int64]loyalty.Member
	profiles   map[int64]loyalty.ProfileRow
	lots       map[int64]map[loyalty.LotKey]loyalty.Lot
	lapsed     map[int64]map[loyalty.LotKey]loyalty.Lapsed
	entries    map[int64][]loyalty.Entry
	keys       map[int64]map[loyalty.KeyID]loyalty.KeyRow
	identities map[loyalty.Identity]loyalty.Bound
	audit      []loyalty.Audit
	orders     map[int64]map[int64]loyalty.Order
	infos      map[int64]map[int64]loyalty.OrderInfoRow
	coupons    map[int64]map[int64]loyalty.Coupon
	claims     map[int64]map[int64]int64
	marks      map[int64]loyalty.MarksRow
	templates  map[int64]loyalty.Template
	events     []loyalty.Callback
	streams    map[int64]map[string]int64
	moves      map[int64]map[int64]loyalty.LevelMove
	tallies    map[int64]map[loyalty.TallyKey]int64
}

// NewMemory is an empty store with the merchants' rules.
func NewMemory(snapshots ...*loyalty.Snapshot) *Memory {
	m := &Memory{
		turn: make(chan struct{}, 1), nextID: map[loyalty.IDKind]int64{},
		snapshots: map[string]*loyalty.Snapshot{}, members: map[int64]loyalty.Member{},
		profiles: map[int64]loyalty.ProfileRow{}, lots: map[int64]map[loyalty.LotKey]loyalty.Lot{},
		lapsed: map[int64]map[loyalty.LotKey]loyalty.Lapsed{}, entries: map[int64][]loyalty.Entry{},
		keys: map[int64]map[loyalty.KeyID]loyalty.KeyRow{}, identities: map[loyalty.Identity]loyalty.Bound{},
		orders: map[int64]map[int64]loyalty.Order{}, infos: map[int64]map[int64]loyalty.OrderInfoRow{},
		coupons: map[int64]map[int64]loyalty.Coupon{}, claims: map[int64]map[int64]int64{},
		marks: map[int64]loyalty.MarksRow{}, templates: map[int64]loyalty.Template{}, streams: map[int64]map[string]int64{},
		moves: map[int64]map[int64]loyalty.LevelMove{}, tallies: map[int64]map[loyalty.TallyKey]int64{},
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

// ReserveIDs counts on from the last block.
func (m *Memory) ReserveIDs(_ context.Context, kind loyalty.IDKind, n int64) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := m.nextID[kind] + 1
	m.nextID[kind] += n
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
				for app, last := range tx.streams[id] {
					ws.PutStream(loyalty.Stream{Member: id, App: app, Last: last})
				}
			}
		}
		for _, id := range ws.Subjects(&refs[i]) {
			if _, ok := tx.members[id]; ok {
				tx.loadRows(ws, id, &refs[i])
			}
		}
		tx.loadNamed(ws, &refs[i])
		tx.loadNeeds(ws, ws.RuleNeeds(&refs[i]))
	}
	return ws, nil
}

// loadNamed reads what numbers and the template of r lead to.
func (tx *memoryTx) loadNamed(ws *loyalty.WorkingSet, r *loyalty.Refs) {
	for _, i := range r.Identities {
		b := tx.identities[i]
		switch i.Kind {
		case loyalty.ByOrder:
			if o, ok := tx.orders[b.Member][b.Row]; ok {
				ws.PutOrder(o)
			}
		case loyalty.ByCoupon:
			tx.putCoupon(ws, b.Member, b.Row)
		}
	}
	for _, t := range tx.templates {
		if t.Merchant != r.Who.Merchant || t.TemplateKey != r.Template {
			continue
		}
		ws.PutTemplate(t)
		for _, id := range ws.Held(r) {
			if n, ok := tx.claims[id][t.ID]; ok {
				ws.PutClaims(loyalty.Claims{Member: id, Template: t.ID, Count: n})
			}
		}
	}
}

// loadNeeds reads what the rules want to look at.
func (tx *memoryTx) loadNeeds(ws *loyalty.WorkingSet, needs loyalty.RuleNeeds) {
	id := needs.Member
	if needs.Birthday {
		p := tx.profiles[id]
		ws.PutBirthday(id, time.Month(p.BirthMonth), p.BirthDay)
	}
	if needs.Labels {
		ws.PutMarks(id, tx.marks[id].Marks)
	}
	if needs.Levels {
		for _, no := range slices.Sorted(maps.Keys(tx.moves[id])) {
			if m := tx.moves[id][no]; m.At > needs.LevelAt {
				ws.PutLevelMove(m)
				break
			}
		}
	}
	for _, wanted := range needs.Tallies {
		for k, points := range tx.tallies[id] {
			if k.Name == wanted.Name && wanted.From <= k.Day && k.Day <= wanted.To {
				ws.PutTally(loyalty.Tally{Member: id, TallyKey: k, Points: points})
			}
		}
	}
}

func (tx *memoryTx) putCoupon(ws *loyalty.WorkingSet, member, seq int64) {
	if c, ok := tx.coupons[member][seq]; ok {
		ws.PutCoupon(c)
		ws.PutTemplate(tx.templates[c.Template])
	}
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
	if r.Marks {
		ws.PutMarks(id, tx.marks[id].Marks)
	}
	for _, o := range tx.orders[id] {
		if o.State == loyalty.Parked && r.RefundsOf.No != "" && r.RefundsOf == (loyalty.OrderKey{Space: o.Space, No: o.Parent}) {
			ws.PutOrder(o)
		}
	}
	for _, c := range tx.coupons[id] {
		ofOrder := r.CouponsOf.No != "" && r.CouponsOf == (loyalty.OrderKey{Space: c.Space, No: c.UsedFor})
		if ofOrder || slices.Contains(r.Coupons, c.Seq) {
			tx.putCoupon(ws, id, c.Seq)
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
		m.identities[i.Identity] = i.Bound
	}
	for _, k := range c.Keys {
		inner(m.keys, k.Member)[k.KeyID] = k
	}
	m.audit = append(m.audit, c.Audit...)
	for _, o := range append(slices.Clone(c.NewOrders), c.Orders...) {
		inner(m.orders, o.Member)[o.Seq] = o
	}
	for _, id := range c.Forgotten {
		for seq, row := range m.infos[id] {
			row.Papers = loyalty.OrderPapers{}
			m.infos[id][seq] = row
		}
	}
	for _, i := range c.OrderInfos {
		inner(m.infos, i.Member)[i.Seq] = i
	}
	for _, row := range append(slices.Clone(c.NewCoupons), c.Coupons...) {
		inner(m.coupons, row.Member)[row.Seq] = row
	}
	for _, row := range c.Claims {
		inner(m.claims, row.Member)[row.Template] = row.Count
	}
	for _, row := range c.Marks {
		m.marks[row.Member] = row
	}
	for _, row := range c.LevelMoves {
		inner(m.moves, row.Member)[row.No] = row
	}
	for _, t := range c.Tallies {
		inner(m.tallies, t.Member)[t.TallyKey] = t.Points
	}
	for _, t := range append(slices.Clone(c.NewTemplates), c.Templates...) {
		m.templates[t.ID] = t
	}
	m.events = append(m.events, c.Events...)
	for _, s := range c.Streams {
		inner(m.streams, s.Member)[s.App] = s.Last
	}
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
	Orders     []loyalty.Order
	OrderInfos []loyalty.OrderInfoRow // of which something is left
	Coupons    []loyalty.Coupon
	Claims     []loyalty.Claims
	Marks      []loyalty.MarksRow // members with at least one
	LevelMoves []loyalty.LevelMove
	Tallies    []loyalty.Tally
	Templates  []loyalty.Template
	Events     []loyalty.Callback
	Streams    []loyalty.Stream
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
		s.Orders = appendAscending(s.Orders, m.orders[id])
		for _, row := range appendAscending(nil, m.infos[id]) {
			if row.OrderInfo != (loyalty.OrderInfo{}) {
				s.OrderInfos = append(s.OrderInfos, row)
			}
		}
		s.Coupons = appendAscending(s.Coupons, m.coupons[id])
		for _, t := range slices.Sorted(maps.Keys(m.claims[id])) {
			s.Claims = append(s.Claims, loyalty.Claims{Member: id, Template: t, Count: m.claims[id][t]})
		}
		s.LevelMoves = appendAscending(s.LevelMoves, m.moves[id])
		for k, points := range m.tallies[id] {
			s.Tallies = append(s.Tallies, loyalty.Tally{Member: id, TallyKey: k, Points: points})
		}
		if row := m.marks[id]; len(row.Labels)+len(row.Cards) > 0 {
			s.Marks = append(s.Marks, row)
		}
	}
	s.Templates = appendAscending(s.Templates, m.templates)
	s.Events = slices.Clone(m.events)
	for id, streams := range m.streams {
		for app, last := range streams {
			s.Streams = append(s.Streams, loyalty.Stream{Member: id, App: app, Last: last})
		}
	}
	for i, bound := range m.identities {
		if stored != nil {
			i.Value = stored(i)
		}
		s.Identities = append(s.Identities, loyalty.IdentityRow{Identity: i, Bound: bound})
	}
	s.Audit = slices.Clone(m.audit)
	s.Sort()
	return s
}

// appendAscending adds rows in the order of their numbers.
func appendAscending[R any](list []R, rows map[int64]R) []R {
	for _, no := range slices.Sorted(maps.Keys(rows)) {
		list = append(list, rows[no])
	}
	return list
}

// Sort puts every list into the order of its primary key.
func (s *State) Sort() {
	slices.SortFunc(s.Lots, func(a, b loyalty.LotRow) int {
		return cmp.Or(cmp.Compare(a.Member, b.Member), compareLotKeys(a.LotKey, b.LotKey))
	})
	slices.SortFunc(s.Lapsed, func(a, b loyalty.LapsedRow) int {
		return cmp.Or(cmp.Compare(a.Member, b.Member), compareLotKeys(a.LotKey, b.LotKey))
	})
	slices.SortFunc(s.Tallies, func(a, b loyalty.Tally) int {
		return cmp.Or(cmp.Compare(a.Member, b.Member), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Day, b.Day))
	})
	slices.SortFunc(s.Keys, func(a, b loyalty.KeyRow) int {
		return cmp.Or(cmp.Compare(a.Member, b.Member), cmp.Compare(a.Space, b.Space),
			cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Key, b.Key))
	})
	slices.SortFunc(s.Identities, func(a, b loyalty.IdentityRow) int {
		return cmp.Or(cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value))
	})
	slices.SortFunc(s.Events, func(a, b loyalty.Callback) int {
		return cmp.Or(cmp.Compare(a.Member, b.Member), cmp.Compare(a.App, b.App), cmp.Compare(a.No, b.No))
	})
	slices.SortFunc(s.Streams, func(a, b loyalty.Stream) int {
		return cmp.Or(cmp.Compare(a.Member, b.Member), cmp.Compare(a.App, b.App))
	})
	slices.SortFunc(s.Audit, func(a, b loyalty.Audit) int {
		return cmp.Or(cmp.Compare(a.Member, b.Member), cmp.Compare(a.No, b.No))
	})
}

func compareLotKeys(a, b loyalty.LotKey) int {
	return cmp.Or(cmp.Compare(a.ExpiresAt, b.ExpiresAt), cmp.Compare(a.AvailableAt, b.AvailableAt), cmp.Compare(a.Source, b.Source))
}

// Verify recomputes every member of the state from its entries, orders and
// coupons.
func (s *State) Verify(snapshots map[string]*loyalty.Snapshot) []loyalty.Difference {
	var found []loyalty.Difference
	templates := map[int64]*loyalty.Template{}
	for i := range s.Templates {
		templates[s.Templates[i].ID] = &s.Templates[i]
	}
	for _, m := range s.Members {
		v := loyalty.NewVerifier(m.ID)
		for _, e := range of(s.Entries, m.ID, func(e loyalty.Entry) int64 { return e.Member }) {
			v.Entry(e)
		}
		for _, o := range of(s.Orders, m.ID, func(o loyalty.Order) int64 { return o.Member }) {
			v.Order(o)
		}
		for _, c := range of(s.Coupons, m.ID, func(c loyalty.Coupon) int64 { return c.Member }) {
			v.Coupon(c, templates[c.Template])
		}
		rows := loyalty.MemberRows{
			Claims:     of(s.Claims, m.ID, func(c loyalty.Claims) int64 { return c.Member }),
			LevelMoves: of(s.LevelMoves, m.ID, func(m loyalty.LevelMove) int64 { return m.Member }),
			Tallies:    of(s.Tallies, m.ID, func(t loyalty.Tally) int64 { return t.Member }),
		}
		for _, l := range of(s.Lots, m.ID, func(l loyalty.LotRow) int64 { return l.Member }) {
			rows.Lots = append(rows.Lots, l.Lot)
		}
		for _, l := range of(s.Lapsed, m.ID, func(l loyalty.LapsedRow) int64 { return l.Member }) {
			rows.Lapsed = append(rows.Lapsed, l.Lapsed)
		}
		found = append(found, v.Differences(m, rows, snapshots[m.Merchant])...)
	}
	return append(found, s.verifyTemplates()...)
}

// verifyTemplates counts what was given of each template.
func (s *State) verifyTemplates() []loyalty.Difference {
	given := map[int64]int64{}
	for _, c := range s.Coupons {
		given[c.Template]++
	}
	var found []loyalty.Difference
	for _, t := range s.Templates {
		if t.Issued != given[t.ID] {
			found = append(found, loyalty.Difference{
				Field: fmt.Sprintf("template %d issued", t.ID), Stored: fmt.Sprint(t.Issued), Recomputed: fmt.Sprint(given[t.ID]),
			})
		}
	}
	return found
}

// of are the rows of a member.
func of[R any](rows []R, member int64, whose func(R) int64) []R {
	var found []R
	for _, r := range rows {
		if whose(r) == member {
			found = append(found, r)
		}
	}
	return found
}
