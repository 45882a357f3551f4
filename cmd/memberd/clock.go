package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/memberd/memberd/internal/gateway"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store"
	"github.com/memberd/memberd/internal/writer"
)

type clockCommand struct {
	commonFlags
	Advance clockAdvance `cmd:"" help:"Move the clock forward and book everything that becomes due."`
	Show    clockShow    `cmd:"" help:"Show what time it is for a merchant."`
}

type clockAdvance struct {
	Merchant string `name:"merchant" required:"" placeholder:"ID" help:"A sandbox merchant."`
	By       string `name:"by" required:"" placeholder:"SPAN" help:"How far: 72h, 30d; at most 400d at once."`
}

// Run moves the clock. It cannot be moved back.
func (c *clockAdvance) Run(p *program) error {
	by, err := loyalty.ParseSpan(c.By)
	if err != nil {
		return wrongly("--by: %w", err)
	}
	pl, _, err := p.openMerchant(c.Merchant)
	if err != nil {
		return err
	}
	defer pl.Close()
	w := pl.newWriter(writer.Options{})
	defer w.Close()
	if _, err := pl.advance(p.ctx, w, c.Merchant, by); err != nil {
		switch {
		case errors.Is(err, gateway.ErrLiveMerchant):
			return errors.New("only a sandbox merchant has a clock that can be moved")
		case errors.Is(err, gateway.ErrClockTooFar):
			return fmt.Errorf("a clock can be at most %d days ahead", loyalty.MaxClockOffset/(24*time.Hour).Milliseconds())
		}
		return err
	}
	return pl.printClock(p, c.Merchant)
}

// advance moves a merchant's clock and books what becomes due. When booking is
// interrupted, the jobs of the servers go on with it.
func (pl *platform) advance(ctx context.Context, w *writer.Writer, merchant string, by time.Duration) (loyalty.Instant, error) {
	offset, err := pl.store.AdvanceClock(ctx, merchant, by.Milliseconds())
	switch {
	case errors.Is(err, store.ErrLiveMerchant):
		return 0, gateway.ErrLiveMerchant
	case errors.Is(err, store.ErrClockTooFar):
		return 0, gateway.ErrClockTooFar
	case err != nil:
		return 0, err
	}
	if err := runJobs(ctx, pl.standardJobs(w), merchant, func(string, int) {}); err != nil {
		return 0, fmt.Errorf("the clock has been moved, but not everything due is booked yet: %w", err)
	}
	return loyalty.InstantOf(time.Now()) + loyalty.Instant(offset), nil
}

// advancer is advance for callers of the gateway.
func (pl *platform) advancer(w *writer.Writer) func(context.Context, string, time.Duration) (loyalty.Instant, error) {
	return func(ctx context.Context, merchant string, by time.Duration) (loyalty.Instant, error) {
		return pl.advance(ctx, w, merchant, by)
	}
}

type clockShow struct {
	Merchant string `name:"merchant" required:"" placeholder:"ID" help:"The merchant."`
}

// Run prints the merchant's time.
func (c *clockShow) Run(p *program) error {
	pl, err := p.open(p.ctx)
	if err != nil {
		return err
	}
	defer pl.Close()
	return pl.printClock(p, c.Merchant)
}

func (pl *platform) printClock(p *program, merchant string) error {
	snap, err := pl.store.Snapshot(p.ctx, merchant)
	if err != nil {
		return refused(err, "")
	}
	now := merchantNow(snap)
	ahead := time.Duration(snap.ClockOffset) * time.Millisecond
	p.printTable([][2]string{
		{"merchant", merchant},
		{"time", now.In(snap.Location()).Format(time.DateTime + " -07:00")},
		{"ahead by", ahead.String()},
	})
	return nil
}

// merchantNow is the merchant's clock.
func merchantNow(snap *loyalty.Snapshot) loyalty.Instant {
	return loyalty.InstantOf(time.Now()) + loyalty.Instant(snap.ClockOffset)
}
