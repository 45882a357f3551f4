package loyalty

// GiveCoupons is gateway 5.2: one coupon of a template to each entry of a list,
// all or nothing. It is idempotent by the coupons' numbers. Members are not
// brought up to date by it: no points move.
type GiveCoupons struct {
	Merchant string
	Template TemplateKey
	Entries  []CouponGift
	Each     int64 // how many entries each member must have
	// ReceivedAt is when the issuer gave them, create_time.
	ReceivedAt Instant
	Store      string
	App        string
}

// CouponGift is one entry. Who needs no merchant.
type CouponGift struct {
	Who    Who
	Number string // coupon_number
}

// CouponsGiven are the coupons, in the order of the entries.
type CouponsGiven struct{ Coupons []GivenCoupon }

// GivenCoupon is a coupon and its holder.
type GivenCoupon struct {
	Member int64
	OpenID string
	Seq    int64
}

// Key is none: the coupons' numbers make the call idempotent.
func (c GiveCoupons) Key() Key { return Key{} }

// Refs are the members without their points, whoever has the numbers, and the
// template.
func (c GiveCoupons) Refs() Refs {
	r := Refs{Who: Who{Merchant: c.Merchant}, Template: c.Template, New: NewIDs{CouponIDs, int64(len(c.Entries))}}
	for _, e := range c.Entries {
		r.Holders = append(r.Holders, c.holder(e))
		r.Identities = append(r.Identities, couponIdentity(c.Merchant, c.Template.Space, e.Number))
	}
	return r
}

func (c GiveCoupons) holder(e CouponGift) Who {
	w := e.Who
	w.Merchant = c.Merchant
	return w
}

// Decide refuses, with the place in the list where there is one: GiveCount,
// CouponRepeated, TimeAhead, MemberNotFound, MembersDisagree, TemplateNotFound,
// CouponTaken, MemberDisabled, MemberErased, TemplateOver, RestrictionUnmet,
// StockExhausted, ClaimLimitReached.
func (c GiveCoupons) Decide(v *View, at Stamp) (Effects, CouponsGiven, error) {
	if err := c.check(at); err != nil {
		return Effects{}, CouponsGiven{}, err
	}
	members, err := c.members(v)
	if err != nil {
		return Effects{}, CouponsGiven{}, err
	}
	t := v.template()
	if t == nil {
		return Effects{}, CouponsGiven{}, TemplateNotFound
	}
	held, err := c.held(v, members, t)
	if err != nil {
		return Effects{}, CouponsGiven{}, err
	}
	g := giving{command: c, view: v, template: *t, now: at.Now, nextID: at.NewID, changes: map[int64]*Effects{}}
	result := CouponsGiven{Coupons: make([]GivenCoupon, len(members))}
	for i, id := range members {
		coupon := held[i]
		if coupon == nil {
			if coupon, err = g.give(i, id); err != nil {
				return Effects{}, CouponsGiven{}, err
			}
		}
		result.Coupons[i] = GivenCoupon{Member: id, OpenID: v.state(id).member.OpenID, Seq: coupon.Seq}
	}
	return g.effects(), result, nil
}

func (c GiveCoupons) check(at Stamp) error {
	if n := len(c.Entries); n == 0 || n > MaxGifts || c.Each < 1 {
		return GiveCount
	}
	seen := make(map[string]bool, len(c.Entries))
	for i, e := range c.Entries {
		if seen[e.Number] {
			return Refusal{Code: CouponRepeated, Item: i + 1}
		}
		seen[e.Number] = true
	}
	if c.ReceivedAt > at.Now+aheadLimit {
		return TimeAhead
	}
	return nil
}

// members resolves the entries, and counts them.
func (c GiveCoupons) members(v *View) ([]int64, error) {
	ids := make([]int64, len(c.Entries))
	count := map[int64]int64{}
	for i, e := range c.Entries {
		id, err := v.resolve(c.holder(e))
		if code, ok := CodeOf(err); ok {
			return nil, Refusal{Code: code, Item: i + 1}
		}
		ids[i] = id
		count[id]++
	}
	for i, id := range ids {
		if count[id] != c.Each {
			return nil, Refusal{Code: GiveCount, Item: i + 1}
		}
	}
	return ids, nil
}

// held are the coupons that were given before, nil for the others. A number
// means the same coupon for ever.
func (c GiveCoupons) held(v *View, members []int64, t *Template) ([]*Coupon, error) {
	held := make([]*Coupon, len(members))
	for i, e := range c.Entries {
		coupon := v.couponByNumber(c.Template.Space, e.Number)
		if coupon != nil && (coupon.Member != members[i] || coupon.Template != t.ID) {
			return nil, Refusal{Code: CouponTaken, Item: i + 1}
		}
		held[i] = coupon
	}
	return held, nil
}

// giving is one call while it makes coupons.
type giving struct {
	command  GiveCoupons
	view     *View
	template Template // with the coupons of this call counted
	now      Instant
	nextID   int64
	changes  map[int64]*Effects // by member
	order    []int64            // of members, as they come
}

// give makes the coupon of one entry.
func (g *giving) give(i int, member int64) (*Coupon, error) {
	t, item := &g.template, i+1
	e := g.of(member)
	if code, refused := CodeOf(e.Member.mayChange()); refused {
		return nil, Refusal{Code: code, Item: item}
	}
	if t.Period && t.EndAt <= g.now {
		return nil, TemplateOver
	}
	// The end of a period may be due, and the level with it. Without its lots
	// nothing else of the member can be.
	standing, _ := AsOf(*e.Member, nil, g.view.Snapshot(), g.now)
	if !t.mayReceive(&standing, g.view.Snapshot(), g.now) {
		return nil, Refusal{Code: RestrictionUnmet, Item: item}
	}
	if t.Quantity > 0 && t.Issued >= t.Quantity {
		return nil, Refusal{Code: StockExhausted, Item: item}
	}
	if t.ClaimLimit > 0 {
		if e.Claims.Count >= t.ClaimLimit {
			return nil, Refusal{Code: ClaimLimitReached, Item: item}
		}
		e.Claims.Count++
	}
	t.Issued++
	e.Member.Coupons++
	coupon := Coupon{
		Member: member, Seq: e.Member.Coupons, ID: g.nextID, Template: t.ID,
		Space: t.Space, Number: g.command.Entries[i].Number, State: CouponValid,
		GivenAt: g.now, ReceivedAt: g.command.ReceivedAt, ReceiveStore: g.command.Store, App: g.command.App,
	}
	g.nextID++
	coupon.BeginAt, coupon.EndAt = t.life(coupon.ReceivedAt, g.view.Snapshot())
	if coupon.BeginAt > g.now {
		coupon.State = CouponWaiting
	}
	e.Coupons = append(e.Coupons, coupon)
	return &coupon, nil
}

// of is what changes of a member.
func (g *giving) of(member int64) *Effects {
	e := g.changes[member]
	if e == nil {
		m := g.view.state(member).member
		e = &Effects{Member: &m}
		if g.template.ClaimLimit > 0 {
			e.Claims = &Claims{Member: member, Template: g.template.ID, Count: g.view.claims(member, g.template.ID)}
		}
		g.changes[member] = e
		g.order = append(g.order, member)
	}
	return e
}

func (g *giving) effects() Effects {
	var all Effects
	for _, member := range g.order {
		all.Others = append(all.Others, *g.changes[member])
	}
	if len(all.Others) > 0 {
		all.Template = &g.template
	}
	return all
}
