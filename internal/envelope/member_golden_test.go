package envelope

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/sms"
)

func TestMemberInfo(t *testing.T) {
	t.Parallel()
	s := withMembers(t, nil)
	number := s.Member(loyalty.Who{Merchant: doortest.Merchant, ExternalID: memberA}).ID
	own := s.register(doortest.Merchant, loyalty.Profile{Phone: "13800000001"}, nil)
	disabled := s.register(doortest.Merchant, loyalty.Profile{Phone: "13800000002", Nickname: "停用"}, nil)
	doortest.Do(s.Bundle, loyalty.SetStatus{Who: loyalty.Who{Merchant: doortest.Merchant, ID: disabled.Member}, Status: loyalty.Disabled, By: operator})
	erased := s.register(doortest.Merchant, loyalty.Profile{Phone: "13800000003", Nickname: "注销"}, nil)
	doortest.Do(s.Bundle, loyalty.EraseMember{Who: loyalty.Who{Merchant: doortest.Merchant, ID: erased.Member}, By: operator})
	s.coupons(number)
	s.Bundle.Clock.Advance(time.Minute)
	now := loyalty.InstantOf(s.Clock.Now())
	code := func(member int64) string { return s.Codes.Make(member, now) }
	foreign := s.Member(loyalty.Who{Merchant: shortAppPartner, ExternalID: memberB}).ID

	s.call("by memberId, with points and coupons", pathInfo, `{"memberId":"`+memberA+`","showScoreSwitch":1,"showCouponSwitch":"1"}`)
	s.call("no coupons", pathInfo, `{"memberId":"`+memberC+`","showCouponSwitch":1}`)
	s.call("switches off", pathInfo, `{"memberId":"`+memberA+`","showScoreSwitch":"2","showCouponSwitch":2}`)
	s.call("by mobile, sent as a number", pathInfo, `{"mobile":`+phoneA+`}`)
	s.call("by dynamicCode", pathInfo, `{"dynamicCode":"`+code(number)+`"}`)
	s.call("memberId goes before mobile", pathInfo, `{"memberId":"`+memberC+`","mobile":"`+phoneA+`"}`)
	s.call("an empty memberId gives way", pathInfo, `{"memberId":"","mobile":"`+phoneA+`","dynamicCode":"x"}`)
	s.call("a member with an id of ours and no data", pathInfo, `{"memberId":"`+loyalty.MemberIDText(own.Member)+`"}`)
	s.call("our id of a member that brought one along", pathInfo, `{"memberId":`+loyalty.MemberIDText(number)+`,"showScoreSwitch":1}`)
	s.call("a disabled member is shown", pathInfo, `{"mobile":"13800000002"}`)

	s.call("none of the three", pathInfo, `{"showScoreSwitch":1}`)
	s.call("a switch out of range", pathInfo, `{"memberId":"`+memberA+`","showScoreSwitch":3}`)
	s.call("mobile with letters", pathInfo, `{"mobile":"1562326199a"}`)
	s.call("memberId of the wrong type", pathInfo, `{"memberId":["`+memberA+`"]}`)
	s.call("unknown memberId", pathInfo, `{"memberId":"999"}`)
	s.call("unknown mobile", pathInfo, `{"mobile":"13900000000"}`)
	s.call("another merchant's member", pathInfo, `{"memberId":"`+loyalty.MemberIDText(foreign)+`"}`)
	s.call("an erased member", pathInfo, `{"memberId":"`+loyalty.MemberIDText(erased.Member)+`"}`)
	s.call("unknown dynamicCode", pathInfo, `{"dynamicCode":"06000000000000000000"}`)
	s.call("dynamicCode of another merchant's member", pathInfo, `{"dynamicCode":"`+code(foreign)+`"}`)
	s.call("dynamicCode of a disabled member", pathInfo, `{"dynamicCode":"`+code(disabled.Member)+`"}`)
	s.Bundle.Clock.Advance(10 * time.Minute)
	s.call("expired dynamicCode", pathInfo, `{"dynamicCode":"`+code(number)+`"}`)
	s.Bundle.Clock.Advance(3 * 24 * time.Hour)
	s.call("three days later: one coupon has begun, another has expired", pathInfo, `{"memberId":"`+memberA+`","showCouponSwitch":1}`)
	s.golden("member_info")
}

