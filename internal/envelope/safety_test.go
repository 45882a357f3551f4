package envelope

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
)

// Apps of one merchant share their numbers, so that a mini-program's change is
// known at the till, unless an app was given a space of its own.
func TestNumberSpaces(t *testing.T) {
	t.Parallel()
	s := withMembers(t, nil)
	apart := s.CreateApp(access.NewApp{ID: "wkapart", MerchantID: doortest.Merchant, Space: "pos"})
	s.keys[apart.ID] = apart.PlatformKey
	const body = `{"memberId":"` + memberC + `","score":8,"operationType":1,"idempotencyBussinessId":"k"}`
	for _, row := range []struct {
		app  *doortest.App
		want string
	}{
		{s.App, `\"currentScore\":8,`}, {s.Unsigned, `\"currentScore\":8,`}, {apart, `\"currentScore\":16,`},
	} {
		if a := s.send("app "+row.app.ID, pathSend, signedCall(t, row.app, body)); !strings.Contains(a.Body, row.want) {
			t.Errorf("app %s: %s", row.app.ID, a.Body)
		}
	}
}

// An app reaches the members of its own merchant and no others, whatever it
// calls.
func TestForeignMember(t *testing.T) {
	t.Parallel()
	s := withMembers(t, nil)
	victim := s.Member(loyalty.Who{Merchant: doortest.Merchant, ExternalID: memberC})
	s.call("points to steal", pathSend, fill(`{%m,"score":100,"operationType":1,"orderId":"O1",%k}`, 1))
	s.call("points to steal, with the id only", pathSend, fill(`{%m,"score":100,"operationType":1,"idempotencyBussinessId":"id"}`, 1))
	code := s.Codes.Make(victim.ID, loyalty.InstantOf(s.Clock.Now()))
	seen := map[string]bool{}
	for _, id := range []string{memberC, loyalty.MemberIDText(victim.ID)} {
		m := `"memberId":"` + id + `"`
		for _, row := range [][3]string{
			{pathInfo, `{` + m + `}`, "110003"},
			{pathInfo, `{"mobile":"` + phoneC + `"}`, "110003"},
			{pathInfo, `{"dynamicCode":"` + code + `"}`, "110006"},
			{pathAdd, `{` + m + `,"score":1,"operationType":1,"idempotencyBussinessId":"id"}`, "110003"},
			{pathDeduct, `{` + m + `,"score":1,"operationType":14,"idempotencyBussinessId":"id"}`, "110003"},
			{pathUpdate, `{` + m + `,"changeScore":1,"operationType":14}`, "110003"},
			{pathSend, `{` + m + `,"score":100,"operationType":1,"idempotencyBussinessId":"id"}`, "110003"},
			{pathReturn, `{` + m + `,"operationType":1,"orderId":"O1"}`, "110003"},
			{pathReturn, `{` + m + `,"operationType":1,"idempotencyBussinessId":"id"}`, "110003"},
			{pathTotals, `{` + m + `}`, "110003"},
			{pathEcho, `{` + m + `,"changeScore":1,"operationType":1}`, "1008"},
			{pathList, `{}`, "100"},
		} {
			a := s.send("foreign", row[0], signedCall(t, s.Other, row[1]))
			if got := codeOf(t, a); got != row[2] {
				t.Errorf("%s %s: %s", row[0], row[1], a.Body)
			}
			if row[0] == pathList && !strings.Contains(a.Body, `\"totalCount\":0`) {
				t.Errorf("list: %s", a.Body)
			}
			_, pattern, _ := find(row[0])
			seen[pattern] = true
		}
	}
	// The same phone and channel registered at another merchant is another member.
	body := `{"channelCode":"xcx","mobile":"` + phoneA + `","registerType":1,"thirdPartyCode":"orZZ75W27gmvtJmS6qy4dOXokK6U"}`
	a := s.send("register", pathRegister, signedCall(t, s.Other, body))
	if codeOf(t, a) != "100" || strings.Contains(a.Body, memberA) {
		t.Errorf("register: %s", a.Body)
	}
	seen[pathRegister] = true
	for path := range endpoints {
		if !seen[path] {
			t.Errorf("%s was not tried", path)
		}
	}
	if got := s.Member(loyalty.Who{Merchant: doortest.Merchant, ID: victim.ID}); got.Balance != 200 {
		t.Errorf("balance %d", got.Balance)
	}
}

// The same change sent by 50 connections at once is booked once, and all get
// the same answer.
func TestSameChangeAtOnce(t *testing.T) {
	t.Parallel()
	s := withMembers(t, nil)
	const n = 50
	body := signedCall(t, s.App, `{"memberId":"`+memberC+`","score":8,"operationType":1,"idempotencyBussinessId":"once"}`)
	var answers [n]doortest.Answer
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			r := httptest.NewRequest(http.MethodPost, pathSend, strings.NewReader(body))
			answers[i] = doortest.Send(s.handler, r)
		})
	}
	all.Wait()
	for i, a := range answers {
		if a.Body != answers[0].Body || codeOf(t, a) != "100" {
			t.Errorf("answer %d: %s", i, a.Body)
		}
	}
	if m := s.Member(loyalty.Who{Merchant: doortest.Merchant, ExternalID: memberC}); m.Balance != 8 || m.Entries != 1 {
		t.Errorf("balance %d, %d entries", m.Balance, m.Entries)
	}
}

