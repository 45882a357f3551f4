package loyalty

import (
	"fmt"
	"slices"
	"time"
)

// View is what one command may see: the rows that its Refs name. Asking for
// another row is a bug of the command and panics, because whether such a row
// is there would depend on its neighbours in the batch.
type View struct {
	ws    *WorkingSet
	refs  *Refs
	names map[Identity]bool // of the refs, made when first asked for
	// recalled is what a replay knows of earlier tests of multipliers, by id.
	recalled map[string]Miss
}

// Snapshot is the rules of the command's merchant.
func (v *View) Snapshot() *Snapshot { return v.ws.snapshots[v.refs.Who.Merchant] }

// lookup is the member that i names now; 0 for nobody.
func (v *View) lookup(i Identity) int64 { return v.bound(i).Member }

// bound is what i leads to now.
func (v *View) bound(i Identity) Bound {
	if v.names == nil {
		all := v.refs.AllIdentities()
		v.names = make(map[Identity]bool, len(all))
		for _, named := range all {
			v.names[named] = true
		}
	}
	if !v.names[i] {
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
	for _, i := range w.Identities() {
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
	named := slices.Contains(v.refs.Entries, no) || slices.Contains(s.ofOrder[v.refs.Order], no)
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
	return v.state(member).ofOrder[v.refs.Order]
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

// order is the order or refund by a number of the command's merchant, and whose
// it is; 0 when nobody has it.
func (v *View) order(k OrderKey) (*Order, int64) {
	b := v.bound(k.identity(v.refs.Who.Merchant))
	if b.Member == 0 {
		return nil, 0
	}
	o, loaded := v.state(b.Member).orders.rows[b.Row]
	if !loaded {
		panic("loyalty: an order whose number leads nowhere")
	}
	return &o, b.Member
}

// parkedRefunds are the member's refunds that wait for the order that the refs
// name, in the order in which they came.
func (v *View) parkedRefunds(member int64) []Order {
	key := v.refs.RefundsOf
	if key.No == "" {
		panic("loyalty: refunds of an order that no ref names")
	}
	return v.state(member).orders.where(func(o *Order) bool {
		return o.State == Parked && o.Space == key.Space && o.Parent == key.No
	})
}

// couponsOf are the member's coupons that were redeemed for the order that the
// refs name.
func (v *View) couponsOf(member int64) []Coupon {
	key := v.refs.CouponsOf
	if key.No == "" {
		panic("loyalty: coupons of an order that no ref names")
	}
	return v.state(member).coupons.where(func(c *Coupon) bool {
		return c.Space == key.Space && c.UsedFor == key.No
	})
}

// couponByNumber is whosoever coupon has the number; nil for none.
func (v *View) couponByNumber(space, number string) *Coupon {
	b := v.bound(couponIdentity(v.refs.Who.Merchant, space, number))
	if b.Member == 0 {
		return nil
	}
	c, loaded := v.state(b.Member).coupons.rows[b.Row]
	if !loaded {
		panic("loyalty: a coupon whose number leads nowhere")
	}
	return &c
}

// coupon is the member's coupon that a code names: the issuer's number, else
// the platform's own code. Nil for none, and for another member's.
func (v *View) coupon(member int64, space, code string) *Coupon {
	if c := v.couponByNumber(space, code); c != nil {
		if c.Member != member {
			return nil
		}
		return c
	}
	holder, seq, ok := ParseCouponCode(code)
	if !ok || holder != member || !slices.Contains(v.refs.Coupons, seq) {
		return nil
	}
	if c, there := v.state(member).coupons.rows[seq]; there && c.Space == space {
		return &c
	}
	return nil
}

// couponsNamed are the member's coupons that the refs name by number.
func (v *View) couponsNamed(member int64) []Coupon {
	return v.state(member).coupons.where(func(c *Coupon) bool { return slices.Contains(v.refs.Coupons, c.Seq) })
}

// template is the template that the refs name; nil for none.
func (v *View) template() *Template {
	key := v.refs.Template
	if key.Number == "" {
		panic("loyalty: a template that no ref names")
	}
	if t := v.ws.templates[v.ws.byKey[merchantTemplate{v.refs.Who.Merchant, key}]]; t != nil {
		return &t.Template
	}
	return nil
}

// templateOf is a coupon's template. But for the number of coupons issued it
// never changes, so that is not to be looked at.
func (v *View) templateOf(c *Coupon) *Template {
	t := v.ws.templates[c.Template]
	if t == nil {
		panic(fmt.Sprintf("loyalty: a coupon without its template %d", c.Template))
	}
	return &t.Template
}

// claims is how many coupons of a template with a limit the member was given.
func (v *View) claims(member, template int64) int64 { return v.state(member).claims[template] }

// marks is a copy of the member's labels and paid cards.
func (v *View) marks(member int64) Marks {
	if !v.refs.Marks {
		panic("loyalty: marks that no ref names")
	}
	m := v.state(member).marks
	if m == nil {
		return Marks{}
	}
	return Marks{Labels: slices.Clone(m.Labels), Cards: slices.Clone(m.Cards)}
}

// birthday is the month and day of the member's birth; the month is 0 if nobody
// knows.
func (v *View) birthday(member int64) (time.Month, int) {
	s := v.state(member)
	if s.profile != nil {
		return time.Month(s.profile.BirthMonth), s.profile.BirthDay
	}
	return s.born.month, s.born.day
}

// labels are the member's, as the rules may ask for them.
func (v *View) labels(member int64) []string {
	if m := v.state(member).marks; m != nil {
		return m.Labels
	}
	return nil
}

// levelMoves are the member's changes of level that may matter to the rules,
// ascending.
func (v *View) levelMoves(member int64) []LevelMove {
	return v.state(member).moves.where(func(*LevelMove) bool { return true })
}

// tally is how much has been counted under a key that the rules need.
func (v *View) tally(member int64, k TallyKey) int64 {
	s := v.state(member)
	if n, there := s.tallies[k]; there {
		return n
	}
	wanted := func(r TallyRange) bool { return r.Name == k.Name && r.From <= k.Day && k.Day <= r.To }
	if !s.created && !slices.ContainsFunc(v.ws.RuleNeeds(v.refs).Tallies, wanted) {
		panic(fmt.Sprintf("loyalty: tally %s that no rule needs", k.Name))
	}
	return 0
}

// personalMiss tells why a multiplier does not hold by what is personal. In a
// replay the record says what was found at the time.
func (v *View) personalMiss(m *tested, f *facts) Miss {
	if miss, known := v.recalled[m.ID]; known {
		return miss
	}
	return m.missPersonal(f)
}
