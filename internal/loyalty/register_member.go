package loyalty

import (
	"fmt"
	"slices"
)

// RegisterMember makes a member, or finds the one that has the phone: gateway
// 3.1 and envelope 1.6. It is idempotent by phone: a second call fills empty
// fields and adds a channel, overwrites nothing and gives nothing again.
type RegisterMember struct {
	Merchant string
	Profile  Profile // Phone decides who it is
	// Channel is the way the member came, if the door has one. Its ID and times
	// are filled in.
	Channel *Channel
	// Gift grants the merchant's registration gift to a new member.
	Gift bool
	App  string

	// OpenID and RegisteredAt are set for members that come from elsewhere.
	OpenID       string
	RegisteredAt Instant
}

// MemberRegistered tells which member has the phone.
type MemberRegistered struct {
	Member     int64
	OpenID     string
	ExternalID string
	Created    bool
}

// Key is none: the phone makes the call idempotent.
func (c RegisterMember) Key() Key { return Key{} }

// Refs is whoever has the phone, and whoever has the other names.
func (c RegisterMember) Refs() Refs {
	r := Refs{Who: Who{Merchant: c.Merchant, Phone: c.Profile.Phone}, Profile: true, New: NewIDs{MemberIDs, 1}}
	for _, i := range []Identity{
		{c.Merchant, ByOuterID, c.Profile.OuterUserID},
		{c.Merchant, ByExternalID, c.Profile.ExternalID},
		{c.Merchant, ByOpenID, c.OpenID},
	} {
		if i.Value != "" {
			r.Identities = append(r.Identities, i)
		}
	}
	if c.Channel != nil {
		r.Identities = append(r.Identities, c.Channel.identities(c.Merchant)...)
	}
	return r
}

// identities are the names that a channel gives a member.
func (ch Channel) identities(merchant string) []Identity {
	var ids []Identity
	if ch.UnionID != "" {
		ids = append(ids, Identity{merchant, ByUnionID, ch.UnionID})
	}
	if ch.ThirdPartyCode != "" {
		ids = append(ids, Identity{merchant, ByThirdParty, ch.Code + ":" + ch.ThirdPartyCode})
	}
	return ids
}

// Decide refuses: PhoneMalformed, OuterIDTaken, ChannelTaken.
func (c RegisterMember) Decide(v *View, at Stamp) (Effects, MemberRegistered, error) {
	if !ValidPhone(c.Profile.Phone) {
		return Effects{}, MemberRegistered{}, PhoneMalformed
	}
	id, err := v.resolve(Who{Merchant: c.Merchant, Phone: c.Profile.Phone})
	if err == MemberNotFound {
		return c.create(v, at)
	}
	if err != nil {
		return Effects{}, MemberRegistered{}, err
	}
	return c.complete(v, id, at)
}

// create makes the member.
func (c RegisterMember) create(v *View, at Stamp) (Effects, MemberRegistered, error) {
	snap := v.Snapshot()
	for _, i := range v.refs.Identities {
		if v.lookup(i) != 0 {
			return Effects{}, MemberRegistered{}, taken(i.Kind)
		}
	}
	m := Member{
		ID: at.NewID, Merchant: c.Merchant, OpenID: at.OpenID, Status: Active,
		NextDueAt: Never, RegisteredAt: at.Now,
	}
	if c.OpenID != "" {
		m.OpenID = c.OpenID
	}
	if c.RegisteredAt != 0 {
		m.RegisteredAt = c.RegisteredAt
	}
	m.Level = snap.levelFor(0, 0)
	m.PeriodEnd = snap.Growth.Period.end(m.RegisteredAt, at.Now, snap.loc)
	a := newAccount(m, nil, snap, at.Now)
	if c.Gift && snap.RegisterGift > 0 {
		a.grant(snap.RegisterGift, Entry{
			Operation: OpRegisterGift, App: c.App, Decision: &Decision{EarnedBy: ByGift, Version: snap.Version},
		})
	}
	e := a.effects()
	e.Created = true
	profile := c.Profile
	if c.Channel != nil {
		profile.Channels = []Channel{c.channel(m.ID, 0, at.Now)}
	}
	e.Profile = &profile
	e.Claimed = append(v.refs.AllIdentities(), Identity{c.Merchant, ByOpenID, m.OpenID})
	if c.OpenID != "" {
		e.Claimed = e.Claimed[:len(e.Claimed)-1] // named by the refs already
	}
	return e, MemberRegistered{Member: m.ID, OpenID: m.OpenID, ExternalID: profile.ExternalID, Created: true}, nil
}

