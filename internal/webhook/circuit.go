package webhook

import (
	"sync"
	"time"
)

// pauseFailures is how many failures in a row, none of them a success in
// between, an app is paused after; they must also be spread over a quarter of
// the base delay, so that one lost connection with many requests on it is
// nothing yet.
const pauseFailures = 10

// The pauses between two probes, in multiples of the base delay.
const (
	firstPause   = 0.5
	longestPause = 5
)

// circuit is what a process knows of one app: how many requests are open, and
// whether it is paused. While it is paused one stream at a time is tried, and
// the others wait without using up their attempts.
type circuit struct {
	open     int
	resends  int  // of them, those that are sent again
	turn     bool // whose turn it is where there is room for one
	failures int
	since    time.Time // of the first of them
	paused   bool
	pause    time.Duration
	probeAt  time.Time
}

// resendShare is the part of an app's requests that resends get before its
// streams: an operator's hour sent again holds up no new event, and is not held
// up by a crowd of them.
const resendShare = 4

// circuits are the apps that a process has sent to. There are as many as there
// are apps, so nothing is ever removed.
type circuits struct {
	base   time.Duration
	perApp int

	mu    sync.Mutex
	apps  map[string]*circuit
	total int // open requests
}

func newCircuits(base time.Duration, perApp int) *circuits {
	return &circuits{base: base, perApp: perApp, apps: map[string]*circuit{}}
}

func (c *circuits) app(id string) *circuit {
	a := c.apps[id]
	if a == nil {
		a = &circuit{}
		c.apps[id] = a
	}
	return a
}

// rooms shares free workers out among apps, as evenly as their own bounds let
// it. full is true when an app could take more once a worker is free.
func (c *circuits) rooms(apps []string, workers int, now time.Time) (rooms []Room, full bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	free := workers - c.total
	for i, id := range apps {
		a := c.app(id)
		room := c.perApp - a.open
		if a.paused {
			room = 0
			if a.open == 0 && !now.Before(a.probeAt) {
				room = 1
			}
		} else if room <= 0 {
			full = true
		}
		share := (free + len(apps) - i - 1) / (len(apps) - i)
		if room > share {
			room, full = share, true
		}
		if room > 0 {
			rooms = append(rooms, Room{App: id, Claims: room, Resends: c.resends(a, room)})
			free -= room
		}
	}
	return rooms, full
}

// resends is how many of an app's new claims may be resends although streams
// wait. Where there is room for one, they take turns.
func (c *circuits) resends(a *circuit, room int) int {
	most := min(max(c.perApp/resendShare, 1)-a.resends, room)
	if room == 1 {
		if a.turn = !a.turn; a.turn {
			most = 0
		}
	}
	return max(most, 0)
}

func (c *circuits) begin(claim Claim) { c.move(claim, 1) }

func (c *circuits) end(claim Claim) { c.move(claim, -1) }

func (c *circuits) move(claim Claim, by int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.app(claim.App)
	a.open += by
	c.total += by
	if claim.Resend {
		a.resends += by
	}
}

// succeeded tells whether the app was paused until now.
func (c *circuits) succeeded(app string) (back bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.app(app)
	back = a.paused
	*a = circuit{open: a.open, resends: a.resends, turn: a.turn}
	return back
}

// failed tells whether the app is paused from now on.
func (c *circuits) failed(app string, now time.Time) (paused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.app(app)
	if a.paused {
		if !now.Before(a.probeAt) { // a probe, and no request that was open already
			a.pause = min(2*a.pause, longestPause*c.base)
			a.probeAt = now.Add(a.pause)
		}
		return false
	}
	if a.failures++; a.failures == 1 {
		a.since = now
	}
	if a.failures < pauseFailures || now.Sub(a.since) < c.base/4 {
		return false
	}
	a.paused = true
	a.pause = time.Duration(firstPause * float64(c.base))
	a.probeAt = now.Add(a.pause)
	return true
}

// state counts open requests and paused apps.
func (c *circuits) state() (open, paused int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.apps {
		if a.paused {
			paused++
		}
	}
	return c.total, paused
}
