package loyalty

import (
	"cmp"
	"slices"
)

// Marks is what operators know a member by: labels, and cards that the member
// pays for. The envelope document shows both in its list of members (1.2).
type Marks struct {
	Labels []string // ascending
	Cards  []PaidCard
}

// PaidCard is a paid membership card.
type PaidCard struct {
	ID        string // paidId
	Name      string
	ExpiresAt Instant
}

// Bounds of marks.
const (
	maxLabels = 100
	maxCards  = 20
)

// MarkMember adds or removes a label or a paid card: exactly one of Label and
// Card is there.
type MarkMember struct {
	Who    Who
	Label  string
	Card   PaidCard
	Remove bool
	By     ByOperator
}

// Key is none: a mark that is there already is refused.
func (c MarkMember) Key() Key { return Key{} }

// Refs is the member with its marks.
func (c MarkMember) Refs() Refs { return Refs{Who: c.Who, Marks: true} }

// Decide refuses: NothingNamed, MemberNotFound, MembersDisagree, MemberErased,
// TooManyMarks, NothingToChange.
func (c MarkMember) Decide(v *View, at Stamp) (Effects, MemberChanged, error) {
	if (c.Label == "") == (c.Card.ID == "") {
		return Effects{}, MemberChanged{}, NothingNamed
	}
	a, err := open(v, c.Who, at)
	if err != nil {
		return Effects{}, MemberChanged{}, err
	}
	if a.Status == Erased {
		return Effects{}, MemberChanged{}, MemberErased
	}
	marks := v.marks(a.ID)
	action, changed := c.change(&marks)
	switch {
	case !changed:
		return Effects{}, MemberChanged{}, NothingToChange
	case len(marks.Labels) > maxLabels || len(marks.Cards) > maxCards:
		return Effects{}, MemberChanged{}, TooManyMarks
	}
	e := a.effects()
	e.Marks = &marks
	c.By.record(&e, action, a.now)
	return e, MemberChanged{a.ID, a.Status}, nil
}

// change edits the marks, and tells whether that changed anything.
func (c MarkMember) change(m *Marks) (action string, changed bool) {
	if c.Label != "" {
		i, there := slices.BinarySearch(m.Labels, c.Label)
		switch {
		case c.Remove && there:
			m.Labels = without(m.Labels, i)
		case !c.Remove && !there:
			m.Labels = slices.Insert(m.Labels, i, c.Label)
		}
		if c.Remove {
			return "remove label", there
		}
		return "add label", !there
	}
	i, there := slices.BinarySearchFunc(m.Cards, c.Card, func(a, b PaidCard) int { return cmp.Compare(a.ID, b.ID) })
	switch {
	case c.Remove && there:
		m.Cards = without(m.Cards, i)
	case c.Remove:
	case there:
		there = m.Cards[i] == c.Card
		m.Cards[i] = c.Card
		return "set paid card", !there
	default:
		m.Cards = slices.Insert(m.Cards, i, c.Card)
	}
	if c.Remove {
		return "remove paid card", there
	}
	return "set paid card", true
}

// without is a list with one item less; an empty one is nil, as it is loaded.
func without[T any](list []T, i int) []T {
	if len(list) == 1 {
		return nil
	}
	return slices.Delete(list, i, i+1)
}
