package programme_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
	"github.com/memberd/memberd/internal/programme"
)

// draw makes random programmes.
type draw struct{ *rand.Rand }

func pick[T any](d draw, of ...T) T { return of[d.IntN(len(of))] }

// text has what YAML and people trip over.
func (d draw) text() string {
	return pick(d, "a", "金卡会员", "no", "null", "~", "1e3", "0123", "2026-11-11", "12:30", "- x", "a: b", "#x", " lead", "trail ", "“a”", "三，四", "甲：", "\u3000b", "c\u00a0", "0x1e", "1_0", "'", `"`, "{x}", "*a", "&a", "!t", "%", "@", "é😀", "<<", "=", "true", "\u2028", "?", "x, y", "[1]") +
		pick(d, "", fmt.Sprint(d.IntN(1_000)))
}

func (d draw) texts(n int) (list []string) {
	for range d.IntN(n) {
		list = append(list, d.text())
	}
	return list
}

func (d draw) moment(loc *time.Location) loyalty.Instant {
	t := time.Date(2000+d.IntN(60), time.Month(1+d.IntN(12)), 1+d.IntN(31), 0, 0, 0, 0, loc)
	switch d.IntN(5) {
	case 0:
		t = t.Add(time.Duration(d.IntN(24*60)) * time.Minute)
	case 1:
		t = t.Add(time.Duration(d.IntN(24*3600)) * time.Second)
	case 2:
		t = t.Add(time.Duration(d.IntN(24*3600*1000)) * time.Millisecond)
	case 3: // an hour that is there twice, or none, in some of the zones
		t = time.Date(2026, pick(d, time.March, time.April, time.September, time.October, time.November), d.IntN(31), d.IntN(4), d.IntN(60), 0, 0, loc).
			Add(pick(d, 0, time.Hour))
	}
	return loyalty.InstantOf(t)
}

func (d draw) rate() loyalty.Fraction {
	return loyalty.Fraction{Num: 1 + d.Int64N(pick[int64](d, 3, 1_000_000)), Den: 1 + d.Int64N(pick[int64](d, 3, 1_000_000))}
}

func (d draw) condition(levels []loyalty.Level, loc *time.Location) loyalty.Condition {
	c := loyalty.Condition{Stores: d.texts(3), Labels: d.texts(3), Categories: d.texts(3), BarCodes: d.texts(2)}
	c.Birthday = pick(d, "", loyalty.BirthdayDay, loyalty.BirthdayMonth)
	for _, l := range levels {
		if d.IntN(3) == 0 {
			c.Levels = append(c.Levels, l.Number)
		}
	}
	for day := range 7 {
		if d.IntN(4) == 0 {
			c.Weekdays = append(c.Weekdays, day+1)
		}
	}
	if d.IntN(2) == 0 {
		c.From = d.moment(loc)
	}
	if d.IntN(2) == 0 {
		c.Until = max(c.From, d.moment(loc)) + 1
	}
	c.FromMinute, c.UntilMinute = pick(d, 0, d.IntN(24*60)), pick(d, 0, 24*60, d.IntN(24*60))
	if c.FromMinute == c.UntilMinute {
		c.UntilMinute = 0
	}
	if len(c.Stores)+len(c.Weekdays) == 0 {
		c.Stores = []string{"1"}
	}
	return c
}

