package sms_test

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/sms"
)

const tencentOK = `{"Response":{"SendStatusSet":[{"SerialNo":"5000:1045710669157053657849499619","PhoneNumber":"+8613800138000","Fee":1,"SessionContext":"","Code":"Ok","Message":"send success","IsoCode":"CN"}],"RequestId":"a0aabda6-cf91-4f3e-a81f-9198114a2279"}}`

// tencentRefusal is a status of the phone, as most refusals are.
func tencentRefusal(code string) string {
	text, _ := json.Marshal(map[string]any{"Response": map[string]any{
		"SendStatusSet": []any{map[string]string{"PhoneNumber": "+86" + phone, "Code": code, "Message": "said of " + phone}}, "RequestId": "r",
	}})
	return string(text)
}

// tencentError is the refusal of a whole request.
func tencentError(code string) string {
	text, _ := json.Marshal(map[string]any{"Response": map[string]any{"Error": map[string]string{"Code": code, "Message": "said of " + phone}, "RequestId": "r"}})
	return string(text)
}

func tencentOptions(endpoint string, now time.Time) sms.TencentOptions {
	return sms.TencentOptions{
		SecretID: keyID, SecretKey: keySecret, AppID: awkwardApp, SignName: awkwardName, Template: awkwardTemplate, Region: "ap-guangzhou",
		Endpoint: endpoint, Now: func() time.Time { return now },
	}
}

func newTencent(t *testing.T, endpoint string, now time.Time) sms.Sender {
	t.Helper()
	sender, err := sms.NewTencent(tencentOptions(endpoint, now))
	must(t, err)
	return sender
}

func startTencent(t *testing.T, answer http.HandlerFunc) *cloud {
	t.Helper()
	return provide(t, (*cloud).checkTencent, answer)
}

// tencentSignature is what 签名方法 v3 makes of a request: canonical request,
// text to sign, the derived key, signature. The headers are those that the
// request says it signed.
func tencentSignature(r *http.Request, body, scope, list, secret string) (signature, complaint string) {
	for _, name := range []string{"content-type", "host"} {
		if !slices.Contains(strings.Split(list, ";"), name) {
			return "", "not signed: " + name
		}
	}
	lines, complaint := headerLines(r, list, func(_, text string) string { return strings.ToLower(text) })
	if complaint != "" {
		return "", complaint
	}
	canonical := r.Method + "\n/\n" + r.URL.RawQuery + "\n" + lines + "\n" + list + "\n" + sum(body)
	stamp := r.Header.Get("X-TC-Timestamp")
	parts := strings.Split(scope, "/")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || len(parts) != 3 || parts[0] != time.Unix(seconds, 0).UTC().Format("2006-01-02") || parts[2] != "tc3_request" {
		return "", "scope " + scope
	}
	key := mac(mac(mac("TC3"+secret, parts[0]), parts[1]), parts[2])
	return hex.EncodeToString([]byte(mac(key, "TC3-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+sum(canonical)))), ""
}

// tencentAuthorization takes the header apart.
func tencentAuthorization(text string) (id, scope, list, signature string) {
	text, ok := strings.CutPrefix(text, "TC3-HMAC-SHA256 Credential=")
	parts := strings.Split(text, ", ")
	if !ok || len(parts) != 3 || !strings.HasPrefix(parts[1], "SignedHeaders=") || !strings.HasPrefix(parts[2], "Signature=") {
		return "", "", "", ""
	}
	id, scope, _ = strings.Cut(parts[0], "/")
	return id, scope, strings.TrimPrefix(parts[1], "SignedHeaders="), strings.TrimPrefix(parts[2], "Signature=")
}

// checkTencent is the provider's own check. Its refusals have the status 200.
func (c *cloud) checkTencent(r *http.Request, body string) (int, string, taken) {
	refuse := func(code string) (int, string, taken) { return http.StatusOK, tencentError(code), taken{} }
	id, scope, list, signature := tencentAuthorization(r.Header.Get("Authorization"))
	if id == "" {
		return refuse("AuthFailure.InvalidAuthorization")
	}
	if id != keyID {
		return refuse("AuthFailure.SecretIdNotFound")
	}
	seconds, err := strconv.ParseInt(r.Header.Get("X-TC-Timestamp"), 10, 64)
	if err != nil || c.at.Sub(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return refuse("AuthFailure.SignatureExpire")
	}
	want, complaint := tencentSignature(r, body, scope, list, keySecret)
	if complaint != "" || signature != want || !strings.Contains(scope, "/sms/") {
		return refuse("AuthFailure.SignatureFailure")
	}
	if r.Method != http.MethodPost || r.URL.Path != "/" || r.Header.Get("X-TC-Action") != "SendSms" || r.Header.Get("X-TC-Version") != "2021-01-11" {
		return refuse("InvalidAction")
	}
	if r.Header.Get("X-TC-Region") != "ap-guangzhou" {
		return refuse("UnsupportedRegion")
	}
	var call struct {
		PhoneNumberSet, TemplateParamSet  []string
		SmsSdkAppId, TemplateId, SignName string
	}
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&call) != nil || len(call.PhoneNumberSet) != 1 || len(call.TemplateParamSet) != 1 {
		return refuse("InvalidParameter")
	}
	number, ok := strings.CutPrefix(call.PhoneNumberSet[0], "+86")
	if !ok {
		return refuse("InvalidParameterValue.IncorrectPhoneNumber")
	}
	return 0, "", taken{Phone: number, SignName: call.SignName, Template: call.TemplateId, App: call.SmsSdkAppId, Code: call.TemplateParamSet[0]}
}

// The check itself agrees with the document's examples, of today and of 2019,
// when two headers were signed.
func TestTencentCheck(t *testing.T) {
	t.Parallel()
	const body = `{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`
	r, err := http.NewRequest(http.MethodPost, "https://cvm.tencentcloudapi.com/", strings.NewReader(body))
	must(t, err)
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("X-TC-Action", "DescribeInstances")
	r.Header.Set("X-TC-Timestamp", "1551113065")
	for _, test := range []struct{ list, secret, want string }{
		{"content-type;host;x-tc-action", strings.Repeat("*", 32), "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f"},
		{"content-type;host", "Gu5t9xGARNpq86cd98joQYCN3*******", "2230eefd229f582d8b1b891af7107b91597240707d778ab3738f756258d7652c"},
	} {
		got, complaint := tencentSignature(r, body, "2019-02-25/cvm/tc3_request", test.list, test.secret)
		if got != test.want || complaint != "" {
			t.Errorf("%s: %s %s", test.list, got, complaint)
		}
	}
	for _, scope := range []string{"2019-02-26/cvm/tc3_request", "2019-02-25/cvm"} {
		if _, complaint := tencentSignature(r, body, scope, "content-type;host", "x"); complaint == "" {
			t.Errorf("the scope %s was let through", scope)
		}
	}
}

// The refusal of a whole request stands elsewhere than that of a phone.
func TestTencentErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		tencentError("RequestLimitExceeded"):                                              "HTTP status 200, code RequestLimitExceeded",
		tencentError("LimitExceeded.PhoneNumberOneHourLimit"):                             "code LimitExceeded.PhoneNumberOneHourLimit",
		tencentRefusal("FailedOperation.InsufficientBalanceInX"):                          "code FailedOperation.InsufficientBalanceInX",
		`{"Response":{"SendStatusSet":[],"RequestId":"r"}}`:                               "no code in the answer",
		`{"Response":{"SendStatusSet":null}}`:                                             "no code in the answer",
		`{"Response":{"Code":"Ok"},"SendStatusSet":[{"Code":""}]}`:                        "no code in the answer",
		`{"Response":{"Error":{"Code":"InternalError"},"SendStatusSet":[{"Code":"Ok"}]}}`: "code InternalError",
	} {
		c := startTencent(t, says(200, text))
		discreet(t, newTencent(t, c.URL, morning).Send(t.Context(), awkward), want)
	}
}

