package webhook

import (
	"context"
	"crypto/rand"
	"log/slog"
	mathrand "math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds and lives.
const (
	// LeaseLife is how long a claim holds. A process that died keeps a stream
	// for at most that long.
	LeaseLife = 30 * time.Second
	// startBefore is how much of the lease must be left for a request to start:
	// its own limit and some time to record it. So two processes overlap only
	// if one was frozen in between.
	startBefore = 12 * time.Second
	// RequestLimit bounds one request, from looking up the host to the last
	// byte of the answer.
	RequestLimit = 10 * time.Second
	// drainLimit is how long requests may go on after the end was asked for.
	drainLimit = 5 * time.Second
	// perClaim is how many events of one stream are sent before others of the
	// same app get their turn.
	perClaim = 32
	// pace is the least time between two looks at the outbox, so that a crowd
	// of commits does not turn into a crowd of looks.
	pace = 10 * time.Millisecond
	// leastPoll bounds how often is looked for the sake of a short RetryBase.
	leastPoll = 50 * time.Millisecond
	// afterTrouble is when a claim is tried again that said nothing about the
	// partner: the database was away, or the app was just turned off.
	afterTrouble = 2 * time.Second
)

// Defaults of Options.
const (
	DefaultWorkers   = 256
	DefaultPerApp    = 32
	DefaultRetryBase = time.Minute
	DefaultParkAfter = 72 * time.Hour
	DefaultPoll      = 500 * time.Millisecond // less where RetryBase asks for it
	DefaultKeep      = 30 * 24 * time.Hour
)

// Options of a Deliverer. Storage, Renderer and Poster must be there; a zero
// value elsewhere means the default.
type Options struct {
	Storage  Storage
	Renderer Renderer
	Poster   Poster

	Workers   int           // requests at a time
	PerApp    int           // requests at a time to one app
	RetryBase time.Duration // delay after the first failure
	ParkAfter time.Duration // how long an event fails before it is parked
	Poll      time.Duration // how often is looked for what other processes committed, and for what is to be tried again
	Keep      time.Duration // how long delivered events are kept

	Now    func() time.Time // the real clock
	Random func() float64   // in [0, 1), for jitter
	Logger *slog.Logger
}

// Deliverer sends what is in the outbox. Any number of them, in any number of
// processes, may stand on one Storage.
type Deliverer struct {
	opts     Options
	circuits *circuits
	recorder *recorder
	workers  sync.WaitGroup
	wake     chan struct{}
	draining atomic.Bool
	hungry   atomic.Bool // something was left for want of workers
	process  string
	claims   int64
	counts   counts
}

// New makes a Deliverer. It does nothing before Run.
func New(o Options) *Deliverer {
	o.setDefaults()
	return &Deliverer{
		opts: o, circuits: newCircuits(o.RetryBase, o.PerApp), wake: make(chan struct{}, 1), process: rand.Text(),
	}
}

func (o *Options) setDefaults() {
	setDefault(&o.Workers, DefaultWorkers)
	setDefault(&o.PerApp, DefaultPerApp)
	setDefault(&o.RetryBase, DefaultRetryBase)
	setDefault(&o.ParkAfter, DefaultParkAfter)
	setDefault(&o.Poll, min(DefaultPoll, max(o.RetryBase/2, leastPoll)))
	setDefault(&o.Keep, DefaultKeep)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = mathrand.Float64
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func setDefault[N int | time.Duration](value *N, by N) {
	if *value == 0 {
		*value = by
	}
}

// Wake says that something was committed, so that it is sent at once. It never
// waits.
func (d *Deliverer) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Run delivers until ctx ends. Requests that are open then get 5 seconds to
// end; what is cut off is delivered again by whoever claims it next. A
// Deliverer is run once.
func (d *Deliverer) Run(ctx context.Context) {
	// Open requests outlive ctx.
	open, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	d.recorder = newRecorder(d.opts.Storage)
	defer d.recorder.close()
	var upkeep sync.WaitGroup
	upkeep.Go(func() { d.keepUp(ctx) })
	defer upkeep.Wait()
	d.dispatchUntil(ctx, open)
	d.draining.Store(true)
	timer := time.AfterFunc(drainLimit, cut)
	defer timer.Stop()
	d.workers.Wait()
}

// dispatchUntil claims and hands out what is due until ctx ends.
func (d *Deliverer) dispatchUntil(ctx, open context.Context) {
	poll := time.NewTicker(d.opts.Poll)
	defer poll.Stop()
	trouble := false
	for {
		err := d.dispatch(ctx, open)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !trouble:
			d.opts.Logger.Warn("callbacks: the outbox cannot be read", "error", err)
		case err == nil && trouble:
			d.opts.Logger.Info("callbacks: the outbox can be read again")
		}
		trouble = err != nil
		select {
		case <-ctx.Done():
			return
		case <-time.After(pace):
		}
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-poll.C:
		}
	}
}

// dispatch looks once what is due and gives each claim a worker.
func (d *Deliverer) dispatch(ctx, open context.Context) error {
	now := d.opts.Now()
	apps, err := d.opts.Storage.DueApps(ctx, now.UnixMilli())
	if err != nil || len(apps) == 0 {
		return err
	}
	mathrand.Shuffle(len(apps), func(i, j int) { apps[i], apps[j] = apps[j], apps[i] })
	rooms, full := d.circuits.rooms(apps, d.opts.Workers, now)
	d.hungry.Store(full)
	if len(rooms) == 0 {
		return nil
	}
	d.claims++
	until := now.Add(LeaseLife)
	lease := Lease{Owner: d.process + "-" + strconv.FormatInt(d.claims, 10), Now: now.UnixMilli(), Until: until.UnixMilli()}
	claims, err := d.opts.Storage.Claim(ctx, lease, rooms)
	if err != nil {
		return err
	}
	taken := map[string]int{}
	for _, c := range claims {
		taken[c.App]++
		d.circuits.begin(c)
		d.workers.Go(func() { d.work(open, c, until) })
	}
	for _, r := range rooms {
		if taken[r.App] == r.Claims {
			d.hungry.Store(true) // there may be more
		}
	}
	return nil
}

// upkeepInterval is how often old events are deleted; lagInterval how often the
// lag is measured for the metrics.
const (
	upkeepInterval = time.Minute
	lagInterval    = 15 * time.Second
	// tidyLimit bounds one step of deleting, tidySteps their number in a row.
	tidyLimit = 500
	tidySteps = 100
)

func (d *Deliverer) keepUp(ctx context.Context) {
	tidy, lag := time.NewTicker(upkeepInterval), time.NewTicker(lagInterval)
	defer tidy.Stop()
	defer lag.Stop()
	d.measure(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-lag.C:
			d.measure(ctx)
		case <-tidy.C:
			d.tidy(ctx)
		}
	}
}

func (d *Deliverer) measure(ctx context.Context) {
	if lag, err := d.opts.Storage.Lag(ctx); err == nil {
		d.counts.setLag(lag, d.opts.Now())
	}
}

func (d *Deliverer) tidy(ctx context.Context) {
	for range tidySteps {
		now := d.opts.Now()
		before := now.Add(-d.opts.Keep).UnixMilli()
		horizon := now.Add(longest(d.opts.RetryBase) + LeaseLife).UnixMilli()
		deleted, err := d.opts.Storage.Tidy(ctx, before, horizon, tidyLimit)
		if err != nil && ctx.Err() == nil {
			d.opts.Logger.Warn("callbacks: old events were not deleted", "error", err)
		}
		if err != nil || deleted < tidyLimit {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pace): // changes come first
		}
	}
}