func (d draw) settings() loyalty.Settings {
	s := loyalty.DefaultSettings()
	s.Zone = pick(d, "Asia/Shanghai", "UTC", "America/New_York", "America/Santiago", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Beirut")
	loc, err := time.LoadLocation(s.Zone)
	if err != nil {
		panic(err)
	}
	s.Levels = []loyalty.Level{}
	for i := range d.IntN(5) {
		l := loyalty.Level{Number: int64(i*2 + 1), ID: d.Int64N(100), Name: d.text(), Threshold: int64(i) * 100}
		for range d.IntN(3) {
			l.Rights = append(l.Rights, loyalty.Right{ID: d.Int64N(9), Name: d.text(), ImageURL: pick(d, "", d.text())})
		}
		s.Levels = append(s.Levels, l)
	}
	s.Events = []loyalty.Event{}
	for i := range d.IntN(4) {
		op := loyalty.Operation(1 + d.IntN(17))
		points := d.Int64N(2) * 5
		s.Events = append(s.Events, loyalty.Event{Name: fmt.Sprint(d.text(), i), Direction: op.Direction(), Points: points, DailyCap: pick(d, 0, points+9), Operation: op})
	}
	p := &s.Points
	p.Rate, s.Growth.Rate = d.rate(), pick(d, d.rate(), loyalty.Fraction{Den: 1})
	p.Rounding = pick(d, loyalty.RoundDown, loyalty.RoundNearest, loyalty.RoundUp)
	p.Basis, p.Combine = pick(d, loyalty.BasisAmount, loyalty.BasisGoods), pick(d, loyalty.CombineAdd, loyalty.CombineBest, loyalty.CombineMultiply)
	p.WaitingDays, p.Validity.N = d.IntN(30), d.IntN(30)
	p.Validity.Kind = pick(d, loyalty.RollingDays, loyalty.RollingMonths, loyalty.MonthEnd, loyalty.YearEnd, loyalty.Unlimited)
	if d.IntN(2) == 0 {
		p.From = d.moment(loc)
		p.Until = p.From + 1 + loyalty.Instant(d.Int64N(1e11))
	}
	for i := range d.IntN(4) {
		p.Multipliers = append(p.Multipliers, loyalty.Multiplier{
			ID: fmt.Sprint(d.text(), i), Name: d.text(), NameEn: pick(d, "", d.text()), Factor: loyalty.Factor(d.IntN(1_000_001)), When: d.condition(s.Levels, loc),
		})
	}
	p.Caps = loyalty.Caps{PerOrder: d.Int64N(2) * 500, PerDay: d.Int64N(2) * 700, PerMember: d.Int64N(2) * 1e15}
	s.Growth.Period.Kind = pick(d, loyalty.PeriodLife, loyalty.PeriodYear, loyalty.PeriodMonths)
	if s.Growth.Period.Kind == loyalty.PeriodMonths {
		s.Growth.Period.N = 1 + d.IntN(24)
	}
	s.LevelChange, s.OwnLotOnly = pick(d, loyalty.LevelKeep, loyalty.LevelFit), d.IntN(2) == 0
	s.GraceDays, s.MaxCredit, s.RegisterGift = d.IntN(30), 1+d.Int64N(1e9), d.Int64N(100)
	s.Orders = loyalty.OrderRules{Score: pick(d, loyalty.ScoreZero, loyalty.ScoreRule), EarlyRefund: loyalty.EarlyPark, ParkDays: 1 + d.IntN(90), ReturnCoupons: d.IntN(2) == 0}
	return s
}

// Whatever a merchant's settings are, their file says exactly them, and a
// difference is found exactly where there is one.
func TestRandomProgrammes(t *testing.T) {
	t.Parallel()
	seed := loyaltytest.Seed(t)
	d := draw{rand.New(rand.NewPCG(seed, 5))}
	before := loyalty.DefaultSettings()
	for range 400 {
		s := d.settings()
		s.KeyDays = 400 + d.IntN(5)
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		file := programme.File{Merchant: d.text(), Version: d.Int64N(5), Settings: s}
		text, err := programme.Export(file)
		if err != nil {
			t.Fatalf("%v in %s", err, s.Document())
		}
		base := loyalty.DefaultSettings()
		base.KeyDays = s.KeyDays
		back, err := programme.Parse(text, base)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if back.Settings.Document() != s.Document() || back.Merchant != file.Merchant || back.Version != file.Version {
			t.Fatal(cmp.Diff(s.Document(), back.Settings.Document()))
		}
		if changes := programme.Diff(s, back.Settings); len(changes) > 0 {
			t.Fatal(changes)
		}
		changes := programme.Diff(before, s)
		if (len(changes) == 0) != programme.Same(before, s) {
			t.Fatalf("%d changes between\n%s\n%s", len(changes), before.Document(), s.Document())
		}
		for _, c := range changes {
			if len(programme.AreasOf([]programme.Change{c}, s)) != 1 {
				t.Fatalf("%s is of no area", c.Key)
			}
		}
		before = s
	}
}

// A part of the settings is the programme's or is not: one that is new needs a
// place.
func TestEveryKeyOfSettingsHasAPlace(t *testing.T) {
	t.Parallel()
	elsewhere := []string{
		"key_days", "strict_change_id", "member_code_seconds", "expired_code_as_110001", "mask_id_card", "stores",
		"mobile_registration", "sms", "callbacks",
	}
	keys := programme.Keys()
	for i := range reflect.TypeFor[loyalty.Settings]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[loyalty.Settings]().Field(i).Tag.Get("json"), ",")
		if slices.Contains(keys, name) == slices.Contains(elsewhere, name) {
			t.Errorf("%s is in a programme: %v", name, slices.Contains(keys, name))
		}
	}
	// What With leaves out would be read from a file and thrown away.
	d := draw{rand.New(rand.NewPCG(1, 1))}
	for range 50 {
		base, s := loyalty.DefaultSettings(), d.settings()
		base.SMS.Digits, base.Stores = 8, []string{"1"}
		both := programme.With(base, s)
		if !programme.Same(both, s) || both.SMS.Digits != 8 || len(both.Stores) != 1 {
			t.Fatal(cmp.Diff(both, s))
		}
		var whole, part map[string]json.RawMessage
		for text, into := range map[string]*map[string]json.RawMessage{both.Document(): &whole, s.Document(): &part} {
			if err := json.Unmarshal([]byte(text), into); err != nil {
				t.Fatal(err)
			}
		}
		for key := range part {
			if !slices.Contains(elsewhere, key) && !bytes.Equal(whole[key], part[key]) {
				t.Errorf("%s is lost", key)
			}
		}
	}
}

