package sim_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// simSpan is how long the ordinary suite tries fresh seeds; SIM_SECONDS says
// otherwise.
const simSpan = 5 * time.Second

// provenBy is how many runs must have met every fault and every situation;
// those of a minute on a machine that does nothing else.
const provenBy = 60

// One seed after the other drives both doors, the writer, SQLite, the jobs and
// the callbacks through faults, and everything agrees with the model.
// MEMBERD_SEED runs that seed alone.
func TestSimulation(t *testing.T) {
	t.Parallel()
	span := simSpan
	if testing.Short() {
		span = time.Second // a run or two
	}
	if text := os.Getenv("SIM_SECONDS"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 1 {
			t.Fatalf("SIM_SECONDS=%q: must be a number of seconds", text)
		}
		span = time.Duration(seconds) * time.Second
	}
	seed, one := uint64(time.Now().UnixNano()), false
	if text := os.Getenv("MEMBERD_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("MEMBERD_SEED: %v", err)
		}
		one = true
	}
	total, faults := map[string]int{}, map[string]int{}
	runs := 0
	for began := time.Now(); runs == 0 || !one && time.Since(began) < span; runs++ {
		t.Logf("seed %d", seed+uint64(runs)) // the last word of a run that ends in a crash
		r := simulate(t, seed+uint64(runs), simPlant{})
		if r.failed() {
			t.Fatal(r.report())
		}
		for what, n := range r.counts {
			total[what] += n
		}
		for kind, n := range r.faults.counts {
			faults[kind] += n
		}
	}
	t.Logf("%d runs from seed %d, %d calls%s%s", runs, seed, total["calls"], listed("faults", faults), listed("situations", total))
	for _, what := range simSituations() {
		if runs >= provenBy && total[what]+faults[what] == 0 {
			t.Errorf("not reached in %d runs: %s", runs, what)
		}
	}
}

func listed(title string, counts map[string]int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s:", title)
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "\n  %7d  %s", counts[what], what)
	}
	return b.String()
}

// simSituations are what many runs must have met, or they prove less than they
// say.
func simSituations() (all []string) {
	for _, hook := range simHooks {
		for _, f := range hook {
			all = append(all, f.kind)
		}
	}
	return append(all,
		"sent twice at once", "repeated later", "repeated what was not heard of", "rolled back what was not heard of",
		"hung up", "timed out", "done and not heard of", "not done and not heard of", "killed while calls wait",
		"read/unavailable", "midnights", "leaps of days", "rounds of jobs", "did: job due", "did: job coupons",
		"did: job expiring", "did: job refunds", "callback/away", "callback/refused", "callback/hangs", "callback/slow",
		"callback/taken, answer lost", "callback/taken, deliverer dies", "callback/not recorded",
		"callback/recorded, and an error", "callback/repeated", "refused: key reused", "refused: points insufficient",
		"refused: nothing left", "refused: refund too large", "refused: stock exhausted", "refused: coupon not usable",
	)
}

// A seed is one sequence of calls, faults and answers.
func TestSimulationRepeats(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano()) / 3 * 3 // deliveries in one order
	first, second := simulate(t, seed, simPlant{}), simulate(t, seed, simPlant{})
	if diff := cmp.Diff(first.trace(), second.trace()); diff != "" || first.failed() {
		t.Errorf("two traces of one seed, or a problem:\n%s\n%s", clipped(diff), first.report())
	}
}
