package sms

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// TencentOptions say in whose name Tencent Cloud sends, and what. All but Now
// are needed.
type TencentOptions struct {
	SecretID, SecretKey string
	// AppID is the SmsSdkAppId of the application, as 1400006666.
	AppID string
	// SignName is the approved signature (签名) of the messages.
	SignName string
	// Template is the id of the approved template, whose one parameter, {1},
	// gets the code.
	Template string
	// Region is one of those the service has, as ap-guangzhou.
	Region string
	// Endpoint is a URL of scheme and host: the provider's, or a proxy's.
	Endpoint string
	// Now is the real clock; time.Now if nil.
	Now func() time.Time
}

// Tencent is the Sender for Tencent Cloud: SendSms of sms 2021-01-11, its
// requests signed by method v3, TC3-HMAC-SHA256.
type Tencent struct {
	api
	appID, signName, template, region string
}

// The operation.
const (
	tencentService = "sms"
	tencentAction  = "SendSms"
	tencentVersion = "2021-01-11"
	tencentContent = "application/json; charset=utf-8"
	tencentGood    = "Ok"
)

// NewTencent checks the options. Its errors name the key of the configuration
// and hold no value.
func NewTencent(o TencentOptions) (*Tencent, error) {
	a, err := newAPI(
		field{"sms.tencent.endpoint", o.Endpoint},
		field{"sms.tencent.secret_id", o.SecretID}, field{"sms.tencent.secret_key", o.SecretKey}, o.Now,
	)
	if err != nil {
		return nil, err
	}
	if err := needed(field{"sms.tencent.app_id", o.AppID}, field{"sms.tencent.sign_name", o.SignName}, field{"sms.tencent.template", o.Template}); err != nil {
		return nil, err
	}
	if !isToken(o.Region) {
		return nil, errors.New("sms.tencent.region: must be a region such as ap-guangzhou")
	}
	return &Tencent{api: a, appID: o.AppID, signName: o.SignName, template: o.Template, region: o.Region}, nil
}

// tencentBody is what SendSms takes of one message.
type tencentBody struct {
	Phones   []string `json:"PhoneNumberSet"`
	AppID    string   `json:"SmsSdkAppId"`
	SignName string   `json:"SignName"`
	Template string   `json:"TemplateId"`
	Params   []string `json:"TemplateParamSet"`
}

// tencentAnswer has Error when the request was refused, and else a status for
// each phone.
type tencentAnswer struct {
	Response struct {
		Error         struct{ Code string }
		SendStatusSet []struct{ Code string }
	}
}

// code is the answer's code; empty if there is none.
func (a tencentAnswer) code() string {
	if a.Response.Error.Code != "" || len(a.Response.SendStatusSet) == 0 {
		return a.Response.Error.Code
	}
	return a.Response.SendStatusSet[0].Code
}

// Send implements Sender: one SendSms, which went well when the Code of the
// phone is Ok.
func (t *Tencent) Send(ctx context.Context, m Message) error {
	if err := checkPhone(m.Phone); err != nil {
		return err
	}
	request, err := t.request(ctx, m)
	if err != nil {
		return err
	}
	status, text, err := t.call(request)
	if err != nil {
		return err
	}
	var answer tencentAnswer
	if json.Unmarshal(text, &answer) != nil {
		answer = tencentAnswer{}
	}
	return verdict(status, answer.code(), tencentGood)
}

// request is the signed request.
func (t *Tencent) request(ctx context.Context, m Message) (*http.Request, error) {
	body, err := json.Marshal(tencentBody{
		Phones: []string{"+86" + m.Phone}, AppID: t.appID, SignName: t.signName, Template: t.template, Params: []string{m.Code},
	})
	if err != nil {
		panic(err) // texts always encode
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.endpoint+"/", strings.NewReader(string(body)))
	if err != nil {
		return nil, errors.New("sms provider: no request can be made of sms.tencent.endpoint")
	}
	call := tencentCall{service: tencentService, host: t.host, action: tencentAction, body: string(body), at: t.now()}
	request.Header = http.Header{
		"Accept":         {"application/json"},
		"Content-Type":   {tencentContent},
		"X-Tc-Action":    {tencentAction},
		"X-Tc-Version":   {tencentVersion},
		"X-Tc-Region":    {t.region},
		"X-Tc-Timestamp": {strconv.FormatInt(call.at.Unix(), 10)},
		"Authorization":  {call.sign(t.key)},
	}
	return request, nil
}

// tencentCall is what is signed of a request, besides what is always the same.
type tencentCall struct {
	service, host, action, body string
	at                          time.Time
}

// sign is the Authorization of a POST of JSON to /. It signs the headers that
// have to be, and the action, as the provider advises.
func (c tencentCall) sign(key accessKey) string {
	const algorithm, scheme, end, list = "TC3-HMAC-SHA256", "TC3", "tc3_request", "content-type;host;x-tc-action"
	headers := "content-type:" + tencentContent + "\nhost:" + c.host + "\nx-tc-action:" + strings.ToLower(c.action) + "\n"
	canonical := strings.Join([]string{http.MethodPost, "/", "", headers, list, hexSHA256(c.body)}, "\n")

	day := c.at.UTC().Format(time.DateOnly) // of the timestamp, wherever the server stands
	scope := day + "/" + c.service + "/" + end
	toSign := strings.Join([]string{algorithm, strconv.FormatInt(c.at.Unix(), 10), scope, hexSHA256(canonical)}, "\n")

	signing := []byte(scheme + key.secret)
	for _, part := range []string{day, c.service, end} {
		signing = hmacSHA256(signing, part)
	}
	return algorithm + " Credential=" + key.id + "/" + scope + ", SignedHeaders=" + list + ", Signature=" + hex.EncodeToString(hmacSHA256(signing, toSign))
}
