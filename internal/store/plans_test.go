package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/pgtest"
	"github.com/memberd/memberd/internal/store/migration"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// plan is a statement and what it must be answered by: an index, or "" for any
// way by key.
type plan struct{ query, by string }

// sqlitePlans are statements whose cost must not grow with a table. SQLite has
// no statistics here, as in a database that nobody has analyzed.
var sqlitePlans = map[string]plan{
	"selectIdentity":          {selectIdentity, ""},
	"selectOrder":             {selectOrder, ""},
	"selectParked":            {selectParked, "parked_refund"},
	"selectCoupon":            {selectCoupon, ""},
	"selectCouponsOfOrder":    {selectCouponsOfOrder, "coupon_of_order"},
	"selectClaim":             {selectClaim, ""},
	"selectBirthdays":         {selectBirthdays, ""},
	"selectMoveAfter":         {selectMoveAfter, ""},
	"selectTallies":           {selectTallies, "member_id=? AND name=? AND day>? AND day<?"},
	"selectStandings":         {selectStandings, "INTEGER PRIMARY KEY (rowid>?)"},
	"selectOrdersPlain":       {selectOrdersPlain, ""},
	"selectEntryOfMerchant":   {selectEntryOfMerchant, "member_id=? AND entry_no=?"},
	"selectSettingsVersions":  {selectSettingsVersions, ""},
	"selectSettingsAt":        {selectSettingsAt, ""},
	"selectMembersVersion":    {selectMembersVersion, ""},
	"verifyMoves":             {verifyMoves, ""},
	"verifyTallies":           {verifyTallies, ""},
	"selectTemplate":          {selectTemplate, ""},
	"selectTemplateNamed":     {selectTemplateNamed, "merchant_id=? AND space=? AND number=?"},
	"selectLabels":            {selectLabels, ""},
	"selectCards":             {selectCards, ""},
	"selectCoupons":           {selectCoupons, "coupon_seq>? AND coupon_seq<?"},
	"selectOrders":            {selectOrders, "order_seq>? AND order_seq<?"},
	"selectOrderFound":        {selectOrderFound, ""},
	"selectRefunds":           {selectRefunds, ""},
	"entriesOfOrder":          {entriesOfOrder(sqldb.SQLite), "entry_of_order"},
	"couponsCount of valid":   {couponsCount(1), "coupon_of_state"},
	"couponsCount of used":    {couponsCount(2), "coupon_of_state"},
	"couponsCount of expired": {couponsCount(3), "coupon_of_state"},
	"couponsCount of deleted": {couponsCount(4), "coupon_of_state"},
	"couponsCount of waiting": {couponsCount(5), "coupon_of_state"},
	"couponsPage":             {couponsPage(1), ""},
	"member with its coupons": {waysText(true, 1, true), "coupon_of_state"},
	"updateCoupons":           {sqliteTexts.updateCoupons, ""},
	"updateOrders":            {sqliteTexts.updateOrders, ""},
	"forgetPapers":            {sqliteTexts.forgetPapers, ""},
	"deleteLabels":            {sqliteTexts.deleteLabels, ""},
	"verifyOrders":            {verifyOrders, ""},
	"verifyCoupons":           {verifyCoupons, ""},
	"verifyDetails":           {verifyDetails, ""},
	"list by label":           {listBy(loyalty.MemberFilter{Label: "l"}), "SEARCH m USING INTEGER PRIMARY KEY"},
	"list by card":            {listBy(loyalty.MemberFilter{PaidCard: "c"}), "SEARCH m USING INTEGER PRIMARY KEY"},
	"list of all":             {listBy(loyalty.MemberFilter{}), "SEARCH m USING COVERING INDEX member_registered"},
	"list by state and level": {listBy(loyalty.MemberFilter{Active: new(bool), Level: new(int64)}), "SEARCH m USING COVERING INDEX member_registered"},
	"list by registration":    {listBy(loyalty.MemberFilter{RegisteredFrom: 1, RegisteredTo: 2}), "SEARCH m USING COVERING INDEX member_registered (merchant_id=? AND registered_at>? AND registered_at<?)"},
}

func listBy(f loyalty.MemberFilter) string {
	f.Merchant = "m"
	return (&Store{keys: noKeys{}}).membersWhere(sqldb.SQLite, f, 0).page()
}

// What counts members, and skips those before a page, must not read their
// profiles: they are the widest of what a list shows, and a list can be long.
func TestMembersAreCountedWithoutProfiles(t *testing.T) {
	t.Parallel()
	level, yes := int64(1), true
	for _, d := range []sqldb.Dialect{sqldb.SQLite, sqldb.PostgreSQL} {
		where := func(f loyalty.MemberFilter) *condition { return (&Store{keys: noKeys{}}).membersWhere(d, f, 0) }
		f := loyalty.MemberFilter{Merchant: "m", Phone: "1", Level: &level, MinBalance: &level, RegisteredFrom: 1, Active: &yes, Label: "l", PaidCard: "c"}
		if strings.Contains(where(f).from(), "member_profile") {
			t.Errorf("reads profiles: %s", where(f).from())
		}
		f.Nickname = "n"
		if !strings.Contains(where(f).from(), "member_profile") {
			t.Errorf("looks for a nickname without profiles: %s", where(f).from())
		}
	}
}

