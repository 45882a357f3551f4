package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/sign"
)

const (
	tokenQuery   = "dss.auth.token.query"
	tokenRefresh = "dss.auth.token.refresh"

	// The gateway's numbers for an access token and a refresh token that are no
	// longer good.
	codeBadToken = 1004

	// tokenMargin is how long before its end a token is renewed: clocks differ.
	tokenMargin = time.Minute
)

// tokens is FILE.token: the pair of one app, kept because an app gets one pair
// a day.
type tokens struct {
	Access         string `json:"access_token"`
	AccessExpires  int64  `json:"access_expires_at"` // unix ms
	Refresh        string `json:"refresh_token"`
	RefreshExpires int64  `json:"refresh_expires_at"` // unix ms
}

// String keeps the tokens out of logs and errors.
func (tokens) String() string { return "tokens" }

// gatewayAnswer is what call itself reads of an answer.
type gatewayAnswer struct {
	Success bool `json:"success"`
	Code    *int `json:"error_code"`
	Data    struct {
		Access   string `json:"access_token"`
		Refresh  string `json:"refresh_token"`
		ExpireIn int64  `json:"expire_in"` // seconds
	} `json:"-"`
	RawData json.RawMessage `json:"data"`
}

// gateway makes one call and prints the answer. A token that the platform does
// not know any more is renewed once.
func (k *caller) gateway(ctx context.Context, method, version string, data []byte) error {
	held, err := k.readTokens()
	if err != nil {
		return err
	}
	if method == tokenQuery || method == tokenRefresh {
		_, text, err := k.renew(ctx, held, method)
		if err != nil {
			return err
		}
		return k.finish(text)
	}
	renewed := false
	for {
		if held.Access == "" || time.Now().Add(tokenMargin).UnixMilli() >= held.AccessExpires {
			var text []byte
			if held, text, err = k.obtain(ctx, held); err != nil {
				return err
			}
			if held.Access == "" {
				return k.finish(text) // no token to be had: the refusal is the answer
			}
			renewed = true
		}
		text, err := k.send(ctx, method, version, url.Values{"access_token": {held.Access}}, data)
		if err != nil {
			return err
		}
		answer, err := parseGateway(text)
		if err != nil {
			return err
		}
		if !renewed && answer.Code != nil && *answer.Code == codeBadToken {
			held.Access = "" // another database, or the token was taken back
			continue
		}
		return k.finish(text)
	}
}

// obtain refreshes while the refresh token is good, else asks for a new pair.
// Without an error and without a token, text is the refusal.
func (k *caller) obtain(ctx context.Context, held tokens) (tokens, []byte, error) {
	if held.Refresh != "" && time.Now().Add(tokenMargin).UnixMilli() < held.RefreshExpires {
		fresh, text, err := k.renew(ctx, held, tokenRefresh)
		if err != nil || fresh.Access != "" {
			return fresh, text, err
		}
	}
	return k.renew(ctx, tokens{}, tokenQuery)
}

// renew makes one of the two token calls and keeps what it gives.
func (k *caller) renew(ctx context.Context, held tokens, method string) (tokens, []byte, error) {
	query := url.Values{"app_id": {k.credentials.AppID}}
	if method == tokenRefresh {
		if held.Refresh == "" {
			return tokens{}, nil, wrongly("there is no refresh token in %s; call %s first", k.tokenFile(), tokenQuery)
		}
		query = url.Values{"refresh_token": {held.Refresh}}
	}
	asked := time.Now()
	text, err := k.send(ctx, method, "v1", query, nil)
	if err != nil {
		return tokens{}, nil, err
	}
	answer, err := parseGateway(text)
	if err != nil || !answer.Success {
		return tokens{}, text, err
	}
	fresh := tokens{
		Access: answer.Data.Access, AccessExpires: asked.UnixMilli() + answer.Data.ExpireIn*1000,
		Refresh: held.Refresh, RefreshExpires: held.RefreshExpires,
	}
	if method == tokenQuery {
		fresh.Refresh = answer.Data.Refresh
		fresh.RefreshExpires = asked.Add(access.RefreshLife).UnixMilli()
	}
	if fresh.Access == "" {
		return tokens{}, nil, errors.New("the answer has no access_token")
	}
	return fresh, text, k.writeTokens(fresh)
}

// send signs a call and sends it.
func (k *caller) send(ctx context.Context, method, version string, query url.Values, body []byte) ([]byte, error) {
	query.Set("timestamp", strconv.FormatInt(time.Now().UnixMilli(), 10))
	query.Set("sign", sign.Gateway(query, body, k.credentials.AppSecret))
	return k.post(ctx, "/gw/gateway/"+method+"/"+version, query, body)
}

// finish prints an answer; a refusal is exit code 1.
func (k *caller) finish(text []byte) error {
	if err := k.show(text); err != nil {
		return err
	}
	answer, err := parseGateway(text)
	if err != nil {
		return err
	}
	if !answer.Success {
		return &exitError{code: exitNo}
	}
	return nil
}

func parseGateway(text []byte) (gatewayAnswer, error) {
	var a gatewayAnswer
	if err := json.Unmarshal(text, &a); err != nil {
		return a, errors.New("the answer is not the gateway's: is --url right?")
	}
	_ = json.Unmarshal(a.RawData, &a.Data) // only token calls have an object of this form
	return a, nil
}

func (k *caller) tokenFile() string { return k.file + ".token" }

func (k *caller) readTokens() (tokens, error) {
	var t tokens
	text, err := os.ReadFile(k.tokenFile())
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return t, fmt.Errorf("tokens: %w", err)
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return t, fmt.Errorf("tokens: %s is damaged; delete it", k.tokenFile())
	}
	return t, nil
}

func (k *caller) writeTokens(t tokens) error {
	text, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	if err := writeSecret(k.tokenFile(), append(text, '\n')); err != nil {
		return fmt.Errorf("tokens: %w", err)
	}
	return nil
}
