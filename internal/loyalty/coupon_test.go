package loyalty_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

func addTemplate(number string, change func(*loyalty.TemplateTerms)) loyalty.AddTemplate {
	return loyalty.AddTemplate{Merchant: "m", Template: loyalty.TemplateKey{Number: number}, Terms: loyaltytest.Terms(change)}
}

func TestTermsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	now := loyalty.InstantOf(w.Now)
	many := make([]loyalty.ScopeItem, 1_001)
	for _, c := range []struct {
		field  string
		change func(*loyalty.TemplateTerms)
	}{
		{"name", func(x *loyalty.TemplateTerms) { x.Name, x.Category = "", 9 }},
		{"coupon_category", func(x *loyalty.TemplateTerms) { x.Category, x.Discount = 5, -1 }},
		{"coupon_category", func(x *loyalty.TemplateTerms) { x.Category = -1 }},
		{"discount_fee", func(x *loyalty.TemplateTerms) { x.Discount, x.MinimumFee = -1, -1 }},
		{"discount_fee", func(x *loyalty.TemplateTerms) { x.Discount = loyalty.MaxAmount + 1 }},
		{"discount_fee", func(x *loyalty.TemplateTerms) { x.Category, x.Discount = loyalty.OrderDiscount, 0 }},
		{"discount_fee", func(x *loyalty.TemplateTerms) { x.Category, x.Discount = loyalty.ProductDiscount, 100 }},
		{"minimum_fee", func(x *loyalty.TemplateTerms) { x.MinimumFee, x.Period = -1, true }},
		{"minimum_fee", func(x *loyalty.TemplateTerms) { x.MinimumFee = loyalty.MaxAmount + 1 }},
		{"begin_time", func(x *loyalty.TemplateTerms) { x.Period = true }},
		{"end_time", func(x *loyalty.TemplateTerms) { x.Period, x.BeginAt, x.EndAt, x.Quantity = true, now, now, -1 }},
		{"fixed_term", func(x *loyalty.TemplateTerms) { x.Term, x.Quantity = 0, -1 }},
		{"fixed_term", func(x *loyalty.TemplateTerms) { x.Term = 36_501 }},
		{"quantity", func(x *loyalty.TemplateTerms) { x.Quantity, x.ClaimLimit = -1, -1 }},
		{"quantity", func(x *loyalty.TemplateTerms) { x.Quantity = 1_000_000_001 }},
		{"claim_number", func(x *loyalty.TemplateTerms) { x.ClaimLimit, x.Restriction = -1, 3 }},
		{"claim_number", func(x *loyalty.TemplateTerms) { x.ClaimLimit = 1_000_000_001 }},
		{"member_restrict_type", func(x *loyalty.TemplateTerms) { x.Restriction, x.SuitStore = 3, 1 }},
		{"member_restrict_type", func(x *loyalty.TemplateTerms) { x.Restriction = -1 }},
		{"stores", func(x *loyalty.TemplateTerms) { x.SuitStore, x.SuitItem = 1, 1 }},
		{"stores", func(x *loyalty.TemplateTerms) { x.Stores = many }},
		{"items", func(x *loyalty.TemplateTerms) { x.SuitItem, x.Categories = 1, many }},
		{"items", func(x *loyalty.TemplateTerms) { x.Items = many }},
		{"categories", func(x *loyalty.TemplateTerms) { x.SuitItem, x.NewMemberDays = 2, -1 }},
		{"categories", func(x *loyalty.TemplateTerms) { x.Categories = many }},
		{"new_member_days", func(x *loyalty.TemplateTerms) { x.NewMemberDays, x.Levels = -1, []int64{8} }},
		{"new_member_days", func(x *loyalty.TemplateTerms) { x.NewMemberDays = 36_501 }},
		{"levels", func(x *loyalty.TemplateTerms) { x.Levels = []int64{1, 8} }},
		{"levels", func(x *loyalty.TemplateTerms) { x.EnforceOnGive, x.Restriction = true, loyalty.RestrictLevels }},
	} {
		_, err := loyaltytest.Do(w, addTemplate("t", c.change))
		if diff := cmp.Diff(loyalty.Refusal{Code: loyalty.TemplateInvalid, Field: c.field}, err); diff != "" {
			t.Errorf("%s:\n%s", c.field, diff)
		}
	}
	if s := w.Store.Dump(nil); len(s.Templates) != 0 {
		t.Errorf("%d templates", len(s.Templates))
	}
	for i, change := range []func(*loyalty.TemplateTerms){
		func(x *loyalty.TemplateTerms) { x.Category, x.Discount = loyalty.OrderDiscount, 99 },
		func(x *loyalty.TemplateTerms) { x.Category, x.Discount = loyalty.ProductDiscount, 1 },
		func(x *loyalty.TemplateTerms) { x.Discount, x.MinimumFee = 0, 0 },
		func(x *loyalty.TemplateTerms) { x.Restriction = loyalty.RestrictLevels }, // the issuer enforces it
		func(x *loyalty.TemplateTerms) { x.Period, x.Term, x.BeginAt, x.EndAt = true, 0, now-9, now+1 },
		func(x *loyalty.TemplateTerms) { x.Term = 36_500 },
	} {
		w.Template(fmt.Sprint("good", i), change)
	}
}

