package store

import (
	"slices"

	"github.com/memberd/memberd/internal/loyalty"
)

// rows is what is read after wave one, each row once.
type rows struct {
	members   []int64 // to be locked, ascending
	templates []templateName

	subjects  []int64 // members whose lots come with them
	profiles  []int64
	marks     []int64
	keys      []memberKey
	entries   []memberRow
	ofOrders  []memberOrder // entries of orders
	orders    []memberRow
	parked    []memberOrder // refunds that wait for orders
	coupons   []memberRow
	couponsOf []memberOrder // coupons redeemed for orders
	claims    []memberRow   // the row is a template
	streams   []int64       // members of whom apps are told
}

type (
	memberKey struct {
		member int64
		loyalty.KeyID
	}
	memberRow   struct{ member, row int64 }
	memberOrder struct {
		member int64
		loyalty.OrderKey
	}
	templateName struct {
		merchant string
		loyalty.TemplateKey
	}
)

func (k *memberKey) record() record {
	return record{[]int64{k.member}, []string{k.Space, string(k.Operation), k.Key}}
}

func (r *memberRow) record() record { return record{ints: []int64{r.member, r.row}} }

func (o *memberOrder) record() record {
	return record{[]int64{o.member}, []string{o.Space, o.No}}
}

func (t *templateName) record() record {
	return record{texts: []string{t.merchant, t.Space, t.Number}}
}

// rowsOf are the rows that refs lead to, as the look-ups found them.
func rowsOf(ws *loyalty.WorkingSet, n *names, refs []loyalty.Refs) *rows {
	r := &rows{}
	for i := range refs {
		ref := &refs[i]
		r.members = append(r.members, ws.Resolve(ref)...)
		if ref.Template.Number != "" {
			r.templates = append(r.templates, templateName{ref.Who.Merchant, ref.Template})
		}
		for _, id := range ws.Subjects(ref) {
			r.subject(id, ref)
		}
		for _, identity := range ref.Identities {
			r.numbered(identity, n.bounds[n.place[identity]])
		}
	}
	for _, ids := range []*[]int64{&r.members, &r.subjects, &r.profiles, &r.marks} {
		slices.Sort(*ids)
		*ids = slices.Compact(*ids)
	}
	r.templates = unique(r.templates)
	r.keys = unique(r.keys)
	for _, list := range []*[]memberRow{&r.entries, &r.orders, &r.coupons} {
		*list = unique(*list)
	}
	for _, list := range []*[]memberOrder{&r.ofOrders, &r.parked, &r.couponsOf} {
		*list = unique(*list)
	}
	return r
}

// subject names the rows of a member that a command is about.
func (r *rows) subject(id int64, ref *loyalty.Refs) {
	r.subjects = append(r.subjects, id)
	if ref.Profile {
		r.profiles = append(r.profiles, id)
	}
	if ref.Marks {
		r.marks = append(r.marks, id)
	}
	for _, k := range ref.Keys {
		r.keys = append(r.keys, memberKey{id, k})
	}
	for _, no := range ref.Entries {
		r.entries = append(r.entries, memberRow{id, no})
	}
	for _, seq := range ref.Coupons {
		r.coupons = append(r.coupons, memberRow{id, seq})
	}
	for _, named := range []struct {
		list *[]memberOrder
		key  loyalty.OrderKey
	}{{&r.ofOrders, ref.Order}, {&r.parked, ref.RefundsOf}, {&r.couponsOf, ref.CouponsOf}} {
		if named.key.No != "" {
			*named.list = append(*named.list, memberOrder{id, named.key})
		}
	}
}

// numbered names the order or coupon that a number leads to.
func (r *rows) numbered(i loyalty.Identity, b loyalty.Bound) {
	if b.Member == 0 {
		return
	}
	switch i.Kind {
	case loyalty.ByOrder:
		r.orders = append(r.orders, memberRow{b.Member, b.Row})
	case loyalty.ByCoupon:
		r.coupons = append(r.coupons, memberRow{b.Member, b.Row})
	}
}

