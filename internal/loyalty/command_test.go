package loyalty_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

// TestRefusals has one row for each refusal of each command, in order of
// precedence: every row but the last of a command also violates what the rows
// below it check, where that is possible.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
		s.MaxCredit = 1_000
		s.Points.Until = loyalty.InstantOf(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
	})
	anna, berta := w.Register("13800000001"), w.Register("13800000002")
	loyaltytest.Must(w, loyalty.RegisterMember{Merchant: "m", Profile: loyalty.Profile{Phone: "13800000003", OuterUserID: "o3"},
		Channel: &loyalty.Channel{Code: "xcx", UnionID: "u3", ThirdPartyCode: "t3"}})
	off := w.Register("13800000004")
	loyaltytest.Must(w, loyalty.SetStatus{Who: off, Status: loyalty.Disabled})
	gone := w.Register("13800000005")
	loyaltytest.Must(w, loyalty.EraseMember{Who: gone})
	grant := w.Add(anna, 100)
	w.Take(anna, 60)
	foreign := w.Add(berta, 10)
	spent := w.Take(berta, 10)
	if err := w.Back(berta, spent, 0); err != nil {
		t.Fatal(err)
	}
	loyaltytest.Must(w, loyalty.ChangePoints{Who: anna, Event: "event_add", Points: 5, ID: "used", KeyOp: loyalty.KeyChange})

	nobody := loyalty.Who{Merchant: "m", Phone: "13899999999"}
	two := loyalty.Who{Merchant: "m", ID: anna.ID, Phone: "13800000002"}
	elsewhere := loyalty.Who{Merchant: "other", ID: anna.ID}
	change := func(c loyalty.ChangePoints) func() error {
		return func() error { _, err := loyaltytest.Do(w, c); return err }
	}
	back := func(c loyalty.RollBackStatement) func() error {
		return func() error { _, err := loyaltytest.Do(w, c); return err }
	}
	returns := func(c loyalty.ReturnPoints) func() error {
		return func() error { _, err := loyaltytest.Do(w, c); return err }
	}
	register := func(c loyalty.RegisterMember) func() error {
		c.Merchant = "m"
		return func() error { _, err := loyaltytest.Do(w, c); return err }
	}
	rephone := func(c loyalty.ChangePhone) func() error {
		return func() error { _, err := loyaltytest.Do(w, c); return err }
	}
	for _, c := range []struct {
		name string
		do   func() error
		want loyalty.Code
	}{
		{"change, negative", change(loyalty.ChangePoints{Who: nobody, Event: "no", Points: -1}), loyalty.PointsNotPositive},
		{"change, unknown event", change(loyalty.ChangePoints{Who: nobody, Event: "no", Points: 1}), loyalty.EventUnknown},
		{"change, no points", change(loyalty.ChangePoints{Who: nobody, Event: "event_add"}), loyalty.PointsMissing},
		{"change, direction", change(loyalty.ChangePoints{Who: nobody, Operation: loyalty.OpPayment, Direction: loyalty.Credit, Points: 1}), loyalty.DirectionMismatch},
		{"change, no operation", change(loyalty.ChangePoints{Who: nobody, Operation: 18, Direction: loyalty.Debit, Points: 1}), loyalty.DirectionMismatch},
		{"change, nobody", change(loyalty.ChangePoints{Who: nobody, Event: "event_add", Points: 5_000}), loyalty.MemberNotFound},
		{"change, two members", change(loyalty.ChangePoints{Who: two, Event: "event_add", Points: 5_000}), loyalty.MembersDisagree},
		{"change, key reused", change(loyalty.ChangePoints{Who: anna, Event: "event_add", Points: 5_000, ID: "used", KeyOp: loyalty.KeyChange}), loyalty.KeyReused},
		{"change, disabled", change(loyalty.ChangePoints{Who: off, Event: "event_add", Points: 5_000}), loyalty.MemberDisabled},
		{"change, erased", change(loyalty.ChangePoints{Who: gone, Event: "event_add", Points: 5_000}), loyalty.MemberErased},
		{"change, too many", change(loyalty.ChangePoints{Who: anna, Event: "event_add", Points: 1_001}), loyalty.CreditTooLarge},
		{"change, balance", change(loyalty.ChangePoints{Who: anna, Event: "event_subtract", Points: 1_001}), loyalty.PointsInsufficient},

		{"rollback, nobody", back(loyalty.RollBackStatement{Who: nobody, Statement: "x"}), loyalty.MemberNotFound},
		{"rollback, no statement", back(loyalty.RollBackStatement{Who: anna, Statement: "SP1"}), loyalty.StatementNotFound},
		{"rollback, no such entry", back(loyalty.RollBackStatement{Who: anna, Statement: loyalty.StatementID(anna.ID, 99)}), loyalty.StatementNotFound},
		{"rollback, another member's", back(loyalty.RollBackStatement{Who: anna, Statement: foreign}), loyalty.StatementForeign},
		{"rollback of a rollback", back(loyalty.RollBackStatement{Who: berta, Statement: loyalty.StatementID(berta.ID, 3)}), loyalty.StatementNotReversible},
		{"rollback, nothing left", back(loyalty.RollBackStatement{Who: berta, Statement: spent, Quantity: 99}), loyalty.NothingLeft},
		{"rollback, too much", back(loyalty.RollBackStatement{Who: anna, Statement: grant, Quantity: 101}), loyalty.RollbackTooLarge},
		{"rollback, negative", back(loyalty.RollBackStatement{Who: anna, Statement: grant, Quantity: -1}), loyalty.PointsNotPositive},
		{"rollback, spent", back(loyalty.RollBackStatement{Who: anna, Statement: grant, Quantity: 100}), loyalty.PointsInsufficient},

		{"return, nothing named", returns(loyalty.ReturnPoints{Who: nobody, Operation: 1, Points: 5}), loyalty.NothingNamed},
		{"return, negative", returns(loyalty.ReturnPoints{Who: nobody, Operation: 1, ID: "x", Points: -5}), loyalty.PointsNotPositive},
		{"return, nobody", returns(loyalty.ReturnPoints{Who: nobody, Operation: 1, ID: "x"}), loyalty.MemberNotFound},
		{"return, unknown order", returns(loyalty.ReturnPoints{Who: anna, Operation: 1, OrderNo: "x"}), loyalty.StatementNotFound},
		{"return, unknown id", returns(loyalty.ReturnPoints{Who: anna, Operation: 1, ID: "x"}), loyalty.StatementNotFound},
		{"free return, disabled", returns(loyalty.ReturnPoints{Who: off, Operation: 1, ID: "x", Points: 9}), loyalty.MemberDisabled},
		{"free return, balance", returns(loyalty.ReturnPoints{Who: anna, Operation: 1, ID: "x", Points: 99}), loyalty.PointsInsufficient},
		{"free return, too many", returns(loyalty.ReturnPoints{Who: anna, Operation: 2, ID: "x", Points: 1_001}), loyalty.CreditTooLarge},

		{"register, phone", register(loyalty.RegisterMember{Profile: loyalty.Profile{Phone: "2380000000x", OuterUserID: "o3"}}), loyalty.PhoneMalformed},
		{"register, outer id of another", register(loyalty.RegisterMember{Profile: loyalty.Profile{Phone: "13800000009", OuterUserID: "o3"}}), loyalty.OuterIDTaken},
		{"complete, outer id of another", register(loyalty.RegisterMember{Profile: loyalty.Profile{Phone: "13800000001", OuterUserID: "o3"}}), loyalty.OuterIDTaken},
		{"register, union id of another", register(loyalty.RegisterMember{Profile: loyalty.Profile{Phone: "13800000009"}, Channel: &loyalty.Channel{Code: "xcx", UnionID: "u3"}}), loyalty.ChannelTaken},
		{"register, third party of another", register(loyalty.RegisterMember{Profile: loyalty.Profile{Phone: "13800000009"}, Channel: &loyalty.Channel{Code: "xcx", ThirdPartyCode: "t3"}}), loyalty.ChannelTaken},

		{"rephone, malformed", rephone(loyalty.ChangePhone{Who: nobody, Phone: "1"}), loyalty.PhoneMalformed},
		{"rephone, nobody", rephone(loyalty.ChangePhone{Who: nobody, Phone: "13800000002"}), loyalty.MemberNotFound},
		{"rephone, erased", rephone(loyalty.ChangePhone{Who: gone, Phone: "13800000002"}), loyalty.MemberErased},
		{"rephone, same", rephone(loyalty.ChangePhone{Who: anna, Phone: "13800000001"}), loyalty.NothingToChange},
		{"rephone, taken", rephone(loyalty.ChangePhone{Who: anna, Phone: "13800000002"}), loyalty.PhoneTaken},
		{"erase twice", func() error { _, err := loyaltytest.Do(w, loyalty.EraseMember{Who: gone}); return err }, loyalty.NothingToChange},
		{"disable erased", func() error {
			_, err := loyaltytest.Do(w, loyalty.SetStatus{Who: gone, Status: loyalty.Disabled})
			return err
		}, loyalty.MemberErased},
		{"disable twice", func() error {
			_, err := loyaltytest.Do(w, loyalty.SetStatus{Who: off, Status: loyalty.Disabled})
			return err
		}, loyalty.NothingToChange},
	} {
		before := w.Store.Dump(nil)
		if got := c.do(); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
		if diff := cmp.Diff(before, w.Store.Dump(nil)); diff != "" {
			t.Errorf("%s: a refused command changed rows:\n%s", c.name, diff)
		}
	}
	wantError(t, change(loyalty.ChangePoints{Who: elsewhere, Event: "event_add", Points: 1})(), loyalty.MemberNotFound)
	w.Now = w.Now.AddDate(1, 0, 0)
	wantError(t, change(loyalty.ChangePoints{Who: anna, Event: "event_add", Points: 5_000})(), loyalty.NoPointsRule)
	if _, err := loyaltytest.Do(w, loyalty.ChangePoints{Who: anna, Event: "event_subtract", Points: 1}); err != nil {
		t.Errorf("without a rule points can't be spent: %v", err)
	}
}

