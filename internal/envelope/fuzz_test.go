package envelope

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/jsonx"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/sign"
)

// sent are the calls of the golden transcripts: path and body.
func sent(f *testing.F) (all [][2]string) {
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for exchange := range strings.SplitSeq(string(data), "\n\n") {
			_, exchange, _ = strings.Cut(exchange, "POST ")
			path, rest, _ := strings.Cut(exchange, "\n")
			body, _, _ := strings.Cut(rest, "\n-> ")
			if strings.HasPrefix(path, "/member/") && strings.HasPrefix(body, "{") {
				all = append(all, [2]string{path, body})
			}
		}
	}
	if len(all) < 100 {
		f.Fatalf("only %d calls in testdata", len(all))
	}
	return all
}

// judge sends a call and fails on an answer that is not of the door's form, has a
// number that no integrator was told of, speaks of an error of the server, or is
// a refusal of what was booked. It returns the number.
func (s *session) judge(t *testing.T, documented map[string]bool, path, body string) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.URL.Path = path
	before := s.Booked()
	a := doortest.Send(s.handler, r)
	s.t = t
	s.checkForm("fuzz", body, a)
	code := codeOf(t, a)
	switch {
	case !documented[code]:
		t.Fatalf("%s %q: %s, a code without documentation", path, body, code)
	case a.Status == http.StatusOK && code != "500":
	case a.Status == http.StatusTooManyRequests && code == "500":
	case a.Status == http.StatusRequestEntityTooLarge && code == "1001" && len(body) > maxBody:
	default:
		t.Fatalf("%s %q: HTTP %d: %s", path, body, a.Status, a.Body)
	}
	if code != "100" && s.Booked() != before {
		t.Fatalf("%s %q: refused, and something was booked: %s", path, body, a.Body)
	}
	return code
}

// FuzzDoor sends any body to any path. The unsigned apps of the documents' own
// examples are there, so that what the fuzzer makes of those gets inside.
func FuzzDoor(f *testing.F) {
	s := withMembers(f, nil)
	documented := doortest.DocumentedCodes(f)
	for _, e := range examples {
		f.Add(e.path, e.body)
	}
	for _, call := range sent(f) {
		f.Add(call[0], call[1])
	}
	f.Add("/member/score/opt/", "{}")
	f.Add(pathTotals, frameOf(doortest.UnsignedApp, doortest.Merchant, "{'memberId':'1'}"))
	f.Fuzz(func(t *testing.T, path, body string) {
		s.judge(t, documented, path, body)
	})
}

// FuzzRequestBody sends any requestBody to every endpoint in a frame that is
// right, as a text and, where it can stand so, as an object.
func FuzzRequestBody(f *testing.F) {
	s := withMembers(f, nil)
	documented := doortest.DocumentedCodes(f)
	paths := []string{pathInfo, pathList, pathAdd, pathDeduct, pathUpdate, pathSend, pathReturn, pathTotals, pathRegister, pathEcho}
	place := map[string]uint8{}
	for i, path := range paths {
		place[path] = uint8(i)
	}
	for i, call := range sent(f) {
		if frame, err := readFrame([]byte(call[1])); err == nil {
			body, _, _ := frame.Text("requestBody")
			f.Add(place[call[0]], body, i%4 == 0)
		}
	}
	for i, body := range []string{
		`{'memberId':'` + memberC + `','score':'1e400','operationType':'1'}`, `{'memberId':'` + memberC + `','score':9223372036854775807,'operationType':1,'idempotencyBussinessId':'z'}`,
		`{'mobile':'1562326199','channelCode':'x'}`, `{'mobile':'13900000001','channelCode':'\u0001','registerType':'9','sexFlag':'7','birthday':'2026-02-30'}`,
		`{'memberId':'x','score':'1','score':'2'}`, `{'pageNum':-1,'pageSize':1e9}`, `{'dynamicCode':'06244323958828461000'}`,
		`{'startTime':'2018-11-04','endTime':'9999-12-31'}`, `{'startTime':'0000-01-01','endTime':'1795312800000'}`,
	} {
		f.Add(uint8(i), body, i%2 == 0)
		f.Add(uint8(i+4), body, false)
	}
	f.Fuzz(func(t *testing.T, which uint8, body string, object bool) {
		frame := frameOf(doortest.UnsignedApp, doortest.Merchant, body)
		if object {
			frame = strings.Replace(frame, quoted(body), body, 1)
		}
		s.judge(t, documented, paths[int(which)%len(paths)], frame)
	})
}

