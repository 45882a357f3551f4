package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

const (
	// maxAnswer is how much of an answer is read. What it has to say fits many
	// times over.
	maxAnswer = 64 << 10
	// maxAnswerHead bounds the head of an answer.
	maxAnswerHead = 32 << 10
	dialTimeout   = 5 * time.Second
	idleTimeout   = 90 * time.Second
)

// The headers of a callback. They help the receiver and prove nothing: what is
// signed is the frame in the body.
const (
	HeaderID        = "Memberd-Event-Id"     // app:member:number, the same in every repeat
	HeaderNumber    = "Memberd-Event-Number" // dense per app and member, from 1
	HeaderKind      = "Memberd-Event-Type"
	HeaderTimestamp = "Memberd-Timestamp" // unix ms, of this attempt
)

// Failure is why a partner has not taken a callback: a text from a closed list
// and a number. It holds nothing of the address or the answer.
type Failure struct {
	Reason string
	Number int // of the HTTP status, or the statusCode; 0 for none
}

func (f *Failure) Error() string {
	if f.Number == 0 {
		return f.Reason
	}
	return f.Reason + " " + strconv.Itoa(f.Number)
}

// Client posts callbacks over HTTP. It follows no redirect, asks no proxy, and
// dials only public addresses unless it is told otherwise.
type Client struct {
	client *http.Client
	now    func() time.Time
}

// ClientOptions of a Client.
type ClientOptions struct {
	// AllowPrivate lets callbacks go to loopback, private and link-local
	// addresses.
	AllowPrivate bool
	// PerHost is how many idle connections to a host are kept; DefaultPerApp if 0.
	PerHost int
	// Now is the real clock, for the timestamp; time.Now if nil.
	Now func() time.Time
}

// NewClient makes a Client.
func NewClient(o ClientOptions) *Client {
	setDefault(&o.PerHost, DefaultPerApp)
	if o.Now == nil {
		o.Now = time.Now
	}
	dialer := &net.Dialer{Timeout: dialTimeout}
	if !o.AllowPrivate {
		dialer.Control = onlyPublic
	}
	return &Client{
		now: o.Now,
		client: &http.Client{
			Transport: &http.Transport{
				DialContext:            dialer.DialContext,
				TLSHandshakeTimeout:    dialTimeout,
				TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
				MaxIdleConnsPerHost:    o.PerHost,
				IdleConnTimeout:        idleTimeout,
				MaxResponseHeaderBytes: maxAnswerHead,
				DisableCompression:     true, // what is bounded is what was sent
				ForceAttemptHTTP2:      true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Timeout:       RequestLimit,
		},
	}
}

// Post implements Poster. Its errors are *Failure.
func (c *Client) Post(ctx context.Context, l Letter) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.URL, bytes.NewReader(l.Body))
	if err != nil || request.URL.Host == "" || request.URL.Scheme != "http" && request.URL.Scheme != "https" {
		return &Failure{Reason: "callback URL is no http or https URL"}
	}
	e := l.Event
	request.Header = http.Header{
		"Content-Type":  {"application/json; charset=utf-8"},
		"User-Agent":    {"memberd"},
		HeaderID:        {EventID(e.App, e.Member, e.No)},
		HeaderNumber:    {strconv.FormatInt(e.No, 10)},
		HeaderKind:      {string(e.Kind)},
		HeaderTimestamp: {strconv.FormatInt(c.now().UnixMilli(), 10)},
	}
	answer, err := c.client.Do(request)
	if err != nil {
		return whyNot(err)
	}
	defer answer.Body.Close()
	// One byte more tells a full answer from one that was cut.
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil && answer.StatusCode < 300 {
		return whyNot(err) // half an answer says nothing
	}
	if failure := judge(e.Kind, answer.StatusCode, body); failure != nil {
		return failure
	}
	return nil
}

// whyNot says of a failed request what may be said. net/http's own errors quote
// the URL and may quote the answer.
func whyNot(err error) *Failure {
	var host *net.DNSError
	var certificate *tls.CertificateVerificationError
	var operation *net.OpError
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, errAddress):
		return &Failure{Reason: "address not allowed"}
	case errors.As(err, &host):
		return &Failure{Reason: "host not found"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), ok && timeout.Timeout():
		return &Failure{Reason: "no answer in time"}
	case errors.As(err, &certificate):
		return &Failure{Reason: "certificate not valid"}
	case errors.As(err, &operation) && operation.Op == "dial":
		return &Failure{Reason: "no connection"}
	}
	return &Failure{Reason: "connection broke off"}
}
