package gateway

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
)

const (
	methodOrder   = "wk.user.consume.order"
	methodRefund  = "wk.user.refund.order"
	methodPreview = "wk.user.refund.preview"
)

// The document's examples, verbatim.
const (
	orderExample = `{
  "storeId":1,
  "openId":"0000001",
  "phone":"137xxxxxxxx",
  "consumeDate":"2021-06-23 00:00:00",
  "orderAmount":23,
  "orderNo":"12312312312321",
  "desc":"ee",
  "shopId": null,
  "orderScore":12,
  "billHead":"xx",
  "billNo":"xx",
  "billDate":"2021-06-23 00:00:00",
  "cashierNo":"44444444",
  "cashierName":"cashier name",
  "vipNumber":"3333333",
  "vipName":"xxxx",
  "billStartTime":"2021-06-23 00:00:00",
  "billEndTime":"2021-06-23 00:00:00",
  "materialInfo":{"name":"xxxx"},
  "finEntityInfo":{"name":"xxxx"},
  "pseaZjlx":99,
  "pseaZjlxName":"443434",
  "pseaZjhm":"xxxx"
}`
	refundExample = `// 部分请求参数
{
  "order_no": "refund_test-order-no9",
  "order_score": 0,
  "phone": "19921361967",
  "order_amount": 1000.4,
  "material_info": "[{"material_name": "硬盒经典双喜牌香烟", "bar_code": "6901028004770", "ty": "1", "base_unit_id": "条", "price": "120"}
  ...] ",
  "consume_date": "2021-08-24 00:00:00",
  "parent_order_no": "test-order-no7"
}`
)

// refundRepaired is the example without its comment and with its quotes escaped.
const refundRepaired = `{
  "order_no": "refund_test-order-no9",
  "order_score": 0,
  "phone": "19921361967",
  "order_amount": 1000.4,
  "material_info": "[{\"material_name\": \"硬盒经典双喜牌香烟\", \"bar_code\": \"6901028004770\", \"ty\": \"1\", \"base_unit_id\": \"条\", \"price\": \"120\"}]",
  "consume_date": "2021-08-24 00:00:00",
  "parent_order_no": "test-order-no7"
}`

// otherPhone is the member of the refund's example.
const otherPhone = "19921361967"

// orderBody is an order of the documents' member; fields stand behind the rest.
func orderBody(number, amount, fields string) string {
	return fmt.Sprintf(`{"open_id":"%s","order_no":"%s","order_amount":%s,"consume_date":"2026-11-21 18:30:00"%s}`, openID, number, amount, fields)
}

func refundBody(number, parent, amount, fields string) string {
	return orderBody(number, amount, `,"parent_order_no":"`+parent+`"`+fields)
}

func repairedOrder() string { return with(orderExample, "0000001", openID, "137xxxxxxxx", phone) }

// kept is what the database has of an order.
func (s *session) kept(number string) loyalty.OrderFound {
	s.t.Helper()
	reader := s.Reader.(interface {
		Order(ctx context.Context, merchant string, key loyalty.OrderKey) (loyalty.OrderFound, []loyalty.OrderFound, error)
	})
	found, _, err := reader.Order(context.Background(), doortest.Merchant, loyalty.OrderKey{Space: s.App.Space, No: number})
	must(s.t, err)
	return found
}

func TestConsumeOrder(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{})
	s.Register("", loyalty.Profile{Phone: otherPhone})
	s.each(methodOrder,
		"the document's example: its phone is masked", orderExample,
		"and without the phone its open_id stands for another", with(orderExample, `"137xxxxxxxx"`, "null"),
		"the document's example of a member that exists", repairedOrder(),
		"the same again: the first answer, nothing booked", repairedOrder(),
		"snake_case, numbers as text, the date in ms, other free text: still the same",
		`{"phone":"15900947949","order_no":"12312312312321","order_amount":"23.00","order_score":"12","consume_date":1624377600000,"store_id":2,"desc":"别的"}`,
		"the number with another amount", with(repairedOrder(), `"orderAmount":23`, `"orderAmount":23.01`),
		"with another score", with(repairedOrder(), `"orderScore":12`, `"orderScore":13`),
		"without a score", with(repairedOrder(), `"orderScore":12,`, ``),
		"with another date", with(repairedOrder(), `"consumeDate":"2021-06-23 00:00:00"`, `"consumeDate":"2021-06-23 00:00:01"`),
		"of another member", with(repairedOrder(), openID, "", phone, otherPhone),
		"no score: no points by default, so statement_id is the order's", orderBody("o1", "1000.4", ""),
		"nothing to pay and no points", orderBody("o2", "0", `,"order_score":0`),
		"a date without a time, infos that are no JSON", `{"open_id":"15900947949","order_no":"o3","order_amount":0.01,"order_score":1,"consume_date":"2026-11-22","material_info":"[{\"name\": \"x\"} ...]","fin_entity_info":[{"settleId":"01"}],"bill_date":1624377600000}`,
		"five minutes ahead of the clock", with(orderBody("o4", "1", ""), "2026-11-21 18:30:00", "2026-11-22 10:05:00"),
	)
	if o := s.kept("12312312312321"); o.Info.Material != `{"name":"xxxx"}` || o.Info.Papers.PaperKind != "99" || o.Info.Store != "1" || o.Info.Shop != "" ||
		o.Info.Papers.MemberName != "xxxx" || o.Info.BillStart != "2021-06-23 00:00:00" || o.ConsumedAt != 1624377600000 || o.Amount != 2300 {
		t.Errorf("kept %+v", o)
	}
	if o := s.kept("o3"); o.Info.Material != `[{"name": "x"} ...]` || o.Info.Papers.Settlement != `[{"settleId":"01"}]` || o.Info.BillDate != "1624377600000" {
		t.Errorf("kept %+v", o.Info)
	}
	if m := s.member(); m.Balance != 13 || m.Growth != 1024 || m.ConsumeCount != 5 || m.ConsumeFen != 102441 {
		t.Errorf("balance %d, growth %d, %d orders of %d fen", m.Balance, m.Growth, m.ConsumeCount, m.ConsumeFen)
	}
	s.each(methodInfoQuery, "3.2: the growth value has reached the third level", `{"phone":"15900947949"}`)
	s.each(methodRecord, "3.5: the order's desc, or what it was", `{"phone":"15900947949"}`)
	s.golden("consume_order")
}

