package loyaltytest

import (
	"fmt"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// World is one merchant on the reference store with a clock that a test moves,
// for tests that tell a short story.
type World struct {
	t      testing.TB
	Store  *Memory
	Rules  *loyalty.Snapshot
	Now    time.Time
	nextID int64
}

// NewWorld has the default settings, changed by change if that is not nil. It
// is 15 January 2026, 10:00 in Shanghai. When the test ends every balance, lot
// and counter is recomputed.
func NewWorld(t testing.TB, change func(*loyalty.Settings)) *World {
	t.Helper()
	s := loyalty.DefaultSettings()
	if change != nil {
		change(&s)
	}
	rules, err := loyalty.NewSnapshot("m", 1, 0, s)
	if err != nil {
		t.Fatal(err)
	}
	w := &World{t: t, Store: NewMemory(rules), Rules: rules, nextID: 1}
	w.Now = time.Date(2026, 1, 15, 10, 0, 0, 0, rules.Location())
	t.Cleanup(func() {
		state := w.Store.Dump(nil)
		for _, d := range state.Verify(map[string]*loyalty.Snapshot{"m": w.Rules}) {
			t.Errorf("stored and recomputed differ: %+v", d)
		}
	})
	return w
}

// Change gives the merchant other settings from here on.
func (w *World) Change(change func(*loyalty.Settings)) {
	w.t.Helper()
	s := w.Rules.Settings
	change(&s)
	rules, err := loyalty.NewSnapshot("m", w.Rules.Version+1, 0, s)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Rules = rules
	w.Store.PutSnapshot(rules)
}

// AddMerchant makes a second merchant with default settings.
func (w *World) AddMerchant(id string) {
	w.t.Helper()
	rules, err := loyalty.NewSnapshot(id, 1, 0, loyalty.DefaultSettings())
	if err != nil {
		w.t.Fatal(err)
	}
	w.Store.PutSnapshot(rules)
}

// Do has a command decided at the world's time.
func Do[R any](w *World, c loyalty.Command[R]) (R, error) {
	stamp := loyalty.Stamp{Now: loyalty.InstantOf(w.Now), MemberID: w.nextID, OpenID: fmt.Sprintf("%032x", w.nextID)}
	w.nextID++
	out := writer.Replay(w.Store, []writer.Stamped{{Command: loyalty.Any(c), Stamp: stamp}}, nil)[0]
	r, _ := out.Result.(R)
	return r, out.Err
}

// Must is Do for commands that the story takes for granted.
func Must[R any](w *World, c loyalty.Command[R]) R {
	w.t.Helper()
	r, err := Do(w, c)
	if err != nil {
		w.t.Fatalf("%T: %v", c, err)
	}
	return r
}

// Register makes a member with the phone.
func (w *World) Register(phone string) loyalty.Who {
	w.t.Helper()
	r := Must(w, loyalty.RegisterMember{Merchant: "m", Profile: loyalty.Profile{Phone: phone}})
	return loyalty.Who{Merchant: "m", ID: r.Member}
}

// Add and Take are plain changes without a key; they return the statement id.
func (w *World) Add(who loyalty.Who, points int64) string {
	w.t.Helper()
	return w.change(who, "event_add", points)
}

// Take spends points.
func (w *World) Take(who loyalty.Who, points int64) string {
	w.t.Helper()
	return w.change(who, "event_subtract", points)
}

func (w *World) change(who loyalty.Who, event string, points int64) string {
	w.t.Helper()
	r := Must(w, loyalty.ChangePoints{Who: who, Event: event, Points: points})
	return loyalty.StatementID(r.Member, r.Entry)
}

// Back rolls a statement back; 0 points for all that is left.
func (w *World) Back(who loyalty.Who, statement string, points int64) error {
	_, err := Do(w, loyalty.RollBackStatement{Who: who, Statement: statement, Quantity: points})
	return err
}

// Member is the member as stored.
func (w *World) Member(who loyalty.Who) loyalty.Member {
	w.t.Helper()
	for _, m := range w.Store.Dump(nil).Members {
		if m.ID == who.ID {
			return m
		}
	}
	w.t.Fatalf("no member %d", who.ID)
	return loyalty.Member{}
}

// Lots is the open lots of a member as "remaining until date", in spend order.
func (w *World) Lots(who loyalty.Who) []string {
	var lots []string
	for _, l := range w.Store.Dump(nil).Lots {
		if l.Member != who.ID {
			continue
		}
		text := "never"
		if l.ExpiresAt != loyalty.Never {
			text = l.ExpiresAt.In(w.Rules.Location()).Format("2006-01-02")
		}
		if l.Pending {
			text += " pending"
		}
		lots = append(lots, fmt.Sprintf("%d until %s", l.Remaining, text))
	}
	return lots
}

// Entries is a member's ledger, oldest first.
func (w *World) Entries(who loyalty.Who) []loyalty.Entry {
	var entries []loyalty.Entry
	for _, e := range w.Store.Dump(nil).Entries {
		if e.Member == who.ID {
			entries = append(entries, e)
		}
	}
	return entries
}

// Days moves the clock.
func (w *World) Days(n int) { w.Now = w.Now.AddDate(0, 0, n) }
