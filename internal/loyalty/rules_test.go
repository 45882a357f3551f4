package loyalty_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

// The tests in this file hold rules that others pass by: each fails when its
// rule alone is taken out.

func TestNeverExpiringPointsSurviveTheBoundOnLots(t *testing.T) {
	t.Parallel()
	for _, waiting := range []int{0, 1} {
		t.Run(fmt.Sprintf("waiting %d days", waiting), func(t *testing.T) {
			t.Parallel()
			w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Points.Validity = days(3_000) })
			who := w.Register("13800000001")
			for range loyalty.MaxOpenLots {
				w.Add(who, 1)
				w.Days(1)
			}
			w.Change(func(s *loyalty.Settings) {
				s.Points.Validity, s.Points.WaitingDays = loyalty.Validity{Kind: loyalty.Unlimited}, waiting
			})
			w.Add(who, 1_000)
			w.Days(40)
			loyaltytest.Must(w, loyalty.BookDue{Who: who})
			wantTotals(t, w, who, loyalty.MaxOpenLots+1_000, loyalty.MaxOpenLots+1_000, 0, 0, 0)
		})
	}
}

func TestOpenLotsAreBoundedUnderAWaitingPeriod(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
		s.Points.Validity, s.Points.WaitingDays = loyalty.Validity{Kind: loyalty.Unlimited}, 1
	})
	who := w.Register("13800000001")
	for range loyalty.MaxOpenLots + 90 {
		w.Add(who, 1)
		w.Days(1)
	}
	if n := len(w.Lots(who)); n > loyalty.MaxOpenLots+5 { // one a month beyond the bound
		t.Errorf("%d open lots", n)
	}
}

func TestCrowdedPendingPointsAreReleasedBeforeTheyEnd(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Points.Validity = days(3_000) })
	who := w.Register("13800000001")
	for range loyalty.MaxOpenLots {
		w.Add(who, 1)
		w.Days(1)
	}
	w.Change(func(s *loyalty.Settings) {
		s.Points.Validity, s.Points.WaitingDays = loyalty.Validity{Kind: loyalty.YearEnd, N: 0}, 3
	})
	w.Now = time.Date(2028, 12, 5, 12, 0, 0, 0, w.Rules.Location())
	w.Add(who, 500) // pending to 1 January, and usable for a year from there
	w.Now = time.Date(2029, 1, 2, 12, 0, 0, 0, w.Rules.Location())
	w.Take(who, loyalty.MaxOpenLots+500)
}

func TestPointsGivenBackInVainNeedNoRoom(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
		s.Points.Validity, s.GiveBack = days(1), loyalty.GiveBackOriginal
	})
	who := w.Register("13800000001")
	w.Add(who, 7)
	spent := w.Take(who, 7)
	w.Change(func(s *loyalty.Settings) { s.Points.Validity = days(3_000) })
	for range loyalty.MaxOpenLots {
		w.Days(1)
		w.Add(who, 1)
	}
	if err := w.Back(who, spent, 0); err != nil {
		t.Fatal(err)
	}
	wantTotals(t, w, who, loyalty.MaxOpenLots, loyalty.MaxOpenLots+7, 7, 0, 0)
}

