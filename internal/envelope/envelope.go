// Package envelope is the front door for the /member/... protocol: a JSON frame
// {appId, partnerId, requestBody, sign, ver} whose requestBody is JSON in a
// string, signed with RSA.
//
// frame.go takes the frame apart and says who calls; one file per endpoint
// turns its fields into one command or one read and the result into the
// documented answer; failure.go has the one table from domain codes to wire
// numbers; answer.go writes and signs. A new endpoint is one new file, one line
// in the endpoints table and one golden transcript.
//
// Finding numbers such as E-075 and X-005 in comments name the contradiction of
// the protocol document that the line decides.
//
// The package books nothing itself and never touches SQL: changes go through
// one writer.Submit a call, reads through the Reader that it declares. It never
// logs a field of a request: anything in there may be personal data.
package envelope

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/sms"
	"github.com/memberd/memberd/internal/writer"
)

// Reader is what the door reads. Errors about members are loyalty codes.
type Reader interface {
	// Snapshot is the merchant's rules in force.
	Snapshot(ctx context.Context, merchant string) (*loyalty.Snapshot, error)
	// Member is one member as of now, which is real time.
	Member(ctx context.Context, who loyalty.Who, now loyalty.Instant, profile bool) (loyalty.Found, error)
	// Members is a page of a merchant's members with their profiles; pages
	// count from 1.
	Members(ctx context.Context, filter loyalty.MemberFilter, now loyalty.Instant, page, size int) (loyalty.MemberPage, error)
	// Coupons is a page of a member's coupons with their templates, newest first.
	Coupons(ctx context.Context, who loyalty.Who, now loyalty.Instant, filter loyalty.CouponFilter, page, size int) (loyalty.Found, loyalty.CouponPage, error)
}

// Options are what the door needs. Now, Logger and Attribute may be left out.
type Options struct {
	Writer *writer.Writer
	Reader Reader
	Access *access.Service
	Codes  *loyalty.MemberCodes
	SMS    *sms.Service
	// Guesses bounds how many member codes an app may get wrong; shared with
	// the other door, or one of the door's own if nil.
	Guesses *access.Guesses
	// Now is the real clock; time.Now if nil.
	Now func() time.Time
	// Logger hears of failures of the server, never of refusals.
	Logger *slog.Logger
	// Attribute tells the request log about a call: "method" (a path of the
	// table), "app" (the id of an app that is there) and "code" (the statusCode).
	Attribute func(ctx context.Context, key string, value any)
}

// call is one request whose frame has been checked.
type call struct {
	app      *access.App
	merchant *access.Merchant
	body     fields          // requestBody
	segment  string          // what stands for {type} in the path
	now      loyalty.Instant // real time
}

// endpoint answers one call: what responseBody shall hold, or why not.
type endpoint func(*door, context.Context, *call) (any, error)

// endpoints is every endpoint of the door by its path. A last segment of
// {type} takes any one segment.
var endpoints = map[string]endpoint{
	"/member/getMemberInfoByIdOrMobile": (*door).memberInfo,       // 1.1
	"/member/getMembers":                (*door).memberList,       // 1.2
	"/member/score/opt/{type}":          (*door).scoreOpt,         // 1.3
	"/member/register/mobile":           (*door).registerMobile,   // 1.6
	"/member/score/updateScore":         (*door).updateScore,      // 2.1
	"/member/score/sendScore":           (*door).sendScore,        // 2.2
	"/member/score/returnScore":         (*door).returnScore,      // 2.3
	"/member/score/statisticalScore":    (*door).statisticalScore, // 2.4
	"/member/sandbox/echo":              (*door).echo,             // not the document's
}

// find gives the endpoint of a path, its place in the table and the segment
// that stands for {type}.
func find(path string) (run endpoint, pattern, segment string) {
	if run := endpoints[path]; run != nil && !strings.Contains(path, "{") {
		return run, path, ""
	}
	at := strings.LastIndexByte(path, '/') + 1
	if pattern = path[:at] + "{type}"; at < len(path) && endpoints[pattern] != nil {
		return endpoints[pattern], pattern, path[at:]
	}
	return nil, "", ""
}

// door is the handler.
type door struct {
	Options
	signer *signer
}

// New returns the handler for everything below /member/.
func New(o Options) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Attribute == nil {
		o.Attribute = func(context.Context, string, any) {}
	}
	if o.Guesses == nil {
		o.Guesses = &access.Guesses{}
	}
	return &door{Options: o, signer: newSigner()}
}

// ServeHTTP answers every request in the protocol's form, panics included.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{now: loyalty.InstantOf(d.Now())}
	result, err := d.handle(w, r, c)
	d.answer(r.Context(), w, c, result, err)
}

func (d *door) handle(w http.ResponseWriter, r *http.Request, c *call) (result any, err error) {
	defer func() {
		p := recover()
		switch {
		case p == http.ErrAbortHandler:
			panic(p)
		case p != nil:
			d.Logger.ErrorContext(r.Context(), "envelope: panic", "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = errBusy
		}
	}()
	run, pattern, segment := find(r.URL.Path)
	if run == nil {
		return nil, errNoEndpoint
	}
	ctx := r.Context()
	d.Attribute(ctx, "method", pattern)
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, errNotPost
	}
	c.segment = segment
	if err := d.open(w, r, c); err != nil {
		return nil, err
	}
	return run(d, ctx, c)
}

// who names the caller's member by memberId, our own or one that the member
// brought along from another system.
func (c *call) who(memberID string) loyalty.Who {
	w := loyalty.Who{Merchant: c.app.MerchantID}
	if id, ok := loyalty.ParseMemberID(memberID); ok {
		w.ID = id
	} else {
		w.ExternalID = memberID
	}
	return w
}

// member reads a member. One whose data was erased is gone for every caller.
func (d *door) member(ctx context.Context, c *call, who loyalty.Who, profile bool) (loyalty.Found, error) {
	found, err := d.Reader.Member(ctx, who, c.now, profile)
	if err == nil && found.Status == loyalty.Erased {
		return loyalty.Found{}, loyalty.MemberErased
	}
	return found, err
}