func TestAKeyAnswersOnceAndForAll(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	call := loyalty.ChangePoints{Who: who, Event: "event_add", Points: 10, ID: "k", KeyOp: loyalty.KeyChange}
	first := loyaltytest.Must(w, call)
	w.Days(1)
	w.Take(who, 10)
	loyaltytest.Must(w, loyalty.SetStatus{Who: who, Status: loyalty.Disabled})
	call.Note.Reason, call.App = "other words", "another till" // free text never counts
	if again := loyaltytest.Must(w, call); again != first {
		t.Errorf("first %+v, again %+v", first, again)
	}
	call.Points = 11
	_, err := loyaltytest.Do(w, call)
	wantError(t, err, loyalty.KeyReused)
	call.Who = loyalty.Who{Merchant: "m", Phone: "13899999999"}
	_, err = loyaltytest.Do(w, call)
	wantError(t, err, loyalty.MemberNotFound)

	// Operations and spaces have keys of their own.
	loyaltytest.Must(w, loyalty.SetStatus{Who: who, Status: loyalty.Active})
	for _, other := range []loyalty.ChangePoints{
		{Who: who, Direction: loyalty.Credit, Operation: 1, Points: 10, ID: "k", KeyOp: loyalty.KeySend},
		{Who: who, Direction: loyalty.Credit, Operation: 1, Points: 10, ID: "k", KeyOp: loyalty.KeyUpdate},
		{Who: who, Event: "event_add", Points: 10, ID: "k", KeyOp: loyalty.KeyChange, Space: "s"},
	} {
		if got := loyaltytest.Must(w, other); got.Entry == first.Entry {
			t.Errorf("%s in %q shares the key", other.KeyOp, other.Space)
		}
	}
	wantTotals(t, w, who, 30, 40, 10, 0, 0)
}

