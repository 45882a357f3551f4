package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/memberd/memberd/internal/backtest"
	"github.com/memberd/memberd/internal/loyalty"
)

type programSimulate struct {
	ofMerchant
	File  string `arg:"" placeholder:"FILE" help:"A programme file, - for standard input."`
	Since string `name:"since" required:"" placeholder:"DATE" help:"From which day on what was booked is run again, as 2026-01-31 in the merchant's zone."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// Run reads each member's history in one short look at the database and writes
// nothing, so that it can be used beside a running server.
func (c *programSimulate) Run(p *program) error {
	pl, snap, err := c.rules(p)
	if err != nil {
		return err
	}
	defer pl.Close()
	since, err := time.ParseInLocation(time.DateOnly, c.Since, snap.Location())
	if err != nil {
		return wrongly("--since %q is no date: one like 2026-01-31 is wanted", c.Since)
	}
	if merchantNow(snap) < loyalty.InstantOf(since) {
		return wrongly("--since %s has not come yet", c.Since)
	}
	file, err := p.readProgramme(c.File, snap)
	if err != nil {
		return err
	}
	candidate, err := loyalty.NewSnapshot(snap.Merchant, snap.Version+1, snap.ClockOffset, file.Settings)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	past, err := pl.pastRules(p, snap)
	if err != nil {
		return err
	}
	report, err := pl.backTest(p, loyalty.BackTest{
		Present: snap, Candidate: candidate, Since: loyalty.InstantOf(since), Past: past,
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return p.printJSON(report)
	}
	p.printBackTest(report, c.File, since, outside(candidate, loyalty.InstantOf(since), merchantNow(snap)))
	return nil
}

// backTest runs every member's history again.
func (pl *platform) backTest(p *program, test loyalty.BackTest) (*backtest.Report, error) {
	merchant := test.Present.Merchant
	all, err := pl.store.Members(p.ctx, loyalty.MemberFilter{Merchant: merchant}, loyalty.InstantOf(time.Now()), 1, 1)
	if err != nil {
		return nil, err
	}
	report := backtest.NewReport(test.Present, test.Candidate)
	bar := p.bar("members", all.Total)
	defer bar.done()
	for last := int64(0); ; {
		history, found, err := pl.store.History(p.ctx, merchant, last)
		if err != nil {
			return nil, err
		}
		if !found {
			report.Finish()
			return report, nil
		}
		last = history.Member.ID
		test.Now = merchantNow(test.Present)
		replayed, err := test.Run(history)
		if err != nil {
			return nil, fmt.Errorf("member %d: %w", last, err)
		}
		report.Add(replayed)
		bar.add()
	}
}

// pastRules are all versions of a merchant's settings, ascending. They came by
// the real clock; a sandbox's is ahead of that, and was perhaps less so then.
func (pl *platform) pastRules(p *program, snap *loyalty.Snapshot) ([]loyalty.PastRules, error) {
	versions, err := pl.store.SettingsVersions(p.ctx, snap.Merchant)
	if err != nil {
		return nil, err
	}
	past := make([]loyalty.PastRules, 0, len(versions))
	for _, v := range slices.Backward(versions) {
		settings, err := pl.store.SettingsAt(p.ctx, snap.Merchant, v.Version)
		if err != nil {
			return nil, err
		}
		rules, err := loyalty.NewSnapshot(snap.Merchant, v.Version, snap.ClockOffset, settings)
		if err != nil {
			return nil, fmt.Errorf("version %d: %w", v.Version, err)
		}
		past = append(past, loyalty.PastRules{From: v.ChangedAt + loyalty.Instant(snap.ClockOffset), Snapshot: rules})
	}
	return past, nil
}

func (p *program) printBackTest(r *backtest.Report, file string, since time.Time, notes []string) {
	fmt.Fprintf(p.stdout, "What was booked since %s, run again under %s. Nothing has been written.\n", since.Format(time.DateTime), harmless(file))
	for _, note := range notes {
		fmt.Fprintln(p.stdout, harmless(note))
	}
	fmt.Fprintln(p.stdout)
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "points\tas booked\tas simulated\tdifference\t")
	for _, row := range []struct {
		name          string
		before, after int64
	}{
		{"granted", r.Before.Granted, r.After.Granted},
		{"clawed back", r.Before.TakenOff, r.After.TakenOff},
		{"spent", r.Before.Spent, r.After.Spent},
		{"expired", r.Before.Expired, r.After.Expired},
		{"written off", r.Before.WrittenOff, r.After.WrittenOff},
		{"liability now", r.Before.Liability, r.After.Liability},
		{"deficits now", r.Before.Deficit, r.After.Deficit},
	} {
		fmt.Fprintf(w, "%s\t%d\t%d\t%+d\t\n", row.name, row.before, row.after, row.after-row.before)
	}
	_ = w.Flush()
	fmt.Fprintf(p.stdout, "\nmembers: %d, of whom %d would have the very same ledger\n", r.Members, r.Same)
	for _, reason := range slices.Sorted(maps.Keys(r.Refused)) {
		fmt.Fprintf(p.stdout, "calls that would have been refused, %s: %d\n", reason, r.Refused[reason])
	}
	fmt.Fprintln(p.stdout, "\nby the level that members hold now")
	w = tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "level\tmembers\tsimulated\twinners\tpoints won\tlosers\tpoints lost\t  name")
	for _, l := range r.Levels {
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t%d\t%d\t  %s\n", l.Number, l.Before, l.After, l.Winners, l.Won, l.Losers, l.Lost, harmless(l.Name))
	}
	_ = w.Flush()
}

// progressBar shows on a terminal how far a long read has come.
type progressBar struct {
	p           *program
	what        string
	total, seen int64
	shown       time.Time
	watched     bool
}

func (p *program) bar(what string, total int64) *progressBar {
	return &progressBar{p: p, what: what, total: total, watched: isTerminal(p.stderr)}
}

func (b *progressBar) add() {
	b.seen++
	const pause = 100 * time.Millisecond
	if !b.watched || time.Since(b.shown) < pause {
		return
	}
	b.shown = time.Now()
	const width = 30
	full := int(width * min(b.seen, b.total) / max(b.total, 1))
	fmt.Fprintf(b.p.stderr, "\r[%s%s] %d of %d %s", strings.Repeat("#", full), strings.Repeat(".", width-full), b.seen, b.total, b.what)
}

func (b *progressBar) done() {
	if b.watched {
		fmt.Fprint(b.p.stderr, "\r\x1b[K")
	}
}
