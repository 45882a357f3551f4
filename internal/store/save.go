package store

import (
	"context"
	"fmt"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// saveTexts are the statements that save a batch. Where rows come from and how
// several are changed at once differs between the engines; the rest is shared.
type saveTexts struct {
	insertMembers    string
	updateMembers    string
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
}

// memberChanges is all of a member that a command can change.
const memberChanges = `
	status,
	level,
	growth,
	earned,
	used,
	balance,
	pending,
	deficit,
	entries,
	credits,
	audits,
	next_due_at,
	last_entry_at`

const memberChangeInts = 14

// memberChangeRecord is the member's number and its changes.
func memberChangeRecord(m *loyalty.Member) record {
	return record{ints: memberRecord(m).ints[:memberChangeInts]}
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
	}
}

// storedIdentity is an identity as its row has it.
type storedIdentity struct {
	merchant, kind, value string
	member                int64
}

func identityRecord(i *storedIdentity) record {
	return record{[]int64{i.member}, []string{i.merchant, i.kind, i.value}}
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
		err = saveSQLite(ctx, b.tx, rows)
	}
	if err != nil {
		return classed(fmt.Errorf("save: %w", err))
	}
	return nil
}

func (s *Store) savingOf(c loyalty.Changes) (*saving, error) {
	rows := &saving{Changes: c}
	stored := func(i loyalty.Identity, member int64) storedIdentity {
		return storedIdentity{i.Merchant, string(i.Kind), s.stored(i), member}
	}
	given := make(map[loyalty.Identity]bool, len(c.Unbound))
	for _, i := range c.Unbound {
		rows.unbound = append(rows.unbound, stored(i, 0))
		given[i] = true
	}
	for _, i := range c.Bound {
		if row := stored(i.Identity, i.Member); given[i.Identity] {
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
	var err error
	rows.profiles, err = s.sealProfiles(c.Profiles)
	return rows, err
}
