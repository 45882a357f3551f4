package accesstest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/access"
)

// begin is where the suite's clock stands, in unix ms.
const begin = int64(1_795_000_000_000)

// Run checks everything that access.Storage promises. open returns an empty
// Storage that is the test's own; it is called once per subtest, in parallel.
func Run(t *testing.T, open func(t *testing.T) access.Storage) {
	cases := []struct {
		name string
		test func(*testing.T, access.Storage)
	}{
		{"merchants", testMerchants},
		{"apps", testApps},
		{"apps of a merchant", testAppsOfMerchant},
		{"disable", testDisable},
		{"callback url", testCallbackURL},
		{"pair", testPair},
		{"pair limit", testPairLimit},
		{"pair ends older refresh token", testPairEndsRefresh},
		{"access", testAccess},
		{"access limit", testAccessLimit},
		{"access needs a live refresh token", testAccessNeedsRefresh},
		{"expired tokens go", testExpiredGo},
		{"concurrent pairs, limit 1", func(t *testing.T, s access.Storage) { testConcurrentPairs(t, s, 1) }},
		{"concurrent pairs, limit 50", func(t *testing.T, s access.Storage) { testConcurrentPairs(t, s, 50) }},
		{"concurrent refreshes", testConcurrentRefreshes},
		{"concurrent inserts", testConcurrentInserts},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t))
		})
	}
}

func merchantRow(id string) access.MerchantRow {
	return access.MerchantRow{ID: id, Name: "商家 " + id, Sandbox: true, ClockOffset: 0,
		Zone: "Asia/Shanghai", PlatformKey: "sealed-" + id, CreatedAt: begin}
}

func appRow(id, merchantID string) access.AppRow {
	return access.AppRow{ID: id, MerchantID: merchantID, Name: "收银 " + id, Secret: "sealed-" + id,
		Space: "till", Unsigned: true, CallbackURL: "https://example.com/cb?a=1", CallerKey: "spki",
		TokenLimit: 1, RefreshLimit: 20, WindowMillis: 300_000, CreatedAt: begin}
}

// withApps stores merchant m1 with apps a1 and a2.
func withApps(t *testing.T, s access.Storage) {
	t.Helper()
	must(t, s.InsertMerchant(t.Context(), merchantRow("m1"), "{}"))
	must(t, s.InsertApp(t.Context(), appRow("a1", "m1")))
	must(t, s.InsertApp(t.Context(), appRow("a2", "m1")))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func wantRow[T any](t *testing.T, got T, err error, want T) {
	t.Helper()
	if err != nil {
		t.Error(err)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func testMerchants(t *testing.T, s access.Storage) {
	ctx := t.Context()
	one, two := merchantRow("m1"), merchantRow("M1")
	two.Sandbox, two.Zone = false, "Asia/Urumqi"
	must(t, s.InsertMerchant(ctx, one, `{"levels":[]}`))
	must(t, s.InsertMerchant(ctx, two, `{}`)) // ids differ by case alone
	changed := one
	changed.Name = "other"
	wantErr(t, "taken id", s.InsertMerchant(ctx, changed, `{"x":1}`), access.ErrExists)
	for _, want := range []access.MerchantRow{one, two} {
		got, err := s.Merchant(ctx, want.ID)
		wantRow(t, got, err, want)
	}
	_, err := s.Merchant(ctx, "m2")
	wantErr(t, "unknown merchant", err, access.ErrNoMerchant)
}

func testApps(t *testing.T, s access.Storage) {
	ctx := t.Context()
	must(t, s.InsertMerchant(ctx, merchantRow("m1"), "{}"))
	must(t, s.InsertMerchant(ctx, merchantRow("m2"), "{}"))
	full := appRow("a1", "m1")
	bare := access.AppRow{ID: "A1", MerchantID: "m1", Name: "b", Secret: "s", CallerKey: "k",
		TokenLimit: 1000, RefreshLimit: 1000, WindowMillis: 1, CreatedAt: begin + 1}
	must(t, s.InsertApp(ctx, full))
	must(t, s.InsertApp(ctx, bare))
	for _, want := range []access.AppRow{full, bare} {
		got, err := s.App(ctx, want.ID)
		wantRow(t, got, err, want)
	}
	wantErr(t, "taken id", s.InsertApp(ctx, appRow("a1", "m1")), access.ErrExists)
	wantErr(t, "id of another merchant's app", s.InsertApp(ctx, appRow("a1", "m2")), access.ErrExists)
	wantErr(t, "unknown merchant", s.InsertApp(ctx, appRow("a9", "m9")), access.ErrNoMerchant)
	got, err := s.App(ctx, "a1")
	wantRow(t, got, err, full)
	_, err = s.App(ctx, "a9")
	wantErr(t, "unknown app", err, access.ErrNoApp)
}

func testAppsOfMerchant(t *testing.T, s access.Storage) {
	ctx := t.Context()
	must(t, s.InsertMerchant(ctx, merchantRow("m1"), "{}"))
	must(t, s.InsertMerchant(ctx, merchantRow("m2"), "{}"))
	var want []access.AppRow
	for i, id := range []string{"z", "B", "a"} { // z is older; B and a are of one instant
		row := appRow(id, "m1")
		row.CreatedAt = begin + int64(min(i, 1))
		want = append(want, row)
	}
	for _, i := range []int{2, 0, 1} {
		must(t, s.InsertApp(ctx, want[i]))
	}
	must(t, s.InsertApp(ctx, appRow("other", "m2")))
	must(t, s.SetAppDisabled(ctx, "B", true))
	want[1].Disabled = true
	got, err := s.Apps(ctx, "m1")
	wantRow(t, got, err, want)
	got, err = s.Apps(ctx, "m9")
	if err != nil || len(got) != 0 {
		t.Errorf("apps of an unknown merchant: %v, %v", got, err)
	}
}

func testDisable(t *testing.T, s access.Storage) {
	ctx := t.Context()
	withApps(t, s)
	p := pair("a1", "1", day, 1, begin)
	must(t, s.IssuePair(ctx, p))
	for _, disabled := range []bool{true, true, false, false} {
		must(t, s.SetAppDisabled(ctx, "a1", disabled))
		want := appRow("a1", "m1")
		want.Disabled = disabled
		got, err := s.App(ctx, "a1")
		wantRow(t, got, err, want)
		wantToken(t, s, p.Access, true)
		wantToken(t, s, p.Refresh, true)
	}
	got, err := s.App(ctx, "a2")
	wantRow(t, got, err, appRow("a2", "m1"))
	wantErr(t, "unknown app", s.SetAppDisabled(ctx, "a9", true), access.ErrNoApp)
}

func testCallbackURL(t *testing.T, s access.Storage) {
	ctx := t.Context()
	withApps(t, s)
	for _, url := range []string{"https://partner.example/points", "", "http://partner.example/"} {
		must(t, s.SetCallbackURL(ctx, "a1", url))
		want := appRow("a1", "m1")
		want.CallbackURL = url
		got, err := s.App(ctx, "a1")
		wantRow(t, got, err, want)
	}
	got, err := s.App(ctx, "a2")
	wantRow(t, got, err, appRow("a2", "m1"))
	wantErr(t, "unknown app", s.SetCallbackURL(ctx, "a9", ""), access.ErrNoApp)
}
