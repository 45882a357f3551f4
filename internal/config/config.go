// Package config is every setting of the program: one struct, with a comment,
// a default, a key of the configuration file, a flag and an environment name
// for each field. The three names follow from one another:
//
//	key log.format   flag --log-format   environment MEMBERD_LOG_FORMAT
//
// A later source wins: defaults, the file (--config, MEMBERD_CONFIG, or
// memberd.toml in the data folder), the environment, flags. An environment
// variable that is set but empty counts as not set, because that is what
// compose files and unit files write for "nothing".
//
// What belongs to a merchant's programme is no setting of the program: it is
// the merchant's settings document in the database. The package opens nothing
// but the file, and its printed form holds no secret.
package config

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"
)

// Config is the whole configuration.
type Config struct {
	Common
	Server
}

// Common is what every subcommand takes.
type Common struct {
	// Data is the folder of everything that is kept in files: the embedded
	// database, the encryption key, the text messages of the file sender.
	Data string `toml:"data" name:"data" default:"./memberd-data" placeholder:"DIR" help:"Folder of the embedded database and the encryption key."`
	// Database is sqlite:PATH or a postgres:// URL. Empty means the embedded
	// database in the data folder.
	Database string `toml:"database" name:"database" placeholder:"URL" help:"sqlite:PATH or postgres://... (default: SQLite inside the data folder)."`
	Log      Log    `toml:"log" embed:"" prefix:"log-"`
}

// Log is how the program speaks about itself, on standard error.
type Log struct {
	// Format is text for people or json for collectors.
	Format string `toml:"format" name:"format" default:"text" placeholder:"text|json" help:"Form of the log on standard error."`
	// Level is the least important level that is written: debug, info, warn or
	// error. Each call is one line at info; health probes are at debug.
	Level string `toml:"level" name:"level" default:"info" placeholder:"LEVEL" help:"debug, info, warn or error."`
}

// Server is what serve takes besides.
type Server struct {
	// Listen is the address of both doors, health and metrics. It is on the
	// loopback interface by default: TLS is a reverse proxy's work.
	Listen string `toml:"listen" name:"listen" default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address to serve on."`
	// AdminListen is the address of Go's profiler. It is off by default and
	// must not be reachable from outside.
	AdminListen string `toml:"admin_listen" name:"admin-listen" placeholder:"HOST:PORT" help:"Address of the profiler (default: off). Keep it on a loopback address."`
	// MaxBody is the largest request body in bytes; beyond it the answer is
	// 413. The protocols' own bound of 1 MiB is the most.
	MaxBody int64 `toml:"max_body" name:"max-body" default:"1048576" placeholder:"BYTES" help:"Largest request body."`
	// Queue is how many changes may wait for the writer; beyond it the answer
	// is "busy" at once.
	Queue int `toml:"queue" name:"queue" default:"2048" placeholder:"N" help:"How many changes may wait for the database."`
	// Batch is how many of the changes that wait are committed together at
	// most. With 1 each has a transaction of its own.
	Batch int `toml:"batch" name:"batch" default:"128" placeholder:"N" help:"How many changes are committed together at most."`
	// DrainDelay is how long the server goes on serving after SIGTERM with a
	// red /readyz, for load balancers that must notice first.
	DrainDelay Duration  `toml:"drain_delay" name:"drain-delay" default:"0s" placeholder:"TIME" help:"How long to go on serving with a red /readyz after SIGTERM (at most 5s)."`
	Timeout    Timeout   `toml:"timeout" embed:"" prefix:"timeout-"`
	RateLimit  RateLimit `toml:"rate_limit" embed:"" prefix:"rate-limit-"`
	SMS        SMS       `toml:"sms" embed:"" prefix:"sms-"`
	Callback   Callback  `toml:"callback" embed:"" prefix:"callback-"`
}

// Timeout bounds how long a connection may take for each of its stages.
type Timeout struct {
	// ReadHeader is the time for a request's head.
	ReadHeader Duration `toml:"read_header" name:"read-header" default:"5s" placeholder:"TIME" help:"Longest time for the head of a request."`
	// Read is the time for the whole request, body included.
	Read Duration `toml:"read" name:"read" default:"15s" placeholder:"TIME" help:"Longest time for a whole request."`
	// Write is the time from the end of the head to the end of the answer.
	Write Duration `toml:"write" name:"write" default:"30s" placeholder:"TIME" help:"Longest time for an answer."`
	// Idle is how long a connection is kept open between requests.
	Idle Duration `toml:"idle" name:"idle" default:"2m" placeholder:"TIME" help:"How long an idle connection is kept."`
}

