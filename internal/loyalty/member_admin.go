package loyalty

// The commands in this file are the operators'. Each leaves an audit record
// with who did it and why.

// ByOperator says who changes a member and why.
type ByOperator struct {
	Operator string
	Reason   string
}

// MemberChanged is the member after an operator's change.
type MemberChanged struct {
	Member int64
	Status Status
}

// record appends an audit record to the effects.
func (b ByOperator) record(e *Effects, action string, now Instant) {
	e.Member.Audits++
	e.Audit = append(e.Audit, Audit{
		Member: e.Member.ID, No: e.Member.Audits, At: now,
		Action: action, Operator: b.Operator, Reason: b.Reason,
	})
}

// SetStatus disables a member or makes it active again.
type SetStatus struct {
	Who    Who
	Status Status // Active or Disabled
	By     ByOperator
}

// Key is none: a state that is reached already is refused.
func (c SetStatus) Key() Key { return Key{} }

// Refs is the member alone.
func (c SetStatus) Refs() Refs { return Refs{Who: c.Who} }

// Decide refuses: MemberNotFound, MembersDisagree, MemberErased,
// NothingToChange.
func (c SetStatus) Decide(v *View, at Stamp) (Effects, MemberChanged, error) {
	if c.Status != Active && c.Status != Disabled {
		panic("loyalty: SetStatus makes active or disabled; erasing is EraseMember")
	}
	a, err := open(v, c.Who, at)
	if err != nil {
		return Effects{}, MemberChanged{}, err
	}
	switch a.Status {
	case Erased:
		return Effects{}, MemberChanged{}, MemberErased
	case c.Status:
		return Effects{}, MemberChanged{}, NothingToChange
	}
	a.Status = c.Status
	action := "enable"
	if c.Status == Disabled {
		action = "disable"
	}
	e := a.effects()
	c.By.record(&e, action, a.now)
	return e, MemberChanged{a.ID, a.Status}, nil
}

// ChangePhone gives a member another phone. The old one is free again, ids and
// ledger stay.
type ChangePhone struct {
	Who   Who
	Phone string
	By    ByOperator
}

// Key is none.
func (c ChangePhone) Key() Key { return Key{} }

// Refs is the member, its personal data, and whoever has the new phone.
func (c ChangePhone) Refs() Refs {
	return Refs{Who: c.Who, Profile: true, Identities: []Identity{{c.Who.Merchant, ByPhone, c.Phone}}}
}

// Decide refuses: PhoneMalformed, MemberNotFound, MembersDisagree,
// MemberErased, NothingToChange, PhoneTaken.
func (c ChangePhone) Decide(v *View, at Stamp) (Effects, MemberChanged, error) {
	if !ValidPhone(c.Phone) {
		return Effects{}, MemberChanged{}, PhoneMalformed
	}
	a, err := open(v, c.Who, at)
	if err != nil {
		return Effects{}, MemberChanged{}, err
	}
	if a.Status == Erased {
		return Effects{}, MemberChanged{}, MemberErased
	}
	phone := Identity{c.Who.Merchant, ByPhone, c.Phone}
	switch v.lookup(phone) {
	case a.ID:
		return Effects{}, MemberChanged{}, NothingToChange
	case 0:
	default:
		return Effects{}, MemberChanged{}, PhoneTaken
	}
	profile := v.profile(a.ID)
	e := a.effects()
	if profile.Phone != "" {
		e.Released = []Identity{{c.Who.Merchant, ByPhone, profile.Phone}}
	}
	e.Claimed = []Identity{phone}
	profile.Phone = c.Phone
	e.Profile = &profile
	c.By.record(&e, "change phone", a.now)
	return e, MemberChanged{a.ID, a.Status}, nil
}

// EraseMember removes a member's personal data for good, labels, paid cards and
// the papers of orders included. Ids, keys and the ledger stay; a later
// registration with the phone makes a new member.
type EraseMember struct {
	Who Who
	By  ByOperator
}

// Key is none.
func (c EraseMember) Key() Key { return Key{} }

// Refs is the member and its personal data.
func (c EraseMember) Refs() Refs { return Refs{Who: c.Who, Profile: true} }

// Decide refuses: MemberNotFound, MembersDisagree, NothingToChange.
func (c EraseMember) Decide(v *View, at Stamp) (Effects, MemberChanged, error) {
	a, err := open(v, c.Who, at)
	if err != nil {
		return Effects{}, MemberChanged{}, err
	}
	if a.Status == Erased {
		return Effects{}, MemberChanged{}, NothingToChange
	}
	profile := v.profile(a.ID)
	a.Status = Erased
	e := a.effects()
	e.Released = profile.identities(c.Who.Merchant)
	e.Profile = &Profile{Store: profile.Store, ExternalID: profile.ExternalID}
	e.Marks, e.Forget = &Marks{}, true
	c.By.record(&e, "erase", a.now)
	return e, MemberChanged{a.ID, a.Status}, nil
}

// identities are the names that hang on personal data.
func (p Profile) identities(merchant string) []Identity {
	var ids []Identity
	if p.Phone != "" {
		ids = append(ids, Identity{merchant, ByPhone, p.Phone})
	}
	if p.OuterUserID != "" {
		ids = append(ids, Identity{merchant, ByOuterID, p.OuterUserID})
	}
	for _, ch := range p.Channels {
		ids = append(ids, ch.identities(merchant)...)
	}
	return ids
}
