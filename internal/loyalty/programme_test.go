package loyalty_test

import (
	"testing"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

// A refund takes back in proportion of what its order earned with everything
// that held then, rounded once, whatever the programme has become.
func TestARefundGoesByTheRecord(t *testing.T) {
	t.Parallel()
	w, who := shopper(t, func(s *loyalty.Settings) {
		s.Points.Rounding = loyalty.RoundUp
		s.Points.Multipliers = []loyalty.Multiplier{multiplier("fresh", 25_000, loyalty.Condition{Categories: []string{"fresh"}})}
	})
	o := w.Order(who, "o", 10_001, unnamed) // 60 x 2.5 + 40.01
	o.Info.Material = goods
	if got := loyaltytest.Must(w, o).Points; got != 191 {
		t.Fatalf("%d points earned, want 191", got)
	}
	w.Change(func(s *loyalty.Settings) {
		s.Points.Multipliers, s.Points.Rate, s.Points.Rounding = nil, loyalty.Fraction{Num: 9, Den: 1}, loyalty.RoundDown
	})
	var back int64
	for i, c := range []struct{ fen, points int64 }{{1, 1}, {5_000, 95}, {4_999, 94}, {1, 1}} {
		got := loyaltytest.Must(w, w.Refund(who, string(rune('a'+i)), "o", c.fen, unnamed))
		if got.Points != c.points {
			t.Errorf("refund %d of %d fen took %d points, want %d", i, c.fen, got.Points, c.points)
		}
		back += got.Points
	}
	if back != 191 || w.Member(who).Balance != 0 {
		t.Errorf("%d of 191 points came back, balance %d", back, w.Member(who).Balance)
	}
}

// back is a refund of goods, and the points that it takes.
type back struct {
	fen    int64
	goods  string
	points int64
}

// refundAll refunds the order "o" in parts, each after its preview.
func refundAll(t *testing.T, w *loyaltytest.World, who loyalty.Who, backs []back) {
	t.Helper()
	for i, b := range backs {
		r := w.Refund(who, string(rune('a'+i)), "o", b.fen, unnamed)
		r.Info.Material = b.goods
		preview := loyaltytest.Must(w, loyalty.PreviewRefund{RefundOrder: r})
		if got := loyaltytest.Must(w, r); got.Points != b.points || preview.Points != b.points {
			t.Errorf("refund %d took %d points, its preview %d, want %d", i, got.Points, preview.Points, b.points)
		}
	}
}

// A refund that names goods takes back what those have earned; money beyond them,
// and refunds that name none, go by what is left.
func TestARefundTakesBackByItsGoods(t *testing.T) {
	t.Parallel()
	rule := func(s *loyalty.Settings) {
		s.Points.Multipliers = []loyalty.Multiplier{
			multiplier("fresh", 30_000, loyalty.Condition{Categories: []string{"fresh"}}),
			multiplier("tobacco", 0, loyalty.Condition{BarCodes: []string{"9"}}),
		}
	}
	const bought = `[{"ty":"fresh","bar_code":"1","price":"60"},{"ty":"dry","bar_code":"9","price":"100"},{"ty":"dry","bar_code":"2","price":"40"}]`
	for _, c := range []struct {
		name  string
		paid  int64
		total int64
		backs []back
	}{
		{"tobacco has earned nothing", 20_000, 220, []back{{10_000, `[{"bar_code":"9","price":"100"}]`, 0}, {10_000, "", 220}}},
		{"fresh has earned three times", 20_000, 220, []back{{6_000, `[{"bar_code":"1","price":60}]`, 180}, {10_000, `[{"bar_code":"9","price":"100"}]`, 0}, {4_000, "", 40}}},
		{"a part of the goods", 20_000, 220, []back{{2_000, `{"bar_code":"1","price":"20"}`, 60}, {2_000, `{"bar_code":"1","price":"20"}`, 60}, {2_000, `{"bar_code":"1","price":"20"}`, 60}}},
		{"by category", 20_000, 220, []back{{6_000, `[{"category":"fresh","price":"60"}]`, 180}}},
		{"more goods than there were", 20_000, 220, []back{{6_000, `[{"bar_code":"1","price":"90"}]`, 180}, {7_000, "", 20}}}, // half of the rest
		{"goods that nobody bought", 20_000, 220, []back{{10_000, `[{"bar_code":"7","price":"100"}]`, 110}}},
		{"money beyond the goods", 20_000, 220, []back{{13_000, `[{"bar_code":"1","price":"60"}]`, 200}}},
		{"less money than the goods", 20_000, 220, []back{{3_000, `[{"bar_code":"1","price":"60"}]`, 90}}},
		{"goods with a discount", 10_000, 110, []back{{3_000, `[{"bar_code":"1","price":"60"}]`, 90}, {7_000, "", 20}}},
		{"no goods named", 20_000, 220, []back{{10_000, "", 110}, {10_000, "", 110}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, who := shopper(t, rule)
			o := w.Order(who, "o", c.paid, unnamed)
			o.Info.Material = bought
			if got := loyaltytest.Must(w, o); got.Points != c.total {
				t.Fatalf("%d points earned, want %d: %+v", got.Points, c.total, w.OrderRow("o").Decision)
			}
			w.Change(func(s *loyalty.Settings) { s.Points.Multipliers = nil })
			refundAll(t, w, who, c.backs)
		})
	}
}

// Goods come back in as many lines, refunds and payments as a till likes: in the
// end it is what one refund takes.
func TestGoodsComeBackInParts(t *testing.T) {
	t.Parallel()
	const bought = `[{"ty":"fresh","bar_code":"1","price":"50"},{"ty":"fresh","bar_code":"2","price":"50"},{"ty":"dry","bar_code":"3","price":"100"}]`
	for _, c := range []struct {
		name  string
		backs []back
	}{
		{"a category of two lines", []back{{10_000, `[{"category":"fresh","price":"100"}]`, 300}}},
		{"a category line by line", []back{{5_000, `[{"category":"fresh","price":"50"}]`, 150}, {5_000, `[{"category":"fresh","price":"50"}]`, 150}}},
		{"a category beside a bar code", []back{{10_000, `[{"bar_code":"1","price":"50"},{"category":"fresh","price":"50"}]`, 300}}},
		{"more of a category than there was", []back{{10_000, `[{"category":"fresh","price":"120"}]`, 300}}},
		{"goods paid back in two payments", []back{{2_500, `[{"bar_code":"1","price":"50"}]`, 75}, {2_500, `[{"bar_code":"1","price":"50"}]`, 75}, {10_000, `[{"bar_code":"3","price":"100"}]`, 100}}},
		{"a category in two payments", []back{{3_000, `[{"category":"fresh","price":"120"}]`, 90}, {7_000, `[{"category":"fresh","price":"120"}]`, 210}}},
		{"goods that are all back", []back{{5_000, `[{"bar_code":"1","price":"50"}]`, 150}, {5_000, `[{"bar_code":"1","price":"50"}]`, 84}}}, // a third of the rest
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, who := shopper(t, func(s *loyalty.Settings) {
				s.Points.Multipliers = []loyalty.Multiplier{multiplier("fresh", 30_000, loyalty.Condition{Categories: []string{"fresh"}})}
			})
			o := w.Order(who, "o", 20_000, unnamed)
			o.Info.Material = bought
			if got := loyaltytest.Must(w, o); got.Points != 400 {
				t.Fatalf("%d points earned: %+v", got.Points, w.OrderRow("o").Decision)
			}
			refundAll(t, w, who, c.backs)
		})
	}
}

