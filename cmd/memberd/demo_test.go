package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

// gatewayExamples are the gateway document's examples of sections 4 and 5 that
// can succeed, in the order in which they can.
var gatewayExamples = []struct{ target, data string }{
	{"wk.user.consume.order", `{"store_id":20206023,"open_id":"25c56912e05847c0b09f03ca7e52b796","consume_date":"2021-01-29 00:00:00","order_amount":1000.4,
		"order_no":"66239d2848de","desc":"免税店购物","shop_id":20206111,"order_score":100,"psea_zjlx":14,"psea_zjlx_name":"港澳居民","psea_zjhm":"M05833549",
		"bill_head":"6812728783586514369","bill_no":"201011082106210894","bill_date":"2021-06-21 00:00:00","cashier_no":"20359","cashier_name":"成东红"}`},
	{"wk.user.refund.order", `{"phone":"17600000000","order_no":"refund_66239d2848de","parent_order_no":"parent_639d2848de213","order_amount":1000.4,
		"consume_date":"2021-01-29 00:00:00","order_score":100}`},
	{"wk.user.refund.order", `{"order_no":"refund_test-order-no9","order_score":0,"phone":"19921361967","order_amount":1000.4,
		"consume_date":"2021-08-24 00:00:00","parent_order_no":"test-order-no7"}`},
	{"wk.coupon.template.add", `{"suit_store_type":1,"stores":"[{\"name\":\"唐家湾\",\"id\":1}]","name":"vnjohn1629772939065","end_time":1630204939084,
		"coupon_category":0,"begin_time":1629859339082,"rules":"满200元才能使用","third_coupon_id":1629772939065,"discount_fee":10,"coupon_type":1}`},
	{"wk.coupon.give", `{"number":1,"coupon_set":"[{\"open_id\":\"18023016181\",\"params_type\":\"2\",\"coupon_number\":\"29b81c45e83b49f5a71b95555aef6d00\"}, {\"open_id\":\"af76d25b97be4c55ab7fb0aff1d06667\",\"params_type\":\"1\",\"coupon_number\":\"6c69f766bddf4cf5923e06eea6bdccfb\"}]",
		"create_time":1626671161991,"third_coupon_id":"123213212"}`},
	{"wk.coupon.sync.status", `{"third_coupon_code":"550be7757dbf4357a0d79706e2c2c25f","open_id":"af76d25b97be4c55ab7fb0aff1d06667","status":0}`},
	{"wk.coupon.user.list", `{"open_id":"168eebeb0d2e4edca2258ce156ec545d","page_no":1,"page_size":"15"}`},
	{"wk.coupon.verification", `{"open_id":"168eebeb0d2e4edca2258ce156ec545d","order_no":"1231","third_coupon_codes":"641e0b64-e16d-45bc-97fd-aaec09afc4811",
		"verification_time":1626511148756,"store_id":12}`},
}

// What the demo prints can be pasted, the documents' examples can, and all of
// the history adds up.
func TestDemo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.serve("--demo")
	if status, body := s.post("/member/register/mobile", registration("15623261994")); status != 200 || decode(t, body)["statusCode"] != "100" {
		t.Errorf("%d %s", status, body)
	}
	app := r.path("demo-app.json")
	for range 2 { // again: answered as the first time
		for _, call := range demoCalls {
			s.must(call.target, app, call.data)
		}
		for _, example := range gatewayExamples {
			s.must(example.target, app, example.data)
		}
	}
	s.must("wk.sms.verify.send", app, `{"target":"13888888888"}`)
	expectDemo(t, r, s, app)
	credentials := mustRead(t, app)
	info, err := os.Stat(app)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	s.stop()
	for _, want := range []string{demoUnsigned, " call wk.user.info.query --app " + app, " call wk.user.refund.order --app " + app, " call wk.coupon.give --app " + app} {
		if !strings.Contains(s.out.String(), want) {
			t.Errorf("no %q in what to paste next:\n%s", want, s.out)
		}
	}
	again := r.serve("--demo")
	again.must("wk.user.info.query", app, `{"phone":"15623261994"}`)
	if mustRead(t, app) != credentials {
		t.Error("a second start made other credentials")
	}
	again.stop()

	taken := newRig(t)
	taken.on("merchant", "create", "--id", demoMerchant, "--name", "x")
	taken.refused(exitNo, "is no sandbox", "serve", "--demo", "--listen", "127.0.0.1:0")
}

