package storetest

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
)

// All reads against naive ones over the reference's rows.
func testReads(t *testing.T, e *Engine) {
	h := newHistory(t, e, 3_000)
	due := 0
	for range 250 {
		m := h.state.Members[h.rng.IntN(len(h.state.Members))]
		now := h.now(m.Merchant)
		if _, entries := h.asOf(m, now); len(entries) > 0 {
			due++
		}
		h.checkMember(h.memberRead(m, now), now)
		h.checkEntries(m, now)
	}
	h.checkCrowd()
	if due < 10 {
		t.Errorf("something was due for only %d members read", due)
	}
	for range 150 {
		h.checkMembers()
	}
	h.checkDueMembers()
	for _, m := range h.state.Members[:20] {
		h.checkWhole(m)
	}
	if _, err := e.Store.Members(t.Context(), loyalty.MemberFilter{Merchant: "nobody's"}, 0, 1, 10); !errors.Is(err, access.ErrNoMerchant) {
		t.Errorf("members of no merchant: %v", err)
	}
}

// who refers to a member in random ways, right ones and wrong ones.
func (h *history) who(m loyalty.Member) loyalty.Who {
	w := loyalty.Who{Merchant: m.Merchant}
	if h.rng.IntN(2) == 0 {
		w.ID = m.ID
	}
	if h.rng.IntN(2) == 0 {
		w.OpenID = m.OpenID
	}
	if h.rng.IntN(3) == 0 {
		w.Phone = h.profile(m.ID).Phone
	}
	other := h.state.Members[h.rng.IntN(len(h.state.Members))]
	switch h.rng.IntN(12) {
	case 0:
		w.ID = other.ID
	case 1:
		w.OpenID = other.OpenID
	case 2:
		w.Phone = "13999999999"
	case 3:
		w.ExternalID = "nobody"
	case 4:
		w.Merchant = other.Merchant
	}
	return w
}

func (h *history) profile(member int64) loyalty.Profile {
	for _, p := range h.state.Profiles {
		if p.Member == member {
			return p.Profile
		}
	}
	h.t.Fatalf("member %d has no profile", member)
	return loyalty.Profile{}
}

func (h *history) member(id int64) loyalty.Member {
	i, ok := slices.BinarySearchFunc(h.state.Members, id, func(m loyalty.Member, id int64) int { return cmp.Compare(m.ID, id) })
	if !ok {
		h.t.Fatalf("no member %d", id)
	}
	return h.state.Members[i]
}

// memberRead is a read of a member with what should come of it.
type memberRead struct {
	who     loyalty.Who
	profile bool
	want    loyalty.Found
	refusal error
}

func (h *history) memberRead(m loyalty.Member, now loyalty.Instant) memberRead {
	r := memberRead{who: h.who(m), profile: h.rng.IntN(2) == 0}
	var id int64
	if id, r.refusal = naiveResolve(h, r.who); r.refusal != nil {
		return r
	}
	r.want = loyalty.Found{Snapshot: h.rules[r.who.Merchant]}
	r.want.Member, _ = h.asOf(h.member(id), now)
	if r.profile {
		r.want.Profile = h.profile(id)
		r.want.UsableCoupons = h.usable(id, h.clock(r.who.Merchant, now))
	}
	return r
}

func (h *history) checkMember(r memberRead, now loyalty.Instant) {
	h.t.Helper()
	got, err := h.Store.Member(h.t.Context(), r.who, now, r.profile)
	switch {
	case !errors.Is(err, r.refusal):
		h.t.Errorf("member %+v: %v, want %v", r.who, err, r.refusal)
	case err == nil:
		equal(h.t, "member", r.want, got)
	}
}

// checkCrowd reads members from many sides at once, among them some with a value
// that PostgreSQL does not take: nobody else is to suffer from it.
func (h *history) checkCrowd() {
	var reads []memberRead
	now := h.now(h.state.Members[0].Merchant)
	for range 3_000 {
		m := h.state.Members[h.rng.IntN(len(h.state.Members))]
		if m.Merchant == h.state.Members[0].Merchant {
			reads = append(reads, h.memberRead(m, now))
		}
	}
	if len(reads) < 100 {
		h.t.Fatalf("only %d members to read", len(reads))
	}
	next := make(chan memberRead)
	var readers sync.WaitGroup
	for range 24 {
		readers.Go(func() {
			for r := range next {
				h.checkMember(r, now)
			}
		})
	}
	for i, r := range reads {
		if i%40 == 0 {
			readers.Go(func() {
				who := loyalty.Who{Merchant: r.who.Merchant, OpenID: "not\x00a text"}
				if _, err := h.Store.Member(h.t.Context(), who, now, r.profile); err == nil {
					h.t.Error("a member was found by a text with a NUL")
				}
			})
		}
		next <- r
	}
	close(next)
	readers.Wait()
}

