package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/reconcile"
)

// dayFlags name a day of one merchant and what a partner's file is about.
type dayFlags struct {
	Merchant string `name:"merchant" required:"" placeholder:"ID" help:"The merchant whose day it is."`
	Date     string `name:"date" required:"" placeholder:"DATE" help:"The day, such as 2026-11-22, in the merchant's zone. What counts is when a line was booked."`
	Store    string `name:"store" placeholder:"STORE" help:"Only what callers named this store for."`
	App      string `name:"app" placeholder:"APP_ID" help:"Only what came through this app."`
	Space    string `name:"space" placeholder:"NAME" help:"The number space of the partner's app (default: that of --app, else the one that the merchant's apps share)."`
}

// openDay is an open platform and what the flags name.
type openDay struct {
	*platform
	merchant string
	day      reconcile.Day
	now      loyalty.Instant // the merchant's clock
	filter   reconcile.Filter
}

func (f *dayFlags) open(p *program) (*openDay, error) {
	pl, _, err := p.openMerchant(f.Merchant)
	if err != nil {
		return nil, err
	}
	d := &openDay{platform: pl, merchant: f.Merchant, filter: reconcile.Filter{Space: f.Space, Store: f.Store, App: f.App}}
	if err := d.look(p, f); err != nil {
		return nil, errors.Join(err, pl.Close())
	}
	return d, nil
}

func (d *openDay) look(p *program, f *dayFlags) error {
	snap, err := d.store.Snapshot(p.ctx, f.Merchant)
	if err != nil {
		return err
	}
	d.now = merchantNow(snap)
	if d.day, err = reconcile.NewDay(f.Date, snap.Location()); err != nil {
		return wrongly("--date: %w", err)
	}
	switch {
	case d.day.From > d.now:
		return wrongly("--date lies in the future: it is %s for the merchant", d.now.In(snap.Location()).Format(time.DateTime))
	case d.day.Until > d.now:
		fmt.Fprintln(p.stderr, "memberd: the day is not over, more may be booked in it")
	}
	if f.App == "" {
		return nil
	}
	apps, err := d.access.Apps(p.ctx, f.Merchant)
	if err != nil {
		return err
	}
	for _, a := range apps {
		if a.ID == f.App {
			if f.Space == "" {
				d.filter.Space = a.Space
			}
			return nil
		}
	}
	return fmt.Errorf("merchant %s has no app %s", f.Merchant, f.App)
}

// each hands over the day's lines, member after member.
func (d *openDay) each(p *program, do func(reconcile.Line) error) error {
	return d.store.EachDay(p.ctx, d.merchant, d.day.From, d.day.Until, func(m reconcile.MemberDay) error {
		for _, l := range m.Lines(d.filter) {
			if err := do(l); err != nil {
				return err
			}
		}
		return nil
	})
}

type statementCommand struct {
	commonFlags
	dayFlags
	Out string `name:"out" placeholder:"FILE" help:"Write to this file instead of standard output; it appears when it is whole."`
}

// Run works while a server does. Totals go to standard error, so that standard
// output is the file and nothing else.
func (c *statementCommand) Run(p *program) error {
	d, err := c.open(p)
	if err != nil {
		return err
	}
	defer d.Close()
	var w *reconcile.Writer
	write := func(out io.Writer) error {
		w = reconcile.NewWriter(out, d.merchant, d.day)
		if err := d.each(p, w.Write); err != nil {
			return err
		}
		return w.End()
	}
	if c.Out == "" {
		out := bufio.NewWriter(p.stdout)
		err = errors.Join(write(out), out.Flush())
	} else {
		err = whole(c.Out, write)
	}
	if err != nil {
		return fmt.Errorf("statement: %w", err)
	}
	t := tabwriter.NewWriter(p.stderr, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KIND\tLINES\tAMOUNT\tPOINTS")
	for _, kind := range reconcile.Kinds {
		if sum, ok := w.Kinds[kind]; ok {
			fmt.Fprintf(t, "%s\t%d\t%s\t%d\n", kind, sum.Lines, yuan(sum.Amount), sum.Points)
		}
	}
	fmt.Fprintf(t, "total\t%d\t%s\t%d\n", w.Totals.Lines, yuan(w.Totals.Amount), w.Totals.Points)
	return t.Flush()
}

// whole writes a file that is there when it is complete, and else not. It is for
// its owner only.
func whole(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	err = write(out)
	if err == nil {
		err = errors.Join(out.Flush(), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