// coupons gives a member coupons of every state that the clock and the caller
// can bring about: 1.1 shows those that can be used.
func (s *session) coupons(member int64) {
	s.t.Helper()
	now := loyalty.InstantOf(s.Clock.Now())
	const day = loyalty.Instant(24 * time.Hour / time.Millisecond)
	who := loyalty.Who{Merchant: doortest.Merchant, ID: member}
	for number, terms := range map[string]loyalty.TemplateTerms{
		"t1": {Name: "满100减10", Category: loyalty.OrderOff, Discount: 1_000, MinimumFee: 10_000, Rules: "满100元才能使用", Term: 1},
		"t2": {Name: "九折券", Category: loyalty.ProductDiscount, Discount: 90, Period: true, BeginAt: now - 40*day, EndAt: now + 40*day},
		"t3": {Name: "免运费", Category: loyalty.FreeShipping, Rules: "<b>全场</b>可用", Period: true, BeginAt: now + 2*day, EndAt: now + 9*day},
	} {
		doortest.Do(s.Bundle, loyalty.AddTemplate{Merchant: doortest.Merchant, Template: loyalty.TemplateKey{Number: number}, Terms: terms})
	}
	for _, c := range [][2]string{{"t1", "one"}, {"t2", "two"}, {"t3", "three"}, {"t2", "used"}, {"t2", "in use"}, {"t2", "deleted"}} {
		doortest.Do(s.Bundle, loyalty.GiveCoupons{
			Merchant: doortest.Merchant, Template: loyalty.TemplateKey{Number: c[0]}, Each: 1, ReceivedAt: now,
			Entries: []loyalty.CouponGift{{Who: who, Number: c[1]}},
		})
	}
	doortest.Do(s.Bundle, loyalty.RedeemCoupons{Who: who, Codes: []string{"used"}, OrderNo: "O1", At: now})
	doortest.Do(s.Bundle, loyalty.SyncCoupon{Who: who, Code: "in use", State: loyalty.CouponInUse})
	doortest.Do(s.Bundle, loyalty.SyncCoupon{Who: who, Code: "deleted", State: loyalty.CouponDeleted})
}

var operator = loyalty.ByOperator{Operator: "console", Reason: "test"}

func TestMaskedIDCard(t *testing.T) {
	t.Parallel()
	s := withMembers(t, func(set *loyalty.Settings) { set.MaskIDCard = true })
	s.call("id card masked by a setting", pathInfo, `{"memberId":"`+memberA+`"}`)
	s.golden("member_info_masked")
}

