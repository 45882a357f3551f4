package loyalty_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

const unnamed = loyaltytest.Unnamed

// refusal is one row of a table of refusals.
type refusal struct {
	name string
	do   func() error
	want loyalty.Code
	item int // place in the caller's list
}

// trying is a command as a row of such a table has it.
func trying[R any](w *loyaltytest.World, c loyalty.Command[R]) func() error {
	return func() error { _, err := loyaltytest.Do(w, c); return err }
}

// wantRefusals runs the rows and sees that none of them books anything.
func wantRefusals(t *testing.T, w *loyaltytest.World, rows []refusal) {
	t.Helper()
	before := w.Store.Dump(nil)
	for _, r := range rows {
		err := r.do()
		if code, ok := loyalty.CodeOf(err); !ok || code != r.want {
			t.Errorf("%s: got %v, want %v", r.name, err, r.want)
		}
		if place, _ := err.(loyalty.Refusal); place.Item != r.item {
			t.Errorf("%s: item %d, want %d", r.name, place.Item, r.item)
		}
		if diff := cmp.Diff(before, w.Store.Dump(nil)); diff != "" {
			t.Fatalf("%s: a refused command changed rows:\n%s", r.name, diff)
		}
	}
}

// wantConsumption is the number of orders, their money, growth value and level.
func wantConsumption(t *testing.T, w *loyaltytest.World, who loyalty.Who, want ...int64) {
	t.Helper()
	m := w.Member(who)
	if diff := cmp.Diff(want, []int64{m.ConsumeCount, m.ConsumeFen, m.Growth, m.Level}); diff != "" {
		t.Errorf("orders, money, growth, level (-want +got):\n%s", diff)
	}
}

// cast is the members whom tables of refusals need.
type cast struct{ anna, berta, off, gone, nobody, two loyalty.Who }

func newCast(w *loyaltytest.World) cast {
	c := cast{
		anna: w.Register("13800000001"), berta: w.Register("13800000002"),
		off: w.Register("13800000004"), gone: w.Register("13800000005"),
		nobody: loyalty.Who{Merchant: "m", Phone: "13899999999"},
	}
	c.two = loyalty.Who{Merchant: "m", ID: c.anna.ID, Phone: "13800000002"}
	loyaltytest.Must(w, loyalty.SetStatus{Who: c.off, Status: loyalty.Disabled})
	loyaltytest.Must(w, loyalty.EraseMember{Who: c.gone})
	return c
}

// TestRefusalsOfOrders: each row also violates what the rows below it check,
// where that is possible.
func TestRefusalsOfOrders(t *testing.T) {
	t.Parallel()
	until := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.MaxCredit, s.Points.Until = 1_000, loyalty.InstantOf(until) })
	c := newCast(w)
	loyaltytest.Must(w, w.Order(c.anna, "taken", 10_000, 100))
	loyaltytest.Must(w, w.Refund(c.anna, "refund", "taken", 10, 1))

	order := func(who loyalty.Who, no string, change func(*loyalty.RecordOrder)) func() error {
		o := w.Order(who, no, 10_000, 5_000)
		if change != nil {
			change(&o)
		}
		return trying(w, o)
	}
	ahead := func(o *loyalty.RecordOrder) { o.ConsumedAt += 5*60*1000 + 1 }
	wantRefusals(t, w, []refusal{
		{"no number", order(c.nobody, "", func(o *loyalty.RecordOrder) { ahead(o); o.Amount = -1 }), loyalty.NothingNamed, 0},
		{"money below 0", order(c.nobody, "taken", func(o *loyalty.RecordOrder) { ahead(o); o.Amount, o.Points = -1, -1 }), loyalty.AmountNegative, 0},
		{"too much money", order(c.nobody, "taken", func(o *loyalty.RecordOrder) { ahead(o); o.Amount, o.Points = loyalty.MaxAmount+1, -1 }), loyalty.AmountTooLarge, 0},
		{"points below 0", order(c.nobody, "taken", func(o *loyalty.RecordOrder) { ahead(o); o.Points = -1 }), loyalty.PointsNotPositive, 0},
		{"ahead of time", order(c.nobody, "taken", ahead), loyalty.TimeAhead, 0},
		{"nobody", order(c.nobody, "taken", nil), loyalty.MemberNotFound, 0},
		{"two members", order(c.two, "taken", nil), loyalty.MembersDisagree, 0},
		{"another member's number", order(c.off, "taken", nil), loyalty.KeyReused, 0},
		{"own number, other points", order(c.anna, "taken", nil), loyalty.KeyReused, 0},
		{"a refund's number", order(c.anna, "refund", nil), loyalty.KeyReused, 0},
		{"another member's refund", order(c.gone, "refund", nil), loyalty.KeyReused, 0},
		{"disabled", order(c.off, "new", nil), loyalty.MemberDisabled, 0},
		{"erased", order(c.gone, "new", nil), loyalty.MemberErased, 0},
		{"too many points", order(c.anna, "new", nil), loyalty.CreditTooLarge, 0},
	})
	w.Now = until
	wantRefusals(t, w, []refusal{{"no rule in force", order(c.anna, "new", nil), loyalty.NoPointsRule, 0}})
	loyaltytest.Must(w, w.Order(c.anna, "new", 10_000, 0)) // no points, no rule needed
	loyaltytest.Must(w, w.Order(c.anna, "newer", 10_000, unnamed))
}