// naiveResolve follows every way by itself.
func naiveResolve(h *history, w loyalty.Who) (int64, error) {
	var ids []int64
	if w.ID != 0 {
		ids = append(ids, 0)
		for _, m := range h.state.Members {
			if m.ID == w.ID && m.Merchant == w.Merchant {
				ids[0] = m.ID
			}
		}
	}
	for _, i := range []loyalty.Identity{
		{Merchant: w.Merchant, Kind: loyalty.ByOpenID, Value: w.OpenID},
		{Merchant: w.Merchant, Kind: loyalty.ByPhone, Value: w.Phone},
		{Merchant: w.Merchant, Kind: loyalty.ByExternalID, Value: w.ExternalID},
	} {
		if i.Value == "" {
			continue
		}
		ids = append(ids, 0)
		for _, row := range h.state.Identities {
			if row.Identity == i {
				ids[len(ids)-1] = row.Member
			}
		}
	}
	if len(ids) == 0 || slices.Max(ids) == 0 {
		return 0, loyalty.MemberNotFound
	}
	if slices.Min(ids) != slices.Max(ids) {
		return 0, loyalty.MembersDisagree
	}
	return ids[0], nil
}

// ledger is a member's entries, newest first, of one side or of both.
func (h *history) ledger(m loyalty.Member, now loyalty.Instant, direction loyalty.Direction) (list []loyalty.Entry) {
	_, due := h.asOf(m, now)
	for _, e := range h.state.Entries {
		if e.Member == m.ID {
			list = append(list, e)
		}
	}
	list = append(list, due...)
	slices.Reverse(list)
	return slices.DeleteFunc(list, func(e loyalty.Entry) bool {
		return direction != 0 && e.Kind.Direction() != direction
	})
}

func (h *history) checkEntries(m loyalty.Member, now loyalty.Instant) {
	t := h.t
	t.Helper()
	direction := loyalty.Direction(h.rng.IntN(3))
	want := h.ledger(m, now, direction)
	size := 1 + h.rng.IntN(12)
	page := 1 + h.rng.IntN(len(want)/size+3)
	if h.rng.IntN(10) == 0 {
		page = 1_000_000_000
	}
	found, got, err := h.Store.Entries(t.Context(), loyalty.Who{Merchant: m.Merchant, ID: m.ID}, now, direction, page, size)
	must(t, err)
	after, _ := h.asOf(m, now)
	equal(t, "member of entries", after, found.Member)
	equal(t, "page of entries", loyalty.EntryPage{Total: int64(len(want)), Entries: pageOf(want, page, size)}, got)
}

func pageOf[T any](list []T, page, size int) []T {
	if page > len(list) {
		return nil
	}
	from := min((page-1)*size, len(list))
	if part := list[from:min(from+size, len(list))]; len(part) > 0 {
		return part
	}
	return nil
}

// filter is a random one that some members pass.
func (h *history) filter() loyalty.MemberFilter {
	like := h.state.Members[h.rng.IntN(len(h.state.Members))]
	profile := h.profile(like.ID)
	f := loyalty.MemberFilter{Merchant: like.Merchant}
	maybe := func(n int, set func()) {
		if h.rng.IntN(n) == 0 {
			set()
		}
	}
	near := func() *int64 { n := like.Balance + int64(h.rng.IntN(41)) - 20; return &n }
	maybe(8, func() { f.Phone = profile.Phone })
	maybe(8, func() { f.Phone = "13999999999" })
	maybe(4, func() { f.Nickname = []string{"会员1", "员", "会员9", "%", "_"}[h.rng.IntN(5)] })
	maybe(4, func() { f.Level = &like.Level })
	maybe(2, func() { f.MinBalance = near() })
	maybe(2, func() { f.MaxBalance = near() })
	maybe(4, func() { f.RegisteredFrom = like.RegisteredAt })
	maybe(4, func() { f.RegisteredTo = like.RegisteredAt })
	maybe(3, func() { active := h.rng.IntN(2) == 0; f.Active = &active })
	if len(h.state.Marks) > 0 {
		marks := h.state.Marks[h.rng.IntN(len(h.state.Marks))]
		maybe(8, func() { f.Label = strings.Join(marks.Labels[:min(1, len(marks.Labels))], "") })
		maybe(8, func() {
			if len(marks.Cards) > 0 {
				f.PaidCard = marks.Cards[0].ID
			}
		})
		maybe(30, func() { f.Label = "nobody's" })
	}
	maybe(30, func() { f.Nobody = true })
	return f
}

