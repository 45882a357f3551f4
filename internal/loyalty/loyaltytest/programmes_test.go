package loyaltytest_test

import (
	"context"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

func TestProgrammesInMemory(t *testing.T) {
	t.Parallel()
	loyaltytest.Programmes(t, 20, 1_500, func(_ *testing.T, merchants []*loyalty.Snapshot) loyaltytest.Target {
		m := loyaltytest.NewMemory(merchants...)
		return loyaltytest.Target{Store: m, Dump: func(context.Context) (loyaltytest.State, error) { return m.Dump(nil), nil }}
	})
}

func TestProgrammeChanges(t *testing.T) {
	t.Parallel()
	loyaltytest.ProgrammeChanges(t, 30, 800)
}