func TestATemplateIsAddedOnce(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	end := loyalty.InstantOf(w.Now.AddDate(0, 0, 1))
	call := addTemplate("t", func(x *loyalty.TemplateTerms) {
		x.Period, x.BeginAt, x.EndAt, x.Quantity = true, end-1, end, 5
		x.Stores = []loyalty.ScopeItem{{ID: "7", Name: "七店"}}
	})
	first := loyaltytest.Must(w, call)
	who := w.Register("13800000001")
	loyaltytest.Must(w, w.Give(who, "t", "c1"))
	w.Days(2) // past its end a repeat is still a repeat
	call.App = "another"
	if again := loyaltytest.Must(w, call); again != first || first.ID == 0 {
		t.Errorf("first %+v, again %+v", first, again)
	}
	rows := w.Store.Dump(nil).Templates
	if len(rows) != 1 || rows[0].Issued != 1 {
		t.Errorf("templates %+v", rows)
	}
	late := call
	late.Template.Number = "late"
	other := call
	other.Terms.Quantity = 6
	wantRefusals(t, w, []refusal{
		{"other terms", trying(w, other), loyalty.TemplateTaken, 0},
		{"over before it began", trying(w, late), loyalty.TemplateOver, 0},
	})
	other.Template.Space, other.Terms.EndAt = "apart", end+5*86_400_000
	if got := loyaltytest.Must(w, other); got.ID == first.ID {
		t.Error("two spaces share a template")
	}
	back, err := loyalty.ParseTemplateTerms(call.Terms.Document())
	if diff := cmp.Diff(call.Terms, back); diff != "" || err != nil {
		t.Errorf("read back: %v\n%s", err, diff)
	}
}

// TestRefusalsOfGiving: each row also violates what the rows below it check,
// where that is possible.
func TestRefusalsOfGiving(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	c := newCast(w)
	w.Days(40)
	fresh := w.Register("13800000006")
	end := loyalty.InstantOf(w.Now.AddDate(0, 0, 1))
	w.Template("t", nil)
	w.Template("limited", func(x *loyalty.TemplateTerms) {
		x.Quantity, x.ClaimLimit, x.Period, x.BeginAt, x.EndAt, x.EnforceOnGive, x.Restriction = 3, 2, true, 1, end, true, loyalty.RestrictNew
	})
	w.Template("stock", func(x *loyalty.TemplateTerms) { x.Quantity, x.ClaimLimit = 1, 1 })
	w.Template("claims", func(x *loyalty.TemplateTerms) { x.ClaimLimit = 2 })
	loyaltytest.Must(w, w.Give(c.anna, "t", "held"))
	loyaltytest.Must(w, w.Give(fresh, "limited", "l1", "l2"))
	loyaltytest.Must(w, w.Give(fresh, "stock", "s1"))
	loyaltytest.Must(w, w.Give(fresh, "claims", "k1"))

	gift := func(who loyalty.Who, number string) loyalty.CouponGift {
		return loyalty.CouponGift{Who: who, Number: number}
	}
	give := func(template string, each int64, entries ...loyalty.CouponGift) func() error {
		g := w.Give(c.anna, template)
		g.Each, g.Entries = each, entries
		return trying(w, g)
	}
	ahead := w.Give(c.nobody, "none", "n")
	ahead.ReceivedAt += 5*60*1000 + 1
	twice := w.Give(c.nobody, "none", "n", "x", "n")
	twice.ReceivedAt = ahead.ReceivedAt
	many := make([]loyalty.CouponGift, 1_001)
	wantRefusals(t, w, []refusal{
		{"no entries", give("none", 1), loyalty.GiveCount, 0},
		{"too many entries", give("none", 1, many...), loyalty.GiveCount, 0},
		{"none each", give("none", 0, gift(c.nobody, "held")), loyalty.GiveCount, 0},
		{"one number twice", trying(w, twice), loyalty.CouponRepeated, 3},
		{"ahead of time", trying(w, ahead), loyalty.TimeAhead, 0},
		{"nobody", give("none", 2, gift(c.anna, "held"), gift(c.nobody, "n")), loyalty.MemberNotFound, 2},
		{"two members", give("none", 2, gift(c.two, "n")), loyalty.MembersDisagree, 1},
		{"fewer than each", give("none", 2, gift(c.anna, "n1"), gift(c.anna, "n2"), gift(c.off, "n3")), loyalty.GiveCount, 3},
		{"more than each", give("none", 1, gift(c.anna, "n1"), gift(c.anna, "n2")), loyalty.GiveCount, 1},
		{"no template", give("none", 1, gift(c.off, "held")), loyalty.TemplateNotFound, 0},
		{"another member's number", give("t", 1, gift(c.anna, "n"), gift(c.off, "held")), loyalty.CouponTaken, 2},
		{"another template's number", give("limited", 1, gift(c.anna, "held")), loyalty.CouponTaken, 1},
		{"disabled", give("limited", 1, gift(c.off, "n")), loyalty.MemberDisabled, 1},
		{"erased", give("limited", 1, gift(c.gone, "n")), loyalty.MemberErased, 1},
		{"erased, after one that is fine", give("claims", 1, gift(c.berta, "n"), gift(c.gone, "n2")), loyalty.MemberErased, 2},
		{"for new members", give("limited", 1, gift(c.berta, "n")), loyalty.RestrictionUnmet, 1},
		{"stock before claims", give("stock", 1, gift(fresh, "n")), loyalty.StockExhausted, 1},
		{"claims", give("limited", 1, gift(fresh, "n")), loyalty.ClaimLimitReached, 1},
		{"claims within the call", give("claims", 2, gift(fresh, "n1"), gift(fresh, "n2")), loyalty.ClaimLimitReached, 2},
	})
	w.Now = end.In(w.Rules.Location())
	wantRefusals(t, w, []refusal{
		{"past the end, disabled", give("limited", 1, gift(c.off, "n")), loyalty.MemberDisabled, 1},
		{"past the end", give("limited", 1, gift(c.berta, "n")), loyalty.TemplateOver, 0},
	})
	loyaltytest.Must(w, w.Give(fresh, "limited", "l1", "l2")) // the same again
}

