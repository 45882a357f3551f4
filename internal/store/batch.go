package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// batch is one write transaction of the writer.
type batch struct {
	store *Store
	tx    *sqldb.Tx
}

// Begin starts a batch. On SQLite it holds the write lock from here on.
func (s *Store) Begin(ctx context.Context) (loyalty.Tx, error) {
	tx, err := s.db.Write(ctx)
	if err != nil {
		return nil, classed(fmt.Errorf("begin: %w", err))
	}
	return &batch{store: s, tx: tx}, nil
}

// Commit ends the batch.
func (b *batch) Commit(ctx context.Context) error {
	err := b.tx.Commit(ctx)
	if err == nil {
		return nil
	}
	if !sqldb.CommitOutcome(err) {
		return fmt.Errorf("%w: %w", loyalty.ErrUnknownOutcome, err)
	}
	return classed(err)
}

// Rollback gives the batch up. A failure leaves nothing to do: sqldb replaces
// the connection, and both engines drop what it had open.
func (b *batch) Rollback() { _ = b.tx.Rollback(context.Background()) }

// loader is what differs between the engines in loading.
type loader interface {
	// first runs wave one and locks the merchants' settings; marks come only
	// of merchants that exist, members in the order of n.identities.
	first(ctx context.Context, n *names) (marks []settingsMark, members []int64, err error)
	// lock locks and returns the members that exist, in ascending order.
	lock(ctx context.Context, ids []int64) ([]loyalty.Member, error)
	// second reads rows by member into f, and checks n's look-ups again.
	second(ctx context.Context, n *names, r *rows, f *found) error
	// lapsed reads what expired out of the given lots.
	lapsed(ctx context.Context, lots []loyalty.LotRow) ([]loyalty.LapsedRow, error)
}

// Load reads everything that refs name. A merchant that does not exist has no
// snapshot and no members.
func (b *batch) Load(ctx context.Context, refs []loyalty.Refs) (*loyalty.WorkingSet, error) {
	ws, err := b.load(ctx, refs)
	if err != nil {
		return nil, classed(fmt.Errorf("load: %w", err))
	}
	return ws, nil
}

func (b *batch) load(ctx context.Context, refs []loyalty.Refs) (*loyalty.WorkingSet, error) {
	var db loader = &sqliteLoader{b.tx}
	if b.tx.Dialect() == sqldb.PostgreSQL {
		db = &postgresLoader{b.tx.PG()}
	}
	ws := loyalty.NewWorkingSet()
	n := b.store.namesOf(refs)
	marks, members, err := db.first(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("look up: %w", err)
	}
	n.members = members
	for i, identity := range n.identities {
		ws.PutIdentity(identity, members[i])
	}
	for _, mark := range marks {
		snap, err := b.store.snapshot(ctx, b.tx, mark)
		if err != nil {
			return nil, err
		}
		ws.PutSnapshot(snap)
	}
	r := rowsOf(ws, refs)
	merchants := make(map[int64]string, len(r.members))
	locked, err := db.lock(ctx, r.members)
	if err != nil {
		return nil, fmt.Errorf("lock members: %w", err)
	}
	for _, m := range locked {
		ws.PutMember(m)
		merchants[m.ID] = m.Merchant
	}
	r.keepOnly(merchants)
	var f found
	if err := db.second(ctx, n, r, &f); err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	if lots := f.lotsOfEntries(); len(lots) > 0 {
		if f.lapsed, err = db.lapsed(ctx, lots); err != nil {
			return nil, fmt.Errorf("read lapsed lots: %w", err)
		}
	}
	return ws, b.store.put(ws, &f, merchants)
}

// put hands the rows found to the working set.
func (s *Store) put(ws *loyalty.WorkingSet, f *found, merchants map[int64]string) error {
	for _, l := range f.lots {
		ws.PutLot(l.Member, l.Lot)
	}
	for _, k := range f.keys {
		ws.PutKey(k)
	}
	for _, e := range f.entries {
		ws.PutEntry(e, false)
	}
	for _, e := range f.ofOrders {
		ws.PutEntry(e, true)
	}
	for _, l := range f.lapsed {
		ws.PutLapsed(l.Member, l.Lapsed)
	}
	for _, row := range f.profiles {
		p, err := s.openProfile(merchants[row.member], row)
		if err != nil {
			return err
		}
		ws.PutProfile(row.member, p)
	}
	return nil
}

