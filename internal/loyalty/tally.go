package loyalty

import (
	"cmp"
	"math"
	"slices"
)

// TallyKey names a sum of points that caps look at: of what, and the beginning
// of which day in the merchant's zone, or tallyForEver.
type TallyKey struct {
	Name string
	Day  Instant
}

// Tally is how many points of a member have counted against caps: those that
// were granted while there was a cap, less what was reversed of them.
type Tally struct {
	Member int64
	TallyKey
	Points int64
}

// tallyRule is what the points rule grants, tallyEvent one change event.
const tallyRule = "rule"

// tallyForEver is the day of what counts for ever.
const tallyForEver Instant = math.MinInt64

func tallyEvent(event string) string { return "event/" + event }

func compareTallies(a, b TallyKey) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Day, b.Day))
}

// TallyRange names tallies of a member to be loaded: days from From to To, both
// included.
type TallyRange struct {
	Member   int64
	Name     string
	From, To Instant
}

// tally is what a cap counts into; an order's own cap counts nothing. event is
// that of the entry.
func (c Cap) tally(event string) (k TallyKey, counts bool) {
	switch c.Kind {
	case CapDay:
		return TallyKey{tallyRule, c.Day}, true
	case CapMember:
		return TallyKey{tallyRule, tallyForEver}, true
	case CapEvent:
		return TallyKey{tallyEvent(event), c.Day}, true
	}
	return k, false
}

// counts are the tallies that a decision's caps count into.
func (d *Decision) counts(event string) (keys []TallyKey) {
	if d == nil {
		return nil
	}
	for _, c := range d.Caps {
		if k, counts := c.tally(event); counts {
			keys = append(keys, k)
		}
	}
	return keys
}

// tally is how much has been counted.
func (a *account) tally(k TallyKey) int64 {
	if n, changed := a.tallies[k]; changed {
		return n
	}
	if a.view == nil {
		return 0
	}
	return a.view.tally(a.ID, k)
}

// count adds points to the tallies of an entry's caps.
func (a *account) count(e *Entry, points int64) {
	for _, k := range e.Decision.counts(e.Event) {
		set(&a.tallies, k, a.tally(k)+points)
	}
}

// eventCap is the cap of a change event on the day of the account; nil for none.
func (a *account) eventCap(event string) []Cap {
	e := a.snap.events[event]
	if e.DailyCap == 0 {
		return nil
	}
	day := startOfDay(a.now, a.snap.loc, 0)
	return []Cap{{Kind: CapEvent, Max: e.DailyCap, Before: a.tally(TallyKey{tallyEvent(event), day}), Day: day}}
}

// RuleNeeds is what the rules of a command's merchant want to look at besides
// what its refs name: nothing, for most programmes and most commands.
type RuleNeeds struct {
	Member   int64 // 0: nothing at all
	Birthday bool
	Labels   bool
	Levels   bool // the level at LevelAt
	LevelAt  Instant
	Tallies  []TallyRange
}

// RuleNeeds can be asked when the rows that refs name have been put in.
func (ws *WorkingSet) RuleNeeds(r *Refs) (needs RuleNeeds) {
	snap := ws.snapshots[r.Who.Merchant]
	if snap == nil || !snap.mayNeed(r) {
		return needs
	}
	subjects := ws.Subjects(r)
	if len(subjects) != 1 || ws.members[subjects[0]] == nil {
		return needs // a call that names nobody, or two, is refused
	}
	s := ws.members[subjects[0]]
	needs.Member = s.member.ID
	today := startOfDay(s.member.LastEntryAt, snap.loc, 0) // or a later day
	if snap.events[r.Event].DailyCap > 0 {
		needs.tallies(tallyEvent(r.Event), today, Never)
	}
	if r.Purchase != nil {
		needs.purchase(snap, r.Purchase, today)
	}
	if r.Reverses {
		for _, k := range s.counted() {
			needs.tallies(k.Name, k.Day, k.Day)
		}
	}
	if !needs.Birthday && !needs.Labels && !needs.Levels && len(needs.Tallies) == 0 {
		needs.Member = 0
	}
	return needs
}

// mayNeed tells at little cost whether the rules may need anything: for most
// commands they do not.
func (s *Snapshot) mayNeed(r *Refs) bool {
	return r.Reverses || s.events[r.Event].DailyCap > 0 ||
		r.Purchase != nil && (len(s.Points.Multipliers) > 0 || s.Points.Caps != Caps{})
}

func (n *RuleNeeds) tallies(name string, from, to Instant) {
	n.Tallies = append(n.Tallies, TallyRange{n.Member, name, from, to})
}

// purchase is what a purchase needs; one that is booked when it happens is of
// today or later.
func (n *RuleNeeds) purchase(snap *Snapshot, p *PurchaseRef, today Instant) {
	n.Birthday, n.Labels = snap.uses.birthday, snap.uses.labels
	n.Levels, n.LevelAt = snap.uses.levels && !p.Now, p.At
	if snap.Points.Caps.PerMember > 0 {
		n.tallies(tallyRule, tallyForEver, tallyForEver)
	}
	switch day := startOfDay(p.At, snap.loc, 0); {
	case snap.Points.Caps.PerDay == 0:
	case p.Now:
		n.tallies(tallyRule, today, Never)
	default:
		n.tallies(tallyRule, day, day)
	}
}

// counted are the tallies that loaded entries have counted into.
func (s *memberState) counted() (keys []TallyKey) {
	for _, no := range ascending(s.entries) {
		e := s.entries[no]
		for _, k := range e.Decision.counts(e.Event) {
			if !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	return keys
}
