package envelope

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
)

// The members of the document's examples, by their memberId.
const (
	memberA = "115632749214110108" // 1.1, mobile 15623261994
	memberB = "115589208394311926" // 1.1's answer, 1.3
	memberC = "115596590488056494" // 2.1 to 2.4

	phoneA = "15623261994"
	phoneB = "13621758805"
	phoneC = "15956904546"
)

// The second app of the examples and its partner.
const (
	shortApp        = "2eb5c8f117dac313f89d"
	shortAppPartner = "1000"
)

// session is a bundle, the door on it, and what went over the wire.
type session struct {
	*doortest.Bundle
	t       testing.TB
	handler http.Handler
	tr      doortest.Transcript
	keys    map[string]*rsa.PublicKey // platform keys by app id
}

// newSession has the merchants of the examples, both sandboxes with unsigned
// apps, and no members.
func newSession(t testing.TB, settings func(*loyalty.Settings)) *session {
	t.Helper()
	b := doortest.NewWith(t, doortest.Options{Sandbox: true, Settings: settings})
	if _, err := b.Access.CreateMerchant(context.Background(), shortAppPartner, "商家 1000", true, loyalty.DefaultSettings().Document()); err != nil {
		t.Fatal(err)
	}
	short := b.CreateApp(access.NewApp{ID: shortApp, MerchantID: shortAppPartner, Unsigned: true})
	s := &session{Bundle: b, t: t, keys: map[string]*rsa.PublicKey{shortApp: short.PlatformKey}}
	for _, app := range []*doortest.App{b.App, b.Other, b.Unsigned} {
		s.keys[app.ID] = app.PlatformKey
	}
	s.handler = New(s.options())
	s.tr.Masked = []string{"sign"}
	return s
}

func (s *session) options() Options {
	return Options{Writer: s.Writer, Reader: s.Reader, Access: s.Access, Codes: s.Codes, SMS: s.SMS, Now: s.Clock.Now}
}

// withMembers has the members of the examples too.
func withMembers(t testing.TB, settings func(*loyalty.Settings)) *session {
	t.Helper()
	s := newSession(t, settings)
	s.register(doortest.Merchant, loyalty.Profile{
		ExternalID: memberA, Phone: phoneA, Nickname: "童百良", RealName: "童大力", Gender: 1,
		Birthday: "1994-09-28", BirthMonth: 9, BirthDay: 28, Email: "tong@example.com",
		IDCard: "350322198209116378", Store: "shop001", Photo: "https://wx.example.com/mmhead/0/132?a=1&b=2",
	}, &loyalty.Channel{Code: "dcxcx", RegisterType: "2", ThirdPartyCode: "orZZ75W27gmvtJmS6qy4dOXokK6U", UnionID: "oeAlw1VjDr2hUynN5E_fQigVmcGk"})
	s.register(doortest.Merchant, loyalty.Profile{ExternalID: memberC, Phone: phoneC, Nickname: "三虎"}, nil)
	s.register(shortAppPartner, loyalty.Profile{ExternalID: memberB, Phone: phoneB, Nickname: "森屿海港@"}, nil)
	return s
}

func (s *session) register(merchant string, p loyalty.Profile, channel *loyalty.Channel) loyalty.MemberRegistered {
	s.t.Helper()
	return doortest.Do(s.Bundle, loyalty.RegisterMember{Merchant: merchant, Profile: p, Channel: channel, App: "test"})
}

// send writes the exchange down and checks what every answer has in common.
func (s *session) send(note, path, body string) doortest.Answer {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	a := doortest.Send(s.handler, r)
	s.tr.Note("%s", note)
	s.tr.Exchange(r, body, a)
	s.checkForm(note, body, a)
	return a
}

// call sends requestBody in a frame of the unsigned app.
func (s *session) call(note, path, requestBody string) doortest.Answer {
	s.t.Helper()
	return s.send(note, path, frameOf(doortest.UnsignedApp, doortest.Merchant, requestBody))
}

func (s *session) golden(name string) {
	s.t.Helper()
	doortest.Golden(s.t, name, s.tr.String())
}

// frameOf is a frame as an unsigned app sends it.
func frameOf(app, partner, requestBody string) string {
	return `{"appId":"` + app + `","partnerId":"` + partner + `","requestBody":` + quoted(requestBody) + `,"sign":"skip","ver":1}`
}

func quoted(text string) string {
	b, err := marshal(text)
	if err != nil {
		panic(err)
	}
	return b
}

// checkForm has every answer in the door's form, and signed by the platform
// where the app is known. It computes the base by itself.
func (s *session) checkForm(note, request string, a doortest.Answer) {
	s.t.Helper()
	if got := a.Header.Get("Content-Type"); got != "application/json; charset=utf-8" {
		s.t.Errorf("%s: Content-Type %q", note, got)
	}
	if got := a.Header.Get("Cache-Control"); got != "no-store" {
		s.t.Errorf("%s: Cache-Control %q", note, got)
	}
	var answer map[string]string
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil {
		s.t.Errorf("%s: answer %s: %v", note, a.Body, err)
		return
	}
	if _, ok := answer["responseBody"]; ok != (answer["statusCode"] == "100") || answer["ver"] != "1" || answer["message"] == "" {
		s.t.Errorf("%s: answer has not the form: %s", note, a.Body)
	}
	signature := answer["sign"]
	if signature == "" {
		return
	}
	var names []string
	for name := range answer {
		if name != "sign" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for i, name := range names {
		names[i] = name + "=" + answer[name]
	}
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		s.t.Errorf("%s: sign: %v", note, err)
	}
	sum := sha256.Sum256([]byte(strings.Join(names, "&")))
	for _, key := range s.keys {
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], raw) == nil {
			return
		}
	}
	s.t.Errorf("%s: no platform key made this signature: %s", note, a.Body)
}

// codeOf is the statusCode of an answer.
func codeOf(t testing.TB, a doortest.Answer) string {
	t.Helper()
	var f frame
	if err := json.Unmarshal([]byte(a.Body), &f); err != nil {
		t.Fatalf("answer %q: %v", a.Body, err)
	}
	return f.StatusCode
}

// signedFrame is a frame with the app's signature, made without package sign.
// The fields are given in any order, values as JSON text.
func signedFrame(t testing.TB, key *rsa.PrivateKey, fields [][2]string) string {
	t.Helper()
	sorted := append([][2]string(nil), fields...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i][0] < sorted[j][0] })
	var base, body []string
	for _, f := range sorted {
		value := f[1]
		var text string
		if json.Unmarshal([]byte(value), &text) == nil {
			value = text
		}
		base = append(base, f[0]+"="+value)
	}
	sum := sha256.Sum256([]byte(strings.Join(base, "&")))
	raw, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		body = append(body, quoted(f[0])+":"+f[1])
	}
	body = append(body, `"sign":`+quoted(base64.StdEncoding.EncodeToString(raw)))
	return "{" + strings.Join(body, ",") + "}"
}

// signedCall is signedFrame with the fields of the document.
func signedCall(t testing.TB, app *doortest.App, requestBody string) string {
	t.Helper()
	return signedFrame(t, app.Key, [][2]string{
		{"ver", "1"}, {"partnerId", quoted(app.MerchantID)}, {"appId", quoted(app.ID)}, {"requestBody", quoted(requestBody)},
	})
}
