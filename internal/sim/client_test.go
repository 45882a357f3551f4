package sim_test

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/sign"
)

// client is an integrator's program: it signs, keeps connections open, and
// holds one token for all calls.
type client struct {
	http     *http.Client
	now      func() time.Time
	id       string
	secret   string
	merchant string
	key      *rsa.PrivateKey
	platform *rsa.PublicKey
	token    string
	answers  *atomic.Int64 // how many came back whole
}

// newClient is a client over the network, still without a token.
func newClient(t testing.TB, app access.Credentials) *client {
	t.Helper()
	key, err := sign.ParsePrivateKey(app.EnvelopePrivateKey)
	must(t, err)
	platform, err := sign.ParsePublicKey(app.EnvelopePlatformPublicKey)
	must(t, err)
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{
		http: &http.Client{Transport: transport, Timeout: patience}, now: time.Now,
		id: app.AppID, secret: app.AppSecret, merchant: app.MerchantID, key: key, platform: platform,
		answers: new(atomic.Int64),
	}
}

// call is one call of either protocol: a gateway method, or an envelope path
// that begins with a slash.
type call struct {
	method string
	body   map[string]any
}

// reply is an answer of either protocol. code is 0 for success, else the
// protocol's number; status is HTTP's.
type reply struct {
	status  int
	code    int
	message string
	data    json.RawMessage
}

// answered tells whether the caller knows now what came of its call. 500 is
// what both protocols say when they can't tell or can't work at the moment.
func (r reply) answered() bool { return r.status == http.StatusOK && r.code != codeBusy }

func (r reply) String() string {
	return fmt.Sprintf("%d/%d %s %s", r.status, r.code, r.message, r.data)
}

// into decodes the data.
func (r reply) into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(r.data, v); err != nil {
		t.Errorf("%v in %s", err, r)
	}
}

// send makes one attempt. The error says that no answer came.
func (c *client) send(ctx context.Context, base string, a call) (reply, error) {
	body, err := json.Marshal(a.body)
	if err != nil {
		return reply{}, err
	}
	if strings.HasPrefix(a.method, "/") {
		return c.envelope(ctx, base+a.method, string(body))
	}
	return c.gateway(ctx, base, a.method, url.Values{"access_token": {c.token}}, body)
}

func (c *client) gateway(ctx context.Context, base, method string, query url.Values, body []byte) (reply, error) {
	query.Set("timestamp", strconv.FormatInt(c.now().UnixMilli(), 10))
	query.Set("sign", sign.Gateway(query, body, c.secret))
	status, text, err := c.post(ctx, base+"/gw/gateway/"+method+"/v1?"+query.Encode(), body)
	if err != nil {
		return reply{}, err
	}
	var answer struct {
		Success bool            `json:"success"`
		Code    int             `json:"error_code"`
		Message string          `json:"error_message"`
		Data    json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return reply{}, fmt.Errorf("%w in %q", err, text)
	}
	if answer.Success {
		answer.Code = 0
	}
	return reply{status, answer.Code, answer.Message, answer.Data}, nil
}

func (c *client) envelope(ctx context.Context, target, body string) (reply, error) {
	frame := map[string]string{"appId": c.id, "partnerId": c.merchant, "requestBody": body, "ver": "1"}
	signature, err := sign.SignEnvelope(base(frame), c.key)
	if err != nil {
		return reply{}, err
	}
	frame["sign"] = signature
	request, err := json.Marshal(frame)
	if err != nil {
		return reply{}, err
	}
	status, text, err := c.post(ctx, target, request)
	if err != nil {
		return reply{}, err
	}
	answer := map[string]string{}
	if err := json.Unmarshal(text, &answer); err != nil {
		return reply{}, fmt.Errorf("%w in %q", err, text)
	}
	code, err := strconv.Atoi(answer["statusCode"])
	if err != nil {
		return reply{}, err
	}
	if code == envelopeSuccess {
		code = 0
		if !sign.VerifyEnvelope(base(answer), answer["sign"], c.platform) {
			return reply{}, fmt.Errorf("the answer of %s is not signed by the platform", target)
		}
	}
	return reply{status, code, answer["message"], json.RawMessage(answer["responseBody"])}, nil
}

// base is what is signed of a frame.
func base(frame map[string]string) string {
	var fields []sign.Field
	for name, value := range frame {
		fields = append(fields, sign.Field{Name: name, Value: value})
	}
	return sign.EnvelopeBase(fields)
}

func (c *client) post(ctx context.Context, target string, body []byte) (status int, text []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	answer, err := c.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	if text, err = io.ReadAll(answer.Body); err == nil {
		c.answers.Add(1)
	}
	return answer.StatusCode, text, err
}

// The protocols' own numbers.
const (
	envelopeSuccess   = 100
	codeBusy          = 500
	codeInvalid       = 1001
	codeBadToken      = 1004
	codeAppGone       = 110005
	codeNotMember     = 110003
	codeKeyReused     = 150002
	codeNotCovered    = 150003
	codeNoStatement   = 150004
	codeNotReversible = 150005
	codeNothingToRoll = 150006
	codeWrongText     = 140005

	// codeGivenUp is nobody's: the test ended before the answer came.
	codeGivenUp = -1
)

// signIn asks for a pair of tokens and keeps the access token.
func (c *client) signIn(t testing.TB, base string) (refresh string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	got, err := c.gateway(ctx, base, "dss.auth.token.query", url.Values{"app_id": {c.id}}, nil)
	must(t, err)
	var pair struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	got.into(t, &pair)
	if got.code != 0 || pair.Access == "" {
		t.Fatalf("no token: %s", got)
	}
	c.token = pair.Access
	return pair.Refresh
}

// must makes a call that has to succeed and decodes its data into v, if it is
// not nil.
func (c *client) must(t testing.TB, base string, a call, v any) {
	t.Helper()
	got := c.try(t, base, a)
	if got.code != 0 || got.status != http.StatusOK {
		t.Fatalf("%s: %s", a.method, got)
	}
	if v != nil {
		got.into(t, v)
	}
}

// try makes a call that has to be answered somehow.
func (c *client) try(t testing.TB, base string, a call) reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	got, err := c.send(ctx, base, a)
	must(t, err)
	return got
}
