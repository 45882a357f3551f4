package store

import (
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
)

// Commands under rules that look at nothing cost no statement.
func TestPlainRulesNeedNothing(t *testing.T) {
	t.Parallel()
	who := loyalty.Who{Merchant: "m", ID: 1}
	refs := []loyalty.Refs{
		loyalty.Any(loyalty.ChangePoints{Who: who, Event: "event_add", Points: 1}).Refs,
		loyalty.Any(loyalty.RecordOrder{Who: who, Order: loyalty.OrderKey{No: "a"}, Amount: 1, ConsumedAt: 1}).Refs,
		loyalty.Any(loyalty.RefundOrder{Who: who, Order: loyalty.OrderKey{No: "r"}, Parent: "a", Amount: 1, ConsumedAt: 1}).Refs,
	}
	for name, c := range map[string]struct {
		change func(*loyalty.Settings)
		want   int // members whose birthdays are wanted
	}{
		"plain": {func(*loyalty.Settings) {}, 0},
		"birthday": {func(s *loyalty.Settings) {
			s.Points.Multipliers = []loyalty.Multiplier{{ID: "b", Factor: 2, When: loyalty.Condition{Birthday: loyalty.BirthdayDay}}}
		}, 1},
	} {
		settings := loyalty.DefaultSettings()
		c.change(&settings)
		snap, err := loyalty.NewSnapshot("m", 1, 0, settings)
		if err != nil {
			t.Fatal(err)
		}
		ws := loyalty.NewWorkingSet()
		ws.PutSnapshot(snap)
		ws.PutMember(loyalty.Member{ID: 1, Merchant: "m"})
		n := needsOf(ws, &rows{}, refs)
		if c.want == 0 && n != nil || c.want > 0 && (n == nil || len(n.birthdays) != c.want || len(n.marks)+len(n.levels)+len(n.tallies) > 0) {
			t.Errorf("%s: %+v", name, n)
		}
	}
}
