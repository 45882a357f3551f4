package bench

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// mixedOutcome is two seconds of queries and changes.
func mixedOutcome() *outcome {
	o := &outcome{unsent: *newTally(), seconds: 2 * time.Second}
	queries, changes := newTally(), newTally()
	for range 3000 {
		queries.add("", 800*time.Microsecond, time.Time{})
	}
	for range 999 {
		changes.add("", 2*ms, time.Time{})
	}
	changes.add("", 12*time.Second, time.Time{})
	changes.add("500 (HTTP 503)", ms, time.Time{})
	o.operations[opQuery], o.operations[opChange] = queries, changes
	return o
}

var mixedOptions = Options{Scenario: "mixed", Door: Gateway, Connections: 64, Members: make([]string, 1000), Zipf: 1.1, Seed: 5, WarmUp: 500 * ms}

// The JSON form is a contract: programs read it.
func TestReportJSON(t *testing.T) {
	t.Parallel()
	r := mixedOutcome().report(mixedOptions)
	r.BeganAt = "2026-12-01T00:00:00Z"
	got, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want := `{
 "scenario": "mixed",
 "door": "gateway",
 "loop": "closed",
 "connections": 64,
 "members": 1000,
 "zipf": 1.1,
 "seed": 5,
 "began_at": "2026-12-01T00:00:00Z",
 "warm_up_ms": 500,
 "duration_ms": 2000,
 "unsent": 0,
 "calls": 4000,
 "calls_per_second": 2000,
 "failed": 1,
 "errors": {
  "500 (HTTP 503)": 1
 },
 "latency_us": {
  "mean": 4099,
  "p50": 800,
  "p90": 2000,
  "p99": 2000,
  "p99_9": 2000,
  "max": 12000000
 },
 "operations": [
  {
   "name": "query",
   "calls": 3000,
   "calls_per_second": 1500,
   "failed": 0,
   "errors": {},
   "latency_us": {
    "mean": 800,
    "p50": 800,
    "p90": 800,
    "p99": 800,
    "p99_9": 800,
    "max": 800
   }
  },
  {
   "name": "change",
   "calls": 1000,
   "calls_per_second": 500,
   "failed": 1,
   "errors": {
    "500 (HTTP 503)": 1
   },
   "latency_us": {
    "mean": 13998,
    "p50": 2000,
    "p90": 2000,
    "p99": 2000,
    "p99_9": 2000,
    "max": 12000000
   }
  }
 ]
}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReportForPeople(t *testing.T) {
	t.Parallel()
	o := mixedOutcome()
	o.unsent.failed = 1234567
	o.unsent.times.record(3 * time.Second)
	options := mixedOptions
	options.Rate = 5000
	var b strings.Builder
	o.report(options).Print(&b)
	for _, want := range []string{
		"mixed through the gateway: 64 connections, open loop at 5,000/s, 1,000 members by Zipf 1.1, 2.0 s after 0.5 s of warm-up",
		"calls  failed  calls/s", "800 µs", "2.00 ms", "12.0 s", "p99.9",
		"1,234,567 calls were due and never sent",
		"errors:\n  1  500 (HTTP 503)\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &b)
		}
	}
	line := Progress{Elapsed: 3 * time.Second, Calls: 24000, Since: time.Second, Mean: 2610 * time.Microsecond, Failed: 2}.Line()
	for _, want := range []string{"3 s", "24,000 calls/s", "2.61 ms", "failed 2", "warm-up"} {
		if !strings.Contains(line, want) {
			t.Errorf("%q is missing in %q", want, line)
		}
	}
}
