package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
	"github.com/memberd/memberd/internal/store"
)

const hour = loyalty.Instant(3_600_000)

// ruleWorld makes a merchant whose rules look at everything they can: levels,
// birthdays, labels, and caps of all kinds.
func ruleWorld(t testing.TB, merchant string) *loyalty.Snapshot {
	return rules(t, merchant, func(s *loyalty.Settings) {
		s.Orders.Score = loyalty.ScoreRule
		s.Points.Multipliers = []loyalty.Multiplier{
			{ID: "high", Factor: 20_000, When: loyalty.Condition{Levels: []int64{2, 3}}},
			{ID: "birthday", Factor: 15_000, When: loyalty.Condition{Birthday: loyalty.BirthdayMonth}},
			{ID: "label", Factor: 30_000, When: loyalty.Condition{Labels: []string{"VIP"}}},
		}
		s.Points.Combine = loyalty.CombineMultiply
		s.Points.Caps = loyalty.Caps{PerOrder: 5_000, PerDay: 9_000, PerMember: 1_000_000}
		s.Events = append(s.Events, loyalty.Event{
			Name: "visit", Direction: loyalty.Credit, Points: 7, DailyCap: 15, Operation: loyalty.OpSignIn,
		})
	})
}

// What rules look at is loaded as the reference loads it, whatever else is in
// the batch, and what they count is saved.
func testRuleNeeds(t *testing.T, e *Engine) {
	all := []*loyalty.Snapshot{ruleWorld(t, "m"), rules(t, "plain", nil)}
	e.AddMerchants(t, all...)
	reference := loyaltytest.NewMemory(all...)
	var refs []loyalty.Refs
	at := orderTime
	month, _ := monthOf(all[0], at)
	for i := range 4 {
		for _, merchant := range []string{"m", "plain"} {
			p := loyalty.Profile{Phone: fmt.Sprintf("1380000000%d", i)}
			if i%2 == 0 {
				p.BirthMonth, p.BirthDay = month, 28
			}
			both(t, reference, e, loyalty.RegisterMember{Merchant: merchant, Profile: p}, at)
		}
	}
	for i := range 40 {
		at += 5 * hour
		for id := range int64(8) {
			who := loyalty.Who{Merchant: []string{"m", "plain"}[id%2], ID: id + 1}
			no := fmt.Sprintf("A%d-%d", id, i)
			orders := []loyalty.RecordOrder{
				{Who: who, Order: loyalty.OrderKey{No: no}, Amount: 10_000 * int64(1+i%5), ConsumedAt: at - loyalty.Instant(i%3)*7*hour},
			}
			for _, c := range orders {
				refs = append(refs, loyalty.Any(c).Refs)
				both(t, reference, e, c, at)
			}
			visit := loyalty.ChangePoints{Who: who, Event: "visit", ID: no, KeyOp: loyalty.KeyChange}
			money := loyalty.ChangePoints{Who: who, Direction: loyalty.Credit, Operation: loyalty.OpPurchaseGrant, Amount: 3_000}
			refund := loyalty.RefundOrder{Who: who, Order: loyalty.OrderKey{No: "R" + no}, Parent: no, Amount: 10_000, ConsumedAt: at}
			back := loyalty.RollBackChange{Who: who, ChangeID: no}
			refs = append(refs, loyalty.Any(visit).Refs, loyalty.Any(money).Refs, loyalty.Any(refund).Refs, loyalty.Any(back).Refs)
			both(t, reference, e, visit, at)
			both(t, reference, e, money, at)
			if i%4 == 3 {
				both(t, reference, e, refund, at)
				both(t, reference, e, back, at)
			}
			if i == 10+int(id) {
				mark := loyalty.MarkMember{Who: who, Label: "VIP", By: byTest}
				refs = append(refs, loyalty.Any(mark).Refs)
				both(t, reference, e, mark, at)
				both(t, reference, e, loyalty.MarkMember{Who: who, Card: loyalty.PaidCard{ID: "gold"}, By: byTest}, at)
			}
		}
	}
	sameState(t, "after commands under rules", reference, e)
	state := reference.Dump(nil)
	if len(state.LevelMoves) < 8 || len(state.Tallies) < 40 {
		t.Fatalf("%d level moves, %d tallies: too few to prove anything", len(state.LevelMoves), len(state.Tallies))
	}
	seed, rng := randomOf(t)
	for range 60 {
		var some []loyalty.Refs
		for range 1 + rng.IntN(12) {
			some = append(some, refs[rng.IntN(len(refs))])
		}
		sameLoaded(t, fmt.Sprint("refs, seed ", seed), loadTwice(t, reference, some), loadAll(t, e.Store, some...))
	}
	verifyAll(t, e, 3)
}

