package loyalty_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

// TestRefusalsOfRefunds: each row also violates what the rows below it check,
// where that is possible. A preview refuses the same, but for a number that a
// refund needs and a question does not.
func TestRefusalsOfRefunds(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	c := newCast(w)
	loyaltytest.Must(w, w.Order(c.anna, "o1", 10_000, 100))
	loyaltytest.Must(w, w.Order(c.berta, "b1", 10_000, 100))
	loyaltytest.Must(w, w.Refund(c.anna, "r1", "o1", 4_000, 40))
	w.Take(c.anna, 55)
	apart := w.Order(c.anna, "apart", 10_000, 0)
	apart.Order.Space = "apart"
	loyaltytest.Must(w, apart)

	rows := func(wrap func(loyalty.RefundOrder) func() error) []refusal {
		refund := func(who loyalty.Who, no, parent string, change func(*loyalty.RefundOrder)) func() error {
			r := w.Refund(who, no, parent, 9_000, 90)
			if change != nil {
				change(&r)
			}
			return wrap(r)
		}
		ahead := func(r *loyalty.RefundOrder) { r.ConsumedAt += 5*60*1000 + 1 }
		amounts := func(fen, points int64) func(*loyalty.RefundOrder) {
			return func(r *loyalty.RefundOrder) { r.Amount, r.Points = fen, points }
		}
		return []refusal{
			{"no order", refund(c.nobody, "r2", "", func(r *loyalty.RefundOrder) { ahead(r); r.Amount = -1 }), loyalty.NothingNamed, 0},
			{"of itself", refund(c.nobody, "o1", "o1", amounts(-1, -1)), loyalty.NothingNamed, 0},
			{"money below 0", refund(c.nobody, "b1", "x", func(r *loyalty.RefundOrder) { ahead(r); r.Amount, r.Points = -1, -1 }), loyalty.AmountNegative, 0},
			{"too much money", refund(c.nobody, "b1", "x", func(r *loyalty.RefundOrder) { ahead(r); r.Amount, r.Points = loyalty.MaxAmount+1, -1 }), loyalty.AmountTooLarge, 0},
			{"points below 0", refund(c.nobody, "b1", "x", func(r *loyalty.RefundOrder) { ahead(r); r.Points = -1 }), loyalty.PointsNotPositive, 0},
			{"ahead of time", refund(c.nobody, "b1", "x", ahead), loyalty.TimeAhead, 0},
			{"nobody", refund(c.nobody, "b1", "x", nil), loyalty.MemberNotFound, 0},
			{"two members", refund(c.two, "b1", "x", nil), loyalty.MembersDisagree, 0},
			{"no such order", refund(c.anna, "b1", "x", nil), loyalty.OrderNotFound, 0},
			{"another member's order", refund(c.anna, "o1", "b1", nil), loyalty.OrderNotFound, 0},
			{"another space's order", refund(c.anna, "b1", "apart", nil), loyalty.OrderNotFound, 0},
			{"refund of a refund", refund(c.anna, "b1", "r1", nil), loyalty.OrderNotFound, 0},
			{"another member's number", refund(c.anna, "b1", "o1", nil), loyalty.KeyReused, 0},
			{"money beyond what is left", refund(c.anna, "r2", "o1", amounts(6_001, 100)), loyalty.RefundTooLarge, 0},
			{"points beyond what is left, and beyond the balance", refund(c.anna, "r2", "o1", amounts(6_000, 61)), loyalty.RefundTooLarge, 0},
			{"points spent", refund(c.anna, "r2", "o1", amounts(6_000, 60)), loyalty.PointsInsufficient, 0},
		}
	}
	wantRefusals(t, w, rows(func(r loyalty.RefundOrder) func() error { return trying(w, r) }))
	wantRefusals(t, w, rows(func(r loyalty.RefundOrder) func() error { return trying(w, loyalty.PreviewRefund{RefundOrder: r}) }))
	missing := w.Refund(c.anna, "", "x", 0, 0)
	wantRefusals(t, w, []refusal{
		{"no number", trying(w, missing), loyalty.NothingNamed, 0},
		{"no number, preview", trying(w, loyalty.PreviewRefund{RefundOrder: missing}), loyalty.OrderNotFound, 0},
		{"own number again, other money", trying(w, w.Refund(c.anna, "r1", "o1", 1, 40)), loyalty.KeyReused, 0},
		{"own number again, other points", trying(w, w.Refund(c.anna, "r1", "o1", 4_000, 1)), loyalty.KeyReused, 0},
		{"own number again, no points", trying(w, w.Refund(c.anna, "r1", "o1", 4_000, unnamed)), loyalty.KeyReused, 0},
		{"own number again, other order", trying(w, w.Refund(c.anna, "r1", "x", 4_000, 40)), loyalty.OrderNotFound, 0},
	})
}