func TestAnOrderOfTheLargestAmount(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Growth.Rate = loyalty.Fraction{Num: 1_000_000, Den: 1} })
	who := w.Register("13800000001")
	o := w.Order(who, "o", loyalty.MaxAmount, 1)
	o.ConsumedAt += 5 * 60 * 1000 // as far ahead as a clock may be
	loyaltytest.Must(w, o)
	wantConsumption(t, w, who, 1, loyalty.MaxAmount, loyalty.MaxAmount*10_000, 7)
}

func TestAnOrderGrantsAndCounts(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	o := w.Order(who, "o1", 29_999, 77)
	o.App, o.ConsumedAt = "till", o.ConsumedAt-90*86_400_000
	o.Info = loyalty.OrderInfo{Store: "s1", Description: "年货", Papers: loyalty.OrderPapers{CashierName: "王"}}
	got := loyaltytest.Must(w, o)
	want := loyalty.OrderBooked{Member: who.ID, ID: got.ID, Entry: 1, Points: 77, Balance: 77}
	if diff := cmp.Diff(want, got); diff != "" || got.ID == 0 {
		t.Errorf("answer:\n%s", diff)
	}
	e := w.Entries(who)[0]
	if e.Kind != loyalty.Grant || e.Operation != loyalty.OpPurchaseGrant || e.OrderNo != "o1" || e.Reason != "年货" ||
		e.App != "till" || e.Detail.OrderFen != 29_999 || e.Detail.OrgCode != "s1" {
		t.Errorf("entry %+v", e)
	}
	wantLots(t, w, who, "77 until 2028-01-01") // by the day of booking, not the day of the order
	wantConsumption(t, w, who, 1, 29_999, 299, 1)
	wantRow := loyalty.Order{
		Member: who.ID, Seq: 1, ID: got.ID, OrderKey: loyalty.OrderKey{No: "o1"}, Kind: loyalty.Purchase, State: loyalty.Booked,
		BookedAt: loyalty.InstantOf(w.Now), ConsumedAt: o.ConsumedAt, Amount: 29_999, Points: 77, Growth: 299, Entry: 1, App: "till",
		Decision: loyalty.Decision{EarnedBy: loyalty.ByCaller, Version: 1, Growth: loyalty.Fraction{Num: 1, Den: 1}},
	}
	if diff := cmp.Diff(wantRow, w.OrderRow("o1")); diff != "" {
		t.Errorf("row:\n%s", diff)
	}
	infos := []loyalty.OrderInfoRow{{Member: who.ID, Merchant: "m", Seq: 1, OrderInfo: o.Info}}
	if diff := cmp.Diff(infos, w.Store.Dump(nil).OrderInfos); diff != "" {
		t.Errorf("what the caller told:\n%s", diff)
	}

	loyaltytest.Must(w, w.Order(who, "o2", 100, 0))
	if o := w.OrderRow("o2"); o.Entry != 0 || o.Seq != 2 {
		t.Errorf("an order without points: %+v", o)
	}
	if e := w.Entries(who); len(e) != 1 {
		t.Errorf("%d entries", len(e))
	}
	wantConsumption(t, w, who, 2, 30_099, 300, 2)
}

