package gateway

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
)

const (
	methodTemplate = "wk.coupon.template.add"
	methodGive     = "wk.coupon.give"
	methodSync     = "wk.coupon.sync.status"
	methodVerify   = "wk.coupon.verification"
	methodCoupons  = "wk.coupon.user.list"
)

// The document's examples, verbatim.
const (
	templateExample = `{
  "suit_store_type": 1,
  "stores": "[{"name\":\"唐家湾\",\"id\":1}]",
  "name": "vnjohn1629772939065",
  "end_time": 1630204939084,
  "coupon_category": 0,
  "begin_time": 1629859339082,
  "rules": "满200元才能使用",
  "third_coupon_id": 1629772939065,
  "discount_fee": 10,
  "coupon_type": 1
}`
	giveExample = `{
  "number": 1,
  "coupon_set": "[{"open_id":"18023016181","params_type":"2","coupon_number":"29b81c45e83b49f5a71b95555aef6d00"}, {"open_id":"af76d25b97be4c55ab7fb0aff1d06667","params_type":"1","coupon_number":"6c69f766bddf4cf5923e06eea6bdccfb"}]",
  "create_time": 1626671161991,
  "third_coupon_id": "123213212"
}`
	syncExample = `{
  "third_coupon_code": "550be7757dbf4357a0d79706e2c2c25f",
  "open_id": "af76d25b97be4c55ab7fb0aff1d06667",
  "status": 0
}`
	verifyExample = `{
  "open_id": "168eebeb0d2e4edca2258ce156ec545d",
  "order_no": "1231",
  "third_coupon_codes": "641e0b64-e16d-45bc-97fd-aaec09afc4811",
  "verification_time": 1626511148756,
  "store_id": 12
}`
	couponsExample = `{
  "open_id": "168eebeb0d2e4edca2258ce156ec545d",
  "page_no": 1,
  "page_size": "15"
}`
)

// The members of the document's examples of coupons.
const (
	holderID    = "168eebeb0d2e4edca2258ce156ec545d"
	giveID      = "af76d25b97be4c55ab7fb0aff1d06667"
	givePhone   = "13800000001"
	holderPhone = "18023016181"
)

// templateRepaired and giveRepaired are the examples with their quotes escaped.
var (
	templateRepaired = with(templateExample, `[{"name`, `[{\"name`)
	giveRepaired     = with(giveExample,
		`{"open_id":"18023016181","params_type":"2","coupon_number":"29b81c45e83b49f5a71b95555aef6d00"}`,
		`{\"open_id\":\"18023016181\",\"params_type\":\"2\",\"coupon_number\":\"29b81c45e83b49f5a71b95555aef6d00\"}`,
		`{"open_id":"af76d25b97be4c55ab7fb0aff1d06667","params_type":"1","coupon_number":"6c69f766bddf4cf5923e06eea6bdccfb"}`,
		`{\"open_id\":\"af76d25b97be4c55ab7fb0aff1d06667\",\"params_type\":\"1\",\"coupon_number\":\"6c69f766bddf4cf5923e06eea6bdccfb\"}`)
)

// held has the document's members of section 5; the clock shows ms.
func held(t testing.TB, ms int64, opts doortest.Options) *session {
	t.Helper()
	s := newSession(t, opts)
	s.Clock.Advance(time.UnixMilli(ms).Sub(doortest.Start))
	s.Register(holderID, loyalty.Profile{Phone: holderPhone})
	s.Register(giveID, loyalty.Profile{Phone: givePhone})
	return s
}

// received is a usual time of these tests: 2021-07-17 00:23:22 in Shanghai, when the
// coupon of the example of 5.5 was received.
const received = 1626452602000

// term is a template whose coupons are good for ten days after the day they are
// received; fields stand behind the rest.
func term(number, fields string) string {
	return fmt.Sprintf(`{"third_coupon_id":"%s","coupon_category":0,"name":"满100减10","discount_fee":1000,"coupon_type":0,"fixed_term":10,"rules":"满100元才能使用"%s}`, number, fields)
}