// names is what wave one looks up: each thing once.
type names struct {
	merchants  []string
	identities []loyalty.Identity
	stored     []string // the identities' values as they stand in rows
	members    []int64  // what wave one found, 0 for nobody
}

func (s *Store) namesOf(refs []loyalty.Refs) *names {
	n := &names{}
	seen := map[loyalty.Identity]bool{}
	add := func(i loyalty.Identity) {
		if seen[i] {
			return
		}
		seen[i] = true
		n.identities = append(n.identities, i)
		n.stored = append(n.stored, s.stored(i))
	}
	for i := range refs {
		r := &refs[i]
		n.merchants = append(n.merchants, r.Who.Merchant)
		for _, identity := range r.AllIdentities() {
			add(identity)
		}
	}
	slices.Sort(n.merchants)
	n.merchants = slices.Compact(n.merchants)
	return n
}

// rows is what wave two reads, each row once.
type rows struct {
	members  []int64 // ascending
	keys     []memberKey
	entries  []memberEntry
	orders   []memberOrder
	profiles []int64
}

type (
	memberKey struct {
		member int64
		loyalty.KeyID
	}
	memberEntry struct{ member, no int64 }
	memberOrder struct {
		member int64
		loyalty.Order
	}
)

func rowsOf(ws *loyalty.WorkingSet, refs []loyalty.Refs) *rows {
	r := &rows{}
	keys := set[memberKey]{}
	entries := set[memberEntry]{}
	orders := set[memberOrder]{}
	for i := range refs {
		ref := &refs[i]
		ids := ws.Resolve(ref)
		r.members = append(r.members, ids...)
		for _, id := range ids {
			for _, k := range ref.Keys {
				r.keys = keys.add(r.keys, memberKey{id, k})
			}
			for _, no := range ref.Entries {
				r.entries = entries.add(r.entries, memberEntry{id, no})
			}
			if ref.Order.No != "" {
				r.orders = orders.add(r.orders, memberOrder{id, ref.Order})
			}
			if ref.Profile {
				r.profiles = append(r.profiles, id)
			}
		}
	}
	for _, ids := range []*[]int64{&r.members, &r.profiles} {
		slices.Sort(*ids)
		*ids = slices.Compact(*ids)
	}
	return r
}

// keepOnly drops members that a caller named by a number nobody has.
func (r *rows) keepOnly(exist map[int64]string) {
	gone := func(id int64) bool { _, ok := exist[id]; return !ok }
	r.members = slices.DeleteFunc(r.members, gone)
	r.profiles = slices.DeleteFunc(r.profiles, gone)
	r.keys = slices.DeleteFunc(r.keys, func(k memberKey) bool { return gone(k.member) })
	r.entries = slices.DeleteFunc(r.entries, func(e memberEntry) bool { return gone(e.member) })
	r.orders = slices.DeleteFunc(r.orders, func(o memberOrder) bool { return gone(o.member) })
}

type set[T comparable] map[T]bool

func (s set[T]) add(list []T, v T) []T {
	if s[v] {
		return list
	}
	s[v] = true
	return append(list, v)
}

// found is what wave two read.
type found struct {
	lots     []loyalty.LotRow
	keys     []loyalty.KeyRow
	entries  []loyalty.Entry
	ofOrders []loyalty.Entry
	profiles []sealedProfile
	lapsed   []loyalty.LapsedRow
}

// lotsOfEntries are the lots that the entries found have touched: a reversal
// sets off what of them expired.
func (f *found) lotsOfEntries() []loyalty.LotRow {
	var lots []loyalty.LotRow
	seen := set[loyalty.LotRow]{}
	for _, entries := range [][]loyalty.Entry{f.entries, f.ofOrders} {
		for _, e := range entries {
			for _, p := range e.Parts {
				lots = seen.add(lots, loyalty.LotRow{Member: e.Member, Lot: loyalty.Lot{LotKey: p.LotKey}})
			}
		}
	}
	return lots
}