func TestMemberList(t *testing.T) {
	t.Parallel()
	s := newSession(t, nil)
	for i, name := range []string{"森屿海港@", "三虎", "三虎子", "", "100%"} {
		m := doortest.Do(s.Bundle, loyalty.RegisterMember{
			Merchant: doortest.Merchant, RegisteredAt: 1560422230000 + loyalty.Instant(i)*86_400_000,
			Profile: loyalty.Profile{Phone: fmt.Sprintf("1380000000%d", i), Nickname: name},
		})
		if i > 0 {
			doortest.Do(s.Bundle, loyalty.ChangePoints{
				Who:       loyalty.Who{Merchant: doortest.Merchant, ID: m.Member},
				Direction: loyalty.Credit, Operation: loyalty.OpManualGrant, Points: int64(i) * 100,
			})
		}
		if i == 3 {
			doortest.Do(s.Bundle, loyalty.SetStatus{Who: loyalty.Who{Merchant: doortest.Merchant, ID: m.Member}, Status: loyalty.Disabled, By: operator})
		}
	}
	s.register(shortAppPartner, loyalty.Profile{Phone: "13900000000", Nickname: "三虎"}, nil)
	s.marksAndOrders()

	for _, row := range [][2]string{
		{"all, by the defaults", `{}`},
		{"a page, spelt as in the other document, as text", `{"pageNo":"2","page_size":"2"}`},
		{"two spellings of one page", `{"pageNum":2,"pageNo":"2","pageSize":2,"page_size":2}`},
		{"beyond the last page", `{"pageNum":9,"pageSize":2}`},
		{"far beyond, and a size beyond the cap", `{"pageNum":1000000000,"pageSize":1000000000}`},
		{"nickName is contained", `{"nickName":"三虎"}`},
		{"nickName is no pattern", `{"nickName":"0%"}`},
		{"mobile", `{"mobile":"13800000002"}`},
		{"nobody has that mobile here", `{"mobile":"13900000000"}`},
		{"paidId", `{"paidId":"88"}`},
		{"paidId of no card", `{"paidId":"8"}`},
		{"labelName", `{"labelName":"vip"}`},
		{"labelName matches as a whole", `{"labelName":"vi"}`},
		{"labelName and paidId", `{"labelName":"vip","paidId":"99"}`},
		{"empty filters", `{"paidId":"","labelName":"","ruleCode":"","mobile":"","nickName":"","startScore":"","startTime":"","statusFlag":null}`},
		{"ruleCode", `{"ruleCode":"1","pageSize":1}`},
		{"ruleCode of a level that orders reached", `{"ruleCode":3}`},
		{"ruleCode of no member", `{"ruleCode":2}`},
		{"ruleCode that is no number", `{"ruleCode":"gold"}`},
		{"scores, both ends included", `{"startScore":"200","endScore":300}`},
		{"from a score", `{"startScore":400}`},
		{"disabled", `{"statusFlag":0}`},
		{"active", `{"statusFlag":"1","pageSize":1}`},
		{"a day, both ends the same", `{"startTime":"2019-06-14","endTime":"2019-06-14"}`},
		{"to the second", `{"startTime":"2019-06-14 18:37:10","endTime":"2019-06-14 18:37:10"}`},
		{"one second later", `{"startTime":"2019-06-14 18:37:11","endTime":"2019-06-15"}`},
		{"epoch milliseconds", `{"startTime":1560508630000,"endTime":"1560508630000"}`},
		{"an end before 1970", `{"endTime":"1969-12-31"}`},
		{"filters together", `{"nickName":"三虎","startScore":200,"statusFlag":1}`},
		{"page 0", `{"pageNum":0,"pageSize":20}`},
		{"page size 0", `{"pageNum":1,"pageSize":0}`},
		{"a negative page", `{"pageNum":-1}`},
		{"a page of 10^18", `{"pageNum":1000000000000000000}`},
		{"pages that disagree", `{"pageNum":1,"pageNo":2}`},
		{"a fraction", `{"pageSize":1.5}`},
		{"scores the wrong way round", `{"startScore":2,"endScore":1}`},
		{"a score in letters", `{"startScore":"many"}`},
		{"status out of range", `{"statusFlag":2}`},
		{"times the wrong way round", `{"startTime":"2019-06-15","endTime":"2019-06-14"}`},
		{"no such day", `{"startTime":"2019-02-30"}`},
		{"another date format", `{"endTime":"2019/06/14"}`},
		{"a fraction of a second", `{"endTime":"2019-06-14 18:37:10.5"}`},
		{"epoch seconds", `{"endTime":1560508630}`},
		{"mobile with letters", `{"mobile":"138x"}`},
	} {
		s.call(row[0], pathList, row[1])
	}
	s.golden("member_list")
}

