// Package bench is the load generator: it sends signed calls to either door of a
// running platform, from many connections at once, and says how many were
// answered and how long they took.
//
// There are two ways to load a server. In the closed loop each connection sends
// its next call when the last one is answered, which finds the highest rate that
// the server can do; a server that stops for a second delays one call of each
// connection, and the distribution hardly shows it. In the open loop calls begin
// at a given rate whatever the server does, as real callers do, and a call's time
// counts from the moment at which it should have begun. So every call that had to
// wait for a connection shows its wait (what load generators often leave out is
// known as coordinated omission).
//
// The package knows the wire and nothing of what is behind it: it opens no
// database and decides nothing about who may be loaded. It never repeats a call,
// and no token, secret or member gets into its errors and reports.
package bench

import (
	"context"
	"crypto/rsa"
	"errors"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// App is who calls.
type App struct {
	ID, MerchantID string
	Secret, Token  string          // of the gateway
	Key            *rsa.PrivateKey // of the envelope
}

// String keeps the secrets out of logs and errors.
func (a App) String() string { return "app " + a.ID }

// GoString is String, for %#v.
func (a App) GoString() string { return a.String() }

// Options say what is sent where. All but Zipf, Rate, WarmUp and Progress are
// needed.
type Options struct {
	URL      *url.URL
	App      App
	Door     string   // Gateway or Envelope
	Scenario string   // one of Scenarios
	Members  []string // what Register gave for this door
	// Zipf is the exponent, above 1, by which the first members are called more
	// often than the later ones; 0 calls all of them equally often.
	Zipf        float64
	Connections int
	// Rate is calls a second in the open loop; 0 is the closed loop.
	Rate int
	// WarmUp comes before Duration, and what begins in it is not counted.
	WarmUp, Duration time.Duration
	// Timeout is how long an answer is waited for.
	Timeout time.Duration
	// Seed decides which members and operations are drawn.
	Seed uint64
	// Progress is told once a second how it goes; it may be nil.
	Progress func(Progress)
}

// The doors.
const (
	Gateway  = "gateway"
	Envelope = "envelope"
)

// Run loads the platform and reports. When ctx ends the run ends early, and the
// report is about what there was. The error is about what cannot be begun.
func Run(ctx context.Context, o Options) (Report, error) {
	if len(o.Members) == 0 {
		return Report{}, errors.New("bench: no members")
	}
	server, err := newServer(o.URL, o.Timeout)
	if err != nil {
		return Report{}, err
	}
	began := time.Now()
	// Keys must be new in each run, whatever the seed: a repeated key books nothing.
	prefix := "bench-" + strconv.FormatInt(began.UnixNano(), 36) + "-"
	shared := newFrames(o)
	callers := make([]caller, o.Connections)
	for i := range callers {
		callers[i] = newTeller(o, server, shared, i, prefix)
	}
	load := &load{
		clock: realClock{}, connections: o.Connections, rate: o.Rate,
		warmUp: o.WarmUp, duration: o.Duration, progress: o.Progress,
	}
	outcome := load.run(ctx, callers)
	report := outcome.report(o)
	report.BeganAt = began.UTC().Format(time.RFC3339)
	return report, nil
}

// each runs work for every number below n, so many at a time, until one fails.
func each(ctx context.Context, n, atOnce int, work func(worker, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	numbers := make(chan int)
	var group sync.WaitGroup
	for worker := range min(n, atOnce) {
		group.Go(func() {
			for i := range numbers {
				if err := work(worker, i); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
feed:
	for i := range n {
		select {
		case numbers <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(numbers)
	group.Wait()
	return context.Cause(ctx)
}