func TestARefundIsBookedOnce(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	order := loyaltytest.Must(w, w.Order(who, "o1", 10_000, 100))
	call := w.Refund(who, "r1", "o1", 4_000, 40)
	call.App = "till"
	first := loyaltytest.Must(w, call)
	want := loyalty.OrderBooked{Member: who.ID, ID: first.ID, Entry: 2, Points: 40, Balance: 60}
	if diff := cmp.Diff(want, first); diff != "" || first.ID == order.ID {
		t.Errorf("answer:\n%s", diff)
	}
	w.Days(1)
	w.Take(who, 60)
	call.Info.Description, call.ConsumedAt = "other words", call.ConsumedAt+1
	if again := loyaltytest.Must(w, call); again != first {
		t.Errorf("first %+v, again %+v", first, again)
	}
	e := w.Entries(who)[1]
	if e.Kind != loyalty.TakeBack || e.Operation != loyalty.OpPurchaseClawback || e.Reverses != order.Entry || e.App != "till" ||
		e.OrderNo != "o1" || e.Detail.Refund != "r1" || e.Detail.OrderFen != 4_000 {
		t.Errorf("entry %+v", e)
	}
	r, o := w.OrderRow("r1"), w.OrderRow("o1")
	if r.Kind != loyalty.Refund || r.State != loyalty.Booked || r.Parent != "o1" || r.Points != 40 || r.Growth != 40 || r.Entry != 2 {
		t.Errorf("refund %+v", r)
	}
	if o.Refunded != 4_000 || o.TakenBack != 40 || o.GrowthBack != 40 || o.Points != 100 {
		t.Errorf("order %+v", o)
	}
}

func TestACallersOrderGivesBackWhatItsCallerNames(t *testing.T) {
	t.Parallel()
	for _, score := range []loyalty.OrderScore{loyalty.ScoreZero, loyalty.ScoreRule} {
		w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Orders.Score = score })
		who := w.Register("13800000001")
		loyaltytest.Must(w, w.Order(who, "o1", 10_000, 100))
		if got := loyaltytest.Must(w, w.Refund(who, "r1", "o1", 10_000, unnamed)); got.Points != 0 || got.Entry != 0 || got.Balance != 100 {
			t.Errorf("%s: %+v", score, got)
		}
		wantConsumption(t, w, who, 0, 0, 0, 1)
		// The money is back, the points can follow.
		if got := loyaltytest.Must(w, w.Refund(who, "r2", "o1", 0, 100)); got.Points != 100 || got.Balance != 0 {
			t.Errorf("%s: %+v", score, got)
		}
	}
}

