package reconcile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
)

func options(t testing.TB) *Options {
	t.Helper()
	return &Options{
		Merchant: "m1", Day: expected(t).Day, Now: at(t, "2026-11-22 10:00:00"),
		By: loyalty.ByOperator{Operator: "ann", Reason: "monthly"},
	}
}

// ours is an order of the day with 100.00 and 100 points.
func ours(t testing.TB, change func(*Line)) *Line {
	t.Helper()
	l := LineOf(DayOrder{Store: "12", Order: loyalty.Order{
		Member: 1, OrderKey: loyalty.OrderKey{No: "O1"}, Kind: loyalty.Purchase, State: loyalty.Booked,
		BookedAt: at(t, "2026-11-20 10:00:01"), ConsumedAt: at(t, "2026-11-20 10:00:00"), Amount: 10_000, Points: 100, Entry: 1, App: "a",
	}}, somebody)
	if change != nil {
		change(&l)
	}
	return &l
}

// grant is a change of the day that gave 50 points.
func grant(t testing.TB, points, left int64) *Line {
	t.Helper()
	return &Line{
		Kind: Change, Number: "C1", OpenID: somebody, MemberID: loyalty.MemberIDText(1), State: "booked", Points: points,
		Booked: &Booked{Member: 1, At: at(t, "2026-11-20 10:00:01"), App: "a", Statement: "SP1", Left: left},
	}
}

func theirs(t testing.TB, line string) *Line {
	t.Helper()
	f, err := ReadFile(strings.NewReader(columns+line+"\n"), expected(t))
	if err != nil || len(f.Lines) != 1 {
		t.Fatalf("%s: %v", line, err)
	}
	return &f.Lines[0]
}

var active = Member{ID: 1, OpenID: somebody, Status: loyalty.Active}