func TestARefusedCallMayBeRepeated(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	call := loyalty.ChangePoints{Who: who, Event: "event_subtract", Points: 10, ID: "k", KeyOp: loyalty.KeyChange}
	_, err := loyaltytest.Do(w, call)
	wantError(t, err, loyalty.PointsInsufficient)
	w.Add(who, 10)
	loyaltytest.Must(w, call)
}

func TestStrictChangeIDsRefuseEveryRepeatButTellTheFirstAnswer(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.StrictChangeID = true })
	who := w.Register("13800000001")
	call := loyalty.ChangePoints{Who: who, Event: "event_add", Points: 10, ID: "k", KeyOp: loyalty.KeyChange}
	first := loyaltytest.Must(w, call)
	again, err := loyaltytest.Do(w, call)
	if err != loyalty.KeyReused || again != first {
		t.Errorf("got %+v, %v", again, err)
	}
	opt := loyalty.ChangePoints{Who: who, Direction: loyalty.Credit, Operation: 1, Points: 10, ID: "k", KeyOp: loyalty.KeyOpt}
	loyaltytest.Must(w, opt)
	loyaltytest.Must(w, opt) // the setting is about gateway 3.3 alone
}

func TestRollingBackAChangeWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	change := loyalty.ChangePoints{Who: who, Event: "event_add", Points: 10, ID: "c", KeyOp: loyalty.KeyChange}
	poll := loyalty.RollBackChange{Who: who, ChangeID: "c"}

	t.Run("not booked: its id is void, for ever", func(t *testing.T) {
		for range 3 {
			if got := loyaltytest.Must(w, poll); !got.Void {
				t.Errorf("got %+v", got)
			}
		}
		_, err := loyaltytest.Do(w, change)
		wantError(t, err, loyalty.KeyReused)
		wantTotals(t, w, who, 0, 0, 0, 0, 0)
	})
	t.Run("booked: rolled back once, however often it is asked", func(t *testing.T) {
		change.ID, poll.ChangeID = "d", "d"
		booked := loyaltytest.Must(w, change)
		first := loyaltytest.Must(w, poll)
		if first.Original != booked.Entry || first.Points != 10 || first.Void {
			t.Errorf("got %+v", first)
		}
		if again := loyaltytest.Must(w, poll); again != first {
			t.Errorf("again %+v", again)
		}
		_, err := loyaltytest.Do(w, change)
		wantError(t, err, loyalty.KeyReused)
		poll.Quantity = 3
		_, err = loyaltytest.Do(w, poll)
		wantError(t, err, loyalty.KeyReused)
	})
	t.Run("rolled back by its statement already", func(t *testing.T) {
		change.ID = "e"
		booked := loyaltytest.Must(w, change)
		statement := loyalty.StatementID(who.ID, booked.Entry)
		// The document's example repeats the change's own id here (G-101).
		loyaltytest.Must(w, loyalty.RollBackStatement{Who: who, Statement: statement, ID: "e"})
		got := loyaltytest.Must(w, loyalty.RollBackChange{Who: who, ChangeID: "e"})
		if got.Entry != 0 || got.Original != booked.Entry || got.Void {
			t.Errorf("got %+v", got)
		}
	})
}

