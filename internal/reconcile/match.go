package reconcile

import (
	"cmp"
	"errors"
	"slices"
)

// Class says what a difference is.
type Class string

// The classes. A difference of the last three is settled.
const (
	OnlyTheirs  Class = "only theirs"
	OnlyOurs    Class = "only ours"
	Doubled     Class = "doubled"
	Different   Class = "different"
	OtherMember Class = "other member"
	Elsewhere   Class = "booked elsewhere" // equal, but on another day, or through another store or app
	Repaired    Class = "repaired"         // booked under the keys of an earlier run
	ByOperators Class = "by operators"     // ours, and not through any app
)

// Classes lists all of them, in the order of a report.
var Classes = []Class{OnlyTheirs, OnlyOurs, Doubled, Different, OtherMember, Elsewhere, Repaired, ByOperators}

// Settled tells whether nothing is left to do or to explain.
func (c Class) Settled() bool { return c == Elsewhere || c == Repaired || c == ByOperators }

// Settled tells whether nothing is left to do or to explain. A number that the
// file has twice is left to its partner, whatever became of the lines.
func (d *Difference) Settled() bool { return d.Class.Settled() && len(d.Again) == 0 }

// Field is something that the two sides can say differently.
type Field string

// The fields.
const (
	FieldKind     Field = "kind"
	FieldMember   Field = "member"
	FieldParent   Field = "parent_order_no"
	FieldConsumed Field = "consumed_at"
	FieldAmount   Field = "amount"
	FieldPoints   Field = "points"
	FieldStore    Field = "store"
	FieldState    Field = "state"
)

// Difference is one line, or two, on which the sides are not at one.
type Difference struct {
	Class        Class
	Ours, Theirs *Line
	Again        []*Line // further lines of the file with the same number
	Fields       []Field // that differ
	// Repairs are the commands that would mend it. Where there are none Why
	// says why.
	Repairs []Repair
	Why     string
}

// MaxDifferences bounds a report: beyond it this is the wrong file, day, space
// or app, and no list helps.
const MaxDifferences = 100_000

// ErrTooMany ends a match with more than MaxDifferences.
var ErrTooMany = errors.New("more than 100,000 differences: is this the file of that day, and of that space, store and app?")

// ident is what a line is known by.
type ident struct {
	kind        Kind // "" for orders and refunds
	number, who string
}

func identOf(l *Line, who string) ident {
	if l.Kind.numbered() {
		return ident{"", normal(l.Number), ""}
	}
	return ident{l.Kind, normal(l.Number), who}
}

// Match compares the lines of a file with those of the platform, which come one
// after the other and are not kept unless they differ.
type Match struct {
	day     Day
	file    *File
	first   map[ident]int32   // index of the first line with that number
	again   map[int32][]int32 // and of the others
	matched []bool
	found   []Difference
	Equal   Totals // lines on which both sides agree
	Ours    Totals
}

// NewMatch indexes a file.
func NewMatch(d Day, f *File) *Match {
	m := &Match{day: d, file: f, first: make(map[ident]int32, len(f.Lines)), again: map[int32][]int32{}, matched: make([]bool, len(f.Lines))}
	for i := range f.Lines {
		l := &f.Lines[i]
		id := identOf(l, cmp.Or(l.OpenID, l.MemberID))
		if first, taken := m.first[id]; taken {
			m.again[first] = append(m.again[first], int32(i))
		} else {
			m.first[id] = int32(i)
		}
	}
	return m
}

// Line takes the platform's next line; ErrTooMany when it is of no use to go on.
func (m *Match) Line(l Line) error {
	m.Ours.Add(&l)
	i, ok := m.first[identOf(&l, l.OpenID)]
	if !ok {
		i, ok = m.first[identOf(&l, l.MemberID)]
	}
	if !ok {
		return m.add(Difference{Class: OnlyOurs, Ours: &l})
	}
	m.matched[i] = true
	d := m.theirs(i)
	if d.Ours = &l; d.Class == Doubled {
		return m.add(d)
	}
	d.Fields = Compare(&l, d.Theirs, m.day)
	switch {
	case len(d.Fields) == 0 && len(d.Again) == 0:
		m.Equal.Add(&l)
		return nil
	case len(d.Fields) == 0:
		d.Class = Doubled
		d.Why = "it stands in the file several times, equally, and counts once: ask the partner whether one of the lines should have another number"
	case slices.Contains(d.Fields, FieldMember):
		d.Class = OtherMember
	default:
		d.Class = Different
	}
	return m.add(d)
}