// marksAndOrders gives the second member labels, cards and orders, the third a
// label and an order that was returned as a whole.
func (s *session) marksAndOrders() {
	s.t.Helper()
	second := loyalty.Who{Merchant: doortest.Merchant, Phone: "13800000001"}
	third := loyalty.Who{Merchant: doortest.Merchant, Phone: "13800000002"}
	expires := loyalty.InstantOf(time.Date(2027, 12, 31, 16, 0, 0, 0, time.UTC)) // the next midnight in Shanghai
	for _, c := range []loyalty.MarkMember{
		{Who: second, Label: "vip"}, {Who: second, Label: "母婴"}, {Who: third, Label: "vip"},
		{Who: second, Card: loyalty.PaidCard{ID: "88", Name: "黑金卡", ExpiresAt: expires}},
		{Who: second, Card: loyalty.PaidCard{ID: "89", Name: "亲子卡", ExpiresAt: expires}},
	} {
		c.By = operator
		doortest.Do(s.Bundle, c)
	}
	now := loyalty.InstantOf(s.Clock.Now())
	order := func(who loyalty.Who, no string, fen int64) {
		doortest.Do(s.Bundle, loyalty.RecordOrder{Who: who, Order: loyalty.OrderKey{No: no}, Amount: fen, ConsumedAt: now})
	}
	refund := func(who loyalty.Who, no string, fen int64) {
		doortest.Do(s.Bundle, loyalty.RefundOrder{Who: who, Order: loyalty.OrderKey{No: "R" + no}, Parent: no, Amount: fen, ConsumedAt: now})
	}
	order(second, "O1", 100_040)
	order(second, "O2", 20_005)
	refund(second, "O2", 10_000)
	order(third, "O3", 5_000)
	refund(third, "O3", 5_000)
}

func TestRegister(t *testing.T) {
	t.Parallel()
	s := newSession(t, func(set *loyalty.Settings) { set.RegisterGift = 88; set.Stores = []string{"shop001"} })
	const all = `{"cardCode":"001","cardId":"002","channelCode":"saas","mobile":"13333333333","mobileValidateFlag":"2","nickName":"bbbb","photoUrl":"","registerInitData":"1#1#1#2#2","registerStoreCode":"shop001","registerType":"1","sexFlag":"1","thirdPartyCode":"fasdfsadfaa222","unionId":"","validCode":"2468"}`
	with := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(all) }
	s.call("as the example, no code asked for", pathRegister, all)
	s.call("the member", pathInfo, `{"mobile":"13333333333","showScoreSwitch":1}`)
	s.call("the same again: the same member", pathRegister, all)
	s.call("a second channel", pathRegister, with("saas", "xcx", "fasdfsadfaa222", "o2", `"unionId":""`, `"unionId":"u1"`, "bbbb", "other"))
	s.call("the member: one gift, two channels, nothing overwritten", pathInfo, `{"mobile":"13333333333","showScoreSwitch":1}`)
	s.call("only what is needed", pathRegister, `{"channelCode":"wcxcx","mobile":13333333334,"unionId":"u2","registerType":5}`)
	s.call("the member: the gift by default", pathInfo, `{"mobile":"13333333334","showScoreSwitch":1}`)
	s.call("no gift asked for", pathRegister, `{"channelCode":"dsf","mobile":"13333333335","unionId":"u3","registerType":6,"registerInitData":"1#2#2"}`)
	s.call("no points account", pathRegister, `{"channelCode":"dsf","mobile":"13333333336","unionId":"u4","registerType":6,"registerInitData":"2"}`)
	s.call("two members without a gift", pathList, `{"endScore":0}`)

	for _, row := range [][2]string{
		{"no mobile", with(`"mobile":"13333333333",`, "")},
		{"a mobile of 10 digits", with("13333333333", "1333333333")},
		{"no channelCode", with(`"channelCode":"saas",`, "")},
		{"an unknown channelCode", with("saas", "qq")},
		{"no registerType", with(`"registerType":"1",`, "")},
		{"registerType 7", with(`"registerType":"1"`, `"registerType":"7"`)},
		{"neither unionId nor thirdPartyCode", with("fasdfsadfaa222", "")},
		{"sexFlag 3", with(`"sexFlag":"1"`, `"sexFlag":"3"`)},
		{"registerInitData with a 3", with("1#1#1#2#2", "1#3")},
		{"registerInitData with a gap", with("1#1#1#2#2", "1##1")},
		{"six positions", with("1#1#1#2#2", "1#1#1#2#2#2")},
		{"an unknown store", with("shop001", "shop002")},
		{"mobileValidateFlag 3", with(`"mobileValidateFlag":"2"`, `"mobileValidateFlag":"3"`)},
		{"validCode missing", with(`"mobileValidateFlag":"2"`, `"mobileValidateFlag":"1"`, `,"validCode":"2468"`, "")},
		{"a validCode that nobody sent", with(`"mobileValidateFlag":"2"`, `"mobileValidateFlag":"1"`)},
		{"a thirdPartyCode of another member", with("13333333333", "13333333337")},
		{"a unionId of another member", with("13333333333", "13333333338", "fasdfsadfaa222", "o3", `"unionId":""`, `"unionId":"u1"`)},
		{"two mobiles", with(`"mobile":"13333333333"`, `"mobile":"13333333333","mobile":"13333333339"`)},
	} {
		s.call(row[0], pathRegister, row[1])
	}
	s.golden("register")
}

