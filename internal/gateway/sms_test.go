package gateway

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
)

const (
	methodSMSSend  = "wk.sms.verify.send"
	methodSMSJudge = "wk.sms.verify.judge"

	sendExample  = "{  \n  \"target\": \"13888888888\"  \n}"
	judgeExample = "{  \n  \"phone\": \"13888888888\",  \n  \"verify_code\": \"4586\"  \n}"
)

func TestSMSSend(t *testing.T) {
	t.Parallel()
	s := newSession(t, doortest.Options{Settings: func(s *loyalty.Settings) { s.SMS.PerPhoneDay = 3 }})
	s.each(methodSMSSend,
		"the document's example", sendExample,
		"again at once", sendExample,
		"6.2's name for the number", `{"phone":"13888888887"}`,
		"a number, both names", `{"target":13888888886,"phone":"13888888886"}`,
		"two numbers", `{"target":"13888888888","phone":"13888888889"}`,
		"no number", `{}`,
		"no body", ``,
		"an empty one", `{"target":""}`,
		"null", `{"target":null}`,
		"10 digits", `{"target":"1388888888"}`,
		"letters", `{"target":"1388888888a"}`,
		"130 digits", `{"target":"`+strings.Repeat("1", 130)+`"}`,
		"a list", `{"target":["13888888888"]}`,
	)
	s.Clock.Advance(59 * time.Second)
	s.each(methodSMSSend, "after 59 seconds", sendExample)
	s.Clock.Advance(time.Second)
	s.Outbox.Fail(errors.New("no line to the provider"))
	s.each(methodSMSSend, "after a minute, the provider is away", sendExample, "again at once", sendExample)
	s.each(methodSMSJudge, "and the older code is gone", judgeExample)
	s.Outbox.Fail(nil)
	s.each(methodSMSSend, "the provider is back: what failed was not counted", sendExample)
	s.Clock.Advance(time.Minute)
	s.each(methodSMSSend, "the third of the day", sendExample)
	s.Clock.Advance(time.Minute)
	s.each(methodSMSSend, "the fourth of the day", sendExample)
	s.call("the other merchant's app", doortest.GatewayCall{Method: methodSMSSend, App: s.Other, Body: sendExample})
	s.Clock.Advance(14*time.Hour - 4*time.Minute)
	s.each(methodSMSSend, "at 23:59 in Shanghai", sendExample)
	s.Clock.Advance(time.Minute)
	s.each(methodSMSSend, "at midnight", sendExample)
	s.golden("sms_send")
	sent := s.Outbox.Sent()
	if len(sent) != 7 {
		t.Fatalf("%d messages were sent", len(sent))
	}
	if m := sent[0]; m.Phone != "13888888888" || m.Code != "4586" || !strings.Contains(m.Text, "4586") || !m.At.Equal(doortest.Start) {
		t.Errorf("message %q %q %q %v", m.Phone, m.Code, m.Text, m.At)
	}
}

func TestSMSJudge(t *testing.T) {
	t.Parallel()
	s := newSession(t, doortest.Options{})
	s.each(methodSMSJudge, "the document's example, but nothing was sent", judgeExample)
	s.each(methodSMSSend, "6.1", sendExample)
	s.each(methodSMSJudge,
		"no phone, no code", `{}`,
		"an empty phone", `{"phone":"","verify_code":"4586"}`,
		"a phone of 12 digits, no code", `{"phone":"138888888888"}`,
		"no code", `{"phone":"13888888888"}`,
		"an empty code", `{"phone":"13888888888","verify_code":""}`,
		"a code of 200 characters", `{"phone":"13888888888","verify_code":"`+strings.Repeat("4", 200)+`"}`,
		"two codes", `{"phone":"13888888888","verify_code":"4586","verifyCode":"4587"}`,
		"another phone", `{"phone":"13888888887","verify_code":"4586"}`,
		"another code", `{"phone":"13888888888","verify_code":"4587"}`,
		"letters", `{"phone":"13888888888","verify_code":"abcd"}`,
	)
	s.call("the other merchant's app", doortest.GatewayCall{Method: methodSMSJudge, App: s.Other, Body: judgeExample})
	s.each(methodSMSJudge, "the document's example", judgeExample, "used", judgeExample)

	s.Outbox.Codes("0586")
	s.Clock.Advance(time.Minute)
	s.each(methodSMSSend, "a code with a leading zero", sendExample)
	s.each(methodSMSJudge,
		"as a number: too short", `{"phone":"13888888888","verify_code":586}`,
		"as a text, 6.1's name for the phone", `{"target":"13888888888","verify_code":"0586"}`,
	)
	s.Outbox.Codes("4586")
	s.Clock.Advance(time.Minute)
	s.each(methodSMSSend, "a code without one", sendExample)
	s.each(methodSMSJudge, "as a number of full length", `{"phone":13888888888,"verify_code":4586}`)

	s.Clock.Advance(time.Minute)
	s.each(methodSMSSend, "five wrong attempts", sendExample)
	for range 5 {
		s.each(methodSMSJudge, "wrong", `{"phone":"13888888888","verify_code":"0000"}`)
	}
	s.each(methodSMSJudge, "right, but void", judgeExample)

	s.Clock.Advance(time.Minute)
	s.each(methodSMSSend, "at the end of its life", sendExample)
	s.Clock.Advance(5*time.Minute - time.Millisecond)
	s.each(methodSMSJudge, "a millisecond before", judgeExample)
	s.each(methodSMSSend, "and past it", sendExample)
	s.Clock.Advance(5 * time.Minute)
	s.each(methodSMSJudge, "expired", judgeExample)

	s.each(methodSMSSend, "an older code", sendExample)
	s.Outbox.Codes("1234")
	s.Clock.Advance(time.Minute)
	s.each(methodSMSSend, "ends with the next", sendExample)
	s.each(methodSMSJudge, "the older one", judgeExample, "the newer one", `{"phone":"13888888888","verify_code":"1234"}`)
	s.golden("sms_judge")
}

// TestSMSLimitsOfAppAndSource: an app, and an address whatever its port, come to
// an end over all phones.
func TestSMSLimitsOfAppAndSource(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]func(*loyalty.Settings){
		"app":    func(s *loyalty.Settings) { s.SMS.PerAppDay = 2 },
		"source": func(s *loyalty.Settings) { s.SMS.PerSourceHour = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSession(t, doortest.Options{Settings: limit})
			send := func(phone, source string) bool {
				t.Helper()
				r := s.Request(doortest.GatewayCall{Method: methodSMSSend, Body: `{"target":"` + phone + `"}`})
				r.RemoteAddr = source
				a := doortest.Send(s.handler, r)
				switch {
				case strings.Contains(a.Body, `"success":true`):
					return true
				case !strings.Contains(a.Body, `"error_code":140004`):
					t.Errorf("answer %s", a.Body)
				}
				return false
			}
			if !send("13888888881", "192.0.2.1:1001") || !send("13888888882", "192.0.2.1:1002") {
				t.Fatal("refused before the limit")
			}
			if send("13888888883", "192.0.2.1:1003") {
				t.Error("beyond the limit")
			}
			if got := send("13888888884", "192.0.2.2:1001"); got != (name == "source") {
				t.Errorf("from another address: sent %v", got)
			}
		})
	}
}
