package sim_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// figures are what a run prints in the end, with go test -v. The document about
// reliability takes its numbers from there.
type figures struct {
	mu         sync.Mutex
	counts     map[string]int
	order      []string
	recoveries []time.Duration
}

// count adds to a number that has a name.
func (f *figures) count(what string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts == nil {
		f.counts = map[string]int{}
	}
	if _, ok := f.counts[what]; !ok {
		f.order = append(f.order, what)
	}
	f.counts[what] += n
}

// recovered notes how long it took until changes were booked again: since the
// process was killed, or since the cause was gone.
func (f *figures) recovered(took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.recoveries = append(f.recoveries, took)
}

func (f *figures) print(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	var parts []string
	for _, what := range f.order {
		parts = append(parts, fmt.Sprintf("%s %d", what, f.counts[what]))
	}
	if n := len(f.recoveries); n > 0 {
		slices.Sort(f.recoveries)
		parts = append(parts, fmt.Sprintf("recoveries %d, time to recovery: median %s, longest %s",
			n, f.recoveries[n/2].Round(time.Millisecond), f.recoveries[n-1].Round(time.Millisecond)))
	}
	t.Logf("figures: %s", strings.Join(parts, ", "))
}
