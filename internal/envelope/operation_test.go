package envelope

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
)

// What a call tells beside the points is kept in the ledger.
func TestNotes(t *testing.T) {
	t.Parallel()
	s := withMembers(t, nil)
	note := func(reason string, change func(*loyalty.Note)) loyalty.Note {
		n := loyalty.Note{Reason: reason}
		if change != nil {
			change(&n)
		}
		return n
	}
	rows := []struct {
		path, body string
		want       loyalty.Note
	}{
		{pathAdd, `{%m,"score":9,"operationType":4,%k}`, note("手动赠送", nil)},
		{pathDeduct, `{%m,"score":1,"operationType":14,"operationName":"14",%k}`, note("积分支付", nil)},
		{pathSend, `{%m,"score":1,"operationType":1,"operationName":3,%k}`, note("积分签到", nil)},
		{pathSend, `{%m,"score":1,"operationType":1,"operationName":"周年庆",%k}`, note("周年庆", nil)},
		{pathSend, `{%m,"score":1,"operationType":1,"operationName":"99",%k}`, note("99", nil)},
		{pathSend, `{%m,"amount":1990,"operationType":1,"orderId":1001,"activityCode":"A1",%k,"idempotencyBusinessType":"06"}`, note("消费送积分", func(n *loyalty.Note) {
			n.OrderNo, n.Activity, n.Detail.BusinessType, n.Detail.OrderFen = "1001", "A1", "6", 1990
		})},
		{pathAdd, `{%m,"amount":500,"score":2,"operationType":1,%k}`, note("消费送积分", func(n *loyalty.Note) { n.Detail.OrderFen = 500 })},
		{pathUpdate, `{%m,"changeScore":1,"operationType":11,"remark":"多发","operator":"张三","operatorId":17,"orgCode":"shop001","orgType":"3"}`, note("手动扣减", func(n *loyalty.Note) {
			n.Detail = loyalty.Detail{Remark: "多发", Operator: "张三", OperatorID: "17", OrgCode: "shop001", OrgType: "3"}
		})},
		{pathReturn, `{%m,"operationType":15,"orderId":"1001","remark":"退货","idempotencyBussinessId":"r"}`, note("消费送积分扣回", func(n *loyalty.Note) {
			n.OrderNo, n.Activity, n.Detail.Remark = "1001", "A1", "退货"
		})},
	}
	for i, row := range rows {
		if a := s.call("note", row.path, fill(row.body, i)); codeOf(t, a) != "100" {
			t.Fatalf("%s %s: %s", row.path, row.body, a.Body)
		}
	}
	who := loyalty.Who{Merchant: doortest.Merchant, ExternalID: memberC}
	_, page, err := s.Reader.Entries(context.Background(), who, loyalty.InstantOf(s.Clock.Now()), 0, 1, 100)
	if err != nil || len(page.Entries) != len(rows) {
		t.Fatalf("%d entries, %v", len(page.Entries), err)
	}
	for i, row := range rows {
		e := page.Entries[len(rows)-1-i] // newest first
		if diff := cmp.Diff(row.want, e.Note); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", row.path, row.body, diff)
		}
		if e.App != doortest.UnsignedApp {
			t.Errorf("%s: app %q", row.path, e.App)
		}
	}
}