func TestReturningPoints(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	send := func(points int64, op loyalty.Operation, id, order, activity string) {
		t.Helper()
		loyaltytest.Must(w, loyalty.ChangePoints{
			Who: who, Direction: op.Direction(), Operation: op, Points: points, ID: id, KeyOp: loyalty.KeySend,
			Note: loyalty.Note{OrderNo: order, Activity: activity},
		})
	}
	returned := func(c loyalty.ReturnPoints, want, balance int64) {
		t.Helper()
		c.Who = who
		got := loyaltytest.Must(w, c)
		if got.Points != want || got.Balance != balance {
			t.Errorf("%+v: got %+v, want %d points, balance %d", c, got, want, balance)
		}
	}
	send(50, loyalty.OpPurchaseGrant, "a", "o1", "act1")
	send(30, loyalty.OpPurchaseGrant, "b", "o1", "act2")
	send(20, loyalty.OpPayment, "c", "o1", "")
	returned(loyalty.ReturnPoints{Operation: 1, OrderNo: "o1", Points: 10, Note: loyalty.Note{Activity: "act1"}}, 10, 50)
	returned(loyalty.ReturnPoints{Operation: 15, OrderNo: "o1", Points: 35}, 35, 15) // newest first: 30 and 5
	returned(loyalty.ReturnPoints{Operation: 2, OrderNo: "o1"}, 20, 35)              // gives the payment back
	returned(loyalty.ReturnPoints{Operation: 1, OrderNo: "o1"}, 35, 0)
	returned(loyalty.ReturnPoints{Operation: 1, OrderNo: "o1"}, 0, 0) // nothing left: harmless
	last := w.Entries(who)[len(w.Entries(who))-1]
	if last.Operation != loyalty.OpPurchaseClawback || last.OrderNo != "o1" || last.Activity != "act1" {
		t.Errorf("reversal booked as %+v", last)
	}

	send(8, loyalty.OpPurchaseGrant, "q", "", "")
	example := loyalty.ReturnPoints{ID: "q", Operation: 1, Points: 8} // the document's: the id of the grant
	returned(example, 8, 0)
	returned(example, 8, 0)
	returned(loyalty.ReturnPoints{ID: "free", Operation: 11, Points: 7}, 7, 7)
	returned(loyalty.ReturnPoints{ID: "free2", Operation: 15, Points: 7}, 7, 0)
	_, err := loyaltytest.Do(w, loyalty.ReturnPoints{Who: who, ID: "free2", Operation: 15, Points: 6})
	wantError(t, err, loyalty.KeyReused)
	send(8, loyalty.OpPurchaseGrant, "z", "o9", "")
	_, err = loyaltytest.Do(w, loyalty.ReturnPoints{Who: who, OrderNo: "o9", Operation: 1, Points: 9})
	wantError(t, err, loyalty.RollbackTooLarge)
}

