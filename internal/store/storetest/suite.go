package storetest

import (
	"context"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
	"github.com/memberd/memberd/internal/writer"
)

// longEnv asks for the runs that take minutes.
const longEnv = "MEMBERD_LONG"

// Long tells whether tests may take minutes.
func Long() bool { return os.Getenv(longEnv) != "" }

// Run is the conformance suite. open gives a migrated, empty database; it is
// called once per subtest, in parallel. What is loaded and saved is compared
// with loyaltytest.Memory, the reference for all of it.
func Run(t *testing.T, open func(testing.TB) *Engine) {
	cases := []struct {
		name string
		test func(*testing.T, *Engine)
	}{
		{"extreme rows", testExtremeRows},
		{"refused values", testRefusedValues},
		{"history", testHistory},
		{"reads", testReads},
		{"entries of one side", testLongLedger},
		{"reads of orders and coupons", testOrderReads},
		{"coupons at any time", testCouponTimes},
		{"balances that are due", testDueBalances},
		{"verify finds corruption", testCorruption},
		{"verify finds corruption of orders", testOrderCorruption},
		{"verify in ranges", testVerifyRanges},
		{"member numbers", testMemberNumbers},
		{"unknown merchant", testUnknownMerchant},
		{"same phone twice", testSamePhone},
		{"look-up moves before the lock", testLookUpMoves},
		{"crossing writers", testCrossingWriters},
		{"stock", testStock},
		{"claim limit", testClaimLimit},
		{"same coupon numbers", testSameNumbers},
		{"one redeemer", testOneRedeemer},
		{"one order", testOneOrder},
		{"same templates", testSameTemplates},
		{"lost rows", testLostRows},
		{"settings reach other processes", testSettings},
		{"settings wait for batches", testSettingsWait},
		{"settings that are refused", testSettingsRefused},
		{"settings under load", testSettingsUnderLoad},
		{"transaction ends", testTransactionEnds},
		{"what rules look at", testRuleNeeds},
		{"other levels", testLevelsChange},
		{"verify finds corruption of levels and tallies", testProgrammeCorruption},
		{"versions of settings", testSettingsVersions},
		{"histories", testHistories},
		{"each member", testEachMember},
		{"merchant's zone", testMerchantZone},
		{"key check", testKeyCheck},
		{"no personal data in the clear", testNoPersonalData},
		{"what the jobs look for", testDueLooks},
		{"lease", testLease},
		{"lease: many at once", testLeaseRace},
		{"clock", testAdvanceClock},
		{"clock reaches other processes", testClockReachesOthers},
		{"clock waits for batches", testClockWaits},
		{"apps reach other processes", testAppsReachOthers},
		{"sms codes: guesses at once", testSMSGuesses},
		{"sms codes: used once", testSMSUsedOnce},
		{"sms codes: limits", testSMSLimits},
		{"sms codes: withdrawn", testSMSWithdraw},
		{"sms codes: old rows", testSMSOldRows},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t))
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(sameSnapshot), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s: -want +got\n%s", what, diff)
	}
}

func sameSnapshot(a, b *loyalty.Snapshot) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Merchant == b.Merchant && a.Version == b.Version && a.ClockOffset == b.ClockOffset &&
		a.Document() == b.Document()
}

// rules are a merchant's default rules, changed.
func rules(t testing.TB, merchant string, change func(*loyalty.Settings)) *loyalty.Snapshot {
	t.Helper()
	s := loyalty.DefaultSettings()
	if change != nil {
		change(&s)
	}
	snap, err := loyalty.NewSnapshot(merchant, 1, 0, s)
	must(t, err)
	return snap
}

// saveAll saves changes in one transaction.
func saveAll(t testing.TB, s loyalty.Store, c loyalty.Changes) {
	t.Helper()
	ctx := t.Context()
	tx, err := s.Begin(ctx)
	must(t, err)
	defer tx.Rollback()
	must(t, tx.Save(ctx, c))
	must(t, tx.Commit(ctx))
}

// loadAll loads refs in a transaction that is given up.
func loadAll(t testing.TB, s loyalty.Store, refs ...loyalty.Refs) *loyalty.WorkingSet {
	t.Helper()
	tx, err := s.Begin(t.Context())
	must(t, err)
	defer tx.Rollback()
	ws, err := tx.Load(t.Context(), refs)
	must(t, err)
	return ws
}

// sameLoaded compares all that two stores have loaded, down to the last field.
func sameLoaded(t testing.TB, what string, want, got *loyalty.WorkingSet) {
	t.Helper()
	diff := cmp.Diff(want, got,
		cmp.Exporter(func(reflect.Type) bool { return true }),
		cmp.Comparer(sameSnapshot),
		cmpopts.EquateEmpty(),
		cmp.Transformer("sorted", func(m map[string][]int64) map[string]string {
			sorted := make(map[string]string, len(m)) // order of loading does not matter
			for k, v := range m {
				v = slices.Sorted(slices.Values(v))
				b := make([]byte, 0, len(v))
				for _, n := range v {
					b = append(append(b, ' '), loyalty.StatementID(0, n)...)
				}
				sorted[k] = string(b)
			}
			return sorted
		}))
	if diff != "" {
		t.Errorf("%s: loaded -reference +store\n%s", what, diff)
	}
}

func sameState(t testing.TB, what string, reference *loyaltytest.Memory, e *Engine) {
	t.Helper()
	state, err := Dump(context.WithoutCancel(t.Context()), e.DB, e.Keys)
	must(t, err)
	if diff := cmp.Diff(reference.Dump(e.Stored), state, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s: rows -reference +store\n%s", what, diff)
	}
}

// do has one command decided now.
func do[R any](t testing.TB, s loyalty.Store, c loyalty.Command[R], at loyalty.Instant) (R, error) {
	t.Helper()
	stamp := loyalty.Stamp{Now: at}
	if want := c.Refs().New; want.Count > 0 {
		id, err := s.ReserveIDs(t.Context(), want.Kind, want.Count)
		must(t, err)
		stamp.NewID, stamp.OpenID = id, openID(id)
	}
	out := writer.Replay(s, []writer.Stamped{{Command: loyalty.Any(c), Stamp: stamp}}, nil)[0]
	r, _ := out.Result.(R)
	return r, out.Err
}

func mustDo[R any](t testing.TB, s loyalty.Store, c loyalty.Command[R], at loyalty.Instant) R {
	t.Helper()
	r, err := do(t, s, c, at)
	must(t, err)
	return r
}

// randomOf is seeded by MEMBERD_SEED or the clock; a failing test prints it.
func randomOf(t testing.TB) (uint64, *rand.Rand) {
	t.Helper()
	seed := loyaltytest.Seed(t)
	return seed, rand.New(rand.NewPCG(seed, 3))
}
