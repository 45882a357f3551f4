package migration_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
	"github.com/memberd/memberd/internal/pgtest"
	"github.com/memberd/memberd/internal/store"
	"github.com/memberd/memberd/internal/store/migration"
	"github.com/memberd/memberd/internal/store/sqldb"
	"github.com/memberd/memberd/internal/store/storetest"
	"github.com/memberd/memberd/internal/writer"
)

// firstTables are the tables of the first version that hold members.
var firstTables = []string{
	"merchant", "settings_history", "id_block", "member", "member_profile", "identity", "entry", "lot", "lapsed_lot",
	"idempotency_key", "audit",
}

// sixthTables are those of the sixth version.
var sixthTables = append([]string{"member_order", "order_detail"}, firstTables...)

// A database of the first version, with members, points and keys in it, is
// right after its upgrade, and takes orders.
func TestUpgradeFromTheFirst(t *testing.T) { onEach(t, upgradeFirst) }

// One of the sixth version has orders as well, whose records are shorter, and
// entries without any.
func TestUpgradeFromTheSixth(t *testing.T) { onEach(t, upgradeSixth) }

func onEach(t *testing.T, upgrade func(t *testing.T, e *storetest.Engine, url string)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		upgrade(t, storetest.SQLite(t), "sqlite:"+filepath.Join(t.TempDir(), "old.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		upgrade(t, storetest.Postgres(t), pgtest.URL(t))
	})
}

const upgradeTime = loyalty.Instant(1_768_000_000_000)

func upgradeFirst(t *testing.T, e *storetest.Engine, url string) {
	rules := loyaltytest.Merchants()[0]
	e.AddMerchants(t, rules)
	members := int64(0)
	for i := range 20 {
		who := loyalty.Who{Merchant: rules.Merchant, Phone: fmt.Sprintf("138%08d", i)}
		run(t, e.Store, loyalty.RegisterMember{Merchant: rules.Merchant, Profile: loyalty.Profile{Phone: who.Phone}})
		run(t, e.Store, loyalty.ChangePoints{Who: who, Event: "event_add", Points: 40, KeyOp: loyalty.KeyChange, ID: "a"})
		run(t, e.Store, loyalty.ChangePoints{Who: who, Event: "event_subtract", Points: 7, KeyOp: loyalty.KeyChange, ID: "b"})
		members++
	}
	old := copied(t, e, url, 1, firstTables)
	compare(t, e, old, members)
	upgraded := store.New(old, e.Keys)
	verify(t, upgraded, members)
	run(t, upgraded, loyalty.RecordOrder{
		Who:   loyalty.Who{Merchant: rules.Merchant, Phone: "13800000003"},
		Order: loyalty.OrderKey{No: "A1"}, Amount: 10_000, ConsumedAt: upgradeTime, Points: 100, Given: true,
	})
	verify(t, upgraded, members)
}

// oldRecord is how the sixth version wrote what an order earned by.
const oldRecord = `{"earned_by":"rule","version":1,"points":{"num":1,"den":1},"growth":{"num":1,"den":1}}`

func upgradeSixth(t *testing.T, e *storetest.Engine, url string) {
	settings := loyalty.DefaultSettings()
	settings.Orders.Score = loyalty.ScoreRule
	rules, err := loyalty.NewSnapshot("m", 1, 0, settings)
	if err != nil {
		t.Fatal(err)
	}
	e.AddMerchants(t, rules)
	who := loyalty.Who{Merchant: "m", Phone: "13800000001"}
	run(t, e.Store, loyalty.RegisterMember{Merchant: "m", Profile: loyalty.Profile{Phone: who.Phone}})
	run(t, e.Store, loyalty.RecordOrder{Who: who, Order: loyalty.OrderKey{No: "A1"}, Amount: 10_000, ConsumedAt: upgradeTime})
	exec(t, e.DB, "UPDATE member_order SET rule = '"+oldRecord+"'")
	exec(t, e.DB, "UPDATE member SET level_moves = 0")
	exec(t, e.DB, "DELETE FROM level_move")
	old := copied(t, e, url, 6, sixthTables)
	compare(t, e, old, 1)
	upgraded := store.New(old, e.Keys)
	verify(t, upgraded, 1)
	found, _, err := upgraded.Order(t.Context(), "m", loyalty.OrderKey{No: "A1"})
	one := loyalty.Fraction{Num: 1, Den: 1}
	want := loyalty.Decision{EarnedBy: loyalty.ByRule, Version: 1, Points: one, Growth: one}
	if diff := cmp.Diff(want, found.Decision); diff != "" || err != nil {
		t.Errorf("%v; the old record reads as (-want +got)\n%s", err, diff)
	}
	version, reached, err := upgraded.MembersReached(t.Context(), "m")
	if version != 1 || reached || err != nil {
		t.Errorf("members reached version %d: %v, %v; they have to be looked at once", version, reached, err)
	}
	run(t, upgraded, loyalty.RefundOrder{Who: who, Order: loyalty.OrderKey{No: "R1"}, Parent: "A1", Amount: 3_000, ConsumedAt: upgradeTime})
	run(t, upgraded, loyalty.RecordOrder{Who: who, Order: loyalty.OrderKey{No: "A2"}, Amount: 5_000, ConsumedAt: upgradeTime})
	m, err := upgraded.Member(t.Context(), who, upgradeTime, false)
	if err != nil || m.Balance != 70+50 || m.Growth != 70+50 {
		t.Errorf("%v; after a refund and an order: %+v", err, m.Member)
	}
	if err := upgraded.SetMembersReached(t.Context(), "m", version); err != nil {
		t.Error(err)
	}
	verify(t, upgraded, 1)
}

