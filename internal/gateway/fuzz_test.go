package gateway

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/sign"
)

// FuzzGateway sends any query and any body to any method, as strangers do
// (unsigned) and as callers do (signed). There is always one answer of the
// door's form.
func FuzzGateway(f *testing.F) {
	s := registered(f, doortest.Options{})
	for i, text := range []string{
		infoAddExample, changeExample, rollbackExample, recordExample, `{"code":"06244323958828461000"}`,
		`{"page_size":10,"page_no":1}`, `{"open_id":"` + openID + `","phone":"` + phone + `"}`, `{}`, ``, `{"score":1e400}`,
		repairedOrder(), refundRepaired, refundBody("", "o1", "1.005", `,"bill_date":"2026-02-30"`),
		term("t", `,"suit_store_type":1,"stores":"[{id:1,name:'x:y'}]","levels":"1,x"`), templateRepaired, giveRepaired,
		`{"number":1,"create_time":"1e12","third_coupon_id":1,"coupon_set":[{"open_id":1,"coupon_number":"a"},{}]}`,
		syncExample, verifyExample, `{"third_coupon_codes":"[1,\"2, \",3","verification_time":1e13}`, couponsExample,
	} {
		f.Add(uint8(i), "page_size=3&code=", []byte(text), true)
		f.Add(uint8(i+3), "status=3&order_no=1&third_coupon_codes=%2C1%2C", []byte(text), true)
		f.Add(uint8(i), "a=1&a=2&%zz&;&=&sign=&timestamp=&access_token=at", []byte(text), false)
	}
	token := s.Token(s.App)
	f.Fuzz(func(t *testing.T, which uint8, query string, text []byte, signed bool) {
		m := methods[int(which)%len(methods)]
		if signed {
			query += "&access_token=" + token + "&timestamp=1795312800000&app_id=" + doortest.SigningApp
			if params, err := sign.ParseQuery(query); err == nil {
				query += "&sign=" + sign.Gateway(sign.Values(params), text, doortest.Secret)
			}
		}
		r := (&http.Request{
			Method: http.MethodPost, URL: &url.URL{Path: Prefix + m.name + "/v1", RawQuery: query},
			Body: io.NopCloser(bytes.NewReader(text)), ContentLength: int64(len(text)), Header: http.Header{},
		}).WithContext(t.Context())
		a := doortest.Send(s.handler, r)
		var frame struct {
			Success       *bool
			ErrorCode     *json.RawMessage `json:"error_code"`
			ErrorMessage  *json.RawMessage `json:"error_message"`
			ErrorCode2    *json.RawMessage `json:"errorCode"`
			ErrorMessage2 *json.RawMessage `json:"errorMessage"`
		}
		if err := json.Unmarshal([]byte(a.Body), &frame); err != nil || frame.Success == nil {
			t.Fatalf("answer %q: %v", a.Body, err)
		}
		if a.Status != http.StatusOK && a.Status != http.StatusTooManyRequests {
			t.Fatalf("HTTP %d: %s", a.Status, a.Body)
		}
		if bytes.Contains([]byte(a.Body), []byte(`"error_code":500`)) && a.Status == http.StatusOK {
			t.Fatalf("an internal error: %s", a.Body)
		}
	})
}