// What is judged of the two sides: the class, and the commands or why there are
// none.
func TestJudge(t *testing.T) {
	t.Parallel()
	const order, when = "order,O1,100,100,", ",,2026-11-20 10:00:00"
	parent := func(refunded int64) *loyalty.Order {
		return &loyalty.Order{Member: 1, Kind: loyalty.Purchase, OrderKey: loyalty.OrderKey{No: "O1"}, Amount: 10_000, Points: 100, Refunded: refunded}
	}
	refund := ours(t, func(l *Line) { l.Kind, l.Number, l.Parent = Refund, "R1", "O1" })
	for name, test := range map[string]struct {
		ours, theirs *Line
		facts        Facts
		void         bool
		class        Class
		want         []string
	}{
		"order":           {nil, theirs(t, order+somebody+when), Facts{Member: active}, false, OnlyTheirs, []string{"record order O1 of " + somebody + ": amount 100.00, points 100, consumed 2026-11-20 10:00:00"}},
		"of nobody":       {nil, theirs(t, order+when), Facts{}, false, OnlyTheirs, []string{"the file does not say whose it is (open_id or member_id)"}},
		"of a stranger":   {nil, theirs(t, order+somebody+when), Facts{}, false, OnlyTheirs, []string{"the merchant has no such member"}},
		"disabled":        {nil, theirs(t, order+somebody+when), Facts{Member: Member{1, somebody, loyalty.Disabled}}, false, OnlyTheirs, []string{"the member is disabled or erased"}},
		"no time":         {nil, theirs(t, order+somebody+",,"), Facts{Member: active}, false, OnlyTheirs, []string{"the file does not say when it was (consumed_at)"}},
		"no points":       {nil, theirs(t, "order,O1,100,,"+somebody+when), Facts{Member: active}, false, OnlyTheirs, []string{"the file does not say the points"}},
		"next day":        {nil, theirs(t, order+somebody+when), Facts{Member: active, Found: ours(t, func(l *Line) { l.Booked.At = at(t, "2026-11-21 00:00:03") })}, false, Elsewhere, []string{"booked on 2026-11-21 00:00:03"}},
		"other store":     {nil, theirs(t, order+somebody+when), Facts{Member: active, Found: ours(t, nil)}, false, Elsewhere, []string{"booked on 2026-11-20 10:00:01 through another store or app, or by an operator"}},
		"next day, other": {nil, theirs(t, "order,O1,99,100,"+somebody+when), Facts{Member: active, Found: ours(t, func(l *Line) { l.Booked.At = at(t, "2026-11-21 00:00:03") })}, false, Different, []string{"booked on 2026-11-21 00:00:03: reconcile the file of that day, or without --store and --app"}},
		"taken":           {nil, theirs(t, order+"another"+when), Facts{Found: ours(t, nil)}, false, OtherMember, []string{"booked on 2026-11-20 10:00:01 for another member"}},

		"refund":          {nil, theirs(t, "refund,R1,10,5,,O1,2026-11-20"), Facts{Parent: parent(0)}, false, OnlyTheirs, []string{"refund order O1 as R1: amount 10.00, take back 5 points"}},
		"refund to come":  {nil, theirs(t, "refund,R1,10,5,,O1,2026-11-20"), Facts{Coming: active}, false, OnlyTheirs, []string{"refund order O1 as R1: amount 10.00, take back 5 points"}},
		"refund too much": {nil, theirs(t, "refund,R1,10,5,,O1,2026-11-20"), Facts{Parent: parent(9_001)}, false, OnlyTheirs, []string{"more than the 9.99 that are left of order O1"}},
		"of no order":     {nil, theirs(t, "refund,R1,10,5,,O1,2026-11-20"), Facts{}, false, OnlyTheirs, []string{"the platform has no order O1"}},
		"no parent":       {nil, theirs(t, "refund,R1,10,5,,,2026-11-20"), Facts{}, false, OnlyTheirs, []string{"the file does not say of which order (parent_order_no)"}},
		"another's order": {nil, theirs(t, "refund,R1,10,5,"+somebody+",O1,2026-11-20"), Facts{Member: Member{ID: 2}, Parent: parent(0)}, false, OnlyTheirs, []string{"the order O1 is another member's"}},

		"credit":      {nil, theirs(t, "change,C1,,5,"+somebody+",,"), Facts{Member: active}, false, OnlyTheirs, []string{"credit 5 points of " + somebody + " as change C1"}},
		"debit":       {nil, theirs(t, "opt,C1,,-5,"+somebody+",,"), Facts{Member: active}, false, OnlyTheirs, []string{"debit 5 points of " + somebody + " as opt C1"}},
		"void":        {nil, theirs(t, "change,C1,,5,"+somebody+",,"), Facts{Member: active, Void: true}, false, OnlyTheirs, []string{"a rollback has declared this key void: the partner has given it up"}},
		"no point":    {nil, theirs(t, "change,C1,,0,"+somebody+",,"), Facts{Member: active}, false, OnlyTheirs, []string{"it moves no points"}},
		"return":      {nil, theirs(t, "return,C1,,5,"+somebody+",,"), Facts{Member: active}, false, OnlyTheirs, []string{"the file does not say which change it takes back"}},
		"key used":    {nil, theirs(t, "change,C1,,-5,"+somebody+",,"), Facts{Member: active, Key: &loyalty.KeyRow{Answer: `{"direction":2,"points":5}`, At: at(t, "2026-11-21 00:00:03")}}, false, Elsewhere, []string{"booked on 2026-11-21 00:00:03 with -5 points"}},
		"key, credit": {nil, theirs(t, "change,C1,,-5,"+somebody+",,"), Facts{Member: active, Key: &loyalty.KeyRow{Answer: `{"direction":1,"points":5}`, At: at(t, "2026-11-21 00:00:03")}}, false, Different, []string{"booked on 2026-11-21 00:00:03 with 5 points: reconcile the file of that day"}},
		"key, return": {nil, theirs(t, "return,C1,,-5,"+somebody+",,"), Facts{Member: active, Key: &loyalty.KeyRow{Answer: `{"points":5}`, At: at(t, "2026-11-21 00:00:03")}}, false, Elsewhere, []string{"booked on 2026-11-21 00:00:03 with -5 points"}},
		"key, others": {nil, theirs(t, "change,C1,,6,"+somebody+",,"), Facts{Member: active, Key: &loyalty.KeyRow{Answer: `{"points":5}`, At: at(t, "2026-11-21 00:00:03")}}, false, Different, []string{"booked on 2026-11-21 00:00:03 with 5 points: reconcile the file of that day"}},

		"not in the file":    {ours(t, nil), nil, Facts{}, false, OnlyOurs, []string{"the file may not be whole; once it has a last line with totals --void-ours would take it back (amount 100.00, points 100)"}},
		"not in a whole one": {ours(t, nil), nil, Facts{}, false, OnlyOurs, []string{"the file lacks it; --void-ours would take it back (amount 100.00, points 100)"}},
		"voided":             {ours(t, nil), nil, Facts{}, true, OnlyOurs, []string{"refund order O1 as K1: amount 100.00, take back 100 points"}},
		"voided rest":        {ours(t, func(l *Line) { l.Booked.Order.Refunded, l.Booked.Order.TakenBack = 4_000, 30 }), nil, Facts{}, true, OnlyOurs, []string{"refund order O1 as K1: amount 60.00, take back 70 points"}},
		"voided before":      {ours(t, func(l *Line) { l.Booked.Order.Refunded, l.Booked.Order.TakenBack = 10_000, 100 }), nil, Facts{Fixes: []Fix{{Refund: parent(0)}}}, true, Repaired, []string{"taken back by an earlier run"}},
		"refunded":           {ours(t, func(l *Line) { l.Booked.Order.Refunded, l.Booked.Order.TakenBack = 10_000, 100 }), nil, Facts{}, true, OnlyOurs, []string{"nothing is left of it to take back"}},
		"of yesterday":       {ours(t, func(l *Line) { l.Consumed.At = at(t, "2026-11-19 23:59:59") }), nil, Facts{}, true, OnlyOurs, []string{"consumed on 2026-11-19 23:59:59: look in the file of that day"}},
		"an operator's":      {ours(t, func(l *Line) { l.Booked.App = "" }), nil, Facts{}, true, ByOperators, []string{"booked by an operator, or by an earlier run; no app knows of it"}},
		"our refund":         {refund, nil, Facts{}, true, OnlyOurs, []string{"a refund is not taken back; if the partner does not have it, record the order anew under another number"}},
		"parked":             {ours(t, func(l *Line) { l.State = "parked" }), nil, Facts{}, true, OnlyOurs, []string{"it is parked"}},
		"our change":         {grant(t, 50, 40), nil, Facts{}, true, OnlyOurs, []string{"roll back 40 points of statement SP1 as K1"}},
		"our change, gone":   {grant(t, 50, 0), nil, Facts{Fixes: []Fix{{RolledBack: 50}}}, true, Repaired, []string{"taken back by an earlier run"}},

		"less money":        {ours(t, nil), theirs(t, "order,O1,90,100,,,"), Facts{}, false, Different, []string{"refund order O1 as K1: amount 10.00, take back 0 points"}},
		"less of both":      {ours(t, nil), theirs(t, "order,O1,90,90,,,"), Facts{}, false, Different, []string{"refund order O1 as K1: amount 10.00, take back 10 points"}},
		"less, more points": {ours(t, nil), theirs(t, "order,O1,90,110,,,"), Facts{}, false, Different, []string{"refund order O1 as K1: amount 10.00, take back 0 points", "credit 10 points of " + somebody + " as reconcile K2"}},
		"more money":        {ours(t, nil), theirs(t, "order,O1,110,110,,,"), Facts{}, false, Different, []string{"amount: it is less here, and an order cannot grow; have the partner send the rest as an order of its own, or decide yourself"}},
		"nothing left":      {ours(t, func(l *Line) { l.Booked.Order.Refunded = 9_500 }), theirs(t, "order,O1,90,100,,,"), Facts{}, false, Different, []string{"amount: only 5.00 are left of order O1; decide yourself"}},
		"corrected":         {ours(t, nil), theirs(t, "order,O1,90,110,,,"), Facts{Fixes: []Fix{{Refund: &loyalty.Order{Amount: 1_000}}, {Points: 10}}}, false, Repaired, []string{"corrected by an earlier run: 2 booked"}},
		"corrected again":   {ours(t, nil), theirs(t, "order,O1,90,105,,,"), Facts{Fixes: []Fix{{Refund: &loyalty.Order{Amount: 1_000}}, {Points: 10}}}, false, Different, []string{"refund order O1 as K3: amount 0.00, take back 5 points"}},
		"time":              {ours(t, nil), theirs(t, "order,O1,100,100,,,2026-11-20 10:01:00"), Facts{}, false, Different, []string{"consumed_at: the time of consumption is kept as it was sent; decide yourself"}},
		"kind":              {ours(t, nil), theirs(t, "refund,O1,100,100,,,"), Facts{}, false, Different, []string{"kind: an order on one side and a refund on the other; decide yourself"}},
		"state":             {ours(t, func(l *Line) { l.State = "declined" }), theirs(t, "order,O1,100,100,,,"), Facts{}, false, Different, []string{"here it is declined"}},
		"refunded more":     {refund, theirs(t, "refund,R1,110,110,,O1,"), Facts{Parent: parent(0)}, false, Different, []string{"refund order O1 as K1: amount 10.00, take back 10 points"}},
		"refunded less":     {refund, theirs(t, "refund,R1,90,100,,O1,"), Facts{Parent: parent(0)}, false, Different, []string{"amount: more was refunded here, and a refund is not taken back; decide yourself"}},
		"took back less":    {refund, theirs(t, "refund,R1,100,90,,O1,"), Facts{Parent: parent(0)}, false, Different, []string{"credit 10 points of " + somebody + " as reconcile K1"}},
		"more points":       {grant(t, 50, 50), theirs(t, "change,C1,,60,"+somebody+",,"), Facts{}, false, Different, []string{"credit 10 points of " + somebody + " as reconcile K1"}},
		"fewer points":      {grant(t, 50, 50), theirs(t, "change,C1,,40,"+somebody+",,"), Facts{}, false, Different, []string{"roll back 10 points of statement SP1 as K1"}},
		"fewer, none left":  {grant(t, 50, 5), theirs(t, "change,C1,,40,"+somebody+",,"), Facts{}, false, Different, []string{"points: only 5 are left of it; decide yourself"}},
		"spent more":        {grant(t, -50, 50), theirs(t, "change,C1,,-60,"+somebody+",,"), Facts{}, false, Different, []string{"debit 10 points of " + somebody + " as reconcile K1"}},
		"spent less":        {grant(t, -50, 50), theirs(t, "change,C1,,-40,"+somebody+",,"), Facts{}, false, Different, []string{"roll back 10 points of statement SP1 as K1"}},
		"spent less before": {grant(t, -50, 40), theirs(t, "change,C1,,-40,"+somebody+",,"), Facts{Fixes: []Fix{{RolledBack: 10}}}, false, Repaired, []string{"corrected by an earlier run: 1 booked"}},
		"other direction":   {grant(t, 50, 50), theirs(t, "change,C1,,-50,"+somebody+",,"), Facts{}, false, Different, []string{"points: given on one side and taken, or none, on the other; decide yourself"}},
	} {
		o := options(t)
		o.VoidOurs, o.Whole = test.void, test.void || name == "not in a whole one"
		d := Difference{Class: Different, Ours: test.ours, Theirs: test.theirs}
		switch {
		case test.ours == nil:
			d.Class = OnlyTheirs
		case test.theirs == nil:
			d.Class = OnlyOurs
		default:
			d.Fields = Compare(test.ours, test.theirs, o.Day)
		}
		o.Judge(&d, test.facts)
		got := []string{d.Why}
		if len(d.Repairs) > 0 {
			got = got[:0]
		}
		for _, r := range d.Repairs {
			text := r.Text
			for n, k := range []string{"K1", "K2", "K3"} {
				if test.ours != nil {
					text = strings.ReplaceAll(text, o.FixKey(test.ours, n+1), k)
				}
			}
			got = append(got, text)
		}
		if diff := cmp.Diff(test.want, got); diff != "" || d.Class != test.class {
			t.Errorf("%s: %s, want %s\n%s", name, d.Class, test.class, diff)
		}
	}
}

