package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// saveTexts are the statements that save a batch. Where rows come from and how
// several are changed at once differs between the engines; the rest is shared.
type saveTexts struct {
	insertMembers    string
	updateMembers    string
	updateTotals     string // on SQLite
	deleteIdentities string
	insertIdentities string
	insertEntries    string
	updateReversed   string
	upsertLots       string
	deleteLots       string
	upsertLapsed     string
	insertKeys       string
	upsertProfiles   string
	insertAudits     string

	insertOrders    string
	updateOrders    string
	forgetDetails   string // what has nothing but papers
	forgetPapers    string
	insertDetails   string
	insertCoupons   string
	updateCoupons   string
	upsertClaims    string
	insertMoves     string
	upsertTallies   string
	deleteLabels    string
	insertLabels    string
	deleteCards     string
	insertCards     string
	insertTemplates string
	updateIssued    string

	insertEvents  string
	upsertStreams string
}

// memberChangeRecord is the member's number with all that a command can change.
func memberChangeRecord(m *loyalty.Member) record {
	return record{ints: memberRecord(m).ints[:memberChangeInts]}
}

// memberTotalRecord is the member's number with its totals.
func memberTotalRecord(m *loyalty.Member) record {
	return record{ints: memberRecord(m).ints[:memberTotalInts]}
}

func reversedRecord(e *loyalty.Entry) record {
	return record{ints: []int64{e.Member, e.No, e.Reversed}}
}

// sharedTexts are the inserts, which are alike but for where rows come from.
func sharedTexts(d sqldb.Dialect) saveTexts {
	return saveTexts{
		insertMembers: `INSERT INTO member (` + memberColumns + `
	) ` + values(d, memberInts, memberTexts),
		insertEntries: `INSERT INTO entry (` + entryColumns + `
	) ` + values(d, entryInts, entryTexts),
		insertKeys: `INSERT INTO idempotency_key (` + keyColumns + `
	) ` + values(d, keyInts, keyTexts),
		insertEvents: `INSERT INTO callback_event (` + eventColumns + `
	) ` + values(d, eventInts, eventTexts),
		upsertStreams: `INSERT INTO callback_stream (` + streamColumns + `
	) ` + values(d, streamInts, streamTexts) + `
	ON CONFLICT (member_id, app_id) DO UPDATE SET
		next_at = CASE
			WHEN callback_stream.done_no = callback_stream.last_no THEN excluded.next_at
			ELSE callback_stream.next_at
		END,
		last_no = excluded.last_no`,
		insertAudits: `INSERT INTO audit (` + auditColumns + `
	) ` + values(d, auditInts, auditTexts),
		upsertLots: `INSERT INTO lot (` + lotColumns + `
	) ` + values(d, lotInts, lotTexts) + `
	ON CONFLICT (member_id, expires_at, available_at, source) DO UPDATE SET
		remaining = excluded.remaining,
		pending = excluded.pending`,
		upsertLapsed: `INSERT INTO lapsed_lot (` + lapsedColumns + `
	) ` + values(d, lapsedInts, lapsedTexts) + `
	ON CONFLICT (member_id, expires_at, available_at, source) DO UPDATE SET
		quantity = excluded.quantity,
		attributed = excluded.attributed`,
		upsertProfiles: `INSERT INTO member_profile (` + profileColumns + `
	) ` + values(d, profileInts, profileTexts) + `
	ON CONFLICT (member_id) DO UPDATE SET
		birth_month = excluded.birth_month,
		birth_day = excluded.birth_day,
		nickname = excluded.nickname,
		store = excluded.store,
		sealed = excluded.sealed`,
		insertOrders: `INSERT INTO member_order (` + orderColumns + `
	) ` + values(d, orderInts, orderTexts),
		insertDetails: `INSERT INTO order_detail (` + detailColumns + `
	) ` + values(d, detailInts, detailTexts),
		insertCoupons: `INSERT INTO coupon (` + couponColumns + `
	) ` + values(d, couponInts, couponTexts),
		upsertClaims: `INSERT INTO coupon_claim (` + claimColumns + `
	) ` + values(d, claimInts, 0) + `
	ON CONFLICT (member_id, template_id) DO UPDATE SET
		count = excluded.count`,
		insertMoves: `INSERT INTO level_move (` + moveColumns + `
	) ` + values(d, moveInts, 0),
		upsertTallies: `INSERT INTO tally (` + tallyColumns + `
	) ` + values(d, tallyInts, tallyTexts) + `
	ON CONFLICT (member_id, name, day) DO UPDATE SET
		points = excluded.points`,
		insertLabels: `INSERT INTO member_label (` + labelColumns + `
	) ` + values(d, labelInts, labelTexts),
		insertCards: `INSERT INTO paid_card (` + cardColumns + `
	) ` + values(d, cardInts, cardTexts),
		insertTemplates: `INSERT INTO coupon_template (` + templateColumns + `
	) ` + values(d, templateInts, templateTexts),
	}
}

