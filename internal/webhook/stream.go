package webhook

import (
	"context"
	"errors"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// work sends what was claimed, one event after the other, and gives the claim
// back in time.
func (d *Deliverer) work(open context.Context, c Claim, until time.Time) {
	defer func() {
		d.circuits.end(c)
		if d.hungry.Load() {
			d.Wake()
		}
	}()
	for sent := 1; ; sent++ {
		if d.draining.Load() {
			d.release(c, 0)
			return
		}
		o, ok := d.attempt(open, c, until)
		if !ok {
			return
		}
		now := d.opts.Now()
		o.Hold = o.done() && !c.Resend && sent < perClaim && !d.draining.Load()
		if o.Hold {
			until = now.Add(LeaseLife)
			o.Next = until.UnixMilli()
		}
		standing, err := d.recorder.record(o)
		if err != nil {
			// The lease runs out by itself, and the event is sent again.
			d.opts.Logger.Warn("callbacks: an outcome was not recorded", "app", o.App, "number", o.No, "error", err)
			return
		}
		if !standing.Held {
			d.opts.Logger.Warn("callbacks: a claim was lost meanwhile", "app", o.App, "number", o.No)
			return
		}
		d.count(&o)
		if !o.Hold || !standing.More {
			return
		}
		c.Done, c.Attempts, c.FailingSince = o.No, 0, 0
	}
}

// done tells whether the stream goes on with the next event.
func (o *Outcome) done() bool {
	return o.Result == Delivered || o.Result == Dropped || o.Result == Parked && !o.Resend
}

// release gives a claim back untried.
func (d *Deliverer) release(c Claim, after time.Duration) {
	now := d.opts.Now()
	o := Outcome{Claim: c, No: c.Done + 1, Result: Released, At: now.UnixMilli(), Next: now.Add(after).UnixMilli()}
	if _, err := d.recorder.record(o); err != nil {
		d.opts.Logger.Warn("callbacks: a claim was not given back", "app", o.App, "number", o.No, "error", err)
	}
}

// attempt sends the next event of a claim and says how it ended; ok is false
// when the claim was given back instead.
func (d *Deliverer) attempt(open context.Context, c Claim, until time.Time) (o Outcome, ok bool) {
	event, ok, err := d.opts.Storage.Event(open, c)
	switch {
	case err != nil:
		d.opts.Logger.Warn("callbacks: an event was not read", "app", c.App, "error", err)
		d.release(c, afterTrouble)
		return o, false
	case !ok: // cannot be: an event is committed with its stream
		d.opts.Logger.Error("callbacks: a stream has no event where it should", "app", c.App, "after", c.Done)
		event = loyalty.Callback{Member: c.Member, App: c.App, No: c.Done + 1}
	}
	o = Outcome{Claim: c, No: event.No, Result: Dropped}
	if ok {
		o.Result, err = d.send(open, event, until)
	}
	now := d.opts.Now()
	o.At, o.Next = now.UnixMilli(), now.UnixMilli()
	switch {
	case o.Result == Released:
		d.release(c, afterTrouble)
		return o, false
	case err != nil:
		d.failed(&o, now, reasonOf(err))
		d.counts.failed.Add(1)
		d.opts.Logger.Debug("callbacks: an attempt failed", "app", o.App, "number", o.No, "kind", string(event.Kind), "attempts", o.Attempts, "reason", o.Failure)
	default:
		o.Attempts, o.FailingSince = 0, 0
	}
	return o, true
}

// send renders and posts one event. The result is Released when that said
// nothing about the partner; an error with any other result is a failure.
func (d *Deliverer) send(open context.Context, event loyalty.Callback, until time.Time) (Result, error) {
	url, body, err := d.opts.Renderer.Render(open, event)
	code, refused := loyalty.CodeOf(err)
	switch {
	case refused && (code == loyalty.MemberErased || code == loyalty.MemberNotFound):
		return Dropped, nil
	case errors.Is(err, loyalty.ErrUnavailable), open.Err() != nil, err == nil && url == "":
		return Released, nil
	case err != nil:
		d.opts.Logger.Error("callbacks: an event cannot be put into words",
			"app", event.App, "number", event.No, "kind", string(event.Kind), "error", err)
		return Failed, errRender
	case until.Sub(d.opts.Now()) < startBefore: // the database was slow, or the process stood still
		return Released, nil
	}
	ctx, cancel := context.WithTimeout(open, RequestLimit)
	defer cancel()
	err = d.opts.Poster.Post(ctx, Letter{URL: url, Body: body, Event: event})
	switch {
	case err == nil:
		if d.circuits.succeeded(event.App) {
			d.opts.Logger.Info("callbacks: app is back", "app", event.App)
			d.Wake()
		}
		return Delivered, nil
	case open.Err() != nil: // cut off by the end of the process; it may have arrived
		return Released, nil
	}
	if d.circuits.failed(event.App, d.opts.Now()) {
		d.opts.Logger.Warn("callbacks: app is paused, one stream at a time is tried until it is back", "app", event.App, "reason", reasonOf(err))
	}
	return Failed, err
}

// errRender stands for whatever kept an event from being rendered.
var errRender = &Failure{Reason: "cannot be put into words"}

// reasonOf is what of a poster's error may be shown and kept.
func reasonOf(err error) string {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Error()
	}
	return "no proper answer"
}
