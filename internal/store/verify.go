package store

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// MaxVerify is the largest range of Verify: its snapshot must stay short.
const MaxVerify = 1_000

// Verify recomputes up to limit members (at most MaxVerify), from the number
// from on, out of their ledgers, in one read snapshot, and tells how many it
// looked at and what differs. next is where to go on, 0 after the last member;
// the last range also looks for names that lead nowhere, and counts the coupons
// of each template. What is due and not booked yet is no difference: the stored
// rows are compared with the entries that are there, and levels with the rules
// only where all members have been brought to them.
//
// Besides what loyalty.Verifier compares: an active member's phone, every
// member's open id and every order's and coupon's number must be found by, what
// is sealed must open, and the audit counter must fit.
func (s *Store) Verify(ctx context.Context, from int64, limit int) (next int64, checked int, diffs []loyalty.Difference, err error) {
	tx, err := s.db.ReadTx(ctx)
	if err != nil {
		return 0, 0, nil, fmt.Errorf("verify: %w", err)
	}
	defer tx.Close()
	r := &verifying{store: s, tx: tx, from: from, to: math.MaxInt64, snapshots: map[string]*loyalty.Snapshot{}, behind: map[string]bool{}}
	if err := r.run(ctx, min(max(limit, 1), MaxVerify)); err != nil {
		return 0, 0, nil, fmt.Errorf("verify members from %d: %w", from, err)
	}
	return r.next, len(r.members), r.diffs, nil
}

// verifying is one range of members.
type verifying struct {
	store    *Store
	tx       *sqldb.ReadTx
	from, to int64 // both included; the last range has no end
	next     int64

	members   []verifiedMember
	lots      map[int64][]loyalty.Lot
	lapsed    map[int64][]loyalty.Lapsed
	claims    map[int64][]loyalty.Claims
	moves     map[int64][]loyalty.LevelMove
	tallies   map[int64][]loyalty.Tally
	audits    map[int64]int64
	templates map[int64]*loyalty.Template // of the range's coupons
	snapshots map[string]*loyalty.Snapshot
	behind    map[string]bool // merchants whose members have not been brought to their rules
	diffs     []loyalty.Difference
}

// verifiedMember is a member and whom its open id leads to; 0: nobody.
type verifiedMember struct {
	loyalty.Member
	openIDOwner int64
	hasProfile  bool
	profile     sealedProfile
}

func (r *verifying) differ(member int64, field string, stored, recomputed any) {
	r.diffs = append(r.diffs, loyalty.Difference{
		Member: member, Field: field, Stored: fmt.Sprint(stored), Recomputed: fmt.Sprint(recomputed),
	})
}

func (r *verifying) run(ctx context.Context, limit int) error {
	if err := r.readMembers(ctx, limit); err != nil {
		return err
	}
	if err := r.readSnapshots(ctx); err != nil {
		return err
	}
	if err := r.readRows(ctx); err != nil {
		return err
	}
	if err := r.ledgers(ctx); err != nil {
		return err
	}
	for i := range r.members {
		if err := r.names(ctx, &r.members[i]); err != nil {
			return err
		}
	}
	if err := r.strayMarks(ctx); err != nil || r.next != 0 {
		return err
	}
	if err := r.strayNames(ctx); err != nil {
		return err
	}
	return r.issued(ctx)
}

var verifyMembers = `SELECT ` + prefixed("m", memberColumns) + `,
	coalesce(o.member_id, 0),
	coalesce(p.member_id, 0),
	coalesce(p.birth_month, 0),
	coalesce(p.birth_day, 0),
	coalesce(p.nickname, ''),
	coalesce(p.store, ''),
	coalesce(p.sealed, '')
	FROM member m
	LEFT JOIN identity o ON o.merchant_id = m.merchant_id
		AND o.kind = 'open_id'
		AND o.value = m.open_id
	LEFT JOIN member_profile p ON p.member_id = m.member_id
	WHERE m.member_id >= ?
	ORDER BY m.member_id
	LIMIT ?`

func (r *verifying) readMembers(ctx context.Context, limit int) error {
	err := each(ctx, r.tx, func(row scanner) error {
		var m verifiedMember
		fields := append(memberFields(&m.Member), &m.openIDOwner)
		err := row.Scan(append(fields, m.profile.fields()...)...)
		m.hasProfile = m.profile.member != 0
		r.members = append(r.members, m)
		return err
	}, verifyMembers, r.from, int64(limit))
	if err == nil && len(r.members) == limit {
		r.to = r.members[limit-1].ID
		r.next = r.to + 1
	}
	return err
}

const (
	verifyLots = `SELECT ` + lotColumns + `
	FROM lot
	WHERE member_id BETWEEN ? AND ?`

	verifyLapsed = `SELECT ` + lapsedColumns + `
	FROM lapsed_lot
	WHERE member_id BETWEEN ? AND ?`

	verifyClaims = `SELECT ` + claimColumns + `
	FROM coupon_claim
	WHERE member_id BETWEEN ? AND ?`

	verifyTemplates = `SELECT ` + templateColumns + `
	FROM coupon_template
	WHERE template_id IN (
		SELECT template_id
		FROM coupon
		WHERE member_id BETWEEN ? AND ?
	)`

	verifyAudits = `
	SELECT
		member_id,
		count(*)
	FROM audit
	WHERE member_id BETWEEN ? AND ?
	GROUP BY member_id`
)