// TestConsumeOrderRefused has each refusal in the order of precedence, and
// nothing is booked by any of them.
func TestConsumeOrderRefused(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{})
	s.each(methodOrder, "an order", orderBody("taken", "1", `,"order_score":1`))
	before := s.member().Member
	good := orderBody("o1", "100", `,"order_score":100`)
	s.each(methodOrder,
		"nothing at all", `{}`,
		"no number", with(good, `"o1"`, `""`),
		"no amount", with(good, `"order_amount":100,`, ``),
		"no date", with(good, `"2026-11-21 18:30:00"`, `null`),
		"three decimals", with(good, `"order_amount":100`, `"order_amount":100.005`),
		"a negative amount", with(good, `"order_amount":100`, `"order_amount":-0.01`),
		"10^15 yuan", with(good, `"order_amount":100`, `"order_amount":1000000000000000`),
		"one fen too many", with(good, `"order_amount":100`, `"order_amount":10000000.01`),
		"an amount in words", with(good, `"order_amount":100`, `"order_amount":"一百"`),
		"a negative score", with(good, `"order_score":100`, `"order_score":-1`),
		"half a point", with(good, `"order_score":100`, `"order_score":0.5`),
		"a date in words", with(good, "2026-11-21 18:30:00", "昨天"),
		"the 31st of November", with(good, "2026-11-21", "2026-11-31"),
		"seconds for milliseconds", with(good, `"2026-11-21 18:30:00"`, `1795257000`),
		"the year 10000", with(good, `"2026-11-21 18:30:00"`, `253402300800000`),
		"a bill's date in words", with(good, `"order_score"`, `"bill_date":"昨天","order_score"`),
		"an end of sale that is none", with(good, `"order_score"`, `"billEndTime":"25:00","order_score"`),
		"a kind of paper in words", with(good, `"order_score"`, `"psea_zjlx":"护照","order_score"`),
		"a flag for material_info", with(good, `"order_score"`, `"material_info":true,"order_score"`),
		"material_info of 100001 characters", with(good, `"order_score"`, `"material_info":"`+strings.Repeat("长", maxDocument+1)+`","order_score"`),
		"fin_entity_info as long, as a list", with(good, `"order_score"`, `"fin_entity_info":["`+strings.Repeat("1", maxDocument)+`"],"order_score"`),
		"two numbers", with(good, `"order_score"`, `"orderNo":"o2","order_score"`),
		"two lists of goods", with(good, `"order_score"`, `"material_info":[1],"materialInfo":[2],"order_score"`),
		"a malformed phone beside a good open_id", with(good, `"order_score"`, `"phone":"1380000000","order_score"`),
		"nobody, and a bad amount: the amount first", with(good, openID, "", `"order_amount":100`, `"order_amount":-1`),
		"nobody", with(good, openID, ""),
		"six minutes ahead, and an unknown member: the date first", with(good, openID, noOpenID, "2026-11-21 18:30:00", "2026-11-22 10:06:00"),
		"an unknown member, and a taken number", with(good, openID, noOpenID, "o1", "taken"),
		"a taken number, and too many points", with(good, "o1", "taken", `"order_score":100`, `"order_score":1000001`),
		"too many points", with(good, `"order_score":100`, `"order_score":1000001`),
	)
	if after := s.member().Member; after != before {
		t.Errorf("something was booked: %+v, before %+v", after, before)
	}
	s.call("another merchant's member", doortest.GatewayCall{Method: methodOrder, App: s.Other, Body: good})
	s.ChangeSettings(doortest.Merchant, func(s *loyalty.Settings) { s.Points.Until = loyalty.InstantOf(doortest.Start) })
	s.each(methodOrder, "the points rule is over", good, "without points it does not matter", orderBody("o2", "1", `,"order_score":0`))
	s.disable()
	s.each(methodOrder, "a disabled member", with(good, `"order_score":100`, `"order_score":0`))
	s.erase()
	s.each(methodOrder, "an erased member", good)
	s.golden("consume_order_refused")
}

func TestOrderByRule(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{Settings: func(s *loyalty.Settings) { s.Orders.Score = loyalty.ScoreRule }})
	s.each(methodOrder, "no score: a point for each yuan, rounded down", orderBody("o1", "99.99", ""))
	s.each(methodPreview, "a preview", refundBody("", "o1", "33.33", ""))
	s.each(methodRefund,
		"a third, no score", refundBody("r1", "o1", "33.33", ""),
		"another third", refundBody("r2", "o1", "33.33", ""),
		"the last one takes the rest", refundBody("r3", "o1", "33.33", ""),
	)
	if m := s.member(); m.Balance != 0 || m.Growth != 0 || m.ConsumeCount != 0 {
		t.Errorf("balance %d, growth %d, %d orders", m.Balance, m.Growth, m.ConsumeCount)
	}
	s.golden("order_by_rule")
}
