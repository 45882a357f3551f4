package storetest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

func openID(id int64) string { return fmt.Sprintf("%032x", id) }

const (
	first = int64(1)
	last  = loyalty.MaxMemberID
	odd   = "会员 'O''Brien' \"%20\" : 🎂 \u2028 \\ $1 ?"
)

func extremeMember(id int64) loyalty.Member {
	return loyalty.Member{
		ID: id, Merchant: "m", OpenID: openID(id), Status: loyalty.Disabled,
		Level: math.MaxInt64, Growth: math.MinInt64, Earned: math.MaxInt64 - 1, Used: math.MinInt64 + 1,
		Balance: -3, Pending: 4, Deficit: 5, Entries: 99_999_999, Credits: 7, Audits: 8,
		Orders: 9, Coupons: 10, LevelMoves: 11, Held: 12, Kept: 13, ConsumeCount: math.MinInt64, ConsumeFen: math.MaxInt64,
		NextDueAt: loyalty.Never, LastEntryAt: -1, RegisteredAt: math.MinInt64,
	}
}

func emptyMember(id int64) loyalty.Member {
	return loyalty.Member{ID: id, Merchant: "m", OpenID: openID(id), Status: loyalty.Active, NextDueAt: loyalty.Never}
}

func fullProfile() loyalty.Profile {
	return loyalty.Profile{
		Nickname: odd, BirthMonth: 12, BirthDay: 31, Store: "北京西单店", ExternalID: "ext",
		Phone: "13800000001", RealName: odd, Gender: 2, Birthday: "1999-12-31", IDCard: "11010119991231002X",
		Email: "a@example.com", Country: "中国", Province: "北京", City: "北京", Photo: "https://example.com/p.png",
		QID: "q", OuterUserID: "outer", Company: "c", Remark: strings.Repeat("长", 5_000), EmployeeID: "e", EmployeeName: "n",
		Channels: []loyalty.Channel{
			{Code: "xcx", ID: "200000000000001000", CardCode: "cc", CardID: "ci", Store: "s", RegisterType: "1",
				ThirdPartyCode: "third", UnionID: "union", CreatedAt: 1, UpdatedAt: loyalty.Never},
			{Code: "saas", ID: "200000000000001001"},
		},
	}
}

func fullEntry(member, no int64, parts loyalty.Parts) loyalty.Entry {
	return loyalty.Entry{
		Member: member, No: no, At: loyalty.Never - 1, Kind: loyalty.WriteOff,
		Amount: math.MaxInt64, Points: math.MinInt64, Pending: -1, Deficit: -2, Lapsed: 3, Balance: -4,
		Operation: loyalty.OpPromotionClawback, Reverses: 5, Reversed: 6, Credits: 7, Parts: parts, App: odd,
		Note: loyalty.Note{
			Event: odd, Reason: odd, OrderNo: odd, Activity: odd,
			Detail: loyalty.Detail{Remark: odd, OperationName: "n", BusinessType: "b", Operator: "o", OperatorID: "i",
				OrgCode: "oc", OrgType: "ot", OrderFen: math.MaxInt64},
		},
		Decision: fullDecision(),
	}
}

func manyLots(n int) (lots []loyalty.Lot, parts loyalty.Parts) {
	for i := range n {
		key := loyalty.LotKey{ExpiresAt: loyalty.Instant(i), AvailableAt: loyalty.Instant(i % 3), Source: []string{"", odd, "a"}[i%3]}
		if i == n-1 {
			key = loyalty.LotKey{ExpiresAt: loyalty.Never, AvailableAt: math.MaxInt64 - 1}
		}
		lots = append(lots, loyalty.Lot{LotKey: key, Remaining: int64(i) + 1, Pending: i%2 == 0})
		parts = append(parts, loyalty.Part{LotKey: key, Quantity: int64(-i)})
	}
	return lots, parts
}

