package loyaltytest_test

import (
	"context"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

func TestSplitInvarianceInMemory(t *testing.T) {
	t.Parallel()
	loyaltytest.SplitInvariance(t, 100_000, func(_ *testing.T, merchants []*loyalty.Snapshot) loyaltytest.Target {
		m := loyaltytest.NewMemory(merchants...)
		return loyaltytest.Target{
			Store: m,
			Dump:  func(context.Context) (loyaltytest.State, error) { return m.Dump(nil), nil },
		}
	})
}
