package jobs

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shared is a database that several runners stand on.
type shared struct {
	mu    sync.Mutex
	owner string
	until int64
	down  bool
}

func (s *shared) Lease(_ context.Context, _, owner string, now, until int64) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return false, errors.New("down")
	}
	if s.owner != "" && s.owner != owner && now < s.until {
		return false, nil
	}
	s.owner, s.until = owner, until
	return true, nil
}

func (s *shared) Unlease(_ context.Context, _, owner string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner == owner {
		s.owner = ""
	}
	return nil
}

func (s *shared) Merchants(context.Context) ([]string, error) { return []string{"a", "b"}, nil }

type silent struct{}

func (silent) JobRan(string, string, int, time.Duration) {}
func (silent) Leading(bool)                              {}

// diary is who ran what, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) add(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := d.lines
	d.lines = nil
	return lines
}

func runner(s Storage, owner string, d *diary) *Runner {
	return &Runner{
		Storage: s, Owner: owner, Logger: slog.New(slog.DiscardHandler), Observer: silent{},
		Jobs: []Job{
			{Name: "due", Every: time.Minute, Run: func(_ context.Context, m string) (int, error) {
				d.add(owner + " due " + m)
				return 1, nil
			}},
			{Name: "broken", Every: time.Minute, Run: func(context.Context, string) (int, error) {
				d.add(owner + " broken")
				return 0, errors.New("broken")
			}},
		},
	}
}

// One runner runs every job for every merchant once a minute, whatever fails,
// and the other one nothing.
func TestOneLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, d := &shared{}, &diary{}
		var running sync.WaitGroup
		first, second := runner(s, "first", d), runner(s, "second", d)
		running.Go(func() { first.Run(ctx) })
		time.Sleep(time.Millisecond)
		running.Go(func() { second.Run(ctx) })
		time.Sleep(30 * time.Second)
		want := []string{"first due a", "first due b", "first broken", "first broken"}
		if diff := cmp.Diff(want, d.take()); diff != "" {
			t.Error(diff)
		}
		time.Sleep(time.Minute)
		if diff := cmp.Diff(want, d.take()); diff != "" {
			t.Error(diff)
		}
		cancel()
		running.Wait()
	})
}

// A process that dies is replaced within a minute, one that stops sooner.
func TestTakeOver(t *testing.T) {
	for name, death := range map[string]bool{"killed": true, "stopped": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, d := &shared{}, &diary{}
				firstCtx, stopFirst := context.WithCancel(t.Context())
				ctx, cancel := context.WithCancel(t.Context())
				var running sync.WaitGroup
				first, second := runner(s, "first", d), runner(s, "second", d)
				if death {
					first.Storage = mute{s, firstCtx}
				}
				running.Go(func() { first.Run(firstCtx) })
				time.Sleep(time.Millisecond)
				running.Go(func() { second.Run(ctx) })
				time.Sleep(20 * time.Second)
				d.take()
				stopFirst()
				limit := time.Minute
				if !death {
					limit = 15 * time.Second
				}
				time.Sleep(limit)
				if lines := d.take(); len(lines) == 0 || lines[0] != "second due a" {
					t.Errorf("within %v: %q", limit, lines)
				}
				cancel()
				running.Wait()
			})
		})
	}
}

// mute is a database to which a dead process says nothing any more.
type mute struct {
	*shared
	alive context.Context
}

func (m mute) Unlease(ctx context.Context, name, owner string) error {
	if m.alive.Err() != nil {
		return nil
	}
	return m.shared.Unlease(ctx, name, owner)
}

// A leader that cannot renew its lease stops in the middle of a round.
func TestLostLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &shared{}
		stopped := make(chan time.Duration, 1)
		r := runner(s, "first", &diary{})
		r.Jobs = []Job{{Name: "long", Every: time.Hour, Run: func(ctx context.Context, _ string) (int, error) {
			began := time.Now()
			s.mu.Lock()
			s.down = true
			s.mu.Unlock()
			<-ctx.Done()
			stopped <- time.Since(began)
			return 0, ctx.Err()
		}}}
		var running sync.WaitGroup
		running.Go(func() { r.Run(ctx) })
		if took := <-stopped; took >= leaseLife {
			t.Errorf("went on for %v, the lease lives %v", took, leaseLife)
		}
		cancel()
		running.Wait()
	})
}

// hanging is a database that never answers.
type hanging struct{ shared }

func (*hanging) Lease(ctx context.Context, _, _ string, _, _ int64) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

// A database that does not answer in time is in the log, a runner that was
// stopped is not.
func TestLeaseWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := runner(&hanging{}, "first", &diary{})
		r.Logger = slog.New(slog.NewTextHandler(&log, nil))
		ctx, cancel := context.WithTimeout(t.Context(), callTimeout+renewEvery+time.Second)
		defer cancel()
		r.Run(ctx)
		if got := strings.Count(log.String(), "lease of the jobs"); got != 1 {
			t.Errorf("%d lines\n%s", got, &log)
		}
	})
}