// extremeChanges have a row of every type, full, empty and at the bounds.
func extremeChanges() loyalty.Changes {
	lots, parts := manyLots(loyalty.MaxOpenLots)
	c := loyalty.Changes{
		NewMembers: []loyalty.Member{emptyMember(first), extremeMember(last)},
		Profiles: []loyalty.ProfileRow{
			{Member: first, Merchant: "m", New: true},
			{Member: last, Merchant: "m", New: true, Profile: fullProfile()},
		},
		Entries: []loyalty.Entry{
			{Member: first, No: 1, Kind: loyalty.Grant},
			{Member: first, No: 2, Kind: loyalty.Grant, Decision: &loyalty.Decision{EarnedBy: loyalty.ByCaller, Version: 1}},
			fullEntry(last, 1, parts), fullEntry(last, 99_999_999, nil),
		},
		Bound: []loyalty.IdentityRow{
			{Identity: loyalty.Identity{Merchant: "m", Kind: loyalty.ByExternalID, Value: odd}, Bound: loyalty.Bound{Member: last}},
			{Identity: loyalty.Identity{Merchant: "m", Kind: loyalty.ByOpenID, Value: openID(first)}, Bound: loyalty.Bound{Member: first}},
			{Identity: loyalty.Identity{Merchant: "m", Kind: loyalty.ByOuterID, Value: odd}, Bound: loyalty.Bound{Member: last}},
			{Identity: loyalty.Identity{Merchant: "m", Kind: loyalty.ByPhone, Value: "13800000001"}, Bound: loyalty.Bound{Member: last}},
			{Identity: loyalty.Identity{Merchant: "m", Kind: loyalty.ByThirdParty, Value: "xcx:third"}, Bound: loyalty.Bound{Member: last}},
			{Identity: loyalty.Identity{Merchant: "m", Kind: loyalty.ByUnionID, Value: "union"}, Bound: loyalty.Bound{Member: last}},
		},
		Keys: []loyalty.KeyRow{
			{Member: first, KeyID: loyalty.KeyID{Operation: loyalty.KeyOpt, Key: "k"}, Answer: "{}"},
			{Member: first, KeyID: loyalty.KeyID{Operation: loyalty.KeyChange, Key: "k"}, Answer: "{}", Entry: 1},
			{Member: last, KeyID: loyalty.KeyID{Space: odd, Operation: loyalty.KeyReturn, Key: odd}, Fingerprint: odd,
				Answer: `{"x":"🎂"}`, Entry: 99_999_999, At: loyalty.Never},
		},
		Audit: []loyalty.Audit{
			{Member: first, No: 1, Action: "a"},
			{Member: last, No: 8, At: -1, Action: odd, Operator: odd, Reason: odd},
		},
	}
	addOrders(&c)
	for _, l := range lots {
		c.Lots = append(c.Lots, loyalty.LotRow{Member: last, Lot: l})
		c.Lapsed = append(c.Lapsed, loyalty.LapsedRow{Member: last, Lapsed: loyalty.Lapsed{LotKey: l.LotKey, Quantity: l.Remaining, Attributed: 1}})
	}
	return c
}

// laterChanges change, move and remove rows of extremeChanges.
func laterChanges() loyalty.Changes {
	lots, _ := manyLots(loyalty.MaxOpenLots)
	phone := loyalty.Identity{Merchant: "m", Kind: loyalty.ByPhone, Value: "13800000001"}
	external := loyalty.Identity{Merchant: "m", Kind: loyalty.ByExternalID, Value: odd}
	changed := extremeMember(first)
	changed.RegisteredAt = 0
	was := fullEntry(last, 1, nil)
	was.Reversed = math.MaxInt64
	neverThere := loyalty.Lot{LotKey: loyalty.LotKey{ExpiresAt: 77, Source: "opened and emptied by one batch"}}
	c := loyalty.Changes{
		Members:  []loyalty.Member{changed},
		Profiles: []loyalty.ProfileRow{{Member: last, Merchant: "m", Profile: loyalty.Profile{Nickname: "new"}}},
		Lots:     []loyalty.LotRow{{Member: first, Lot: neverThere}},
		Lapsed:   []loyalty.LapsedRow{{Member: last, Lapsed: loyalty.Lapsed{LotKey: lots[3].LotKey, Quantity: 9, Attributed: 9}}},
		Reversed: []loyalty.Entry{was},
		Unbound:  []loyalty.Identity{external, phone},
		Bound:    []loyalty.IdentityRow{{Identity: phone, Bound: loyalty.Bound{Member: first}}},
	}
	changeOrders(&c)
	for i, l := range lots {
		if i%2 == 0 {
			l.Remaining = 0
		} else {
			l.Remaining, l.Pending = math.MaxInt64, !l.Pending
		}
		c.Lots = append(c.Lots, loyalty.LotRow{Member: last, Lot: l})
	}
	return c
}