// FuzzTamperedFrame signs a frame with any requestBody and a further field, and
// has it let in; with any one byte of a signed value changed it is 1002.
func FuzzTamperedFrame(f *testing.F) {
	s := withMembers(f, nil)
	documented := doortest.DocumentedCodes(f)
	for i, e := range examples {
		f.Add(e.body, "nonce", "n1", uint(i*17), byte(1))
		f.Add(`{'memberId':'`+memberC+`','changeScore':'8','operationType':'1'}`, "zz", "1&ver=2", uint(i*7), byte(1<<i%8))
	}
	f.Add("", "", "", uint(3), byte(9))
	f.Add("0", "\xd9", "\x80", uint(51), byte('(')) // clean together only
	f.Fuzz(func(t *testing.T, body, name, value string, at uint, by byte) {
		clean := func(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }
		switch name {
		case "ver", "partnerId", "appId", "requestBody", "sign":
			return
		}
		if !clean(body) || !clean(name) || !clean(value) {
			return
		}
		values := []string{"1", s.App.MerchantID, body, value}
		frame := func(values []string, signature string) string {
			return `{"ver":` + quoted(values[0]) + `,"partnerId":` + quoted(values[1]) + `,"appId":` + quoted(s.App.ID) + `,"requestBody":` + quoted(values[2]) +
				`,` + quoted(name) + `:` + quoted(values[3]) + `,"sign":` + quoted(signature) + `}`
		}
		signature, err := sign.SignEnvelope(sign.EnvelopeBase([]sign.Field{
			{Name: "ver", Value: values[0]}, {Name: "partnerId", Value: values[1]}, {Name: "appId", Value: s.App.ID}, {Name: "requestBody", Value: values[2]}, {Name: name, Value: values[3]},
		}), s.App.Key)
		if err != nil {
			t.Fatal(err)
		}
		if code := s.judge(t, documented, pathUpdate, frame(values, signature)); code == "1002" {
			t.Fatalf("%s: our own signature is refused", frame(values, signature))
		}
		one := &values[at%4]
		if *one == "" {
			return
		}
		changed := []byte(*one)
		changed[int(at/4)%len(changed)] ^= max(by, 1)
		if *one = string(changed); !clean(*one) {
			return
		}
		if code := s.judge(t, documented, pathUpdate, frame(values, signature)); code != "1002" {
			t.Fatalf("%s: %s, though a byte was changed", frame(values, signature), code)
		}
	})
}