// nameClaims names how many coupons holders were given, for templates that
// limit it; the others count nothing.
func (r *rows) nameClaims(ws *loyalty.WorkingSet, refs []loyalty.Refs, templates []loyalty.Template) {
	limited := map[templateName]int64{}
	for _, t := range templates {
		if t.ClaimLimit > 0 {
			limited[templateName{t.Merchant, t.TemplateKey}] = t.ID
		}
	}
	for i := range refs {
		id, ok := limited[templateName{refs[i].Who.Merchant, refs[i].Template}]
		if !ok {
			continue
		}
		for _, member := range ws.Held(&refs[i]) {
			r.claims = append(r.claims, memberRow{member, id})
		}
	}
	r.claims = unique(r.claims)
}

// keepOnly drops members that a caller named by a number nobody has.
func (r *rows) keepOnly(exist map[int64]string) {
	gone := func(id int64) bool { _, ok := exist[id]; return !ok }
	for _, ids := range []*[]int64{&r.members, &r.subjects, &r.profiles, &r.marks} {
		*ids = slices.DeleteFunc(*ids, gone)
	}
	r.keys = slices.DeleteFunc(r.keys, func(k memberKey) bool { return gone(k.member) })
	for _, list := range []*[]memberRow{&r.entries, &r.orders, &r.coupons} {
		*list = slices.DeleteFunc(*list, func(row memberRow) bool { return gone(row.member) })
	}
	for _, list := range []*[]memberOrder{&r.ofOrders, &r.parked, &r.couponsOf} {
		*list = slices.DeleteFunc(*list, func(o memberOrder) bool { return gone(o.member) })
	}
}

// unique keeps the first of equal values.
func unique[T comparable](list []T) []T {
	seen := make(map[T]bool, len(list))
	return slices.DeleteFunc(list, func(v T) bool {
		was := seen[v]
		seen[v] = true
		return was
	})
}

// found is what was read after the locks.
type found struct {
	lots      []loyalty.LotRow
	keys      []loyalty.KeyRow
	entries   []loyalty.Entry
	ofOrders  []loyalty.Entry
	profiles  []sealedProfile
	orders    []loyalty.Order
	coupons   []loyalty.Coupon
	claims    []loyalty.Claims
	streams   []loyalty.Stream
	labels    []memberLabel
	cards     []memberCard
	lapsed    []loyalty.LapsedRow
	templates []loyalty.Template // locked ones, and in the end those of coupons
	birthdays []birthday
	moves     []loyalty.LevelMove
	tallies   []loyalty.Tally
}

// putMarks hands over the labels and cards found, of members who may have none.
func (f *found) putMarks(ws *loyalty.WorkingSet, members []int64) {
	if len(members) == 0 {
		return
	}
	marks := marksOf(f.labels, f.cards)
	for _, id := range members {
		ws.PutMarks(id, marks[id])
	}
}

// rowsOfKeys are the entries that the keys found have made.
func (f *found) rowsOfKeys() []memberRow {
	var rows []memberRow
	for _, k := range f.keys {
		if k.Entry != 0 {
			rows = append(rows, memberRow{k.Member, k.Entry})
		}
	}
	return rows
}

// lotsOfEntries are the lots that the entries found have touched: a reversal
// sets off what of them expired.
func (f *found) lotsOfEntries() []loyalty.LotRow {
	var lots []loyalty.LotRow
	for _, entries := range [][]loyalty.Entry{f.entries, f.ofOrders} {
		for _, e := range entries {
			for _, p := range e.Parts {
				lots = append(lots, loyalty.LotRow{Member: e.Member, Lot: loyalty.Lot{LotKey: p.LotKey}})
			}
		}
	}
	return unique(lots)
}

// templatesOfCoupons are the templates of the coupons found, but for those that
// are here.
func (f *found) templatesOfCoupons() []int64 {
	here := make(map[int64]bool, len(f.templates))
	for _, t := range f.templates {
		here[t.ID] = true
	}
	var ids []int64
	for _, c := range f.coupons {
		if !here[c.Template] {
			here[c.Template] = true
			ids = append(ids, c.Template)
		}
	}
	return ids
}
