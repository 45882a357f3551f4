package main

import (
	"strings"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/bench"
)

// Each step is compared with the echo of its own round and its own number of
// connections, and the medians are those of the ratios.
func TestTable(t *testing.T) {
	t.Parallel()
	reports := func(factor float64) []bench.Report {
		list := make([]bench.Report, len(steps))
		for i, s := range steps {
			list[i].PerSecond = float64(s.connections) * 100 * factor
			if s.scenario != bench.Echo {
				list[i].PerSecond *= 0.4 / factor // a figure that does not go with the machine's mood
			}
			if s.single {
				list[i].PerSecond /= 4 * factor
			}
			list[i].Latency = bench.Latency{P50: 1500, P99: int64(9000 * factor), P999: 12345}
		}
		return list
	}
	broken := reports(4)
	broken[1].Failed, broken[1].Errors = 3, map[string]int64{"timeout": 2, "500 (HTTP 503)": 1}
	r := results{"SQLite": {reports(1), reports(2), broken}}
	var b strings.Builder
	r.print(&b, []database{{name: "SQLite"}}, settings{rounds: 3, duration: time.Second})
	for _, want := range []string{
		"| closed loop | connections | SQLite, calls/s | of L | p50 | p99 |\n|---|---|---|---|---|---|\n",
		"| echo | 64 | 12800 (6400, 25600) | 1.00 | 1.50 ms | 18.00 ms |\n",
		"| points-change | 64 | 2560 (2560, 2560) | 0.20 | 1.50 ms | 18.00 ms |\n",
		"\nBatches against a transaction each: 8.0 times on SQLite.\n",
		"| echo | 256 | 51200 (25600, 102400) | 1.00 |",
		"| points-change | 256 | 10240 (10240, 10240) | 0.20 |",
		"| points-change at 1,000/s | 10240 | 1.50 ms | 18.00 ms | 12.35 ms | 0 |\n",
		"Failed in round 3, SQLite, points-change: 1 500 (HTTP 503), 2 timeout\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &b)
		}
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for want, list := range map[float64][]float64{7: {7}, 2: {3, 1, 2}, 2.5: {4, 1, 3, 2}} {
		if got := median(list); got != want {
			t.Errorf("median of %v is %v, want %v", list, got, want)
		}
	}
}