// TestTenTenths: refunds in steps take back what one refund of everything does,
// whatever the rounding, and never more than the order earned so far.
func TestTenTenths(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(loyaltytest.Seed(t), 3))
	for range 40 {
		amount := 10 * (1 + rng.Int64N(5_000))
		points := loyalty.Fraction{Num: 1 + rng.Int64N(9), Den: 1 + rng.Int64N(9)}
		growth := loyalty.Fraction{Num: rng.Int64N(9), Den: 1 + rng.Int64N(9)}
		credits := []int64{0, rng.Int64N(50)}[rng.IntN(2)]
		w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
			s.Orders.Score, s.Points.Rate, s.Growth.Rate = loyalty.ScoreRule, points, growth
		})
		who := w.Register("13800000001")
		if credits > 0 { // gateway 3.3, naming the order
			loyaltytest.Must(w, loyalty.ChangePoints{Who: who, Event: "event_add", Points: credits, Note: loyalty.Note{OrderNo: "o1"}})
		}
		loyaltytest.Must(w, w.Order(who, "o1", amount, unnamed))
		w.Add(who, 500) // other points that nothing may touch
		whole := loyaltytest.Must(w, loyalty.PreviewRefund{RefundOrder: w.Refund(who, "r", "o1", amount, unnamed)})

		w.Change(func(s *loyalty.Settings) { // later rules mean nothing to the order
			s.Points.Rate, s.Growth.Rate, s.Orders.Score = loyalty.Fraction{Num: 77, Den: 1}, loyalty.Fraction{Num: 88, Den: 1}, loyalty.ScoreZero
		})
		var back int64
		for i := range int64(10) {
			back += loyaltytest.Must(w, w.Refund(who, fmt.Sprint("r", i), "o1", amount/10, unnamed)).Points
			left := amount - (i+1)*amount/10
			keep := left*points.Num/(100*points.Den) + credits*left/amount
			if want := whole.Points - keep; back != want {
				t.Errorf("%d fen at %v with %d besides: after %d tenths %d points back, want %d", amount, points, credits, i+1, back, want)
			}
			if o := w.OrderRow("o1"); o.Growth-o.GrowthBack != left*growth.Num/(100*growth.Den) {
				t.Errorf("%d fen at %v: growth %d of %d back with %d fen left", amount, growth, o.GrowthBack, o.Growth, left)
			}
		}
		m := w.Member(who)
		if back != whole.Points || m.Balance != 500 || m.Growth != whole.GrowthAfter || m.Growth != 0 || m.ConsumeCount != 0 || m.ConsumeFen != 0 {
			t.Errorf("%d fen, points %v, growth %v: back %d, want %d; left %+v", amount, points, growth, back, whole.Points, m)
		}
	}
}

func TestWhatWasTakenBackOtherwiseCountsForARefund(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T) (*loyaltytest.World, loyalty.Who, string) {
		w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Orders.Score = loyalty.ScoreRule })
		who := w.Register("13800000001")
		got := loyaltytest.Must(w, w.Order(who, "o1", 10_000, unnamed))
		w.Add(who, 1_000)
		return w, who, loyalty.StatementID(who.ID, got.Entry)
	}
	refunds := func(t *testing.T, w *loyaltytest.World, who loyalty.Who, want ...int64) {
		t.Helper()
		for i, points := range want {
			if got := loyaltytest.Must(w, w.Refund(who, fmt.Sprint("r", i), "o1", 10_000/int64(len(want)), unnamed)); got.Points != points {
				t.Errorf("refund %d took %d, want %d", i+1, got.Points, points)
			}
		}
		wantTotals(t, w, who, 1_000, 1_000, 0, 0, 0)
		wantConsumption(t, w, who, 0, 0, 0, 1)
	}
	t.Run("by 3.4", func(t *testing.T) {
		t.Parallel()
		w, who, statement := setup(t)
		if err := w.Back(who, statement, 30); err != nil {
			t.Fatal(err)
		}
		_, err := loyaltytest.Do(w, w.Refund(who, "r", "o1", 10_000, 71))
		wantError(t, err, loyalty.RefundTooLarge)
		refunds(t, w, who, 0, 20, 25, 25)
	})
	t.Run("by 2.3 with the order's number", func(t *testing.T) {
		t.Parallel()
		w, who, _ := setup(t)
		loyaltytest.Must(w, loyalty.ReturnPoints{Who: who, Operation: 1, OrderNo: "o1"})
		refunds(t, w, who, 0, 0)
	})
	t.Run("by an earlier refund whose caller named more", func(t *testing.T) {
		t.Parallel()
		w, who, _ := setup(t)
		loyaltytest.Must(w, w.Refund(who, "r", "o1", 0, 60))
		refunds(t, w, who, 0, 0, 15, 25)
	})
}