// Caps count what the rule granted, by the day of the purchase, and what is
// taken back makes room again.
func TestCapsCountWhatTheRuleGranted(t *testing.T) {
	t.Parallel()
	w, who := shopper(t, func(s *loyalty.Settings) { s.Points.Caps = loyalty.Caps{PerDay: 100, PerMember: 150} })
	order := func(no string, fen int64, daysAgo int, want int64) {
		t.Helper()
		c := w.Order(who, no, fen, unnamed)
		c.ConsumedAt = loyalty.InstantOf(w.Now.AddDate(0, 0, -daysAgo))
		if got := loyaltytest.Must(w, c); got.Points != want {
			t.Errorf("order %s earned %d points, want %d: %+v", no, got.Points, want, w.OrderRow(no).Decision.Caps)
		}
	}
	order("a", 7_000, 0, 70)
	order("b", 7_000, 0, 30) // the day is full
	order("c", 7_000, 1, 50) // yesterday has room, the member has not
	order("d", 7_000, 0, 0)  // both are full
	loyaltytest.Must(w, w.Refund(who, "ra", "a", 7_000, unnamed))
	order("e", 10_000, 0, 70) // what came back makes room
	loyaltytest.Must(w, w.Refund(who, "rc", "c", 3_500, unnamed))
	order("f", 10_000, 0, 0) // of another day: today is full again
	w.Days(1)
	order("g", 10_000, 0, 15) // a half of 50 - 35 points came back: min(50, earned by what is left)
	loyaltytest.Must(w, loyalty.ChangePoints{Who: who, Direction: loyalty.Credit, Operation: loyalty.OpManualGrant, Points: 500})
	loyaltytest.Must(w, loyalty.ChangePoints{Who: who, Direction: loyalty.Credit, Operation: loyalty.OpManualGrant, Amount: 900})
	if m := w.Member(who); m.Balance != 150+500 {
		t.Errorf("balance %d", m.Balance)
	}
	w.Change(func(s *loyalty.Settings) { s.Points.Caps = loyalty.Caps{} })
	order("h", 10_000, 0, 100)
}

