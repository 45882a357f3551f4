package reconcile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
)

// summary is a difference in a few words: class, number, lines of the file and
// the fields that differ.
func summary(d Difference) string {
	l, rows := d.Theirs, "-"
	if l == nil {
		l = d.Ours
	} else {
		rows = fmt.Sprint(l.Row)
		for _, again := range d.Again {
			rows += fmt.Sprintf(",%d", again.Row)
		}
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s %s", d.Class, l.Number, rows, strings.Trim(fmt.Sprint(d.Fields), "[]")))
}

func TestMatch(t *testing.T) {
	t.Parallel()
	want := expected(t)
	file, err := ReadFile(strings.NewReader(columns+
		"order,equal,100,100,"+somebody+",,2026-11-20 10:00\n"+ // 2
		"order,theirs,1,1,,,\n"+
		"order,money,99,100,,,\n"+
		"order,member,100,100,another,,\n"+
		"order,twice,100,100,,,\n"+ // 6
		"order,twice,100,100,,,\n"+
		"order,twiceother,100,100,,,\n"+
		"refund,twiceother,90,100,,O9,\n"+
		"order,twicetheirs,1,1,,,\n"+ // 10
		"order,twicetheirs,1,,,,\n"+
		"change,C1,,50,"+somebody+",,\n"+
		"send,C1,,50,"+somebody+",,\n"+
		"change,C2,,50,another,,\n"+ // 14
		"order,all,98,97,,,2026-11-20 10:00:01\n"+
		"order,theirstwice,1,1,,,\n"+
		"order,theirstwice,1,1,,,\n"+
		"order,lesstwice,90,100,,,\n"+ // 18
		"order,lesstwice,90,100,,,\n"), want)
	if err != nil {
		t.Fatal(err)
	}
	m := NewMatch(want.Day, file)
	for _, no := range []string{"equal", " ours", "money", "member", "twice", "twiceother", "all", "lesstwice"} {
		if err := m.Line(*ours(t, func(l *Line) { l.Number = no })); err != nil {
			t.Fatal(err)
		}
	}
	for _, no := range []string{"C1", "C2", "C3"} {
		l := grant(t, 50, 50)
		l.Number = no
		if err := m.Line(*l); err != nil {
			t.Fatal(err)
		}
	}
	found, err := m.Differences()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range found {
		got = append(got, summary(d))
	}
	expect := []string{
		"only theirs theirs 3", "only theirs C1 13", "only theirs theirstwice 16,17", "only ours  ours -", "only ours C3 -", "doubled twice 6,7",
		"doubled twiceother 8,9 kind parent_order_no amount", "doubled twicetheirs 10,11 points", "different money 4 amount",
		"different all 15 consumed_at amount points", "different lesstwice 18,19 amount", "other member member 5 member", "other member C2 14 member",
	}
	if diff := cmp.Diff(expect, got); diff != "" {
		t.Error(diff)
	}
	if (m.Equal != Totals{Lines: 2, Amount: 10_000, Points: 150}) || m.Ours.Lines != 11 {
		t.Errorf("equal %+v, ours %+v", m.Equal, m.Ours)
	}
	for _, d := range found {
		if len(d.Again) > 0 && d.Settled() {
			t.Errorf("%s is settled", summary(d))
		}
	}
}

func TestMatchEndsSomewhere(t *testing.T) {
	t.Parallel()
	m := NewMatch(expected(t).Day, &File{})
	l := ours(t, nil)
	for range MaxDifferences {
		if err := m.Line(*l); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Line(*l); err != ErrTooMany {
		t.Error(err)
	}
}

// Which entries are lines of their own, under which kind and key.
func TestLinesOfAMember(t *testing.T) {
	t.Parallel()
	entry := func(no int64, kind loyalty.EntryKind, amount, balance int64, change func(*loyalty.Entry)) loyalty.Entry {
		e := loyalty.Entry{Member: 1, No: no, At: 100, Kind: kind, Amount: amount, Balance: balance, App: "a", Operation: loyalty.OpManualGrant}
		if kind == loyalty.TakeBack || kind == loyalty.PutBack {
			e.Reverses = 1
		}
		if change != nil {
			change(&e)
		}
		return e
	}
	key := func(op loyalty.KeyOperation, id string, entry int64, answer string) loyalty.KeyRow {
		return loyalty.KeyRow{Member: 1, KeyID: loyalty.KeyID{Operation: op, Key: id}, Entry: entry, At: 100, Answer: answer}
	}
	d := MemberDay{
		ID: 1, OpenID: somebody,
		Orders: []DayOrder{{Order: *ours(t, nil).Booked.Order, Store: "12"}},
		Entries: []loyalty.Entry{
			entry(1, loyalty.Grant, 100, 100, nil), // the order's
			entry(2, loyalty.Grant, 10, 110, nil),
			entry(3, loyalty.Spend, 5, 105, nil),
			entry(4, loyalty.PutBack, 2, 107, nil),
			entry(5, loyalty.TakeBack, 3, 104, nil),
			entry(6, loyalty.TakeBack, 4, 100, nil),
			entry(7, loyalty.WriteOff, 1, 101, func(e *loyalty.Entry) { e.Reverses = 6 }),
			entry(8, loyalty.Grant, 9, 110, nil),                                                  // without a key
			entry(9, loyalty.TakeBack, 1, 109, nil),                                               // and a reversal without one
			entry(10, loyalty.TakeBack, 1, 108, func(e *loyalty.Entry) { e.Detail.Refund = "R" }), // a refund's
			entry(11, loyalty.Expiry, 1, 107, func(e *loyalty.Entry) { e.App = "" }),
			entry(12, loyalty.Grant, 1, 108, func(e *loyalty.Entry) { e.App = "" }), // an operator's
			entry(13, loyalty.Grant, 1, 109, func(e *loyalty.Entry) { e.Operation = loyalty.OpRegisterGift }),
			entry(14, loyalty.Grant, 1, 110, func(e *loyalty.Entry) { e.Space = "s2" }),
			entry(15, loyalty.Grant, 70, 180, nil), // of an order of another day
		},
		Keys: []loyalty.KeyRow{
			key(loyalty.KeyOrder, "O1", 1, "{}"), key(loyalty.KeyChange, "C1", 2, "{}"), key(loyalty.KeyOpt, "C1", 3, "{}"),
			key(loyalty.KeyRollbackByChange, "C1", 0, `{"entry":4}`), key(loyalty.KeyReturn, "X", 0, `{"points":7,"balance":101}`),
			key(loyalty.KeyOrder, "O0", 15, "{}"),
		},
	}
	var got []string
	for _, l := range d.Lines(Filter{}) {
		got = append(got, fmt.Sprintf("%s %s %d %s", l.Kind, l.Number, l.Points, l.Booked.Statement))
	}
	want := []string{
		"order O1 100 SP000000000100000001", "change C1 10 SP000000000100000002", "opt C1 -5 SP000000000100000003",
		"rollback_change C1 2 SP000000000100000004", "return X -7 SP000000000100000005",
		"update SP000000000100000008 9 SP000000000100000008", "return SP000000000100000009 -1 SP000000000100000009",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if lines := d.Lines(Filter{Space: "s2"}); len(lines) != 1 {
		t.Errorf("of a space: %v", lines)
	}
	if lines := d.Lines(Filter{Store: "12"}); len(lines) != 1 {
		t.Errorf("of a store: %v", lines)
	}
}
