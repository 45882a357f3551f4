package bench

import (
	"math/rand/v2"
	"slices"
)

// operation is one kind of call.
type operation int

const (
	opQuery operation = iota
	opChange
	opOrder
	opEcho
	operations
)

func (o operation) String() string {
	return [...]string{"query", "change", "order", "echo"}[o]
}

// share is how many of 100 calls are of a kind.
type share struct {
	op      operation
	percent int
}

var scenarios = map[string][]share{
	"points-change": {{opChange, 100}},
	"member-query":  {{opQuery, 100}},
	"mixed":         {{opQuery, 80}, {opChange, 15}, {opOrder, 5}},
	Echo:            {{opEcho, 100}},
}

// Echo is the scenario that stores nothing: the same client and the same server
// without what is being measured.
const Echo = "echo"

// Scenarios are the names of all scenarios, sorted.
func Scenarios() []string {
	names := make([]string, 0, len(scenarios))
	for name := range scenarios {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// draw decides what comes next: which operation for which member.
type draw struct {
	random  *rand.Rand
	shares  []share
	members int
	zipf    *rand.Zipf
}

func newDraw(o Options, worker int) *draw {
	d := &draw{random: rand.New(rand.NewPCG(o.Seed, uint64(worker))), shares: scenarios[o.Scenario], members: len(o.Members)}
	if o.Zipf != 0 {
		const plain = 1 // the first member is drawn as often as the formula says
		d.zipf = rand.NewZipf(d.random, o.Zipf, plain, uint64(d.members-1))
	}
	return d
}

func (d *draw) next() (op operation, member int) {
	const all = 100
	n := d.random.IntN(all)
	for _, s := range d.shares {
		if n -= s.percent; n < 0 {
			op = s.op
			break
		}
	}
	if d.zipf != nil {
		return op, int(d.zipf.Uint64())
	}
	return op, d.random.IntN(d.members)
}
