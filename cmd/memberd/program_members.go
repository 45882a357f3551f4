package main

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store"
)

// multiplierReach is a multiplier that differs between two programmes, and the
// members whom it is for by level, label and birthday. What else it asks for,
// such as stores and hours, is a matter of the single purchase.
type multiplierReach struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Change string `json:"change"` // added, changed or removed
	// Everybody: it asks for nothing of a member, and nobody is counted.
	Everybody bool `json:"everybody,omitempty"`
	Now       int  `json:"now"`  // under the present programme; of levels as they are
	Then      int  `json:"then"` // under the other one, of levels as they would be
	// Born is how many of Then, or of Now where it is removed, have their
	// birthday in the present month; nil where it does not ask for birthdays.
	Born *int `json:"born_this_month,omitempty"`

	old, next *loyalty.Condition
}

// reaches are the multipliers that differ, in the order of the new programme,
// those that are removed behind them.
func reaches(old, next loyalty.Settings) (list []multiplierReach) {
	find := func(s loyalty.Settings, id string) *loyalty.Multiplier {
		i := slices.IndexFunc(s.Points.Multipliers, func(m loyalty.Multiplier) bool { return m.ID == id })
		if i < 0 {
			return nil
		}
		return &s.Points.Multipliers[i]
	}
	for i := range next.Points.Multipliers {
		m := &next.Points.Multipliers[i]
		switch was := find(old, m.ID); {
		case was == nil:
			list = append(list, reachOf(m, "added", nil, &m.When))
		case !reflect.DeepEqual(was, m):
			list = append(list, reachOf(m, "changed", &was.When, &m.When))
		}
	}
	for i := range old.Points.Multipliers {
		if m := &old.Points.Multipliers[i]; find(next, m.ID) == nil {
			list = append(list, reachOf(m, "removed", &m.When, nil))
		}
	}
	return list
}

func reachOf(m *loyalty.Multiplier, change string, old, next *loyalty.Condition) multiplierReach {
	r := multiplierReach{ID: m.ID, Name: m.Name, Change: change, old: old, next: next}
	if r.Everybody = !r.asks(ofMembers); !r.Everybody && r.latest().Birthday != "" {
		r.Born = new(int)
	}
	return r
}

// latest is the condition as it will be, or as it was where it is removed.
func (r *multiplierReach) latest() *loyalty.Condition {
	if r.next != nil {
		return r.next
	}
	return r.old
}

// asks tells whether either condition asks for something.
func (r *multiplierReach) asks(what func(*loyalty.Condition) bool) bool {
	return r.old != nil && what(r.old) || r.next != nil && what(r.next)
}

func ofMembers(c *loyalty.Condition) bool {
	return len(c.Levels)+len(c.Labels) > 0 || c.Birthday != ""
}

func ofLabels(c *loyalty.Condition) bool { return len(c.Labels) > 0 }

// count adds a member that has one level now and another one then.
func (r *multiplierReach) count(m *store.Standing, now, then int64, month time.Month) {
	is, will := isFor(r.old, m, now), isFor(r.next, m, then)
	if is {
		r.Now++
	}
	if will {
		r.Then++
	}
	if r.Born != nil && m.Month == month && (will || r.next == nil && is) {
		*r.Born++
	}
}

// isFor tells whether a condition can hold for a member at all.
func isFor(c *loyalty.Condition, m *store.Standing, level int64) bool {
	return c != nil && (len(c.Levels) == 0 || slices.Contains(c.Levels, level)) &&
		(c.Birthday == "" || m.Month != 0) &&
		(len(c.Labels) == 0 || slices.ContainsFunc(m.Labels, func(l string) bool { return slices.Contains(c.Labels, l) }))
}

// countMembers goes through the members once, if there is something to count.
// Those that are erased are left out.
func (pl *platform) countMembers(p *program, now, then *loyalty.Snapshot, plan *programmePlan) error {
	moves := movesLevels(plan.Changes)
	asked, labels := false, false
	for i := range plan.Multipliers {
		r := &plan.Multipliers[i]
		asked = asked || !r.Everybody
		labels = labels || r.asks(ofLabels)
	}
	if !moves && !asked {
		return nil
	}
	at := merchantNow(now)
	local := at.In(now.Location())
	counts := &levelCounts{At: local.Format(time.DateTime)}
	before, after := map[int64]int{}, map[int64]int{}
	seen, watched := 0, isTerminal(p.stderr)
	err := pl.store.EachMember(p.ctx, now.Merchant, labels, func(m *store.Standing) error {
		if m.Status == loyalty.Erased {
			counts.Erased++
			return nil
		}
		is, _ := loyalty.AsOf(m.Member, nil, now, at) // without lots: levels do not hang on them
		will, _ := loyalty.AsOf(is, nil, then, at)
		before[is.Level]++
		after[will.Level]++
		counts.move(is.Level, will.Level)
		for i := range plan.Multipliers {
			plan.Multipliers[i].count(m, is.Level, will.Level, local.Month())
		}
		const step = 1_000
		if seen++; watched && seen%step == 0 {
			fmt.Fprintf(p.stderr, "\r%d members", seen)
		}
		return nil
	})
	if watched {
		fmt.Fprint(p.stderr, "\r\x1b[K")
	}
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	if moves {
		counts.Levels = levelRows(now, then, before, after)
		plan.Members = counts
	}
	return nil
}

func (c *levelCounts) move(from, to int64) {
	switch {
	case to > from:
		c.Rise++
	case to < from:
		c.Fall++
	default:
		c.Keep++
	}
}

func (plan *programmePlan) printReach(p *program) {
	if len(plan.Multipliers) == 0 {
		return
	}
	fmt.Fprintln(p.stdout, "\nMembers whom multipliers are for, by level, label and known birthday:")
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  MULTIPLIER\tCHANGE\tNOW\tTHEN\tBORN THIS MONTH\tNAME")
	for _, r := range plan.Multipliers {
		now, then, born := "all", "all", "-"
		if !r.Everybody {
			now, then = strconv.Itoa(r.Now), strconv.Itoa(r.Then)
		}
		if r.old == nil {
			now = "-"
		}
		if r.next == nil {
			then = "-"
		}
		if r.Born != nil {
			born = strconv.Itoa(*r.Born)
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\n", harmless(r.ID), r.Change, now, then, born, dash(harmless(r.Name)))
	}
	_ = w.Flush()
}
