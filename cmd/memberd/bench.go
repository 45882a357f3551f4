package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/bench"
	"github.com/memberd/memberd/internal/sign"
)

type benchCommand struct {
	Scenario    string        `arg:"" name:"scenario" enum:"points-change,member-query,mixed,echo" help:"points-change, member-query, mixed (80 % queries, 15 % changes, 5 % orders), or echo (a points change that stores nothing)."`
	App         string        `name:"app" required:"" placeholder:"FILE" help:"What app create --json printed, for an app of a sandbox merchant."`
	URL         string        `name:"url" default:"http://127.0.0.1:8080" env:"MEMBERD_URL" placeholder:"URL" help:"Where the platform is."`
	Door        string        `name:"door" enum:"gateway,envelope" default:"gateway" help:"The protocol: gateway (default) or envelope."`
	Members     int           `name:"members" default:"1000" placeholder:"N" help:"How many members are called (default: 1000); they are registered when they are not there yet."`
	Zipf        float64       `name:"zipf" placeholder:"S" help:"Call some members far more often than others: a Zipf distribution with this exponent, 1.001 to 1000 (default: all equally often)."`
	Connections int           `name:"connections" short:"c" default:"64" placeholder:"N" help:"How many connections (default: 64)."`
	Duration    time.Duration `name:"duration" short:"d" default:"10s" placeholder:"TIME" help:"How long it is measured (default: 10s)."`
	WarmUp      time.Duration `name:"warm-up" default:"2s" placeholder:"TIME" help:"How long before that calls are sent and not counted (default: 2s)."`
	Rate        int           `name:"rate" placeholder:"N" help:"Calls a second, whether the server keeps up or not; times count from when a call should have begun (default: each connection sends its next call when the last is answered)."`
	Timeout     time.Duration `name:"timeout" default:"10s" placeholder:"TIME" help:"How long an answer is waited for (default: 10s)."`
	Store       string        `name:"store" default:"bench" placeholder:"ID" help:"The store where members register (default: bench), for a merchant that keeps a list of stores."`
	Seed        uint64        `name:"seed" placeholder:"N" help:"Draw the same members and operations again (default: others each time)."`
	Live        bool          `name:"i-know-what-i-do" help:"Register members and book points at a merchant that is no sandbox."`
	JSON        bool          `name:"json" help:"Print the report as JSON."`
}

const (
	maxBenchConnections = 4096
	// maxBenchTime leaves a token, which lives for 2 hours, some time to spare.
	maxBenchTime = 100 * time.Minute
	maxBenchRate = 1_000_000
)