func TestAReversalCodeNeverUndoesDeductions(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	for _, op := range []loyalty.Operation{loyalty.OpPurchaseGrant, loyalty.OpPurchaseClawback} {
		points := map[loyalty.Operation]int64{loyalty.OpPurchaseGrant: 50, loyalty.OpPurchaseClawback: 20}[op]
		loyaltytest.Must(w, loyalty.ChangePoints{Who: who, Direction: op.Direction(), Operation: op, Points: points, Note: loyalty.Note{OrderNo: "o1"}})
	}
	got := loyaltytest.Must(w, loyalty.ReturnPoints{Who: who, Operation: loyalty.OpPurchaseClawback, OrderNo: "o1", Points: 30})
	if got.Points != 30 || got.Balance != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestOrderNumbersMeanSomethingInTheirSpaceOnly(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	grant := loyalty.ChangePoints{Who: who, Direction: loyalty.Credit, Operation: 1, Points: 10, Note: loyalty.Note{OrderNo: "o1"}}
	loyaltytest.Must(w, grant)
	_, err := loyaltytest.Do(w, loyalty.ReturnPoints{Who: who, Operation: 1, OrderNo: "o1", Space: "apart"})
	wantError(t, err, loyalty.StatementNotFound)
	grant.Space = "apart"
	loyaltytest.Must(w, grant)
	if got := loyaltytest.Must(w, loyalty.ReturnPoints{Who: who, Operation: 1, OrderNo: "o1", Space: "apart"}); got.Points != 10 || got.Balance != 10 {
		t.Errorf("got %+v", got)
	}
}

func TestReturnsAreNarrowedAndHarmlessWhenRepeated(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	for _, activity := range []string{"a1", "a2"} {
		loyaltytest.Must(w, loyalty.ChangePoints{Who: who, Direction: loyalty.Credit, Operation: 1, Points: 10,
			Note: loyalty.Note{OrderNo: "o1", Activity: activity}})
	}
	back := loyalty.ReturnPoints{Who: who, Operation: 1, OrderNo: "o1", Note: loyalty.Note{Activity: "a1"}}
	loyaltytest.Must(w, back)
	if e := w.Entries(who); e[0].Reversed != 10 || e[1].Reversed != 0 {
		t.Errorf("reversed %d and %d", e[0].Reversed, e[1].Reversed)
	}
	back.Points = 5
	if got := loyaltytest.Must(w, back); got.Points != 0 || got.Balance != 10 {
		t.Errorf("nothing is left: %+v", got)
	}
	for _, op := range []loyalty.KeyOperation{loyalty.KeyOpt, loyalty.KeyUpdate, loyalty.KeySend} {
		id := string(op)
		loyaltytest.Must(w, loyalty.ChangePoints{Who: who, Direction: loyalty.Credit, Operation: 1, Points: 3, ID: id, KeyOp: op})
		if got := loyaltytest.Must(w, loyalty.ReturnPoints{Who: who, Operation: 1, ID: id}); got.Points != 3 {
			t.Errorf("by an id of %s: %+v", op, got)
		}
	}
	_, err := loyaltytest.Do(w, loyalty.ReturnPoints{Who: who, Operation: 99, ID: "x", Points: 1})
	wantError(t, err, loyalty.DirectionMismatch)
}

func TestWhatWasVoidedIsNotChargedAgain(t *testing.T) {
	t.Parallel()
	for _, policy := range []loyalty.GiveBack{loyalty.GiveBackVoid, loyalty.GiveBackOriginal} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
				s.Points.Validity, s.GiveBack, s.Clawback = days(10), policy, loyalty.ClawbackNegative
			})
			who := w.Register("13800000001")
			grant := w.Add(who, 100)
			spent := w.Take(who, 100)
			w.Days(20)
			if err := w.Back(who, spent, 60); err != nil {
				t.Fatal(err)
			}
			wantTotals(t, w, who, 0, 100, 100, 0, 0)
			if err := w.Back(who, grant, 100); err != nil {
				t.Fatal(err)
			}
			wantTotals(t, w, who, -40, 0, 40, 0, 40) // 60 expired unused, 40 are spent for good
		})
	}
}

func TestWhatLapsedIsSetOffOnce(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Points.Validity, s.Clawback = days(10), loyalty.ClawbackNegative })
	who := w.Register("13800000001")
	a, b := w.Add(who, 60), w.Add(who, 40)
	w.Take(who, 30)
	w.Days(20)
	for _, c := range []struct {
		statement string
		lapsed    int64
	}{{a, 60}, {b, 10}} { // 70 expired: B finds what A left of them
		if err := w.Back(who, c.statement, 0); err != nil {
			t.Fatal(err)
		}
		e := w.Entries(who)
		if got := e[len(e)-1].Lapsed; got != c.lapsed {
			t.Errorf("lapsed %d, want %d", got, c.lapsed)
		}
	}
	wantTotals(t, w, who, -30, 0, 30, 0, 30)
}

