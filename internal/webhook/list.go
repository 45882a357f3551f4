package webhook

import (
	"fmt"

	"github.com/memberd/memberd/internal/loyalty"
)

// State is what has become of an event.
type State int

// The states. The numbers are stored.
const (
	StateWaiting   State = 1
	StateDelivered State = 2
	StateParked    State = 3
	StateDropped   State = 4 // its member was erased before it was sent
)

var stateNames = map[State]string{
	StateWaiting: "waiting", StateDelivered: "delivered", StateParked: "parked", StateDropped: "dropped",
}

func (s State) String() string {
	if name, ok := stateNames[s]; ok {
		return name
	}
	return fmt.Sprintf("State(%d)", int(s))
}

// ParseState reads what String wrote; ok is false for anything else.
func ParseState(name string) (s State, ok bool) {
	for s, n := range stateNames {
		if n == name {
			return s, true
		}
	}
	return 0, false
}

// Filter selects events of one app for lists and for sending again. Zero fields
// select all.
type Filter struct {
	App    string
	Member int64
	No     int64 // with Member
	State  State // 0: all; only with Member
	// Since and Until, exclusive, are unix ms: of delivered and dropped events
	// the real time at which they were, of others the merchant's time at which
	// they happened.
	Since, Until int64
	Limit        int
}

// Listed is an event as operators see it.
type Listed struct {
	loyalty.Callback
	State    State
	Attempts int64
	DoneAt   int64  // unix ms, 0 while it waits
	Failure  string // of the last attempt that failed
	Resend   bool   // it waits to be sent again
}

// ID names the event.
func (l *Listed) ID() string { return EventID(l.App, l.Member, l.No) }