// Run loads the platform. It exits with 1 when a call failed, or when the
// merchant is no sandbox; the report is printed all the same.
func (c *benchCommand) Run(p *program) error {
	base, err := c.check()
	if err != nil {
		return err
	}
	credentials, err := readCredentials(c.App)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	ctx, stop := signal.NotifyContext(p.ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	k := &caller{p, base, credentials, c.App, &http.Client{Timeout: c.Timeout}}
	token, err := c.allowed(ctx, k)
	if err != nil {
		return err
	}
	o := bench.Options{
		URL: base, Door: c.Door, Scenario: c.Scenario, Zipf: c.Zipf, Connections: c.Connections, Rate: c.Rate,
		WarmUp: c.WarmUp, Duration: c.Duration, Timeout: c.Timeout, Seed: c.Seed,
		App: bench.App{ID: credentials.AppID, MerchantID: credentials.MerchantID, Secret: credentials.AppSecret, Token: token},
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	if c.Door == bench.Envelope {
		if o.App.Key, err = sign.ParsePrivateKey(credentials.EnvelopePrivateKey); err != nil {
			return &exitError{exitUsage, fmt.Errorf("envelope_private_key in %s: %w", c.App, err)}
		}
	}
	if o.Members, err = c.members(ctx, p, o, credentials); err != nil {
		return err
	}
	watched := isTerminal(p.stderr)
	const clear = "\r\x1b[K"
	if watched {
		o.Progress = func(now bench.Progress) { fmt.Fprint(p.stderr, clear+now.Line()) }
	}
	report, err := bench.Run(ctx, o)
	if watched {
		fmt.Fprint(p.stderr, clear)
	}
	if err != nil {
		return err
	}
	return c.print(p, report)
}

func (c *benchCommand) print(p *program, report bench.Report) error {
	if c.JSON {
		if err := p.printJSON(report); err != nil {
			return err
		}
	} else {
		report.Print(p.stdout)
	}
	if report.Failed > 0 {
		return &exitError{code: exitNo}
	}
	return nil
}

// check refuses what cannot be meant, and reads the URL.
func (c *benchCommand) check() (*url.URL, error) {
	base, err := url.Parse(c.URL)
	switch {
	case err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "":
		return nil, wrongly("--url must be http://HOST:PORT or https://HOST")
	case c.Members < 1 || c.Members > bench.MaxMembers:
		return nil, wrongly("--members must be 1 to %d", bench.MaxMembers)
	case c.Zipf != 0 && !(c.Zipf >= 1.001 && c.Zipf <= 1000):
		return nil, wrongly("--zipf must be 1.001 to 1000")
	case c.Connections < 1 || c.Connections > maxBenchConnections:
		return nil, wrongly("--connections must be 1 to %d", maxBenchConnections)
	case c.Rate < 0 || c.Rate > maxBenchRate:
		return nil, wrongly("--rate must be 1 to %d", maxBenchRate)
	case c.Duration <= 0 || c.WarmUp < 0 || c.Duration > maxBenchTime || c.Duration+c.WarmUp > maxBenchTime:
		return nil, wrongly("--duration must be above 0, and with --warm-up at most %s", maxBenchTime)
	case c.Timeout < time.Millisecond || c.Timeout > time.Minute:
		return nil, wrongly("--timeout must be 1ms to 1m")
	}
	return base, nil
}

const echoMethod = "wk.sandbox.echo"

// allowed asks the platform whether the app is a sandbox's, and returns a token
// that outlives the run. A platform has the echo for sandboxes alone, so what it
// answers cannot be mistaken, wherever the platform is.
func (c *benchCommand) allowed(ctx context.Context, k *caller) (string, error) {
	held, err := k.readTokens()
	if err != nil {
		return "", err
	}
	echo := []byte(`{"open_id":"bench","change_event":"event_add","change_reason":"bench","change_id":"bench"}`)
	renewed := false
	for {
		if held.Access == "" || time.Now().Add(c.WarmUp+c.Duration+tokenMargin).UnixMilli() >= held.AccessExpires {
			var refused []byte
			if held, refused, err = k.obtain(ctx, held); err != nil {
				return "", err
			}
			if held.Access == "" {
				return "", fmt.Errorf("the app gets no token: %s", refusalIn(refused))
			}
			renewed = true
		}
		answer, err := k.send(ctx, echoMethod, "v1", url.Values{"access_token": {held.Access}}, echo)
		if err != nil {
			return "", err
		}
		parsed, err := parseGateway(answer)
		switch {
		case err != nil:
			return "", err
		case parsed.Success:
			return held.Access, nil
		case parsed.Code != nil && *parsed.Code == codeBadToken && !renewed:
			held.Access = "" // another database, or the token was taken back
		case parsed.Code != nil && *parsed.Code == codeUnknownMethod:
			return held.Access, c.live()
		default:
			return "", fmt.Errorf("the platform refuses the app: %s", refusalIn(answer))
		}
	}
}

// codeUnknownMethod is the gateway's number for a method that it does not have.
const codeUnknownMethod = 1008

// live is what stands against a run at a merchant that is no sandbox.
func (c *benchCommand) live() error {
	switch {
	case c.Scenario == bench.Echo:
		return errors.New("the merchant is no sandbox, and only sandboxes have the echo")
	case !c.Live:
		return errors.New("the merchant is no sandbox, and this registers members and books points: create a merchant with --sandbox and an app of it, or say --i-know-what-i-do")
	}
	return nil
}

// refusalIn is the number and the message of a refusal.
func refusalIn(answer []byte) string {
	var a struct {
		Code    int    `json:"error_code"`
		Message string `json:"error_message"`
	}
	if json.Unmarshal(answer, &a) != nil {
		return "an answer that cannot be read"
	}
	return fmt.Sprintf("%d %s", a.Code, harmless(a.Message))
}

// benchMembers is FILE.members: the ids by which the doors know the members
// that earlier runs registered.
type benchMembers struct {
	Gateway  []string `json:"gateway"`
	Envelope []string `json:"envelope"`
}

// members registers what is missing. A file of another database is begun anew.
func (c *benchCommand) members(ctx context.Context, p *program, o bench.Options, credentials access.Credentials) ([]string, error) {
	path := c.App + ".members"
	var held benchMembers
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &held)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("members: %s cannot be read; delete it", path)
	}
	list := &held.Gateway
	if c.Door == bench.Envelope {
		list = &held.Envelope
	}
	known := (*list)[:min(len(*list), c.Members)]
	var progress func(int)
	if isTerminal(p.stderr) {
		progress = func(n int) { fmt.Fprintf(p.stderr, "\rregistered %d of %d members", n, c.Members) }
	}
	members, err := bench.Register(ctx, o, known, c.Members, c.Store, progress)
	if errors.Is(err, bench.ErrStale) {
		held, known = benchMembers{}, nil
		members, err = bench.Register(ctx, o, nil, c.Members, c.Store, progress)
	}
	if err != nil {
		return nil, fmt.Errorf("members of merchant %s: %w", credentials.MerchantID, err)
	}
	if len(members) == len(known) {
		return members, nil
	}
	*list = members
	if text, err = json.Marshal(held); err != nil {
		return nil, err
	}
	if err := writeSecret(path, append(text, '\n')); err != nil {
		return nil, fmt.Errorf("members: %w", err)
	}
	return members, nil
}
