package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/memberd/memberd/internal/access"
)

type callCommand struct {
	Target string `arg:"" name:"method-or-path" help:"A gateway method (wk.user.info.query) or an envelope path (/member/getMembers)."`
	App    string `name:"app" required:"" placeholder:"FILE" help:"What app create --json printed."`
	URL    string `name:"url" default:"http://127.0.0.1:8080" env:"MEMBERD_URL" placeholder:"URL" help:"Where the platform is."`
	Data   string `name:"data" placeholder:"JSON" help:"The call's parameters; @FILE reads a file, - standard input."`
}

const (
	// callTimeout is longer than the server's own limits.
	callTimeout = time.Minute
	// maxAnswer bounds what is read of an answer; a page of 100 members has
	// some 200 KB.
	maxAnswer = 16 << 20
)

var gatewayMethod = regexp.MustCompile(`^(?:dss|wk)(?:\.[a-z_]+)+$`)

// caller is one run of call.
type caller struct {
	program     *program
	base        *url.URL
	credentials access.Credentials
	file        string // of the credentials
	client      *http.Client
}

// Run exits with 0 when the call succeeded, 1 when the platform refused it, and
// 2 when it was written wrongly, did not get through, or the answer cannot be
// trusted.
func (c *callCommand) Run(p *program) error {
	base, err := url.Parse(c.URL)
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return wrongly("--url must be http://HOST:PORT or https://HOST")
	}
	credentials, err := readCredentials(c.App)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	data, err := c.data(p.stdin)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	k := &caller{p, base, credentials, c.App, &http.Client{Timeout: callTimeout}}
	target := strings.TrimPrefix(c.Target, "/gw/gateway/")
	method, version, versioned := strings.Cut(target, "/")
	if !versioned {
		version = "v1"
	}
	switch {
	case strings.HasPrefix(target, "/"):
		err = k.envelope(p.ctx, target, data)
	case gatewayMethod.MatchString(method) && !strings.Contains(version, "/"):
		err = k.gateway(p.ctx, method, version, data)
	default:
		err = wrongly("%q is neither a gateway method (dss.* or wk.*) nor an envelope path (/member/...)", c.Target)
	}
	if _, coded := errors.AsType[*exitError](err); err != nil && !coded {
		err = &exitError{exitUsage, err}
	}
	return err
}

// data is the call's JSON, byte for byte as given: the signature covers it.
func (c *callCommand) data(stdin io.Reader) ([]byte, error) {
	data := []byte(c.Data)
	var err error
	switch {
	case c.Data == "":
		return nil, nil
	case c.Data == "-":
		data, err = io.ReadAll(stdin)
	case c.Data[0] == '@':
		data, err = os.ReadFile(c.Data[1:])
	}
	if err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	if !json.Valid(data) {
		return nil, errors.New("--data is not JSON")
	}
	return data, nil
}

// post sends one request and returns the answer's body, which must be JSON.
func (k *caller) post(ctx context.Context, path string, query url.Values, body []byte) ([]byte, error) {
	target := k.base.JoinPath(path)
	target.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the request cannot be made")
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	answer, err := k.client.Do(r)
	if err != nil {
		// The error's own text has the whole URL, with token and sign.
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return nil, fmt.Errorf("%s cannot be reached: %w", k.base.Redacted(), err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("the answer broke off: %w", err)
	}
	if !json.Valid(text) {
		return nil, fmt.Errorf("the answer is not JSON (HTTP status %s): is --url right?", answer.Status)
	}
	return text, nil
}

// show prints JSON as it came, only indented, so that numbers and the order of
// members stay.
func (k *caller) show(text []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(text), "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := k.program.stdout.Write(b.Bytes())
	return err
}
