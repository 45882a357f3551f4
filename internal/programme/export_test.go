package programme

import (
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/memberd/memberd/internal/loyalty"
)

// Keys are all keys that a file can have, by where they stand.
func Keys() []string {
	full := loyalty.Settings{
		Zone: "UTC",
		Points: loyalty.PointsRule{
			Validity: loyalty.Validity{N: 1}, From: 1, Until: 2, Caps: loyalty.Caps{PerOrder: 1, PerDay: 1, PerMember: 1},
			Multipliers: []loyalty.Multiplier{{NameEn: "x", When: loyalty.Condition{
				Levels: []int64{1}, Birthday: "x", From: 1, Until: 2, Weekdays: []int{1}, FromMinute: 1, UntilMinute: 1,
				Stores: []string{"x"}, Labels: []string{"x"}, Categories: []string{"x"}, BarCodes: []string{"x"},
			}}},
		},
		Growth: loyalty.GrowthRule{Period: loyalty.GrowthPeriod{N: 1}},
		Events: []loyalty.Event{{Points: 1, DailyCap: 1, Direction: loyalty.Credit}},
		Levels: []loyalty.Level{{Rights: []loyalty.Right{{ImageURL: "x"}}}},
	}
	var keys []string
	var walk func(at string, n *yaml.Node)
	walk = func(at string, n *yaml.Node) {
		for i, c := range n.Content {
			switch {
			case n.Kind == yaml.SequenceNode:
				walk(at+"[]", c)
			case i%2 == 0:
				keys = append(keys, join(at, c.Value))
				walk(join(at, c.Value), n.Content[i+1])
			}
		}
	}
	walk("", object(fieldsOf(&File{Merchant: "m", Version: 1, Settings: full}, time.UTC)).node())
	return keys
}

// ZeroRateProblem is what a rate of 0 is told.
const ZeroRateProblem = zeroRateProblem