func TestARefundReachesAllGrantsOfTheOrder(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	credit := func(points int64) {
		loyaltytest.Must(w, loyalty.ChangePoints{Who: who, Event: "event_add", Points: points, Note: loyalty.Note{OrderNo: "o1"}})
	}
	credit(10)
	loyaltytest.Must(w, w.Order(who, "o1", 10_000, 50))
	credit(20)
	loyaltytest.Must(w, loyalty.ChangePoints{Who: who, Event: "event_subtract", Points: 5, Note: loyalty.Note{OrderNo: "o1"}})
	_, err := loyaltytest.Do(w, w.Refund(who, "r0", "o1", 0, 81))
	wantError(t, err, loyalty.RefundTooLarge)
	for _, step := range []struct {
		points   int64
		reversed []int64 // of the credit before, the order, the credit after
	}{
		{40, []int64{0, 40, 0}}, {15, []int64{0, 50, 5}}, {20, []int64{5, 50, 20}}, // the order's own first, then the newest
	} {
		got := loyaltytest.Must(w, w.Refund(who, fmt.Sprint("r", step.points), "o1", 0, step.points))
		e := w.Entries(who)
		if diff := cmp.Diff(step.reversed, []int64{e[0].Reversed, e[1].Reversed, e[2].Reversed}); diff != "" {
			t.Errorf("reversed after %d points:\n%s", step.points, diff)
		}
		if first := e[got.Entry-1]; first.Kind != loyalty.TakeBack || first.Detail.Refund != fmt.Sprint("r", step.points) {
			t.Errorf("the refund's first entry: %+v", first)
		}
	}
}

func TestWhereARefundTakesThePointsFrom(t *testing.T) {
	t.Parallel()
	// Three grants on three days, valid for ten; the second is the order's, of
	// 100 points. Each case spends, waits and refunds 80 of them.
	for _, c := range []struct {
		name    string
		change  func(*loyalty.Settings)
		spend   int64
		wait    int
		want    error
		lots    []string
		totals  []int64 // balance, earned, used, pending, deficit
		preview loyalty.RefundPreview
	}{
		{
			name: "own lot first",
			lots: []string{"50 until 2026-01-26", "20 until 2026-01-27", "30 until 2026-01-28"}, totals: []int64{100, 100, 0, 0, 0},
		}, {
			name: "then the others", spend: 90,
			lots: []string{"10 until 2026-01-28"}, totals: []int64{10, 100, 90, 0, 0},
		}, {
			name: "what expired unused is taken back", wait: 10,
			lots: []string{"30 until 2026-01-28"}, totals: []int64{30, 100, 70, 0, 0}, preview: loyalty.RefundPreview{Lapsed: 80},
		}, {
			name: "partly expired", spend: 90, wait: 10, // 60 of the own lot expired, 20 come from the third
			lots: []string{"10 until 2026-01-28"}, totals: []int64{10, 100, 90, 0, 0}, preview: loyalty.RefundPreview{Lapsed: 60},
		}, {
			name: "refused", spend: 140, want: loyalty.PointsInsufficient,
		}, {
			name: "negative", spend: 140, change: func(s *loyalty.Settings) { s.Clawback = loyalty.ClawbackNegative },
			totals: []int64{-40, 100, 140, 0, 40}, preview: loyalty.RefundPreview{Deficit: 40},
		}, {
			name: "floor", spend: 140, change: func(s *loyalty.Settings) { s.Clawback = loyalty.ClawbackFloor },
			totals: []int64{0, 140, 140, 0, 0}, preview: loyalty.RefundPreview{WrittenOff: 40},
		}, {
			name: "own lot only", spend: 90, change: func(s *loyalty.Settings) { s.OwnLotOnly = true }, want: loyalty.PointsInsufficient,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
				s.Points.Validity = days(10)
				if c.change != nil {
					c.change(s)
				}
			})
			who := w.Register("13800000001")
			w.Add(who, 50)
			w.Days(1)
			loyaltytest.Must(w, w.Order(who, "o1", 10_000, 100))
			w.Days(1)
			w.Add(who, 30)
			if c.spend > 0 {
				w.Take(who, c.spend)
			}
			w.Days(c.wait)
			refund := w.Refund(who, "r1", "o1", 8_000, 80)
			preview, err := loyaltytest.Do(w, loyalty.PreviewRefund{RefundOrder: refund})
			if err != c.want {
				t.Fatalf("preview: %v, want %v", err, c.want)
			}
			if c.want != nil {
				wantRefusals(t, w, []refusal{{"refund", trying(w, refund), loyalty.PointsInsufficient, 0}})
				wantConsumption(t, w, who, 1, 10_000, 100, 1)
				return
			}
			p := loyalty.RefundPreview{Lapsed: preview.Lapsed, Deficit: preview.Deficit, WrittenOff: preview.WrittenOff, Pending: preview.Pending}
			if diff := cmp.Diff(c.preview, p); diff != "" || preview.Points != 80 {
				t.Errorf("preview of %d points:\n%s", preview.Points, diff)
			}
			loyaltytest.Must(w, refund)
			wantLots(t, w, who, c.lots...)
			wantTotals(t, w, who, c.totals...)
		})
	}
}

