package sms_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/sms"
)

// Names with all that has to be escaped in a URL or in JSON.
const (
	awkwardName     = `阿里 云+A&B=C%20*~'()/?:"\<é`
	awkwardTemplate = "SMS_154950909&Action=X"
	awkwardParam    = `co"de\ +验`
	awkwardApp      = `1400"006666`

	aliyunOK = `{"Message":"OK","RequestId":"F655A8D5-B967-440B-8683-DAD6FF8DE990","Code":"OK","BizId":"900619746936498440^0"}`
)

func aliyunRefusal(code string) string {
	text, _ := json.Marshal(map[string]string{"Code": code, "Message": "said of " + phone, "RequestId": "819BE656-D2E0-4858-8B21-B2E477085AAF"})
	return string(text)
}

func aliyunOptions(endpoint string, now time.Time) sms.AliyunOptions {
	return sms.AliyunOptions{
		AccessKeyID: keyID, AccessKeySecret: keySecret, SignName: awkwardName, Template: awkwardTemplate, Param: awkwardParam,
		Endpoint: endpoint, Now: func() time.Time { return now },
	}
}

func newAliyun(t *testing.T, endpoint string, now time.Time) sms.Sender {
	t.Helper()
	sender, err := sms.NewAliyun(aliyunOptions(endpoint, now))
	must(t, err)
	return sender
}

func startAliyun(t *testing.T, answer http.HandlerFunc) *cloud {
	t.Helper()
	return provide(t, (*cloud).checkAliyun, answer)
}