func TestGivingIsAllOrNothingAndRepeatable(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	anna, berta := w.Register("13800000001"), w.Register("13800000002")
	w.Template("t", func(x *loyalty.TemplateTerms) { x.Quantity, x.ClaimLimit = 5, 3 })
	call := loyalty.GiveCoupons{
		Merchant: "m", Template: loyalty.TemplateKey{Number: "t"}, Each: 2, ReceivedAt: loyalty.InstantOf(w.Now), Store: "s1", App: "till",
		Entries: []loyalty.CouponGift{
			{Who: loyalty.Who{Phone: "13800000001"}, Number: "a1"}, {Who: berta, Number: "b1"}, {Who: anna, Number: "a2"}, {Who: berta, Number: "b2"},
		},
	}
	first := loyaltytest.Must(w, call)
	open := func(id int64) string { return fmt.Sprintf("%032x", id) }
	want := []loyalty.GivenCoupon{{anna.ID, open(anna.ID), 1}, {berta.ID, open(berta.ID), 1}, {anna.ID, open(anna.ID), 2}, {berta.ID, open(berta.ID), 2}}
	if diff := cmp.Diff(want, first.Coupons); diff != "" {
		t.Errorf("answer:\n%s", diff)
	}
	state := w.Store.Dump(nil)
	if again := loyaltytest.Must(w, call); !cmp.Equal(again, first) {
		t.Errorf("again %+v", again)
	}
	part := call
	part.Entries, part.Each = call.Entries[2:], 1
	if again := loyaltytest.Must(w, part); !cmp.Equal(again.Coupons, first.Coupons[2:]) {
		t.Errorf("a part again %+v", again)
	}
	if diff := cmp.Diff(state, w.Store.Dump(nil)); diff != "" {
		t.Errorf("a repeat changed rows:\n%s", diff)
	}

	// One is left: neither of two new ones is given, an old one beside a new one is fine.
	_, err := loyaltytest.Do(w, w.Give(anna, "t", "a3", "a4"))
	if err != (loyalty.Refusal{Code: loyalty.StockExhausted, Item: 2}) {
		t.Errorf("beyond the stock: %v", err)
	}
	if diff := cmp.Diff(state, w.Store.Dump(nil)); diff != "" {
		t.Errorf("half a gift was booked:\n%s", diff)
	}
	mixed := loyaltytest.Must(w, w.Give(anna, "t", "a1", "a3"))
	if diff := cmp.Diff([]loyalty.GivenCoupon{want[0], {anna.ID, open(anna.ID), 3}}, mixed.Coupons); diff != "" {
		t.Errorf("one old, one new:\n%s", diff)
	}
	state = w.Store.Dump(nil)
	if state.Templates[0].Issued != 5 || len(state.Coupons) != 5 {
		t.Errorf("%d issued, %d coupons", state.Templates[0].Issued, len(state.Coupons))
	}
	if diff := cmp.Diff([]loyalty.Claims{{Member: anna.ID, Template: state.Templates[0].ID, Count: 3}, {Member: berta.ID, Template: state.Templates[0].ID, Count: 2}}, state.Claims); diff != "" {
		t.Errorf("claims:\n%s", diff)
	}
	ids := map[int64]bool{}
	for _, c := range state.Coupons {
		ids[c.ID] = true
	}
	if c := w.Coupon("b2"); len(ids) != 5 || c.ReceiveStore != "s1" || c.App != "till" || c.GivenAt != call.ReceivedAt {
		t.Errorf("%d ids, coupon %+v", len(ids), c)
	}
}