func passes(f loyalty.MemberFilter, m loyalty.Member, p loyalty.Profile) bool {
	return m.Merchant == f.Merchant && m.Status != loyalty.Erased && !f.Nobody &&
		(f.Phone == "" || p.Phone == f.Phone) &&
		strings.Contains(p.Nickname, f.Nickname) &&
		(f.MinBalance == nil || m.Balance >= *f.MinBalance) &&
		(f.MaxBalance == nil || m.Balance <= *f.MaxBalance) &&
		(f.RegisteredFrom == 0 || m.RegisteredAt >= f.RegisteredFrom) &&
		(f.RegisteredTo == 0 || m.RegisteredAt <= f.RegisteredTo) &&
		(f.Active == nil || (m.Status == loyalty.Active) == *f.Active)
}

// atLevel goes by what is booked, as the filter says of itself.
func atLevel(f loyalty.MemberFilter, stored loyalty.Member) bool {
	return f.Level == nil || stored.Level == *f.Level
}

func marked(f loyalty.MemberFilter, m loyalty.Marks) bool {
	return (f.Label == "" || slices.Contains(m.Labels, f.Label)) &&
		(f.PaidCard == "" || slices.ContainsFunc(m.Cards, func(c loyalty.PaidCard) bool { return c.ID == f.PaidCard }))
}

func (h *history) checkMembers() {
	t := h.t
	t.Helper()
	f := h.filter()
	now := h.now(f.Merchant)
	var want []loyalty.Found
	for _, m := range h.state.Members {
		after, _ := h.asOf(m, now)
		if profile := h.profile(m.ID); passes(f, after, profile) && atLevel(f, m) && marked(f, h.marks(m.ID)) {
			want = append(want, loyalty.Found{Member: after, Profile: profile, Marks: h.marks(m.ID), Snapshot: h.rules[f.Merchant]})
		}
	}
	slices.SortFunc(want, func(a, b loyalty.Found) int {
		return cmp.Or(cmp.Compare(b.RegisteredAt, a.RegisteredAt), cmp.Compare(a.ID, b.ID))
	})
	size := 1 + h.rng.IntN(10)
	page := 1 + h.rng.IntN(len(want)/size+2)
	if h.rng.IntN(10) == 0 {
		page = math.MaxInt
	}
	got, err := h.Store.Members(t.Context(), f, now, page, size)
	must(t, err)
	equal(t, "page of members", loyalty.MemberPage{Total: int64(len(want)), Members: pageOf(want, page, size)}, got)
}

func (h *history) checkDueMembers() {
	t := h.t
	t.Helper()
	for merchant, rules := range h.rules {
		now := h.now(merchant)
		var want []loyalty.Member
		for _, m := range h.state.Members {
			if m.Merchant == merchant && m.NextDueAt <= now+loyalty.Instant(rules.ClockOffset) {
				want = append(want, m)
			}
		}
		slices.SortStableFunc(want, func(a, b loyalty.Member) int { return cmp.Compare(a.NextDueAt, b.NextDueAt) })
		got, err := h.Store.DueMembers(t.Context(), merchant, now, 1_000)
		must(t, err)
		var dues []loyalty.Instant
		for _, id := range got {
			dues = append(dues, h.member(id).NextDueAt)
		}
		var wantDues []loyalty.Instant
		for _, m := range want {
			wantDues = append(wantDues, m.NextDueAt)
		}
		equal(t, "due members", wantDues, dues)
	}
}

// checkWhole compares what an export reads.
func (h *history) checkWhole(m loyalty.Member) {
	t := h.t
	t.Helper()
	var entries []loyalty.Entry
	must(t, h.Store.EachEntry(t.Context(), m.ID, func(e loyalty.Entry) error {
		entries = append(entries, e)
		return nil
	}))
	want := h.ledger(m, 0, 0)
	slices.Reverse(want)
	if len(want) == 0 {
		want = nil
	}
	equal(t, "all entries", want, entries)
	var audits []loyalty.Audit
	for _, a := range h.state.Audit {
		if a.Member == m.ID {
			audits = append(audits, a)
		}
	}
	slices.Reverse(audits)
	got, err := h.Store.Audits(t.Context(), m.ID)
	must(t, err)
	equal(t, "audits", audits, got)
}

