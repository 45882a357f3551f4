package sms

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// api is a provider's HTTP interface and who calls it.
type api struct {
	client   *http.Client
	endpoint string // scheme and host
	host     string // as it is sent and signed
	key      accessKey
	now      func() time.Time
}

// accessKey is what requests are signed with.
type accessKey struct{ id, secret string }

// String keeps the key out of logs, whatever the verb.
func (a *api) String() string { return "sms provider " + a.host }

// GoString is String, for %#v.
func (a *api) GoString() string { return a.String() }

// field is a value of the configuration with its key.
type field struct{ key, value string }

// newAPI checks what all providers need. Its errors name the key of the
// configuration and hold no value, which may be a secret.
func newAPI(endpoint, id, secret field, now func() time.Time) (api, error) {
	target, err := url.Parse(endpoint.value)
	if err != nil || target.Hostname() == "" || target.Scheme != "http" && target.Scheme != "https" {
		return api{}, fmt.Errorf("%s: must be a URL with http or https", endpoint.key)
	}
	// What is sent must be what is signed, byte for byte.
	if !isPlain(target.Host) || strings.HasSuffix(target.Host, ":") {
		return api{}, fmt.Errorf("%s: must be a host in ASCII, and a port after a colon", endpoint.key)
	}
	if target.User != nil || target.Path != "" && target.Path != "/" || target.RawQuery != "" || target.Fragment != "" {
		return api{}, fmt.Errorf("%s: must be a host only, as its path is signed too", endpoint.key)
	}
	if !isToken(id.value) {
		return api{}, fmt.Errorf("%s: must be letters and digits, as the provider shows it", id.key)
	}
	if !isPlain(secret.value) {
		return api{}, fmt.Errorf("%s: must be as the provider shows it, without spaces", secret.key)
	}
	if now == nil {
		now = time.Now
	}
	host := strings.ToLower(target.Host) // one of the signatures asks for it
	return api{newClient(), target.Scheme + "://" + host, host, accessKey{id.value, secret.value}, now}, nil
}

// needed is the first of the fields that is missing, or holds what cannot be
// meant.
func needed(fields ...field) error {
	for _, f := range fields {
		if f.value == "" || strings.TrimSpace(f.value) != f.value {
			return fmt.Errorf("%s: must be there, without spaces around it", f.key)
		}
	}
	return nil
}

// isPlain tells whether a text is ASCII that can be seen.
func isPlain(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// checkPhone refuses what is no single phone: the providers take lists, with
// commas, in the place of one.
func checkPhone(phone string) error {
	if !loyalty.ValidPhone(phone) {
		return errors.New("sms provider: not asked, as the phone is none of 11 digits")
	}
	return nil
}

// call sends a signed request. The answer is bounded, and longer ones are
// errors: its end might say something else than its beginning.
func (a *api) call(request *http.Request) (status int, text []byte, err error) {
	answer, err := a.client.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("sms provider: %w", reason(err))
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("sms provider: answer broke off: %w", reason(err))
	case len(text) > maxAnswer:
		return 0, nil, fmt.Errorf("sms provider: HTTP status %d, answer longer than %d bytes", answer.StatusCode, maxAnswer)
	}
	return answer.StatusCode, text, nil
}

// verdict is what an answer with a status and a code means. Only good with a
// status of 2xx is a message that was taken. Of an answer nothing is said but
// its code: the rest may repeat the message.
func verdict(status int, code, good string) error {
	switch {
	case code == "":
		return fmt.Errorf("sms provider: HTTP status %d, no code in the answer", status)
	case code == good && status >= 200 && status <= 299:
		return nil
	case !isErrorCode(code):
		return fmt.Errorf("sms provider: HTTP status %d, a code that cannot be shown", status)
	}
	return fmt.Errorf("sms provider: HTTP status %d, code %s", status, code)
}

// isErrorCode tells whether a text can be a provider's code, and cannot hold a
// phone or a verification code, which have four digits in a row or more.
func isErrorCode(text string) bool {
	const maxCode, maxDigits = 100, 3
	digits := 0
	for _, r := range []byte(text) {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '.', r == '_', r == '-', r == ':':
			digits = 0
		default:
			return false
		}
		if digits > maxDigits {
			return false
		}
	}
	return len(text) <= maxCode
}

// hexSHA256 is the digest both signatures are made of, in small letters.
func hexSHA256(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func hmacSHA256(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
