package bench

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what a run found. Its JSON form is for programs: times are in the
// unit that their names say.
type Report struct {
	Scenario    string  `json:"scenario"`
	Door        string  `json:"door"`
	Loop        string  `json:"loop"` // open or closed
	Rate        int     `json:"rate_per_second,omitempty"`
	Connections int     `json:"connections"`
	Members     int     `json:"members"`
	Zipf        float64 `json:"zipf,omitempty"`
	Seed        uint64  `json:"seed"`
	BeganAt     string  `json:"began_at"` // RFC 3339
	WarmUpMS    int64   `json:"warm_up_ms"`
	// SecondsMS is from the end of the warm-up to the last answer.
	SecondsMS int64 `json:"duration_ms"`
	// Unsent are calls of the open loop that were due and never sent, because no
	// connection was free until the end; the time that they waited is in Latency.
	Unsent int64 `json:"unsent"`
	Counts
	Operations []OperationReport `json:"operations"`
}

// OperationReport is Counts of one kind of call.
type OperationReport struct {
	Name string `json:"name"`
	Counts
}

// Counts are calls and their times. Calls went well; Failed did not, by the
// platform's number or by what happened. Latency is that of Calls, and of
// answers that were waited for in vain.
type Counts struct {
	Calls     int64            `json:"calls"`
	PerSecond float64          `json:"calls_per_second"`
	Failed    int64            `json:"failed"`
	Errors    map[string]int64 `json:"errors"`
	Latency   Latency          `json:"latency_us"`
}

func (o *outcome) report(opts Options) Report {
	r := Report{
		Scenario: opts.Scenario, Door: opts.Door, Loop: "closed", Rate: opts.Rate, Connections: opts.Connections,
		Members: len(opts.Members), Zipf: opts.Zipf, Seed: opts.Seed,
		WarmUpMS: opts.WarmUp.Milliseconds(), SecondsMS: o.seconds.Milliseconds(), Unsent: o.unsent.failed,
	}
	if opts.Rate > 0 {
		r.Loop = "open"
	}
	all := newTally()
	for op, t := range o.operations {
		if t == nil {
			continue
		}
		all.merge(t)
		r.Operations = append(r.Operations, OperationReport{operation(op).String(), o.counts(t)})
	}
	all.times.merge(o.unsent.times)
	r.Counts = o.counts(all)
	return r
}

func (o *outcome) counts(t *tally) Counts {
	c := Counts{Calls: t.calls, Failed: t.failed, Errors: t.errors, Latency: t.times.latency()}
	if o.seconds > 0 {
		c.PerSecond = float64(t.calls) / o.seconds.Seconds()
	}
	return c
}

// Print writes the report for people.
func (r Report) Print(w io.Writer) {
	members := "1 member"
	if r.Members != 1 {
		members = grouped(int64(r.Members)) + " members"
	}
	if r.Zipf != 0 {
		members += fmt.Sprintf(" by Zipf %g", r.Zipf)
	}
	loop := "closed loop"
	if r.Loop == "open" {
		loop = "open loop at " + grouped(int64(r.Rate)) + "/s"
	}
	fmt.Fprintf(w, "%s through the %s: %d connections, %s, %s, %.1f s after %.1f s of warm-up\n\n",
		r.Scenario, r.Door, r.Connections, loop, members, float64(r.SecondsMS)/1000, float64(r.WarmUpMS)/1000)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tcalls\tfailed\tcalls/s\tmean\tp50\tp90\tp99\tp99.9\tmax\t")
	row := func(name string, c Counts) {
		l := c.Latency
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t", name, grouped(c.Calls), grouped(c.Failed), grouped(int64(c.PerSecond+0.5)))
		for _, us := range []int64{l.Mean, l.P50, l.P90, l.P99, l.P999, l.Max} {
			fmt.Fprintf(t, "%s\t", shown(us))
		}
		fmt.Fprintln(t)
	}
	if len(r.Operations) > 1 {
		for _, o := range r.Operations {
			row(o.Name, o.Counts)
		}
	}
	row("all", r.Counts)
	_ = t.Flush() // standard output that is gone can't be told about it
	r.printFailures(w)
}

func (r Report) printFailures(w io.Writer) {
	if r.Unsent > 0 {
		fmt.Fprintf(w, "\n%s calls were due and never sent: no connection was free. Their waiting counts in the times.\n", grouped(r.Unsent))
	}
	if len(r.Errors) == 0 {
		fmt.Fprintln(w, "\nno errors")
		return
	}
	fmt.Fprintln(w, "\nerrors:")
	failures := slices.SortedFunc(maps.Keys(r.Errors), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Errors[b], r.Errors[a]), cmp.Compare(a, b))
	})
	for _, failure := range failures {
		fmt.Fprintf(w, "  %s  %s\n", grouped(r.Errors[failure]), failure)
	}
}

// shown is a time in microseconds, with the unit that suits it.
func shown(us int64) string {
	const ms, s = 1000, 1000 * 1000
	switch {
	case us < ms:
		return fmt.Sprintf("%d µs", us)
	case us < 100*ms:
		return fmt.Sprintf("%.2f ms", float64(us)/ms)
	case us < 10*s:
		return fmt.Sprintf("%.0f ms", float64(us)/ms)
	}
	return fmt.Sprintf("%.1f s", float64(us)/s)
}

// grouped is a number with a comma at each thousand.
func grouped(n int64) string {
	text := fmt.Sprint(n)
	var b strings.Builder
	for i, digit := range text {
		if i > 0 && (len(text)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return b.String()
}

// Line is the progress as a line on a terminal.
func (p Progress) Line() string {
	state := ""
	if !p.Warm {
		state = "  (warm-up)"
	}
	var rate int64
	if p.Since > 0 {
		rate = int64(float64(p.Calls) / p.Since.Seconds())
	}
	return fmt.Sprintf("%4.0f s  %8s calls/s  mean %9s  failed %s%s",
		p.Elapsed.Seconds(), grouped(rate), shown(p.Mean.Round(time.Microsecond).Microseconds()), grouped(p.Failed), state)
}
