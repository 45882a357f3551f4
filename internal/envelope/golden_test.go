package envelope

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
)

const (
	pathInfo     = "/member/getMemberInfoByIdOrMobile"
	pathList     = "/member/getMembers"
	pathAdd      = "/member/score/opt/1"
	pathDeduct   = "/member/score/opt/15"
	pathRegister = "/member/register/mobile"
	pathUpdate   = "/member/score/updateScore"
	pathSend     = "/member/score/sendScore"
	pathReturn   = "/member/score/returnScore"
	pathTotals   = "/member/score/statisticalScore"
)

// Every example of the document, as it stands there, in its order.
func TestExamples(t *testing.T) {
	t.Parallel()
	s := withMembers(t, nil)
	for _, e := range examples {
		a := s.send("example of "+e.section, e.path, e.body)
		want := "100"
		if e.section == "1.6" {
			want = "140005" // asks for a code that nobody sent
		}
		if got := codeOf(t, a); got != want {
			t.Errorf("example of %s: %s", e.section, a.Body)
		}
	}
	s.golden("examples")
}

// fill answers a template: %m is the member, %k a fresh key.
func fill(template string, n int) string {
	return strings.NewReplacer("%m", `"memberId":"`+memberC+`"`, "%k", fmt.Sprintf(`"idempotencyBussinessId":"k%d"`, n)).Replace(template)
}

// changes runs rows of {note, path, requestBody} on a member with points.
func changes(t *testing.T, name string, settings func(*loyalty.Settings), rows [][3]string) {
	t.Helper()
	s := withMembers(t, settings)
	disabled := s.register(doortest.Merchant, loyalty.Profile{ExternalID: "4545444", Phone: "13800000002"}, nil)
	who := loyalty.Who{Merchant: doortest.Merchant, ID: disabled.Member}
	doortest.Do(s.Bundle, loyalty.ChangePoints{Who: who, Direction: loyalty.Credit, Operation: loyalty.OpManualGrant, Points: 50, Note: loyalty.Note{OrderNo: "D1"}})
	doortest.Do(s.Bundle, loyalty.SetStatus{Who: who, Status: loyalty.Disabled, By: operator})
	erased := s.register(doortest.Merchant, loyalty.Profile{ExternalID: "4545445", Phone: "13800000003"}, nil)
	doortest.Do(s.Bundle, loyalty.EraseMember{Who: loyalty.Who{Merchant: doortest.Merchant, ID: erased.Member}, By: operator})
	for i, row := range rows {
		s.call(row[0], row[1], fill(row[2], i))
	}
	s.call("the balance after it all", pathTotals, fill(`{%m}`, 0))
	s.golden(name)
}