func testExtremeRows(t *testing.T, e *Engine) {
	m := rules(t, "m", nil)
	e.AddMerchants(t, m)
	reference := loyaltytest.NewMemory(m)
	everything := loyalty.Refs{
		Who:        loyalty.Who{Merchant: "m", ID: last, ExternalID: odd},
		Identities: extremeIdentities(),
		Keys: []loyalty.KeyID{
			{Operation: loyalty.KeyOpt, Key: "k"}, {Operation: loyalty.KeyChange, Key: "k"},
			{Space: odd, Operation: loyalty.KeyReturn, Key: odd}, {Operation: loyalty.KeySend, Key: "unused"},
		},
		Entries: []int64{1, 2, 99_999_999}, Order: loyalty.OrderKey{Space: odd, No: odd}, Profile: true,
	}
	nothing := loyalty.Refs{Who: loyalty.Who{Merchant: "m", ID: 12345, Phone: "13900000000"}, Profile: true,
		Keys: everything.Keys, Entries: []int64{1}, Order: loyalty.OrderKey{Space: odd, No: odd}}
	check := func(what string) {
		t.Helper()
		sameState(t, what, reference, e)
		sets := [][]loyalty.Refs{nil, {nothing}, {everything}, {nothing, everything, everything}, orderRefs()}
		for _, r := range orderRefs() {
			sets = append(sets, []loyalty.Refs{r})
		}
		for _, refs := range sets {
			sameLoaded(t, what, loadAll(t, reference, refs...), loadAll(t, e.Store, refs...))
		}
	}
	check("nothing saved")
	for _, c := range []struct {
		what    string
		changes loyalty.Changes
	}{{"first", extremeChanges()}, {"later", laterChanges()}, {"empty", loyalty.Changes{}}} {
		saveAll(t, reference, c.changes)
		saveAll(t, e.Store, c.changes)
		check(c.what)
	}
	other := e.Another(t)
	sameLoaded(t, "another process", loadAll(t, reference, everything), loadAll(t, other.Store, everything))
}

func extremeIdentities() (ids []loyalty.Identity) {
	for _, b := range extremeChanges().Bound {
		ids = append(ids, b.Identity)
	}
	return append(ids, loyalty.Identity{Merchant: "m", Kind: loyalty.ByPhone, Value: "13900000000"},
		loyalty.Identity{Merchant: "another", Kind: loyalty.ByPhone, Value: "13800000001"})
}

// What a database refuses is one command's fault, and nothing of the batch
// stays.
func testRefusedValues(t *testing.T, e *Engine) {
	e.AddMerchants(t, rules(t, "m", nil))
	saveAll(t, e.Store, loyalty.Changes{NewMembers: []loyalty.Member{emptyMember(1)}})
	twice := loyalty.Changes{NewMembers: []loyalty.Member{emptyMember(2), emptyMember(1)}}
	unscoped := loyalty.Changes{Profiles: []loyalty.ProfileRow{{Member: 1, Merchant: "a|b"}}}
	for what, c := range map[string]struct {
		changes loyalty.Changes
		want    error
	}{"a member twice": {twice, loyalty.ErrAgain}, "a profile that cannot be sealed": {unscoped, loyalty.ErrCulprit}} {
		tx, err := e.Store.Begin(t.Context())
		must(t, err)
		if err := tx.Save(t.Context(), c.changes); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
		tx.Rollback()
	}
	state, err := Dump(t.Context(), e.DB, e.Keys)
	must(t, err)
	equal(t, "members", []loyalty.Member{emptyMember(1)}, state.Members)
}