// FuzzFrame: a requestBody is read byte for byte as it was put into the frame,
// with its control characters escaped or raw, and so is what the signature
// covers. Raw ones pass there and nowhere else.
func FuzzFrame(f *testing.F) {
	for _, e := range examples {
		f.Add(e.body, "1864", e.body)
	}
	for _, call := range sent(f) {
		f.Add(call[1], "1", "{}")
	}
	f.Add("{'a':'\n\t\r\x01\x1f'}", "\u2028", "{\"appId\":\"a\nb\"}")
	f.Add(`\`, `\"`, "{\"a\":\"\\\n\"}")
	f.Fuzz(func(t *testing.T, body, partner, raw string) {
		if frame, err := readFrame([]byte(raw)); err == nil {
			strict, strictErr := jsonx.Object([]byte(raw))
			if strictErr == nil && sign.EnvelopeBase(frameFields(strict)) != sign.EnvelopeBase(frameFields(frame)) {
				t.Fatalf("%q: one frame to the strict reader, another to the door", raw)
			}
			if id, _, err := frame.Text("appId"); err == nil && AppID([]byte(raw)) != id {
				t.Fatalf("%q: app %q, and %q to the limits", raw, id, AppID([]byte(raw)))
			}
		} else {
			var syntax *jsonx.SyntaxError
			if !errors.As(err, &syntax) || AppID([]byte(raw)) != "" {
				t.Fatalf("%q: %v, app %q", raw, err, AppID([]byte(raw)))
			}
		}
		if !utf8.ValidString(body) || !utf8.ValidString(partner) || strings.Contains(body+partner, "\x00") {
			return
		}
		escaped := `{"partnerId":` + quoted(partner) + `,"requestBody":` + quoted(body) + `}`
		var b strings.Builder // as a client that escapes nothing but quotes and backslashes
		b.WriteString(`{"partnerId":` + quoted(partner) + `,"requestBody":"`)
		b.WriteString(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(body))
		b.WriteString(`"}`)
		want := "partnerId=" + partner + "&requestBody=" + body
		for _, frame := range []string{escaped, b.String()} {
			fields, err := readFrame([]byte(frame))
			if err != nil {
				t.Fatalf("%q: %v", frame, err)
			}
			if got, _, err := fields.Text("requestBody"); got != body || err != nil {
				t.Fatalf("%q: requestBody %q, %v", frame, got, err)
			}
			if base := sign.EnvelopeBase(frameFields(fields)); base != want {
				t.Fatalf("%q: base %q, want %q", frame, base, want)
			}
		}
	})
}

// FuzzSpan: a date covers its whole day in the merchant's zone and nothing else,
// a time its second, a number itself.
func FuzzSpan(f *testing.F) {
	var zones []*time.Location
	for _, name := range []string{"Asia/Shanghai", "UTC", "America/New_York", "America/Sao_Paulo", "America/Santiago", "Africa/Cairo", "Australia/Lord_Howe", "Pacific/Apia"} {
		loc, err := time.LoadLocation(name)
		if err != nil {
			f.Fatal(err)
		}
		zones = append(zones, loc)
	}
	for i, text := range []string{
		"2026-11-22", "2026-11-22 10:00:00", "1795312800000", "2026-02-29", "2018-11-04", "2018-02-17", "1940-06-01", "2011-12-30", "2011-12-29", "2011-12-31", "2023-04-28", "2026-03-08 02:30:00",
		"2026-11-01 01:30:00", "2026-11-22 10:00:00.5", "2026-11-22 9:00:00", "99999999999", "1e12", "9999-12-31", "0000-01-01", "", "2026-1-2", "9223372036854775807", "2026-09-05", "2026-09-06",
	} {
		for which := range zones {
			f.Add(text, uint8(i+which))
		}
	}
	f.Fuzz(func(t *testing.T, text string, which uint8) {
		if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			return
		}
		loc := zones[int(which)%len(zones)]
		body, err := json.Marshal(map[string]string{"x": text})
		if err != nil {
			t.Fatal(err)
		}
		read, err := jsonx.Object(body)
		if err != nil {
			t.Fatal(err)
		}
		got, err := fields{read}.span(loc, "x")
		if err != nil || got == nil {
			if (err == nil) != (text == "") {
				t.Fatalf("%q: %v, %v", text, got, err)
			}
			return
		}
		day := func(at loyalty.Instant) string { return at.In(loc).Format(time.DateOnly) }
		switch {
		case len(text) == len(time.DateOnly) && strings.Count(text, "-") == 2:
			if got.to < got.from && day(got.from) != text {
				return // a day that the zone left out
			}
			if day(got.from) != text || day(got.to) != text || day(got.from-1) == text || day(got.to+1) == text {
				t.Fatalf("%q in %s: %s to %s", text, loc, got.from.In(loc), got.to.In(loc))
			}
		case strings.Contains(text, ":"):
			wall := got.from.In(loc)
			if got.to != got.from+999 || wall.Format(time.DateTime) != text && doortest.Shown(text, loc) {
				t.Fatalf("%q in %s: %s to %s", text, loc, wall, got.to.In(loc))
			}
		default:
			n, _, err := read.Int("x")
			if err != nil || loyalty.Instant(n) != got.from || got.to != got.from || got.from < leastMillis {
				t.Fatalf("%q: %v, want %d, %v", text, *got, n, err)
			}
		}
	})
}