func TestScoreOpt(t *testing.T) {
	t.Parallel()
	changes(t, "score_opt", nil, [][3]string{
		{"type 1 adds", pathAdd, `{%m,"score":100,"operationType":1,"idempotencyBussinessId":"a","idempotencyBussinessType":6}`},
		{"the same again, numbers as text, other free text: the first answer", pathAdd, `{%m,"score":"100","operationType":"1","operationName":"送","remark":"再来","idempotencyBusinessId":"a","idempotencyBusinessType":"6"}`},
		{"type 15 deducts", pathDeduct, `{%m,"score":30,"operationType":14,%k}`},
		{"by amount in fen: 199 fen are one point", pathAdd, `{%m,"amount":199,"operationType":1,%k}`},
		{"by amount, deducted alike", pathDeduct, `{%m,"amount":"199","operationType":15,%k}`},
		{"score and amount: score decides", pathAdd, `{%m,"amount":18616703980,"score":5,"operationType":4,%k}`},
		{"an amount of 10^18 beside a score", pathAdd, `{%m,"amount":1000000000000000000,"score":5,"operationType":4,%k}`},
		{"score 0 beside an amount", pathAdd, `{%m,"amount":500,"score":0,"operationType":1,%k}`},
		{"an amount too small for a point books nothing", pathAdd, `{%m,"amount":99,"operationType":1,%k}`},
		{"everything that may be sent", pathAdd, `{%m,"type":1,"score":1,"operationType":10,"operationName":"10","orderId":"O1","activityCode":"A1","remark":"备注",%k,"idempotencyBussinessType":16,"further":{"a":[1]}}`},
		{"100 as 1e2", pathAdd, `{%m,"score":1e2,"operationType":3,%k}`},

		{"an unknown type in the path", "/member/score/opt/2", `{%m,"score":1,"operationType":1,%k}`},
		{"type spelt otherwise", "/member/score/opt/01", `{%m,"score":1,"operationType":1,%k}`},
		{"types that disagree", pathAdd, `{%m,"type":15,"score":1,"operationType":1,%k}`},
		{"an unknown type inside", pathDeduct, `{%m,"type":2,"score":1,"operationType":15,%k}`},
		{"no id", pathAdd, `{%m,"score":1,"operationType":1}`},
		{"an empty id", pathAdd, `{%m,"score":1,"operationType":1,"idempotencyBussinessId":""}`},
		{"two ids that disagree", pathAdd, `{%m,"score":1,"operationType":1,"idempotencyBussinessId":"x","idempotencyBusinessId":"y"}`},
		{"an id of 129 characters", pathAdd, `{%m,"score":1,"operationType":1,"idempotencyBussinessId":"` + strings.Repeat("x", 129) + `"}`},
		{"business type out of range", pathAdd, `{%m,"score":1,"operationType":1,%k,"idempotencyBussinessType":17}`},
		{"no member named", pathAdd, `{"score":1,"operationType":1,%k}`},
		{"no operationType", pathAdd, `{%m,"score":1,%k}`},
		{"operationType 18", pathAdd, `{%m,"score":1,"operationType":18,%k}`},
		{"operationType of the other direction", pathAdd, `{%m,"score":1,"operationType":11,%k}`},
		{"and the other way", pathDeduct, `{%m,"score":1,"operationType":10,%k}`},
		{"neither score nor amount", pathAdd, `{%m,"operationType":1,%k}`},
		{"score 0", pathAdd, `{%m,"score":0,"operationType":1,%k}`},
		{"a negative score", pathAdd, `{%m,"score":-1,"operationType":1,%k}`},
		{"a fraction", pathAdd, `{%m,"score":1.5,"operationType":1,%k}`},
		{"10^18 points", pathAdd, `{%m,"score":1000000000000000000,"operationType":1,%k}`},
		{"10^19 points", pathAdd, `{%m,"score":10000000000000000000,"operationType":1,%k}`},
		{"a score that is true", pathAdd, `{%m,"score":true,"operationType":1,%k}`},
		{"a phone number as amount", pathAdd, `{%m,"amount":18616703980,"operationType":1,%k}`},
		{"a negative amount", pathAdd, `{%m,"amount":-100,"operationType":1,%k}`},
		{"score twice", pathAdd, `{%m,"score":1,"score":1000,"operationType":1,%k}`},
		{"a second score smuggled in", pathAdd, `{'memberId':'` + memberC + `','score':'1','remark':'a','score':'1000','operationType':'1',%k}`},
		{"more than one call may grant", pathAdd, `{%m,"score":1000001,"operationType":1,%k}`},
		{"unknown member", pathAdd, `{"memberId":"1","score":1,"operationType":1,%k}`},
		{"another merchant's member", pathAdd, `{"memberId":"` + memberB + `","score":1,"operationType":1,%k}`},
		{"an erased member", pathAdd, `{"memberId":"4545445","score":1,"operationType":1,%k}`},
		{"a disabled member", pathAdd, `{"memberId":"4545444","score":1,"operationType":1,%k}`},
		{"the id again with another score", pathAdd, `{%m,"score":101,"operationType":1,"idempotencyBussinessId":"a","idempotencyBussinessType":6}`},
		{"the id again with another business type", pathAdd, `{%m,"score":100,"operationType":1,"idempotencyBussinessId":"a"}`},
		{"the id again in the other direction", pathDeduct, `{%m,"score":100,"operationType":15,"idempotencyBussinessId":"a","idempotencyBussinessType":6}`},
		{"more than there is", pathDeduct, `{%m,"score":100000,"operationType":14,"idempotencyBussinessId":"later"}`},
		{"a refused call may be repeated under its id", pathDeduct, `{%m,"score":1,"operationType":14,"idempotencyBussinessId":"later"}`},
	})
}

func TestNoPointsRule(t *testing.T) {
	t.Parallel()
	changes(t, "no_points_rule", func(set *loyalty.Settings) { set.Points.Rate.Num = 0 }, [][3]string{
		{"amount without a rate", pathSend, `{%m,"amount":100,"operationType":1,%k}`},
		{"amount without a rate, deducted", pathDeduct, `{%m,"amount":100,"operationType":15,%k}`},
		{"score needs none", pathSend, `{%m,"score":1,"operationType":1,%k}`},
	})
}

