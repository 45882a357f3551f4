package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
)

// provider is what one provider is configured with and answers.
type provider struct {
	prefix, settings  string
	algorithm         string
	ok, refusal, code string
	message           *regexp.Regexp // of a request, unescaped: the phone, the code
}

var providers = map[string]provider{
	"aliyun": {
		"MEMBERD_SMS_ALIYUN_", "ACCESS_KEY_ID=AKhunter2 ACCESS_KEY_SECRET=hunter2 SIGN_NAME=云 TEMPLATE=SMS_1 PARAM=n", "ACS3-HMAC-SHA256 ",
		`{"Code":"OK"}`, `{"Code":"isv.AMOUNT_NOT_ENOUGH","Message":"hunter2"}`, "code isv.AMOUNT_NOT_ENOUGH",
		regexp.MustCompile(`PhoneNumbers=(\d+)&.*{"n":"(\d{4})"}`),
	},
	"tencent": {
		"MEMBERD_SMS_TENCENT_", "SECRET_ID=AKhunter2 SECRET_KEY=hunter2 SIGN_NAME=云 TEMPLATE=1110 APP_ID=1400006666", "TC3-HMAC-SHA256 ",
		`{"Response":{"SendStatusSet":[{"Code":"Ok"}]}}`, `{"Response":{"Error":{"Code":"AuthFailure","Message":"hunter2"}}}`, "code AuthFailure",
		regexp.MustCompile(`"PhoneNumberSet":\["\+86(\d+)"].*"TemplateParamSet":\["(\d{4})"]`),
	},
}

// env chooses the provider. A later setting of a test wins.
func (p provider) env(endpoint string) []string {
	name := strings.ToLower(strings.Split(p.prefix, "_")[2])
	env := []string{"MEMBERD_SMS_SENDER=" + name, p.prefix + "ENDPOINT=" + endpoint}
	for setting := range strings.FieldsSeq(p.settings) {
		env = append(env, p.prefix+setting)
	}
	return env
}

// Each provider, from the environment to a code that is right; then a refusal,
// of which the log has the code and nothing else.
func TestTextMessagesByProvider(t *testing.T) {
	t.Parallel()
	for name, p := range providers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, answers := make(chan string, 2), make(chan string, 2)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				query, _ := url.QueryUnescape(r.URL.RawQuery)
				got <- r.Header.Get("Authorization") + query + string(body)
				_, _ = io.WriteString(w, <-answers)
			}))
			t.Cleanup(server.Close)
			r := newRig(t)
			app := r.app("m1")
			r.env = append(r.env, p.env(server.URL)...)
			s := r.serve()
			answers <- p.ok
			s.must("wk.sms.verify.send", app, sendTo)
			request := <-got
			sent := p.message.FindStringSubmatch(request)
			if !strings.HasPrefix(request, p.algorithm) || sent == nil || sent[1] != phone {
				t.Fatalf("the provider got %q", request)
			}
			s.must("wk.sms.verify.judge", app, strings.Replace(judge, "%s", sent[2], 1))
			answers <- p.refusal
			if got := s.call("wk.sms.verify.send", app, strings.Replace(sendTo, phone, "13900139000", 1)); !strings.Contains(got.out, "140001") {
				t.Errorf("a refusal: %s%s", got.out, got.err)
			}
			if _, err := os.Stat(r.path("sms-outbox.jsonl")); err == nil {
				t.Error("there is an outbox as well")
			}
			if log := s.log.String(); !strings.Contains(log, p.code) || strings.Contains(log, "13900139000") || strings.Contains(log, "hunter2") {
				t.Errorf("log:\n%s", log)
			}
			if !strings.Contains(s.out.String(), "sent by") || strings.Contains(s.out.String(), "hunter2") {
				t.Errorf("greeting:\n%s", s.out)
			}
		})
	}
}
