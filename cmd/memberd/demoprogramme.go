package main

import (
	"strconv"

	"github.com/memberd/memberd/internal/loyalty"
)

// The demo's category of goods that earn more, and its event for signing in.
const (
	demoCategory = "护肤"
	demoSignIn   = "sign_in"
)

// demoProgramme is what a shop might have: more points for those who buy much,
// in the month of the birthday, at the weekend in one store and for some goods.
// The levels stay those of the document's examples.
func demoProgramme() loyalty.Settings {
	s := loyalty.DefaultSettings()
	s.Orders.Score = loyalty.ScoreRule // an order without points shows what the rule does
	s.RegisterGift = 20
	s.Points.Multipliers = []loyalty.Multiplier{
		{ID: "gold", Name: "五级及以上会员双倍积分", NameEn: "double points from level 5 on", Factor: 2 * loyalty.Whole,
			When: loyalty.Condition{Levels: []int64{5, 6, 7}}},
		{ID: "birthday", Name: "生日月1.5倍积分", NameEn: "half as much again in the month of the birthday", Factor: loyalty.Whole * 3 / 2,
			When: loyalty.Condition{Birthday: loyalty.BirthdayMonth}},
		{ID: "weekend", Name: "唐家湾店周末1.2倍积分", NameEn: "a fifth more at the weekend in store 18756", Factor: loyalty.Whole * 12 / 10,
			When: loyalty.Condition{Weekdays: []int{6, 7}, Stores: []string{strconv.Itoa(demoStore)}}},
		{ID: "skincare", Name: "护肤品三倍积分", NameEn: "three times the points for skin care", Factor: 3 * loyalty.Whole,
			When: loyalty.Condition{Categories: []string{demoCategory}}},
	}
	s.Points.Caps.PerDay = 20_000
	s.Events = append(s.Events, loyalty.Event{
		Name: demoSignIn, Direction: loyalty.Credit, Points: 5, DailyCap: 5, Operation: loyalty.OpSignIn,
	})
	return s
}