// Differences name what changed by what it is.
func TestDiff(t *testing.T) {
	t.Parallel()
	old, next := loyalty.DefaultSettings(), loyalty.DefaultSettings()
	old.Points.Multipliers = []loyalty.Multiplier{
		{ID: "a", Factor: 20_000, When: loyalty.Condition{Levels: []int64{1}}},
		{ID: "b", Factor: 15_000, When: loyalty.Condition{Stores: []string{"7"}}},
	}
	next.Points.Multipliers = []loyalty.Multiplier{
		{ID: "b", Factor: 15_000, When: loyalty.Condition{Stores: []string{"7", "8"}}},
		{ID: "a", Factor: 30_000, When: loyalty.Condition{Levels: []int64{1}}},
	}
	next.Levels = append(slices.Clone(old.Levels[:6]), loyalty.Level{Number: 8, ID: 1, Name: "x", Threshold: 1_000_000})
	next.Levels[1].Threshold = 301
	next.Points.Until = loyalty.InstantOf(time.Date(2026, 11, 12, 0, 0, 0, 0, time.FixedZone("", 8*3600)))
	next.Points.Caps.PerDay = 5
	next.SMS.Digits = 8 // no part of a programme
	got := programme.Diff(old, next)
	want := []programme.Change{
		{Key: "points.multipliers[a].factor", Old: "2", New: "3"},
		{Key: "points.multipliers[b].when.stores", Old: "[7]", New: "[7, 8]"},
		{Key: "points.multipliers", Old: "order a, b", New: "order b, a"},
		{Key: "points.until", New: "2026-11-11"},
		{Key: "points.caps.per_day", New: "5"},
		{Key: "levels[2].threshold", Old: "300", New: "301"},
		{Key: "levels[7]", Old: "{number: 7, id: 85, name: 七级会员, threshold: 50000}"},
		{Key: "levels[8]", New: "{number: 8, id: 1, name: x, threshold: 1000000}"},
	}
	byKey := func(a, b programme.Change) int { return strings.Compare(a.Key, b.Key) }
	slices.SortFunc(got, byKey)
	slices.SortFunc(want, byKey)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var areas []string
	for _, a := range programme.AreasOf(got, next) {
		areas = append(areas, a.Name)
	}
	slices.Sort(areas)
	if diff := cmp.Diff([]string{"caps", "levels", "multipliers", "rule period"}, areas); diff != "" {
		t.Error(diff)
	}
}

// What a rule period refuses is told with its times.
func TestEffectOfARulePeriod(t *testing.T) {
	t.Parallel()
	old := loyalty.DefaultSettings()
	at := func(month time.Month) loyalty.Instant {
		return loyalty.InstantOf(time.Date(2026, month, 1, 0, 0, 0, 0, time.FixedZone("", 8*3600)))
	}
	for _, test := range []struct {
		from, until loyalty.Instant
		want        string
	}{
		{at(2), 0, "now on; before 2026-02-01 00:00:00 everything that would grant points is refused with 150001"},
		{0, at(12), "now on; from 2026-12-01 00:00:00 on everything that would grant points is refused with 150001"},
		{at(2), at(12), "now on; before 2026-02-01 00:00:00 and from 2026-12-01 00:00:00 on everything"},
	} {
		next := old
		next.Points.From, next.Points.Until = test.from, test.until
		areas := programme.AreasOf(programme.Diff(old, next), next)
		if len(areas) != 1 || !strings.Contains(areas[0].Effect, test.want) {
			t.Errorf("%+v, want %s", areas, test.want)
		}
		areas = programme.AreasOf(programme.Diff(next, old), old)
		if len(areas) != 1 || !strings.HasSuffix(areas[0].Effect, "points are granted at any time") {
			t.Errorf("%+v", areas)
		}
	}
}
