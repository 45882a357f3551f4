package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/memberd/memberd/internal/bench"
)

// results are the reports of each database, by round and step.
type results map[string][][]bench.Report

// print writes two tables: how much there is in the closed loop and how that
// compares with the echo, and how long calls take in the open loop.
func (r results) print(w io.Writer, databases []database, s settings) {
	fmt.Fprintf(w, "Medians of %d rounds of %s after %s of warm-up; in brackets the lowest and the highest. L is the echo with as many connections, in the same round.\n\n",
		s.rounds, s.duration, s.warmUp)
	fmt.Fprint(w, "| closed loop | connections |")
	line := "|---|---|"
	for _, d := range databases {
		fmt.Fprintf(w, " %s, calls/s | of L | p50 | p99 |", d.name)
		line += "---|---|---|---|"
	}
	fmt.Fprintln(w, "\n"+line)
	r.rows(w, databases, false, func(rounds [][]bench.Report, i int) string {
		rate := column(rounds, i, func(b bench.Report) float64 { return b.PerSecond })
		ratio := make([]float64, 0, len(rounds))
		for _, round := range rounds {
			ratio = append(ratio, round[i].PerSecond/echoOf(round, i).PerSecond)
		}
		return fmt.Sprintf(" %.0f (%.0f, %.0f) | %.2f | %.2f ms | %.2f ms |",
			median(rate), slices.Min(rate), slices.Max(rate), median(ratio), millis(rounds, i, p50), millis(rounds, i, p99))
	})
	r.batching(w, databases)
	fmt.Fprint(w, "\n| open loop |")
	line = "|---|"
	for _, d := range databases {
		fmt.Fprintf(w, " %s, calls/s | p50 | p99 | p99.9 | unsent |", d.name)
		line += "---|---|---|---|---|"
	}
	fmt.Fprintln(w, "\n"+line)
	r.rows(w, databases, true, func(rounds [][]bench.Report, i int) string {
		return fmt.Sprintf(" %.0f | %.2f ms | %.2f ms | %.2f ms | %.0f |",
			median(column(rounds, i, func(b bench.Report) float64 { return b.PerSecond })),
			millis(rounds, i, p50), millis(rounds, i, p99), millis(rounds, i, p999),
			median(column(rounds, i, func(b bench.Report) float64 { return float64(b.Unsent) })))
	})
	r.failures(w, databases)
}

// batching says how many times as many calls there are in batches as with a
// transaction each.
func (r results) batching(w io.Writer, databases []database) {
	single := slices.IndexFunc(steps, func(s step) bool { return s.single })
	same := steps[single]
	same.name, same.single = same.scenario, false
	batches := slices.Index(steps, same)
	var found []string
	for _, d := range databases {
		ratio := make([]float64, 0, len(r[d.name]))
		for _, round := range r[d.name] {
			ratio = append(ratio, round[batches].PerSecond/round[single].PerSecond)
		}
		found = append(found, fmt.Sprintf("%.1f times on %s", median(ratio), d.name))
	}
	fmt.Fprintf(w, "\nBatches against a transaction each: %s.\n", strings.Join(found, ", "))
}

func p50(l bench.Latency) int64  { return l.P50 }
func p99(l bench.Latency) int64  { return l.P99 }
func p999(l bench.Latency) int64 { return l.P999 }

// rows writes a row for each step of one kind of loop.
func (r results) rows(w io.Writer, databases []database, open bool, cells func(rounds [][]bench.Report, i int) string) {
	for i, step := range steps {
		if (step.rate > 0) != open {
			continue
		}
		fmt.Fprintf(w, "| %s |", step.name)
		if !open {
			fmt.Fprintf(w, " %d |", step.connections)
		}
		for _, d := range databases {
			fmt.Fprint(w, cells(r[d.name], i))
		}
		fmt.Fprintln(w)
	}
}

// failures names what went wrong; figures of a run with failures mean little.
func (r results) failures(w io.Writer, databases []database) {
	for _, d := range databases {
		for round, reports := range r[d.name] {
			for i, b := range reports {
				if b.Failed == 0 {
					continue
				}
				var list []string
				for failure, n := range b.Errors {
					list = append(list, fmt.Sprintf("%d %s", n, failure))
				}
				slices.Sort(list)
				fmt.Fprintf(w, "\nFailed in round %d, %s, %s: %s\n", round+1, d.name, steps[i].name, strings.Join(list, ", "))
			}
		}
	}
}

// echoOf is the echo with as many connections as step i has.
func echoOf(round []bench.Report, i int) bench.Report {
	for j, step := range steps {
		if step.scenario == bench.Echo && step.connections == steps[i].connections {
			return round[j]
		}
	}
	panic("a step without an echo")
}

// column is one figure of step i in all rounds.
func column(rounds [][]bench.Report, i int, figure func(bench.Report) float64) []float64 {
	list := make([]float64, 0, len(rounds))
	for _, round := range rounds {
		list = append(list, figure(round[i]))
	}
	return list
}

func millis(rounds [][]bench.Report, i int, of func(bench.Latency) int64) float64 {
	const micros = 1000
	return median(column(rounds, i, func(b bench.Report) float64 { return float64(of(b.Latency)) / micros }))
}

// median is the middle one, or the mean of the two in the middle.
func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}