// What goes beyond the day's cap of an event is refused as a whole; a rollback
// makes room for another try on the same day.
func TestAnEventHasItsDailyCap(t *testing.T) {
	t.Parallel()
	w, who := shopper(t, func(s *loyalty.Settings) {
		s.Events = append(s.Events,
			loyalty.Event{Name: "sign_in", Direction: loyalty.Credit, Points: 5, DailyCap: 5, Operation: loyalty.OpSignIn},
			loyalty.Event{Name: "game", Direction: loyalty.Debit, DailyCap: 30, Operation: loyalty.OpExchange})
	})
	book := func(id, event string, points int64) error {
		_, err := loyaltytest.Do(w, loyalty.ChangePoints{Who: who, Event: event, Points: points, ID: id, KeyOp: loyalty.KeyChange})
		return err
	}
	wantBooked(t, book("a", "sign_in", 0))
	wantBooked(t, book("a", "sign_in", 0)) // a repeat books nothing
	wantError(t, book("b", "sign_in", 0), loyalty.DailyCapReached)
	loyaltytest.Must(w, loyalty.RollBackChange{Who: who, ChangeID: "a"})
	wantBooked(t, book("c", "sign_in", 0))
	wantBooked(t, book("d", "event_add", 1_000))
	wantBooked(t, book("e", "game", 20))
	wantError(t, book("f", "game", 11), loyalty.DailyCapReached)
	wantBooked(t, book("g", "game", 10))
	w.Days(1)
	wantBooked(t, book("h", "sign_in", 0))
	wantBooked(t, book("i", "game", 30))
	loyaltytest.Must(w, loyalty.RollBackChange{Who: who, ChangeID: "g"}) // of the day before
	wantError(t, book("j", "game", 1), loyalty.DailyCapReached)
}

// An order that comes late earns by the level that the member had when it was
// paid.
func TestALateOrderEarnsByTheLevelOfItsTime(t *testing.T) {
	t.Parallel()
	w, who := shopper(t, func(s *loyalty.Settings) {
		s.Points.Multipliers = []loyalty.Multiplier{multiplier("gold", 20_000, loyalty.Condition{Levels: []int64{2, 3}})}
	})
	then := w.Now
	w.Days(1)
	loyaltytest.Must(w, w.Order(who, "up", 30_000, unnamed)) // to level 2
	w.Days(1)
	loyaltytest.Must(w, w.Order(who, "further", 70_000, unnamed)) // to level 3
	w.Days(1)
	for no, c := range map[string]struct {
		daysLater int
		level     int64
		points    int64
	}{"before": {0, 1, 100}, "between": {1, 2, 200}, "after": {2, 3, 200}, "now": {3, 3, 200}} {
		o := w.Order(who, no, 10_000, unnamed)
		o.ConsumedAt = loyalty.InstantOf(then.AddDate(0, 0, c.daysLater))
		got := loyaltytest.Must(w, o)
		if d := w.OrderRow(no).Decision; d.Level != c.level || got.Points != c.points {
			t.Errorf("%s: %d points at level %d, want %d at %d", no, got.Points, d.Level, c.points, c.level)
		}
	}
}