// loadTwice loads from the reference, which asks the rules of each command before
// it loads the rows of the next: a reversal's rules look at all entries that the
// batch has, so that they know them only the second time.
func loadTwice(t testing.TB, reference *loyaltytest.Memory, refs []loyalty.Refs) *loyalty.WorkingSet {
	t.Helper()
	return loadAll(t, reference, slices.Concat(refs, refs)...)
}

func monthOf(s *loyalty.Snapshot, at loyalty.Instant) (month, day int) {
	local := at.In(s.Location())
	return int(local.Month()), local.Day()
}

// both has a command decided on both stores, which must answer alike.
func both[R any](t testing.TB, reference *loyaltytest.Memory, e *Engine, c loyalty.Command[R], at loyalty.Instant) {
	t.Helper()
	want, refused := do(t, reference, c, at)
	got, err := do(t, e.Store, c, at)
	equal(t, fmt.Sprintf("%T", c), want, got)
	if !errors.Is(err, refused) {
		t.Errorf("%T: %v, want %v", c, err, refused)
	}
}

// changeLevels makes the second level begin at a threshold.
func changeLevels(t testing.TB, s *store.Store, policy loyalty.LevelChange, second int64) (version int64) {
	t.Helper()
	version, err := s.ChangeSettings(t.Context(), "m", "o", "levels", func(_ int64, settings loyalty.Settings) (loyalty.Settings, error) {
		settings.Levels = slices.Clone(settings.Levels[:2])
		settings.Levels[1].Threshold, settings.LevelChange = second, policy
		return settings, nil
	})
	must(t, err)
	return version
}

// Other levels show in every read at once, and are no difference to the check
// while idle members have not been brought to them. Then they are.
func testLevelsChange(t *testing.T, e *Engine) {
	ctx := t.Context()
	e.AddMerchants(t, rules(t, "m", func(s *loyalty.Settings) {
		s.Levels = slices.Clone(s.Levels[:2])
		s.Levels[1].Threshold = 500
	}))
	for i := range 3 {
		mustDo(t, e.Store, loyalty.RegisterMember{Merchant: "m", Profile: loyalty.Profile{Phone: fmt.Sprintf("1380000000%d", i)}}, orderTime)
	}
	who := loyalty.Who{Merchant: "m", ID: 2}
	mustDo(t, e.Store, loyalty.RecordOrder{Who: who, Order: loyalty.OrderKey{No: "A1"}, Amount: 30_000, ConsumedAt: orderTime, Points: 5, Given: true}, orderTime)
	level := func(want int64) {
		t.Helper()
		for _, s := range []*store.Store{e.Store, e.Another(t).Store} {
			for range 2 { // the second read finds the rules in memory
				f, err := s.Member(ctx, who, orderTime, true)
				must(t, err)
				page, err := s.Members(ctx, loyalty.MemberFilter{Merchant: "m"}, orderTime, 1, 10)
				must(t, err)
				o, _, err := s.Orders(ctx, who, orderTime, 1, 1)
				must(t, err)
				i := slices.IndexFunc(page.Members, func(f loyalty.Found) bool { return f.ID == 2 })
				if f.Level != want || page.Members[i].Level != want || o.Level != want {
					t.Errorf("level %d, %d in a list, %d with orders, want %d", f.Level, page.Members[i].Level, o.Level, want)
				}
				if f.NextDueAt == loyalty.Never || page.Members[i].NextDueAt != f.NextDueAt {
					t.Errorf("next due at %d, %d in a list: the lot is forgotten", f.NextDueAt, page.Members[i].NextDueAt)
				}
			}
		}
	}
	reached := func(want int64, all bool) {
		t.Helper()
		version, reached, err := e.Store.MembersReached(ctx, "m")
		if version != want || reached != all || err != nil {
			t.Errorf("version %d, reached %v, %v; want %d, %v", version, reached, err, want, all)
		}
		ids, next, err := e.Store.UnalignedMembers(ctx, "m", 0)
		if next != 0 || err != nil || len(ids) > 0 && !slices.Equal(ids, []int64{2}) {
			t.Errorf("unaligned members %v, next %d, %v", ids, next, err)
		}
		verifyAll(t, e, 2)
	}
	level(1)
	reached(1, true)
	changeLevels(t, e.Store, loyalty.LevelFit, 300)
	level(2)
	reached(2, false)
	if done := mustDo(t, e.Store, loyalty.BookDue{Who: who}, orderTime); done.Entries == 0 {
		t.Error("nothing was due of a member that does not fit")
	}
	must(t, e.Store.SetMembersReached(ctx, "m", 2))
	must(t, e.Store.SetMembersReached(ctx, "m", 1)) // only upward
	level(2)
	reached(2, true)
	e.Exec(t, "UPDATE member SET level = 1 WHERE member_id = 2")
	_, _, diffs, err := e.Store.Verify(ctx, 0, 10)
	must(t, err)
	if !slices.ContainsFunc(diffs, func(d loyalty.Difference) bool { return d.Member == 2 && d.Field == "level" }) {
		t.Errorf("a wrong level is not found: %+v", diffs)
	}
	e.Exec(t, "UPDATE member SET level = 2 WHERE member_id = 2")
	if _, _, err := e.Store.MembersReached(ctx, "x"); !errors.Is(err, access.ErrNoMerchant) {
		t.Errorf("no merchant: %v", err)
	}
	if _, _, err := e.Store.UnalignedMembers(ctx, "x", 0); !errors.Is(err, access.ErrNoMerchant) {
		t.Errorf("no merchant: %v", err)
	}
}

