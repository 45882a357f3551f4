package main

import (
	"io"
	"log"
	"time"

	"github.com/memberd/memberd/internal/config"
	"github.com/memberd/memberd/internal/envelope"
	"github.com/memberd/memberd/internal/web"
	"github.com/memberd/memberd/internal/webhook"
)

// newDeliverer sends what is in the outbox.
//
// It silences the standard logger of the process, which nothing of ours uses:
// net/http writes there what a partner sends unasked on an idle connection.
func (pl *platform) newDeliverer(c config.Callback) *webhook.Deliverer {
	log.SetOutput(io.Discard)
	return webhook.New(webhook.Options{
		Storage:  pl.store,
		Renderer: &envelope.Callbacks{Reader: pl.store, Access: pl.access, Now: time.Now},
		Poster:   webhook.NewClient(webhook.ClientOptions{AllowPrivate: c.AllowPrivate, PerHost: c.PerApp}),
		Workers:  c.Workers, PerApp: c.PerApp,
		RetryBase: time.Duration(c.RetryBase), Keep: time.Duration(c.Keep),
		Logger: pl.logger,
	})
}

// waking is the metrics as the writer's observer, and wakes the deliverer after
// each commit.
type waking struct {
	*web.Metrics
	deliverer *webhook.Deliverer
}

func (w waking) Batch(commands int, outcome string) {
	w.Metrics.Batch(commands, outcome)
	if outcome == "ok" {
		w.deliverer.Wake()
	}
}

// watchCallbacks shows the outbox in the metrics.
func watchCallbacks(m *web.Metrics, d *webhook.Deliverer) {
	of := func(read func(webhook.Stats) float64) func() float64 {
		return func() float64 { return read(d.Stats()) }
	}
	m.Counter("memberd_callbacks_delivered_total", "Callbacks that partners took.", of(func(s webhook.Stats) float64 { return float64(s.Delivered) }))
	m.Counter("memberd_callbacks_resent_total", "Callbacks that partners took again, at an operator's wish.", of(func(s webhook.Stats) float64 { return float64(s.Resent) }))
	m.Counter("memberd_callbacks_failed_total", "Attempts in vain.", of(func(s webhook.Stats) float64 { return float64(s.Failed) }))
	m.Counter("memberd_callbacks_parked_total", "Callbacks that failed for too long and wait for an operator.", of(func(s webhook.Stats) float64 { return float64(s.Parked) }))
	m.Counter("memberd_callbacks_dropped_total", "Callbacks that were not sent because the member was erased.", of(func(s webhook.Stats) float64 { return float64(s.Dropped) }))
	m.Gauge("memberd_callbacks_open", "Callbacks that are being sent.", of(func(s webhook.Stats) float64 { return float64(s.Open) }))
	m.Gauge("memberd_callbacks_paused_apps", "Apps that fail and are only probed.", of(func(s webhook.Stats) float64 { return float64(s.Paused) }))
	m.Gauge("memberd_callbacks_waiting", "Callbacks that wait, in all processes; of at most 10,000 members.", of(func(s webhook.Stats) float64 { return float64(s.Waiting) }))
	m.Gauge("memberd_callbacks_oldest_seconds", "How long the oldest of them has waited.", of(func(s webhook.Stats) float64 { return s.OldestAge.Seconds() }))
}
