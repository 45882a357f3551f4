package gateway

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/sign"
)

const wrongSign = "00000000000000000000000000000000"

// TestFrame has each refusal of the frame in the order of precedence: every
// call is wrong in its own way and in all the ways that come after it.
func TestFrame(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{})
	late := 6 * time.Minute
	s.call("unknown method", doortest.GatewayCall{Method: "dss.order.query", Verb: "PUT", Late: late, Token: "-", Sign: wrongSign, Body: "{"})
	s.call("unknown version", doortest.GatewayCall{Method: methodInfoQuery, Version: "v2", Verb: "PUT", Late: late, Token: "-", Sign: wrongSign, Body: "{"})
	s.call("a path too long", doortest.GatewayCall{Method: methodInfoQuery, Version: "v1/", Verb: "PUT", Late: late, Token: "-", Sign: wrongSign, Body: "{"})
	s.call("PUT", doortest.GatewayCall{Method: methodInfoQuery, Verb: "PUT", Late: late, Token: "-", Sign: wrongSign, Body: "{"})
	s.call("GET where the document has none", doortest.GatewayCall{Method: methodInfoQuery, Verb: "GET", Late: late, Token: "-", Sign: wrongSign, Body: "{"})
	s.call("a repeated parameter", doortest.GatewayCall{Method: methodInfoQuery, Late: late, Token: "-", Sign: wrongSign, Body: "{", Raw: "&a=1&a=1"})
	s.call("a broken escape", doortest.GatewayCall{Method: methodInfoQuery, Late: late, Token: "-", Sign: wrongSign, Body: "{", Raw: "&a=%zz"})
	s.call("another method in the query", doortest.GatewayCall{Method: methodInfoQuery, Late: late, Token: "-", Sign: wrongSign, Body: "{", Query: url.Values{"method": {methodChange}}})
	for _, at := range []string{"", "x", "-1", "1795312800", "99999999999999999999", "1795312800000.0"} {
		s.call("timestamp "+strconv.Quote(at), doortest.GatewayCall{Method: methodInfoQuery, Token: "-", Sign: wrongSign, Body: "{", Query: url.Values{"timestamp": {at}}})
	}
	s.call("timestamp 300001 ms late, and no token", doortest.GatewayCall{Method: methodInfoQuery, Late: 300001 * time.Millisecond, Token: "-", Sign: wrongSign, Body: "{"})
	s.call("no token", doortest.GatewayCall{Method: methodInfoQuery, Token: "-", Sign: wrongSign, Body: "{"})
	s.call("unknown token", doortest.GatewayCall{Method: methodInfoQuery, Token: "at00000000000000000000000000000000", Sign: wrongSign, Body: "{"})
	s.call("a token in lower case", doortest.GatewayCall{Method: methodInfoQuery, Token: strings.ToLower(s.Token(s.App)), Sign: wrongSign, Body: "{"})
	s.call("an app_id of its own choice", doortest.GatewayCall{Method: methodInfoQuery, Sign: wrongSign, Body: "{", Query: url.Values{"app_id": {doortest.OtherApp}}})
	s.call("no sign", doortest.GatewayCall{Method: methodInfoQuery, Sign: "&", Body: "{"})
	s.call("wrong sign", doortest.GatewayCall{Method: methodInfoQuery, Sign: wrongSign, Body: "{"})
	s.call("a parameter behind the sign", doortest.GatewayCall{Method: methodInfoQuery, Raw: "&extra=1", Body: "{"})
	s.call("broken JSON", doortest.GatewayCall{Method: methodInfoQuery, Body: "{"})
	ok := `{"phone":"15900947949"}`
	s.call("all of it right; unknown parameters are signed and ignored", doortest.GatewayCall{
		Method: methodCodeGenerate, Body: ok, Query: url.Values{"app_id": {doortest.SigningApp}, "method": {methodCodeGenerate}, "code": {""}, "备注": {"a b+c"}},
	})
	s.call("300000 ms early", doortest.GatewayCall{Method: methodCodeGenerate, Body: ok, Late: -300000 * time.Millisecond})
	expired := s.Token(s.App)
	s.Clock.Advance(access.AccessLife)
	s.call("a token after two hours", doortest.GatewayCall{Method: methodCodeGenerate, Body: ok, Token: expired})
	s.Token(s.App) // issued while the app was good
	must(t, s.Access.SetAppDisabled(t.Context(), s.App.ID, true))
	s.call("the app was disabled", doortest.GatewayCall{Method: methodCodeGenerate, Body: ok})
	s.golden("frame")
}