// programmeCorruptions are values of member 1 of ruleWorld.
var programmeCorruptions = []struct{ query, restore, field string }{
	{"UPDATE member SET level_moves = level_moves + 1 WHERE member_id = 1", "UPDATE member SET level_moves = level_moves - 1 WHERE member_id = 1", "level moves"},
	{"UPDATE level_move SET to_level = to_level + 1 WHERE member_id = 1 AND move_no = 1", "UPDATE level_move SET to_level = to_level - 1 WHERE member_id = 1 AND move_no = 1", "level move 1 level"},
	{"UPDATE level_move SET move_no = 9 WHERE member_id = 1 AND move_no = 1", "UPDATE level_move SET move_no = 1 WHERE member_id = 1 AND move_no = 9", "level move 9 number"},
	{"UPDATE tally SET points = points + 1 WHERE member_id = 1 AND name = 'rule' AND day = -9223372036854775808", "UPDATE tally SET points = points - 1 WHERE member_id = 1 AND name = 'rule' AND day = -9223372036854775808", "tally rule of -9223372036854775808"},
	{"UPDATE tally SET name = 'x' WHERE member_id = 1 AND name = 'rule' AND day = -9223372036854775808", "UPDATE tally SET name = 'rule' WHERE member_id = 1 AND name = 'x'", "tally rule of -9223372036854775808"},
}

func testProgrammeCorruption(t *testing.T, e *Engine) {
	e.AddMerchants(t, ruleWorld(t, "m"))
	mustDo(t, e.Store, loyalty.RegisterMember{Merchant: "m", Profile: loyalty.Profile{Phone: "13800000001"}}, orderTime)
	who := loyalty.Who{Merchant: "m", ID: 1}
	mustDo(t, e.Store, loyalty.RecordOrder{Who: who, Order: loyalty.OrderKey{No: "A1"}, Amount: 200_000, ConsumedAt: orderTime}, orderTime)
	h := &history{Engine: e, t: t}
	for _, c := range programmeCorruptions {
		verifyAll(t, e, 10)
		e.Exec(t, c.query)
		if !h.finds(1, c.field) {
			t.Errorf("verify does not find %q after: %s", c.field, c.query)
		}
		e.Exec(t, c.restore)
	}
	verifyAll(t, e, 10)
	for field, query := range map[string]string{
		"level moves": "INSERT INTO level_move (member_id, move_no, at, from_level, to_level) VALUES (999, 1, 0, 1, 2)",
		"tallies":     "INSERT INTO tally (member_id, name, day, points) VALUES (999, 'rule', 0, 1)",
	} {
		e.Exec(t, query)
		if !h.finds(999, field) {
			t.Errorf("verify does not find %q of nobody", field)
		}
	}
	for _, column := range []string{"UPDATE entry SET decision = 'x'", "UPDATE member_order SET rule = 'x'"} {
		e.Exec(t, column)
		if _, _, _, err := e.Store.Verify(t.Context(), 0, 10); err == nil {
			t.Errorf("verify reads a record that is none after: %s", column)
		}
		e.Exec(t, "UPDATE entry SET decision = ''")
	}
}

