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
	store   *Store
	tx      *sqldb.Tx
	members []loyalty.Member // as the last Load found them, in ascending order
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
	// of merchants that exist, bounds in the order of n.identities.
	first(ctx context.Context, n *names) (marks []settingsMark, bounds []loyalty.Bound, err error)
	// lock locks and returns the members that exist, in ascending order, and
	// then the templates.
	lock(ctx context.Context, ids []int64, templates []templateName) ([]loyalty.Member, []loyalty.Template, error)
	// second reads rows by member into f, and checks n's look-ups again.
	second(ctx context.Context, n *names, r *rows, f *found) error
	// third reads into f what the rows found lead to: what expired out of the
	// given lots, and the given templates.
	third(ctx context.Context, lots []loyalty.LotRow, templates []int64, f *found) error
	// fourth reads into f what the rules want to look at besides.
	fourth(ctx context.Context, n *ruleNeeds, f *found) error
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
	if err := b.lookUp(ctx, db, ws, n); err != nil {
		return nil, err
	}
	r := rowsOf(ws, n, refs)
	members, templates, err := db.lock(ctx, r.members, r.templates)
	if err != nil {
		return nil, fmt.Errorf("lock members and templates: %w", err)
	}
	b.members = members
	merchants := make(map[int64]string, len(members))
	for _, m := range members {
		ws.PutMember(m)
		merchants[m.ID] = m.Merchant
	}
	r.keepOnly(merchants)
	r.nameClaims(ws, refs, templates)
	r.nameStreams(ws, members)
	f := found{templates: templates}
	if err := db.second(ctx, n, r, &f); err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	if lots, ids := f.lotsOfEntries(), f.templatesOfCoupons(); len(lots)+len(ids) > 0 {
		if err := db.third(ctx, lots, ids, &f); err != nil {
			return nil, fmt.Errorf("read lapsed lots and templates: %w", err)
		}
	}
	if err := b.store.put(ws, r, &f, merchants); err != nil {
		return nil, err
	}
	if needs := needsOf(ws, r, refs); needs != nil {
		if err := b.loadNeeds(ctx, db, ws, needs); err != nil {
			return nil, fmt.Errorf("read what rules need: %w", err)
		}
	}
	return ws, nil
}

// lookUp is wave one.
func (b *batch) lookUp(ctx context.Context, db loader, ws *loyalty.WorkingSet, n *names) (err error) {
	var marks []settingsMark
	if marks, n.bounds, err = db.first(ctx, n); err != nil {
		return fmt.Errorf("look up: %w", err)
	}
	for i, identity := range n.identities {
		ws.PutIdentity(identity, n.bounds[i])
	}
	for _, mark := range marks {
		snap, err := b.store.snapshot(ctx, b.tx, mark)
		if err != nil {
			return err
		}
		ws.PutSnapshot(snap)
	}
	return nil
}

// put hands the rows found to the working set.
func (s *Store) put(ws *loyalty.WorkingSet, r *rows, f *found, merchants map[int64]string) error {
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
	for _, o := range f.orders {
		ws.PutOrder(o)
	}
	for _, c := range f.coupons {
		ws.PutCoupon(c)
	}
	for _, t := range f.templates {
		ws.PutTemplate(t)
	}
	for _, c := range f.claims {
		ws.PutClaims(c)
	}
	for _, stream := range f.streams {
		ws.PutStream(stream)
	}
	f.putMarks(ws, r.marks)
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
	place      map[loyalty.Identity]int
	bounds     []loyalty.Bound // what wave one found
}

func (s *Store) namesOf(refs []loyalty.Refs) *names {
	n := &names{place: map[loyalty.Identity]int{}}
	add := func(i loyalty.Identity) {
		if _, seen := n.place[i]; seen {
			return
		}
		n.place[i] = len(n.identities)
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