// What is proposed carries who and why, and names the member by number.
func TestRepairsCarryTheReason(t *testing.T) {
	t.Parallel()
	o := options(t)
	d := Difference{Class: Different, Ours: ours(t, nil), Theirs: theirs(t, "order,O1,90,110,,,")}
	o.Judge(&d, Facts{})
	if len(d.Repairs) != 2 {
		t.Fatal(d.Repairs)
	}
	r, c := d.Repairs[0].Refund, d.Repairs[1].Change
	if r.Info.Material != `{"reconciled":"2026-11-20","operator":"ann","reason":"monthly"}` || r.Who.ID != 1 || r.Parent != "O1" || !r.Given {
		t.Errorf("%+v", r)
	}
	if c.Note.Detail.Operator != "ann" || c.Note.Detail.Remark != "monthly" || c.Note.OrderNo != "O1" || c.KeyOp != KeyFix || c.App != "" {
		t.Errorf("%+v", c)
	}
	if k := (Booking{loyalty.ChangePoints{ID: "C1", KeyOp: loyalty.KeyChange}}).Key(); k.BarredBy != loyalty.KeyRollbackByChange {
		t.Errorf("%+v", k)
	}
}

// A correction's key follows from what names the line, and from nothing else.
func TestFixKey(t *testing.T) {
	t.Parallel()
	o := options(t)
	a := Line{Kind: Order, Number: "O1", MemberID: "1", Amount: 1}
	same := []Line{{Kind: Order, Number: "O1", MemberID: "2", Amount: 2}, {Kind: Refund, Number: "O1"}}
	others := []Line{{Kind: Order, Number: "O2"}, {Kind: Change, Number: "O1", MemberID: "1"}, {Kind: Change, Number: "O1", MemberID: "2"}, {Kind: Send, Number: "O1", MemberID: "1"}}
	key := o.FixKey(&a, 1)
	if !strings.HasPrefix(key, "recon-20261120-") || key == o.FixKey(&a, 2) {
		t.Error(key)
	}
	for _, l := range same {
		if o.FixKey(&l, 1) != key {
			t.Errorf("%+v", l)
		}
	}
	seen := map[string]bool{key: true}
	for _, l := range others {
		if k := o.FixKey(&l, 1); seen[k] {
			t.Errorf("%+v", l)
		} else {
			seen[k] = true
		}
	}
	o.Space = "s2"
	if o.FixKey(&a, 1) == key {
		t.Error("the space does not count")
	}
}
