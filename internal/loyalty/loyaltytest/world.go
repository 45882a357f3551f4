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
	stamp := loyalty.Stamp{Now: loyalty.InstantOf(w.Now), NewID: w.nextID, OpenID: fmt.Sprintf("%032x", w.nextID)}
	w.nextID += max(c.Refs().New.Count, 1)
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

// Unnamed is for points that the caller of an order or a refund leaves open.
const Unnamed = -1

// Order is an order of fen, now, that grants the points.
func (w *World) Order(who loyalty.Who, no string, fen, points int64) loyalty.RecordOrder {
	return loyalty.RecordOrder{
		Who: who, Order: loyalty.OrderKey{No: no}, Amount: fen, ConsumedAt: loyalty.InstantOf(w.Now),
		Points: max(points, 0), Given: points != Unnamed,
	}
}

// Refund is a refund of fen, now, that takes the points back.
func (w *World) Refund(who loyalty.Who, no, parent string, fen, points int64) loyalty.RefundOrder {
	return loyalty.RefundOrder{
		Who: who, Order: loyalty.OrderKey{No: no}, Parent: parent, Amount: fen, ConsumedAt: loyalty.InstantOf(w.Now),
		Points: max(points, 0), Given: points != Unnamed,
	}
}

// OrderRow is the order or refund with the number, in the space "".
func (w *World) OrderRow(no string) loyalty.Order {
	w.t.Helper()
	for _, o := range w.Store.Dump(nil).Orders {
		if (o.OrderKey == loyalty.OrderKey{No: no}) {
			return o
		}
	}
	w.t.Fatalf("no order %s", no)
	return loyalty.Order{}
}

// Template adds a template that is valid for ten days after the day of receipt,
// as far as change leaves it so.
func (w *World) Template(number string, change func(*loyalty.TemplateTerms)) {
	w.t.Helper()
	Must(w, loyalty.AddTemplate{Merchant: "m", Template: loyalty.TemplateKey{Number: number}, Terms: Terms(change)})
}

// Terms are good terms, changed by change if that is not nil.
func Terms(change func(*loyalty.TemplateTerms)) loyalty.TemplateTerms {
	terms := loyalty.TemplateTerms{
		Name: "满一百减十", Category: loyalty.OrderOff, Discount: 1_000, MinimumFee: 10_000, Rules: "限本人使用",
		Term: 10, CentreStatus: 1, Restriction: loyalty.RestrictNobody,
	}
	if change != nil {
		change(&terms)
	}
	return terms
}

// Give is a gift of coupons with the numbers to one member, now.
func (w *World) Give(who loyalty.Who, template string, numbers ...string) loyalty.GiveCoupons {
	c := loyalty.GiveCoupons{
		Merchant: "m", Template: loyalty.TemplateKey{Number: template}, Each: int64(len(numbers)), ReceivedAt: loyalty.InstantOf(w.Now),
	}
	for _, n := range numbers {
		c.Entries = append(c.Entries, loyalty.CouponGift{Who: who, Number: n})
	}
	return c
}

// Redeem is the use of coupons for an order, now.
func (w *World) Redeem(who loyalty.Who, order string, codes ...string) loyalty.RedeemCoupons {
	return loyalty.RedeemCoupons{Who: who, Codes: codes, OrderNo: order, At: loyalty.InstantOf(w.Now)}
}

// Coupon is the coupon with the number as stored, in the space "".
func (w *World) Coupon(number string) loyalty.Coupon {
	w.t.Helper()
	for _, c := range w.Store.Dump(nil).Coupons {
		if c.Space == "" && c.Number == number {
			return c
		}
	}
	w.t.Fatalf("no coupon %s", number)
	return loyalty.Coupon{}
}

// Batch has commands decided in one batch at the world's time.
func (w *World) Batch(commands ...loyalty.AnyCommand) []writer.Outcome {
	stamped := make([]writer.Stamped, len(commands))
	for i, c := range commands {
		stamped[i] = writer.Stamped{Command: c, Stamp: loyalty.Stamp{
			Now: loyalty.InstantOf(w.Now), NewID: w.nextID, OpenID: fmt.Sprintf("%032x", w.nextID),
		}}
		w.nextID += max(c.Refs.New.Count, 1)
	}
	return writer.Replay(w.Store, stamped, []int{len(stamped)})
}

// Days moves the clock.
func (w *World) Days(n int) { w.Now = w.Now.AddDate(0, 0, n) }
