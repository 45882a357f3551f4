package sms

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// AliyunOptions say in whose name Alibaba Cloud sends, and what. All but Now
// are needed.
type AliyunOptions struct {
	AccessKeyID, AccessKeySecret string
	// SignName is the approved signature (签名) of the messages.
	SignName string
	// Template is the code of the approved template, as SMS_154950909.
	Template string
	// Param is the name of the template's one variable, which gets the code.
	Param string
	// Endpoint is a URL of scheme and host: the region's, or a proxy's.
	Endpoint string
	// Now is the real clock; time.Now if nil.
	Now func() time.Time
}

// Aliyun is the Sender for Alibaba Cloud: SendSms of dysmsapi 2017-05-25.
//
// Its requests are signed by method V3, ACS3-HMAC-SHA256, as the provider tells
// everybody to: the older methods use SHA-1 and put the access key and the
// signature into the URL. What SendSms takes is in the URL all the same, as the
// provider documents all of it as part of the query; so nothing here ever shows
// a URL.
type Aliyun struct {
	api
	signName, template, param string
}

// The operation.
const (
	aliyunAction  = "SendSms"
	aliyunVersion = "2017-05-25"
	aliyunGood    = "OK"
)

// NewAliyun checks the options. Its errors name the key of the configuration
// and hold no value.
func NewAliyun(o AliyunOptions) (*Aliyun, error) {
	a, err := newAPI(
		field{"sms.aliyun.endpoint", o.Endpoint},
		field{"sms.aliyun.access_key_id", o.AccessKeyID}, field{"sms.aliyun.access_key_secret", o.AccessKeySecret}, o.Now,
	)
	if err != nil {
		return nil, err
	}
	if err := needed(field{"sms.aliyun.sign_name", o.SignName}, field{"sms.aliyun.template", o.Template}, field{"sms.aliyun.param", o.Param}); err != nil {
		return nil, err
	}
	return &Aliyun{api: a, signName: o.SignName, template: o.Template, param: o.Param}, nil
}

// Send implements Sender: one SendSms, which went well when its Code is OK.
func (a *Aliyun) Send(ctx context.Context, m Message) error {
	if err := checkPhone(m.Phone); err != nil {
		return err
	}
	request, err := a.request(ctx, m)
	if err != nil {
		return err
	}
	status, text, err := a.call(request)
	if err != nil {
		return err
	}
	var answer struct{ Code string }
	if json.Unmarshal(text, &answer) != nil {
		answer.Code = ""
	}
	return verdict(status, answer.Code, aliyunGood)
}

// request is the signed request. Its query is sent as it is signed.
func (a *Aliyun) request(ctx context.Context, m Message) (*http.Request, error) {
	param, err := json.Marshal(map[string]string{a.param: m.Code})
	if err != nil {
		panic(err) // texts always encode
	}
	query := aliyunQuery(map[string]string{
		"PhoneNumbers": m.Phone, "SignName": a.signName, "TemplateCode": a.template, "TemplateParam": string(param),
	})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.endpoint+"/?"+query, nil)
	if err != nil {
		return nil, errors.New("sms provider: no request can be made of sms.aliyun.endpoint")
	}
	request.Header = http.Header{
		"Accept":                {"application/json"},
		"X-Acs-Action":          {aliyunAction},
		"X-Acs-Version":         {aliyunVersion},
		"X-Acs-Date":            {a.now().UTC().Format(time.RFC3339)},
		"X-Acs-Signature-Nonce": {rand.Text()},
		"X-Acs-Content-Sha256":  {hexSHA256("")},
	}
	request.Header.Set("Authorization", signAliyun(a.host, query, request.Header, a.key))
	return request, nil
}

// aliyunQuery is the canonical query: sorted, and escaped by RFC 3986, where
// url.QueryEscape differs by the space alone.
func aliyunQuery(parameters map[string]string) string {
	escape := func(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		pairs = append(pairs, escape(name)+"="+escape(parameters[name]))
	}
	return strings.Join(pairs, "&")
}

// signAliyun is the Authorization of a POST to / without a body. It signs the
// host and all headers that begin with x-acs-.
func signAliyun(host, query string, header http.Header, key accessKey) string {
	const algorithm, prefix = "ACS3-HMAC-SHA256", "x-acs-"
	signed := map[string]string{"host": host}
	for name := range header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, prefix) {
			signed[lower] = strings.TrimSpace(header.Get(name))
		}
	}
	var lines strings.Builder
	names := slices.Sorted(maps.Keys(signed))
	for _, name := range names {
		lines.WriteString(name + ":" + signed[name] + "\n")
	}
	list := strings.Join(names, ";")
	canonical := strings.Join([]string{http.MethodPost, "/", query, lines.String(), list, hexSHA256("")}, "\n")
	signature := hmacSHA256([]byte(key.secret), algorithm+"\n"+hexSHA256(canonical))
	return algorithm + " Credential=" + key.id + ",SignedHeaders=" + list + ",Signature=" + hex.EncodeToString(signature)
}
