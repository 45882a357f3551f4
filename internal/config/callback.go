package config

import "time"

// Callback says how events get to partners. Where they go stands with each app,
// and which kinds are sent in each merchant's settings.
type Callback struct {
	// AllowPrivate lets callbacks go to loopback, private and link-local
	// addresses, for tests and for partners in the house.
	AllowPrivate bool `toml:"allow_private" name:"allow-private" help:"Let callbacks go to loopback, private and link-local addresses."`
	// RetryBase is the delay after the first failure; later ones are 5, 30, 120,
	// 360 and then always 720 times as long.
	RetryBase Duration `toml:"retry_base" name:"retry-base" default:"1m" placeholder:"TIME" help:"Delay after the first failure of a callback; later ones are multiples of it."`
	// Workers is how many callbacks are sent at a time.
	Workers int `toml:"workers" name:"workers" default:"256" placeholder:"N" help:"Callbacks sent at a time."`
	// PerApp is how many of them may be to one app.
	PerApp int `toml:"per_app" name:"per-app" default:"32" placeholder:"N" help:"Callbacks sent to one app at a time."`
	// Keep is how long delivered events are kept to be listed and sent again.
	Keep Duration `toml:"keep" name:"keep" default:"720h" placeholder:"TIME" help:"How long delivered callbacks are kept."`
}

// Bounds with their reasons.
const (
	minRetryBase       = 10 * time.Millisecond
	maxRetryBase       = time.Hour // the longest delay is then a month
	maxCallbackWorkers = 4096      // each may hold 64 KiB and a connection
	minKeep            = time.Hour // or a partner's lost hour could not be sent again
	maxKeep            = 10 * 365 * 24 * time.Hour
)

func (c Callback) check() []error {
	return []error{
		checkDuration("callback.retry_base", c.RetryBase, minRetryBase, maxRetryBase),
		checkRange("callback.workers", int64(c.Workers), 1, maxCallbackWorkers),
		checkRange("callback.per_app", int64(c.PerApp), 1, maxCallbackWorkers),
		checkDuration("callback.keep", c.Keep, minKeep, maxKeep),
	}
}
