package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/memberd/memberd/internal/bench"
)

// platform is a server, with a sandbox merchant and an app.
type platform struct {
	program string
	dir     string
	flags   []string // of every subcommand that works on the database
	serving []string // further flags of serve
	url     string
	server  *exec.Cmd
	log     *os.File
}

// patience is how long a subcommand may take, or a server to begin and to end.
const patience = time.Minute

// command is a run of the program, without any setting of whoever runs this.
func (p *platform) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.program, args...)
	cmd.Env = []string{"HOME=" + p.dir, "PATH=" + os.Getenv("PATH")}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	cmd.Stderr = os.Stderr
	return cmd
}

var servingOn = regexp.MustCompile(`is serving on (http://\S+)`)

// start starts the server, whose request log is written to a file as by default.
func (p *platform) start(ctx context.Context) (err error) {
	if p.log, err = os.Create(filepath.Join(p.dir, "server.log")); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.stop())
		}
	}()
	p.server = p.command(ctx, slices.Concat([]string{"serve", "--listen", "127.0.0.1:0"}, p.flags, p.serving)...)
	p.server.Stderr = p.log
	out, err := p.server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.server.Start(); err != nil {
		p.server = nil
		return err
	}
	lines := bufio.NewReader(out)
	first, _ := lines.ReadString('\n')
	found := servingOn.FindStringSubmatch(first)
	if found == nil {
		text, _ := os.ReadFile(p.log.Name())
		return fmt.Errorf("the server did not start: %s", text)
	}
	p.url = found[1]
	go io.Copy(io.Discard, lines)
	if _, err := p.on(ctx, "merchant", "create", "--id", "1000", "--name", "bench", "--sandbox"); err != nil {
		return err
	}
	app, err := p.on(ctx, "app", "create", "--merchant", "1000", "--name", "bench", "--json")
	if err != nil {
		return err
	}
	const private = 0o600
	return os.WriteFile(p.app(), app, private)
}

func (p *platform) app() string { return filepath.Join(p.dir, "app.json") }

// on runs a subcommand on the database and returns what it prints.
func (p *platform) on(ctx context.Context, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := p.command(ctx, append(args, p.flags...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("memberd %s: %w", args[0], err)
	}
	return out, nil
}

// load runs one step. A run in which calls failed is reported like any other.
func (p *platform) load(ctx context.Context, s step, with settings) (r bench.Report, err error) {
	args := []string{"bench", s.scenario, "--app", p.app(), "--url", p.url, "--json",
		"--connections", strconv.Itoa(s.connections), "--members", strconv.Itoa(s.members),
		"--duration", with.duration.String(), "--warm-up", with.warmUp.String()}
	if s.rate > 0 {
		args = append(args, "--rate", strconv.Itoa(s.rate))
	}
	ctx, cancel := context.WithTimeout(ctx, with.duration+with.warmUp+patience)
	defer cancel()
	cmd := p.command(ctx, args...)
	cmd.Stderr = nil // the live line
	out, failed := cmd.Output()
	if err := json.Unmarshal(out, &r); err != nil {
		var exit *exec.ExitError
		if errors.As(failed, &exit) {
			return r, fmt.Errorf("memberd bench: %s", exit.Stderr)
		}
		return r, errors.Join(failed, err)
	}
	return r, nil
}

// check has the ledger recomputed: what was measured must also be right.
func (p *platform) check(ctx context.Context) error {
	out, err := p.on(ctx, "check")
	if err == nil {
		fmt.Fprintf(os.Stderr, "  check: %s", out)
	}
	return err
}

// stop ends the server, if there is one.
func (p *platform) stop() error {
	defer p.log.Close()
	if p.server == nil {
		return nil
	}
	_ = p.server.Process.Signal(syscall.SIGTERM) // it may be gone: Wait tells
	late := time.AfterFunc(patience, func() { _ = p.server.Process.Kill() })
	defer late.Stop()
	err := p.server.Wait()
	p.server = nil
	if err != nil {
		return fmt.Errorf("the server ended badly: %w", err)
	}
	return nil
}

// end stops the server and removes what it stored.
func (p *platform) end() error { return errors.Join(p.stop(), os.RemoveAll(p.dir)) }
