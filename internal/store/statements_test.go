package store

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/pgtest"
	"github.com/memberd/memberd/internal/store/migration"
	"github.com/memberd/memberd/internal/store/sqldb"
	"github.com/memberd/memberd/internal/webhook"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// shared are the statements that run on both engines, by the name of their
// text.
func shared(d sqldb.Dialect) map[string][]string {
	texts := map[string][]string{}
	for name, text := range map[string]string{
		"reserveIDs": reserveIDs, "selectMark": selectMark, "selectSettings": selectSettings,
		"insertHistory": insertHistory, "updateSettings": updateSettings,
		"insertMerchant": insertMerchant, "selectMerchant": selectMerchant, "merchantExists": merchantExists,
		"insertApp": insertApp, "selectApp": selectApp, "selectApps": selectApps, "updateAppDisabled": updateAppDisabled, "updateCallbackURL": updateCallbackURL,
		"selectKeyCheck": selectKeyCheck, "insertKeyCheck": insertKeyCheck,
		"deleteTokensOfKind": deleteTokensOfKind, "selectLiveToken": selectLiveToken,
		"appExists": appExists + d.ForUpdate(), "countOneMore": countOneMore, "deleteOldCounts": deleteOldCounts,
		"deleteExpiredTokens": deleteExpiredTokens, "insertTokenRow": insertTokenRow, "selectToken": selectToken,
		"upsertSMSCode": upsertSMSCode, "countSMS": countSMS, "deleteOldCodes": deleteOldCodes(d), "deleteOldSMSCounts": deleteOldSMSCounts(d),
		"deleteSMSCode": deleteSMSCode, "uncountSMS": uncountSMS, "countSMSAttempt": countSMSAttempt, "useSMSCode": useSMSCode,
		"selectIdentity": selectIdentity, "selectLots": selectLots,
		"selectEntries": selectEntries, "selectAudits": selectAudits,
		"selectDueMembers": selectDueMembers, "selectMerchants": selectMerchants,
		"verifyMembers": verifyMembers, "verifyLots": verifyLots, "verifyLapsed": verifyLapsed,
		"verifyClaims": verifyClaims, "verifyTemplates": verifyTemplates, "verifyOrders": verifyOrders, "verifyCoupons": verifyCoupons,
		"verifyDetails": verifyDetails, "verifyMarks": verifyMarks, "verifyIssued": verifyIssued,
		"selectCoupons": selectCoupons, "selectTemplates": selectTemplates(d), "labelsListed": labelsListed(d), "cardsListed": cardsListed(d),
		"selectOrders": selectOrders, "selectOrderFound": selectOrderFound, "selectRefunds": selectRefunds, "entriesOfOrder": entriesOfOrder(d),
		"verifyAudits": verifyAudits, "verifyEntries": verifyEntries, "verifyNames": verifyNames,
		"selectDueApps": selectDueApps, "claimStreams": claimStreams(d), "claimResends": claimResends(d), "selectNextEvent": selectNextEvent,
		"advanceStream": advanceStream, "postponeStream": postponeStream, "finishResend": finishResend, "postponeResend": postponeResend,
		"finishEvent": finishEvent, "failEvent": failEvent, "insertResend": insertResend, "hurryStream": hurryStream,
		"selectEndedCoupons": selectEndedCoupons, "selectEndedCouponsAhead": selectEndedCouponsAhead, "selectExpiringMembers": selectExpiringMembers, "selectParkedRefunds": selectParkedRefunds,
		"purgeTokens": purgeTokens, "selectMembersFrom": selectMembersFrom, "purgeKeys": purgeKeys,
		"takeLease": takeLease, "freeLease": freeLease, "advanceClock": advanceClock,
		"selectToldApps": selectToldApps, "moveApps": moveApps,
		"selectTidyApps": selectTidyApps, "deleteDoneEvents": deleteDoneEvents(d), "hurryStreams": hurryStreams,
		"hurryResends": hurryResends, "selectTidyable": selectTidyable, "selectLag": selectLag,
		"selectEntryByNo": selectEntryByNo, "selectCouponBySeq": selectCouponBySeq,
		"selectMembersVersion": selectMembersVersion, "selectMemberRowsFrom": selectMemberRowsFrom, "updateMembersVersion": updateMembersVersion,
		"selectSettingsVersions": selectSettingsVersions, "selectSettingsAt": selectSettingsAt, "selectEntryOfMerchant": selectEntryOfMerchant,
		"selectStandings": selectStandings, "selectOrdersPlain": selectOrdersPlain,
		"verifyMoves": verifyMoves, "verifyTallies": verifyTallies,
		"selectDayMembers": selectDayMembers, "selectDayKeys": selectDayKeys, "selectKeyUsed": selectKeyUsed,
	} {
		texts[name] = []string{text}
	}
	for _, profile := range []bool{false, true} {
		for n := range 4 {
			texts["memberByWays"] = append(texts["memberByWays"], waysText(true, n, profile), waysText(false, n+1, profile))
		}
	}
	for _, s := range sides {
		texts["sides"] = append(texts["sides"], s.bounds(), s.page())
	}
	for filter := range couponFilters {
		texts["couponsCount"] = append(texts["couponsCount"], couponsCount(filter))
		texts["couponsPage"] = append(texts["couponsPage"], couponsPage(filter))
	}
	texts["membersPage"] = memberLists(d)
	texts["listedColumns"] = callbackLists()
	return texts
}