func (m *Match) add(d Difference) error {
	if len(m.found) == MaxDifferences {
		return ErrTooMany
	}
	m.found = append(m.found, d)
	return nil
}

// theirs is a line that the platform lacks, with those that have its number as
// well. Equal ones count as one line, of others nobody can say which is right.
func (m *Match) theirs(i int32) Difference {
	d := Difference{Class: OnlyTheirs, Theirs: &m.file.Lines[i]}
	for _, j := range m.again[i] {
		other := &m.file.Lines[j]
		d.Again = append(d.Again, other)
		d.Fields = union(d.Fields, Compare(d.Theirs, other, m.day))
	}
	if len(d.Fields) > 0 {
		d.Class = Doubled
		d.Why = "it stands in the file several times, differently: ask the partner which line is right"
	}
	return d
}

func union(a, b []Field) []Field {
	for _, f := range b {
		if !slices.Contains(a, f) {
			a = append(a, f)
		}
	}
	return a
}

// Differences are all that were found, when the platform's last line has come.
func (m *Match) Differences() ([]Difference, error) {
	for i := range m.file.Lines {
		if m.matched[i] {
			continue
		}
		l := &m.file.Lines[i]
		if m.first[identOf(l, cmp.Or(l.OpenID, l.MemberID))] != int32(i) {
			continue // one of again
		}
		if err := m.add(m.theirs(int32(i))); err != nil {
			return nil, err
		}
	}
	m.pairMembers()
	slices.SortStableFunc(m.found, func(a, b Difference) int {
		return cmp.Or(
			cmp.Compare(slices.Index(Classes, a.Class), slices.Index(Classes, b.Class)),
			cmp.Compare(a.row(), b.row()),
		)
	})
	return m.found, nil
}

func (d *Difference) row() int {
	if d.Theirs == nil {
		return 0
	}
	return d.Theirs.Row
}

// pairMembers finds changes of points that both sides have under one key, but
// for two members.
func (m *Match) pairMembers() {
	theirs := map[ident]int{}
	for i, d := range m.found {
		if d.Class == OnlyTheirs && !d.Theirs.Kind.numbered() {
			theirs[identOf(d.Theirs, "")] = i
		}
	}
	for i := range m.found {
		d := &m.found[i]
		if d.Class != OnlyOurs || d.Ours.Kind.numbered() {
			continue
		}
		id := identOf(d.Ours, "")
		if j, ok := theirs[id]; ok {
			delete(theirs, id)
			d.Class, d.Theirs, d.Again = OtherMember, m.found[j].Theirs, m.found[j].Again
			d.Fields = Compare(d.Ours, d.Theirs, m.day)
			m.found[j].Theirs = nil
		}
	}
	m.found = slices.DeleteFunc(m.found, func(d Difference) bool { return d.Ours == nil && d.Theirs == nil })
}

// Compare names the fields in which a line of the file says something else.
// What the file leaves open is no difference.
func Compare(ours, theirs *Line, d Day) (fields []Field) {
	differ := func(f Field, is bool) {
		if is {
			fields = append(fields, f)
		}
	}
	said := func(a, b string) bool { return b != "" && normal(a) != normal(b) }
	differ(FieldKind, ours.Kind != theirs.Kind)
	differ(FieldMember, said(ours.OpenID, theirs.OpenID) || said(ours.MemberID, theirs.MemberID))
	differ(FieldParent, theirs.Kind == Refund && said(ours.Parent, theirs.Parent))
	differ(FieldConsumed, theirs.Kind.numbered() && !ours.Consumed.same(theirs.Consumed, d.Zone))
	differ(FieldAmount, theirs.Kind.numbered() && ours.Amount != theirs.Amount)
	differ(FieldPoints, !theirs.NoPoints && !ours.NoPoints && ours.Points != theirs.Points || ours.Row != 0 && ours.NoPoints != theirs.NoPoints)
	differ(FieldStore, ours.Store != "" && said(ours.Store, theirs.Store))
	differ(FieldState, stateOf(ours) != stateOf(theirs))
	return fields
}

func stateOf(l *Line) string { return cmp.Or(l.State, booked) }