func TestClaimsCountAcrossCalls(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	anna, berta := w.Register("13800000001"), w.Register("13800000002")
	w.Template("t", func(x *loyalty.TemplateTerms) { x.ClaimLimit = 2 })
	w.Template("free", nil)
	loyaltytest.Must(w, w.Give(anna, "t", "a1"))
	loyaltytest.Must(w, w.Give(anna, "free", "f1", "f2", "f3")) // another template's count for nothing
	loyaltytest.Must(w, w.Give(anna, "t", "a2"))
	loyaltytest.Must(w, loyalty.SyncCoupon{Who: anna, Code: "a2", State: loyalty.CouponDeleted}) // given is given
	_, err := loyaltytest.Do(w, w.Give(anna, "t", "a3"))
	if err != (loyalty.Refusal{Code: loyalty.ClaimLimitReached, Item: 1}) {
		t.Errorf("a third one: %v", err)
	}
	loyaltytest.Must(w, w.Give(berta, "t", "b1", "b2"))
}

// TestClaimsCountWhenAPhoneMovedInTheBatch: when the batch is loaded the phone
// is Anna's; when the coupon is given it is Berta's, who has had all she may.
func TestClaimsCountWhenAPhoneMovedInTheBatch(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	anna, berta := w.Register("13800000001"), w.Register("13800000002")
	w.Template("t", func(x *loyalty.TemplateTerms) { x.ClaimLimit = 1 })
	loyaltytest.Must(w, w.Give(berta, "t", "b1"))
	give := w.Give(loyalty.Who{Phone: "13800000001"}, "t", "b2")
	out := w.Batch(
		loyalty.Any(loyalty.ChangePhone{Who: anna, Phone: "13800000003"}),
		loyalty.Any(loyalty.ChangePhone{Who: berta, Phone: "13800000001"}),
		loyalty.Any(give),
	)
	if out[0].Err != nil || out[1].Err != nil || out[2].Err != (loyalty.Refusal{Code: loyalty.ClaimLimitReached, Item: 1}) {
		t.Errorf("got %v, %v, %v", out[0].Err, out[1].Err, out[2].Err)
	}
}

func TestRestrictionsAreEnforcedOnlyWhereTheTemplateSaysSo(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	old := w.Register("13800000001")
	loyaltytest.Must(w, w.Order(old, "o1", 100_000, 0)) // level 3
	w.Now = time.Date(2026, 1, 25, 0, 0, 0, 0, w.Rules.Location())
	young := w.Register("13800000002")
	terms := func(enforce bool, restriction loyalty.Restriction, days int, levels ...int64) func(*loyalty.TemplateTerms) {
		return func(x *loyalty.TemplateTerms) {
			x.EnforceOnGive, x.Restriction, x.NewMemberDays, x.Levels = enforce, restriction, days, levels
		}
	}
	for i, c := range []struct {
		terms      func(*loyalty.TemplateTerms)
		old, young bool
	}{
		{terms(false, loyalty.RestrictLevels, 0, 3), true, true},
		{terms(true, loyalty.RestrictLevels, 0, 3, 4), true, false},
		{terms(true, loyalty.RestrictLevels, 0, 1), false, true},
		{terms(true, loyalty.RestrictNew, 10), true, true}, // registered ten days ago, by the calendar
		{terms(true, loyalty.RestrictNew, 9), false, true},
		{terms(false, loyalty.RestrictNew, 9), true, true},
		{terms(true, loyalty.RestrictNobody, 0), true, true},
	} {
		number := fmt.Sprint("t", i)
		w.Template(number, c.terms)
		for who, want := range map[loyalty.Who]bool{old: c.old, young: c.young} {
			_, err := loyaltytest.Do(w, w.Give(who, number, fmt.Sprint(number, who.ID)))
			if got := err == nil; got != want {
				t.Errorf("%s to member %d: %v", number, who.ID, err)
			}
		}
	}
	w.Template("default", terms(true, loyalty.RestrictNew, 0)) // thirty days
	w.Now = time.Date(2026, 2, 14, 23, 0, 0, 0, w.Rules.Location())
	loyaltytest.Must(w, w.Give(old, "default", "d1"))
	w.Days(1)
	_, err := loyaltytest.Do(w, w.Give(old, "default", "d2"))
	if err != (loyalty.Refusal{Code: loyalty.RestrictionUnmet, Item: 1}) {
		t.Errorf("after 31 days: %v", err)
	}
}

