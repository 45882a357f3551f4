package bench

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A histogram counts times in microseconds, with three digits, up to an hour;
// what took longer counts as an hour. It is not safe for concurrent use: each
// connection has its own, and they are merged at the end.
type histogram struct {
	times *hdrhistogram.Histogram
	sum   time.Duration
	max   time.Duration
}

const longest = time.Hour

func newHistogram() *histogram {
	const digits = 3
	return &histogram{times: hdrhistogram.New(1, longest.Microseconds(), digits)}
}

func (h *histogram) record(took time.Duration) {
	took = min(max(took, 0), longest)
	_ = h.times.RecordValue(took.Microseconds()) // within its bounds
	h.sum += took
	h.max = max(h.max, took)
}

func (h *histogram) merge(other *histogram) {
	h.times.Merge(other.times)
	h.sum += other.sum
	h.max = max(h.max, other.max)
}

// Latency is a distribution of times in microseconds: P99 is the time that 99 of
// 100 calls did not exceed. The percentiles have three digits, the maximum all.
type Latency struct {
	Mean int64 `json:"mean"`
	P50  int64 `json:"p50"`
	P90  int64 `json:"p90"`
	P99  int64 `json:"p99"`
	P999 int64 `json:"p99_9"`
	Max  int64 `json:"max"`
}

func (h *histogram) latency() Latency {
	n := h.times.TotalCount()
	if n == 0 {
		return Latency{}
	}
	most := h.max.Microseconds()
	at := func(percentile float64) int64 {
		// A percentile is the upper end of its bucket, which may lie above the
		// largest value in it.
		return min(h.times.ValueAtPercentile(percentile), most)
	}
	return Latency{
		Mean: h.sum.Microseconds() / n,
		P50:  at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: most,
	}
}
