package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// words is a table with single blanks, however wide its columns are.
func words(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

// has tells of every line of want that is not a line of a table.
func has(t *testing.T, table string, want ...string) {
	t.Helper()
	lines := "\n" + words(table) + "\n"
	for _, line := range want {
		if !strings.Contains(lines, "\n"+line+"\n") {
			t.Errorf("no line %q in\n%s", line, table)
		}
	}
}

// An order, a refund of a part of it and a coupon, through the gateway, and
// what the operator sees of them, on both databases.
func TestOrders(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig) {
		app := r.app("m1")
		s := r.serve()
		register(t, s, app)
		s.must("wk.user.consume.order", app, `{"phone":"`+phone+`","order_no":"O1","order_amount":1000.4,"order_score":1000,"consume_date":"2021-08-24 00:00:00",
			"store_id":12,"desc":"免税店购物","cashier_name":"成东红","psea_zjhm":"M05833549"}`)
		s.must("wk.user.refund.order", app, `{"phone":"`+phone+`","order_no":"R1","parent_order_no":"O1","order_amount":300.4,"order_score":300,"consume_date":"2021-08-24 00:00:00"}`)
		s.must("wk.coupon.template.add", app, `{"third_coupon_id":"T1","coupon_category":2,"name":"九折券","discount_fee":90,"coupon_type":0,"fixed_term":10,"rules":"全场"}`)
		s.must("wk.coupon.give", app, `{"third_coupon_id":"T1","number":1,"create_time":1626671161991,"coupon_set":[{"open_id":"`+phone+`","params_type":2,"coupon_number":"c-old"}]}`)
		order := []string{"--merchant", "m1", "--no", "O1"}
		shown := r.on(append([]string{"order", "show"}, order...)...)
		has(t, shown, "order O1", "member id 100000000000000001", "state booked", "consumed 2021-08-24 00:00:00", "amount 1000.40",
			"points 1000", "growth value 1000", "refunded 300.40", "points taken back 300", "growth taken back 300", "store 12",
			"cashier name 成**", "paper number ****")
		for _, secret := range []string{"成东红", "M05833549", phone} {
			if strings.Contains(shown, secret) {
				t.Errorf("shown: %s", secret)
			}
		}
		if !strings.Contains(words(shown), " R1 booked 300.40 300 300 SP") {
			t.Errorf("no refund in\n%s", shown)
		}
		has(t, r.on(append([]string{"order", "show", "--reveal"}, order...)...), "cashier name 成东红", "paper number M05833549")
		has(t, r.on("order", "show", "--merchant", "m1", "--no", "R1"), "refund R1", "refund of O1", "amount 300.40")
		preview := r.on(append([]string{"order", "preview", "--amount", "700", "--score", "650"}, order...)...)
		has(t, preview, "money left of the order 700.00 -> 0.00", "points taken back 650", "balance 700 -> 50",
			"growth value 700 -> 0", "level 2 二级会员 -> 1 一级会员", "Nothing has been booked.")
		if !strings.Contains(words(preview), "\n650 20") {
			t.Errorf("no lot in\n%s", preview)
		}
		has(t, r.on(append([]string{"order", "preview", "--amount", "0.5"}, order...)...), "points taken back 0", "balance 700 -> 700")
		has(t, r.on("member", "show", "--merchant", "m1", "--phone", phone), "orders 1", "consumption 700.00", "usable coupons 0 of 1", "growth value 700")
		expectRefusals(r, order)
		expectExport(t, r)
		if out := r.on("check"); out != "1 members checked, 0 differences\n" {
			t.Error(out)
		}
	})
}

func expectRefusals(r *rig, order []string) {
	r.t.Helper()
	preview := append([]string{"order", "preview"}, order...)
	r.refused(exitNo, "more money or points than is left", append(preview, "--amount", "700.01")...)
	r.refused(exitNo, "more money or points than is left", append(preview, "--amount", "1", "--score", "701")...)
	r.refused(exitNo, "must not be negative", append(preview, "--amount", "1", "--score=-1")...)
	r.refused(exitUsage, "--amount must be", append(preview, "--amount", "1.001")...)
	r.refused(exitUsage, "--amount must be", append(preview, "--amount=-1")...)
	r.refused(exitUsage, "--amount", preview...)
	r.refused(exitNo, "R1 is a refund; name its order O1", "order", "preview", "--merchant", "m1", "--no", "R1", "--amount", "1")
	r.refused(exitNo, "there is no such order", "order", "show", "--merchant", "m1", "--no", "O2")
	r.refused(exitNo, "there is no such order", append([]string{"order", "show", "--space", "s2"}, order...)...)
	r.refused(exitNo, "no such merchant", "order", "show", "--merchant", "m2", "--no", "O1")
}