func TestAnOrderWithoutWordsIsAPurchaseInTheLedger(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	loyaltytest.Must(w, w.Order(who, "o1", 100, 1))
	loyaltytest.Must(w, w.Refund(who, "r1", "o1", 100, 1))
	e := w.Entries(who)
	if e[0].Reason != "消费送积分" || e[1].Reason != "消费送积分扣回" {
		t.Errorf("%q, %q", e[0].Reason, e[1].Reason)
	}
	if rows := w.Store.Dump(nil).OrderInfos; rows != nil {
		t.Errorf("rows without content: %+v", rows)
	}
}

func TestAnOrderIsBookedOnce(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who, berta := w.Register("13800000001"), w.Register("13800000002")
	call := w.Order(who, "o1", 10_000, 50)
	first := loyaltytest.Must(w, call)
	w.Days(3)
	w.Take(who, 50)
	loyaltytest.Must(w, loyalty.SetStatus{Who: who, Status: loyalty.Disabled})
	again := call
	again.App, again.Info = "another", loyalty.OrderInfo{Description: "other words", Store: "s2"}
	if got := loyaltytest.Must(w, again); got != first {
		t.Errorf("first %+v, again %+v", first, got)
	}
	loyaltytest.Must(w, loyalty.SetStatus{Who: who, Status: loyalty.Active})
	for name, change := range map[string]func(*loyalty.RecordOrder){
		"amount":    func(o *loyalty.RecordOrder) { o.Amount++ },
		"points":    func(o *loyalty.RecordOrder) { o.Points++ },
		"no points": func(o *loyalty.RecordOrder) { o.Points, o.Given = 0, false },
		"date":      func(o *loyalty.RecordOrder) { o.ConsumedAt++ },
		"member":    func(o *loyalty.RecordOrder) { o.Who = berta },
	} {
		other := call
		change(&other)
		if _, err := loyaltytest.Do(w, other); err != loyalty.KeyReused {
			t.Errorf("%s: %v", name, err)
		}
	}
	call.Order.Space = "apart" // there it is another order, of anybody
	call.Who = berta
	if got := loyaltytest.Must(w, call); got.ID == first.ID || got.Balance != 50 {
		t.Errorf("in another space: %+v", got)
	}
	wantConsumption(t, w, who, 1, 10_000, 100, 1)
}

func TestNoPointsNamedIsNotNoPoints(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Orders.Score = loyalty.ScoreRule })
	who := w.Register("13800000001")
	for no, c := range map[string]struct {
		points, earned int64
		by             loyalty.EarnedBy
	}{
		"named none": {0, 0, loyalty.ByCaller}, "left open": {unnamed, 12, loyalty.ByRule}, "named": {3, 3, loyalty.ByCaller},
	} {
		got := loyaltytest.Must(w, w.Order(who, no, 1_299, c.points))
		if o := w.OrderRow(no); got.Points != c.earned || o.Points != c.earned || o.Decision.EarnedBy != c.by {
			t.Errorf("%s: %d points by %s", no, got.Points, o.Decision.EarnedBy)
		}
	}
	loyaltytest.Must(w, w.Order(who, "small", 99, unnamed))
	if o := w.OrderRow("small"); o.Entry != 0 || o.Points != 0 {
		t.Errorf("99 fen: %+v", o)
	}
	w.Change(func(s *loyalty.Settings) { s.Orders.Score = loyalty.ScoreZero })
	if got := loyaltytest.Must(w, w.Order(who, "zero", 1_299, unnamed)); got.Points != 0 {
		t.Errorf("under zero an order earned %d", got.Points)
	}
}

