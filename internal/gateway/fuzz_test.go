package gateway

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/sign"
)

// sent are the calls of the golden transcripts: method and body.
func sent(f *testing.F) (all [][2]string) {
	files, err := filepath.Glob("testdata/*.golden")
	must(f, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		must(f, err)
		method := ""
		for line := range strings.Lines(string(data)) {
			line = strings.TrimSpace(line)
			if _, rest, ok := strings.Cut(line, " "+Prefix); ok {
				method, _, _ = strings.Cut(rest, "/")
			} else if method != "" && !strings.HasPrefix(line, "->") {
				all = append(all, [2]string{method, line})
				method = ""
			}
		}
	}
	if len(all) < 100 {
		f.Fatalf("only %d calls in testdata", len(all))
	}
	return all
}

// wireAnswer is what every answer has.
type wireAnswer struct {
	Success  *bool
	Code     *int    `json:"error_code"`
	Message  *string `json:"error_message"`
	Code2    *int    `json:"errorCode"`
	Message2 *string `json:"errorMessage"`
	Data     json.RawMessage
}

// checkAnswer fails on an answer that is not of the door's form, has a number
// that no integrator was told of, or speaks of an error of the server. Data with
// a refusal is for merchants who want a repeated change_id refused (G-092), and
// none of these is.
func checkAnswer(t *testing.T, documented map[string]bool, size int, a doortest.Answer) (succeeded bool) {
	t.Helper()
	var w wireAnswer
	if err := json.Unmarshal([]byte(a.Body), &w); err != nil || w.Success == nil {
		t.Fatalf("answer %q: %v", a.Body, err)
	}
	if got := a.Header.Get("Content-Type"); got != "application/json; charset=utf-8" {
		t.Fatalf("Content-Type %q", got)
	}
	if (w.Code == nil) != (w.Code2 == nil) || w.Code != nil && *w.Code != *w.Code2 ||
		(w.Message == nil) != (w.Message2 == nil) || w.Message != nil && *w.Message != *w.Message2 {
		t.Fatalf("two spellings, two values: %s", a.Body)
	}
	if *w.Success {
		if a.Status != http.StatusOK || w.Code != nil && *w.Code != codeSuccess {
			t.Fatalf("HTTP %d, a success: %s", a.Status, a.Body)
		}
		return true
	}
	if w.Code == nil || w.Message == nil || *w.Message == "" || *w.Code == codeSuccess || !documented[strconv.Itoa(*w.Code)] {
		t.Fatalf("a refusal without a documented code and a message: %s", a.Body)
	}
	if string(w.Data) != "null" {
		t.Fatalf("a refusal with data: %s", a.Body)
	}
	switch {
	case a.Status == http.StatusOK && *w.Code != codeBusy:
	case a.Status == http.StatusTooManyRequests && *w.Code == codeBusy:
	case a.Status == http.StatusRequestEntityTooLarge && *w.Code == codeInvalid && size > maxBody:
	default:
		t.Fatalf("HTTP %d: %s", a.Status, a.Body)
	}
	return false
}

