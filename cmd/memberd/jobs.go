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

// runJobs runs jobs for a merchant in their order, once, whoever holds the
// lease, and tells what each has done.
func runJobs(ctx context.Context, list []jobs.Job, merchant string, tell func(name string, done int)) error {
	for _, j := range list {
		n, err := j.Run(ctx, merchant)
		tell(j.Name, n)
		if err != nil {
			return fmt.Errorf("job %s: %w", j.Name, err)
		}
	}
	return nil
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
	pl, _, err := p.openMerchant(c.Merchant)
	if err != nil {
		return err
	}
	defer pl.Close()
	w := pl.newWriter(writer.Options{})
	defer w.Close()
	list := pl.standardJobs(w)
	if c.Name != "all" {
		names := jobNames(list)
		i := slices.Index(names, c.Name)
		if i < 0 {
			return wrongly("there is no job %q; there are all, %s", c.Name, strings.Join(names, ", "))
		}
		list = list[i : i+1]
	}
	return runJobs(p.ctx, list, c.Merchant, func(name string, done int) {
		fmt.Fprintf(p.stdout, "%s: %d\n", name, done)
	})
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
	jobs.Levels:   "bring members to levels or periods that were changed",
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
