// Command serverbench runs the load generator against fresh servers of a memberd
// binary, on SQLite and on a private PostgreSQL that it starts, in several
// rounds, and writes the medians as a Markdown table to standard output. It is
// what make bench-server runs.
//
// In each round each database gets servers of its own with nothing in them, and
// the echo (the same calls, of which nothing is stored) is measured right beside
// what is compared with it: machines have moods, ratios within a round have
// fewer. Both databases keep what was committed through a power failure. The
// load generator, the server and the database share the machine.
//
// It leaves nothing behind and touches no server that it did not start.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/memberd/memberd/internal/bench"
	"github.com/memberd/memberd/internal/pgtest"
)

// step is one run of the load generator.
type step struct {
	name        string
	scenario    string
	connections int
	members     int
	rate        int
	single      bool // on a server that gives every change a transaction of its own
}

// steps stand so that each echo is beside what it is compared with. One is single,
// and has a twin that is not.
var steps = []step{
	{name: "echo", scenario: bench.Echo, connections: 64, members: 1000},
	{name: "points-change", scenario: "points-change", connections: 64, members: 1000},
	{name: "points-change, a transaction each", scenario: "points-change", connections: 64, members: 1000, single: true},
	{name: "points-change, one hot member", scenario: "points-change", connections: 64, members: 1},
	{name: "member-query", scenario: "member-query", connections: 64, members: 1000},
	{name: "mixed", scenario: "mixed", connections: 64, members: 1000},
	{name: "echo", scenario: bench.Echo, connections: 256, members: 1000},
	{name: "points-change", scenario: "points-change", connections: 256, members: 1000},
	{name: "points-change at 1,000/s", scenario: "points-change", connections: 256, members: 1000, rate: 1000},
	{name: "points-change at 5,000/s", scenario: "points-change", connections: 256, members: 1000, rate: 5000},
	{name: "points-change at 8,000/s", scenario: "points-change", connections: 256, members: 1000, rate: 8000},
}

// settings are the flags.
type settings struct {
	program          string
	dir              string
	rounds           int
	duration, warmUp time.Duration
}

func main() {
	var s settings
	flag.StringVar(&s.program, "program", "bin/memberd", "the `file` to measure")
	flag.StringVar(&s.dir, "dir", "", "the `folder` for databases; it must be on a real disk (default: the system's temporary one)")
	flag.IntVar(&s.rounds, "rounds", 3, "how many rounds")
	flag.DurationVar(&s.duration, "duration", 5*time.Second, "how long each run is measured")
	flag.DurationVar(&s.warmUp, "warm-up", time.Second, "how long each run warms up")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := s.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "serverbench:", err)
		os.Exit(1)
	}
}

// database is one engine, and how a server gets an empty one of it.
type database struct {
	name string
	// fresh returns further flags of every subcommand.
	fresh func(ctx context.Context) (flags []string, err error)
}

func (s settings) run(ctx context.Context) (err error) {
	if s.rounds < 1 {
		return errors.New("-rounds must be at least 1")
	}
	if s.program, err = filepath.Abs(s.program); err != nil {
		return err
	}
	postgres, err := pgtest.Start(pgtest.Options{Durable: true, Dir: s.dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, postgres.Stop()) }()
	databases := []database{
		{"SQLite", func(context.Context) ([]string, error) { return nil, nil }},
		{"PostgreSQL", func(ctx context.Context) ([]string, error) {
			url, err := postgres.Create(ctx)
			return []string{"--database", url}, err
		}},
	}
	found := results{}
	for round := range s.rounds {
		for _, d := range databases {
			fmt.Fprintf(os.Stderr, "round %d of %d, %s\n", round+1, s.rounds, d.name)
			reports, err := s.round(ctx, d)
			if err != nil {
				return fmt.Errorf("%s: %w", d.name, err)
			}
			found[d.name] = append(found[d.name], reports)
		}
	}
	found.print(os.Stdout, databases, s)
	return nil
}

// round runs all steps against new servers, of which one at a time has anything
// to do.
func (s settings) round(ctx context.Context, d database) (reports []bench.Report, err error) {
	batches, err := s.server(ctx, d)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, batches.end()) }()
	single, err := s.server(ctx, d, "--batch", "1")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, single.end()) }()
	for _, step := range steps {
		p := batches
		if step.single {
			p = single
		}
		r, err := p.load(ctx, step, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Fprintf(os.Stderr, "  %-33s %3d connections  %7.0f/s  p99 %7.2f ms  failed %d\n",
			step.name, step.connections, r.PerSecond, float64(r.Latency.P99)/1000, r.Failed)
		reports = append(reports, r)
	}
	return reports, errors.Join(batches.check(ctx), single.check(ctx))
}

// server starts a server on an empty database.
func (s settings) server(ctx context.Context, d database, serving ...string) (*platform, error) {
	flags, err := d.fresh(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.dir, "memberd-bench-")
	if err != nil {
		return nil, err
	}
	p := &platform{program: s.program, dir: dir, flags: append([]string{"--data", dir}, flags...), serving: serving}
	if err := p.start(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return p, nil
}