func TestUpdateScore(t *testing.T) {
	t.Parallel()
	changes(t, "update_score", nil, [][3]string{
		{"changeType 1 adds", pathUpdate, `{%m,"changeScore":8,"changeType":1,"operationType":1}`},
		{"without an id every call books", pathUpdate, `{%m,"changeScore":8,"changeType":1,"operationType":1}`},
		{"changeType 2 deducts", pathUpdate, `{%m,"changeScore":"6","changeType":"2","operationType":"11"}`},
		{"without changeType the operation says it", pathUpdate, `{%m,"changeScore":1,"operationType":14}`},
		{"everything that may be sent", pathUpdate, `{%m,"changeScore":3,"changeType":1,"operationType":4,"operationName":"手动","orderId":"O1","activityCode":"A1","operator":"张三","operatorId":"17","orgCode":"shop001","orgType":3,"remark":"备注",%k,"idempotencyBussinessType":"9"}`},
		{"an id", pathUpdate, `{%m,"changeScore":2,"changeType":1,"operationType":1,"idempotencyBussinessId":"u"}`},
		{"the same again: the first answer", pathUpdate, `{%m,"changeScore":2,"operationType":1,"idempotencyBussinessId":"u"}`},
		{"no changeScore", pathUpdate, `{%m,"changeType":1,"operationType":1}`},
		{"changeScore 0", pathUpdate, `{%m,"changeScore":0,"changeType":1,"operationType":1}`},
		{"a negative changeScore is no deduction", pathUpdate, `{%m,"changeScore":-6,"changeType":1,"operationType":1}`},
		{"a fraction", pathUpdate, `{%m,"changeScore":"6.5","changeType":1,"operationType":1}`},
		{"changeType 3", pathUpdate, `{%m,"changeScore":6,"changeType":3,"operationType":1}`},
		{"changeType against operationType", pathUpdate, `{%m,"changeScore":6,"changeType":2,"operationType":1}`},
		{"orgType 4", pathUpdate, `{%m,"changeScore":6,"operationType":1,"orgType":4}`},
		{"a remark of 1001 characters", pathUpdate, `{%m,"changeScore":6,"operationType":1,"remark":"` + strings.Repeat("备", 1001) + `"}`},
		{"no member named", pathUpdate, `{"memberId":"","changeScore":6,"operationType":1}`},
		{"unknown member", pathUpdate, `{"memberId":"6","changeScore":6,"operationType":1}`},
		{"a disabled member", pathUpdate, `{"memberId":"4545444","changeScore":6,"operationType":1}`},
		{"the id again for something else", pathUpdate, `{%m,"changeScore":3,"operationType":1,"idempotencyBussinessId":"u"}`},
		{"more than there is", pathUpdate, `{%m,"changeScore":9223372036854775807,"operationType":13}`},
	})
}

func TestSendScore(t *testing.T) {
	t.Parallel()
	changes(t, "send_score", nil, [][3]string{
		{"by score", pathSend, `{%m,"score":8,"operationType":3,"idempotencyBussinessId":"s","idempotencyBussinessType":1}`},
		{"the same again: the first answer", pathSend, `{%m,"score":8,"operationType":3,"idempotencyBussinessId":"s","idempotencyBussinessType":1}`},
		{"by amount, no business type", pathSend, `{%m,"amount":1234,"operationType":1,%k}`},
		{"the same id for another endpoint is another key", pathAdd, `{%m,"score":8,"operationType":3,"idempotencyBussinessId":"s"}`},
		{"a deduction", pathSend, `{%m,"score":8,"operationType":11,%k}`},
		{"operationType 0", pathSend, `{%m,"score":8,"operationType":0,%k}`},
		{"no id", pathSend, `{%m,"score":8,"operationType":1}`},
		{"neither score nor amount", pathSend, `{%m,"operationType":1,%k}`},
		{"unknown member", pathSend, `{"memberId":"6","score":8,"operationType":1,%k}`},
		{"the id again for something else", pathSend, `{%m,"score":8,"operationType":4,"idempotencyBussinessId":"s","idempotencyBussinessType":1}`},
	})
}