func TestARefundInTheWaitingPeriod(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Points.WaitingDays, s.Points.Validity = 7, days(30) })
	who := w.Register("13800000001")
	loyaltytest.Must(w, w.Order(who, "o1", 10_000, 100))
	refund := w.Refund(who, "r1", "o1", 3_000, 30)
	if p := loyaltytest.Must(w, loyalty.PreviewRefund{RefundOrder: refund}); p.Pending != 30 || p.Points != 30 || p.BalanceAfter != 0 {
		t.Errorf("preview %+v", p)
	}
	loyaltytest.Must(w, refund)
	wantTotals(t, w, who, 0, 0, 0, 70, 0)
	w.Days(8)
	w.Take(who, 50)
	loyaltytest.Must(w, w.Order(who, "o2", 10_000, 100)) // waits
	loyaltytest.Must(w, w.Refund(who, "r2", "o1", 7_000, 70))
	wantTotals(t, w, who, 0, 50, 50, 50, 0) // 20 of its own lot, then 50 that wait
}

// TestRefundsBeforeTheirOrder: four come first. One asks for too much money, one
// for points that are spent when the order lands. What does not fit is declined
// and moves nothing; the others are booked.
func TestRefundsBeforeTheirOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		policy loyalty.Clawback
		states []loyalty.OrderState // of the four refunds
		totals []int64              // balance, earned, used, pending, deficit
		orders []int64              // orders, money, growth, level
	}{
		// The grants are 60 of the order and 40 by 3.3, which are spent.
		{
			loyalty.ClawbackRefuse, []loyalty.OrderState{loyalty.Booked, loyalty.Declined, loyalty.Declined, loyalty.Booked},
			[]int64{40, 80, 40, 0, 0}, []int64{1, 7_000, 70, 1},
		}, {
			loyalty.ClawbackNegative, []loyalty.OrderState{loyalty.Booked, loyalty.Declined, loyalty.Booked, loyalty.Booked},
			[]int64{-40, 0, 40, 0, 40}, []int64{1, 6_900, 69, 1},
		}, {
			loyalty.ClawbackFloor, []loyalty.OrderState{loyalty.Booked, loyalty.Declined, loyalty.Booked, loyalty.Booked},
			[]int64{0, 40, 40, 0, 0}, []int64{1, 6_900, 69, 1},
		},
	} {
		t.Run(string(c.policy), func(t *testing.T) {
			t.Parallel()
			w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
				s.Clawback, s.Orders.EarlyRefund = c.policy, loyalty.EarlyPark
			})
			who := w.Register("13800000001")
			loyaltytest.Must(w, loyalty.ChangePoints{Who: who, Event: "event_add", Points: 40, Note: loyalty.Note{OrderNo: "o1"}})
			w.Take(who, 40)
			calls := []loyalty.RefundOrder{
				w.Refund(who, "r1", "o1", 2_000, 20),
				w.Refund(who, "too much", "o1", 9_000, 1),
				w.Refund(who, "spent", "o1", 100, 80),
				w.Refund(who, "r4", "o1", 1_000, 0),
			}
			for _, r := range calls {
				got := loyaltytest.Must(w, r)
				if !got.Parked || got.Entry != 0 || got.ID == 0 {
					t.Errorf("%+v", got)
				}
				if again := loyaltytest.Must(w, r); again != got {
					t.Errorf("again: %+v", again)
				}
			}
			wantConsumption(t, w, who, 0, 0, 0, 1)
			booked := loyaltytest.Must(w, w.Order(who, "o1", 10_000, 60))
			if booked.Points != 60 || booked.Balance != c.totals[0] || booked.Parked {
				t.Errorf("%+v", booked)
			}
			for i, r := range calls {
				row := w.OrderRow(r.Order.No)
				if row.State != c.states[i] {
					t.Errorf("%s is in state %d, want %d", r.Order.No, row.State, c.states[i])
				}
				if row.State == loyalty.Declined && (row.Points != 0 || row.Growth != 0 || row.Entry != 0) {
					t.Errorf("%s was declined and says it moved something: %+v", r.Order.No, row)
				}
			}
			wantTotals(t, w, who, c.totals...)
			wantConsumption(t, w, who, c.orders...)
			if again := loyaltytest.Must(w, calls[0]); !again.Parked {
				t.Errorf("again, after the order: %+v", again)
			}
			_, err := loyaltytest.Do(w, w.Order(who, "r1", 100, 0))
			wantError(t, err, loyalty.KeyReused)
		})
	}
}