// memberLists are the lists for every set of filters.
func memberLists(d sqldb.Dialect) (texts []string) {
	s := &Store{keys: noKeys{}}
	number, yes, no := int64(1), true, false
	for bits := range 1 << 10 {
		f := loyalty.MemberFilter{Merchant: "m"}
		for i, set := range []func(){
			func() { f.Phone = "1" }, func() { f.Nickname = "n" }, func() { f.Level = &number },
			func() { f.MinBalance = &number }, func() { f.MaxBalance = &number },
			func() { f.RegisteredFrom = 1 }, func() { f.RegisteredTo = 1 }, func() { f.Active = &yes },
			func() { f.Label = "l" }, func() { f.PaidCard = "c" },
		} {
			if bits&(1<<i) != 0 {
				set()
			}
		}
		where := s.membersWhere(d, f, 0)
		texts = append(texts, where.count(), where.page())
	}
	f := loyalty.MemberFilter{Merchant: "m", Active: &no}
	return append(texts, s.membersWhere(d, f, 0).count())
}

// callbackLists are the lists for every kind of filter.
func callbackLists() (texts []string) {
	for _, f := range []webhook.Filter{
		{Member: 1}, {Member: 1, No: 1, State: webhook.StateParked},
		{State: webhook.StateParked}, {State: webhook.StateWaiting}, {State: webhook.StateDelivered},
	} {
		text, _ := callbackList(f)
		texts = append(texts, text)
	}
	return texts
}

type noKeys struct{ Sealer }

func (noKeys) Lookup(string, string, string) string { return "" }