func TestAGrantTakenBackInSteps(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Points.Validity = days(10) })
	who := w.Register("13800000001")
	a := w.Add(who, 60)
	w.Add(who, 40) // joins the same lot
	w.Days(1)
	w.Add(who, 50)
	if err := w.Back(who, a, 50); err != nil {
		t.Fatal(err)
	}
	wantLots(t, w, who, "50 until 2026-01-26", "50 until 2026-01-27")
	if err := w.Back(who, a, 10); err != nil { // of its own lot A has 10 left to take
		t.Fatal(err)
	}
	wantLots(t, w, who, "40 until 2026-01-26", "50 until 2026-01-27")
}

func TestOneReleaseOfTwoLotsFillsADeficit(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Clawback = loyalty.ClawbackNegative })
	who := w.Register("13800000001")
	grant := w.Add(who, 100)
	w.Take(who, 100)
	if err := w.Back(who, grant, 0); err != nil {
		t.Fatal(err)
	}
	w.Change(func(s *loyalty.Settings) { s.Points.WaitingDays = 2 })
	w.Add(who, 30)
	w.Change(func(s *loyalty.Settings) { s.Points.Validity = days(100) })
	w.Add(who, 90)
	wantTotals(t, w, who, -100, 0, 100, 120, 100)
	w.Days(2)
	loyaltytest.Must(w, loyalty.BookDue{Who: who})
	wantTotals(t, w, who, 20, 120, 100, 0, 0)
	if kinds := kindsOf(w.Entries(who)); kinds[len(kinds)-1] != loyalty.Release || kinds[len(kinds)-2] != loyalty.Grant {
		t.Errorf("not one release: %v", kinds)
	}
}

func TestADeficitBlocksSpendingWhateverIsInLots(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
		s.Points.Validity, s.OwnLotOnly, s.Clawback = days(10), true, loyalty.ClawbackNegative
	})
	who := w.Register("13800000001")
	grant := w.Add(who, 10)
	w.Take(who, 10)
	w.Days(1)
	w.Add(who, 100)
	if err := w.Back(who, grant, 0); err != nil {
		t.Fatal(err)
	}
	wantTotals(t, w, who, 90, 100, 10, 0, 10)
	_, err := loyaltytest.Do(w, loyalty.ChangePoints{Who: who, Event: "event_subtract", Points: 1})
	wantError(t, err, loyalty.PointsInsufficient)
}

func TestPendingPointsAreNotSpent(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Points.Validity = days(30) })
	who := w.Register("13800000001")
	w.Add(who, 50)
	w.Change(func(s *loyalty.Settings) { s.Points.Validity, s.Points.WaitingDays = days(1), 5 })
	w.Add(who, 40)
	w.Take(who, 20)
	wantLots(t, w, who, "40 until 2026-01-22 pending", "30 until 2026-02-15")
	_, err := loyaltytest.Do(w, loyalty.ChangePoints{Who: who, Event: "event_subtract", Points: 31})
	wantError(t, err, loyalty.PointsInsufficient)
}

func TestTakingBackOrder(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Points.Validity = days(5) })
	who := w.Register("13800000001")
	own := w.Add(who, 100)
	w.Take(who, 100)
	for _, valid := range []int{20, 40} {
		w.Change(func(s *loyalty.Settings) { s.Points.Validity = days(valid) })
		w.Add(who, 30)
	}
	w.Change(func(s *loyalty.Settings) { s.Points.Validity, s.Points.WaitingDays = days(1), 3 })
	w.Add(who, 30)
	if err := w.Back(who, own, 70); err != nil { // 30 pending, 30 of the latest, 10 of the earliest
		t.Fatal(err)
	}
	wantLots(t, w, who, "20 until 2026-02-05")
}

