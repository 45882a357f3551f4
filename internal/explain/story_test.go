package explain

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

// TestEntrySentences is a story in which every kind of entry comes, and what is
// said of each.
func TestEntrySentences(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, name := range []string{"ledger", "waiting", "refunds", "goods", "parked", "negative", "floor", "void"} {
		story := stories[name]
		w := loyaltytest.NewWorld(t, story.settings)
		first := w.Rules
		story.run(t, w)
		versions := []*loyalty.Snapshot{first}
		if w.Rules != first {
			versions = append(versions, w.Rules)
		}
		r := &shelf{w.Store.Dump(nil), map[string][]*loyalty.Snapshot{"m": versions}}
		for _, e := range r.state.Entries {
			id := loyalty.StatementID(e.Member, e.No)
			_, x, err := Answer(context.Background(), r, Question{Who: loyalty.Who{Merchant: "m"}, Statement: id}, 0)
			if err != nil {
				t.Fatalf("%s: %v", id, err)
			}
			clean(t, id, x)
			fmt.Fprintf(&b, "# %s %s\n%s\n", name, id, text(x))
		}
		for _, o := range r.state.Orders {
			_, x, err := Answer(context.Background(), r, Question{Who: loyalty.Who{Merchant: "m"}, Order: o.OrderKey}, 0)
			if err != nil {
				t.Fatalf("%s: %v", o.No, err)
			}
			clean(t, o.No, x)
			fmt.Fprintf(&b, "# %s %s\n%s\n", name, o.No, text(x))
		}
	}
	doortest.Golden(t, "entries", b.String())
}

type story struct {
	settings func(*loyalty.Settings)
	run      func(*testing.T, *loyaltytest.World)
}

func order(w *loyaltytest.World, who loyalty.Who, no string, fen int64) {
	loyaltytest.Must(w, loyalty.RecordOrder{
		Who: who, Order: loyalty.OrderKey{No: no}, Amount: fen, ConsumedAt: loyalty.InstantOf(w.Now), App: "a", Info: loyalty.OrderInfo{Store: "S1"},
	})
}

func refund(w *loyaltytest.World, who loyalty.Who, no, parent string, fen int64) {
	loyaltytest.Must(w, loyalty.RefundOrder{
		Who: who, Order: loyalty.OrderKey{No: no}, Parent: parent, Amount: fen, ConsumedAt: loyalty.InstantOf(w.Now), App: "a",
	})
}

// returned is a refund that names what came back.
func returned(w *loyaltytest.World, who loyalty.Who, no, parent string, fen int64, material string) {
	loyaltytest.Must(w, loyalty.RefundOrder{
		Who: who, Order: loyalty.OrderKey{No: no}, Parent: parent, Amount: fen, ConsumedAt: loyalty.InstantOf(w.Now), App: "a",
		Info: loyalty.OrderInfo{Material: material},
	})
}

func byRule(s *loyalty.Settings) { s.Orders.Score = loyalty.ScoreRule }