// channel is the new channel as it is kept. Its id is the member number with
// the channel's place behind it, in 18 digits that begin with 2 as in the document.
func (c RegisterMember) channel(member int64, place int, now Instant) Channel {
	ch := *c.Channel
	ch.ID = fmt.Sprintf("2%014d%03d", member, place)
	ch.CreatedAt, ch.UpdatedAt = now, now
	return ch
}

// complete fills what the member did not have yet.
func (c RegisterMember) complete(v *View, id int64, at Stamp) (Effects, MemberRegistered, error) {
	a, err := open(v, Who{Merchant: c.Merchant, ID: id}, at)
	if err != nil {
		return Effects{}, MemberRegistered{}, err
	}
	profile := v.profile(id)
	result := MemberRegistered{Member: id, OpenID: a.OpenID, ExternalID: profile.ExternalID}
	for _, i := range v.refs.Identities {
		if owner := v.lookup(i); owner != 0 && owner != id {
			return Effects{}, MemberRegistered{}, taken(i.Kind)
		}
	}
	e := a.effects()
	changed := profile.fill(c.Profile)
	if c.Profile.OuterUserID != "" && profile.OuterUserID == "" {
		profile.OuterUserID = c.Profile.OuterUserID
		e.Claimed = append(e.Claimed, Identity{c.Merchant, ByOuterID, profile.OuterUserID})
		changed = true
	}
	if c.Channel != nil && c.mergeChannel(&profile, id, a.now) {
		kept := profile.identities(c.Merchant)
		for _, i := range c.Channel.identities(c.Merchant) {
			if slices.Contains(kept, i) { // else the member has another one there
				e.Claimed = append(e.Claimed, i)
			}
		}
		changed = true
	}
	switch {
	case changed:
		e.Profile = &profile
	case len(e.Entries) == 0:
		return Effects{}, result, nil
	}
	return e, result, nil
}

// mergeChannel adds the call's channel, or fills what the member's channel of
// the same code does not have yet, and tells whether there was anything.
func (c RegisterMember) mergeChannel(p *Profile, member int64, now Instant) bool {
	i := slices.IndexFunc(p.Channels, func(ch Channel) bool { return ch.Code == c.Channel.Code })
	if i < 0 {
		p.Channels = append(p.Channels, c.channel(member, len(p.Channels), now))
		return true
	}
	have, get := &p.Channels[i], c.Channel
	changed := fillTexts([]textPair{
		{&have.UnionID, get.UnionID}, {&have.ThirdPartyCode, get.ThirdPartyCode},
		{&have.CardCode, get.CardCode}, {&have.CardID, get.CardID}, {&have.Store, get.Store},
	})
	if changed {
		have.UpdatedAt = now
	}
	return changed
}

// textPair is a text to fill and what to fill it with.
type textPair struct {
	have *string
	get  string
}

// fillTexts fills what is empty, and tells whether there was anything.
func fillTexts(pairs []textPair) (changed bool) {
	for _, f := range pairs {
		if *f.have == "" && f.get != "" {
			*f.have, changed = f.get, true
		}
	}
	return changed
}

// fill takes from q what p does not have, and tells whether there was any.
func (p *Profile) fill(q Profile) (changed bool) {
	changed = fillTexts([]textPair{
		{&p.Nickname, q.Nickname}, {&p.Store, q.Store}, {&p.RealName, q.RealName},
		{&p.IDCard, q.IDCard}, {&p.Email, q.Email}, {&p.Country, q.Country}, {&p.Province, q.Province},
		{&p.City, q.City}, {&p.Photo, q.Photo}, {&p.QID, q.QID}, {&p.Company, q.Company},
		{&p.Remark, q.Remark}, {&p.EmployeeID, q.EmployeeID}, {&p.EmployeeName, q.EmployeeName},
	})
	if p.Birthday == "" && q.Birthday != "" {
		p.Birthday, p.BirthMonth, p.BirthDay, changed = q.Birthday, q.BirthMonth, q.BirthDay, true
	}
	if p.Gender == 0 && q.Gender != 0 {
		p.Gender, changed = q.Gender, true
	}
	return changed
}

func taken(k IdentityKind) Code {
	switch k {
	case ByUnionID, ByThirdParty:
		return ChannelTaken
	case ByPhone:
		return PhoneTaken
	}
	return OuterIDTaken
}