// expectDemo has members on every level, with labels and cards, and books that
// add up.
func expectDemo(t *testing.T, r *rig, s *server, app string) {
	t.Helper()
	for _, filter := range []string{
		`"ruleCode":1`, `"ruleCode":2`, `"ruleCode":3`, `"ruleCode":4`, `"ruleCode":5`, `"ruleCode":6`, `"ruleCode":7`,
		`"labelName":"母婴"`, `"paidId":"88"`,
	} {
		answer := s.must("/member/getMembers", app, `{"partnerId":"`+demoMerchant+`","pageSize":1,`+filter+`}`)
		body, _ := answer["responseBody"].(map[string]any)
		if total, _ := body["totalCount"].(float64); total < 3 {
			t.Errorf("%s: %v members", filter, body["totalCount"])
		}
	}
	order := []string{"--merchant", demoMerchant, "--no", "test-order-no7"}
	has(t, r.on(append([]string{"order", "show"}, order...)...), "amount 1000.40", "points 1000", "refunded 1000.40")
	// What the rule decides goes by the programme, which can be exported.
	s.must("wk.user.consume.order", app, `{"phone":"13800000000","order_no":"skincare-1","order_amount":100,"consume_date":"2021-08-24 00:00:00",
		"material_info":[{"material_name":"面霜","category":"护肤","price":"100"}]}`)
	has(t, r.on("order", "show", "--merchant", demoMerchant, "--no", "skincare-1"), "points 300", "points by the merchant's rule")
	if out := r.on("program", "export", "--merchant", demoMerchant); !strings.Contains(out, "name: 护肤品三倍积分") || !strings.Contains(out, "daily_cap: 5") {
		t.Error(out)
	}
	// The history came through the app, before the first version of the programme.
	explained := r.on("explain", "--merchant", demoMerchant, "test-order-no7", "--lang", "zh")
	if !strings.Contains(explained, "\n- 积分数由业务系统直接指定，没有按积分规则计算。\n- 适用会员规则第 1 版。\n") {
		t.Error(explained)
	}
	expectDemoDay(t, r, s)
	if out := r.on("check"); !strings.HasSuffix(out, "members checked, 0 differences\n") {
		t.Error(out)
	}
}

// expectDemoDay reconciles a day of the history, in which calls of every sort
// came, with what the app would have of it.
func expectDemoDay(t *testing.T, r *rig, s *server) {
	t.Helper()
	day := func(ago int) string {
		today, err := time.Parse(time.DateOnly, s.today())
		if err != nil {
			t.Fatal(err)
		}
		return today.AddDate(0, 0, -ago).Format(time.DateOnly)
	}
	kinds := map[string]int{}
	for ago := 1; ago <= 7; ago++ {
		statement := r.on("statement", "--merchant", demoMerchant, "--date", day(ago), "--app", r.demoApp())
		for _, row := range readSheet(t, statement).rows {
			kinds[row["kind"]]++
		}
		if ago > 1 {
			continue
		}
		file := r.path("demo-day.csv")
		if err := os.WriteFile(file, []byte(statement), 0o600); err != nil {
			t.Fatal(err)
		}
		has(t, r.on("reconcile", "--merchant", demoMerchant, "--date", day(ago), file), "0 differences. Nothing has been booked.")
	}
	for _, kind := range []string{"order", "refund", "change", "opt", "total"} {
		if kinds[kind] == 0 {
			t.Errorf("a week without %s: %v", kind, kinds)
		}
	}
}

// demoApp is the id of the signing demo app.
func (r *rig) demoApp() string {
	r.t.Helper()
	id, _ := decode(r.t, mustRead(r.t, r.path("demo-app.json")))["app_id"].(string)
	return id
}
