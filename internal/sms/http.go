package sms

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
)

const (
	// maxAnswer is how much of a provider's answer is read: what says whether
	// it went well stands in the first few hundred bytes.
	maxAnswer = 64 << 10
	// maxConnections bounds the calls that a provider gets at once from one
	// process; more of them wait within their time.
	maxConnections = 32
)

// HTTPOptions describe how a provider or an in-house gateway takes a message.
type HTTPOptions struct {
	URL string
	// Headers are added to each request, as "Name: value". Without a
	// Content-Type the body is JSON.
	Headers []string
	// Body is the request's body, in which {phone}, {code}, {text} and {time}
	// stand for the message's, escaped as the Content-Type asks for.
	Body string
	// Success is a text that the answer must hold besides its status 2xx; ""
	// for none.
	Success string
}

// HTTP is the Sender for everything that takes a message by POST.
type HTTP struct {
	client  *http.Client
	url     string
	header  http.Header
	body    template
	success []byte
}

// NewHTTP checks the options. Its errors name the key of the configuration and
// hold nothing of a URL, a header's value or a body, which may be secrets.
func NewHTTP(o HTTPOptions) (*HTTP, error) {
	target, err := url.Parse(o.URL)
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return nil, errors.New("sms.url: must be a URL with http or https")
	}
	header, err := parseHeaders(o.Headers)
	if err != nil {
		return nil, err
	}
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json; charset=utf-8")
	}
	body, err := newTemplate(o.Body, header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	return &HTTP{client: newClient(), url: o.URL, header: header, body: body, success: []byte(o.Success)}, nil
}

// newClient is the client of a sender.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxConnsPerHost = maxConnections
	transport.MaxIdleConnsPerHost = maxConnections
	return &http.Client{
		Transport: transport,
		// Another address was not configured, and must not get phones.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// parseHeaders reads lines of "Name: value".
func parseHeaders(lines []string) (http.Header, error) {
	header := http.Header{}
	for i, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if !ok || !isToken(name) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, fmt.Errorf("sms.header: number %d is not of the form Name: value", i+1)
		}
		header.Add(name, value)
	}
	return header, nil
}

// isToken tells whether a text can be a header's name.
func isToken(name string) bool {
	const marks = "!#$%&'*+-.^_`|~"
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune(marks, r)
	})
}

// Send implements Sender: one POST, which went well when the status is 2xx and
// the answer holds the text that it must.
func (h *HTTP) Send(ctx context.Context, m Message) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, strings.NewReader(h.body.fill(m)))
	if err != nil {
		return errors.New("sms provider: no request can be made of sms.url")
	}
	request.Header = h.header.Clone()
	if host := h.header.Get("Host"); host != "" {
		request.Host = host // net/http takes it from here
	}
	answer, err := h.client.Do(request)
	if err != nil {
		return fmt.Errorf("sms provider: %w", reason(err))
	}
	defer answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("sms provider: HTTP status %d", answer.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	switch {
	case bytes.Contains(text, h.success):
		return nil
	case err != nil:
		return fmt.Errorf("sms provider: answer broke off: %w", reason(err))
	}
	return fmt.Errorf("sms provider: HTTP status %d, but sms.success is not in the answer", answer.StatusCode)
}

// reason is what may be said of a failed request. net/http's own errors quote
// the URL, and what the provider answered, which may repeat the message.
func reason(err error) error {
	var operation *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("no answer in time")
	case errors.As(err, &certificate):
		return certificate
	case errors.As(err, &operation):
		return operation
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return fmt.Errorf("no proper answer (%T)", err)
}
