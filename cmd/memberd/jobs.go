package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/memberd/memberd/internal/jobs"
	"github.com/memberd/memberd/internal/writer"
)

// newRunner runs what happens by itself, in one process of all.
func (pl *platform) newRunner(w *writer.Writer, observer jobs.Observer) *jobs.Runner {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return &jobs.Runner{
		Storage: pl.store, Jobs: pl.standardJobs(w), Logger: pl.logger, Observer: observer,
		Owner: fmt.Sprintf("%s-%d-%s", host, os.Getpid(), randomHex()[:8]),
	}
}

func (pl *platform) standardJobs(w *writer.Writer) []jobs.Job {
	worker := jobs.Worker{Look: pl.store, Writer: w}
	return worker.Standard()
}

// runJobs runs jobs of a merchant in their order, once, whoever holds the lease.
func (pl *platform) runJobs(ctx context.Context, w *writer.Writer, merchant string, names ...string) (done map[string]int, err error) {
	done = map[string]int{}
	for _, j := range pl.standardJobs(w) {
		if len(names) > 0 && !slices.Contains(names, j.Name) {
			continue
		}
		n, err := j.Run(ctx, merchant)
		done[j.Name] = n
		if err != nil {
			return done, fmt.Errorf("job %s: %w", j.Name, err)
		}
	}
	return done, nil
}

type jobsCommand struct {
	commonFlags
	Run  jobsRun  `cmd:"" help:"Run one job for one merchant now; a server does it by itself."`
	List jobsList `cmd:"" help:"List the jobs."`
}

type jobsRun struct {
	Name     string `arg:"" placeholder:"NAME" help:"Which job, or all."`
	Merchant string `name:"merchant" required:"" placeholder:"ID" help:"For which merchant."`
}

// Run is safe beside a server: what is done is not due any more.
func (c *jobsRun) Run(p *program) error {
	pl, err := p.open(p.ctx)
	if err != nil {
		return err
	}
	defer pl.Close()
	if _, err := pl.access.Merchant(p.ctx, c.Merchant); err != nil {
		return refused(err, "")
	}
	w := pl.newWriter(writer.Options{})
	defer w.Close()
	var names []string
	if c.Name != "all" {
		if !slices.Contains(jobNames(pl.standardJobs(w)), c.Name) {
			return wrongly("there is no job %q; there are all, %s", c.Name, strings.Join(jobNames(pl.standardJobs(w)), ", "))
		}
		names = []string{c.Name}
	}
	done, err := pl.runJobs(p.ctx, w, c.Merchant, names...)
	for _, j := range pl.standardJobs(w) {
		if n, ran := done[j.Name]; ran {
			fmt.Fprintf(p.stdout, "%s: %d\n", j.Name, n)
		}
	}
	return err
}

func jobNames(list []jobs.Job) []string {
	names := make([]string, len(list))
	for i, j := range list {
		names[i] = j.Name
	}
	return names
}

type jobsList struct{}

// jobTexts say what each job does.
var jobTexts = map[string]string{
	jobs.Due:      "book points that are released or expire, and levels at a period's end",
	jobs.Coupons:  "book the end of coupons",
	jobs.Expiring: "tell partners which points will expire",
	jobs.Refunds:  "give up parked refunds whose order never came",
	jobs.Cleanup:  "delete tokens and idempotency keys past their life",
}

func (c *jobsList) Run(p *program) error {
	var rows [][2]string
	for _, j := range (&jobs.Worker{}).Standard() {
		rows = append(rows, [2]string{j.Name, fmt.Sprintf("%s (every %v)", jobTexts[j.Name], j.Every)})
	}
	p.printTable(rows)
	return nil
}