func TestReturnScore(t *testing.T) {
	t.Parallel()
	changes(t, "return_score", nil, [][3]string{
		{"a grant for an order", pathSend, `{%m,"score":100,"operationType":1,"orderId":"O1",%k}`},
		{"a gift for the same order", pathSend, `{%m,"score":20,"operationType":10,"orderId":"O1","activityCode":"A1",%k}`},
		{"a payment for another", pathUpdate, `{%m,"changeScore":40,"operationType":14,"orderId":"O2"}`},
		{"the grant cannot be taken back: part of it is spent", pathReturn, `{%m,"operationType":1,"orderId":"O1"}`},
		{"30 of it can, named by its own type", pathReturn, `{%m,"operationType":1,"orderId":"O1","score":30,"idempotencyBussinessId":"r1"}`},
		{"the same again: the first answer", pathReturn, `{%m,"operationType":1,"orderId":"O1","score":"30","idempotencyBussinessId":"r1"}`},
		{"the payment is given back", pathReturn, `{%m,"operationType":2,"orderId":"O2"}`},
		{"the rest of the grant, named by the reversal's type, without an id", pathReturn, `{%m,"operationType":15,"orderId":"O1"}`},
		{"nothing left: harmless", pathReturn, `{%m,"operationType":15,"orderId":"O1"}`},
		{"another activity of the order", pathReturn, `{%m,"operationType":17,"orderId":"O1","activityCode":"A2"}`},
		{"the gift, by its activity", pathReturn, `{%m,"operationType":17,"orderId":"O1","activityCode":"A1","remark":"退货"}`},
		{"a change of 2.2", pathSend, `{%m,"score":8,"operationType":1,"idempotencyBussinessId":"same"}`},
		{"returned under its own id", pathReturn, `{%m,"score":8,"operationType":1,"idempotencyBussinessId":"same"}`},
		{"points to spend", pathUpdate, `{%m,"changeScore":50,"operationType":4}`},
		{"a free return of what was granted", pathReturn, `{%m,"score":5,"operationType":1,"idempotencyBussinessId":"free1"}`},
		{"a free return of what was paid", pathReturn, `{%m,"score":5,"operationType":14,"idempotencyBussinessId":"free2"}`},
		{"a disabled member's order", pathReturn, `{"memberId":"4545444","operationType":4,"orderId":"D1"}`},

		{"nothing is named", pathReturn, `{%m,"operationType":1}`},
		{"points alone", pathReturn, `{%m,"operationType":1,"score":8}`},
		{"score 0 is not everything", pathReturn, `{%m,"operationType":1,"orderId":"O1","score":0}`},
		{"a negative score", pathReturn, `{%m,"operationType":1,"orderId":"O1","score":-1}`},
		{"no operationType", pathReturn, `{%m,"orderId":"O1"}`},
		{"no member named", pathReturn, `{"operationType":1,"orderId":"O1"}`},
		{"unknown member", pathReturn, `{"memberId":"6","operationType":1,"orderId":"O1"}`},
		{"another merchant's member", pathReturn, `{"memberId":"` + memberB + `","operationType":1,"orderId":"O1"}`},
		{"unknown order", pathReturn, `{%m,"operationType":1,"orderId":"O9"}`},
		{"an order without such a change", pathReturn, `{%m,"operationType":5,"orderId":"O1"}`},
		{"an unknown id without points", pathReturn, `{%m,"operationType":1,"idempotencyBussinessId":"nothing"}`},
		{"the id again for something else", pathReturn, `{%m,"operationType":1,"orderId":"O1","score":31,"idempotencyBussinessId":"r1"}`},
		{"a grant for a third order", pathSend, `{%m,"score":10,"operationType":1,"orderId":"O3",%k}`},
		{"more than is left", pathReturn, `{%m,"operationType":1,"orderId":"O3","score":11}`},
		{"everything is spent", pathUpdate, `{%m,"changeScore":60,"operationType":14}`},
		{"so the grant cannot be taken back", pathReturn, `{%m,"operationType":1,"orderId":"O3"}`},
		{"a free return beyond the balance", pathReturn, `{%m,"score":5,"operationType":1,"idempotencyBussinessId":"free3"}`},
	})
}

func TestStatisticalScore(t *testing.T) {
	t.Parallel()
	s := withMembers(t, nil)
	s.call("a member without points", pathTotals, `{"memberId":"`+memberC+`"}`)
	s.call("points", pathSend, fill(`{%m,"score":100,"operationType":1,%k}`, 1))
	s.call("a payment", pathUpdate, fill(`{%m,"changeScore":30,"operationType":14}`, 2))
	s.call("totals; further fields are ignored, whatever is in them", pathTotals, `{"memberId":"`+memberC+`","score":"x","operationType":99}`)
	s.Clock.Advance(2 * 366 * 24 * time.Hour)
	s.call("after the points have expired, whether or not that was booked", pathTotals, `{"memberId":"`+memberC+`"}`)
	s.call("no member named", pathTotals, `{"memberId":null}`)
	s.call("unknown member", pathTotals, `{"memberId":"6"}`)
	s.call("another merchant's member", pathTotals, `{"memberId":"`+memberB+`"}`)
	s.golden("statistical_score")
}