func TestGivingBackInUnevenSteps(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Points.Validity = days(10) })
	who := w.Register("13800000001")
	for range 3 {
		w.Add(who, 10)
		w.Days(1)
	}
	spent := w.Take(who, 25) // 10, 10 and 5
	for _, step := range []struct {
		points int64
		lots   []string
	}{
		{3, []string{"8 until 2026-01-28"}},
		{9, []string{"7 until 2026-01-27", "10 until 2026-01-28"}},
		{13, []string{"10 until 2026-01-26", "10 until 2026-01-27", "10 until 2026-01-28"}},
	} {
		if err := w.Back(who, spent, step.points); err != nil {
			t.Fatal(err)
		}
		wantLots(t, w, who, step.lots...)
	}
}

func TestGivingBackAtTheVeryInstantOfExpiry(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Points.Validity, s.GiveBack = days(0), loyalty.GiveBackVoid })
	who := w.Register("13800000001")
	w.Add(who, 10)
	spent := w.Take(who, 10)
	w.Now = time.Date(2026, 1, 16, 0, 0, 0, 0, w.Rules.Location())
	if err := w.Back(who, spent, 0); err != nil {
		t.Fatal(err)
	}
	wantTotals(t, w, who, 0, 10, 10, 0, 0)
}

func TestThePeriodOfTheRule(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	until := from.AddDate(0, 1, 0)
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
		s.Points.From, s.Points.Until = loyalty.InstantOf(from), loyalty.InstantOf(until)
	})
	who := w.Register("13800000001")
	for _, c := range []struct {
		at   time.Time
		want error
	}{
		{from.Add(-time.Millisecond), loyalty.NoPointsRule}, {from, nil}, {until.Add(-time.Millisecond), nil}, {until, loyalty.NoPointsRule},
	} {
		w.Now = c.at
		if _, err := loyaltytest.Do(w, loyalty.ChangePoints{Who: who, Event: "event_add", Points: 1}); err != c.want {
			t.Errorf("%s: %v, want %v", c.at, err, c.want)
		}
	}
}

func TestWhatAFingerprintCovers(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	call := loyalty.ChangePoints{Who: who, Direction: loyalty.Credit, Operation: 1, Points: 5, Amount: 100, ID: "k", KeyOp: loyalty.KeyOpt}
	first := loyaltytest.Must(w, call)
	call.Amount = 9_999 // beside points it is information only
	if again := loyaltytest.Must(w, call); again != first {
		t.Errorf("got %+v, want %+v", again, first)
	}
	call.Note.Detail.BusinessType = "6"
	_, err := loyaltytest.Do(w, call)
	wantError(t, err, loyalty.KeyReused)

	rollback := loyalty.RollBackStatement{Who: who, Statement: loyalty.StatementID(who.ID, first.Entry), ID: "r", Quantity: 1}
	loyaltytest.Must(w, rollback)
	rollback.Statement = loyalty.StatementID(who.ID, 99) // what does not exist comes before the key
	_, err = loyaltytest.Do(w, rollback)
	wantError(t, err, loyalty.StatementNotFound)

	a := loyalty.ReturnPoints{Who: who, ID: "x", OrderNo: "a|b", Operation: 1}
	b := loyalty.ReturnPoints{Who: who, ID: "x", OrderNo: "a", Operation: 1, Note: loyalty.Note{Activity: "b|"}}
	if a.Key().Fingerprint == b.Key().Fingerprint {
		t.Error("two returns have one fingerprint")
	}
}