func TestAmountsEarnPointsRoundedDownOnce(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Points.Rate = loyalty.Fraction{Num: 2, Den: 3} })
	who := w.Register("13800000001")
	for fen, want := range map[int64]int64{1: 0, 149: 0, 150: 1, 1_000: 6, 99_999: 666} {
		c := loyalty.ChangePoints{Who: who, Direction: loyalty.Credit, Operation: 1, Amount: fen, ID: "k", KeyOp: loyalty.KeyOpt, Space: time.Duration(fen).String()}
		got := loyaltytest.Must(w, c)
		if got.Points != want || (want == 0) != (got.Entry == 0) {
			t.Errorf("%d fen: %+v, want %d points", fen, got, want)
		}
	}
	w = loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Points.Rate.Num = 0 })
	who = w.Register("13800000001")
	_, err := loyaltytest.Do(w, loyalty.ChangePoints{Who: who, Direction: loyalty.Credit, Operation: 1, Amount: 100})
	wantError(t, err, loyalty.NoPointsRule)
}

func TestRegistrationIsIdempotentByPhone(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.RegisterGift = 30 })
	call := loyalty.RegisterMember{
		Merchant: "m", Gift: true,
		Profile: loyalty.Profile{Phone: "13800000001", Nickname: "甲", OuterUserID: "o1"},
		Channel: &loyalty.Channel{Code: "xcx", UnionID: "u1", ThirdPartyCode: "t1"},
	}
	first := loyaltytest.Must(w, call)
	if !first.Created || len(first.OpenID) != 32 {
		t.Errorf("got %+v", first)
	}
	call.Profile.Nickname, call.Profile.City, call.Profile.OuterUserID = "乙", "深圳", ""
	call.Channel = &loyalty.Channel{Code: "saas", ThirdPartyCode: "t1"}
	again := loyaltytest.Must(w, call)
	if again.Created || again.Member != first.Member || again.OpenID != first.OpenID {
		t.Errorf("got %+v", again)
	}
	p := w.Store.Dump(nil).Profiles[0].Profile
	if p.Nickname != "甲" || p.City != "深圳" || len(p.Channels) != 2 || p.OuterUserID != "o1" {
		t.Errorf("profile %+v", p)
	}
	who := loyalty.Who{Merchant: "m", ID: first.Member}
	wantTotals(t, w, who, 30, 30, 0, 0, 0)

	loyaltytest.Must(w, loyalty.ChangePhone{Who: who, Phone: "13800000002"})
	other := loyaltytest.Must(w, loyalty.RegisterMember{Merchant: "m", Profile: loyalty.Profile{Phone: "13800000001"}})
	if other.Member == first.Member || !other.Created {
		t.Errorf("the old phone is not free: %+v", other)
	}
	loyaltytest.Must(w, loyalty.EraseMember{Who: who, By: loyalty.ByOperator{Operator: "op", Reason: "asked for"}})
	for _, phone := range []string{"13800000002"} {
		if r := loyaltytest.Must(w, loyalty.RegisterMember{Merchant: "m", Profile: loyalty.Profile{Phone: phone, OuterUserID: "o1"},
			Channel: &loyalty.Channel{Code: "xcx", UnionID: "u1", ThirdPartyCode: "t1"}}); !r.Created {
			t.Errorf("the erased member's phone %s names somebody", phone)
		}
	}
	state := w.Store.Dump(nil)
	if p := state.Profiles[0].Profile; p.Phone != "" || p.Nickname != "" || p.City != "" || p.Channels != nil {
		t.Errorf("an erased member's profile: %+v", p)
	}
	if len(state.Audit) != 2 || state.Audit[1].Operator != "op" || state.Audit[1].Reason != "asked for" {
		t.Errorf("audit %+v", state.Audit)
	}
	if state.Members[0].Balance != 30 {
		t.Error("erasing removed points")
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	if got := loyalty.MemberIDText(17); got != "100000000000000017" {
		t.Error(got)
	}
	for _, text := range []string{"", "17", "100000000000000000", "110000000000000000", "1000000000000000170", "1000000000000000x7", "115589208394311926"} {
		if id, ok := loyalty.ParseMemberID(text); ok {
			t.Errorf("%q is member %d", text, id)
		}
	}
	if id, ok := loyalty.ParseMemberID("100000000000000017"); !ok || id != 17 {
		t.Error(id, ok)
	}
	statement := loyalty.StatementID(12, 345)
	if member, entry, ok := loyalty.ParseStatementID(statement); statement != "SP000000001200000345" || member != 12 || entry != 345 || !ok {
		t.Error(statement, member, entry, ok)
	}
	for _, text := range []string{"", "SP", "sp000000001200000345", "SP00000000120000034x", "SP000000000000000345", "SP000000001200000000", "SP+00000001200000345"} {
		if _, _, ok := loyalty.ParseStatementID(text); ok {
			t.Errorf("%q is a statement id", text)
		}
	}
}

