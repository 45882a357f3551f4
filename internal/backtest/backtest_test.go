package backtest_test

import (
	"math/rand/v2"
	"testing"

	"github.com/memberd/memberd/internal/backtest"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

// From the first day on the table adds up, whatever members did, and a programme
// tried against itself is the ledger.
func TestTheTableAddsUp(t *testing.T) {
	t.Parallel()
	seed := loyaltytest.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 5))
	for range 6 {
		merchants := loyaltytest.RandomProgrammes(rng)
		store := loyaltytest.NewMemory(merchants...)
		steps := loyaltytest.Generate(rng.Uint64(), 800, merchants, store)
		state := store.Dump(nil)
		for _, rules := range merchants {
			report := backtest.NewReport(rules, rules)
			test := loyalty.BackTest{Present: rules, Candidate: rules, Past: []loyalty.PastRules{{Snapshot: rules}}}
			for _, s := range steps {
				test.Now = max(test.Now, s.Stamp.Now)
			}
			for _, m := range state.Members {
				if m.Merchant != rules.Merchant {
					continue
				}
				replayed, err := test.Run(state.History(m))
				if err != nil {
					t.Fatal(err)
				}
				report.Add(replayed)
			}
			report.Finish()
			s := report.Before
			if got, want := s.Granted-s.TakenOff-s.Spent-s.Expired+s.WrittenOff, s.Liability-s.Deficit; got != want {
				t.Errorf("%s: the table comes to %d, members hold %d: %+v", rules.Merchant, got, want, s)
			}
			if report.After != report.Before || report.Same != report.Members {
				t.Errorf("%s: against itself %+v and %+v, %d of %d the same", rules.Merchant, report.Before, report.After, report.Same, report.Members)
			}
			var held, would int64
			for _, l := range report.Levels {
				held, would = held+l.Before, would+l.After
				if l.Winners+l.Losers != 0 {
					t.Errorf("%s: level %d has winners or losers", rules.Merchant, l.Number)
				}
			}
			if held != report.Members || would != report.Members {
				t.Errorf("%s: %d and %d of %d members have a level of the table", rules.Merchant, held, would, report.Members)
			}
		}
	}
}