func TestAVoidIDIsRefusedAfterWhatIsWrongWithTheCall(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	loyaltytest.Must(w, loyalty.RollBackChange{Who: who, ChangeID: "c"})
	for event, want := range map[string]loyalty.Code{"nope": loyalty.EventUnknown, "event_add": loyalty.KeyReused} {
		_, err := loyaltytest.Do(w, loyalty.ChangePoints{Who: who, Event: event, Points: 1, ID: "c", KeyOp: loyalty.KeyChange})
		wantError(t, err, want)
	}
	_, err := loyaltytest.Do(w, loyalty.RollBackChange{Who: who})
	wantError(t, err, loyalty.NothingNamed)
	_, err = loyaltytest.Do(w, loyalty.RollBackChange{Who: who, ChangeID: "d", Quantity: -1})
	wantError(t, err, loyalty.PointsNotPositive)
}

func TestEventsAndAmounts(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
		s.Points.Rate = loyalty.Fraction{Num: 1_000_000, Den: 1}
		s.Events = append(s.Events, loyalty.Event{Name: "sign_in", Direction: loyalty.Credit, Points: 5, Operation: loyalty.OpSignIn})
	})
	who := w.Register("13800000001")
	if got := loyaltytest.Must(w, loyalty.ChangePoints{Who: who, Event: "sign_in", Points: 99}); got.Points != 5 {
		t.Errorf("a fixed event booked %d", got.Points)
	}
	for amount, want := range map[int64]loyalty.Code{
		-1: loyalty.PointsNotPositive, loyalty.MaxAmount + 1: loyalty.AmountTooLarge,
		math.MaxInt64: loyalty.AmountTooLarge, loyalty.MaxAmount: loyalty.CreditTooLarge,
	} {
		_, err := loyaltytest.Do(w, loyalty.ChangePoints{Who: who, Direction: loyalty.Credit, Operation: 1, Amount: amount})
		wantError(t, err, want)
	}
	small := loyalty.ChangePoints{Who: who, Event: "event_add", Amount: 1, ID: "s", KeyOp: loyalty.KeyChange}
	w.Change(func(s *loyalty.Settings) { s.Points.Rate = loyalty.Fraction{Num: 1, Den: 1} })
	if got := loyaltytest.Must(w, small); got.Entry != 0 {
		t.Errorf("a fen earned %+v", got)
	}
	if got := loyaltytest.Must(w, loyalty.RollBackChange{Who: who, ChangeID: "s"}); !got.Void {
		t.Errorf("nothing was booked under the id: %+v", got)
	}
}

func TestRegistrationInDetail(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.RegisterGift = 30 })
	register := func(phone string, change func(*loyalty.RegisterMember)) (loyalty.MemberRegistered, error) {
		c := loyalty.RegisterMember{Merchant: "m", Profile: loyalty.Profile{Phone: phone, Store: "s1"}}
		change(&c)
		return loyaltytest.Do(w, c)
	}
	channel := func(union, third string) func(*loyalty.RegisterMember) {
		return func(c *loyalty.RegisterMember) {
			c.Channel = &loyalty.Channel{Code: "xcx", UnionID: union, ThirdPartyCode: third}
		}
	}
	first, err := register("13800000001", func(c *loyalty.RegisterMember) {
		channel("", "t1")(c)
		c.OpenID, c.Profile.ExternalID = "0123456789abcdef0123456789abcdef", "ext"
	})
	if err != nil || first.OpenID != "0123456789abcdef0123456789abcdef" {
		t.Fatal(first, err)
	}
	who := loyalty.Who{Merchant: "m", ID: first.Member}
	wantTotals(t, w, who, 0, 0, 0, 0, 0) // no gift was asked for
	loyaltytest.Must(w, loyalty.BookDue{Who: loyalty.Who{Merchant: "m", OpenID: first.OpenID, ExternalID: "ext"}})

	// The second call brings a union id: it joins the channel and is claimed.
	if _, err := register("13800000001", channel("u1", "t2")); err != nil {
		t.Fatal(err)
	}
	want := []loyalty.Channel{{Code: "xcx", UnionID: "u1", ThirdPartyCode: "t1"}}
	got := w.Store.Dump(nil).Profiles[0].Channels
	for i := range got {
		got[i].ID, got[i].CreatedAt, got[i].UpdatedAt = "", 0, 0
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("channels:\n%s", diff)
	}
	_, err = register("13800000002", channel("u1", ""))
	wantError(t, err, loyalty.ChannelTaken)
	if other, err := register("13800000002", channel("", "t2")); err != nil || !other.Created {
		t.Errorf("what was not taken over is free: %+v, %v", other, err)
	}
	if _, err := register("13800000001", func(c *loyalty.RegisterMember) { c.Profile.OuterUserID = "o1" }); err != nil {
		t.Fatal(err)
	}
	_, err = register("13800000003", func(c *loyalty.RegisterMember) { c.Profile.OuterUserID = "o1" })
	wantError(t, err, loyalty.OuterIDTaken)

	loyaltytest.Must(w, loyalty.EraseMember{Who: who})
	p := w.Store.Dump(nil).Profiles[0].Profile
	if diff := cmp.Diff(loyalty.Profile{Store: "s1", ExternalID: "ext"}, p); diff != "" {
		t.Errorf("after erasing:\n%s", diff)
	}
}

