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
const splitSteps = 60_000

func TestSplitInvariance(t *testing.T) {
	onEach(t, func(t *testing.T, open func(testing.TB) *storetest.Engine) {
		loyaltytest.SplitInvariance(t, splitSteps, func(t *testing.T, merchants []*loyalty.Snapshot) loyaltytest.Target {
			e := open(t)
			e.AddMerchants(t, merchants...)
			return e.Target()
		})
	})
}
