package loyalty

import "slices"

// Found is a member as a read sees it: with everything booked that is due,
// whether or not it has been saved yet.
type Found struct {
	Member
	Profile  Profile // only where it was asked for
	Snapshot *Snapshot
}

// AsOf is the member as it stands at now, and the entries that booking what is
// due would append. They are the stored totals and none when nothing has come
// due. Reads use it, so that expiry is right whether or not any job has run.
func AsOf(m Member, lots []Lot, snap *Snapshot, now Instant) (Member, []Entry) {
	if m.NextDueAt > now {
		return m, nil
	}
	a := newAccount(m, slices.Clone(lots), snap, now)
	a.settle()
	a.NextDueAt = a.nextDue()
	return a.Member, a.entries
}

// MemberFilter selects members of a merchant; zero fields select all. All
// bounds include their ends.
type MemberFilter struct {
	Merchant       string
	Phone          string // exact
	Nickname       string // contained in it
	Level          *int64
	MinBalance     *int64
	MaxBalance     *int64
	RegisteredFrom Instant
	RegisteredTo   Instant // 0: open
	Active         *bool
	Nobody         bool // a filter on something that no member has
}

// MemberPage is a page of members, newest registration first, then by number.
type MemberPage struct {
	Total   int64
	Members []Found
}

// EntryPage is a page of a member's ledger, newest entry first.
type EntryPage struct {
	Total   int64
	Entries []Entry
}