func TestARepeatedRegistrationBooksWhatIsDue(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Points.Validity = days(1) })
	who := w.Register("13800000001")
	w.Add(who, 10)
	w.Days(5)
	w.Register("13800000001")
	wantTotals(t, w, who, 0, 10, 10, 0, 0)
}

func TestAMemberOfAnotherMerchantIsNobody(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	w.AddMerchant("other")
	_, err := loyaltytest.Do(w, loyalty.ChangePoints{Who: loyalty.Who{Merchant: "other", ID: who.ID}, Event: "event_add", Points: 1})
	wantError(t, err, loyalty.MemberNotFound)
}

func TestBoundsOfSettings(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*loyalty.Settings){
		"days":            func(s *loyalty.Settings) { s.Points.Validity = days(math.MaxInt32) },
		"years":           func(s *loyalty.Settings) { s.Points.Validity = loyalty.Validity{Kind: loyalty.YearEnd, N: 300_000_000} },
		"months":          func(s *loyalty.Settings) { s.Points.Validity = loyalty.Validity{Kind: loyalty.RollingMonths, N: 1_201} },
		"grace":           func(s *loyalty.Settings) { s.GraceDays = math.MaxInt32 },
		"waiting":         func(s *loyalty.Settings) { s.Points.WaitingDays = -1 },
		"credit":          func(s *loyalty.Settings) { s.MaxCredit = math.MaxInt64 },
		"gift":            func(s *loyalty.Settings) { s.RegisterGift = math.MaxInt64 },
		"rate":            func(s *loyalty.Settings) { s.Points.Rate.Num = math.MaxInt64 },
		"code life":       func(s *loyalty.Settings) { s.MemberCodeSeconds = math.MaxInt32 },
		"keys":            func(s *loyalty.Settings) { s.KeyDays = 0 },
		"no zone":         func(s *loyalty.Settings) { s.Zone = "" },
		"local zone":      func(s *loyalty.Settings) { s.Zone = "Local" },
		"period":          func(s *loyalty.Settings) { s.Points.From, s.Points.Until = 5, 5 },
		"no operation":    func(s *loyalty.Settings) { s.Events[0].Operation = 0 },
		"event twice":     func(s *loyalty.Settings) { s.Events[1] = s.Events[0] },
		"points of event": func(s *loyalty.Settings) { s.Events[0].Points = math.MaxInt64 },
	} {
		s := loyalty.DefaultSettings()
		change(&s)
		if _, err := loyalty.NewSnapshot("m", 1, 0, s); err == nil {
			t.Errorf("%s: not refused", name)
		}
	}
	for _, behind := range []string{"{}", "}", " 1"} {
		if _, err := loyalty.ParseSettings(loyalty.DefaultSettings().Document() + behind); err == nil {
			t.Errorf("%q behind the document was taken", behind)
		}
	}
}