// TestReadingsOfTheSign: the document leaves open what is in the base; each
// reading passes (G-008, G-018, G-021). The bases themselves are sign's tests.
func TestReadingsOfTheSign(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{})
	const body = `{"phone":"15900947949"}`
	plain := url.Values{"access_token": {s.Token(s.App)}, "timestamp": {"1795312800000"}}
	query := url.Values{"access_token": plain["access_token"], "timestamp": plain["timestamp"], "code": {""}}
	withMethod := url.Values{"access_token": plain["access_token"], "timestamp": plain["timestamp"], "code": {""}, "method": {methodCodeGenerate}}
	for note, base := range map[string]url.Values{"plain": query, "without empty ones": plain, "with the method of the path": withMethod} {
		for _, signed := range []string{sign.Gateway(base, []byte(body), doortest.Secret), strings.ToUpper(sign.Gateway(base, []byte(body), doortest.Secret))} {
			r := httptest.NewRequest(http.MethodPost, Prefix+methodCodeGenerate+"/v1?"+query.Encode()+"&sign="+signed, strings.NewReader(body))
			if a := doortest.Send(s.handler, r); !strings.Contains(a.Body, `"success":true`) {
				t.Errorf("%s: %s", note, a.Body)
			}
		}
	}
}

// TestBadInput: everything here is refused with a clear answer in the door's
// form, and nothing is booked.
func TestBadInput(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{})
	s.add(10, "积分")
	before := s.member().Member
	change := func(note, text string) {
		t.Helper()
		s.call(note, doortest.GatewayCall{Method: methodChange, Body: text})
	}
	good := body("event_add", "1", "x")
	change("no object", `[1]`)
	change("no JSON", `score=1`)
	change("truncated", good[:len(good)-1])
	change("two objects", good+good)
	change("nested deeper than anybody needs", `{"a":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+`}`)
	change("a name twice", with(good, `"score":1`, `"score":1,"score":1`))
	change("a name twice, deeper", with(good, `"score":1`, `"score":1,"a":[{"b":1,"b":2}]`))
	change("invalid UTF-8", with(good, "测试", "\xff"))
	change("NUL", with(good, "测试", "\x00"))
	change("escaped NUL", with(good, "测试", `\u0000`))
	change("an unpaired surrogate", with(good, "测试", `\ud800`))
	change("a raw line break in a text", with(good, "测试", "测\n试"))
	change("an object for a text", with(good, `"测试"`, `{"a":1}`))
	change("a list for a number", with(good, `"score":1`, `"score":[1]`))
	change("a number in words", with(good, `"score":1`, `"score":"一百"`))
	change("blanks around a number", with(good, `"score":1`, `"score":" 1 "`))
	change("a change_id of 129 characters", with(good, `"x"`, `"`+strings.Repeat("长", 129)+`"`))
	change("a reason of 1001 characters", with(good, "测试", strings.Repeat("长", 1001)))
	change("an open_id of 129 characters", with(good, openID, strings.Repeat("0", 129)))
	change("two spellings that differ", with(good, `"score":1`, `"score":1,"changeId":"y"`))
	s.call("255 parameters too many", doortest.GatewayCall{Method: methodChange, Body: good, Raw: manyParams(300)})
	if after := s.member().Member; after != before {
		t.Errorf("something was booked: %+v, before %+v", after, before)
	}
	s.golden("bad_input")
}

func manyParams(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("&p" + strconv.Itoa(i) + "=1")
	}
	return b.String()
}

// TestBodyTooLarge: 1 MiB is taken, and a byte more is not, whether or not its
// length is announced.
func TestBodyTooLarge(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{})
	fill := func(size int) string {
		text := body("event_add", "1", "big")
		return text + strings.Repeat(" ", size-len(text))
	}
	if a := doortest.Send(s.handler, s.Request(doortest.GatewayCall{Method: methodChange, Body: fill(maxBody)})); !strings.Contains(a.Body, `"success":true`) {
		t.Errorf("1 MiB: %d %s", a.Status, a.Body)
	}
	const want = `{"success":false,"error_code":1001,"error_message":"请求体过大","data":null,"errorCode":1001,"errorMessage":"请求体过大"}`
	for _, size := range []int{maxBody + 1, 2 << 20} {
		for _, announced := range []bool{true, false} {
			r := s.Request(doortest.GatewayCall{Method: methodChange, Body: fill(size)})
			if !announced {
				r.ContentLength = -1
			}
			if a := doortest.Send(s.handler, r); a.Status != http.StatusRequestEntityTooLarge || a.Body != want {
				t.Errorf("%d bytes, announced %t: %d %s", size, announced, a.Status, a.Body)
			}
		}
	}
	server := httptest.NewServer(s.handler)
	defer server.Close()
	r := s.Request(doortest.GatewayCall{Method: methodChange, Body: fill(2 << 20)})
	base, err := url.Parse(server.URL)
	must(t, err)
	r.RequestURI, r.URL.Scheme, r.URL.Host = "", base.Scheme, base.Host
	response, err := server.Client().Do(r)
	must(t, err)
	defer response.Body.Close()
	var got bytes.Buffer
	_, err = got.ReadFrom(response.Body)
	must(t, err)
	if response.StatusCode != http.StatusRequestEntityTooLarge || got.String() != want {
		t.Errorf("over a connection: %d %s", response.StatusCode, got.String())
	}
	if m := s.member(); m.Entries != 1 {
		t.Errorf("%d entries, want the one of 1 MiB", m.Entries)
	}
}

// TestAttributes: the request log hears method, app and code, and no more.
func TestAttributes(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{})
	heard := map[string]any{}
	handler := New(Options{
		Writer: s.Writer, Reader: s.Reader, Access: s.Access, Codes: s.Codes, Now: s.Clock.Now,
		Attribute: attribute(heard),
	})
	doortest.Send(handler, s.Request(doortest.GatewayCall{Method: methodInfoQuery, Body: `{"phone":"13800000000"}`}))
	want := map[string]any{"method": methodInfoQuery, "app": doortest.SigningApp, "code": codeNotMember}
	for _, key := range []string{"method", "app", "code"} {
		if heard[key] != want[key] {
			t.Errorf("%s is %v, want %v", key, heard[key], want[key])
		}
	}
	if len(heard) != len(want) {
		t.Errorf("heard %v", heard)
	}
	doortest.Send(handler, s.Request(doortest.GatewayCall{Method: methodInfoQuery, Body: `{"phone":"` + phone + `"}`}))
	if heard["code"] != codeSuccess {
		t.Errorf("code of a success is %v", heard["code"])
	}
}

// TestStrangersAreNobody: who knows an app's id and no secret is charged to the
// app under no answer but 1002.
func TestStrangersAreNobody(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{})
	for note, c := range map[string]doortest.GatewayCall{
		"wrong sign":     {Method: methodTokenQuery, Sign: wrongSign, Token: "-", Query: url.Values{"app_id": {doortest.SigningApp}}},
		"body too large": {Method: methodTokenQuery, Sign: wrongSign, Token: "-", Query: url.Values{"app_id": {doortest.SigningApp}}, Body: strings.Repeat(" ", maxBody+1)},
		"stale":          {Method: methodTokenQuery, Sign: wrongSign, Token: "-", Query: url.Values{"app_id": {doortest.SigningApp}}, Late: time.Hour},
	} {
		heard := map[string]any{}
		handler := New(Options{Writer: s.Writer, Reader: s.Reader, Access: s.Access, Codes: s.Codes, Now: s.Clock.Now, Attribute: attribute(heard)})
		doortest.Send(handler, s.Request(c))
		if heard["app"] != nil && heard["code"] != codeSign {
			t.Errorf("%s: heard %v", note, heard)
		}
		if heard["code"] == nil {
			t.Errorf("%s: no code was heard", note)
		}
	}
}

// TestClosedWriter: a server that shuts down says so in the door's form.
func TestClosedWriter(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{})
	s.Token(s.App)
	s.Writer.Close()
	a := s.call("shutting down", doortest.GatewayCall{Method: methodChange, Body: changeExample})
	if a.Status != http.StatusServiceUnavailable {
		t.Errorf("HTTP %d", a.Status)
	}
	s.golden("shutting_down")
}

// TestTurnAway: what the server refuses before the door has the door's form.
func TestTurnAway(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		http.StatusRequestEntityTooLarge: `{"success":false,"error_code":1001,"error_message":"请求体过大","data":null,"errorCode":1001,"errorMessage":"请求体过大"}`,
		http.StatusTooManyRequests:       `{"success":false,"error_code":500,"error_message":"请求过于频繁, 请稍后再试","data":null,"errorCode":500,"errorMessage":"请求过于频繁, 请稍后再试"}`,
		http.StatusServiceUnavailable:    `{"success":false,"error_code":500,"error_message":"系统繁忙, 请稍后再试","data":null,"errorCode":500,"errorMessage":"系统繁忙, 请稍后再试"}`,
	} {
		w := httptest.NewRecorder()
		TurnAway(w, status)
		if w.Code != status || w.Body.String() != want {
			t.Errorf("%d: %d %s", status, w.Code, w.Body)
		}
	}
}

// TestSpaces: apps of a merchant share their keys unless they were given a
// space of their own.
func TestSpaces(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{})
	shared := s.CreateApp(access.NewApp{MerchantID: doortest.Merchant})
	own := s.CreateApp(access.NewApp{MerchantID: doortest.Merchant, Space: "erp"})
	statements := map[string]bool{}
	for _, app := range []*doortest.App{nil, shared, own} {
		a := doortest.Send(s.handler, s.Request(doortest.GatewayCall{Method: methodChange, App: app, Body: changeExample}))
		statements[statementOf(t, a)] = true
	}
	if m := s.member(); len(statements) != 2 || m.Balance != 200 {
		t.Errorf("statements %v, balance %d; want two and 200", statements, m.Balance)
	}
}

// TestExpiryIsSeenByReads: points past their life are gone from every answer
// whether or not any job has booked it.
func TestExpiryIsSeenByReads(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{Settings: func(s *loyalty.Settings) {
		s.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 1}
	}})
	s.add(10, "积分")
	s.Clock.Advance(48 * time.Hour)
	s.each(methodInfoQuery, "score is 0", `{"phone":"15900947949"}`)
	s.each(methodRecord, "with the expiry in the record", `{"phone":"15900947949"}`)
	s.each(methodChange, "and cannot be spent", body("event_subtract", "1", "x"))
	s.golden("expiry")
}