var stories = map[string]story{
	"ledger": {func(s *loyalty.Settings) {
		s.RegisterGift = 50
		s.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 30}
		s.Points.Rate = loyalty.Fraction{Num: 3, Den: 2}
		s.Points.Caps.PerDay = 1_000
		s.Events = append(s.Events,
			loyalty.Event{Name: "sign_in", Direction: loyalty.Credit, Points: 5, DailyCap: 10, Operation: loyalty.OpSignIn},
			loyalty.Event{Name: "draw", Direction: loyalty.Debit, DailyCap: 100, Operation: loyalty.OpExchange},
		)
	}, func(t *testing.T, w *loyaltytest.World) {
		who := loyalty.Who{Merchant: "m", ID: loyaltytest.Must(w, loyalty.RegisterMember{Merchant: "m", Gift: true, Profile: loyalty.Profile{Phone: "13800000001"}}).Member}
		w.Add(who, 1)
		for range 2 {
			loyaltytest.Must(w, loyalty.ChangePoints{Who: who, Event: "sign_in"})
		}
		loyaltytest.Must(w, loyalty.ChangePoints{Who: who, Event: "event_add", Amount: 3_333, Note: loyalty.Note{OrderNo: "X-9"}})
		spent := w.Take(who, 40)
		loyaltytest.Must(w, loyalty.ChangePoints{Who: who, Event: "draw", Points: 20})
		if err := w.Back(who, spent, 15); err != nil {
			t.Fatal(err)
		}
		given := w.Add(who, 200)
		if err := w.Back(who, given, 80); err != nil {
			t.Fatal(err)
		}
		w.Now = w.Now.AddDate(0, 0, 40)
		loyaltytest.Must(w, loyalty.BookDue{Who: who})
		if err := w.Back(who, given, 0); err != nil {
			t.Fatal(err)
		}
		if err := w.Back(who, spent, 0); err != nil {
			t.Fatal(err)
		}
	}},
	"waiting": {func(s *loyalty.Settings) {
		s.Points.WaitingDays = 7
		s.Points.Validity = loyalty.Validity{Kind: loyalty.Unlimited}
	}, func(t *testing.T, w *loyaltytest.World) {
		who := w.Register("13800000002")
		given := w.Add(who, 100)
		w.Add(who, 60)
		if err := w.Back(who, given, 30); err != nil {
			t.Fatal(err)
		}
		w.Now = w.Now.AddDate(0, 0, 8)
		loyaltytest.Must(w, loyalty.BookDue{Who: who})
	}},
	"refunds": {func(s *loyalty.Settings) {
		byRule(s)
		s.Points.Multipliers = []loyalty.Multiplier{{ID: "store", Name: "门店双倍", NameEn: "store double", Factor: 20_000, When: loyalty.Condition{Stores: []string{"S1"}}}}
	}, func(t *testing.T, w *loyaltytest.World) {
		who := w.Register("13800000003")
		order(w, who, "T1", 12_800)
		w.Change(func(s *loyalty.Settings) { s.Points.Rate.Num = 5 })
		refund(w, who, "R1", "T1", 2_800)
		refund(w, who, "R2", "T1", 10_000)
		order(w, who, "T2", 50)
		refund(w, who, "R3", "T2", 1)
		loyaltytest.Must(w, loyalty.RecordOrder{
			Who: who, Order: loyalty.OrderKey{No: "T3"}, Amount: 5_000, Points: 10, Given: true, ConsumedAt: loyalty.InstantOf(w.Now), App: "a",
		})
		refund(w, who, "R4", "T3", 1_000)
		loyaltytest.Must(w, loyalty.RefundOrder{
			Who: who, Order: loyalty.OrderKey{No: "R5"}, Parent: "T3", Amount: 1_000, Points: 4, Given: true, ConsumedAt: loyalty.InstantOf(w.Now), App: "a",
		})
		order(w, who, "T4", 1_000)
		loyaltytest.Must(w, loyalty.ChangePoints{Who: who, Event: "event_add", Points: 30, Note: loyalty.Note{OrderNo: "T4"}})
		refund(w, who, "R9", "T4", 1_000)
	}},
	"goods": {func(s *loyalty.Settings) {
		byRule(s)
		s.Points.Combine = loyalty.CombineMultiply
		s.Points.Multipliers = []loyalty.Multiplier{
			{ID: "store", Name: "门店双倍", NameEn: "store double", Factor: 20_000, When: loyalty.Condition{Stores: []string{"S1"}}},
			{ID: "tobacco", Name: "烟草不积分", NameEn: "no points for tobacco", When: loyalty.Condition{BarCodes: []string{"T"}}},
		}
	}, func(t *testing.T, w *loyaltytest.World) {
		who := w.Register("13800000008")
		goods := func(no string, fen int64, material string) {
			loyaltytest.Must(w, loyalty.RecordOrder{
				Who: who, Order: loyalty.OrderKey{No: no}, Amount: fen, ConsumedAt: loyalty.InstantOf(w.Now), App: "a",
				Info: loyalty.OrderInfo{Store: "S1", Material: material},
			})
		}
		const cart = `[{"bar_code":"T","price":"650"},{"bar_code":"M","price":100},{"bar_code":"B","price":"free"}]`
		goods("G1", 75_000, cart)
		returned(w, who, "GR1", "G1", 65_000, `[{"bar_code":"T","price":"650"}]`)
		goods("G2", 37_500, cart) // paid half
		refund(w, who, "GR2", "G2", 1_000)
		returned(w, who, "GR3", "G2", 1_000, `[{"bar_code":"X","price":"10"}]`)
		goods("G3", 65_000, `[{"bar_code":"T","price":"650"}]`)
		// What an operator has recorded, and what came under an order's number besides.
		loyaltytest.Must(w, loyalty.RecordOrder{
			Who: who, Order: loyalty.OrderKey{No: "G4"}, Amount: 5_000, Points: 10, Given: true, ConsumedAt: loyalty.InstantOf(w.Now),
		})
		for i := range int64(12) {
			loyaltytest.Must(w, loyalty.ChangePoints{Who: who, Event: "event_add", Points: 30 + i, App: "a", Note: loyalty.Note{OrderNo: "G4"}})
		}
		loyaltytest.Must(w, loyalty.RefundOrder{
			Who: who, Order: loyalty.OrderKey{No: "GR4"}, Parent: "G4", Amount: 1_000, Points: 4, Given: true, ConsumedAt: loyalty.InstantOf(w.Now),
		})
		loyaltytest.Must(w, loyalty.RecordOrder{Who: who, Order: loyalty.OrderKey{No: "G5"}, Amount: 5_000, Given: true, ConsumedAt: loyalty.InstantOf(w.Now)})
	}},
	"parked": {func(s *loyalty.Settings) {
		byRule(s)
		s.Orders.EarlyRefund = loyalty.EarlyPark
	}, func(t *testing.T, w *loyaltytest.World) {
		who := w.Register("13800000004")
		refund(w, who, "R6", "T6", 1_000)
		refund(w, who, "R7", "T6", 9_000)
		refund(w, who, "R8", "T8", 1_000)
		order(w, who, "T6", 5_000)
	}},
	"negative": {func(s *loyalty.Settings) { s.Clawback = loyalty.ClawbackNegative }, func(t *testing.T, w *loyaltytest.World) {
		who := w.Register("13800000005")
		given := w.Add(who, 100)
		spent := w.Take(who, 70)
		if err := w.Back(who, given, 0); err != nil {
			t.Fatal(err)
		}
		if err := w.Back(who, spent, 20); err != nil {
			t.Fatal(err)
		}
		w.Add(who, 120)
	}},
	"floor": {func(s *loyalty.Settings) { s.Clawback = loyalty.ClawbackFloor }, func(t *testing.T, w *loyaltytest.World) {
		who := w.Register("13800000006")
		given := w.Add(who, 100)
		w.Take(who, 70)
		if err := w.Back(who, given, 0); err != nil {
			t.Fatal(err)
		}
	}},
	"void": {func(s *loyalty.Settings) {
		s.GiveBack = loyalty.GiveBackVoid
		s.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 3}
	}, func(t *testing.T, w *loyaltytest.World) {
		who := w.Register("13800000007")
		w.Add(who, 1)
		spent := w.Take(who, 1)
		w.Now = w.Now.Add(10 * 24 * time.Hour)
		if err := w.Back(who, spent, 0); err != nil {
			t.Fatal(err)
		}
	}},
}