// aliyunEscape is the document's: everything but A-Z, a-z, 0-9, -, _, . and ~ as
// % and two capital digits.
func aliyunEscape(text string) string {
	const kept = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"
	var b strings.Builder
	for _, c := range []byte(text) {
		if strings.IndexByte(kept, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

// aliyunSignature is what "V3版本请求体&签名机制" makes of a request: canonical
// request, text to sign, signature. The headers are those that the request says
// it signed, which must be all that the document names.
func aliyunSignature(r *http.Request, body, list, secret string) (signature, complaint string) {
	for name := range r.Header {
		lower := strings.ToLower(name)
		if (strings.HasPrefix(lower, "x-acs-") || lower == "content-type") && !slices.Contains(strings.Split(list, ";"), lower) {
			return "", "not signed: " + lower
		}
	}
	if !slices.Contains(strings.Split(list, ";"), "host") {
		return "", "not signed: host"
	}
	lines, complaint := headerLines(r, list, func(_, text string) string { return text })
	if complaint != "" {
		return "", complaint
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", "query"
	}
	var pairs []string
	for name, all := range values {
		for _, value := range all {
			pairs = append(pairs, aliyunEscape(name)+"="+aliyunEscape(value))
		}
	}
	slices.Sort(pairs)
	canonical := r.Method + "\n" + r.URL.EscapedPath() + "\n" + strings.Join(pairs, "&") + "\n" + lines + "\n" + list + "\n" + sum(body)
	return hex.EncodeToString([]byte(mac(secret, "ACS3-HMAC-SHA256\n"+sum(canonical)))), ""
}

// aliyunAuthorization takes the header apart.
func aliyunAuthorization(text string) (id, list, signature string) {
	text, ok := strings.CutPrefix(text, "ACS3-HMAC-SHA256 Credential=")
	parts := strings.Split(text, ",")
	if !ok || len(parts) != 3 || !strings.HasPrefix(parts[1], "SignedHeaders=") || !strings.HasPrefix(parts[2], "Signature=") {
		return "", "", ""
	}
	return parts[0], strings.TrimPrefix(parts[1], "SignedHeaders="), strings.TrimPrefix(parts[2], "Signature=")
}

// checkAliyun is the provider's own check, in its order of codes.
func (c *cloud) checkAliyun(r *http.Request, body string) (int, string, taken) {
	refuse := func(code string) (int, string, taken) { return http.StatusBadRequest, aliyunRefusal(code), taken{} }
	id, list, signature := aliyunAuthorization(r.Header.Get("Authorization"))
	if id == "" {
		return refuse("IncompleteSignature")
	}
	if id != keyID {
		return refuse("InvalidAccessKeyId.NotFound")
	}
	at, err := time.Parse("2006-01-02T15:04:05Z", r.Header.Get("x-acs-date"))
	if err != nil {
		return refuse("InvalidTimeStamp.Format")
	}
	if c.at.Sub(at).Abs() > 15*time.Minute {
		return refuse("InvalidTimeStamp.Expired")
	}
	nonce := r.Header.Get("x-acs-signature-nonce")
	if nonce == "" || c.seen[nonce] {
		return refuse("SignatureNonceUsed")
	}
	c.seen[nonce] = true
	want, complaint := aliyunSignature(r, body, list, keySecret)
	if complaint != "" || signature != want || r.Header.Get("x-acs-content-sha256") != sum(body) {
		return refuse("SignatureDoesNotMatch")
	}
	if r.Method != http.MethodPost || r.URL.Path != "/" || r.Header.Get("x-acs-action") != "SendSms" || r.Header.Get("x-acs-version") != "2017-05-25" {
		return refuse("InvalidAction.NotFound")
	}
	query := r.URL.Query()
	var param map[string]string
	if json.Unmarshal([]byte(query.Get("TemplateParam")), &param) != nil || len(param) != 1 || len(query) != 4 {
		return refuse("isv.INVALID_JSON_PARAM")
	}
	m := taken{Phone: query.Get("PhoneNumbers"), SignName: query.Get("SignName"), Template: query.Get("TemplateCode")}
	for m.Param, m.Code = range param {
	}
	return 0, "", m
}

// The check itself agrees with the document's example, so that it cannot share
// a mistake with the sender.
func TestAliyunCheck(t *testing.T) {
	t.Parallel()
	r, err := http.NewRequest(http.MethodPost, "https://ecs.cn-shanghai.aliyuncs.com/?RegionId=cn-shanghai&ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", nil)
	must(t, err)
	for name, value := range map[string]string{
		"x-acs-action": "RunInstances", "x-acs-version": "2014-05-26", "x-acs-date": "2023-10-26T10:22:32Z",
		"x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d", "x-acs-content-sha256": sum(""),
	} {
		r.Header.Set(name, value)
	}
	const list = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
	got, complaint := aliyunSignature(r, "", list, "YourAccessKeySecret")
	if got != "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0" || complaint != "" {
		t.Errorf("%s %s", got, complaint)
	}
	if _, complaint := aliyunSignature(r, "", "host;x-acs-action", "YourAccessKeySecret"); complaint == "" {
		t.Error("headers that are not signed were let through")
	}
}

func TestAliyunWrongKey(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*sms.AliyunOptions){
		"SignatureDoesNotMatch":       func(o *sms.AliyunOptions) { o.AccessKeySecret += "x" },
		"InvalidAccessKeyId.NotFound": func(o *sms.AliyunOptions) { o.AccessKeyID += "x" },
	} {
		c := startAliyun(t, says(200, aliyunOK))
		o := aliyunOptions(c.URL, morning)
		change(&o)
		sender, err := sms.NewAliyun(o)
		must(t, err)
		discreet(t, sender.Send(t.Context(), awkward), "HTTP status 400, code "+want)
	}
}

func TestAliyunOptions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*sms.AliyunOptions)
		want   string
	}{
		"good":            {func(*sms.AliyunOptions) {}, ""},
		"port, no clock":  {func(o *sms.AliyunOptions) { o.Endpoint, o.Now = "http://[::1]:8080/", nil }, ""},
		"no endpoint":     {func(o *sms.AliyunOptions) { o.Endpoint = "" }, "sms.aliyun.endpoint: must be a URL"},
		"no scheme":       {func(o *sms.AliyunOptions) { o.Endpoint = "dysmsapi.aliyuncs.com" }, "sms.aliyun.endpoint: must be a URL"},
		"ftp":             {func(o *sms.AliyunOptions) { o.Endpoint = "ftp://hunter2" }, "sms.aliyun.endpoint: must be a URL"},
		"a user":          {func(o *sms.AliyunOptions) { o.Endpoint = "https://u:hunter2@h" }, "sms.aliyun.endpoint: must be a host only"},
		"a path":          {func(o *sms.AliyunOptions) { o.Endpoint = "https://h/hunter2" }, "sms.aliyun.endpoint: must be a host only"},
		"a query":         {func(o *sms.AliyunOptions) { o.Endpoint = "https://h?hunter2" }, "sms.aliyun.endpoint: must be a host only"},
		"half a port":     {func(o *sms.AliyunOptions) { o.Endpoint = "https://h:" }, "sms.aliyun.endpoint: must be a host in ASCII"},
		"Chinese host":    {func(o *sms.AliyunOptions) { o.Endpoint = "https://短信.example" }, "sms.aliyun.endpoint: must be a host in ASCII"},
		"no id":           {func(o *sms.AliyunOptions) { o.AccessKeyID = "" }, "sms.aliyun.access_key_id"},
		"id with comma":   {func(o *sms.AliyunOptions) { o.AccessKeyID = "a,hunter2" }, "sms.aliyun.access_key_id"},
		"id with newline": {func(o *sms.AliyunOptions) { o.AccessKeyID = "hunter2\n" }, "sms.aliyun.access_key_id"},
		"no secret":       {func(o *sms.AliyunOptions) { o.AccessKeySecret = "" }, "sms.aliyun.access_key_secret"},
		"secret, space":   {func(o *sms.AliyunOptions) { o.AccessKeySecret = "hunter2 " }, "sms.aliyun.access_key_secret"},
		"no signature":    {func(o *sms.AliyunOptions) { o.SignName = "" }, "sms.aliyun.sign_name"},
		"no template":     {func(o *sms.AliyunOptions) { o.Template = " SMS_1" }, "sms.aliyun.template"},
		"no variable":     {func(o *sms.AliyunOptions) { o.Param = "" }, "sms.aliyun.param"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := aliyunOptions("https://dysmsapi.aliyuncs.com", morning)
			test.change(&o)
			_, err := sms.NewAliyun(o)
			if test.want == "" {
				must(t, err)
				return
			}
			discreet(t, err, test.want)
		})
	}
}
