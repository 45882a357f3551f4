package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// SMS says how verification codes get to phones. How many may be sent, and what
// they say, is in each merchant's settings.
type SMS struct {
	// Sender is file, which appends messages to sms-outbox.jsonl in the data
	// folder, http, which posts them to URL, or the name of a provider.
	Sender string `toml:"sender" name:"sender" default:"file" placeholder:"file|http|aliyun|tencent" help:"How text messages are sent: to sms-outbox.jsonl in the data folder, by POST to --sms-url, or by a provider."`
	// URL is where the provider, or a gateway in the house, takes messages.
	URL string `toml:"url" name:"url" placeholder:"URL" help:"Where messages are posted to."`
	// Header are headers of each request, as "Name: value". Several of them in
	// one value, as in the environment, are lines.
	Header []string `toml:"header" name:"header" sep:"none" placeholder:"NAME:VALUE" help:"A header of each request; may be repeated. Without Content-Type the body is JSON."`
	// Body is the request's body, with {phone}, {code}, {text} and {time}.
	Body string `toml:"body" name:"body" placeholder:"TEMPLATE" help:"Body of each request, with {phone}, {code}, {text} and {time} in it."`
	// Success is a text that the provider's answer holds when all went well;
	// empty for those who say it by the HTTP status.
	Success string `toml:"success" name:"success" placeholder:"TEXT" help:"What an answer must contain besides a 2xx status."`
	// Timeout bounds one call of the provider. The caller waits for it.
	Timeout Duration `toml:"timeout" name:"timeout" default:"10s" placeholder:"TIME" help:"Longest time for one message."`

	Aliyun  Aliyun  `toml:"aliyun" embed:"" prefix:"aliyun-"`
	Tencent Tencent `toml:"tencent" embed:"" prefix:"tencent-"`
}

// The senders.
const (
	SMSFile    = "file"
	SMSHTTP    = "http"
	SMSAliyun  = "aliyun"
	SMSTencent = "tencent"
)

// Bounds of SMS.Timeout: the answer to the caller has to follow within the
// default of timeout.write.
const (
	minSMSTimeout = 100 * time.Millisecond
	maxSMSTimeout = 20 * time.Second
)

// Headers are the headers one by one.
func (s SMS) Headers() []string {
	var headers []string
	for _, lines := range s.Header {
		for line := range strings.Lines(lines) {
			if line = strings.TrimSpace(line); line != "" {
				headers = append(headers, line)
			}
		}
	}
	return headers
}

// check shows no value: each may hold a credential.
func (s SMS) check() error {
	errs := []error{checkDuration("sms.timeout", s.Timeout, minSMSTimeout, maxSMSTimeout)}
	switch s.Sender {
	case SMSFile, SMSAliyun, SMSTencent: // providers check the form of their values
	case SMSHTTP:
		errs = append(errs, checkSMSURL(s.URL))
	default:
		errs = append(errs, fmt.Errorf("sms.sender: must be file, http, aliyun or tencent, not %q", s.Sender))
		return errors.Join(errs...)
	}
	for _, f := range s.fields() {
		switch {
		case f.sender == s.Sender && !f.set && !f.optional:
			errs = append(errs, fmt.Errorf("sms.%s: must be there for sms.sender %s", f.key, f.sender))
		case f.sender != s.Sender && f.set:
			errs = append(errs, fmt.Errorf("sms.%s: has no meaning without sms.sender %s", f.key, f.sender))
		}
	}
	return errors.Join(errs...)
}

// senderField is a key that one sender has a use for, and whether it is set.
type senderField struct {
	sender, key string
	set         bool
	optional    bool
}

// fields are all keys of one sender that have no default.
func (s SMS) fields() []senderField {
	return []senderField{
		{sender: SMSHTTP, key: "url", set: s.URL != ""},
		{sender: SMSHTTP, key: "header", set: len(s.Headers()) > 0, optional: true},
		{sender: SMSHTTP, key: "body", set: s.Body != ""},
		{sender: SMSHTTP, key: "success", set: s.Success != "", optional: true},
		{sender: SMSAliyun, key: "aliyun.access_key_id", set: s.Aliyun.AccessKeyID != ""},
		{sender: SMSAliyun, key: "aliyun.access_key_secret", set: s.Aliyun.AccessKeySecret != ""},
		{sender: SMSAliyun, key: "aliyun.sign_name", set: s.Aliyun.SignName != ""},
		{sender: SMSAliyun, key: "aliyun.template", set: s.Aliyun.Template != ""},
		{sender: SMSTencent, key: "tencent.secret_id", set: s.Tencent.SecretID != ""},
		{sender: SMSTencent, key: "tencent.secret_key", set: s.Tencent.SecretKey != ""},
		{sender: SMSTencent, key: "tencent.app_id", set: s.Tencent.AppID != ""},
		{sender: SMSTencent, key: "tencent.sign_name", set: s.Tencent.SignName != ""},
		{sender: SMSTencent, key: "tencent.template", set: s.Tencent.Template != ""},
	}
}

func checkSMSURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case text == "": // named as missing already
		return nil
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("sms.url: must be a URL with http or https")
	case strings.Contains(text, "{phone}") || strings.Contains(text, "{code}") || strings.Contains(text, "{text}"):
		return errors.New("sms.url: places for the message belong into sms.body, as URLs get into logs")
	}
	return nil
}

// hidden stands for what is not printed.
const hidden = "xxxxx"

func masked(text string) string {
	if text == "" {
		return ""
	}
	return hidden
}

// onlyHost hides of a URL what may be a credential: user, path and query.
func onlyHost(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return masked(text)
	}
	shown := u.Scheme + "://" + u.Host
	if u.User != nil || u.Path != "" || u.RawQuery != "" {
		shown += "/" + hidden
	}
	return shown
}

// shownHeaders is a list of TOML that hides the values of all headers but
// Content-Type.
func shownHeaders(lists []string) string {
	shown := []string{}
	for _, header := range (SMS{Header: lists}).Headers() {
		name, _, ok := strings.Cut(header, ":")
		switch {
		case !ok:
			header = hidden
		case !strings.EqualFold(name, "Content-Type"):
			header = name + ": " + hidden
		}
		shown = append(shown, quote(header))
	}
	return "[" + strings.Join(shown, ", ") + "]"
}
