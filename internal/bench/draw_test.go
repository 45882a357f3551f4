package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func members(n int) []string { return make([]string, n) }

func drawn(o Options, n int) (ops [operations]int, members map[int]int) {
	d := newDraw(o, 0)
	members = map[int]int{}
	for range n {
		op, member := d.next()
		ops[op]++
		members[member]++
	}
	return ops, members
}

// The mix is 80, 15 and 5 of 100.
func TestMix(t *testing.T) {
	t.Parallel()
	const n = 100_000
	ops, _ := drawn(Options{Scenario: "mixed", Members: members(10), Seed: 1}, n)
	for op, want := range [operations]float64{opQuery: .80, opChange: .15, opOrder: .05} {
		if got := float64(ops[op]) / n; math.Abs(got-want) > .01 {
			t.Errorf("%s: %.3f, want %.2f", operation(op), got, want)
		}
	}
	for name, shares := range scenarios {
		sum := 0
		for _, s := range shares {
			sum += s.percent
		}
		if sum != 100 {
			t.Errorf("%s: %d of 100", name, sum)
		}
	}
}

func TestMembersDrawn(t *testing.T) {
	t.Parallel()
	const n, size = 200_000, 100
	_, even := drawn(Options{Scenario: "points-change", Members: members(size), Seed: 2}, n)
	for member := range size {
		if got := even[member]; got < n/size*8/10 || got > n/size*12/10 {
			t.Errorf("member %d: %d calls of %d", member, got, n)
		}
	}
	// Zipf: the calls of member k are in proportion to 1/(1+k)^s.
	const s = 1.5
	_, uneven := drawn(Options{Scenario: "points-change", Members: members(size), Seed: 3, Zipf: s}, n)
	sum := 0.0
	for k := range size {
		sum += math.Pow(1+float64(k), -s)
	}
	for _, k := range []int{0, 1, 2, 9} {
		want := math.Pow(1+float64(k), -s) / sum
		if got := float64(uneven[k]) / n; math.Abs(got-want) > want/10 {
			t.Errorf("member %d: %.4f, want %.4f", k, got, want)
		}
	}
	for member := range uneven {
		if member < 0 || member >= size {
			t.Errorf("member %d", member)
		}
	}
	if _, one := drawn(Options{Scenario: "points-change", Members: members(1), Zipf: s}, 100); one[0] != 100 {
		t.Error(one)
	}
}

// The same seed draws the same, and connections draw differently.
func TestSeed(t *testing.T) {
	t.Parallel()
	draws := func(seed uint64, worker int) (list []int) {
		d := newDraw(Options{Scenario: "mixed", Members: members(1000), Seed: seed}, worker)
		for range 50 {
			op, member := d.next()
			list = append(list, int(op), member)
		}
		return list
	}
	if !cmp.Equal(draws(7, 0), draws(7, 0)) {
		t.Error("one seed, two sequences")
	}
	if cmp.Equal(draws(7, 0), draws(7, 1)) || cmp.Equal(draws(7, 0), draws(8, 0)) {
		t.Error("two seeds or connections, one sequence")
	}
}

// Percentiles are within a thousandth of the exact ones, also when they come
// from several histograms.
func TestHistogram(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	parts := []*histogram{newHistogram(), newHistogram(), newHistogram()}
	var exact []int64
	for i := range 60_000 {
		us := int64(math.Exp(random.NormFloat64()*1.5 + 8)) // around 3 ms, up to seconds
		exact = append(exact, us)
		parts[i%len(parts)].record(time.Duration(us) * time.Microsecond)
	}
	slices.Sort(exact)
	all := newHistogram()
	for _, h := range parts {
		all.merge(h)
	}
	got := all.latency()
	for _, test := range []struct {
		permille int
		got      int64
	}{{500, got.P50}, {900, got.P90}, {990, got.P99}, {999, got.P999}} {
		want := exact[len(exact)*test.permille/1000-1]
		if off := math.Abs(float64(test.got - want)); off > 1+float64(want)/1000 {
			t.Errorf("%d of 1000: %d, want %d", test.permille, test.got, want)
		}
	}
	if want := exact[len(exact)-1]; got.Max != want {
		t.Errorf("max %d, want %d", got.Max, want)
	}
	sum := int64(0)
	for _, us := range exact {
		sum += us
	}
	if want := sum / int64(len(exact)); got.Mean != want {
		t.Errorf("mean %d, want %d", got.Mean, want)
	}
}

func TestHistogramAtItsEnds(t *testing.T) {
	t.Parallel()
	if got := newHistogram().latency(); got != (Latency{}) {
		t.Errorf("of nothing: %+v", got)
	}
	h := newHistogram()
	h.record(-time.Second) // a clock that was set back
	h.record(5 * time.Hour)
	hour := longest.Microseconds()
	if got := h.latency(); got.P50 != 0 || got.Max != hour || got.P999 != hour {
		t.Errorf("%+v", got)
	}
}