// RateLimit bounds the calls of one app, after its sign was found right, so
// that nobody can use up another's share. Each process counts for itself.
type RateLimit struct {
	// PerSecond is how many calls an app may make each second in the long run;
	// 0 is no limit.
	PerSecond int `toml:"per_second" name:"per-second" default:"0" placeholder:"N" help:"Calls an app may make per second (0: no limit)."`
	// Burst is how many it may make at once; 0 is twice PerSecond.
	Burst int `toml:"burst" name:"burst" default:"0" placeholder:"N" help:"Calls an app may make at once (0: twice the rate)."`
}

// Bounds with their reasons.
const (
	maxBodyLimit  = 1 << 20 // both protocols refuse more
	minBodyLimit  = 1 << 10 // the longest documented call must fit
	maxQueue      = 1 << 16 // some seconds of work; more is only memory
	maxBatch      = 128     // the first of them waits for the last
	maxDrainDelay = 5 * time.Second
	maxTimeout    = time.Hour
	maxRate       = 1_000_000
)

// Check tells everything that is wrong, each with its key.
func (c *Config) Check() error { return errors.Join(c.Common.Check(), c.Server.Check()) }

// Check tells everything that is wrong with the common part.
func (c *Common) Check() error {
	var errs []error
	if strings.TrimSpace(c.Data) == "" {
		errs = append(errs, errors.New("data: must name a folder"))
	}
	switch path, lite := strings.CutPrefix(c.Database, "sqlite:"); {
	case c.Database == "", lite && path != "",
		strings.HasPrefix(c.Database, "postgres://"), strings.HasPrefix(c.Database, "postgresql://"):
	default: // the value is not shown: it may hold a password
		errs = append(errs, errors.New("database: must be sqlite:PATH or postgres://USER@HOST/NAME"))
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		errs = append(errs, fmt.Errorf("log.format: must be text or json, not %q", c.Log.Format))
	}
	if _, err := c.Log.level(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Check tells everything that is wrong with the server's part.
func (s *Server) Check() error {
	errs := []error{checkAddress("listen", s.Listen)}
	if s.AdminListen != "" {
		errs = append(errs, checkAddress("admin_listen", s.AdminListen))
	}
	errs = append(errs,
		checkRange("max_body", s.MaxBody, minBodyLimit, maxBodyLimit),
		checkRange("queue", int64(s.Queue), 1, maxQueue),
		checkRange("batch", int64(s.Batch), 1, maxBatch),
		checkRange("rate_limit.per_second", int64(s.RateLimit.PerSecond), 0, maxRate),
		checkRange("rate_limit.burst", int64(s.RateLimit.Burst), 0, maxRate),
		checkDuration("drain_delay", s.DrainDelay, 0, maxDrainDelay),
	)
	if s.RateLimit.Burst > 0 && s.RateLimit.PerSecond == 0 {
		errs = append(errs, errors.New("rate_limit.burst: has no meaning without rate_limit.per_second"))
	}
	errs = append(errs, s.SMS.check())
	errs = append(errs, s.Callback.check()...)
	for key, d := range map[string]Duration{
		"timeout.read_header": s.Timeout.ReadHeader, "timeout.read": s.Timeout.Read,
		"timeout.write": s.Timeout.Write, "timeout.idle": s.Timeout.Idle,
	} {
		errs = append(errs, checkDuration(key, d, time.Millisecond, maxTimeout))
	}
	return errors.Join(errs...)
}

func checkAddress(key, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "" {
		return fmt.Errorf("%s: must be HOST:PORT, for example 127.0.0.1:8080, not %q", key, address)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("%s: %q is no port", key, port)
	}
	if strings.ContainsAny(host, "/ ") {
		return fmt.Errorf("%s: %q is no host", key, host)
	}
	return nil
}

func checkRange(key string, value, least, most int64) error {
	if value < least || value > most {
		return fmt.Errorf("%s: must be %d to %d, not %d", key, least, most, value)
	}
	return nil
}

func checkDuration(key string, d Duration, least, most time.Duration) error {
	if time.Duration(d) < least || time.Duration(d) > most {
		return fmt.Errorf("%s: must be %s to %s, not %s", key, least, most, d)
	}
	return nil
}

// DatabaseURL is the database to open: Database, or the embedded one inside
// Data. It may hold a password.
func (c *Common) DatabaseURL() string {
	if c.Database != "" {
		return c.Database
	}
	return "sqlite:" + filepath.Join(c.Data, "memberd.db")
}

// OutboxFile is the path to which the file sender appends messages.
func (c *Common) OutboxFile() string { return filepath.Join(c.Data, "sms-outbox.jsonl") }

// KeyFile is the path of the encryption key.
func (c *Common) KeyFile() string { return filepath.Join(c.Data, "memberd.key") }

// Duration is a time.Duration that is written as text, such as 1m30s.
type Duration time.Duration

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("must be a duration such as 500ms, 30s or 2m, not %q", text)
	}
	*d = Duration(parsed)
	return nil
}

// MarshalText is String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d Duration) String() string { return time.Duration(d).String() }
