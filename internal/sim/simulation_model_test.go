package sim_test

import (
	"context"
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
	"github.com/memberd/memberd/internal/store/storetest"
	"github.com/memberd/memberd/internal/writer"
)

// simModel is the platform as it should be: one command after the other on the
// reference store, without batches, faults, doubles or restarts. It takes the
// numbers that the platform gives and decides everything else by itself.
type simModel struct {
	memory *loyaltytest.Memory
	rules  map[string]*loyalty.Snapshot
	spare  int64 // numbers for rows that the platform has not made
	state  loyaltytest.State
	stale  bool
}

func newSimModel(rules ...*loyalty.Snapshot) *simModel {
	m := &simModel{memory: loyaltytest.NewMemory(rules...), rules: map[string]*loyalty.Snapshot{}, spare: 1 << 30, stale: true}
	for _, r := range rules {
		m.rules[r.Merchant] = r
	}
	return m
}

// do carries a command out.
func (m *simModel) do(c loyalty.AnyCommand, now loyalty.Instant, id int64, openID string) writer.Outcome {
	if id == 0 {
		m.spare++
		id, openID = m.spare, "nobody's"
	}
	m.stale = true
	stamp := loyalty.Stamp{Now: now, NewID: id, OpenID: openID}
	return writer.Replay(m.memory, []writer.Stamped{{Command: c, Stamp: stamp}}, nil)[0]
}

// dump is the whole state.
func (m *simModel) dump() *loyaltytest.State {
	if m.stale {
		m.state, m.stale = m.memory.Dump(nil), false
	}
	return &m.state
}

// member is who is meant, as of now, with all of its entries, those included that
// are due and not booked.
func (m *simModel) member(who loyalty.Who, now loyalty.Instant) (found loyalty.Member, entries []loyalty.Entry, ok bool) {
	s := m.dump()
	i := slices.IndexFunc(s.Members, func(x loyalty.Member) bool {
		return x.Merchant == who.Merchant && (who.ID != 0 && x.ID == who.ID || who.OpenID != "" && x.OpenID == who.OpenID)
	})
	if i < 0 && who.Phone != "" {
		for _, id := range s.Identities {
			if id.Merchant == who.Merchant && id.Kind == loyalty.ByPhone && id.Value == who.Phone {
				i = slices.IndexFunc(s.Members, func(x loyalty.Member) bool { return x.ID == id.Member })
			}
		}
	}
	if i < 0 {
		return found, nil, false
	}
	found = s.Members[i]
	var lots []loyalty.Lot
	for _, l := range s.Lots {
		if l.Member == found.ID {
			lots = append(lots, l.Lot)
		}
	}
	for _, e := range s.Entries {
		if e.Member == found.ID {
			entries = append(entries, e)
		}
	}
	found, due := loyalty.AsOf(found, lots, m.rules[found.Merchant], now)
	return found, append(entries, due...), true
}

// entry is a line of the ledger, as booked.
func (m *simModel) entry(member, no int64) (loyalty.Entry, bool) {
	for _, e := range m.dump().Entries {
		if e.Member == member && e.No == no {
			return e, true
		}
	}
	return loyalty.Entry{}, false
}

// compare holds what is in the database against the model, row by row, and lets
// the database recompute itself.
func (r *simRun) compare() {
	ctx := context.Background()
	state, err := storetest.Dump(ctx, r.db, r.keys)
	if err != nil {
		r.problem("dump", "the database cannot be read: %v", err)
		return
	}
	want := r.model.memory.Dump(func(i loyalty.Identity) string {
		if i.Kind.Secret() {
			return r.keys.Lookup(i.Merchant, string(i.Kind), i.Value)
		}
		return i.Value
	})
	if diff := cmp.Diff(want, state, cmpopts.EquateEmpty()); diff != "" {
		r.problem("state", "rows differ (-model +database):\n%s", clipped(diff))
	}
	if found := state.Verify(r.model.rules); len(found) > 0 {
		r.problem("verify", "stored and recomputed differ: %+v", found)
	}
	for from := int64(1); from != 0; {
		next, _, diffs, err := r.life.store.Verify(ctx, from, 1_000)
		if err != nil || len(diffs) > 0 {
			r.problem("check", "check: %v %+v", err, diffs)
			return
		}
		from = next
	}
}

func clipped(text string) string {
	const most = 4_000
	if len(text) > most {
		return text[:most] + "\n..."
	}
	return text
}

// simNumbers are the numbers on the wire of refusals, both doors' alike; 1001
// for all others. It is written from the documents and not from the doors.
var simNumbers = map[loyalty.Code]int{
	loyalty.PhoneMalformed: 120001, loyalty.MemberNotFound: 110003, loyalty.MemberErased: 110003,
	loyalty.StatementNotFound: 150004, loyalty.StatementForeign: 150005, loyalty.StatementNotReversible: 150005,
	loyalty.OrderNotFound: 120002, loyalty.TemplateNotFound: 130002, loyalty.CouponNotFound: 130002,
	loyalty.KeyReused: 150002, loyalty.NothingLeft: 150006, loyalty.NoPointsRule: 150001, loyalty.PointsInsufficient: 150003,
	loyalty.TemplateTaken: 130001, loyalty.TemplateOver: 130001, loyalty.CouponTaken: 130001, loyalty.RestrictionUnmet: 130001,
	loyalty.StockExhausted: 130001, loyalty.ClaimLimitReached: 130001,
	loyalty.CouponStateRefused: 130003, loyalty.CouponNotUsable: 130003,
}

// simNumber is the number of an outcome; 0 for success.
func simNumber(out writer.Outcome) int {
	if code, refused := loyalty.CodeOf(out.Err); refused {
		if n := simNumbers[code]; n != 0 {
			return n
		}
		return codeInvalid
	}
	if out.Err != nil {
		return codeGivenUp
	}
	if back, ok := out.Result.(loyalty.RolledBack); ok && back.Void {
		return codeNoStatement
	}
	return 0
}