// storedIdentity is an identity as its row has it.
type storedIdentity struct {
	merchant, kind, value string
	loyalty.Bound
}

func identityRecord(i *storedIdentity) record {
	return record{[]int64{i.Member, i.Row}, []string{i.merchant, i.kind, i.value}}
}

func identityKeyRecord(i *storedIdentity) record {
	return record{nil, []string{i.merchant, i.kind, i.value}}
}

// saving is what a batch saves, in rows as they stand in the tables.
type saving struct {
	loyalty.Changes
	unbound, bound       []storedIdentity // names given up, names nobody had
	rebound              []storedIdentity // names that go from one member to another
	openLots, closedLots []loyalty.LotRow
	profiles             []sealedProfile
	details              []orderDetail
	marked               []int64 // members whose marks are replaced
	labels               []memberLabel
	cards                []memberCard
	streams              []dueStream
}

// Save writes what the commands changed.
func (b *batch) Save(ctx context.Context, c loyalty.Changes) error {
	rows, err := b.store.savingOf(c)
	if err != nil {
		return classed(fmt.Errorf("save: %w", err))
	}
	if b.tx.Dialect() == sqldb.PostgreSQL {
		err = savePostgres(ctx, b.tx.PG(), rows)
	} else {
		err = saveSQLite(ctx, b.tx, rows, b.members)
	}
	if err != nil {
		return classed(fmt.Errorf("save: %w", err))
	}
	return nil
}

func (s *Store) savingOf(c loyalty.Changes) (*saving, error) {
	rows := &saving{Changes: c}
	for _, stream := range c.Streams {
		rows.streams = append(rows.streams, dueStream{stream, s.now().UnixMilli()})
	}
	stored := func(i loyalty.Identity, to loyalty.Bound) storedIdentity {
		return storedIdentity{i.Merchant, string(i.Kind), s.stored(i), to}
	}
	given := make(map[loyalty.Identity]bool, len(c.Unbound))
	for _, i := range c.Unbound {
		rows.unbound = append(rows.unbound, stored(i, loyalty.Bound{}))
		given[i] = true
	}
	for _, i := range c.Bound {
		if row := stored(i.Identity, i.Bound); given[i.Identity] {
			rows.rebound = append(rows.rebound, row)
		} else {
			rows.bound = append(rows.bound, row)
		}
	}
	for _, l := range c.Lots {
		if l.Remaining == 0 {
			rows.closedLots = append(rows.closedLots, l)
		} else {
			rows.openLots = append(rows.openLots, l)
		}
	}
	for _, m := range c.Marks {
		rows.replaceMarks(m)
	}
	// Numbers differ between processes that add the same templates, so their
	// inserts wait for one another in the order of the keys.
	rows.NewTemplates = slices.SortedFunc(slices.Values(c.NewTemplates), func(a, b loyalty.Template) int {
		return cmp.Or(cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.Space, b.Space), cmp.Compare(a.Number, b.Number))
	})
	var err error
	if rows.details, err = s.sealDetails(c.OrderInfos); err != nil {
		return nil, err
	}
	rows.profiles, err = s.sealProfiles(c.Profiles)
	return rows, err
}

func (s *saving) replaceMarks(m loyalty.MarksRow) {
	s.marked = append(s.marked, m.Member)
	for _, label := range m.Labels {
		s.labels = append(s.labels, memberLabel{m.Member, m.Merchant, label})
	}
	for _, card := range m.Cards {
		s.cards = append(s.cards, memberCard{m.Member, m.Merchant, card})
	}
}

// numberRecord is a member's number by itself.
func numberRecord(id *int64) record { return record{ints: []int64{*id}} }
