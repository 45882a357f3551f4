// Package gateway is front door 1: the protocol of the gateway document, under
// /gw/gateway/{method}/{version}. A caller signs the sorted query, the raw body
// and its secret with MD5 and names itself by an access token.
//
// The package reads the wire, calls once, and writes the wire. What a call means
// is package loyalty, which rows it changes goes through one writer.Submit, who
// may call is package access. It holds no SQL, decides no rule of the points
// programme, and puts neither personal data nor secrets into its logs. Each
// method is one file, opened by the document's own rule, and one line of the
// table in methods.go.
//
// Every answer is JSON of the document's form, whatever was sent; the HTTP
// status is 200 but for bodies that are too large (413), callers that guess
// (429) and a server that is busy or shutting down (503).
package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/sms"
	"github.com/memberd/memberd/internal/writer"
)

// Prefix is where the door stands.
const Prefix = "/gw/gateway/"

const (
	// maxBody bounds a request body; the largest documented one is below 4 KiB.
	maxBody = 1 << 20
	// defaultTokenWindow is how far the timestamp of a token call may be off
	// (sections 2.1 and 2.2: 3 秒内的时间戳).
	defaultTokenWindow = 3 * time.Second
)

// Reader is what the door reads. Errors are loyalty.MemberNotFound,
// loyalty.MembersDisagree and, of Order, loyalty.OrderNotFound, or failures of
// the database. now is real time.
type Reader interface {
	Snapshot(ctx context.Context, merchant string) (*loyalty.Snapshot, error)
	Member(ctx context.Context, who loyalty.Who, now loyalty.Instant, profile bool) (loyalty.Found, error)
	Entries(ctx context.Context, who loyalty.Who, now loyalty.Instant, direction loyalty.Direction, page, size int) (loyalty.Found, loyalty.EntryPage, error)
	Coupons(ctx context.Context, who loyalty.Who, now loyalty.Instant, filter loyalty.CouponFilter, page, size int) (loyalty.Found, loyalty.CouponPage, error)
	Order(ctx context.Context, merchant string, key loyalty.OrderKey) (loyalty.OrderFound, []loyalty.OrderFound, error)
	EntriesOfOrder(ctx context.Context, member int64, key loyalty.OrderKey) ([]loyalty.Entry, error)
	Programme(ctx context.Context, merchant string, version int64) (settings *loyalty.Settings, since loyalty.Instant, err error)
}

// Options of the door. Writer, Reader, Access, Codes and SMS are needed.
type Options struct {
	Writer *writer.Writer
	Reader Reader
	Access *access.Service
	Codes  *loyalty.MemberCodes
	SMS    *sms.Service
	// Now is the real clock; time.Now if nil.
	Now func() time.Time
	// Logger gets what went wrong inside the server, never a caller's data.
	Logger *slog.Logger
	// Attribute tells the request log about a call: "method", "app", "code". It
	// may be nil.
	Attribute func(ctx context.Context, key string, value any)
	// TokenWindow is how far timestamps of 2.1 and 2.2 may be off; 3 s if 0.
	TokenWindow time.Duration
	// Advance moves the clock of a sandbox merchant forward and has everything
	// booked that becomes due. ErrLiveMerchant for another merchant's.
	Advance func(ctx context.Context, merchant string, by time.Duration) (now loyalty.Instant, err error)
	// Guesses bounds how many member codes an app may get wrong; shared with
	// the other door, or one of the door's own if nil.
	Guesses *access.Guesses
}

type door struct {
	Options
	methods map[string]*method
}

// New returns the handler of everything under Prefix.
func New(opts Options) http.Handler {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Attribute == nil {
		opts.Attribute = func(context.Context, string, any) {}
	}
	if opts.TokenWindow == 0 {
		opts.TokenWindow = defaultTokenWindow
	}
	if opts.Guesses == nil {
		opts.Guesses = &access.Guesses{}
	}
	d := &door{Options: opts, methods: make(map[string]*method, len(methods))}
	for i := range methods {
		d.methods[methods[i].name] = &methods[i]
	}
	return d
}

// ServeHTTP answers one call, whatever happens while it runs.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m := d.method(r.URL.Path)
	a, err := d.serve(w, r, m)
	form := unknownMethod
	if m != nil {
		form = m.form
	}
	if err != nil {
		refused := d.refuse(r.Context(), err)
		d.Attribute(r.Context(), "code", refused.code)
		form.refuse(w, refused)
		return
	}
	d.Attribute(r.Context(), "code", codeSuccess)
	form.succeed(w, a)
}

// method finds what /gw/gateway/{method}/{version} names; nil if there is none.
func (d *door) method(path string) *method {
	name, version, ok := strings.Cut(strings.TrimPrefix(path, Prefix), "/")
	if !ok || version != "v1" || !strings.HasPrefix(path, Prefix) {
		return nil
	}
	return d.methods[name]
}

// serve runs the frame and then the method. A panic is a bug, but the caller
// still gets an answer of the documented form.
func (d *door) serve(w http.ResponseWriter, r *http.Request, m *method) (a answer, err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			d.Logger.Error("panic in a call", "panic", describePanic(p), "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	if m == nil {
		return answer{}, errUnknownMethod
	}
	d.Attribute(r.Context(), "method", m.name)
	c, err := d.admit(w, r, m)
	if err != nil {
		return answer{}, err
	}
	return m.run(c)
}

var errPanic = errors.New("panic")

// describePanic is the text of Go's own run-time errors, and of everything else
// the type alone: a value may hold what the caller sent.
func describePanic(p any) string {
	if err, ok := p.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", p)
}

// readBody takes the body as it was sent: it is part of what was signed.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, errBodyTooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, errBodyTooLarge
	case err != nil:
		return nil, errBodyUnread
	}
	return body, nil
}