// ownTexts run on one engine only; the suite executes each of them there.
var ownTexts = map[string]string{
	"planByKey": "postgres", "lockMarks": "postgres", "lookUp": "postgres", "lockMembers": "postgres",
	"lockTemplates": "postgres", "labelsOfMembers": "postgres", "cardsOfMembers": "postgres", "templatesNamed": "postgres",
	"ordersNamed": "postgres", "refundsParked": "postgres", "couponsNamed": "postgres", "couponsOfOrders": "postgres", "claimsNamed": "postgres",
	"movesAfter": "postgres", "talliesNamed": "postgres", "birthdaysOfMembers": "postgres",
	"selectMoveAfter": "sqlite", "selectTallies": "sqlite", "selectBirthdays": "sqlite",
	"lotsOfMembers": "postgres", "profilesOfMembers": "postgres", "keysNamed": "postgres",
	"entriesNamed": "postgres", "entriesOfOrders": "postgres", "lapsedNamed": "postgres", "lockMerchants": "postgres",
	"postgresTexts": "postgres", "sqliteTexts": "sqlite", "sharedTexts": "inserts, by engine",
	"selectMembers": "sqlite", "selectLotsOfMembers": "sqlite", "selectProfiles": "sqlite", "selectKey": "sqlite", "selectEntry": "sqlite", "selectEntriesOfOrder": "sqlite",
	"selectLapsed": "sqlite",
	"selectOrder":  "sqlite", "selectParked": "sqlite", "selectCoupon": "sqlite", "selectCouponsOfOrder": "sqlite",
	"selectClaim": "sqlite", "selectStreams": "sqlite", "streamsOfMembers": "postgres", "selectTemplateNamed": "sqlite", "selectTemplate": "sqlite",
	"ordersOnPostgres": "postgres", "ordersOnSQLite": "sqlite", "ordersWithDetails": "in selectOrders",
	"wayByID": "in memberByWays", "waysText": "memberByWays", "crowdText": "postgres", "wayByIdentity": "in memberByWays", "membersCount": "in membersPage",
	"bounds": "in sides", "page": "in sides", "unnest": "a part",
	"values": "a part",
}

func TestSharedStatementsPrepare(t *testing.T) {
	t.Parallel()
	prepare := func(t *testing.T, url string) {
		t.Parallel()
		ctx := context.Background()
		db, err := sqldb.Open(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := migration.Up(ctx, db); err != nil {
			t.Fatal(err)
		}
		pool, err := db.OpenSQL()
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		if _, err := pool.PrepareContext(ctx, "SELECT no_such_column FROM member"); err == nil {
			t.Fatal("preparing does not look at the tables")
		}
		for name, texts := range shared(db.Dialect()) {
			for _, text := range texts {
				if db.Dialect() == sqldb.PostgreSQL {
					text = sqldb.Rebind(text)
				}
				stmt, err := pool.PrepareContext(ctx, text)
				if err != nil {
					t.Errorf("%s: %v\n%s", name, err, text)
					continue
				}
				stmt.Close()
			}
		}
	}
	t.Run("sqlite", func(t *testing.T) { prepare(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db")) })
	t.Run("postgres", func(t *testing.T) { prepare(t, pgtest.URL(t)) })
}

var beginsSQL = regexp.MustCompile(`^\s*(SELECT|INSERT|UPDATE|DELETE|WITH|LOCK)\s`)

// Every statement in the package is in one of the two lists above: nobody adds
// one that only the engine at hand has seen.
func TestAllStatementsAreListed(t *testing.T) {
	t.Parallel()
	listed := shared(sqldb.SQLite)
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	statements := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			for owner, node := range parts(decl) {
				ast.Inspect(node, func(n ast.Node) bool {
					lit, ok := n.(*ast.BasicLit)
					if !ok || lit.Kind != token.STRING {
						return true
					}
					text, err := strconv.Unquote(lit.Value)
					if err != nil || !beginsSQL.MatchString(text) {
						return true
					}
					statements++
					if _, ok := listed[owner]; !ok && ownTexts[owner] == "" {
						t.Errorf("%s: a statement in %s is in no list:\n%s", name, owner, text)
					}
					return true
				})
			}
		}
	}
	if statements < 50 {
		t.Errorf("only %d statements found: the search is broken", statements)
	}
}

// parts are the named parts of a declaration.
func parts(decl ast.Decl) map[string]ast.Node {
	nodes := map[string]ast.Node{}
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Body != nil {
			nodes[d.Name.Name] = d.Body
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if v, ok := spec.(*ast.ValueSpec); ok {
				nodes[v.Names[0].Name] = v
			}
		}
	}
	return nodes
}
