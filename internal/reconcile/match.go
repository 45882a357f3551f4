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
	Again        []int   // further lines of the file with the same number
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
	Equal   int // lines on which both sides agree
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
	if _, doubled := m.again[i]; doubled {
		return m.add(m.doubled(i, &l))
	}
	theirs := &m.file.Lines[i]
	fields := Compare(&l, theirs, m.day)
	switch {
	case len(fields) == 0:
		m.Equal++
		return nil
	case slices.Contains(fields, FieldMember):
		return m.add(Difference{Class: OtherMember, Ours: &l, Theirs: theirs, Fields: fields})
	}
	return m.add(Difference{Class: Different, Ours: &l, Theirs: theirs, Fields: fields})
}

func (m *Match) add(d Difference) error {
	if len(m.found) == MaxDifferences {
		return ErrTooMany
	}
	m.found = append(m.found, d)
	return nil
}

// doubled is a difference of a number that the file has several times.
func (m *Match) doubled(i int32, ours *Line) Difference {
	d := Difference{Class: Doubled, Ours: ours, Theirs: &m.file.Lines[i]}
	for _, j := range m.again[i] {
		other := &m.file.Lines[j]
		d.Again = append(d.Again, other.Row)
		d.Fields = union(d.Fields, Compare(d.Theirs, other, m.day))
	}
	if len(d.Fields) > 0 {
		d.Why = "the file has it several times, differently: ask the partner which line is right"
		return d
	}
	d.Why = "the file has it several times, all equal: ask the partner whether one of them should have another number"
	if ours != nil {
		d.Fields = Compare(ours, d.Theirs, m.day)
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
		d := Difference{Class: OnlyTheirs, Theirs: l}
		if _, doubled := m.again[int32(i)]; doubled {
			d = m.doubled(int32(i), nil)
		}
		if err := m.add(d); err != nil {
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
			d.Class, d.Theirs, d.Fields = OtherMember, m.found[j].Theirs, Compare(d.Ours, m.found[j].Theirs, m.day)
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