func (r *verifying) readRows(ctx context.Context) error {
	r.lots, r.lapsed, r.claims = map[int64][]loyalty.Lot{}, map[int64][]loyalty.Lapsed{}, map[int64][]loyalty.Claims{}
	r.audits, r.templates = map[int64]int64{}, map[int64]*loyalty.Template{}
	err := each(ctx, r.tx, func(row scanner) error {
		l, err := scanLot(row)
		r.lots[l.Member] = append(r.lots[l.Member], l.Lot)
		return err
	}, verifyLots, r.from, r.to)
	if err != nil {
		return err
	}
	err = each(ctx, r.tx, func(row scanner) error {
		l, err := scanLapsed(row)
		r.lapsed[l.Member] = append(r.lapsed[l.Member], l.Lapsed)
		return err
	}, verifyLapsed, r.from, r.to)
	if err != nil {
		return err
	}
	err = each(ctx, r.tx, func(row scanner) error {
		c, err := scanClaim(row)
		r.claims[c.Member] = append(r.claims[c.Member], c)
		return err
	}, verifyClaims, r.from, r.to)
	if err != nil {
		return err
	}
	if err := r.readProgramme(ctx); err != nil {
		return err
	}
	err = each(ctx, r.tx, func(row scanner) error {
		t, err := scanTemplate(row)
		r.templates[t.ID] = &t
		return err
	}, verifyTemplates, r.from, r.to)
	if err != nil {
		return err
	}
	return each(ctx, r.tx, func(row scanner) error {
		var member, count int64
		err := row.Scan(&member, &count)
		r.audits[member] = count
		return err
	}, verifyAudits, r.from, r.to)
}

// readSnapshots gets the rules of all merchants in the range; nil for one that
// does not exist.
func (r *verifying) readSnapshots(ctx context.Context) error {
	for i := range r.members {
		merchant := r.members[i].Merchant
		if _, known := r.snapshots[merchant]; known {
			continue
		}
		snap, err := r.store.snapshotOf(ctx, r.tx, merchant)
		if err != nil && !errors.Is(err, access.ErrNoMerchant) {
			return err
		}
		r.snapshots[merchant] = snap
		if snap == nil {
			continue
		}
		_, reached, err := membersReached(ctx, r.tx, merchant)
		if err != nil {
			return err
		}
		r.behind[merchant] = !reached
	}
	return nil
}

// verifyWindow is how many members have their histories in memory at once.
const verifyWindow = 50

// ledgers goes through the range's histories, some members at a time. Windows
// have no gaps between them, so a row of nobody falls into one.
func (r *verifying) ledgers(ctx context.Context) error {
	from := r.from
	for members := r.members; ; {
		n := min(verifyWindow, len(members))
		w := &window{verifying: r, from: from, to: r.to, members: map[int64]*windowMember{}}
		if n < len(members) {
			w.to = members[n-1].ID
		}
		if err := w.run(ctx, members[:n]); err != nil {
			return err
		}
		if members = members[n:]; len(members) == 0 {
			break
		}
		from = w.to + 1
	}
	r.strayRows()
	return nil
}

// compare ends the verification of a member, and takes its rows.
func (r *verifying) compare(v *loyalty.Verifier, m *verifiedMember) {
	snap := r.snapshots[m.Merchant]
	if snap == nil {
		r.differ(m.ID, "merchant", m.Merchant, "no such merchant")
	}
	rows := loyalty.MemberRows{
		Lots: r.lots[m.ID], Lapsed: r.lapsed[m.ID], Claims: r.claims[m.ID],
		LevelMoves: r.moves[m.ID], Tallies: r.tallies[m.ID],
	}
	if r.behind[m.Merchant] {
		snap = nil // the job will bring the member to it
	}
	r.diffs = append(r.diffs, v.Differences(m.Member, rows, snap)...)
	if m.Audits != r.audits[m.ID] {
		r.differ(m.ID, "audits", m.Audits, r.audits[m.ID])
	}
	delete(r.lots, m.ID)
	delete(r.lapsed, m.ID)
	delete(r.claims, m.ID)
	delete(r.moves, m.ID)
	delete(r.tallies, m.ID)
	delete(r.audits, m.ID)
}

// strayRows are rows left over when every member has taken its own.
func (r *verifying) strayRows() {
	for id := range r.lots {
		r.differ(id, "lots", len(r.lots[id]), "no such member")
	}
	for id := range r.lapsed {
		r.differ(id, "lapsed lots", len(r.lapsed[id]), "no such member")
	}
	for id := range r.claims {
		r.differ(id, "claims", len(r.claims[id]), "no such member")
	}
	for id := range r.moves {
		r.differ(id, "level moves", len(r.moves[id]), "no such member")
	}
	for id := range r.tallies {
		r.differ(id, "tallies", len(r.tallies[id]), "no such member")
	}
	for id := range r.audits {
		r.differ(id, "audit records", r.audits[id], "no such member")
	}
}