// Grants from before there were records, and what a number leads to.
func TestAnswer(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, byRule)
	ours := w.Register("13800000001")
	theirs := w.Register("13800000002")
	statement := w.Add(ours, 7)
	order(w, ours, "T1", 12_800)
	r := &shelf{w.Store.Dump(nil), map[string][]*loyalty.Snapshot{"m": {w.Rules}, "n": {w.Rules}}}
	ask := func(q Question) (Explanation, error) {
		_, x, err := Answer(context.Background(), r, q, 0)
		return x, err
	}
	m := loyalty.Who{Merchant: "m"}
	for _, c := range []struct {
		name string
		q    Question
		want error
	}{
		{"a statement", Question{Who: m, Statement: statement}, nil},
		{"a statement of the member", Question{Who: ours, Statement: statement}, nil},
		{"a statement of another", Question{Who: theirs, Statement: statement}, loyalty.StatementForeign},
		{"no statement id", Question{Who: m, Statement: "T1"}, loyalty.StatementNotFound},
		{"beyond the last", Question{Who: m, Statement: loyalty.StatementID(ours.ID, 3)}, loyalty.StatementNotFound},
		{"nobody's", Question{Who: m, Statement: loyalty.StatementID(99, 1)}, loyalty.StatementNotFound},
		{"another merchant's", Question{Who: loyalty.Who{Merchant: "n"}, Statement: statement}, loyalty.StatementNotFound},
		{"an order", Question{Who: m, Order: loyalty.OrderKey{No: "T1"}}, nil},
		{"an order of the member", Question{Who: ours, Order: loyalty.OrderKey{No: "T1"}}, nil},
		{"an order of another", Question{Who: theirs, Order: loyalty.OrderKey{No: "T1"}}, loyalty.OrderNotFound},
		{"no order", Question{Who: m, Order: loyalty.OrderKey{No: "T2"}}, loyalty.OrderNotFound},
		{"another space", Question{Who: m, Order: loyalty.OrderKey{Space: "s", No: "T1"}}, loyalty.OrderNotFound},
		{"nobody", Question{Who: loyalty.Who{Merchant: "m", ID: 99}, Order: loyalty.OrderKey{No: "T1"}}, loyalty.MemberNotFound},
	} {
		if _, err := ask(c.q); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	byOrder, _ := ask(Question{Who: m, Order: loyalty.OrderKey{No: "T1"}})
	byEntry, _ := ask(Question{Who: m, Statement: byOrder.Statement})
	if text(byOrder) != text(byEntry) || byOrder.Points != 128 || byOrder.Version != 1 || byEntry.OrderNo != "T1" || byEntry.Record.Fen != 12_800 {
		t.Errorf("the entry of an order does not lead to the order:\n%+v\n%+v", byOrder, byEntry)
	}
	r.state.Entries[0].Decision = nil
	old, err := ask(Question{Who: m, Statement: statement})
	if err != nil || old.Record != nil || old.Version != 0 || !strings.Contains(text(old), "还没有保存计算记录") {
		t.Errorf("%v, %+v", err, old)
	}
}
