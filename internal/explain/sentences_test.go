package explain

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
)

var shanghai = func() *time.Location {
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		panic(err)
	}
	return zone
}()

func at(text string) loyalty.Instant {
	when, err := time.ParseInLocation(time.DateTime, text, shanghai)
	if err != nil {
		panic(err)
	}
	return loyalty.InstantOf(when)
}

// programme has a multiplier of every kind.
func programme(change func(*Rules)) *Rules {
	s := loyalty.DefaultSettings()
	s.Points.Rate = loyalty.Fraction{Num: 2, Den: 1}
	when := func(id, name, english string, f loyalty.Factor, c loyalty.Condition) {
		s.Points.Multipliers = append(s.Points.Multipliers, loyalty.Multiplier{ID: id, Name: name, NameEn: english, Factor: f, When: c})
	}
	when("gold", "金卡双倍", "gold double", 20_000, loyalty.Condition{Levels: []int64{3, 4}})
	when("top", "七级专享", "", 30_000, loyalty.Condition{Levels: []int64{7}})
	when("month", "生日当月", "birthday month", 15_000, loyalty.Condition{Birthday: loyalty.BirthdayMonth})
	when("day", "生日当天", "birthday", 50_000, loyalty.Condition{Birthday: loyalty.BirthdayDay})
	when("eleven", "双十一", "Double Eleven", 20_000, loyalty.Condition{From: at("2026-11-11 00:00:00"), Until: at("2026-11-12 00:00:00")})
	when("weekend", "周末", "weekend", 12_500, loyalty.Condition{Weekdays: []int{6, 7}})
	when("evening", "晚市", "evening", 11_000, loyalty.Condition{FromMinute: 18 * 60, UntilMinute: 21*60 + 30})
	when("night", "夜场", "night", 11_000, loyalty.Condition{FromMinute: 22 * 60, UntilMinute: 2 * 60})
	when("store", "新店开业", "new store", 20_000, loyalty.Condition{Stores: []string{"S1", "S2", "S3"}})
	when("stores", "多店", "many stores", 20_000, loyalty.Condition{Stores: strings.Split("A1 A2 A3 A4 A5 A6 A7 A8 A9", " ")})
	when("vip", "老会员", "regulars", 12_000, loyalty.Condition{Labels: []string{"VIP", "老会员"}})
	when("baby", "母婴 1.5 倍", "baby 1.5", 15_000, loyalty.Condition{Categories: []string{"BABY"}})
	when("milk", "指定奶粉", "milk powder", 30_000, loyalty.Condition{BarCodes: []string{"690001", "690002"}})
	when("both", "指定童装", "children's wear", 30_000, loyalty.Condition{Categories: []string{"KIDS"}, BarCodes: []string{"690009"}})
	when("gift", "礼品卡不积分", "gift cards", 0, loyalty.Condition{Categories: []string{"CARD"}})
	r := &Rules{Settings: s, AppliedAt: at("2026-11-01 09:30:00")}
	if change != nil {
		change(r)
	}
	return r
}

// sale is an order by the rule: Wednesday, 25 November 2026, 12:30.
func sale(fen int64, d loyalty.Decision) *loyalty.OrderFound {
	d.EarnedBy, d.Version, d.Fen = loyalty.ByRule, 7, fen
	if d.Points == (loyalty.Fraction{}) {
		d.Points = loyalty.Fraction{Num: 2, Den: 1}
	}
	d.Growth = loyalty.Fraction{Num: 1, Den: 1}
	o := &loyalty.OrderFound{Order: loyalty.Order{
		Member: 1, Seq: 1, OrderKey: loyalty.OrderKey{No: "T1"}, Kind: loyalty.Purchase, State: loyalty.Booked,
		ConsumedAt: at("2026-11-25 12:30:00"), BookedAt: at("2026-11-25 12:31:00"), App: "a", Amount: fen, Growth: fen / 100, Decision: d, Points: d.Granted(fen),
	}}
	o.Info.Store = "S9"
	return o
}

func tests(list ...loyalty.Test) loyalty.Decision { return loyalty.Decision{Level: 2, Tests: list} }

