package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/memberd/memberd/internal/config"
	"github.com/memberd/memberd/internal/sms"
	"github.com/memberd/memberd/internal/store/sqldb"
	"github.com/memberd/memberd/internal/web"
	"github.com/memberd/memberd/internal/writer"
)

type serveCommand struct {
	commonFlags
	config.Server
	Demo        bool `name:"demo" help:"Set up merchant 1864 with members, their history, an unsigned and a signing app to play with."`
	PrintConfig bool `name:"print-config" help:"Print the configuration in force and stop."`
}

// drainLimit is when a process that was told to end gives up waiting for a
// database that does not answer: process managers kill after 10 s.
const drainLimit = 9500 * time.Millisecond

func (c *serveCommand) Run(p *program) error {
	if c.PrintConfig {
		return p.printConfig(c.Server)
	}
	if err := c.Server.Check(); err != nil {
		return &exitError{exitUsage, err}
	}
	sender, err := newSender(p.common, c.SMS)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	ctx, stop := signal.NotifyContext(p.ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ended := make(chan struct{})
	defer close(ended) // last of all, after the database is closed
	// A taken port leaves no new platform behind. The port is given free again
	// meanwhile, so that nobody connects to a server that is not there yet.
	listener, err := c.listen()
	if err != nil {
		return err
	}
	if err := listener.Close(); err != nil {
		return err
	}
	pl, err := p.openToServe(ctx)
	if err != nil {
		return err
	}
	defer pl.Close()
	var demo *demoApps
	if c.Demo {
		if demo, err = pl.createDemoApps(ctx, p.common.Data); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		progress := io.Discard
		if isTerminal(p.stderr) {
			progress = p.stderr
		}
		if err := pl.fillDemo(ctx, demo.credentials.AppID, time.Now(), progress); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	if listener, err = c.listen(); err != nil {
		return err
	}
	go pl.watchdog(ctx, stop, ended)
	if err := c.serve(ctx, p, pl, listener, sender, demo); err != nil {
		return err
	}
	pl.logger.Info("stopped")
	return nil
}

func (c *serveCommand) listen() (net.Listener, error) {
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", c.Listen, listenReason(err))
	}
	return listener, nil
}

// collectLess lets the heap grow to five times what is in use before it is
// cleaned, unless the environment says otherwise (GOGC). A server holds little
// for long, some 10 MB, and with Go's usual factor of two it would clean it
// dozens of times a second under load.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// serve runs until ctx ends and everything that was accepted is finished.
func (c *serveCommand) serve(ctx context.Context, p *program, pl *platform, listener net.Listener, sender sms.Sender, demo *demoApps) error {
	collectLess()
	metrics := web.NewMetrics(versionText(), pl.db.Dialect().String())
	callbacks := pl.newDeliverer(c.Callback)
	w := pl.newWriter(writer.Options{Queue: c.Queue, MaxBatch: c.Batch, Observer: waking{metrics, callbacks}})
	defer w.Close()
	watch(metrics, pl.db, w)
	watchCallbacks(metrics, callbacks)
	doors, err := pl.doors(w, pl.newSMS(sender, time.Duration(c.SMS.Timeout)))
	if err != nil {
		listener.Close()
		return err
	}
	var background sync.WaitGroup
	defer background.Wait()
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	background.Go(func() { pl.newRunner(w, metrics).Run(working) })
	background.Go(func() { callbacks.Run(working) })
	if c.AdminListen != "" {
		admin, err := net.Listen("tcp", c.AdminListen)
		if err != nil {
			listener.Close()
			return fmt.Errorf("admin_listen on %s: %w", c.AdminListen, listenReason(err))
		}
		background.Go(func() {
			if err := web.ServeAdmin(working, admin); err != nil {
				pl.logger.Error("profiler stopped", "error", err)
			}
		})
	}
	server := web.New(web.Options{
		Doors: doors, Checks: checks(pl.db, w), Metrics: metrics, Logger: pl.logger, Limiter: c.limiter(), MaxBody: c.MaxBody,
		ReadHeaderTimeout: time.Duration(c.Timeout.ReadHeader), ReadTimeout: time.Duration(c.Timeout.Read),
		WriteTimeout: time.Duration(c.Timeout.Write), IdleTimeout: time.Duration(c.Timeout.Idle),
		DrainDelay: time.Duration(c.DrainDelay),
	})
	url := "http://" + listener.Addr().String()
	p.greet(url, pl.db, c.SMS)
	if demo != nil {
		demo.print(p.stdout, os.Args[0], url)
	}
	err = server.Serve(ctx, listener)
	if err != nil && ctx.Err() != nil {
		// Clients that neither finish nor leave; what they had sent is finished below.
		pl.logger.Warn("connections were cut off", "error", err)
		return nil
	}
	return err
}

func (c *serveCommand) limiter() *web.Limiter {
	if c.RateLimit.PerSecond == 0 {
		return nil
	}
	return web.NewLimiter(c.RateLimit.PerSecond, c.RateLimit.Burst, time.Now)
}

// watchdog ends the process when it was told to and can't.
func (pl *platform) watchdog(ctx context.Context, stop func(), ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	// A second Ctrl-C ends the process at once; SIGTERM may come from several
	// managers and says nothing new.
	signal.Ignore(syscall.SIGTERM)
	stop()
	select {
	case <-ended:
	case <-time.After(drainLimit):
		pl.logger.Error("not everything could be finished in time")
		exitNow(exitNo)
	}
}

// greet says where the server is.
func (p *program) greet(url string, db *sqldb.DB, texts config.SMS) {
	database := "PostgreSQL"
	if db.Path() != "" {
		database = "SQLite " + db.Path()
	}
	fmt.Fprintf(p.stdout, "memberd %s is serving on %s\n", versionText(), url)
	p.printTable([][2]string{
		{"  gateway protocol", url + "/gw/gateway/{method}/v1"},
		{"  envelope protocol", url + "/member/..."},
		{"  health, metrics", url + "/healthz /readyz /metrics"},
		{"  database", database},
		{"  text messages", wayOut(p.common, texts)},
	})
}

// listenReason leaves out the address, which the caller has said already.
func listenReason(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}