func TestMemberCodes(t *testing.T) {
	t.Parallel()
	codes, err := loyalty.NewMemberCodes([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	life := 5 * time.Minute
	now := loyalty.InstantOf(time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC))
	seen := map[string]bool{}
	for _, member := range []int64{1, 2, 77, 1_000_000, loyalty.MaxMemberID} {
		code := codes.Make(member, now)
		if len(code) != 20 || code[:2] != "06" || seen[code] {
			t.Errorf("member %d: %s", member, code)
		}
		seen[code] = true
		for _, c := range []struct {
			at loyalty.Instant
			ok bool
		}{
			{now, true}, {now + 299_999, true}, {now + 310_000, false}, {now - 4_000, true}, {now - 60_000, false}, {now + 86_400_000*365, false},
		} {
			got, ok := codes.Read(code, c.at, life)
			if ok != c.ok || (ok && got != member) {
				t.Errorf("member %d read %d ms later: %d, %v", member, c.at-now, got, ok)
			}
		}
	}
	later := codes.Make(1, now+5_000)
	if seen[later] {
		t.Error("a later slot gives the same code")
	}
	hits := 0
	for i := range 10_000 {
		forged := []byte(codes.Make(1, now))
		forged[2+i%18] = '0' + byte((int(forged[2+i%18]-'0')+1+i%9)%10)
		if _, ok := codes.Read(string(forged), now, life); ok {
			hits++
		}
	}
	if hits > 0 {
		t.Errorf("%d altered codes were read", hits)
	}
	for _, text := range []string{"", "06", "0612345678901234567x", "07123456789012345678", "061234567890123456789"} {
		if _, ok := codes.Read(text, now, life); ok {
			t.Errorf("%q was read", text)
		}
	}
	other, _ := loyalty.NewMemberCodes([]byte(strings.Repeat("x", 32)))
	if _, ok := other.Read(codes.Make(1, now), now, life); ok {
		t.Error("another key reads the code")
	}
}

func TestMaskNumber(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]string{
		"": "", "12345": "*****", "1234567890123": "*************", "350322198209116378": "350***********6378",
	} {
		if got := loyalty.MaskNumber(number); got != want {
			t.Errorf("%d characters: %s", len(number), got)
		}
	}
}

