// Package explain says in sentences why a member has the points that it has:
// for every ledger entry and every order who decided, by which version of the
// programme, which multipliers counted and why the others did not, how the sum
// was rounded and capped, and what refunds have left of it. Each sentence is
// there in Chinese and in English, short enough for a cashier to read out.
//
// What happened comes from the record that was kept with the entry, what would
// have been needed from the settings of the version that the record names. The
// package decides nothing and books nothing. Its sentences hold order numbers,
// stores, levels, labels and names of rules; never a name, a phone or a birthday
// of a member, and never the free text of a caller. Caps that cut nothing are left
// to the record.
package explain

import (
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// Sentence is one statement in both languages.
type Sentence struct {
	Zh string `json:"zh"`
	En string `json:"en"`
}

// Subject is what is to be explained: an entry, an order or a refund, or an
// order with the entry that it made.
type Subject struct {
	Member loyalty.Found // whose it is, with the present settings
	// Entry is nil for an order that moved no points.
	Entry *loyalty.Entry
	// Original is the entry that Entry reverses or writes off for.
	Original *loyalty.Entry
	// Order is the order or the refund; of an entry, the order that made it.
	Order   *loyalty.OrderFound
	Refunds []loyalty.OrderFound // of an order, oldest first
	Beside  []loyalty.Entry      // further grants under the order's number, oldest first
	Parent  *loyalty.OrderFound  // of a refund, nil while it waits
}

// Rules are the settings of the version that a record names.
type Rules struct {
	loyalty.Settings
	AppliedAt loyalty.Instant // 0: not known
}

// Explanation is the answer. Points are those that the entry or the order moves,
// negative where it takes them, pending ones included.
type Explanation struct {
	Statement string     `json:"statement_id,omitempty"`
	OrderNo   string     `json:"order_no,omitempty"`
	Points    int64      `json:"points"`
	Version   int64      `json:"version,omitempty"` // 0: no record says it
	Sentences []Sentence `json:"sentences"`         // the first is the headline
	// Record is what was kept; nil for what was booked before there were
	// records and for entries that decide nothing, such as an expiry.
	Record *loyalty.Decision `json:"record"`
}

// Decision is the record that the subject goes by: the order's, which holds the
// whole of it, or else the entry's own.
func (s *Subject) Decision() *loyalty.Decision {
	if s.Order != nil {
		return &s.Order.Decision
	}
	if s.Entry != nil {
		return s.Entry.Decision
	}
	return nil
}

// Explain puts it into sentences. rules may be nil where the version is not
// known any more: then they say what the record alone tells.
func Explain(s Subject, rules *Rules) Explanation {
	t := &teller{Subject: &s, rules: rules, zone: zoneOf(&s, rules)}
	x := Explanation{Record: s.Decision()}
	if x.Record != nil {
		x.Version = x.Record.Version
	}
	if e := s.Entry; e != nil {
		x.Statement, x.OrderNo = loyalty.StatementID(e.Member, e.No), e.OrderNo
		x.Points = e.Amount
		if e.Kind.Direction() == loyalty.Debit {
			x.Points = -e.Amount
		}
	}
	if o := s.Order; o != nil {
		x.OrderNo, x.Points = o.No, o.Points
		if o.Kind == loyalty.Refund {
			x.Points = -o.Points
		}
	}
	switch {
	case s.Order != nil && s.Order.Kind == loyalty.Refund:
		t.refund(s.Order)
	case s.Order != nil:
		t.order(s.Order)
	case s.Entry != nil && s.Entry.Kind == loyalty.Grant:
		t.grant(s.Entry)
	case s.Entry != nil:
		t.entry(s.Entry)
	}
	x.Sentences = t.told
	return x
}

// zoneOf is where the wall clock of the sentences hangs: the zone of the version
// that decided, because days and hours were counted in it.
func zoneOf(s *Subject, rules *Rules) *time.Location {
	if rules != nil {
		if zone, err := time.LoadLocation(rules.Zone); err == nil {
			return zone
		}
	}
	if s.Member.Snapshot != nil {
		return s.Member.Snapshot.Location()
	}
	return time.UTC
}

// Recomputed is what a record comes to for an amount in fen, and whether it
// holds enough to say so: a rule decided, and its rate was kept.
func Recomputed(d *loyalty.Decision, fen int64) (points int64, known bool) {
	if d == nil || d.EarnedBy != loyalty.ByRule || d.Points.Num < 1 || d.Points.Den < 1 {
		return 0, false
	}
	return d.Granted(fen), true
}
