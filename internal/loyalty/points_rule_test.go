package loyalty_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

// earning is one order of a member under a programme.
type earning struct {
	name   string
	rule   func(*loyalty.Settings)
	amount int64
	change func(*loyalty.RecordOrder)
	points int64
	miss   map[string]loyalty.Miss // of the multipliers that did not hold
}

func multiplier(id string, factor loyalty.Factor, when loyalty.Condition) loyalty.Multiplier {
	return loyalty.Multiplier{ID: id, Factor: factor, When: when}
}

func withMultipliers(combine loyalty.Combine, list ...loyalty.Multiplier) func(*loyalty.Settings) {
	return func(s *loyalty.Settings) { s.Points.Combine, s.Points.Multipliers = combine, list }
}

func rateOf(num, den int64, rounding loyalty.Rounding) func(*loyalty.Settings) {
	return func(s *loyalty.Settings) {
		s.Points.Rate, s.Points.Rounding = loyalty.Fraction{Num: num, Den: den}, rounding
	}
}

const goods = `[{"ty":"fresh","bar_code":"1","price":"30","quantity":"2"},{"ty":"dry","bar_code":"2","price":"25.50"}]`

func withGoods(c *loyalty.RecordOrder) { c.Info.Material = goods }

// It is Thursday, 15 January 2026, 10:00; the member was born on 15 January and
// holds the label vip and level 1.
func TestWhatAnOrderEarns(t *testing.T) {
	t.Parallel()
	at := func(text string) loyalty.Instant {
		moment, err := time.ParseInLocation("2006-01-02 15:04", text, time.FixedZone("", 8*3600))
		if err != nil {
			t.Fatal(err)
		}
		return loyalty.InstantOf(moment)
	}
	later := func(text string) func(*loyalty.RecordOrder) {
		return func(c *loyalty.RecordOrder) { c.ConsumedAt = at(text) }
	}
	double := func(when loyalty.Condition) func(*loyalty.Settings) {
		return withMultipliers(loyalty.CombineBest, multiplier("x", 20_000, when))
	}
	misses := func(m loyalty.Miss) map[string]loyalty.Miss { return map[string]loyalty.Miss{"x": m} }
	basis := func(s *loyalty.Settings) { s.Points.Basis = loyalty.BasisGoods }
	for _, c := range []earning{
		{name: "down", rule: rateOf(2, 3, loyalty.RoundDown), amount: 10_099, points: 67},
		{name: "nearest, below", rule: rateOf(1, 1, loyalty.RoundNearest), amount: 1_049, points: 10},
		{name: "nearest, half", rule: rateOf(1, 1, loyalty.RoundNearest), amount: 1_050, points: 11},
		{name: "up", rule: rateOf(1, 1, loyalty.RoundUp), amount: 1_001, points: 11},
		{name: "up, nothing to round", rule: rateOf(1, 1, loyalty.RoundUp), amount: 1_000, points: 10},
		{name: "nothing is bought", rule: rateOf(1, 1, loyalty.RoundUp), amount: 0, points: 0},

		{name: "level", rule: double(loyalty.Condition{Levels: []int64{1}}), amount: 10_000, points: 200},
		{name: "other level", rule: double(loyalty.Condition{Levels: []int64{2, 3}}), amount: 10_000, points: 100, miss: misses(loyalty.MissLevel)},
		{name: "birthday", rule: double(loyalty.Condition{Birthday: loyalty.BirthdayDay}), amount: 10_000, points: 200},
		{name: "birthday month", rule: double(loyalty.Condition{Birthday: loyalty.BirthdayMonth}), amount: 10_000, points: 200, change: later("2026-01-02 10:00")},
		{name: "another day", rule: double(loyalty.Condition{Birthday: loyalty.BirthdayDay}), amount: 10_000, points: 100, change: later("2026-01-14 23:59"), miss: misses(loyalty.MissBirthday)},
		{name: "from", rule: double(loyalty.Condition{From: at("2026-01-15 10:00")}), amount: 10_000, points: 200},
		{name: "too early", rule: double(loyalty.Condition{From: at("2026-01-15 10:01")}), amount: 10_000, points: 100, miss: misses(loyalty.MissEarly)},
		{name: "too late", rule: double(loyalty.Condition{Until: at("2026-01-15 10:00")}), amount: 10_000, points: 100, miss: misses(loyalty.MissLate)},
		{name: "weekday", rule: double(loyalty.Condition{Weekdays: []int{4}}), amount: 10_000, points: 200},
		{name: "other weekday", rule: double(loyalty.Condition{Weekdays: []int{6, 7}}), amount: 10_000, points: 100, miss: misses(loyalty.MissWeekday)},
		{name: "hours", rule: double(loyalty.Condition{FromMinute: 600, UntilMinute: 601}), amount: 10_000, points: 200},
		{name: "over midnight", rule: double(loyalty.Condition{FromMinute: 1_320, UntilMinute: 120}), amount: 10_000, points: 200, change: later("2026-01-15 01:59")},
		{name: "not over midnight", rule: double(loyalty.Condition{FromMinute: 1_320, UntilMinute: 120}), amount: 10_000, points: 100, miss: misses(loyalty.MissHour)},
		{name: "store", rule: double(loyalty.Condition{Stores: []string{"S1"}}), amount: 10_000, points: 200, change: func(c *loyalty.RecordOrder) { c.Info.Store = "S1" }},
		{name: "shop", rule: double(loyalty.Condition{Stores: []string{"S1"}}), amount: 10_000, points: 200, change: func(c *loyalty.RecordOrder) { c.Info.Shop = "S1" }},
		{name: "no store", rule: double(loyalty.Condition{Stores: []string{"S1"}}), amount: 10_000, points: 100, miss: misses(loyalty.MissStore)},
		{name: "label", rule: double(loyalty.Condition{Labels: []string{"gone", "vip"}}), amount: 10_000, points: 200},
		{name: "other label", rule: double(loyalty.Condition{Labels: []string{"gone"}}), amount: 10_000, points: 100, miss: misses(loyalty.MissLabel)},
		{name: "all must hold", rule: double(loyalty.Condition{Labels: []string{"vip"}, Weekdays: []int{5}}), amount: 10_000, points: 100, miss: misses(loyalty.MissWeekday)},

		{name: "category", rule: double(loyalty.Condition{Categories: []string{"fresh"}}), amount: 10_000, points: 160, change: withGoods},
		{name: "bar code", rule: double(loyalty.Condition{BarCodes: []string{"2"}}), amount: 10_000, points: 125, change: withGoods},
		{name: "category and bar code", rule: double(loyalty.Condition{Categories: []string{"fresh"}, BarCodes: []string{"2"}}), amount: 10_000, points: 100, change: withGoods, miss: misses(loyalty.MissGoods)},
		{name: "no goods named", rule: double(loyalty.Condition{Categories: []string{"fresh"}}), amount: 10_000, points: 100, miss: misses(loyalty.MissGoods)},
		{name: "a discount lies on all lines", rule: double(loyalty.Condition{Categories: []string{"fresh"}}), amount: 4_275, points: 72, change: withGoods}, // half of 60 and 25.50
		{name: "excluded goods", rule: withMultipliers(loyalty.CombineBest, multiplier("x", 0, loyalty.Condition{Categories: []string{"fresh"}})), amount: 10_000, points: 40, change: withGoods},
		{name: "goods alone", rule: basis, amount: 10_000, points: 85, change: withGoods},
		{name: "a discount loses no fen", rule: basis, amount: 10_000, points: 100, change: func(c *loyalty.RecordOrder) {
			c.Info.Material = `[{"price":"60"},{"price":"80"},{"price":0.33}]`
		}},
		{name: "goods alone, none named", rule: basis, amount: 10_000, points: 0},

		{name: "the best", rule: withMultipliers(loyalty.CombineBest, multiplier("a", 15_000, loyalty.Condition{Levels: []int64{1}}), multiplier("b", 20_000, loyalty.Condition{Labels: []string{"vip"}})), amount: 10_000, points: 200},
		{name: "the product", rule: withMultipliers(loyalty.CombineMultiply, multiplier("a", 15_000, loyalty.Condition{Levels: []int64{1}}), multiplier("b", 20_000, loyalty.Condition{Labels: []string{"vip"}})), amount: 10_000, points: 300},
		{name: "the sum", rule: withMultipliers(loyalty.CombineAdd, multiplier("a", 15_000, loyalty.Condition{Levels: []int64{1}}), multiplier("b", 20_000, loyalty.Condition{Labels: []string{"vip"}})), amount: 10_000, points: 250},
		{name: "a sum below nothing", rule: withMultipliers(loyalty.CombineAdd, multiplier("a", 0, loyalty.Condition{Levels: []int64{1}}), multiplier("b", 0, loyalty.Condition{Labels: []string{"vip"}})), amount: 10_000, points: 0},
		{name: "a product beyond all bounds", rule: withMultipliers(loyalty.CombineMultiply, multiplier("a", 1_000_000, loyalty.Condition{Levels: []int64{1}}), multiplier("b", 1_000_000, loyalty.Condition{Labels: []string{"vip"}})), amount: 10_000, points: 10_000},
		{name: "goods and the whole", rule: withMultipliers(loyalty.CombineMultiply, multiplier("a", 15_000, loyalty.Condition{Categories: []string{"fresh"}}), multiplier("b", 20_000, loyalty.Condition{Labels: []string{"vip"}})), amount: 10_000, points: 260, change: withGoods}, // 60 x 3 + 40 x 2

		{name: "cap of the order", rule: func(s *loyalty.Settings) { s.Points.Caps.PerOrder = 70 }, amount: 10_000, points: 70},
		{name: "the caller's points know no cap", rule: func(s *loyalty.Settings) { s.Points.Caps.PerOrder = 70 }, amount: 10_000, points: 99, change: func(c *loyalty.RecordOrder) { c.Points, c.Given = 99, true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, who := shopper(t, c.rule)
			o := loyalty.RecordOrder{Who: who, Order: loyalty.OrderKey{No: "o"}, Amount: c.amount, ConsumedAt: loyalty.InstantOf(w.Now)}
			if c.change != nil {
				c.change(&o)
			}
			got := loyaltytest.Must(w, o)
			if got.Points != c.points {
				t.Errorf("%d points, want %d: %+v", got.Points, c.points, w.OrderRow("o").Decision)
			}
			miss := map[string]loyalty.Miss{}
			for _, test := range w.OrderRow("o").Decision.Tests {
				if test.Miss != "" {
					miss[test.ID] = test.Miss
				}
			}
			if len(miss)+len(c.miss) > 0 && !cmp.Equal(c.miss, miss) {
				t.Errorf("missed: %v, want %v", miss, c.miss)
			}
		})
	}
}