// A batch changes totals of nearly all its members, so that must not cost an
// index's pages too: SQLite rewrites what an index has of a row whenever a
// statement sets a column of it, the same or not.
func TestTotalsTouchNoIndex(t *testing.T) {
	t.Parallel()
	db := migrated(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	for query, want := range map[string]bool{sqliteTexts.updateTotals: false, sqliteTexts.updateMembers: true} {
		var touched bool
		scan := func(row scanner) error {
			var n [6]int64
			var opcode string
			var text, comment any
			err := row.Scan(&n[0], &opcode, &n[1], &n[2], &n[3], &text, &n[4], &comment)
			touched = touched || strings.HasPrefix(opcode, "Idx")
			return err
		}
		args := make([]any, strings.Count(query, "?"))
		for i := range args {
			args[i] = int64(1)
		}
		if err := each(t.Context(), db.Read(), scan, "EXPLAIN "+query, args...); err != nil || touched != want {
			t.Errorf("%v; touches an index: %v, want %v\n%s", err, touched, want, query)
		}
	}
}

// planOnSQLite is how SQLite answers a query, a line a step; none when it refuses
// the query, which the test is told.
func planOnSQLite(t *testing.T, db *sqldb.DB, name, query string) (lines []string) {
	t.Helper()
	args := make([]any, strings.Count(query, "?"))
	for i := range args {
		args[i] = int64(1)
		if strings.Contains(query, "json_each") {
			args[i] = "[1]"
		}
	}
	rows, err := db.Read().Query(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return nil
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int64
		var line string
		if err := rows.Scan(&id, &parent, &unused, &line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestPlansOnSQLite(t *testing.T) {
	t.Parallel()
	db := migrated(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	for name, p := range sqlitePlans {
		lines := planOnSQLite(t, db, name, p.query)
		for _, line := range lines {
			scans := strings.HasPrefix(line, "SCAN ") && !strings.HasPrefix(line, "SCAN json_each") &&
				!strings.HasPrefix(line, "SCAN w") && !strings.HasPrefix(line, "SCAN CONSTANT") &&
				line != "SCAN k" // the rows of a page
			if scans {
				t.Errorf("%s reads a table from end to end: %s", name, line)
			}
		}
		if text := strings.Join(lines, "\n"); !strings.Contains(text, p.by) || !strings.Contains(text, "SEARCH") {
			t.Errorf("%s is not answered by %q:\n%s", name, p.by, text)
		}
	}
}

// postgresPlans are the statements of a batch, as prepared for any values.
var postgresPlans = map[string]plan{
	"lookUp":           {lookUp, "identity_pkey"},
	"lockTemplates":    {lockTemplates, "coupon_template_merchant_id_space_number_key"},
	"ordersNamed":      {ordersNamed, "member_order_pkey"},
	"refundsParked":    {refundsParked, "parked_refund"},
	"couponsNamed":     {couponsNamed, "coupon_pkey"},
	"couponsOfOrders":  {couponsOfOrders, "coupon_of_order"},
	"claimsNamed":      {claimsNamed, "coupon_claim_pkey"},
	"birthdays":        {birthdaysOfMembers, "member_profile_pkey"},
	"movesAfter":       {movesAfter, "level_move_pkey"},
	"talliesNamed":     {talliesNamed, "tally_pkey"},
	"templatesNamed":   {templatesNamed, "coupon_template_pkey"},
	"labelsOfMembers":  {labelsOfMembers, "member_label_pkey"},
	"cardsOfMembers":   {cardsOfMembers, "paid_card_pkey"},
	"updateOrders":     {postgresTexts.updateOrders, "member_order_pkey"},
	"updateCoupons":    {postgresTexts.updateCoupons, "coupon_pkey"},
	"updateIssued":     {postgresTexts.updateIssued, "coupon_template_pkey"},
	"forgetPapers":     {postgresTexts.forgetPapers, "order_detail_pkey"},
	"forgetDetails":    {postgresTexts.forgetDetails, "order_detail_pkey"},
	"deleteLabels":     {postgresTexts.deleteLabels, "member_label_pkey"},
	"deleteCards":      {postgresTexts.deleteCards, "paid_card_pkey"},
	"insertIdentities": {postgresTexts.insertIdentities, ""},
}

func TestPlansOnPostgres(t *testing.T) {
	t.Parallel()
	db := migrated(t, pgtest.URL(t))
	tx, err := db.Write(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	for _, setting := range []string{planByKey, "SET LOCAL plan_cache_mode = force_generic_plan"} { // the first as in a batch
		if _, err := tx.PG().Exec(t.Context(), setting); err != nil {
			t.Fatal(err)
		}
	}
	for name, p := range postgresPlans {
		parameters := 0
		for strings.Contains(p.query, fmt.Sprintf("$%d", parameters+1)) {
			parameters++
		}
		nulls := strings.TrimSuffix(strings.Repeat("NULL, ", parameters), ", ")
		results, err := tx.PG().Conn().PgConn().Exec(t.Context(),
			"DEALLOCATE ALL; PREPARE p AS "+p.query+"; EXPLAIN EXECUTE p("+nulls+")").ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var lines []string
		for _, row := range results[2].Rows {
			lines = append(lines, string(row[0]))
		}
		text := strings.Join(lines, "\n")
		if strings.Contains(text, "Seq Scan") || !strings.Contains(text, p.by) {
			t.Errorf("%s is not answered by %q:\n%s", name, p.by, text)
		}
	}
}

func migrated(t *testing.T, url string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := migration.Up(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return db
}
