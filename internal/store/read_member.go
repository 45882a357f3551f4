package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// Member is the member that who names as it stands at the real time now, with
// its personal data where profile asks for it. Its errors are those of a
// command: MemberNotFound when nobody is named, MembersDisagree when one way
// names somebody and another does not, or names somebody else.
//
// A member of whom nothing is due, and whose level is that of the present rules,
// costs one statement. Otherwise the answer is put together from one read snapshot.
func (s *Store) Member(ctx context.Context, who loyalty.Who, now loyalty.Instant, profile bool) (_ loyalty.Found, err error) {
	defer func() { err = outage(err) }()
	named, err := s.namedAmong(ctx, who, now, profile)
	if err != nil {
		return loyalty.Found{}, err
	}
	f := loyalty.Found{Member: named.Member, Snapshot: s.cached(named.mark)}
	if f.Snapshot == nil || f.NextDueAt <= now+loyalty.Instant(named.mark.offset) || !f.Snapshot.Aligned(&f.Member) {
		return s.memberSlowly(ctx, who, now, profile)
	}
	if profile {
		f.UsableCoupons = named.usableCoupons
		f.Profile, err = s.openProfile(f.Merchant, named.profile)
	}
	return f, err
}

func (s *Store) memberSlowly(ctx context.Context, who loyalty.Who, now loyalty.Instant, profile bool) (loyalty.Found, error) {
	tx, err := s.db.ReadTx(ctx)
	if err != nil {
		return loyalty.Found{}, fmt.Errorf("read member: %w", err)
	}
	defer tx.Close()
	f, _, err := s.found(ctx, tx, who, now, profile)
	return f, err
}

// found is the member as of now with the entries that are due and not booked.
func (s *Store) found(ctx context.Context, q sqldb.Queryer, who loyalty.Who, now loyalty.Instant, profile bool) (loyalty.Found, []loyalty.Entry, error) {
	named, err := s.named(ctx, q, who, now, profile)
	if err != nil {
		return loyalty.Found{}, nil, err
	}
	f := loyalty.Found{Member: named.Member}
	if f.Snapshot, err = s.snapshot(ctx, q, named.mark); err != nil {
		return f, nil, err
	}
	due, err := s.asOf(ctx, q, &f, now)
	if err != nil {
		return f, nil, err
	}
	if profile {
		f.UsableCoupons = named.usableCoupons
		f.Profile, err = s.openProfile(f.Merchant, named.profile)
	}
	return f, due, err
}

const selectLots = `SELECT ` + lotColumns + `
	FROM lot
	WHERE member_id = ?`

// asOf brings a member to now, and to the present rules. Its lots are read only
// when that changes something.
func (s *Store) asOf(ctx context.Context, q sqldb.Queryer, f *loyalty.Found, now loyalty.Instant) (due []loyalty.Entry, err error) {
	at := now + loyalty.Instant(f.Snapshot.ClockOffset)
	if f.NextDueAt > at && f.Snapshot.Aligned(&f.Member) {
		return nil, nil
	}
	var rows []loyalty.LotRow
	if err := collect(ctx, q, &rows, scanLot, selectLots, f.ID); err != nil {
		return nil, fmt.Errorf("lots of member %d: %w", f.ID, err)
	}
	lots := make([]loyalty.Lot, len(rows))
	for i, row := range rows {
		lots[i] = row.Lot
	}
	f.Member, due = loyalty.AsOf(f.Member, lots, f.Snapshot, at)
	return due, nil
}

// namedMember is a member row as a reference found it.
type namedMember struct {
	loyalty.Member
	mark          settingsMark
	profile       sealedProfile
	usableCoupons int64 // with the profile
}

// fields is where the columns of memberByWays are scanned to, and those of the
// profile.
func (m *namedMember) fields(profile bool) []any {
	fields := append(memberFields(&m.Member), m.mark.fields()...)
	if profile {
		fields = append(append(fields, m.profile.fields()...), &m.usableCoupons)
	}
	return fields
}

// The ways of a reference, one row each that leads somewhere.
const (
	wayByID       = `SELECT CAST(? AS BIGINT) AS member_id`
	wayByIdentity = `SELECT member_id FROM identity WHERE merchant_id = ? AND kind = ? AND value = ?`
)

// memberByWays ends in the ways and what is joined to them.
var (
	memberByWays = prefixed("m", memberColumns) + `,
	r.settings_version,
	r.clock_offset,
	r.apps_version`

	// The two parameters are the real time.
	profileByWays = profileAt("?")

	fromWays = `
	FROM (%s) AS w
	JOIN member m ON m.member_id = w.member_id
	JOIN merchant r ON r.merchant_id = m.merchant_id`

	joinProfile = `
	JOIN member_profile p ON p.member_id = m.member_id`

	whereMerchant = `
	WHERE m.merchant_id = ?`
)

// profileAt is what is read with the profile at a real time. Coupons are counted
// only of members who were ever given one.
func profileAt(now string) string {
	return `,` + prefixed("p", profileColumns) + `,
	CASE WHEN m.coupons = 0 THEN 0 ELSE (
		SELECT count(*)
		FROM coupon
		WHERE member_id = m.member_id
			AND ` + usableAt(now+" + r.clock_offset") + `
	) END`
}

// waysText is the statement for a number of ways; a handful of texts in all.
func waysText(byID bool, identities int, profile bool) string {
	var ways []string
	if byID {
		ways = append(ways, wayByID)
	}
	for range identities {
		ways = append(ways, wayByIdentity)
	}
	columns, join := "", ""
	if profile {
		columns, join = profileByWays, joinProfile
	}
	return `SELECT ` + memberByWays + columns + fmt.Sprintf(fromWays, strings.Join(ways, " UNION ALL ")) + join + whereMerchant
}

// named follows a reference; all ways must lead to one member.
func (s *Store) named(ctx context.Context, q sqldb.Queryer, who loyalty.Who, now loyalty.Instant, profile bool) (*namedMember, error) {
	var args []any
	if profile { // the coupons' time, which stands before the ways
		args = append(args, int64(now), int64(now))
	}
	if who.ID != 0 {
		args = append(args, who.ID)
	}
	identities := who.Identities()
	for _, i := range identities {
		args = append(args, i.Merchant, string(i.Kind), s.stored(i))
	}
	ways := len(identities)
	if who.ID != 0 {
		ways++
	}
	if ways == 0 {
		return nil, loyalty.MemberNotFound
	}
	var found []namedMember
	err := each(ctx, q, func(row scanner) error {
		m := namedMember{mark: settingsMark{merchant: who.Merchant}}
		err := row.Scan(m.fields(profile)...)
		found = append(found, m)
		return err
	}, waysText(who.ID != 0, len(identities), profile), append(args, who.Merchant)...)
	if err != nil {
		return nil, fmt.Errorf("look up member: %w", err)
	}
	if len(found) == 0 {
		return nil, loyalty.MemberNotFound
	}
	for i := range found {
		if len(found) < ways || found[i].ID != found[0].ID {
			return nil, loyalty.MembersDisagree
		}
	}
	return &found[0], nil
}