func TestTheRuleOfTheDayOfTheOrder(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	until := from.AddDate(0, 1, 0)
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
		s.Orders.Score = loyalty.ScoreRule
		s.Points.From, s.Points.Until = loyalty.InstantOf(from), loyalty.InstantOf(until)
	})
	who := w.Register("13800000001")
	w.Now = until.AddDate(0, 1, 0) // the orders come late
	for _, c := range []struct {
		consumed time.Time
		points   int64
		want     error
	}{
		{from.Add(-time.Millisecond), unnamed, loyalty.NoPointsRule}, {from, unnamed, nil},
		{until.Add(-time.Millisecond), unnamed, nil}, {until, unnamed, loyalty.NoPointsRule},
		{from, 5, loyalty.NoPointsRule}, // what the caller grants is granted now
	} {
		o := w.Order(who, fmt.Sprint(c.consumed, c.points), 1_000, c.points)
		o.ConsumedAt = loyalty.InstantOf(c.consumed)
		if _, err := loyaltytest.Do(w, o); err != c.want {
			t.Errorf("consumed %s, %d points: %v, want %v", c.consumed, c.points, err, c.want)
		}
	}
	w.Change(func(s *loyalty.Settings) { s.Points = loyalty.DefaultSettings().Points; s.Points.Rate.Num = 0 })
	_, err := loyaltytest.Do(w, w.Order(who, "no rate", 1_000, unnamed))
	wantError(t, err, loyalty.NoPointsRule)
	loyaltytest.Must(w, w.Order(who, "named", 1_000, 5))
}

func TestLevelsFollowOrdersAndRefunds(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	for _, step := range []struct {
		command loyalty.Command[loyalty.OrderBooked]
		want    []int64 // orders, money, growth, level
	}{
		{w.Order(who, "o1", 29_900, 0), []int64{1, 29_900, 299, 1}},
		{w.Order(who, "o2", 100, 0), []int64{2, 30_000, 300, 2}},
		{w.Order(who, "o3", 800_000, 0), []int64{3, 830_000, 8_300, 5}}, // over two levels
		{w.Refund(who, "r1", "o2", 50, 0), []int64{3, 829_950, 8_299, 5}},
		{w.Refund(who, "r2", "o3", 799_000, 0), []int64{3, 30_950, 309, 2}},
		{w.Refund(who, "r3", "o3", 1_000, 0), []int64{2, 29_950, 299, 1}},
		{w.Refund(who, "r4", "o2", 50, 0), []int64{1, 29_900, 299, 1}}, // its growth is gone already
		{w.Refund(who, "r5", "o1", 0, 0), []int64{1, 29_900, 299, 1}},
		{w.Refund(who, "r6", "o3", 0, 0), []int64{1, 29_900, 299, 1}}, // whole already: not counted twice
	} {
		loyaltytest.Must(w, step.command)
		wantConsumption(t, w, who, step.want...)
	}
}

func TestDisabledAndErasedMembersCanReturnGoods(t *testing.T) {
	t.Parallel()
	for _, erase := range []bool{false, true} {
		w := loyaltytest.NewWorld(t, nil)
		who := w.Register("13800000001")
		papers := loyalty.OrderInfo{Store: "s1", Papers: loyalty.OrderPapers{CashierName: "王", MemberName: "李"}}
		order := w.Order(who, "o1", 10_000, 100)
		order.Info = papers
		loyaltytest.Must(w, order)
		if erase {
			loyaltytest.Must(w, loyalty.EraseMember{Who: who})
		} else {
			loyaltytest.Must(w, loyalty.SetStatus{Who: who, Status: loyalty.Disabled})
		}
		refund := w.Refund(who, "r1", "o1", 10_000, 100)
		refund.Info = papers
		if got := loyaltytest.Must(w, refund); got.Points != 100 || got.Balance != 0 {
			t.Errorf("erased %v: %+v", erase, got)
		}
		if erase {
			papers.Papers = loyalty.OrderPapers{}
		}
		for _, row := range w.Store.Dump(nil).OrderInfos {
			if diff := cmp.Diff(papers, row.OrderInfo); diff != "" {
				t.Errorf("erased %v, row %d:\n%s", erase, row.Seq, diff)
			}
		}
		wantConsumption(t, w, who, 0, 0, 0, 1)
	}
}