func TestEveryCodeHasAName(t *testing.T) {
	t.Parallel()
	for _, c := range loyalty.Codes() {
		if c.String() == "unknown code" {
			t.Errorf("code %d", c)
		}
	}
}

func TestSettingsDocument(t *testing.T) {
	t.Parallel()
	s := loyalty.DefaultSettings()
	s.Levels[2].Rights = []loyalty.Right{{ID: 1, Name: "免费停车", ImageURL: "https://img.url"}}
	back, err := loyalty.ParseSettings(s.Document())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, back); diff != "" {
		t.Errorf("read back:\n%s", diff)
	}
	if _, err := loyalty.ParseSettings(`{"zone":"UTC","surprise":1}`); err == nil {
		t.Error("an unknown key was taken")
	}
	for name, change := range map[string]func(*loyalty.Settings){
		"zone":      func(s *loyalty.Settings) { s.Zone = "Mars/Olympus" },
		"rate":      func(s *loyalty.Settings) { s.Points.Rate.Den = 0 },
		"validity":  func(s *loyalty.Settings) { s.Points.Validity.Kind = "forever" },
		"clawback":  func(s *loyalty.Settings) { s.Clawback = "maybe" },
		"give back": func(s *loyalty.Settings) { s.GiveBack = "" },
		"event":     func(s *loyalty.Settings) { s.Events[0].Operation = loyalty.OpPayment },
		"levels":    func(s *loyalty.Settings) { s.Levels[1].Threshold = 5_000 },
		"credit":    func(s *loyalty.Settings) { s.MaxCredit = 0 },
	} {
		s := loyalty.DefaultSettings()
		change(&s)
		if _, err := loyalty.NewSnapshot("m", 1, 0, s); err == nil {
			t.Errorf("%s: not refused", name)
		}
	}
}
