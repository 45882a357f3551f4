// Package backtest adds up what a programme would have come to: it runs
// histories of members again under a candidate and compares them with what was
// booked. It reads nothing and writes nothing; whoever uses it hands histories in.
package backtest

import (
	"cmp"
	"maps"
	"reflect"
	"slices"

	"github.com/memberd/memberd/internal/loyalty"
)

// Sums are points of all members since the back-test begins, and what they hold
// at its end. From the first day on, Granted less TakenOff, Spent and Expired,
// and WrittenOff, is Liability less Deficit.
type Sums struct {
	Granted  int64 `json:"granted"`     // to balances or pending
	TakenOff int64 `json:"clawed_back"` // grants that were taken back, but for what of them had expired
	Spent    int64 `json:"spent"`       // less what was given back, below 0 if that was spent before
	Expired  int64 `json:"expired"`
	// WrittenOff is what could not be taken back and was forgiven.
	WrittenOff int64 `json:"written_off"`
	// Liability is what members could still spend, pending points included;
	// Deficit what they owe.
	Liability int64 `json:"liability"`
	Deficit   int64 `json:"deficit"`
}

func (s *Sums) entries(entries []loyalty.Entry) {
	for i := range entries {
		switch e := &entries[i]; e.Kind {
		case loyalty.Grant:
			s.Granted += e.Amount
		case loyalty.TakeBack:
			s.TakenOff += e.Amount - e.Lapsed
		case loyalty.Spend:
			s.Spent += e.Amount
		case loyalty.PutBack:
			s.Spent -= e.Amount
			s.Expired += e.Lapsed // given back to a lot that had ended
		case loyalty.Expiry:
			s.Expired += e.Amount
		case loyalty.WriteOff:
			s.WrittenOff += e.Amount
		}
	}
}

func (s *Sums) member(m *loyalty.Member) {
	s.Liability += m.Balance + m.Deficit + m.Pending
	s.Deficit += m.Deficit
}

// LevelReport is one level, by the number that members have today.
type LevelReport struct {
	Number  int64  `json:"number"`
	Name    string `json:"name"`
	Before  int64  `json:"before"`  // members who hold it
	After   int64  `json:"after"`   // members who would hold it
	Winners int64  `json:"winners"` // of Before: who would have earned more, net of what was taken back
	Losers  int64  `json:"losers"`
	Won     int64  `json:"won"`  // points of the winners
	Lost    int64  `json:"lost"` // points of the losers
}

// Report is the outcome.
type Report struct {
	Members int64 `json:"members"`
	Same    int64 `json:"same"` // members whose ledger would be the same, entry for entry
	Before  Sums  `json:"before"`
	After   Sums  `json:"after"`
	// Refused are calls that the candidate would have refused, by reason.
	Refused map[string]int64 `json:"refused"`
	Levels  []LevelReport    `json:"levels"`

	levels map[int64]*LevelReport
}

// NewReport lists the levels of both programmes.
func NewReport(present, candidate *loyalty.Snapshot) *Report {
	r := &Report{Refused: map[string]int64{}, levels: map[int64]*LevelReport{}}
	for _, l := range slices.Concat(present.Levels, candidate.Levels) {
		r.level(l.Number).Name = l.Name
	}
	return r
}

func (r *Report) level(number int64) *LevelReport {
	if r.levels[number] == nil {
		r.levels[number] = &LevelReport{Number: number}
	}
	return r.levels[number]
}

// Add counts a member.
func (r *Report) Add(m loyalty.Replayed) {
	r.Members++
	if sameLedger(m.Ledger, m.Entries) {
		r.Same++
	}
	r.Before.entries(m.Ledger)
	r.After.entries(m.Entries)
	r.Before.member(&m.Actual)
	r.After.member(&m.Member)
	for _, refused := range m.Refused {
		r.Refused[refused.Code.String()]++
	}
	held := r.level(m.Actual.Level)
	held.Before++
	r.level(m.Member.Level).After++
	switch gain := earned(m.Entries) - earned(m.Ledger); {
	case gain > 0:
		held.Winners++
		held.Won += gain
	case gain < 0:
		held.Losers++
		held.Lost -= gain
	}
}

// earned is what entries granted, net of what was taken back.
func earned(entries []loyalty.Entry) int64 {
	var s Sums
	s.entries(entries)
	return s.Granted - s.TakenOff
}

// sameLedger compares entries but for the version that their records name, and
// for records where there were none yet.
func sameLedger(a, b []loyalty.Entry) bool {
	return slices.EqualFunc(a, b, func(x, y loyalty.Entry) bool {
		if x.Decision == nil {
			y.Decision = nil
		}
		x.Decision, y.Decision = withoutVersion(x.Decision), withoutVersion(y.Decision)
		return reflect.DeepEqual(x, y)
	})
}

func withoutVersion(d *loyalty.Decision) *loyalty.Decision {
	if d == nil {
		return nil
	}
	copied := *d
	copied.Version = 0
	return &copied
}

// Finish puts the levels in order.
func (r *Report) Finish() {
	r.Levels = nil
	for _, number := range slices.SortedFunc(maps.Keys(r.levels), cmp.Compare[int64]) {
		r.Levels = append(r.Levels, *r.levels[number])
	}
}