// exportedHoldings is what export says of orders and coupons.
func exportedHoldings(t *testing.T, r *rig) (orders, coupons []map[string]any) {
	t.Helper()
	document := decode(t, r.on("member", "export", "--merchant", "m1", "--phone", phone))
	list := func(name string) (all []map[string]any) {
		rows, _ := document[name].([]any)
		for _, row := range rows {
			one, _ := row.(map[string]any)
			all = append(all, one)
		}
		return all
	}
	return list("orders"), list("coupons")
}

func expectExport(t *testing.T, r *rig) {
	t.Helper()
	orders, coupons := exportedHoldings(t, r)
	if len(orders) != 2 || len(coupons) != 1 {
		t.Fatalf("%d orders, %d coupons", len(orders), len(coupons))
	}
	pick := func(row map[string]any, names ...string) (values []any) {
		for _, name := range names {
			values = append(values, row[name])
		}
		return values
	}
	got := [][]any{
		pick(orders[0], "order_no", "kind", "parent_order_no", "amount", "points"),
		pick(orders[1], "order_no", "kind", "amount", "refunded", "store_id", "desc", "cashier_name", "psea_zjhm"),
		pick(coupons[0], "coupon_number", "third_coupon_id", "name", "state"),
	}
	want := [][]any{
		{"R1", "refund", "O1", "300.40", 300.0},
		{"O1", "order", "1000.40", "300.40", "12", "免税店购物", "成东红", "M05833549"},
		{"c-old", "T1", "九折券", "expired"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A preview says everything that the refund would do, and does nothing of it.
func TestPreview(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.app("m1")
	s := r.serve()
	register(t, s, app)
	settings := decode(t, r.on("merchant", "settings", "--id", "m1"))
	settings["clawback"] = "negative"
	orders, _ := settings["orders"].(map[string]any)
	orders["score"], orders["return_coupons"] = "rule", true
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.path("settings.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	r.on("merchant", "settings", "--id", "m1", "--file", r.path("settings.json"), "--reason", "test")
	s.must("wk.coupon.template.add", app, `{"third_coupon_id":"T1","coupon_category":0,"name":"满减","discount_fee":1000,"coupon_type":1,"begin_time":1626671161991,"end_time":4102415999000,"rules":"全场"}`)
	s.must("wk.coupon.give", app, `{"third_coupon_id":"T1","number":1,"create_time":1626671161991,"coupon_set":[{"open_id":"`+phone+`","params_type":2,"coupon_number":"c1"}]}`)
	s.must("wk.coupon.verification", app, `{"open_id":"`+phone+`","order_no":"O1","third_coupon_codes":"c1","verification_time":1626671161991}`)
	s.must("wk.user.consume.order", app, `{"phone":"`+phone+`","order_no":"O1","order_amount":200,"consume_date":"2021-08-24 00:00:00"}`)
	s.must("wk.user.event.score.change", app, `{"open_id":"`+phone+`","change_event":"event_subtract","score":150,"change_reason":"x","change_id":"c1"}`)
	before := r.on("member", "show", "--merchant", "m1", "--phone", phone)
	has(t, before, "usable coupons 0 of 1", "balance 50", "entries 2")
	whole := words(r.on("order", "preview", "--merchant", "m1", "--no", "O1", "--amount", "200"))
	for _, want := range []string{"points taken back 200\n", "owed, later credits fill it 150\n", "balance 50 -> -150\n", "\n50 20", "Given back:\n", "\nc1 2099-12-31 23:59:58\n"} {
		if !strings.Contains(strings.ReplaceAll(whole, "\n\n", "\n"), want) {
			t.Errorf("no %q in\n%s", want, whole)
		}
	}
	part := r.on("order", "preview", "--merchant", "m1", "--no", "O1", "--amount", "0.01")
	has(t, part, "points taken back 1", "balance 50 -> 49")
	if strings.Contains(part, "c1") || strings.Contains(part, "owed") {
		t.Error(part)
	}
	if after := r.on("member", "show", "--merchant", "m1", "--phone", phone); after != before {
		t.Errorf("a preview changed something:\n%s", after)
	}
}

// Labels and paid cards are the operators', and the envelope shows them.
func TestMarks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	app := r.app("m1")
	s := r.serve()
	register(t, s, app)
	member := func(verb string, more ...string) []string {
		return append([]string{"member", verb, "--merchant", "m1", "--phone", phone, "--reason", "test"}, more...)
	}
	r.on(member("label", "--add", "母婴")...)
	r.on(member("label", "--add", "vip")...)
	r.on(member("card", "--set", "88", "--name", "年费金卡", "--until", "2026-12-31")...)
	r.on(member("card", "--set", "88", "--name", "年费金卡", "--until", "2027-12-31")...)
	show := []string{"member", "show", "--merchant", "m1", "--phone", phone}
	has(t, r.on(show...), "labels vip, 母婴", "paid card 88 年费金卡 until 2027-12-31 23:59:59")
	answer := s.must("/member/getMembers", app, `{"partnerId":"m1","labelName":"vip","paidId":"88"}`)
	body, _ := answer["responseBody"].(map[string]any)
	list, _ := body["memberList"].([]any)
	if len(list) != 1 {
		t.Fatalf("envelope: %v", answer)
	}
	listed, _ := list[0].(map[string]any)
	want := []any{map[string]any{"paidId": "88", "paidName": "年费金卡", "expiryTime": "2027-12-31 23:59:59"}}
	if diff := cmp.Diff(want, listed["memberPaidList"]); diff != "" {
		t.Error(diff)
	}
	r.refused(exitNo, "nothing to change", member("label", "--add", "vip")...)
	r.refused(exitNo, "nothing to change", member("label", "--remove", "gold")...)
	r.refused(exitNo, "nothing to change", member("card", "--remove", "89")...)
	r.on(member("label", "--remove", "vip")...)
	r.on(member("card", "--remove", "88")...)
	shown := r.on(show...)
	has(t, shown, "labels 母婴")
	if strings.Contains(shown, "年费金卡") || strings.Count(shown, "set paid card") != 2 {
		t.Error(shown)
	}
	exported := decode(t, r.on("member", "export", "--merchant", "m1", "--phone", phone))
	if diff := cmp.Diff([]any{[]any{"母婴"}, []any{}}, []any{exported["labels"], exported["paid_cards"]}); diff != "" {
		t.Error(diff)
	}
	id, _ := exported["member_id"].(string)
	r.on("member", "erase", "--merchant", "m1", "--phone", phone, "--reason", "asked for it")
	has(t, r.on("member", "show", "--merchant", "m1", "--id", id), "labels -")
	r.refused(exitNo, "has been erased", "member", "label", "--merchant", "m1", "--id", id, "--reason", "x", "--add", "vip")
}

// A document that an older release exported lacks what is new, and is refused by
// the name of it: a part left out would silently become a default.
func TestSettingsOfAnOlderRelease(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.app("m1")
	document := r.on("merchant", "settings", "--id", "m1")
	file := r.path("settings.json")
	apply := []string{"merchant", "settings", "--id", "m1", "--file", file, "--reason", "test"}
	write := func(edit func(settings, orders map[string]any)) {
		t.Helper()
		settings := decode(t, document)
		orders, _ := settings["orders"].(map[string]any)
		edit(settings, orders)
		text, err := json.Marshal(settings)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"growth", "orders", "sms"} {
		write(func(settings, _ map[string]any) { delete(settings, key) })
		r.refused(exitUsage, "lacks "+key, apply...)
	}
	write(func(_, orders map[string]any) { delete(orders, "early_refund") })
	r.refused(exitUsage, "lacks orders.early_refund", apply...)
	write(func(_, orders map[string]any) { orders["score"] = "some" })
	r.refused(exitNo, "orders.score", apply...)
	write(func(_, orders map[string]any) { orders["score"] = "rule" })
	r.on(apply...)
	if !strings.Contains(r.on("merchant", "settings", "--id", "m1"), `"score": "rule"`) {
		t.Error("not applied")
	}
}