// FuzzGateway sends any query and any body to any method, as strangers do
// (unsigned) and as callers do (signed). There is always one answer of the
// door's form with a documented code, never one that speaks of an error inside;
// a call that was refused has booked nothing, and a stranger's is refused.
func FuzzGateway(f *testing.F) {
	s := registered(f, doortest.Options{Sandbox: true})
	s.add(1000, "to be spent")
	documented := doortest.DocumentedCodes(f)
	place := map[string]uint8{}
	for i := range methods {
		place[methods[i].name] = uint8(i)
	}
	for _, call := range sent(f) {
		f.Add(place[call[0]], "", []byte(call[1]), true, false)
	}
	for i, text := range []string{
		infoAddExample, changeExample, rollbackExample, recordExample, `{"code":"06244323958828461000"}`,
		`{"page_size":10,"page_no":1}`, `{"open_id":"` + openID + `","phone":"` + phone + `"}`, `{}`, ``, `{"score":1e400}`,
		repairedOrder(), refundRepaired, refundBody("", "o1", "1.005", `,"bill_date":"2026-02-30"`),
		term("t", `,"suit_store_type":1,"stores":"[{id:1,name:'x:y'}]","levels":"1,x"`), templateRepaired, giveRepaired,
		`{"number":1,"create_time":"1e12","third_coupon_id":1,"coupon_set":[{"open_id":1,"coupon_number":"a"},{}]}`,
		syncExample, verifyExample, `{"third_coupon_codes":"[1,\"2, \",3","verification_time":1e13}`, couponsExample,
		`{"phone":"` + phone + `","ver_code":"4586"}`, `{"by":"-1d"}`, `{"open_id":"` + phone + `","score":9223372036854775807,"event":"event_add","change_id":"k"}`,
		`{"open_id":"` + openID + `","score":1,"change_event":"event_add","change_id":"k3","change_reason":"r","order_amount":"1.50"}`,
		`{"open_id":"` + openID + `","score":1,"event":"event_subtract","change_id":"k2","out_biz_no":"\ud83d\ude00"}`,
	} {
		f.Add(place["wk.user.event.score.change"], "", []byte(text), true, false)
		f.Add(uint8(i), "page_size=3&code=", []byte(text), true, false)
		f.Add(uint8(i+3), "status=3&order_no=1&third_coupon_codes=%2C1%2C", []byte(text), true, true)
		f.Add(uint8(i), "a=1&a=2&%zz&;&=&sign=&timestamp=&access_token=at", []byte(text), false, false)
		f.Add(uint8(i), "open_id="+openID+"&pageNo=0x1&page_no=%EF%BC%91&a=%00&b=%ff", []byte(text), true, true)
	}
	token := s.Token(s.App)
	f.Fuzz(func(t *testing.T, which uint8, query string, text []byte, signed, get bool) {
		m := methods[int(which)%len(methods)]
		if signed {
			query += "&access_token=" + token + "&timestamp=1795312800000&app_id=" + doortest.SigningApp
			if params, err := sign.ParseQuery(query); err == nil {
				query += "&sign=" + sign.Gateway(sign.Values(params), text, doortest.Secret)
			}
		}
		verb := http.MethodPost
		if get {
			verb = http.MethodGet
		}
		r := (&http.Request{
			Method: verb, URL: &url.URL{Path: Prefix + m.name + "/v1", RawQuery: query},
			Body: io.NopCloser(bytes.NewReader(text)), ContentLength: int64(len(text)), Header: http.Header{},
		}).WithContext(t.Context())
		before := s.Booked()
		a := doortest.Send(s.handler, r)
		succeeded := checkAnswer(t, documented, len(text), a)
		if succeeded && !signed {
			t.Fatalf("%s: a stranger's call succeeded: %s", m.name, a.Body)
		}
		if !succeeded && s.Booked() != before {
			t.Fatalf("%s %s: refused, and something was booked: %s", m.name, text, a.Body)
		}
	})
}

// FuzzTampered signs a call, lets any one byte of the body or of a value in the
// query differ from what was signed, and has it refused with 1002, unbooked.
func FuzzTampered(f *testing.F) {
	s := registered(f, doortest.Options{})
	documented := doortest.DocumentedCodes(f)
	for i, call := range sent(f) {
		if i%5 == 0 {
			f.Add(uint8(i), "code=1&redirect_url=http%3A%2F%2Fx", []byte(call[1]), uint(i*31), byte(1<<(i%8)))
		}
	}
	f.Add(uint8(4), "", []byte(changeExample), uint(60), byte(1))
	f.Add(uint8(4), "a=+", []byte{}, uint(0), byte('+'^' '))
	token := s.Token(s.App)
	f.Fuzz(func(t *testing.T, which uint8, query string, text []byte, at uint, by byte) {
		m := methods[int(which)%len(methods)]
		if m.token {
			return // those find their app by what may be changed here
		}
		params, err := sign.ParseQuery(query)
		values := sign.Values(params)
		if err != nil || values.Has("timestamp") || values.Has("sign") || values.Has("access_token") || values.Has("app_id") || values.Has("method") {
			return
		}
		values.Set("timestamp", "1795312800000")
		values.Set("access_token", token)
		signature := sign.Gateway(values, text, doortest.Secret)
		by = max(by, 1)
		text = bytes.Clone(text)
		if spot := int(at % uint(len(text)+len(params)+1)); spot < len(text) {
			text[spot] ^= by
		} else if spot -= len(text); spot < len(params) && params[spot].Value != "" {
			value := []byte(params[spot].Value)
			c := &value[int(at/7)%len(value)]
			if *c == '+' && *c^by == ' ' {
				return // one and the same to a client that signs what stands in the URL
			}
			*c ^= by
			values.Set(params[spot].Name, string(value))
		} else {
			signature = signature[1:] + signature[:1]
			if strings.Trim(signature, signature[:1]) == "" {
				return
			}
		}
		r := (&http.Request{
			Method: http.MethodPost, URL: &url.URL{Path: Prefix + m.name + "/v1", RawQuery: values.Encode() + "&sign=" + signature},
			Body: io.NopCloser(bytes.NewReader(text)), ContentLength: int64(len(text)), Header: http.Header{},
		}).WithContext(t.Context())
		before := s.Booked()
		a := doortest.Send(s.handler, r)
		if len(params) > 250 {
			return // too many parameters are refused before the sign is looked at
		}
		if checkAnswer(t, documented, len(text), a) || !strings.Contains(a.Body, `"error_code":1002,`) || s.Booked() != before {
			t.Fatalf("%s?%s %s: %s", m.name, r.URL.RawQuery, text, a.Body)
		}
	})
}