// Other thresholds reach every member: with its next command, with a read, and
// with the job that looks for the idle.
func TestOtherLevelsReachEveryMember(t *testing.T) {
	t.Parallel()
	thresholds := func(second, third int64) func(*loyalty.Settings) {
		return func(s *loyalty.Settings) {
			s.Levels = []loyalty.Level{{Number: 1, Name: "a"}, {Number: 2, Name: "b", Threshold: second}, {Number: 3, Name: "c", Threshold: third}}
		}
	}
	for _, c := range []struct {
		name   string
		policy loyalty.LevelChange
		change func(*loyalty.Settings)
		want   int64 // of a member at level 2 with a growth value of 500
	}{
		{"raised and kept", loyalty.LevelKeep, thresholds(600, 1_000), 2},
		{"raised and fitting", loyalty.LevelFit, thresholds(600, 1_000), 1},
		{"lowered", loyalty.LevelKeep, thresholds(100, 500), 3},
		{"level taken out", loyalty.LevelKeep, func(s *loyalty.Settings) { s.Levels = []loyalty.Level{{Number: 1}, {Number: 3, Threshold: 1_000}} }, 1},
		{"no levels at all", loyalty.LevelKeep, func(s *loyalty.Settings) { s.Levels = nil }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, who := shopper(t, thresholds(400, 1_000))
			loyaltytest.Must(w, w.Order(who, "o", 50_000, unnamed))
			if m := w.Member(who); m.Level != 2 || m.Growth != 500 {
				t.Fatalf("level %d, growth %d", m.Level, m.Growth)
			}
			w.Change(func(s *loyalty.Settings) {
				c.change(s)
				s.LevelChange = c.policy
			})
			state := w.Store.Dump(nil)
			if m, _ := loyalty.AsOf(state.Members[0], nil, w.Rules, loyalty.InstantOf(w.Now)); m.Level != c.want {
				t.Errorf("a read sees level %d, want %d", m.Level, c.want)
			}
			if done := loyaltytest.Must(w, loyalty.BookDue{Who: who}); done.Entries == 0 && c.name != "raised and kept" {
				t.Error("the job found nothing to do")
			}
			if m := w.Member(who); m.Level != c.want {
				t.Errorf("level %d, want %d", m.Level, c.want)
			}
			if done := loyaltytest.Must(w, loyalty.BookDue{Who: who}); done.Entries != 0 {
				t.Error("there is something to do again")
			}
			// A refund goes down to what is held, no further.
			loyaltytest.Must(w, w.Refund(who, "r", "o", 50_000, unnamed))
			held := min(c.want, 1)
			if c.policy == loyalty.LevelKeep && c.name == "raised and kept" {
				held = 2
			}
			if m := w.Member(who); m.Level != held {
				t.Errorf("level %d after the refund, want %d", m.Level, held)
			}
		})
	}
}

func wantBooked(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("refused: %v", err)
	}
}

// An amount by itself has no goods to go by: all of it earns.
func TestAnAmountEarnsWithoutGoods(t *testing.T) {
	t.Parallel()
	w, who := shopper(t, func(s *loyalty.Settings) { s.Points.Basis = loyalty.BasisGoods })
	credit := loyalty.ChangePoints{Who: who, Direction: loyalty.Credit, Operation: loyalty.OpPurchaseGrant, Amount: 4_200}
	if got := loyaltytest.Must(w, credit); got.Points != 42 {
		t.Errorf("%d points, want 42", got.Points)
	}
}