// Refunds that wait are all booked by the call that brings their order, so there
// is a bound on them.
func TestParkedRefundsOfAnOrderAreBounded(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Orders.EarlyRefund = loyalty.EarlyPark })
	who := w.Register("13800000001")
	const most = 100
	for i := range most {
		loyaltytest.Must(w, w.Refund(who, fmt.Sprint("r", i), "o1", 100, 1))
	}
	_, err := loyaltytest.Do(w, w.Refund(who, "one more", "o1", 100, 1))
	wantError(t, err, loyalty.OrderNotFound)
	loyaltytest.Must(w, w.Refund(who, "another", "o2", 100, 1))
	loyaltytest.Must(w, w.Order(who, "o1", most*100, most))
	if o := w.OrderRow("o1"); o.Refunded != most*100 || o.TakenBack != most {
		t.Errorf("%d fen and %d points went back", o.Refunded, o.TakenBack)
	}
}

func TestEarlyRefundsByRule(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
		s.Orders = loyalty.OrderRules{Score: loyalty.ScoreRule, EarlyRefund: loyalty.EarlyPark, ReturnCoupons: true, ParkDays: 90}
	})
	who, berta := w.Register("13800000001"), w.Register("13800000002")
	w.Template("t", nil)
	loyaltytest.Must(w, w.Give(who, "t", "c1"))
	loyaltytest.Must(w, w.Redeem(who, "o1", "c1"))
	loyaltytest.Must(w, w.Refund(who, "r1", "o1", 3_333, unnamed))
	loyaltytest.Must(w, w.Refund(berta, "r2", "o1", 100, unnamed)) // no one's order yet
	loyaltytest.Must(w, w.Refund(who, "r3", "o1", 6_667, unnamed))
	got := loyaltytest.Must(w, w.Order(who, "o1", 10_000, unnamed))
	if got.Points != 100 || got.Balance != 0 {
		t.Errorf("%+v", got)
	}
	if a, b := w.OrderRow("r1"), w.OrderRow("r3"); a.Points != 34 || b.Points != 66 {
		t.Errorf("%d and %d points back", a.Points, b.Points)
	}
	if state := w.OrderRow("r2").State; state != loyalty.Parked {
		t.Errorf("another member's refund is in state %d", state)
	}
	if c := w.Coupon("c1"); c.State != loyalty.CouponValid || c.UsedFor != "" {
		t.Errorf("coupon %+v", c)
	}
	wantConsumption(t, w, who, 0, 0, 0, 1)
	_, err := loyaltytest.Do(w, w.Refund(who, "r4", "r2", 1, 0)) // the number is somebody's
	wantError(t, err, loyalty.OrderNotFound)
	_, err = loyaltytest.Do(w, loyalty.PreviewRefund{RefundOrder: w.Refund(who, "", "later", 1, 0)})
	wantError(t, err, loyalty.OrderNotFound)
}