func TestRegisterSwitchedOff(t *testing.T) {
	t.Parallel()
	s := newSession(t, func(set *loyalty.Settings) { set.MobileRegistration = false })
	s.call("switched off", pathRegister, `{}`)
	s.golden("register_off")
}

// TestRegisterWithCode: the codes are those of gateway 6.1, whichever app asked
// for them (E-096).
func TestRegisterWithCode(t *testing.T) {
	t.Parallel()
	s := newSession(t, nil)
	const all = `{"channelCode":"saas","mobile":"13333333333","mobileValidateFlag":"1","registerType":"1","thirdPartyCode":"fasdfsadfaa222","validCode":"2468"}`
	with := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(all) }
	send := func(merchant, code string) {
		t.Helper()
		s.Outbox.Codes(code)
		if err := s.SMS.Send(t.Context(), sms.Request{Merchant: merchant, App: doortest.SigningApp, Phone: "13333333333"}); err != nil {
			t.Fatal(err)
		}
	}
	s.call("a code that nobody sent", pathRegister, all)
	send(doortest.OtherMerchant, "2468")
	s.call("a code of another merchant", pathRegister, all)
	send(doortest.Merchant, "2468")
	s.call("another code", pathRegister, with("2468", "2469"))
	s.call("another mobile", pathRegister, with("13333333333", "13333333334"))
	s.call("the code, and something else wrong: it stays unused", pathRegister, with(`"registerType":"1"`, `"registerType":"7"`))
	s.call("the code", pathRegister, all)
	s.call("the same again, as when the answer was lost", pathRegister, all)
	s.call("the code as a number, another channel", pathRegister, with(`"2468"`, "2468", "saas", "xcx", "fasdfsadfaa222", "o2"))
	if right, err := s.SMS.Check(t.Context(), doortest.Merchant, "13333333333", "2468", sms.Judge); err != nil || right {
		t.Errorf("a code that a registration used up is right once more for gateway 6.2: %v, %v", right, err)
	}
	s.Clock.Advance(5 * time.Minute)
	s.call("the same after five minutes", pathRegister, all)

	send(doortest.Merchant, "0468")
	s.call("a number without its leading zero", pathRegister, with(`"2468"`, "468"))
	for range 4 {
		s.call("wrong", pathRegister, with("2468", "9999"))
	}
	s.call("right, after five wrong ones", pathRegister, with("2468", "0468"))
	s.golden("register_code")
}
