package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/programme"
)

// programmePlan is what another programme would change.
type programmePlan struct {
	Merchant string             `json:"merchant"`
	Version  int64              `json:"version"` // of the settings that would be replaced
	Changes  []programme.Change `json:"changes"`
	Areas    []programme.Area   `json:"areas"`
	// Members is who would have another level; nil when nobody can.
	Members *levelCounts `json:"members,omitempty"`
	// Multipliers are those that differ, with the members whom they are for.
	Multipliers []multiplierReach `json:"multipliers,omitempty"`
	// Unknown are the change events that would be known no more.
	Unknown []string `json:"events_refused,omitempty"`
}

// levelCounts are the members by level, now and under another programme.
type levelCounts struct {
	At     string       `json:"at"` // on the merchant's clocks
	Rise   int          `json:"rise"`
	Keep   int          `json:"keep"`
	Fall   int          `json:"fall"`
	Erased int          `json:"erased"` // who are not counted, though memberd check looks at them
	Levels []levelCount `json:"levels"`
}

type levelCount struct {
	Number int64  `json:"number"`
	Name   string `json:"name"`
	Now    int    `json:"now"`
	Then   int    `json:"then"`
}

// planProgramme compares the present rules with what they would be.
func (pl *platform) planProgramme(p *program, snap *loyalty.Snapshot, next loyalty.Settings) (*programmePlan, error) {
	plan := &programmePlan{Merchant: snap.Merchant, Version: snap.Version, Changes: programme.Diff(snap.Settings, next)}
	plan.Areas = programme.AreasOf(plan.Changes, next)
	if plan.Changes == nil {
		plan.Changes, plan.Areas = []programme.Change{}, []programme.Area{}
	}
	then, err := loyalty.NewSnapshot(snap.Merchant, snap.Version+1, snap.ClockOffset, next)
	if err != nil {
		return nil, err
	}
	plan.Unknown = removedEvents(snap.Settings, next)
	plan.Multipliers = reaches(snap.Settings, next)
	return plan, pl.countMembers(p, snap, then, plan)
}

// removedEvents are names of change events that only old has.
func removedEvents(old, next loyalty.Settings) (names []string) {
	for _, e := range old.Events {
		if !slices.ContainsFunc(next.Events, func(n loyalty.Event) bool { return n.Name == e.Name }) {
			names = append(names, e.Name)
		}
	}
	return names
}

// movesLevels tells whether a change can give anybody another level at once.
func movesLevels(changes []programme.Change) bool {
	for _, c := range changes {
		for _, prefix := range []string{"zone", "growth.period", "growth.downgrade", "level"} {
			if strings.HasPrefix(c.Key, prefix) {
				return true
			}
		}
	}
	return false
}

// levelRows are the levels of both programmes, ascending, and whatever other
// level somebody has.
func levelRows(now, then *loyalty.Snapshot, before, after map[int64]int) []levelCount {
	names := map[int64]string{}
	for _, snap := range []*loyalty.Snapshot{now, then} {
		for _, l := range snap.Levels {
			names[l.Number] = l.Name
		}
	}
	for _, counts := range []map[int64]int{before, after} {
		for number := range counts {
			if _, there := names[number]; !there {
				names[number] = ""
			}
		}
	}
	rows := []levelCount{}
	for _, number := range slices.Sorted(maps.Keys(names)) {
		rows = append(rows, levelCount{number, names[number], before[number], after[number]})
	}
	return rows
}

func (plan *programmePlan) print(p *program) {
	if len(plan.Changes) == 0 {
		fmt.Fprintf(p.stdout, "merchant %s: no change\n", plan.Merchant)
		return
	}
	fmt.Fprintf(p.stdout, "merchant %s, settings version %d\n\nChanges:\n", plan.Merchant, plan.Version)
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, c := range plan.Changes {
		fmt.Fprintf(w, "  %s\t%s -> %s\n", harmless(c.Key), shortened(c.Old), shortened(c.New))
	}
	_ = w.Flush()
	fmt.Fprintln(p.stdout, "\nWhat they touch, from the moment of applying on:")
	for _, a := range plan.Areas {
		fmt.Fprintf(p.stdout, "  %s: %s.\n", a.Name, a.Effect)
	}
	for _, name := range plan.Unknown {
		fmt.Fprintf(p.stdout, "\nCalls with change_event %s will be refused with 1001.\n", harmless(name))
	}
	plan.printReach(p)
	plan.printLevels(p)
}

func (plan *programmePlan) printLevels(p *program) {
	m := plan.Members
	if m == nil {
		fmt.Fprintln(p.stdout, "\nEvery member keeps its level.")
		return
	}
	fmt.Fprintf(p.stdout, "\nMembers as of %s: %d rise, %d keep their level, %d fall.\n", m.At, m.Rise, m.Keep, m.Fall)
	if m.Erased > 0 {
		fmt.Fprintf(p.stdout, "Erased members are not among them: %d.\n", m.Erased)
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  LEVEL\tNOW\tTHEN\tNAME")
	for _, l := range m.Levels {
		fmt.Fprintf(w, "  %d\t%d\t%d\t%s\n", l.Number, l.Now, l.Then, dash(harmless(l.Name)))
	}
	_ = w.Flush()
}

// shortened is a value of a change: lists of goods can have thousands of members.
func shortened(value string) string {
	const most = 200
	if text := []rune(value); len(text) > most {
		value = string(text[:most]) + "... (--json has all of it)"
	}
	return dash(harmless(value))
}