// TestOrderSentences is every way in which an order comes to its points.
func TestOrderSentences(t *testing.T) {
	t.Parallel()
	missed := func(id string, f loyalty.Factor, why loyalty.Miss) loyalty.Test {
		return loyalty.Test{ID: id, Factor: f, Miss: why}
	}
	day := at("2026-11-25 00:00:00")
	third := loyalty.Fraction{Num: 1, Den: 3}
	store := func(o *loyalty.OrderFound, store, shop string) *loyalty.OrderFound {
		o.Info.Store, o.Info.Shop = store, shop
		return o
	}
	when := func(o *loyalty.OrderFound, text string) *loyalty.OrderFound {
		o.ConsumedAt = at(text)
		return o
	}
	open := func(o *loyalty.OrderFound) *loyalty.OrderFound {
		o.Decision.Open = true
		return o
	}
	caller := func(points int64) *loyalty.OrderFound {
		o := sale(12_800, loyalty.Decision{})
		o.Points, o.Decision = points, loyalty.Decision{EarnedBy: loyalty.ByCaller, Version: 7, Growth: o.Decision.Growth}
		return o
	}
	old := func(d loyalty.Decision) *loyalty.OrderFound {
		o := caller(128)
		o.Decision = d
		return o
	}
	operators := func(o *loyalty.OrderFound) *loyalty.OrderFound {
		o.App = ""
		return o
	}
	material := func(o *loyalty.OrderFound, text string) *loyalty.OrderFound {
		o.Info.Material = text
		return o
	}
	combine := func(c loyalty.Combine) *Rules { return programme(func(r *Rules) { r.Points.Combine = c }) }
	goods := programme(func(r *Rules) { r.Points.Basis = loyalty.BasisGoods })
	two := loyalty.Decision{Level: 3, Tests: []loyalty.Test{{ID: "gold", Factor: 20_000}, {ID: "vip", Factor: 12_000}}}
	with := func(d loyalty.Decision, change func(*loyalty.Decision)) loyalty.Decision {
		change(&d)
		return d
	}
	shares := func(list ...loyalty.Share) loyalty.Decision { return loyalty.Decision{Shares: list} }
	caps := func(list ...loyalty.Cap) loyalty.Decision { return loyalty.Decision{Caps: list} }

	var b strings.Builder
	for _, c := range []struct {
		name  string
		order *loyalty.OrderFound
		rules *Rules
	}{
		{"by the rule, nothing else", sale(12_800, loyalty.Decision{}), programme(nil)},
		{"when the version came is not known", sale(12_800, loyalty.Decision{}), programme(func(r *Rules) { r.AppliedAt = 0 })},
		{"the version is not known any more", sale(12_800, with(tests(missed("gold", 20_000, loyalty.MissLevel)), func(d *loyalty.Decision) {
			d.Shares = []loyalty.Share{{Fen: 6_000, Factor: 15_000}, {Fen: 4_000, Factor: loyalty.Whole}}
		})), nil},
		{"the caller named the points", caller(300), programme(nil)},
		{"the caller named none, the setting is zero", open(caller(0)), programme(nil)},
		{"none or 0: an older record does not tell", caller(0), programme(nil)},
		{"the caller named 0, the setting is the rule", caller(0), programme(func(r *Rules) { r.Orders.Score = loyalty.ScoreRule })},
		{"the caller named none, the version is not known", open(caller(0)), nil},

		{"before records: the rule, its version and rates", old(loyalty.Decision{
			EarnedBy: loyalty.ByRule, Version: 7, Points: loyalty.Fraction{Num: 1, Den: 1}, Growth: loyalty.Fraction{Num: 1, Den: 1},
		}), programme(nil)},
		{"before records: the rule and its version", old(loyalty.Decision{EarnedBy: loyalty.ByRule, Version: 7}), programme(nil)},
		{"before records: nothing", old(loyalty.Decision{}), nil},

		{"level: other", sale(12_800, tests(missed("gold", 20_000, loyalty.MissLevel), missed("top", 30_000, loyalty.MissLevel))), programme(nil)},
		{"level: none", sale(12_800, loyalty.Decision{Tests: []loyalty.Test{missed("gold", 20_000, loyalty.MissLevel)}}), programme(nil)},
		{"birthday: unknown", sale(12_800, tests(missed("month", 15_000, loyalty.MissBirthdayUnknown), missed("day", 50_000, loyalty.MissBirthdayUnknown))), programme(nil)},
		{"birthday: other", sale(12_800, tests(missed("month", 15_000, loyalty.MissBirthday), missed("day", 50_000, loyalty.MissBirthday))), programme(nil)},
		{"early", when(sale(12_800, tests(missed("eleven", 20_000, loyalty.MissEarly))), "2026-11-10 23:59:59"), programme(nil)},
		{"late", sale(12_800, tests(missed("eleven", 20_000, loyalty.MissLate))), programme(nil)},
		{"early and late, not at midnight", sale(12_800, tests(missed("morning", 20_000, loyalty.MissEarly), missed("morning", 20_000, loyalty.MissLate))), programme(func(r *Rules) {
			r.Points.Multipliers = append(r.Points.Multipliers, loyalty.Multiplier{ID: "morning", Name: "早市", When: loyalty.Condition{From: at("2026-11-25 13:00:00"), Until: at("2026-11-25 12:00:30")}})
		})},
		{"weekday", sale(12_800, tests(missed("weekend", 12_500, loyalty.MissWeekday))), programme(nil)},
		{"hour", sale(12_800, tests(missed("evening", 11_000, loyalty.MissHour), missed("night", 11_000, loyalty.MissHour))), programme(nil)},
		{"store: other", sale(12_800, tests(missed("store", 20_000, loyalty.MissStore), missed("stores", 20_000, loyalty.MissStore))), programme(nil)},
		{"store: store and shop", store(sale(12_800, tests(missed("store", 20_000, loyalty.MissStore))), "S9", "X2"), programme(nil)},
		{"store: none named", store(sale(12_800, tests(missed("store", 20_000, loyalty.MissStore))), "", ""), programme(nil)},
		{"label", sale(12_800, tests(missed("vip", 12_000, loyalty.MissLabel))), programme(nil)},
		{"goods", sale(12_800, tests(missed("baby", 15_000, loyalty.MissGoods), missed("milk", 30_000, loyalty.MissGoods), missed("both", 30_000, loyalty.MissGoods))), programme(nil)},
		{"a multiplier that the version does not have", sale(12_800, tests(missed("gone", 15_000, loyalty.MissStore))), programme(nil)},
		{"a reason of a later release", sale(12_800, tests(missed("gold", 20_000, "moon"))), programme(nil)},

		{"one held", sale(12_800, loyalty.Decision{
			Level: 3, Tests: []loyalty.Test{{ID: "gold", Factor: 20_000}}, Shares: []loyalty.Share{{Fen: 12_800, Factor: 20_000}},
		}), programme(nil)},
		{"two held: best", sale(12_800, with(two, func(d *loyalty.Decision) { d.Shares = shares(loyalty.Share{Fen: 12_800, Factor: 20_000}).Shares })), combine(loyalty.CombineBest)},
		{"two held: multiply", sale(12_800, with(two, func(d *loyalty.Decision) { d.Shares = shares(loyalty.Share{Fen: 12_800, Factor: 24_000}).Shares })), combine(loyalty.CombineMultiply)},
		{"two held: add", sale(12_800, with(two, func(d *loyalty.Decision) { d.Shares = shares(loyalty.Share{Fen: 12_800, Factor: 22_000}).Shares })), combine(loyalty.CombineAdd)},
		{"a part of the goods", sale(12_800, loyalty.Decision{
			Tests:  []loyalty.Test{{ID: "baby", Factor: 15_000, Fen: 6_000}, {ID: "gift", Factor: 0, Fen: 2_000}, {ID: "milk", Factor: 30_000}},
			Shares: []loyalty.Share{{Fen: 2_000, Factor: 0}, {Fen: 4_800, Factor: loyalty.Whole}, {Fen: 6_000, Factor: 15_000}},
		}), programme(nil)},
		{"goods alone count: all of it", sale(12_800, loyalty.Decision{}), goods},
		{"goods alone count: a part", sale(12_800, shares(loyalty.Share{Fen: 10_000, Factor: loyalty.Whole})), goods},
		{"goods alone count: none", sale(12_800, shares(loyalty.Share{Factor: loyalty.Whole})), goods},
		{"all of it at 0", sale(2_000, loyalty.Decision{
			Tests: []loyalty.Test{{ID: "gift", Factor: 0, Fen: 2_000}}, Shares: []loyalty.Share{{Fen: 2_000, Factor: 0}},
		}), programme(nil)},

		{"excluded: a part of the goods, of two that hold", sale(12_800, loyalty.Decision{
			Level:  3,
			Tests:  []loyalty.Test{{ID: "gold", Factor: 20_000}, {ID: "vip", Factor: 12_000}, {ID: "gift", Factor: 0, Fen: 2_000}},
			Shares: []loyalty.Share{{Fen: 2_000, Factor: 0}, {Fen: 10_800, Factor: 24_000}},
		}), combine(loyalty.CombineMultiply)},
		{"excluded: goods, one multiplier holds besides", sale(12_800, loyalty.Decision{
			Level:  3,
			Tests:  []loyalty.Test{{ID: "gold", Factor: 20_000}, {ID: "gift", Factor: 0, Fen: 2_000}},
			Shares: []loyalty.Share{{Fen: 2_000, Factor: 0}, {Fen: 10_800, Factor: 20_000}},
		}), programme(nil)},
		{"excluded: the whole order", sale(12_800, loyalty.Decision{
			Level:  3,
			Tests:  []loyalty.Test{{ID: "gold", Factor: 20_000}, {ID: "vip", Factor: 12_000}, {ID: "staff", Factor: 0}},
			Shares: []loyalty.Share{{Fen: 12_800, Factor: 0}},
		}), programme(func(r *Rules) {
			r.Points.Multipliers = append(r.Points.Multipliers, loyalty.Multiplier{ID: "staff", Name: "员工不积分", NameEn: "no points for staff", When: loyalty.Condition{Labels: []string{"员工"}}})
		})},
		{"lines that could not be read", sale(12_800, loyalty.Decision{Unread: 2}), programme(nil)},
		{"lines that come to more than was paid", material(sale(5_100, loyalty.Decision{}), `[{"price":"800"},{"price":51}]`), programme(nil)},
		{"the same where nothing asks for goods", material(sale(5_100, loyalty.Decision{}), `[{"price":"800"},{"price":51}]`), programme(func(r *Rules) { r.Points.Multipliers = nil })},
		{"booked before the version came", sale(12_800, loyalty.Decision{}), programme(func(r *Rules) { r.AppliedAt = at("2026-11-25 12:31:01") })},
		{"an operator named the points", operators(caller(300)), programme(nil)},
		{"an operator named 0", operators(caller(0)), programme(nil)},

		{"rounded down", sale(12_899, loyalty.Decision{}), programme(nil)},
		{"rounded to the nearest", sale(12_899, loyalty.Decision{Rounding: loyalty.RoundNearest}), programme(nil)},
		{"rounded up", sale(12_801, loyalty.Decision{Rounding: loyalty.RoundUp}), programme(nil)},
		{"a fraction without an end", sale(12_800, loyalty.Decision{Points: third}), programme(nil)},
		{"a fraction below one", sale(200, loyalty.Decision{Points: third, Rounding: loyalty.RoundUp}), programme(nil)},
		{"too little", sale(40, loyalty.Decision{}), programme(nil)},
		{"no money", sale(0, loyalty.Decision{}), programme(nil)},

		{"cap per order", sale(12_800, caps(loyalty.Cap{Kind: loyalty.CapOrder, Max: 200})), programme(nil)},
		{"caps one after the other", sale(12_800, caps(
			loyalty.Cap{Kind: loyalty.CapOrder, Max: 500}, loyalty.Cap{Kind: loyalty.CapDay, Max: 500, Before: 300, Day: day},
			loyalty.Cap{Kind: loyalty.CapMember, Max: 1_000, Before: 950},
		)), programme(nil)},
		{"caps that are not reached", sale(12_800, caps(
			loyalty.Cap{Kind: loyalty.CapDay, Max: 500, Day: day}, loyalty.Cap{Kind: loyalty.CapMember, Max: 1_000, Before: 100},
		)), programme(nil)},
		{"the day is used up", sale(12_800, caps(loyalty.Cap{Kind: loyalty.CapDay, Max: 500, Before: 500, Day: day})), programme(nil)},
		{"more than the member's cap was counted before it came", sale(12_800, caps(loyalty.Cap{Kind: loyalty.CapMember, Max: 500, Before: 900})), programme(nil)},
	} {
		s := Subject{Order: c.order}
		if c.order.Points > 0 {
			s.Entry = &loyalty.Entry{
				Member: 1, No: 3, At: at("2026-11-25 12:31:00"), Kind: loyalty.Grant, Amount: c.order.Points, Points: c.order.Points,
				Balance: 1_000, Operation: loyalty.OpPurchaseGrant, Decision: &loyalty.Decision{EarnedBy: c.order.Decision.EarnedBy, Version: 7},
				Parts: loyalty.Parts{{LotKey: loyalty.LotKey{ExpiresAt: at("2028-01-01 00:00:00")}, Quantity: c.order.Points}},
				Note:  loyalty.Note{OrderNo: "T1"},
			}
		}
		x := Explain(s, c.rules)
		clean(t, c.name, x)
		eachOnce(t, c.name, x)
		fmt.Fprintf(&b, "# %s\n%s\n", c.name, text(x))
	}
	doortest.Golden(t, "orders", b.String())
}

// A record that does not come to what was booked is said to be wrong.
func TestAgreement(t *testing.T) {
	t.Parallel()
	o := sale(12_800, loyalty.Decision{})
	o.Points = 250
	x := Explain(Subject{Order: o}, programme(nil))
	last := x.Sentences[len(x.Sentences)-1]
	want := Sentence{
		"按记录重新计算，得 256 积分，与入账的 250 积分不一致，请联系管理员。",
		"Computed again from the record: 256 points, but 250 points were booked. Please tell the operator.",
	}
	if last != want {
		t.Errorf("%+v", last)
	}
	if _, known := Recomputed(nil, 1); known {
		t.Error("no record is known")
	}
	if _, known := Recomputed(&loyalty.Decision{EarnedBy: loyalty.ByCaller}, 1); known {
		t.Error("what a caller named is computed")
	}
	// What was kept before there were records.
	old, err := loyalty.ParseDecision(`{"earned_by":"rule","version":3,"points":{"num":3,"den":2},"growth":{"num":1,"den":1}}`)
	if err != nil {
		t.Fatal(err)
	}
	if got, known := Recomputed(old, 1_000); !known || got != 15 {
		t.Errorf("%d, %t", got, known)
	}
}