func TestTencentWrongKey(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*sms.TencentOptions){
		"AuthFailure.SignatureFailure": func(o *sms.TencentOptions) { o.SecretKey += "x" },
		"AuthFailure.SecretIdNotFound": func(o *sms.TencentOptions) { o.SecretID += "x" },
		"UnsupportedRegion":            func(o *sms.TencentOptions) { o.Region = "ap-mars" },
	} {
		c := startTencent(t, says(200, tencentOK))
		o := tencentOptions(c.URL, morning)
		change(&o)
		sender, err := sms.NewTencent(o)
		must(t, err)
		discreet(t, sender.Send(t.Context(), awkward), "HTTP status 200, code "+want)
	}
}

func TestTencentOptions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*sms.TencentOptions)
		want   string
	}{
		"good":         {func(*sms.TencentOptions) {}, ""},
		"no endpoint":  {func(o *sms.TencentOptions) { o.Endpoint = "" }, "sms.tencent.endpoint: must be a URL"},
		"a path":       {func(o *sms.TencentOptions) { o.Endpoint = "https://h/hunter2" }, "sms.tencent.endpoint: must be a host only"},
		"no id":        {func(o *sms.TencentOptions) { o.SecretID = "" }, "sms.tencent.secret_id"},
		"no key":       {func(o *sms.TencentOptions) { o.SecretKey = "" }, "sms.tencent.secret_key"},
		"key, space":   {func(o *sms.TencentOptions) { o.SecretKey = " hunter2" }, "sms.tencent.secret_key"},
		"no app":       {func(o *sms.TencentOptions) { o.AppID = "" }, "sms.tencent.app_id"},
		"no signature": {func(o *sms.TencentOptions) { o.SignName = "" }, "sms.tencent.sign_name"},
		"no template":  {func(o *sms.TencentOptions) { o.Template = "" }, "sms.tencent.template"},
		"no region":    {func(o *sms.TencentOptions) { o.Region = "" }, "sms.tencent.region"},
		"line break":   {func(o *sms.TencentOptions) { o.Region = "a\r\nX: hunter2" }, "sms.tencent.region"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := tencentOptions("https://sms.tencentcloudapi.com", morning)
			test.change(&o)
			_, err := sms.NewTencent(o)
			if test.want == "" {
				must(t, err)
				return
			}
			discreet(t, err, test.want)
		})
	}
}
