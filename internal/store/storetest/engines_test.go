package storetest_test

import (
	"testing"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/access/accesstest"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
	"github.com/memberd/memberd/internal/pgtest"
	"github.com/memberd/memberd/internal/store/storetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// onEach runs a test on each engine.
func onEach(t *testing.T, test func(t *testing.T, open func(testing.TB) *storetest.Engine)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, storetest.SQLite)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, storetest.Postgres)
	})
}

func TestStore(t *testing.T) { onEach(t, storetest.Run) }

func TestAccessStorage(t *testing.T) {
	onEach(t, func(t *testing.T, open func(testing.TB) *storetest.Engine) {
		accesstest.Run(t, func(t *testing.T) access.Storage { return open(t).Store })
	})
}

// splitSteps is how many commands it takes to reach every rule often enough.
// On PostgreSQL that takes two minutes; the short mode runs a tenth.
const splitSteps = 100_000

func TestSplitInvariance(t *testing.T) {
	onEach(t, func(t *testing.T, open func(testing.TB) *storetest.Engine) {
		loyaltytest.SplitInvariance(t, splitSteps, func(t *testing.T, merchants []*loyalty.Snapshot) loyaltytest.Target {
			e := open(t)
			e.AddMerchants(t, merchants...)
			return e.Target()
		})
	})
}

// programmeRuns are each a random programme with traffic of its own.
const programmeRuns = 4

func TestProgrammes(t *testing.T) {
	onEach(t, func(t *testing.T, open func(testing.TB) *storetest.Engine) {
		loyaltytest.Programmes(t, programmeRuns, 1_200, func(t *testing.T, merchants []*loyalty.Snapshot) loyaltytest.Target {
			e := open(t)
			e.AddMerchants(t, merchants...)
			return e.Target()
		})
	})
}

// propertySteps stay few: the whole state is read and recomputed after each.
const propertySteps = 300

func TestProperties(t *testing.T) {
	onEach(t, func(t *testing.T, open func(testing.TB) *storetest.Engine) {
		loyaltytest.Properties(t, propertySteps, func(t *testing.T, merchants []*loyalty.Snapshot) loyaltytest.Target {
			e := open(t)
			e.AddMerchants(t, merchants...)
			return e.Target()
		})
	})
}

// The writer's probe must really write: SQLite leaves out a value that is the
// same, and would let a full disk look healthy.
func TestProbeWrites(t *testing.T) {
	onEach(t, func(t *testing.T, open func(testing.TB) *storetest.Engine) {
		e := open(t)
		probed := map[int64]bool{}
		for range 3 {
			if _, err := e.Store.ReserveIDs(t.Context(), loyalty.MemberIDs, 0); err != nil {
				t.Fatal(err)
			}
			var value int64
			if err := e.DB.Read().QueryRow(t.Context(), "SELECT next_free FROM id_block WHERE kind = 'probe'").Scan(&value); err != nil {
				t.Fatal(err)
			}
			probed[value] = true
		}
		if len(probed) != 3 {
			t.Errorf("three probes left %v", probed)
		}
		if first, err := e.Store.ReserveIDs(t.Context(), loyalty.MemberIDs, 1); err != nil || first != 1 {
			t.Errorf("probing cost member numbers: %d, %v", first, err)
		}
	})
}
