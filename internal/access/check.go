package access

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxID          = 64   // characters of an id or space
	maxName        = 128  // characters of a name
	maxSecret      = 128  // bytes of a secret that was brought along
	maxCallbackURL = 2048 // bytes; what proxies and servers commonly take
	maxDailyLimit  = 1_000_000
	maxWindow      = 24 * 3600 * 1000 // ms; beyond a day a timestamp proves nothing
)

func (n *NewApp) check(sandbox bool) error {
	if err := checkID("app id", n.ID); err != nil {
		return err
	}
	if err := checkName("app name", n.Name); err != nil {
		return err
	}
	if n.Space != "" {
		if err := checkID("space", n.Space); err != nil {
			return err
		}
	}
	if n.Unsigned && !sandbox {
		return &InvalidError{"unsigned", "only an app of a sandbox merchant may go unsigned"}
	}
	if !validSecret(n.Secret) {
		return &InvalidError{"app secret", fmt.Sprintf("1 to %d printable ASCII characters without spaces", maxSecret)}
	}
	if n.TokenLimit < 1 || n.TokenLimit > maxDailyLimit {
		return &InvalidError{"token limit", fmt.Sprintf("1 to %d a day", maxDailyLimit)}
	}
	if n.RefreshLimit < 1 || n.RefreshLimit > maxDailyLimit {
		return &InvalidError{"refresh limit", fmt.Sprintf("1 to %d a day", maxDailyLimit)}
	}
	if n.WindowMillis < 1 || n.WindowMillis > maxWindow {
		return &InvalidError{"window", fmt.Sprintf("1 to %d milliseconds", maxWindow)}
	}
	return checkCallbackURL(n.CallbackURL)
}

// checkCallbackURL does not resolve or judge the host: where callbacks may go is
// decided when they go.
func checkCallbackURL(text string) error {
	const field = "callback url"
	if text == "" {
		return nil
	}
	if len(text) > maxCallbackURL {
		return &InvalidError{field, fmt.Sprintf("over %d bytes", maxCallbackURL)}
	}
	u, err := url.Parse(text)
	switch {
	case err != nil: // not wrapped: it repeats the text, which may hold a password
		return &InvalidError{field, "not a URL"}
	case u.Scheme != "http" && u.Scheme != "https":
		return &InvalidError{field, "scheme must be http or https"}
	case u.Hostname() == "":
		return &InvalidError{field, "no host"}
	case u.User != nil:
		return &InvalidError{field, "must not carry a user or password: it is stored in the clear"}
	case u.Fragment != "":
		return &InvalidError{field, "must not carry a fragment"}
	}
	return nil
}

func checkID(field, id string) error {
	if !validID(id) {
		return &InvalidError{field, fmt.Sprintf("1 to %d characters of A-Z a-z 0-9 _ -", maxID)}
	}
	return nil
}

func validID(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

func checkName(field, name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return &InvalidError{field, "empty"}
	case !utf8.ValidString(name):
		return &InvalidError{field, "not UTF-8"}
	case utf8.RuneCountInString(name) > maxName:
		return &InvalidError{field, fmt.Sprintf("over %d characters", maxName)}
	case strings.ContainsFunc(name, unicode.IsControl):
		return &InvalidError{field, "control characters"}
	}
	return nil
}

func validSecret(secret string) bool {
	if secret == "" || len(secret) > maxSecret {
		return false
	}
	for i := range len(secret) {
		if secret[i] <= ' ' || secret[i] > '~' {
			return false
		}
	}
	return true
}
