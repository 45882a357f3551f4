package gateway

import (
	"testing"
	"time"

	"github.com/memberd/memberd/internal/doortest"
)

func TestTemplateAdd(t *testing.T) {
	t.Parallel()
	s := held(t, 1629772939065, doortest.Options{}) // as the example's third_coupon_id says
	s.each(methodTemplate,
		"the document's example: no JSON", templateExample,
		"its quotes repaired", templateRepaired,
		"the same again", templateRepaired,
		"the same with a real list, texts for numbers, times by the clock and defaults",
		`{"suitStoreType":"1","stores":[{"id":"1","name":"唐家湾"}],"name":"vnjohn1629772939065","end_time":"1630204939084","couponCategory":"0","begin_time":1629859339082,"rules":"满200元才能使用","thirdCouponId":"1629772939065","discount_fee":"10","coupon_type":1,"minimum_fee":0,"quantity":0,"claim_number":null,"coupon_centre_status":1,"member_restrict_type":2,"receive_method":0,"use_scope_type":0,"suit_item_type":0}`,
		"the number with other terms", with(templateRepaired, `"discount_fee": 10`, `"discount_fee": 11`),
		"times by the merchant's clock", with(templateRepaired, "1629772939065,", `"clock",`, "1629859339082", `"2021-08-25 12:12:12"`, "1630204939084", `"2021-08-25 12:12:13"`),
		"the note's form of lists, with bare names", term("bare", `,"suit_store_type":1,"suit_item_type":1,"stores":" [{\"id\":\"1\",name:\"唐家: {id:1}\"}]","items":"[{id:1,name:'香皂'}]","categories":"[]"`),
		"a list that nobody needs may be anything", term("any", `,"stores":"[{","items":true,"categories":"[{\"name\":\"护理\"}]"`),
		"free shipping, without discount_fee", with(term("ship", ""), `"coupon_category":0`, `"coupon_category":1`, `"discount_fee":1000,`, ``),
		"99 off", with(term("99", ""), `"coupon_category":0`, `"coupon_category":2`, `1000`, `99`),
		"our additions", term("levels", `,"member_restrict_type":1,"enforce_on_give":true,"levels":[3,2]`),
		"the same, the levels the other way round, as text", term("levels", `,"member_restrict_type":1,"enforceOnGive":"1","levels":"2,3"`),
		"new members of a week", term("new", `,"member_restrict_type":0,"enforce_on_give":1,"new_member_days":"7"`),
	)
	good := term("bad", "")
	period := with(templateRepaired, "1629772939065,", `"bad",`)
	s.each(methodTemplate,
		"nothing at all", `{}`,
		"no name", with(good, "满100减10", ""),
		"no rules", with(good, "满100元才能使用", ""),
		"no category", with(good, `"coupon_category":0,`, ``),
		"category 5", with(good, `"coupon_category":0`, `"coupon_category":5`),
		"no discount_fee", with(good, `"discount_fee":1000,`, ``),
		"a discount of half a fen", with(good, `1000`, `0.5`),
		"a negative discount", with(good, `1000`, `-1`),
		"100 off 100", with(good, `"coupon_category":0`, `"coupon_category":4`, `1000`, `100`),
		"0 off 100", with(good, `"coupon_category":0`, `"coupon_category":2`, `1000`, `0`),
		"no coupon_type", with(good, `"coupon_type":0,`, ``),
		"coupon_type 2", with(good, `"coupon_type":0`, `"coupon_type":2`),
		"no fixed_term", with(good, `"fixed_term":10,`, ``),
		"fixed_term 0", with(good, `"fixed_term":10`, `"fixed_term":0`),
		"fixed_term 10^9", with(good, `"fixed_term":10`, `"fixed_term":1000000000`),
		"no begin", with(period, "1629859339082", "null"),
		"no end", with(period, "1630204939084", `""`),
		"end before begin", with(period, "1630204939084", "1629859339081"),
		"end at begin", with(period, "1630204939084", "1629859339082"),
		"a begin in words", with(period, "1629859339082", `"明天"`),
		"stock below 0", term("bad", `,"quantity":-1`),
		"a minimum in yuan", term("bad", `,"minimum_fee":"100.5"`),
		"some stores, but none", term("bad", `,"suit_store_type":1`),
		"some stores, none in the list", term("bad", `,"suit_store_type":1,"stores":"[]"`),
		"a list of stores that is none", term("bad", `,"suit_store_type":1,"stores":"[{\"id\":1"`),
		"a store without an id", term("bad", `,"suit_store_type":1,"stores":[{"id":1},{"name":"唐家湾"}]`),
		"some products, but none", term("bad", `,"suit_item_type":1,"categories":[{"id":1}]`),
		"some categories, but none", term("bad", `,"suit_item_type":2,"items":[{"id":1}]`),
		"suit_item_type 3", term("bad", `,"suit_item_type":3`),
		"levels that do not exist", term("bad", `,"levels":[8]`),
		"levels in words", term("bad", `,"levels":["金卡"]`),
		"levels, but none", term("bad", `,"member_restrict_type":1,"enforce_on_give":true`),
		"enforce_on_give in words", term("bad", `,"enforce_on_give":"是"`),
	)
	s.Clock.Advance(6 * 24 * time.Hour)
	s.each(methodTemplate,
		"a period that is over", period,
		"and the same template as six days ago", templateRepaired,
		"the number is free: nothing was kept of what was refused", good,
	)
	s.call("another merchant has numbers of its own", doortest.GatewayCall{Method: methodTemplate, App: s.Other, Body: term("levels", "")})
	s.golden("template_add")
}

func TestQuoteNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                                 ``,
		`[{"id":"1",name:"唐家湾"}]`:          `[{"id":"1","name":"唐家湾"}]`,
		`[{id : 1 , name: 'a'}]`:           `[{"id" : 1 , "name": 'a'}]`,
		`[{"id":"a:b,c:d","n":true}]`:      `[{"id":"a:b,c:d","n":true}]`,
		`[{"id":"\",x:\"","name":'it:s'}]`: `[{"id":"\",x:\"","name":'it:s'}]`,
		`[{"id":1,na me:"x"}]`:             `[{"id":1,na "me":"x"}]`, // refused afterwards
		`{"a":"open, b:1`:                  `{"a":"open, b:1`,
		`{"a":"\`:                          `{"a":"\`,
	} {
		if got := quoteNames(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestBothSpellings(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"desc": "desc", "open_id": "openId", "psea_zjlx_name": "pseaZjlxName"} {
		if got := both(name); got[0] != name || got[1] != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
