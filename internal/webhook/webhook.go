// Package webhook delivers the outbox: it takes events that were committed
// together with the changes they tell of, has each made into a request, and
// posts it to the partner until the partner has taken it.
//
// The events of one member for one app are a stream. A stream is claimed for
// 30 seconds by one worker of one process and sent strictly in order; streams
// are sent side by side, so many for each app and so many in all, and a partner
// that is slow or away holds up nobody else. An event is sent at least once: what
// was delivered and could not be recorded is delivered again under its number.
// Nothing is given up silently: after days of failures an event is parked for
// an operator, and the next one of its stream is sent.
//
// The package never makes an event, never reads personal data, and knows neither
// SQL nor the wire form. Logs and errors hold apps, numbers and kinds of failure:
// no member, no address, no body, nothing that a partner answered.
//
// All its times are real time. Merchants' clocks only stand in the events.
package webhook

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/memberd/memberd/internal/loyalty"
)

// Claim is the right to send the next event of a stream, or to send one event
// again, until the lease ends.
type Claim struct {
	Member int64
	App    string
	Resend bool
	// Done is the number of the last event that is done; the next one is sent.
	Done         int64
	Attempts     int64 // failed ones of the next event
	FailingSince int64 // unix ms of the first of them, 0 for none
	Owner        string
}

// Lease is what a claim is made with. Owner is never used twice.
type Lease struct {
	Owner string
	Now   int64 // unix ms
	Until int64 // unix ms
}

// Room is how many claims an app may get. Resends of them go to what is to be
// sent again, if there is that much; then come the streams, and resends once
// more for what is left.
type Room struct {
	App     string
	Claims  int
	Resends int
}

// Result is how an attempt ended.
type Result int

// The results.
const (
	Delivered Result = iota + 1
	Dropped          // not to be sent any more: the member was erased
	Failed           // to be sent again
	Parked           // failed for too long; of a resend: given up
	Released         // not tried; the claim is given back
)

// Outcome is what is recorded of a claim.
type Outcome struct {
	Claim  // Attempts and FailingSince as they shall be, 0 when the event is done
	Result Result
	No     int64 // the event
	At     int64 // unix ms
	// Next is when the claim's stream, or resend, may be claimed again; where
	// Hold is set, the end of the lease under which its next event is sent.
	Next    int64
	Hold    bool
	Failure string // why it failed, "" for no failure
}

// Standing is what became of a claim whose outcome was recorded.
type Standing struct {
	Held bool // false: the lease was lost and nothing was recorded
	More bool // the stream has further events
}

// Lag is what waits on all apps that are there to take it. Sandboxes, whose
// clocks move, do not count for Oldest.
type Lag struct {
	Events int64 // of at most MaxLag streams
	Oldest int64 // unix ms of the oldest event among them, 0 for none
}

// MaxLag bounds how many streams are looked at to see the lag.
const MaxLag = 10_000

// Storage is the outbox. Each method that changes something is one transaction.
type Storage interface {
	// DueApps are the enabled apps with a callback URL for which something may
	// be claimed at now (unix ms).
	DueApps(ctx context.Context, now int64) ([]string, error)
	// Claim claims what is due, as each room says. A stream or resend has one
	// claim at a time, in all processes. It waits for nobody.
	Claim(ctx context.Context, l Lease, rooms []Room) ([]Claim, error)
	// Event is the event to send. ok is false when there is none after Done.
	Event(ctx context.Context, c Claim) (event loyalty.Callback, ok bool, err error)
	// Record records outcomes and says of each, in order, what became of it.
	// What is not held any more is left as it is. Outcomes are of different
	// claims, in the order of member, app and Done: that of all locks here.
	Record(ctx context.Context, outcomes []Outcome) ([]Standing, error)
	// Tidy deletes up to limit events of each app that were delivered or
	// dropped before a time, and makes up for a clock that was ahead: what is
	// to be tried later than horizon (both unix ms) is due at once.
	Tidy(ctx context.Context, before, horizon int64, limit int) (deleted int64, err error)
	// Lag looks at what waits.
	Lag(ctx context.Context) (Lag, error)
}

// Renderer makes the request of an event.
type Renderer interface {
	// Render reads what the event tells and answers where it goes and what is
	// posted. url is "" while the app takes no callbacks. loyalty.MemberErased
	// or MemberNotFound: it is not to be sent any more. An error that is
	// loyalty.ErrUnavailable says nothing about the event.
	Render(ctx context.Context, event loyalty.Callback) (url string, body []byte, err error)
}

// Letter is a request to a partner.
type Letter struct {
	URL   string
	Body  []byte
	Event loyalty.Callback
}

// Poster posts a letter; nil means that the partner has taken it. *Client is
// the one for production.
type Poster interface {
	Post(ctx context.Context, l Letter) error
}

// EventID names one event: "app:member:number" in plain numbers.
func EventID(app string, member, no int64) string {
	return app + ":" + strconv.FormatInt(member, 10) + ":" + strconv.FormatInt(no, 10)
}

// ErrEventID is what ParseEventID refuses with.
var ErrEventID = errors.New("an event's id has the form APP:MEMBER:NUMBER")

// ParseEventID takes an id apart.
func ParseEventID(id string) (app string, member, no int64, err error) {
	parts := strings.Split(id, ":")
	if len(parts) != 3 || parts[0] == "" {
		return "", 0, 0, ErrEventID
	}
	member, err1 := strconv.ParseInt(parts[1], 10, 64)
	no, err2 := strconv.ParseInt(parts[2], 10, 64)
	if err1 != nil || err2 != nil || EventID(parts[0], member, no) != id || member < 1 || no < 1 {
		return "", 0, 0, ErrEventID
	}
	return parts[0], member, no, nil
}
