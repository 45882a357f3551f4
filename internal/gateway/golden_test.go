package gateway

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
)

// The member of the documents' examples.
const (
	openID   = "25c56912e05847c0b09f03ca7e52b796"
	phone    = "15900947949"
	noOpenID = "00000000000000000000000000000000"
)

// session is a bundle, the door on it, and what went over the wire.
type session struct {
	*doortest.Bundle
	t       testing.TB
	handler http.Handler
	tr      doortest.Transcript
}

func newSession(t testing.TB, opts doortest.Options) *session {
	t.Helper()
	b := doortest.NewWith(t, opts)
	return &session{
		Bundle: b, t: t,
		handler: New(Options{Writer: b.Writer, Reader: b.Reader, Access: b.Access, Codes: b.Codes, SMS: b.SMS, Now: b.Clock.Now}),
		tr:      doortest.Transcript{Masked: []string{"access_token", "refresh_token", "sign"}},
	}
}

// registered has the documents' member, registered when they say.
func registered(t testing.TB, opts doortest.Options) *session {
	t.Helper()
	s := newSession(t, opts)
	doortest.Do(s.Bundle, loyalty.RegisterMember{
		Merchant: doortest.Merchant, OpenID: openID, RegisteredAt: 1624874660000,
		Profile: loyalty.Profile{
			Phone: phone, Nickname: "李大哥", Birthday: "1994-09-28", BirthMonth: 9, BirthDay: 28,
			Country: "中国", Province: "广东", City: "深圳", Gender: 1, IDCard: "350322198209116378",
			Remark: "备注", Photo: "http://sdsd.sds.com", Store: "18756",
		},
	})
	return s
}

// call sends, writes the exchange down and returns the answer.
func (s *session) call(note string, c doortest.GatewayCall) doortest.Answer {
	s.t.Helper()
	r := s.Request(c)
	a := doortest.Send(s.handler, r)
	s.tr.Note("%s", note)
	s.tr.Exchange(r, c.Body, a)
	if got := a.Header.Get("Content-Type"); got != "application/json; charset=utf-8" {
		s.t.Errorf("%s: Content-Type %q", note, got)
	}
	if got := a.Header.Get("Cache-Control"); got != "no-store" {
		s.t.Errorf("%s: Cache-Control %q", note, got)
	}
	return a
}

// each sends bodies to one method, note and body in turn.
func (s *session) each(method string, notesAndBodies ...string) {
	s.t.Helper()
	for i := 0; i < len(notesAndBodies); i += 2 {
		s.call(notesAndBodies[i], doortest.GatewayCall{Method: method, Body: notesAndBodies[i+1]})
	}
}

func (s *session) golden(name string) {
	s.t.Helper()
	doortest.Golden(s.t, name, s.tr.String())
}

// add gives the documents' member points, past the door.
func (s *session) add(points int64, reason string) {
	s.t.Helper()
	s.change("event_add", points, reason)
}

func (s *session) change(event string, points int64, reason string) {
	s.t.Helper()
	doortest.Do(s.Bundle, loyalty.ChangePoints{
		Who:   loyalty.Who{Merchant: doortest.Merchant, OpenID: openID},
		Event: event, Points: points, App: doortest.SigningApp, Note: loyalty.Note{Reason: reason},
	})
}

func (s *session) member() loyalty.Found {
	s.t.Helper()
	return s.Member(loyalty.Who{Merchant: doortest.Merchant, OpenID: openID})
}

func (s *session) disable() {
	s.t.Helper()
	doortest.Do(s.Bundle, loyalty.SetStatus{
		Who: loyalty.Who{Merchant: doortest.Merchant, OpenID: openID}, Status: loyalty.Disabled,
		By: loyalty.ByOperator{Operator: "operator", Reason: "test"},
	})
}

func (s *session) erase() {
	s.t.Helper()
	doortest.Do(s.Bundle, loyalty.EraseMember{
		Who: loyalty.Who{Merchant: doortest.Merchant, OpenID: openID},
		By:  loyalty.ByOperator{Operator: "operator", Reason: "test"},
	})
}

// with replaces placeholders in a body.
func with(body string, oldNew ...string) string { return strings.NewReplacer(oldNew...).Replace(body) }

// TestEveryMethodHasATranscript: a new method comes with a golden transcript in
// which it is answered with success and with a refusal.
func TestEveryMethodHasATranscript(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.golden")
	must(t, err)
	succeeded, refused := map[string]bool{}, map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		method := ""
		for line := range strings.Lines(string(text)) {
			if _, rest, ok := strings.Cut(line, " "+Prefix); ok && !strings.HasPrefix(line, "->") {
				method, _, _ = strings.Cut(rest, "/")
			}
			if strings.HasPrefix(line, `-> {"success":true`) {
				succeeded[method] = true
			}
			if strings.HasPrefix(line, `-> {"success":false`) {
				refused[method] = true
			}
		}
	}
	for _, m := range methods {
		if !succeeded[m.name] || !refused[m.name] {
			t.Errorf("%s: success %t, refusal %t in testdata", m.name, succeeded[m.name], refused[m.name])
		}
	}
}