// give is a call of 5.2 with one coupon for each of the numbers, to the holder.
func give(template string, numbers ...string) string {
	return giveTo(template, holderID, len(numbers), numbers...)
}

func giveTo(template, id string, number int, numbers ...string) string {
	var set []map[string]any
	for _, n := range numbers {
		set = append(set, map[string]any{"open_id": id, "coupon_number": n})
	}
	b, err := json.Marshal(map[string]any{"third_coupon_id": template, "number": number, "create_time": received, "coupon_set": set})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func report(code string, status int) string {
	return fmt.Sprintf(`{"third_coupon_code":"%s","open_id":"%s","status":%d}`, code, holderID, status)
}

func redeem(order, codes string, fields string) string {
	return fmt.Sprintf(`{"open_id":"%s","order_no":"%s","third_coupon_codes":"%s","verification_time":%d%s}`, holderID, order, codes, received, fields)
}

func (s *session) usable() int64 {
	s.t.Helper()
	return s.Member(loyalty.Who{Merchant: doortest.Merchant, OpenID: holderID}).UsableCoupons
}

func TestCouponGive(t *testing.T) {
	t.Parallel()
	s := held(t, 1626671161991, doortest.Options{}) // as the example's create_time says
	s.each(methodGive,
		"the document's example: no JSON", giveExample,
		"its quotes repaired, but there is no such template", giveRepaired,
	)
	s.each(methodTemplate,
		"the template", term("123213212", ""),
		"three of them", term("stock", `,"quantity":3`),
		"two for each", term("limit", `,"claim_number":2`),
		"for members of the second level, enforced", term("level", `,"member_restrict_type":1,"enforce_on_give":1,"levels":[2]`),
		"for new members, enforced", term("new", `,"member_restrict_type":0,"enforce_on_give":1`),
		"for members of the second level, not enforced", term("free", `,"member_restrict_type":1`),
		"a period that begins tomorrow", with(term("period", ""), `"coupon_type":0,"fixed_term":10`, `"coupon_type":1,"begin_time":1626710400000,"end_time":1626796800000`),
	)
	s.each(methodGive,
		"the document's example", giveRepaired,
		"the same again: the same coupons", giveRepaired,
		"two for each, but the last is one too many for its member", `{"third_coupon_id":123213212,"number":"2","create_time":"1626671161991","receive_store":12342122,"coupon_set":[{"openId":"18023016181","couponNumber":"a-1"},{"open_id":"af76d25b97be4c55ab7fb0aff1d06667","coupon_number":"b-1","params_type":1},{"open_id":18023016181,"coupon_number":2,"paramsType":2},{"open_id":"18023016181","params_type":2,"coupon_number":"29b81c45e83b49f5a71b95555aef6d00"}]}`,
		"a real list, camelCase, params_type by the look, two for each", `{"third_coupon_id":123213212,"number":"2","create_time":"1626671161991","receive_store":12342122,"coupon_set":[{"openId":"18023016181","couponNumber":"a-1"},{"open_id":"af76d25b97be4c55ab7fb0aff1d06667","coupon_number":"b-1","params_type":1},{"open_id":18023016181,"coupon_number":2,"paramsType":2},{"open_id":"af76d25b97be4c55ab7fb0aff1d06667","coupon_number":"b-2"}]}`,
		"before it begins", give("period", "p1"),
		"not enforced", give("free", "f1"),
		"enforced, and met", give("new", "n1"),
	)
	good := give("stock", "s1", "s2")
	before := s.usable()
	s.each(methodGive,
		"nothing at all", `{}`,
		"no list", with(giveRepaired, `"coupon_set"`, `"set"`),
		"an empty list", `{"third_coupon_id":"stock","number":1,"create_time":1626671161991,"coupon_set":[]}`,
		"a list of texts", `{"third_coupon_id":"stock","number":1,"create_time":1626671161991,"coupon_set":["a"]}`,
		"a list of 1001", giveTo("stock", holderID, 1001, strings.Fields(strings.Repeat("s ", 1001))...),
		"number 0", with(good, `"number":2`, `"number":0`),
		"no number", with(good, `"number":2`, `"number":null`),
		"no create_time", with(good, `1626452602000`, `null`),
		"create_time in seconds", with(good, `1626452602000`, `1626452602`),
		"create_time six minutes ahead", with(good, `1626452602000`, `1626671521992`),
		"no coupon_number", with(good, `"s2"`, `""`),
		"a coupon_number of 129 characters", with(good, `"s2"`, `"`+strings.Repeat("s", 129)+`"`),
		"a coupon_number with a comma, which 5.4 would take for two", with(good, `"s2"`, `"s2,s3"`),
		"a coupon_number with a blank behind it, which 5.4 would drop", with(good, `"s2"`, `"s2 "`),
		"a coupon_number of a blank", with(good, `"s2"`, `" "`),
		"params_type 3", with(good, `"coupon_number":"s2"`, `"params_type":3,"coupon_number":"s2"`),
		"a malformed phone", with(good, `{"coupon_number":"s2","open_id":"`+holderID+`"}`, `{"coupon_number":"s2","open_id":"1380000000","params_type":2}`),
		"nobody", with(good, `{"coupon_number":"s2","open_id":"`+holderID+`"}`, `{"coupon_number":"s2"}`),
		"nobody, and a third without a number: that first", with(good, `{"coupon_number":"s2","open_id":"`+holderID+`"}`, `{"coupon_number":"s2"},{"open_id":"`+holderID+`"}`),
		"an entry too many, by the number", with(give("stock", "s1", "s2"), `"number":2`, `"number":1`),
		"a code twice", give("stock", "s1", "s2", "s1"),
		"an unknown member", with(good, `{"coupon_number":"s2","open_id":"`+holderID+`"}`, `{"coupon_number":"s2","open_id":"`+noOpenID+`"}`),
		"an unknown phone, and an unknown template", with(good, `{"coupon_number":"s2","open_id":"`+holderID+`"}`, `{"coupon_number":"s2","open_id":"13800000009"}`, `"stock"`, `"nil"`),
		"too few for a member", with(good, `"number":2`, `"number":3`),
		"an unknown template", with(good, `"stock"`, `"nil"`),
		"a number that another member has", give("123213212", "s1", "b-1"),
		"a number that another template has", give("stock", "s1", "f1"),
		"one more than there are", give("stock", "s1", "s2", "s3", "s4"),
		"one more than the member may have", give("limit", "l1", "l2", "l3"),
		"a member of another level", give("level", "v1"),
	)
	if got := s.usable(); got != before {
		t.Errorf("%d coupons, before %d", got, before)
	}
	s.each(methodGive, "all there are: what was refused has used nothing up", give("stock", "s1", "s2", "s3"),
		"the last, and one more", give("stock", "s3", "s4"), "all a member may have", give("limit", "l1", "l2"), "one more later", give("limit", "l3"))
	s.call("another merchant's app", doortest.GatewayCall{Method: methodGive, App: s.Other, Body: give("stock", "s9")})
	s.Clock.Advance(40 * 24 * time.Hour)
	s.each(methodGive, "the period is over", give("period", "p2"), "a coupon of it that was given", give("period", "p1"),
		"a member that is new no more", give("new", "n2"))
	doortest.Do(s.Bundle, loyalty.SetStatus{
		Who: loyalty.Who{Merchant: doortest.Merchant, OpenID: holderID}, Status: loyalty.Disabled,
		By: loyalty.ByOperator{Operator: "operator", Reason: "test"},
	})
	s.each(methodGive, "a disabled member", give("123213212", "d1"))
	s.golden("coupon_give")
}