func testSettingsVersions(t *testing.T, e *Engine) {
	ctx := t.Context()
	first := rules(t, "m", nil)
	e.AddMerchants(t, first, rules(t, "other", nil))
	changeLevels(t, e.Store, loyalty.LevelKeep, 7)
	changeLevels(t, e.Store, loyalty.LevelFit, 8)
	list, err := e.Store.SettingsVersions(ctx, "m")
	must(t, err)
	var got []string
	for _, v := range list {
		got = append(got, fmt.Sprintf("%d %q %q", v.Version, v.Operator, v.Reason))
		if v.ChangedAt < 1 {
			t.Errorf("version %d has no time", v.Version)
		}
	}
	equal(t, "versions", []string{`3 "o" "levels"`, `2 "o" "levels"`, `1 "" "merchant created"`}, got)
	for version, want := range map[int64]int64{1: first.Levels[1].Threshold, 2: 7, 3: 8} {
		s, err := e.Store.SettingsAt(ctx, "m", version)
		must(t, err)
		if s.Levels[1].Threshold != want {
			t.Errorf("version %d has threshold %d, want %d", version, s.Levels[1].Threshold, want)
		}
	}
	if _, err := e.Store.SettingsVersions(ctx, "x"); !errors.Is(err, access.ErrNoMerchant) {
		t.Errorf("versions of no merchant: %v", err)
	}
	for merchant, version := range map[string]int64{"x": 1, "m": 4, "other": 2} {
		if _, err := e.Store.SettingsAt(ctx, merchant, version); !errors.Is(err, store.ErrNoVersion) {
			t.Errorf("version %d of %s: %v", version, merchant, err)
		}
	}
}

// Histories are those of all members, each once, and entries are only shown to
// their own merchant.
func testHistories(t *testing.T, e *Engine) {
	h := newHistory(t, e, 1_500)
	seen := 0
	for merchant := range h.rules {
		for after := int64(0); ; seen++ {
			got, found, err := e.Store.History(t.Context(), merchant, after)
			must(t, err)
			if !found {
				break
			}
			if got.Member.ID <= after {
				t.Fatalf("member %d comes after %d", got.Member.ID, after)
			}
			after = got.Member.ID
			h.sameHistory(merchant, got)
		}
	}
	if seen != len(h.state.Members) {
		t.Errorf("%d histories of %d members", seen, len(h.state.Members))
	}
	entry := h.state.Entries[len(h.state.Entries)/2]
	for _, m := range h.state.Members {
		got, err := e.Store.EntryNo(t.Context(), m.Merchant, entry.Member, entry.No)
		if owner := h.merchantOf(entry.Member); m.Merchant != owner {
			if !errors.Is(err, loyalty.StatementNotFound) {
				t.Errorf("an entry of %s is shown to %s: %v", owner, m.Merchant, err)
			}
			continue
		}
		must(t, err)
		equal(t, "entry", entry, got)
	}
	if _, err := e.Store.EntryNo(t.Context(), h.merchantOf(entry.Member), entry.Member, 1_000_000); !errors.Is(err, loyalty.StatementNotFound) {
		t.Errorf("no such entry: %v", err)
	}
}

func (h *history) merchantOf(member int64) string {
	i := slices.IndexFunc(h.state.Members, func(m loyalty.Member) bool { return m.ID == member })
	return h.state.Members[i].Merchant
}

func (h *history) sameHistory(merchant string, got loyalty.History) {
	h.t.Helper()
	id := got.Member.ID
	var want loyalty.History
	for _, m := range h.state.Members {
		if m.ID == id && m.Merchant == merchant {
			want.Member = m
		}
	}
	for _, e := range h.state.Entries {
		if e.Member == id {
			want.Entries = append(want.Entries, e)
		}
	}
	infos := map[int64]loyalty.OrderInfo{}
	for _, i := range h.state.OrderInfos {
		if i.Member == id {
			i.Papers = loyalty.OrderPapers{}
			infos[i.Seq] = i.OrderInfo
		}
	}
	for _, o := range h.state.Orders {
		if o.Member == id {
			want.Orders = append(want.Orders, loyalty.OrderFound{Order: o, Info: infos[o.Seq]})
		}
	}
	p := h.profile(id)
	want.Day = p.BirthDay
	for _, m := range h.state.Marks {
		if m.Member == id {
			want.Labels = m.Labels
		}
	}
	if int(got.Month) != p.BirthMonth {
		h.t.Errorf("member %d is born in month %d, want %d", id, got.Month, p.BirthMonth)
	}
	got.Month = 0
	equal(h.t, "history", want, got)
}
