package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/memberd/memberd/internal/loyalty"
)

type checkCommand struct {
	commonFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// checkRange is how many members are read in one snapshot: short enough that
// nothing else notices.
const checkRange = 1_000

// checkResult is the whole answer.
type checkResult struct {
	Members     int               `json:"members"`
	Differences []checkDifference `json:"differences"`
}

type checkDifference struct {
	Member     int64  `json:"member"`
	MemberID   string `json:"member_id"`
	Field      string `json:"field"`
	Stored     string `json:"stored"`
	Recomputed string `json:"recomputed"`
}

func (c *checkCommand) Run(p *program) error {
	pl, err := p.open(p.ctx)
	if err != nil {
		return err
	}
	defer pl.Close()
	result := checkResult{Differences: []checkDifference{}}
	watched := isTerminal(p.stderr)
	for from, more := int64(0), true; more; {
		next, checked, found, err := pl.store.Verify(p.ctx, from, checkRange)
		if err != nil {
			return fmt.Errorf("check: %w", err)
		}
		result.Members += checked
		for _, d := range found {
			result.Differences = append(result.Differences, checkDifference{d.Member, loyalty.MemberIDText(d.Member), d.Field, d.Stored, d.Recomputed})
		}
		if watched {
			fmt.Fprintf(p.stderr, "\r%d members checked, %d differences", result.Members, len(result.Differences))
		}
		if next != 0 && next <= from {
			return fmt.Errorf("check: stuck at member %d", from)
		}
		from, more = next, next != 0
	}
	if watched {
		fmt.Fprintln(p.stderr)
	}
	if c.JSON {
		if err := p.printJSON(result); err != nil {
			return err
		}
	} else if err := p.printDifferences(result); err != nil {
		return err
	}
	if len(result.Differences) > 0 {
		return &exitError{code: exitNo}
	}
	return nil
}

func (p *program) printDifferences(result checkResult) error {
	if len(result.Differences) > 0 {
		w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "MEMBER\tFIELD\tSTORED\tRECOMPUTED")
		for _, d := range result.Differences {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.MemberID, d.Field, d.Stored, d.Recomputed)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(p.stdout, "%d members checked, %d differences\n", result.Members, len(result.Differences))
	return err
}