// A level that has fallen with the end of its period lets nobody receive what is
// for it, booked or not.
func TestALevelThatHasEndedReceivesNothing(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
		s.Growth.Period, s.Growth.Downgrade = loyalty.GrowthPeriod{Kind: loyalty.PeriodYear}, loyalty.DowngradeFitting
	})
	who := w.Register("13800000001")
	loyaltytest.Must(w, w.Order(who, "o1", 100_000, 50)) // level 3
	w.Template("t", func(x *loyalty.TemplateTerms) {
		x.EnforceOnGive, x.Restriction, x.Levels = true, loyalty.RestrictLevels, []int64{3}
	})
	w.Now = time.Date(2027, 12, 31, 23, 59, 0, 0, w.Rules.Location())
	loyaltytest.Must(w, w.Give(who, "t", "c1"))
	before := w.Member(who)
	w.Now = w.Now.Add(time.Minute)
	_, err := loyaltytest.Do(w, w.Give(who, "t", "c2"))
	if err != (loyalty.Refusal{Code: loyalty.RestrictionUnmet, Item: 1}) {
		t.Errorf("after the period: %v", err)
	}
	if m := w.Member(who); m != before || m.Level != 3 {
		t.Errorf("giving has booked what was due: %+v", m)
	}
}

func TestLivesOfCoupons(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	loc := w.Rules.Location()
	at := func(text string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04:05", text, loc)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	w.Now = at("2021-07-17 00:25:00")
	who := w.Register("13800000001")
	w.Template("term", nil)
	begin, end := loyalty.InstantOf(at("2021-08-01 00:00:00")), loyalty.InstantOf(at("2021-08-02 12:00:00"))
	w.Template("period", func(x *loyalty.TemplateTerms) { x.Period, x.BeginAt, x.EndAt = true, begin, end })

	give := w.Give(who, "term", "example") // of the document, finding G-237
	give.ReceivedAt = loyalty.InstantOf(at("2021-07-17 00:23:22"))
	loyaltytest.Must(w, give)
	c := w.Coupon("example")
	if c.BeginAt != give.ReceivedAt || c.EndAt != loyalty.InstantOf(at("2021-07-28 00:00:00")) || c.State != loyalty.CouponValid || c.GivenAt != loyalty.InstantOf(w.Now) {
		t.Errorf("the document's example: %+v", c)
	}
	give = w.Give(who, "term", "ahead") // the issuer's clock is ahead of ours, as far as it may be
	give.ReceivedAt += 5 * 60 * 1000
	loyaltytest.Must(w, give)
	loyaltytest.Must(w, w.Give(who, "period", "period"))
	if c := w.Coupon("period"); c.BeginAt != begin || c.EndAt != end || c.State != loyalty.CouponWaiting {
		t.Errorf("a period: %+v", c)
	}
	for _, step := range []struct {
		code    string
		at      loyalty.Instant
		state   loyalty.CouponState
		usable  bool
		expired bool
	}{
		{"ahead", give.ReceivedAt - 1, loyalty.CouponWaiting, false, false},
		{"ahead", give.ReceivedAt, loyalty.CouponValid, true, false},
		{"period", begin - 1, loyalty.CouponWaiting, false, false},
		{"period", begin, loyalty.CouponValid, true, false},
		{"period", end - 1, loyalty.CouponValid, true, false},
		{"period", end, loyalty.CouponValid, false, true},
	} {
		c := w.Coupon(step.code)
		if got := c.StateAt(step.at); got != step.state || c.Usable(step.at) != step.usable || c.Expired(step.at) != step.expired {
			t.Errorf("%s at %d: state %d, usable %v, expired %v", step.code, step.at, got, c.Usable(step.at), c.Expired(step.at))
		}
	}
	_, err := loyaltytest.Do(w, w.Redeem(who, "o1", "period"))
	if err != (loyalty.Refusal{Code: loyalty.CouponNotUsable, Item: 1}) {
		t.Errorf("redeemed before its begin: %v", err)
	}
	w.Now = begin.In(loc)
	if stored := w.Coupon("period").State; stored != loyalty.CouponWaiting {
		t.Errorf("time changed the row: %d", stored)
	}
	loyaltytest.Must(w, w.Redeem(who, "o1", "period"))
	if used := w.Coupon("period"); used.Expired(end) {
		t.Error("a used coupon expired")
	}
}

// stateOf brings a fresh coupon into the state by the calls that lead there.
func stateOf(w *loyaltytest.World, who loyalty.Who, code string, state loyalty.CouponState) {
	switch state {
	case loyalty.CouponUsed:
		loyaltytest.Must(w, w.Redeem(who, "o-"+code, code))
	case loyalty.CouponInUse, loyalty.CouponDeleted:
		loyaltytest.Must(w, loyalty.SyncCoupon{Who: who, Code: code, State: state})
	}
}

func TestWhatAnIssuerMayReport(t *testing.T) {
	t.Parallel()
	// From each state to each: + possible, = no change, - refused. The columns
	// are 0 deleted, 1 valid, 2 used, 3 in use, 4 waiting.
	for _, c := range []struct {
		from           loyalty.CouponState
		before, beyond string // its end
	}{
		{loyalty.CouponDeleted, "=----", "=----"},
		{loyalty.CouponValid, "+=++-", "+=+--"},
		{loyalty.CouponUsed, "++=--", "+-=--"},
		{loyalty.CouponInUse, "+++=-", "+-+=-"},
		{loyalty.CouponWaiting, "++--=", "+=+--"}, // by then it has become valid
	} {
		for to := loyalty.CouponDeleted; to <= loyalty.CouponWaiting; to++ {
			wantReport(t, c.from, to, false, c.before[to])
			wantReport(t, c.from, to, true, c.beyond[to])
		}
	}
}

// wantReport reports one state of a coupon that is in another.
func wantReport(t *testing.T, from, to loyalty.CouponState, beyond bool, want byte) {
	t.Helper()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	now := loyalty.InstantOf(w.Now)
	w.Template("t", func(x *loyalty.TemplateTerms) {
		x.Period, x.BeginAt, x.EndAt = true, now, now+86_400_000
		if from == loyalty.CouponWaiting {
			x.BeginAt = now + 1_000
		}
	})
	loyaltytest.Must(w, w.Give(who, "t", "c"))
	stateOf(w, who, "c", from)
	if beyond {
		w.Days(1)
	}
	before := w.Coupon("c")
	got, err := loyaltytest.Do(w, loyalty.SyncCoupon{Who: who, Code: "c", State: to})
	after := w.Coupon("c")
	name := fmt.Sprintf("from %d to %d, beyond its end: %v", from, to, beyond)
	switch want {
	case '-':
		wantError(t, err, loyalty.CouponStateRefused)
		if err == nil || before != after {
			t.Errorf("%s: %v, %+v", name, err, after)
		}
	case '=':
		if err != nil || before != after || got.Coupon != after {
			t.Errorf("%s: %v, %+v", name, err, after)
		}
	default:
		expect := before
		expect.State = to
		switch to {
		case loyalty.CouponUsed:
			expect.UsedAt = loyalty.InstantOf(w.Now)
		case loyalty.CouponValid: // forgets its order
			expect.UsedAt, expect.UsedFor, expect.UsedStore = 0, "", ""
		}
		if err != nil || after != expect || got.Coupon != expect {
			t.Errorf("%s: %v\n%s", name, err, cmp.Diff(expect, after))
		}
	}
}

// TestRefusalsOfCoupons: each row also violates what the rows below it check,
// where that is possible.
func TestRefusalsOfCoupons(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	c := newCast(w)
	loyaltytest.Must(w, loyalty.SetStatus{Who: c.off, Status: loyalty.Active})
	w.Template("t", func(x *loyalty.TemplateTerms) { x.SuitStore, x.Stores = 1, []loyalty.ScopeItem{{ID: "s1"}, {ID: "s2"}} })
	loyaltytest.Must(w, w.Give(c.anna, "t", "a1", "a2", "a3", "used", "deleted"))
	loyaltytest.Must(w, w.Give(c.berta, "t", "b1"))
	loyaltytest.Must(w, w.Give(c.off, "t", "off1", "off2"))
	stateOf(w, c.off, "off2", loyalty.CouponUsed)
	stateOf(w, c.anna, "used", loyalty.CouponUsed)
	stateOf(w, c.anna, "deleted", loyalty.CouponDeleted)
	loyaltytest.Must(w, loyalty.SetStatus{Who: c.off, Status: loyalty.Disabled})

	sync := func(who loyalty.Who, code string, state loyalty.CouponState) func() error {
		return trying(w, loyalty.SyncCoupon{Who: who, Code: code, State: state})
	}
	apart := loyalty.SyncCoupon{Who: c.anna, Space: "apart", Code: "a1", State: 2}
	berta := w.Coupon("b1")
	wantRefusals(t, w, []refusal{
		{"no such state", sync(c.nobody, "none", 5), loyalty.CouponStateUnknown, 0},
		{"below all states", sync(c.nobody, "none", -1), loyalty.CouponStateUnknown, 0},
		{"nobody", sync(c.nobody, "none", 2), loyalty.MemberNotFound, 0},
		{"two members", sync(c.two, "none", 2), loyalty.MembersDisagree, 0},
		{"no coupon", sync(c.off, "none", 2), loyalty.CouponNotFound, 0},
		{"another member's", sync(c.off, "a1", 2), loyalty.CouponNotFound, 0},
		{"another member's, by its code", sync(c.anna, fmt.Sprint(berta.Code()), 2), loyalty.CouponNotFound, 0},
		{"another space's", trying(w, apart), loyalty.CouponNotFound, 0},
		{"disabled", sync(c.off, "off1", 3), loyalty.MemberDisabled, 0},
		{"erased has none", sync(c.gone, "a1", 2), loyalty.CouponNotFound, 0},
		{"refused", sync(c.anna, "deleted", 1), loyalty.CouponStateRefused, 0},
		{"refused, disabled", sync(c.off, "off1", 4), loyalty.CouponStateRefused, 0},
	})

	redeem := func(who loyalty.Who, change func(*loyalty.RedeemCoupons), codes ...string) func() error {
		r := w.Redeem(who, "o1", codes...)
		if change != nil {
			change(&r)
		}
		return trying(w, r)
	}
	ahead := func(r *loyalty.RedeemCoupons) { r.At += 5*60*1000 + 1 }
	wantRefusals(t, w, []refusal{
		{"no codes", redeem(c.nobody, ahead), loyalty.NothingNamed, 0},
		{"no order", redeem(c.nobody, func(r *loyalty.RedeemCoupons) { ahead(r); r.OrderNo = "" }, "none"), loyalty.NothingNamed, 0},
		{"ahead of time", redeem(c.nobody, ahead, "none"), loyalty.TimeAhead, 0},
		{"nobody", redeem(c.nobody, nil, "none"), loyalty.MemberNotFound, 0},
		{"two members", redeem(c.two, nil, "none"), loyalty.MembersDisagree, 0},
		{"no coupon", redeem(c.off, nil, "off2", "none"), loyalty.CouponNotFound, 2},
		{"another member's", redeem(c.anna, nil, "used", "a1", "b1"), loyalty.CouponNotFound, 3},
		{"another space's", redeem(c.anna, func(r *loyalty.RedeemCoupons) { r.Space = "apart" }, "a1"), loyalty.CouponNotFound, 1},
		{"disabled", redeem(c.off, nil, "off2"), loyalty.MemberDisabled, 0},
		{"used for another order", redeem(c.anna, nil, "a1", "used"), loyalty.CouponNotUsable, 2},
		{"deleted", redeem(c.anna, nil, "deleted", "a1"), loyalty.CouponNotUsable, 1},
		{"not at that store", redeem(c.anna, func(r *loyalty.RedeemCoupons) { r.Store = "s3" }, "a1"), loyalty.CouponNotUsable, 1},
		{"before it was given", redeem(c.anna, func(r *loyalty.RedeemCoupons) { r.At-- }, "a1"), loyalty.CouponNotUsable, 1},
	})
	w.Days(11)
	late := func(at loyalty.Instant) func(*loyalty.RedeemCoupons) {
		return func(r *loyalty.RedeemCoupons) { r.At = at }
	}
	end := w.Coupon("a1").EndAt
	wantRefusals(t, w, []refusal{{"past its end", redeem(c.anna, late(end), "a1"), loyalty.CouponNotUsable, 1}})
	if err := redeem(c.anna, late(end-1), "a1")(); err != nil { // told late, used in time
		t.Errorf("used at the last moment: %v", err)
	}
	// A disabled member's coupons can come back and go.
	loyaltytest.Must(w, loyalty.SyncCoupon{Who: c.off, Code: "off2", State: loyalty.CouponDeleted})
}

func TestRedeeming(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	w.Template("t", nil)
	w.Template("stores", func(x *loyalty.TemplateTerms) { x.SuitStore, x.Stores = 1, []loyalty.ScopeItem{{ID: "s1"}} })
	loyaltytest.Must(w, w.Give(who, "t", "c1", "c2", "c3", "c4"))
	loyaltytest.Must(w, w.Give(who, "stores", "s"))
	stateOf(w, who, "c2", loyalty.CouponInUse)
	byCode := w.Coupon("c3")
	code := fmt.Sprint(byCode.Code())

	w.Days(1)
	call := w.Redeem(who, "o1", "c1", "c2", code, "s")
	call.Store, call.At = "s1", call.At-1_000
	got := loyaltytest.Must(w, call)
	var numbers []string
	for _, c := range got.Coupons {
		numbers = append(numbers, c.Number)
		if stored := w.Coupon(c.Number); stored != c {
			t.Errorf("answered %+v, stored %+v", c, stored)
		}
		if c.State != loyalty.CouponUsed || c.UsedFor != "o1" || c.UsedAt != call.At || c.UsedStore != "s1" {
			t.Errorf("%+v", c)
		}
	}
	if !slices.Equal(numbers, []string{"c1", "c2", "c3", "s"}) {
		t.Errorf("answered %v", numbers)
	}

	state := w.Store.Dump(nil)
	w.Days(20) // beyond their end
	again := call
	again.At, again.Store = loyalty.InstantOf(w.Now), "s9"
	if got2 := loyaltytest.Must(w, again); !cmp.Equal(got, got2) {
		t.Errorf("again %+v", got2)
	}
	if diff := cmp.Diff(state, w.Store.Dump(nil)); diff != "" {
		t.Errorf("a repeat changed rows:\n%s", diff)
	}
	_, err := loyaltytest.Do(w, w.Redeem(who, "o2", "c1"))
	if err != (loyalty.Refusal{Code: loyalty.CouponNotUsable, Item: 1}) {
		t.Errorf("for another order: %v", err)
	}
}

func TestRedeemingMoreForAnOrder(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who := w.Register("13800000001")
	w.Template("t", nil)
	loyaltytest.Must(w, w.Give(who, "t", "c1", "c2", "c3"))
	loyaltytest.Must(w, w.Redeem(who, "o1", "c1"))
	second := w.Coupon("c2")
	// One done before, one named by both of its codes.
	loyaltytest.Must(w, w.Redeem(who, "o1", "c1", "c2", fmt.Sprint(second.Code())))
	loyaltytest.Must(w, loyalty.SyncCoupon{Who: who, Code: "c3", State: loyalty.CouponUsed})
	if c := w.Coupon("c3"); c.UsedFor != "" {
		t.Errorf("used for %q", c.UsedFor)
	}
	_, err := loyaltytest.Do(w, w.Redeem(who, "o1", "c1", "c3")) // used, nobody knows what for
	if err != (loyalty.Refusal{Code: loyalty.CouponNotUsable, Item: 2}) {
		t.Errorf("got %v", err)
	}
	loyaltytest.Must(w, loyalty.SyncCoupon{Who: who, Code: fmt.Sprint(second.Code()), State: loyalty.CouponValid})
	loyaltytest.Must(w, w.Redeem(who, "o2", "c2")) // it came back
}

func TestCouponsComeBackWithTheRefund(t *testing.T) {
	t.Parallel()
	for _, give := range []bool{true, false} {
		w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Orders.ReturnCoupons = give })
		who := w.Register("13800000001")
		w.Template("short", func(x *loyalty.TemplateTerms) { x.Term = 1 })
		w.Template("long", nil)
		loyaltytest.Must(w, w.Give(who, "short", "ends"))
		loyaltytest.Must(w, w.Give(who, "long", "back", "deleted", "other", "apart"))
		loyaltytest.Must(w, w.Redeem(who, "o1", "ends", "back", "deleted"))
		loyaltytest.Must(w, w.Redeem(who, "o2", "other"))
		loyaltytest.Must(w, loyalty.SyncCoupon{Who: who, Code: "deleted", State: loyalty.CouponDeleted})
		loyaltytest.Must(w, w.Order(who, "o1", 10_000, 0))
		before := w.Store.Dump(nil).Coupons

		loyaltytest.Must(w, w.Refund(who, "r1", "o1", 9_999, 0))
		if diff := cmp.Diff(before, w.Store.Dump(nil).Coupons); diff != "" {
			t.Errorf("a part of the money brought coupons back:\n%s", diff)
		}
		w.Now = w.Coupon("ends").EndAt.In(w.Rules.Location())
		loyaltytest.Must(w, w.Refund(who, "r2", "o1", 1, 0))
		want := map[string]loyalty.CouponState{"ends": 2, "back": 2, "deleted": 0, "other": 2, "apart": 1}
		if give {
			want["back"] = loyalty.CouponValid
		}
		got := map[string]loyalty.CouponState{}
		for _, c := range w.Store.Dump(nil).Coupons {
			got[c.Number] = c.State
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("return_coupons %v:\n%s", give, diff)
		}
		_, err := loyaltytest.Do(w, w.Redeem(who, "o3", "back"))
		if ok := err == nil; ok != give {
			t.Errorf("return_coupons %v, used again: %v", give, err)
		}
		loyaltytest.Must(w, w.Refund(who, "r3", "o1", 0, 0)) // brings nothing back a second time
		if c := w.Coupon("back"); give && c.UsedFor != "o3" {
			t.Errorf("%+v", c)
		}
	}
}

func TestCouponCodes(t *testing.T) {
	t.Parallel()
	if got := loyalty.CouponCode(17, 3); got != 3_000_000_001_700_000_003 {
		t.Error(got)
	}
	for text, ok := range map[string]bool{
		"3000000001700000003": true, "3999999999999999999": true, "3000000001700000000": false, "3000000000000000003": false,
		"4000000001700000003": false, "2999999999999999999": false, "300000000170000003": false, "+300000001700000003": false, "": false, "300000000170000000x": false,
	} {
		if member, seq, got := loyalty.ParseCouponCode(text); got != ok || ok && loyalty.CouponCode(member, seq) == 0 {
			t.Errorf("%q: %d, %d, %v", text, member, seq, got)
		}
	}
	if member, seq, _ := loyalty.ParseCouponCode("3000000001700000003"); member != 17 || seq != 3 {
		t.Error(member, seq)
	}
}