// A ledger with long runs of one side, read page by page.
func testLongLedger(t *testing.T, e *Engine) {
	_, rng := randomOf(t)
	e.AddMerchants(t, rules(t, "m", nil))
	m := emptyMember(1)
	c := loyalty.Changes{}
	kind := loyalty.Grant
	for no := int64(1); no <= 1_000; no++ {
		if rng.IntN(9) == 0 {
			kind = loyalty.EntryKind(1 + rng.IntN(7))
		}
		m.Entries++
		if kind.Direction() == loyalty.Credit {
			m.Credits++
		}
		c.Entries = append(c.Entries, loyalty.Entry{Member: 1, No: no, Kind: kind, Credits: m.Credits, Operation: 1})
	}
	c.NewMembers = []loyalty.Member{m}
	saveAll(t, e.Store, c)
	for _, direction := range []loyalty.Direction{0, loyalty.Credit, loyalty.Debit} {
		var want []loyalty.Entry
		for _, entry := range slices.Backward(c.Entries) {
			if direction == 0 || entry.Kind.Direction() == direction {
				want = append(want, entry)
			}
		}
		for _, size := range []int{1, 7, 100, 2_000} {
			for page := 1; page <= len(want)/size+2; page += 1 + rng.IntN(40/size+1) {
				_, got, err := e.Store.Entries(t.Context(), loyalty.Who{Merchant: "m", ID: 1}, 0, direction, page, size)
				must(t, err)
				equal(t, "page", loyalty.EntryPage{Total: int64(len(want)), Entries: pageOf(want, page, size)}, got)
			}
		}
		for _, page := range []int{-1, 0, 1_000_000_000, math.MaxInt} {
			_, got, err := e.Store.Entries(t.Context(), loyalty.Who{Merchant: "m", ID: 1}, 0, direction, page, 1_000_000)
			must(t, err)
			equal(t, "page beyond", loyalty.EntryPage{Total: int64(len(want))}, got)
		}
	}
}

// The balance of a filter is computed by the database where something is due:
// releases that fill a deficit, lots that are released and expire unseen. It
// must be the one that loyalty.AsOf computes.
func testDueBalances(t *testing.T, e *Engine) {
	_, rng := randomOf(t)
	snap := rules(t, "m", nil)
	e.AddMerchants(t, snap)
	instant := func() loyalty.Instant { return loyalty.Instant(1 + rng.IntN(12)) }
	var c loyalty.Changes
	lots := map[int64][]loyalty.Lot{}
	for id := int64(1); id <= 150; id++ {
		m := emptyMember(id)
		m.Level, m.PeriodEnd, m.RegisteredAt = 1, loyalty.Never, loyalty.Instant(id)
		m.Deficit, m.LastEntryAt = max(int64(rng.IntN(60))-20, 0), instant()-1
		m.Balance = -m.Deficit
		seen := map[loyalty.LotKey]bool{}
		for range rng.IntN(7) {
			l := loyalty.Lot{LotKey: loyalty.LotKey{ExpiresAt: instant(), Source: []string{"", "a"}[rng.IntN(2)]}, Remaining: int64(1 + rng.IntN(30))}
			if l.Pending = rng.IntN(2) == 0; l.Pending {
				l.AvailableAt = l.ExpiresAt
				l.ExpiresAt += instant()
			}
			if seen[l.LotKey] {
				continue
			}
			seen[l.LotKey] = true
			if l.Pending {
				m.NextDueAt = min(m.NextDueAt, l.AvailableAt)
			} else {
				m.Balance += l.Remaining
				m.NextDueAt = min(m.NextDueAt, l.ExpiresAt)
			}
			lots[id] = append(lots[id], l)
			c.Lots = append(c.Lots, loyalty.LotRow{Member: id, Lot: l})
		}
		c.NewMembers = append(c.NewMembers, m)
		c.Profiles = append(c.Profiles, loyalty.ProfileRow{Member: id, Merchant: "m", New: true})
	}
	saveAll(t, e.Store, c)
	for _, m := range c.NewMembers {
		now := loyalty.Instant(rng.IntN(26))
		after, _ := loyalty.AsOf(m, lots[m.ID], snap, now)
		below, above := after.Balance-1, after.Balance+1
		for _, f := range []struct {
			filter loyalty.MemberFilter
			want   int64
		}{
			{loyalty.MemberFilter{MinBalance: &after.Balance, MaxBalance: &after.Balance}, 1},
			{loyalty.MemberFilter{MinBalance: &above}, 0},
			{loyalty.MemberFilter{MaxBalance: &below}, 0},
		} {
			f.filter.Merchant, f.filter.RegisteredFrom, f.filter.RegisteredTo = "m", m.RegisteredAt, m.RegisteredAt
			page, err := e.Store.Members(t.Context(), f.filter, now, 1, 10)
			must(t, err)
			if page.Total != f.want || f.want == 1 && page.Members[0].Balance != after.Balance {
				t.Errorf("balance %d at %d: filter finds %d, want %d; %+v with %+v", after.Balance, now, page.Total, f.want, m, lots[m.ID])
			}
		}
	}
}