// The same registration at once makes one member.
func TestSameRegistrationAtOnce(t *testing.T) {
	t.Parallel()
	s := newSession(t, func(set *loyalty.Settings) { set.RegisterGift = 10 })
	const n = 50
	body := frameOf(doortest.UnsignedApp, doortest.Merchant, `{"channelCode":"xcx","mobile":"13333333333","unionId":"u","registerType":1}`)
	var answers [n]doortest.Answer
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			answers[i] = doortest.Send(s.handler, httptest.NewRequest(http.MethodPost, pathRegister, strings.NewReader(body)))
		})
	}
	all.Wait()
	for i, a := range answers {
		if a.Body != answers[0].Body || codeOf(t, a) != "100" {
			t.Errorf("answer %d: %s", i, a.Body)
		}
	}
	if m := s.Member(loyalty.Who{Merchant: doortest.Merchant, Phone: "13333333333"}); m.Balance != 10 || len(m.Profile.Channels) != 1 {
		t.Errorf("balance %d, %d channels", m.Balance, len(m.Profile.Channels))
	}
}

// Codes cannot be tried out.
func TestGuessedCodes(t *testing.T) {
	t.Parallel()
	s := withMembers(t, nil)
	live := s.Codes.Make(s.Member(loyalty.Who{Merchant: doortest.Merchant, ExternalID: memberC}).ID, loyalty.InstantOf(s.Clock.Now()))
	for i := range access.MaxGuesses {
		if a := s.call("guess", pathInfo, `{"dynamicCode":"06123456789012345678"}`); codeOf(t, a) != "110006" {
			t.Fatalf("guess %d: %s", i, a.Body)
		}
	}
	a := s.call("a live code, too late", pathInfo, `{"dynamicCode":"`+live+`"}`)
	if a.Status != http.StatusTooManyRequests || codeOf(t, a) != "500" {
		t.Errorf("HTTP %d %s", a.Status, a.Body)
	}
	if a := s.call("other ways are open", pathInfo, `{"memberId":"`+memberC+`"}`); codeOf(t, a) != "100" {
		t.Error(a.Body)
	}
	s.Clock.Advance(time.Minute)
	if a := s.call("a minute later", pathInfo, `{"dynamicCode":"`+live+`"}`); codeOf(t, a) != "100" {
		t.Error(a.Body)
	}
}

// A server that shuts down says so, in the door's form.
func TestShuttingDown(t *testing.T) {
	t.Parallel()
	s := withMembers(t, nil)
	s.Writer.Close()
	a := s.call("closed", pathSend, fill(`{%m,"score":1,"operationType":1,%k}`, 1))
	if a.Status != http.StatusServiceUnavailable || codeOf(t, a) != "500" {
		t.Errorf("HTTP %d %s", a.Status, a.Body)
	}
	if a := s.call("reads go on", pathTotals, `{"memberId":"`+memberC+`"}`); codeOf(t, a) != "100" {
		t.Error(a.Body)
	}
}

// panicking is a Reader whose database is not there.
type panicking struct{ Reader }

func (panicking) Member(context.Context, loyalty.Who, loyalty.Instant, bool) (loyalty.Found, error) {
	panic("phone " + phoneA)
}

// The log hears of panics, not of refusals, and of no personal data; the hook
// hears method, app and code.
func TestLog(t *testing.T) {
	t.Parallel()
	s := withMembers(t, nil)
	var log bytes.Buffer
	var notes []string
	o := s.options()
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	o.Attribute = func(_ context.Context, key string, value any) { notes = append(notes, key+"="+value.(string)) }
	s.handler = New(o)
	s.call("refused", pathInfo, `{"mobile":"`+phoneA[:10]+`x"}`)
	s.call("not found", pathInfo, `{"mobile":"13900000000"}`)
	s.call("unreadable", pathInfo, `{"mobile":"`+phoneA)
	s.send("unknown", "/member/"+phoneA, "{}")
	if log.Len() > 0 {
		t.Errorf("log: %s", log.String())
	}
	if got, want := strings.Join(notes[:3], " "), "method="+pathInfo+" app="+doortest.UnsignedApp+" code=120001"; got != want {
		t.Errorf("notes %q", got)
	}
	o.Reader = panicking{s.Reader}
	s.handler = New(o)
	a := s.call("a panic", pathInfo, `{"mobile":"`+phoneA+`"}`)
	if a.Status != http.StatusOK || codeOf(t, a) != "500" {
		t.Errorf("HTTP %d %s", a.Status, a.Body)
	}
	if text := log.String(); !strings.Contains(text, "panic") || strings.Contains(text+strings.Join(notes, " "), phoneA) {
		t.Errorf("log: %s", text)
	}
}