func TestAPreviewIsWhatTheRefundDoes(t *testing.T) {
	t.Parallel()
	seed := loyaltytest.Seed(t)
	policies := []loyalty.Clawback{loyalty.ClawbackRefuse, loyalty.ClawbackNegative, loyalty.ClawbackFloor}
	var booked, refused int
	for run := range 60 {
		rng := rand.New(rand.NewPCG(seed, uint64(run)))
		w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
			s.Clawback, s.Points.WaitingDays, s.Points.Validity = policies[run%3], rng.IntN(3), days(1+rng.IntN(6))
			s.Orders.Score, s.Orders.ReturnCoupons, s.OwnLotOnly = loyalty.ScoreRule, rng.IntN(2) == 0, rng.IntN(4) == 0
			s.Points.Rate, s.Growth.Rate = loyalty.Fraction{Num: 7, Den: 3}, loyalty.Fraction{Num: 11, Den: 1}
		})
		who := w.Register("13800000001")
		w.Template("t", nil)
		loyaltytest.Must(w, w.Give(who, "t", "c1", "c2"))
		loyaltytest.Must(w, w.Redeem(who, "o1", "c1"))
		points := []int64{unnamed, rng.Int64N(300)}[rng.IntN(2)]
		loyaltytest.Must(w, w.Order(who, "o1", 10_000, points))
		for i := range 12 {
			switch w.Days(rng.IntN(2)); rng.IntN(4) {
			case 0:
				loyaltytest.Must(w, loyalty.ChangePoints{Who: who, Event: "event_add", Points: 1 + rng.Int64N(40), Note: loyalty.Note{OrderNo: "o1"}})
			case 1:
				w.Add(who, 1+rng.Int64N(60))
			case 2:
				_, _ = loyaltytest.Do(w, loyalty.ChangePoints{Who: who, Event: "event_subtract", Points: 1 + rng.Int64N(200)})
			case 3:
				back := []int64{unnamed, rng.Int64N(120)}[rng.IntN(2)]
				fen := []int64{rng.Int64N(5_000), 10_000 - w.OrderRow("o1").Refunded}[rng.IntN(2)]
				if comparePreview(t, w, who, w.Refund(who, fmt.Sprint("r", i), "o1", fen, back)) {
					booked++
				} else {
					refused++
				}
			}
		}
	}
	if booked < 60 || refused < 5 {
		t.Errorf("only %d refunds were booked and %d refused", booked, refused)
	}
}

// comparePreview previews the refund, with its number and without one, then
// books it; it tells whether that was possible.
func comparePreview(t *testing.T, w *loyaltytest.World, who loyalty.Who, r loyalty.RefundOrder) bool {
	t.Helper()
	before := w.Store.Dump(nil)
	preview, previewErr := loyaltytest.Do(w, loyalty.PreviewRefund{RefundOrder: r})
	numberless := r
	numberless.Order.No = ""
	again, againErr := loyaltytest.Do(w, loyalty.PreviewRefund{RefundOrder: numberless})
	if diff := cmp.Diff(preview, again); diff != "" || previewErr != againErr {
		t.Errorf("without a number: %v, %v\n%s", previewErr, againErr, diff)
	}
	if diff := cmp.Diff(before, w.Store.Dump(nil)); diff != "" {
		t.Errorf("a preview changed rows:\n%s", diff)
	}
	loyaltytest.Must(w, loyalty.BookDue{Who: who}) // so that entries of time stand apart
	m, entries := w.Member(who), len(w.Entries(who))
	_, err := loyaltytest.Do(w, r)
	if err != previewErr {
		t.Errorf("preview says %v, refund %v", previewErr, err)
	}
	if err != nil {
		return false
	}
	after := w.Member(who)
	want := loyalty.RefundPreview{
		Member: who.ID, Points: w.OrderRow(r.Order.No).Points, Balance: m.Balance, BalanceAfter: after.Balance,
		Growth: m.Growth, GrowthAfter: after.Growth, Level: m.Level, LevelAfter: after.Level,
		Pending: m.Pending - after.Pending, Deficit: after.Deficit - m.Deficit,
	}
	for _, e := range w.Entries(who)[entries:] {
		want.Lapsed += e.Lapsed
		want.Parts = append(want.Parts, e.Parts...)
		if e.Kind == loyalty.WriteOff {
			want.WrittenOff += e.Points
		}
	}
	old := map[string]loyalty.CouponState{}
	for _, c := range before.Coupons {
		old[c.Number] = c.State
	}
	for _, c := range w.Store.Dump(nil).Coupons {
		if old[c.Number] != c.State {
			want.Coupons = append(want.Coupons, c)
		}
	}
	if diff := cmp.Diff(want, preview); diff != "" {
		t.Errorf("refund and preview (-refund +preview):\n%s", diff)
	}
	return true
}