// shopper is a member born on 15 January with the label vip, where orders earn
// by the rule.
func shopper(t *testing.T, rule func(*loyalty.Settings)) (*loyaltytest.World, loyalty.Who) {
	t.Helper()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
		s.Orders.Score = loyalty.ScoreRule
		if rule != nil {
			rule(s)
		}
	})
	registered := loyaltytest.Must(w, loyalty.RegisterMember{Merchant: "m", Profile: loyalty.Profile{
		Phone: "13800000001", Birthday: "1990-01-15", BirthMonth: 1, BirthDay: 15,
	}})
	who := loyalty.Who{Merchant: "m", ID: registered.Member}
	loyaltytest.Must(w, loyalty.MarkMember{Who: who, Label: "vip"})
	return w, who
}

// Times of day that end when they begin are no time, whatever somebody meant.
func TestTimeOfDayWithoutLength(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		from, until int
		want        string
	}{
		{480, 480, "points.multipliers[0].when.until_minute: the same as from_minute: a time without length; leave both out for the whole day"},
		{480, 481, ""}, {481, 480, ""}, {480, 0, ""}, {0, 480, ""}, {0, 1_440, ""},
	} {
		s := loyalty.DefaultSettings()
		s.Points.Multipliers = []loyalty.Multiplier{{ID: "a", Factor: 1, When: loyalty.Condition{FromMinute: test.from, UntilMinute: test.until}}}
		got := ""
		if err := s.Validate(); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%d to %d: %q, want %q", test.from, test.until, got, test.want)
		}
	}
}
