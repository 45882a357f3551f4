package envelope

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/doortest"
)

// Refusals of the frame, in their order of precedence, then what is accepted
// beside the document's form.
func TestFrame(t *testing.T) {
	t.Parallel()
	s := withMembers(t, nil)
	gone := s.CreateApp(access.NewApp{ID: "wkgone", MerchantID: doortest.Merchant, Unsigned: true})
	if err := s.Access.SetAppDisabled(context.Background(), gone.ID, true); err != nil {
		t.Fatal(err)
	}
	totals := `"requestBody":"{'memberId':'` + memberC + `'}"`
	const app, partner, skip = `"appId":"` + doortest.UnsignedApp + `"`, `"partnerId":"1864"`, `"sign":"skip"`
	frame := func(fields ...string) string { return "{" + strings.Join(fields, ",") + "}" }

	s.method("GET", pathTotals)
	s.send("an unknown path", "/member/score/unknown", frame(app))
	s.send("a path with more behind it", pathAdd+"/x", frame(app))
	s.send("1.3 without a type", "/member/score/opt/", frame(app))
	s.send("the pattern itself is only a wrong type", "/member/score/opt/{type}", frame(app, partner, `"requestBody":{"operationType":1}`, skip))
	s.send("no body", pathTotals, "")
	s.send("no JSON", pathTotals, "memberId=1")
	s.send("a list", pathTotals, "[]")
	s.send("cut short", pathTotals, frame(app, partner, totals)[:60])
	s.send("text behind it", pathTotals, frame(app, partner, totals)+"{}")
	s.send("a repeated name", pathTotals, frame(app, partner, totals, partner))
	s.send("a repeated name, spelt with an escape", pathTotals, frame(app, partner, totals, `"partner\u0049d":"1000"`))
	s.send("nested too deep", pathTotals, strings.Repeat(`{"a":`, 40)+"1"+strings.Repeat("}", 40))
	s.send("a NUL", pathTotals, frame(app, partner, `"requestBody":"{'memberId':'\u0000'}"`))
	s.send("no appId", pathTotals, frame(partner, totals, skip))
	s.send("an unknown app", pathTotals, frame(`"appId":"wk0"`, partner, totals, skip))
	s.send("an appId that no app can have", pathTotals, frame(`"appId":"' or 1=1"`, partner, totals, skip))
	s.send("a disabled app", pathTotals, frame(`"appId":"wkgone"`, partner, totals, skip))
	s.send("skip at a verifying app", pathTotals, frame(`"appId":"`+doortest.SigningApp+`"`, partner, totals, skip))
	s.send("no sign at a verifying app", pathTotals, frame(`"appId":"`+doortest.SigningApp+`"`, partner, totals))
	s.send("a sign that is no text", pathTotals, frame(app, partner, totals, `"sign":true`))
	s.send("a wrong signature at an unsigned app", pathTotals, frame(app, partner, totals, `"sign":"c2tpcA=="`))
	s.send("sign goes before partnerId", pathTotals, frame(`"appId":"`+doortest.SigningApp+`"`, `"partnerId":"1000"`, totals))
	s.send("ver 2", pathTotals, frame(app, partner, totals, skip, `"ver":2`))
	s.send("ver in letters", pathTotals, frame(app, partner, totals, skip, `"ver":"v1"`))
	s.send("no requestBody", pathTotals, frame(app, partner, skip))
	s.send("an empty requestBody", pathTotals, frame(app, partner, `"requestBody":""`, skip))
	s.send("requestBody null", pathTotals, frame(app, partner, `"requestBody":null`, skip))
	s.send("requestBody is a number", pathTotals, frame(app, partner, `"requestBody":1`, skip))
	s.send("requestBody is a list", pathTotals, frame(app, partner, `"requestBody":[]`, skip))
	s.send("requestBody holds no JSON", pathTotals, frame(app, partner, `"requestBody":"memberId=1"`, skip))
	s.send("requestBody cut short", pathTotals, frame(app, partner, `"requestBody":"{'memberId':'1'"`, skip))
	s.send("requestBody repeats a name", pathTotals, frame(app, partner, `"requestBody":"{'memberId':'1','memberId':'2'}"`, skip))
	s.send("requestBody repeats a name, as an object", pathTotals, frame(app, partner, `"requestBody":{"memberId":"1","memberId":"2"}`, skip))
	s.send("no partnerId anywhere", pathTotals, frame(app, totals, skip))
	s.send("another partner", pathTotals, frame(app, `"partnerId":"1000"`, totals, skip))
	s.send("another partner inside", pathTotals, frame(app, partner, `"requestBody":"{'partnerId':'1000','memberId':'1'}"`, skip))
	s.send("another partner in both", pathTotals, frame(app, `"partnerId":"1000"`, `"requestBody":"{'partnerId':'1000','memberId':'1'}"`, skip))

	s.send("no sign at an unsigned app", pathTotals, frame(app, partner, totals))
	s.send("partnerId inside only, as a number", pathTotals, frame(app, `"requestBody":"{'partnerId':1864,'memberId':'`+memberC+`'}"`, `"sign":"sign"`, `"ver":"1"`))
	s.send("requestBody as an object", pathTotals, frame(app, `"partnerId":1864`, `"requestBody":{"memberId":"`+memberC+`"}`, `"sign":null`, `"ver":1.0`))
	s.send("further fields", pathTotals, frame(app, partner, totals, skip, `"timestamp":1,"device":{"id":"x"}`))
	s.golden("frame")
}

// method sends an empty request with another HTTP method.
func (s *session) method(method, path string) {
	s.t.Helper()
	r := httptest.NewRequest(method, path, nil)
	a := doortest.Send(s.handler, r)
	s.tr.Note("%s instead of POST", method)
	s.tr.Exchange(r, "", a)
	s.checkForm(method, "", a)
	if a.Header.Get("Allow") != http.MethodPost {
		s.t.Errorf("Allow %q", a.Header.Get("Allow"))
	}
}

func TestBodySizeAndEncoding(t *testing.T) {
	t.Parallel()
	s := newSession(t, nil)
	for _, row := range []struct {
		name, body string
		status     int
	}{
		{"2 MiB", frameOf(doortest.UnsignedApp, doortest.Merchant, strings.Repeat("x", 2<<20)), http.StatusRequestEntityTooLarge},
		{"1 MiB and a byte", strings.Repeat(" ", maxBody+1), http.StatusRequestEntityTooLarge},
		{"1 MiB", strings.Repeat(" ", maxBody), http.StatusOK},
		{"invalid UTF-8", frameOf(doortest.UnsignedApp, doortest.Merchant, "{}") + "\xff", http.StatusOK},
		{"GBK", "{\"appId\":\"\xbb\xe1\xd4\xb1\"}", http.StatusOK},
	} {
		a := s.send(row.name, pathTotals, row.body)
		if a.Status != row.status || codeOf(t, a) != "1001" {
			t.Errorf("%s: HTTP %d %s", row.name, a.Status, a.Body)
		}
	}
}
