package gateway

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
)

const methodExplain = "wk.user.score.explain"

// since is when a version was applied, by the machine's own clock.
var since = regexp.MustCompile(`(版，)[0-9: -]+( 起生效)|(in force since )[0-9: -]+`)

// TestScoreExplain: an order by the rule, its refund, and changes; and each
// refusal in the order of precedence.
func TestScoreExplain(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{Settings: func(s *loyalty.Settings) {
		s.Orders.Score = loyalty.ScoreRule
		s.Points.Rate.Num = 2
		s.Points.Caps = loyalty.Caps{PerDay: 500}
		s.Points.Multipliers = []loyalty.Multiplier{
			{ID: "weekend", Name: "周末双倍", NameEn: "weekend double", Factor: 20_000, When: loyalty.Condition{Weekdays: []int{6, 7}}},
			{ID: "gold", Name: "金卡", NameEn: "gold", Factor: 30_000, When: loyalty.Condition{Levels: []int64{3, 4}}},
			{ID: "birthday", Name: "生日月", NameEn: "birthday month", Factor: 15_000, When: loyalty.Condition{Birthday: loyalty.BirthdayMonth}},
		}
	}})
	s.Register("", loyalty.Profile{Phone: otherPhone})
	s.each(methodOrder,
		"128 yuan on a Saturday", orderBody("o1", "128.00", `,"store_id":"S9"`),
		"too little", orderBody("o2", "0.10", ``),
		"another member's", with(orderBody("theirs", "10", ""), openID, otherPhone),
	)
	s.each(methodRefund, "a part of it", refundBody("r1", "o1", "28.00", ""))
	s.each(methodChange, "50 points", body("event_add", "50", "c1"), "20 are spent", body("event_subtract", "20", "c2"))
	entry := func(no int64) string { return loyalty.StatementID(s.member().ID, no) }
	ask := func(fields string) string { return `{"open_id":"` + openID + `",` + fields + `}` }
	s.each(methodExplain,
		"the order", `{"order_no":"o1"}`,
		"its entry, camelCase, by phone", `{"phone":"`+phone+`","statementId":"`+entry(1)+`"}`,
		"an order that earned nothing", `{"orderNo":"o2"}`,
		"the refund", ask(`"order_no":"r1"`),
		"its entry", ask(`"statement_id":"`+entry(2)+`"`),
		"points by the caller", ask(`"statement_id":"`+entry(3)+`"`),
		"points that were spent", ask(`"statement_id":"`+entry(4)+`"`),
	)
	s.call("by GET", doortest.GatewayCall{Method: methodExplain, Verb: "GET", Query: url.Values{"statement_id": {entry(4)}}})
	s.each(methodExplain,
		"neither", `{}`,
		"both", ask(`"statement_id":"`+entry(1)+`","order_no":"o1"`),
		"a number that is too long", `{"order_no":"`+strings.Repeat("9", maxKey+1)+`"}`,
		"a malformed phone", `{"phone":"1","order_no":"o1"}`,
		"nobody, and no such order", with(ask(`"order_no":"nil"`), openID, noOpenID),
		"two members", `{"open_id":"`+openID+`","phone":"`+otherPhone+`","order_no":"o1"}`,
		"no statement id", `{"statement_id":"o1"}`,
		"no such statement", `{"statement_id":"`+entry(5)+`"}`,
		"another member's statement", with(ask(`"statement_id":"`+entry(1)+`"`), openID, otherPhone),
		"no such order", `{"order_no":"nil"}`,
		"another member's order", ask(`"order_no":"theirs"`),
	)
	s.call("another merchant's app: a statement", doortest.GatewayCall{Method: methodExplain, App: s.Other, Body: `{"statement_id":"` + entry(1) + `"}`})
	s.call("an order", doortest.GatewayCall{Method: methodExplain, App: s.Other, Body: `{"order_no":"o1"}`})
	s.erase()
	s.each(methodExplain, "an erased member", `{"order_no":"o1"}`)
	text := since.ReplaceAllString(s.tr.String(), "$1$3…$2")
	if strings.Contains(text, "09-28") || strings.Contains(text, "李大哥") {
		t.Error("personal data of the member is told")
	}
	doortest.Golden(t, "score_explain", text)
}

// TestExplainOfWhatIsDue: lists show an expiry that no job has booked yet, under
// the statement id that it will have; it can be explained already.
func TestExplainOfWhatIsDue(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{Settings: func(s *loyalty.Settings) {
		s.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 3}
	}})
	s.add(8, "")
	s.Clock.Advance(5 * 24 * time.Hour)
	id := loyalty.StatementID(s.member().ID, 2)
	list := s.call("3.5", doortest.GatewayCall{Method: methodRecord, Body: `{"open_id":"` + openID + `"}`})
	if !strings.Contains(string(list.Body), id) {
		t.Fatalf("no %s in %s", id, list.Body)
	}
	got := s.call("why", doortest.GatewayCall{Method: methodExplain, Body: `{"statement_id":"` + id + `"}`})
	if want := `"points":-8,"version":null,"sentences":[{"zh":"2026-11-26 00:00 有 8 积分到期清零。"`; !strings.Contains(string(got.Body), want) {
		t.Errorf("%s, want %s", got.Body, want)
	}
}