// copied is a database of an older version with the rows of e, upgraded.
func copied(t *testing.T, e *storetest.Engine, url string, version int64, tables []string) *sqldb.DB {
	t.Helper()
	old, err := sqldb.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { old.Close() })
	if err := migration.UpTo(t.Context(), old, version); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		copyTable(t, e.DB, old, table)
	}
	if n, err := migration.Up(t.Context(), old); err != nil || n == 0 {
		t.Fatalf("up: %d, %v", n, err)
	}
	return old
}

// compare sets the rows of an upgraded database against those it was copied
// from. Older versions kept no records with entries.
func compare(t *testing.T, e *storetest.Engine, old *sqldb.DB, members int64) {
	t.Helper()
	want, err := storetest.Dump(t.Context(), e.DB, e.Keys)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want.Entries {
		want.Entries[i].Decision = nil
	}
	got, err := storetest.Dump(t.Context(), old, e.Keys)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || int64(len(got.Members)) != members {
		t.Errorf("%d members; -made by this version +upgraded\n%s", len(got.Members), diff)
	}
}

func exec(t *testing.T, db *sqldb.DB, statement string) {
	t.Helper()
	tx, err := db.Write(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func run[R any](t *testing.T, s loyalty.Store, c loyalty.Command[R]) {
	t.Helper()
	stamped := writer.Stamped{Command: loyalty.Any(c), Stamp: loyalty.Stamp{Now: upgradeTime}}
	if out := writer.Replay(s, []writer.Stamped{stamped}, nil)[0]; out.Err != nil {
		t.Fatalf("%T: %v", c, out.Err)
	}
}

func verify(t *testing.T, s *store.Store, members int64) {
	t.Helper()
	_, checked, diffs, err := s.Verify(t.Context(), 0, 1_000)
	if err != nil || int64(checked) != members {
		t.Errorf("verify: %d members, %v", checked, err)
	}
	for _, d := range diffs {
		t.Errorf("verify finds %+v", d)
	}
}

// copyTable copies the columns that the older table has.
func copyTable(t *testing.T, from, to *sqldb.DB, table string) {
	t.Helper()
	ctx := t.Context()
	query := `SELECT column_name::text FROM information_schema.columns WHERE table_schema = 'public' AND table_name = ?`
	if to.Dialect() == sqldb.SQLite {
		query = `SELECT name FROM pragma_table_info(?)`
	}
	columns := query1(t, to, query, table)
	list := strings.Join(columns, ", ")
	rows, err := from.Read().Query(ctx, "SELECT "+list+" FROM "+table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	tx, err := to.Write(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	insert := "INSERT INTO " + table + " (" + list + ") VALUES (?" + strings.Repeat(", ?", len(columns)-1) + ")"
	for rows.Next() {
		values, places := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			places[i] = &values[i]
		}
		if err := rows.Scan(places...); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(ctx, insert, values...); err != nil {
			t.Fatalf("%s: %v", table, err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
}

// query1 is the one column of a query's rows.
func query1(t *testing.T, db *sqldb.DB, query string, args ...any) (list []string) {
	t.Helper()
	rows, err := db.Read().Query(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		list = append(list, text)
	}
	if err := rows.Err(); err != nil || len(list) == 0 {
		t.Fatalf("%s: %d rows, %v", query, len(list), err)
	}
	return list
}
