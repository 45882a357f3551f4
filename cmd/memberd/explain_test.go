package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// An operator asks why, for orders and for entries, on both databases.
func TestExplain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig) {
		app := r.app("m1")
		s := r.serve()
		register(t, s, app)
		s.must("wk.user.consume.order", app, `{"phone":"`+phone+`","order_no":"O0","order_amount":100,"consume_date":"2026-01-03 12:00:00"}`)
		settings := decode(t, r.on("merchant", "settings", "--id", "m1"))
		settings["orders"].(map[string]any)["score"] = "rule"
		rule := settings["points"].(map[string]any)
		rule["rounding"] = "up"
		rule["caps"] = map[string]any{"per_order": 300}
		rule["multipliers"] = []any{
			map[string]any{"id": "weekend", "name": "周末双倍", "name_en": "weekend double", "factor": 20_000, "when": map[string]any{"weekdays": []int{6, 7}}},
			map[string]any{"id": "new", "name": "新店", "name_en": "new store", "factor": 30_000, "when": map[string]any{"stores": []string{"S1"}}},
		}
		document, err := json.Marshal(settings)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(r.path("settings.json"), document, 0o600); err != nil {
			t.Fatal(err)
		}
		r.on("merchant", "settings", "--id", "m1", "--file", r.path("settings.json"), "--reason", "test")
		s.must("wk.user.consume.order", app, `{"phone":"`+phone+`","order_no":"O1","order_amount":160.1,"store_id":"S9","consume_date":"2026-01-03 12:00:00"}`)
		s.must("wk.user.refund.order", app, `{"phone":"`+phone+`","order_no":"R1","parent_order_no":"O1","order_amount":60.1,"consume_date":"2026-01-04 12:00:00"}`)
		for i := range 2 { // under the order's number as well
			s.must("wk.user.event.score.change", app, fmt.Sprintf(`{"phone":%q,"change_event":"event_add","score":%d,"change_reason":"x","change_id":"C%d","out_biz_no":"O1"}`, phone, 30+i, i))
		}

		ask := func(what string, more ...string) string {
			return r.on(append([]string{"explain", "--merchant", "m1", what}, more...)...)
		}
		spoken := ask("O1")
		for _, want := range []string{
			"订单 O1 消费 160.10 元，得 300 积分。\nOrder O1 of 160.10 yuan earned 300 points.\n",
			"\n- 适用会员规则第 2 版，20", "\n  Version 2 of the programme applied, in force since 20",
			"\n- 「周末双倍」（2 倍）：适用。\n  “weekend double” (×2) applied.\n",
			"\n- 「新店」（3 倍）：不适用，仅限门店 S1，本单门店 S9。\n",
			"\n- 算得 320.2 积分，向上取整为 321 积分。\n", "\n- 单笔上限 300 积分：321 减为 300，少 21。\n",
			"\n- 之后退货 R1：退款 60.10 元，扣回 100 积分。\n", "\n- 同一订单号另有一笔入账 SP000000000100000003（20", "，手动赠送）：得 30 积分。\n  Another entry came under the order's number, SP000000000100000003 (20",
			"\n- 同一订单号另有一笔入账 SP000000000100000004（20", "\n- 按记录重新计算，得 300 积分，与入账一致。\n",
		} {
			if !strings.Contains(spoken, want) {
				t.Errorf("no %q in\n%s", want, spoken)
			}
		}
		var answer struct {
			Statement string `json:"statement_id"`
			Points    int64
			Version   int64
			Sentences []struct{ Zh, En string }
			Record    map[string]any
		}
		if err := json.Unmarshal([]byte(ask("O1", "--json")), &answer); err != nil {
			t.Fatal(err)
		}
		if answer.Points != 300 || answer.Version != 2 || len(answer.Sentences) != strings.Count(spoken, "\n")/2 || answer.Record["earned_by"] != "rule" {
			t.Errorf("%+v", answer)
		}
		if got := ask(answer.Statement); got != spoken {
			t.Errorf("the entry of the order is explained otherwise:\n%s", got)
		}
		if got := ask("O1", "--lang", "zh") + ask("O1", "--lang", "en"); strings.Count(got, "\n") != strings.Count(spoken, "\n") || strings.Contains(ask("O1", "--lang", "en"), "积分") {
			t.Error(got)
		}
		if got := ask("R1", "--lang=zh"); !strings.Contains(got, "退货 R1（订单 O1）退款 60.10 元，扣回 100 积分。\n") {
			t.Error(got)
		}
		if got := ask("O0", "--lang=zh"); !strings.Contains(got, "订单 O0 消费 100.00 元，未得积分。\n- 原因：业务系统没有指定积分，商户设置为此时不送积分。\n- 适用会员规则第 1 版，") {
			t.Error(got)
		}
		for what, want := range map[string]string{
			"O2": "there is no order or refund with that number", "SP000000000100000099": "there is neither such a statement nor an order",
			"SP1": "a statement id is SP and 18 digits",
		} {
			r.refused(exitNo, want, "explain", "--merchant", "m1", what)
		}
		r.refused(exitNo, "there is no order or refund", "explain", "--merchant", "m1", "O1", "--space", "s2")
		r.refused(exitNo, "no such merchant", "explain", "--merchant", "m2", "O1")
		r.refused(exitUsage, "lang", "explain", "--merchant", "m1", "O1", "--lang", "fr")
	})
}
