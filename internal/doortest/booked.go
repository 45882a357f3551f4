package doortest

import (
	"context"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
)

// countingStore counts what is saved.
type countingStore struct {
	loyalty.Store
	saved atomic.Int64
}

type countingTx struct {
	loyalty.Tx
	saved *atomic.Int64
}

func (s *countingStore) Begin(ctx context.Context) (loyalty.Tx, error) {
	tx, err := s.Store.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return countingTx{tx, &s.saved}, nil
}

// Save counts everything but keys and the member row they stand with: those are
// the marks by which a change that was called off is refused later. Nothing else
// moves a member's row without a row of its own.
func (tx countingTx) Save(ctx context.Context, c loyalty.Changes) error {
	if len(c.NewMembers)+len(c.Profiles)+len(c.Lots)+len(c.Entries)+len(c.Reversed)+len(c.Bound)+len(c.Unbound)+
		len(c.NewOrders)+len(c.Orders)+len(c.OrderInfos)+len(c.NewCoupons)+len(c.Coupons)+len(c.NewTemplates)+len(c.Templates)+
		len(c.Audit)+len(c.Marks)+len(c.Events) > 0 {
		tx.saved.Add(1)
	}
	return tx.Tx.Save(ctx, c)
}

// Booked grows with every batch that changed something. A call that is refused
// must leave it as it was.
func (b *Bundle) Booked() int64 { return b.counted.saved.Load() }

// DocumentedCodes are the numbers that docs/integrators.md tells integrators to
// expect, as text.
func DocumentedCodes(t testing.TB) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../../docs/integrators.md")
	must(t, err)
	_, text2, found := strings.Cut(string(text), "\n## Error codes\n")
	section, _, _ := strings.Cut(text2, "\n## ")
	codes := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([0-9][^|]*)\|`).FindAllStringSubmatch(section, -1) {
		for _, code := range regexp.MustCompile(`\b[0-9]{3,6}\b`).FindAllString(row[1], -1) {
			codes[code] = true
		}
	}
	if !found || len(codes) < 30 {
		t.Fatalf("only %d codes in docs/integrators.md", len(codes))
	}
	return codes
}