// A level that was kept goes when the programme says fit, when the old levels
// are back, and when the member reaches it again.
func TestWhatEndsAKeptLevel(t *testing.T) {
	t.Parallel()
	second := func(threshold int64, policy loyalty.LevelChange) func(*loyalty.Settings) {
		return func(s *loyalty.Settings) {
			s.Levels = []loyalty.Level{{Number: 1, Name: "a"}, {Number: 2, Name: "b", Threshold: threshold}}
			s.LevelChange = policy
		}
	}
	for _, c := range []struct {
		name  string
		end   func(*loyaltytest.World, loyalty.Who)
		level int64
		kept  int64
		after int64 // level, when all orders have been refunded
	}{
		{"nothing", func(*loyaltytest.World, loyalty.Who) {}, 2, 2, 2},
		{"fit", func(w *loyaltytest.World, _ loyalty.Who) { w.Change(second(600, loyalty.LevelFit)) }, 1, 0, 1},
		{"the old levels", func(w *loyaltytest.World, _ loyalty.Who) { w.Change(second(400, loyalty.LevelKeep)) }, 2, 0, 1},
		{"reached again", func(w *loyaltytest.World, who loyalty.Who) { loyaltytest.Must(w, w.Order(who, "p", 10_000, unnamed)) }, 2, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, who := shopper(t, second(400, loyalty.LevelKeep))
			loyaltytest.Must(w, w.Order(who, "o", 50_000, unnamed))
			w.Change(second(600, loyalty.LevelKeep))
			loyaltytest.Must(w, loyalty.BookDue{Who: who})
			c.end(w, who)
			loyaltytest.Must(w, loyalty.BookDue{Who: who})
			if m := w.Member(who); m.Level != c.level || m.Kept != c.kept {
				t.Errorf("level %d, kept %d, want %d and %d", m.Level, m.Kept, c.level, c.kept)
			}
			for i, o := range w.Store.Dump(nil).Orders {
				loyaltytest.Must(w, w.Refund(who, string(rune('r'+i)), o.No, o.Amount, unnamed))
			}
			if m := w.Member(who); m.Level != c.after {
				t.Errorf("level %d after the refunds, want %d", m.Level, c.after)
			}
		})
	}
}

// Who is to keep its level never loses it, though a period has ended before the
// change of the levels is noticed: nobody is told of a fall and a rise.
func TestAKeptLevelIsKeptOverTheEndOfAPeriod(t *testing.T) {
	t.Parallel()
	second := func(threshold int64) func(*loyalty.Settings) {
		return func(s *loyalty.Settings) {
			s.Levels = []loyalty.Level{{Number: 1, Name: "a"}, {Number: 2, Name: "b", Threshold: threshold}}
			s.LevelChange, s.Growth.Period.Kind, s.Growth.Downgrade = loyalty.LevelKeep, loyalty.PeriodYear, loyalty.DowngradeFitting
		}
	}
	w, who := shopper(t, second(400))
	loyaltytest.Must(w, w.Order(who, "o", 50_000, unnamed))
	w.Change(second(600))
	w.Now = time.Date(w.Now.Year()+2, 1, 1, 0, 0, 1, 0, w.Rules.Location()) // two periods end
	read := asOf(w, who)
	loyaltytest.Must(w, loyalty.BookDue{Who: who})
	m := w.Member(who)
	if m.Level != 2 || m.Kept != 2 || m.Growth != 0 || m.LevelMoves != read.LevelMoves || m.Level != read.Level {
		t.Errorf("a read sees\n%+v, booked is\n%+v", read, m)
	}
	moves := w.Store.Dump(nil).LevelMoves
	if len(moves) != 1 || moves[0].To != 2 || m.LevelMoves != 1 {
		t.Errorf("moves %+v, %d counted", moves, m.LevelMoves)
	}
	w.Now = w.Now.AddDate(1, 0, 0)
	loyaltytest.Must(w, loyalty.BookDue{Who: who})
	if m := w.Member(who); m.Level != 1 || m.LevelMoves != 2 {
		t.Errorf("level %d after the next period, %d moves", m.Level, m.LevelMoves)
	}
}
