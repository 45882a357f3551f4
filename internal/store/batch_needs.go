package store

import (
	"context"
	"slices"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// ruleNeeds is what the rules of a batch want to look at besides what its
// commands name, each row once. Most batches have none.
type ruleNeeds struct {
	birthdays []int64 // members
	marks     []int64 // members whose marks are not here yet
	levels    []memberTime
	tallies   []loyalty.TallyRange
}

// memberTime asks for the level that a member had at a time: its next move
// after that.
type memberTime struct {
	member int64
	at     loyalty.Instant
}

func (t *memberTime) record() record { return record{ints: []int64{t.member, int64(t.at)}} }

// needsOf asks the rules, when the rows that commands name are in; nil when they
// want nothing.
func needsOf(ws *loyalty.WorkingSet, r *rows, refs []loyalty.Refs) *ruleNeeds {
	var n *ruleNeeds
	for i := range refs {
		needs := ws.RuleNeeds(&refs[i])
		if needs.Member == 0 {
			continue
		}
		if n == nil {
			n = &ruleNeeds{}
		}
		if needs.Birthday {
			n.birthdays = append(n.birthdays, needs.Member)
		}
		if _, here := slices.BinarySearch(r.marks, needs.Member); needs.Labels && !here {
			n.marks = append(n.marks, needs.Member)
		}
		if needs.Levels {
			n.levels = append(n.levels, memberTime{needs.Member, needs.LevelAt})
		}
		n.tallies = append(n.tallies, needs.Tallies...)
	}
	if n != nil {
		n.birthdays, n.marks = unique(n.birthdays), unique(n.marks)
		n.levels, n.tallies = unique(n.levels), unique(n.tallies)
	}
	return n
}

// empty tells whether all that rules want is here.
func (n *ruleNeeds) empty() bool {
	return len(n.birthdays)+len(n.marks)+len(n.levels)+len(n.tallies) == 0
}

// loadNeeds is the last wave.
func (b *batch) loadNeeds(ctx context.Context, db loader, ws *loyalty.WorkingSet, n *ruleNeeds) error {
	var f found
	if n.empty() {
		return nil
	}
	if err := db.fourth(ctx, n, &f); err != nil {
		return err
	}
	for _, row := range f.birthdays {
		ws.PutBirthday(row.member, time.Month(row.month), int(row.day))
	}
	f.putMarks(ws, n.marks)
	for _, m := range f.moves {
		ws.PutLevelMove(m)
	}
	for _, t := range f.tallies {
		ws.PutTally(t)
	}
	return nil
}
