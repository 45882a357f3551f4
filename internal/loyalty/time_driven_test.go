package loyalty_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

// toldWorld is a world whose one app is told everything.
func toldWorld(t testing.TB, change func(*loyalty.Settings)) *loyaltytest.World {
	t.Helper()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
		s.Callbacks = loyalty.CallbackRules{ExpiringDays: 30, Also: []loyalty.EventKind{
			loyalty.EventLevelChanged, loyalty.EventPointsExpiring, loyalty.EventPointsExpired,
			loyalty.EventCouponGiven, loyalty.EventCouponUsed, loyalty.EventCouponExpired,
		}}
		if change != nil {
			change(s)
		}
	})
	w.Rules.Apps = []string{"app"}
	return w
}

// told is what the app is told of a member, in order.
func told(w *loyaltytest.World, who loyalty.Who) (lines []string) {
	for _, c := range w.Store.Dump(nil).Events {
		if c.Member != who.ID {
			continue
		}
		line := string(c.Kind)
		switch c.Kind {
		case loyalty.EventLevelChanged:
			line += fmt.Sprintf(" %d to %d", c.From, c.To)
		case loyalty.EventPointsExpiring:
			line += fmt.Sprintf(" %d at %s", c.From, wall(w, loyalty.Instant(c.To)))
		case loyalty.EventRegistered:
		default:
			line += " " + strconv.FormatInt(c.Ref, 10)
		}
		lines = append(lines, line+", "+wall(w, c.At))
	}
	return lines
}

func wall(w *loyaltytest.World, at loyalty.Instant) string {
	return at.In(w.Rules.Location()).Format("2006-01-02 15:04")
}

// expectTold compares what the app is told after the first lines.
func expectTold(t *testing.T, w *loyaltytest.World, who loyalty.Who, after int, want ...string) {
	t.Helper()
	lines := told(w, who)
	if len(lines) < after {
		t.Fatalf("told only %q", lines)
	}
	if diff := cmp.Diff(want, append([]string(nil), lines[after:]...)); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// settles has a command decided, which settles so many things.
func settles(t *testing.T, w *loyaltytest.World, want int, c loyalty.Command[loyalty.DueBooked]) {
	t.Helper()
	if got := loyaltytest.Must(w, c); got.Entries != want {
		t.Errorf("%T on %s settled %d, want %d", c, w.Now.Format(time.DateTime), got.Entries, want)
	}
}

// What each command of the clock refuses.
func TestTimeDrivenRefusals(t *testing.T) {
	t.Parallel()
	w := toldWorld(t, nil)
	w.AddMerchant("other")
	anna, berta := w.Register("13800000001"), w.Register("13800000002")
	buy(w, anna, "o1", 10)
	nobody := loyalty.Who{Merchant: "m", ID: 99}
	stranger := loyalty.Who{Merchant: "other", ID: anna.ID}
	two := loyalty.Who{Merchant: "m", ID: anna.ID, Phone: "13800000002"}
	o1 := loyalty.OrderKey{No: "o1"}
	for what, c := range map[string]struct {
		command loyalty.Command[loyalty.DueBooked]
		want    error
	}{
		"due: nobody":                 {loyalty.BookDue{Who: nobody}, loyalty.MemberNotFound},
		"due: another merchant's":     {loyalty.BookDue{Who: stranger}, loyalty.MemberNotFound},
		"due: two members":            {loyalty.BookDue{Who: two}, loyalty.MembersDisagree},
		"due: nothing":                {loyalty.BookDue{Who: anna}, nil},
		"coupons: nobody":             {loyalty.LapseCoupons{Who: nobody, Coupons: []int64{1}}, loyalty.MemberNotFound},
		"coupons: two members":        {loyalty.LapseCoupons{Who: two, Coupons: []int64{1}}, loyalty.MembersDisagree},
		"coupons: none of hers":       {loyalty.LapseCoupons{Who: anna, Coupons: []int64{1, 2}}, nil},
		"expiring: nobody":            {loyalty.AnnounceExpiring{Who: nobody}, loyalty.MemberNotFound},
		"expiring: two members":       {loyalty.AnnounceExpiring{Who: two}, loyalty.MembersDisagree},
		"refund: nobody":              {loyalty.GiveUpRefund{Who: nobody, Order: o1}, loyalty.MemberNotFound},
		"refund: two members":         {loyalty.GiveUpRefund{Who: two, Order: o1}, loyalty.MembersDisagree},
		"refund: no such number":      {loyalty.GiveUpRefund{Who: anna, Order: loyalty.OrderKey{No: "r1"}}, loyalty.OrderNotFound},
		"refund: somebody else's":     {loyalty.GiveUpRefund{Who: berta, Order: o1}, loyalty.OrderNotFound},
		"refund: another space's":     {loyalty.GiveUpRefund{Who: anna, Order: loyalty.OrderKey{Space: "x", No: "o1"}}, loyalty.OrderNotFound},
		"refund: an order, no refund": {loyalty.GiveUpRefund{Who: anna, Order: o1}, nil},
	} {
		before := w.Store.Dump(nil)
		got, err := loyaltytest.Do(w, c.command)
		if !errors.Is(err, c.want) || got.Entries != 0 {
			t.Errorf("%s: %v, settled %d; want %v", what, err, got.Entries, c.want)
		}
		if diff := cmp.Diff(before, w.Store.Dump(nil)); diff != "" {
			t.Errorf("%s: changed\n%s", what, diff)
		}
	}
}

// Pending points are released and points expire, each at its own moment however
// late it is booked, once, and partners are told in that order.
func TestBookDue(t *testing.T) {
	t.Parallel()
	for _, disabled := range []bool{false, true} {
		t.Run(fmt.Sprintf("disabled %t", disabled), func(t *testing.T) {
			t.Parallel()
			w := toldWorld(t, func(s *loyalty.Settings) {
				s.Points.WaitingDays, s.Points.Validity = 3, loyalty.Validity{Kind: loyalty.RollingDays, N: 10}
			})
			who := w.Register("13800000001")
			w.Add(who, 100)
			expectTold(t, w, who, 0, "member.registered, 2026-01-15 10:00") // pending points are none yet
			if disabled {
				loyaltytest.Must(w, loyalty.SetStatus{Who: who, Status: loyalty.Disabled, By: loyalty.ByOperator{Operator: "o", Reason: "r"}})
			}
			settles(t, w, 0, loyalty.BookDue{Who: who})
			w.Days(2)
			settles(t, w, 0, loyalty.BookDue{Who: who})
			w.Days(1)
			settles(t, w, 1, loyalty.BookDue{Who: who})
			settles(t, w, 0, loyalty.BookDue{Who: who})
			if m := w.Member(who); m.Balance != 100 || m.Pending != 0 {
				t.Errorf("balance %d, pending %d", m.Balance, m.Pending)
			}
			w.Days(30)
			settles(t, w, 1, loyalty.BookDue{Who: who})
			settles(t, w, 0, loyalty.BookDue{Who: who})
			expectTold(t, w, who, 1,
				"points.changed 2, 2026-01-18 00:00",
				"points.changed 3, 2026-01-29 00:00", "points.expired 3, 2026-01-29 00:00")
		})
	}
}

// A year that nobody looked at is booked in one go, at the moments at which it
// happened.
func TestBookDueAfterLong(t *testing.T) {
	t.Parallel()
	w := toldWorld(t, func(s *loyalty.Settings) {
		s.Points.WaitingDays, s.Points.Validity = 1, loyalty.Validity{Kind: loyalty.RollingMonths, N: 12}
		s.Growth.Period, s.Growth.Downgrade = loyalty.GrowthPeriod{Kind: loyalty.PeriodYear}, loyalty.DowngradeStep
	})
	who := w.Register("13800000001")
	buy(w, who, "o1", 3_000)
	w.Add(who, 10)
	w.Now = time.Date(2029, 6, 1, 12, 0, 0, 0, w.Rules.Location())
	settles(t, w, 2+3, loyalty.BookDue{Who: who}) // released and expired; three years ended
	settles(t, w, 0, loyalty.BookDue{Who: who})
	if m := w.Member(who); m.Level != 2 || m.Growth != 0 || m.Balance != 0 {
		t.Errorf("level %d, growth %d, balance %d; want 2, 0, 0", m.Level, m.Growth, m.Balance)
	}
	lines := told(w, who)
	if got := strings.Join(lines[2:], "; "); !strings.HasPrefix(got, "points.changed 2, 2026-01-16 00:00; points.changed 3, 2027-01-17 00:00; points.expired 3, 2027-01-17 00:00; level.changed 4 to 3, 2028-01-01 00:00; level.changed 3 to 2, 2029-01-01 00:00") {
		t.Errorf("told %q", lines)
	}
}

// Each expiry is announced once, at the latest as many days before as the
// merchant says, and only what can be spent then.
func TestAnnounceExpiring(t *testing.T) {
	t.Parallel()
	w := toldWorld(t, func(s *loyalty.Settings) {
		s.Callbacks.ExpiringDays = 10
		s.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 40}
	})
	who := w.Register("13800000001")
	w.Add(who, 100) // ends on 25 February
	w.Days(1)
	w.Add(who, 50) // on the 26th
	w.Take(who, 30)
	w.Days(5)
	w.Add(who, 7) // on 3 March
	const before = 5
	for day, want := range []int{
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // to 13 February
		1, 1, 0, 0, 0, 0, 1, 0,
	} {
		settles(t, w, want, loyalty.AnnounceExpiring{Who: who})
		settles(t, w, 0, loyalty.AnnounceExpiring{Who: who})
		if day == 24 {
			w.Add(who, 1) // another lot: what was announced stays so
		}
		w.Days(1)
	}
	expectTold(t, w, who, before,
		"points.expiring 70 at 2026-02-25 00:00, 2026-02-14 10:00",
		"points.changed 5, 2026-02-14 10:00",
		"points.expiring 50 at 2026-02-26 00:00, 2026-02-15 10:00",
		"points.expiring 7 at 2026-03-03 00:00, 2026-02-20 10:00")
}

// Days without a look are made up for in one; what has expired meanwhile is
// expired and not announced, and pending points are none yet.
func TestAnnounceExpiringLate(t *testing.T) {
	t.Parallel()
	w := toldWorld(t, func(s *loyalty.Settings) {
		s.Callbacks.ExpiringDays = 10
		s.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 40}
	})
	who := w.Register("13800000001")
	w.Add(who, 1) // ends on 25 February
	for range 3 {
		w.Days(5)
		w.Add(who, 2) // on 2, 7 and 12 March
	}
	w.Change(func(s *loyalty.Settings) { s.Points.WaitingDays = 60 })
	w.Rules.Apps = []string{"app"}
	w.Add(who, 500)
	after := len(told(w, who))
	w.Now = time.Date(2026, 2, 27, 8, 0, 0, 0, w.Rules.Location())
	settles(t, w, 2, loyalty.AnnounceExpiring{Who: who})
	expectTold(t, w, who, after,
		"points.changed 6, 2026-02-25 00:00", "points.expired 6, 2026-02-25 00:00",
		"points.expiring 2 at 2026-03-02 00:00, 2026-02-27 08:00", "points.expiring 2 at 2026-03-07 00:00, 2026-02-27 08:00")
	// A longer time of announcement takes in what is between; a shorter one nothing.
	w.Change(func(s *loyalty.Settings) { s.Callbacks.ExpiringDays = 20 })
	settles(t, w, 1, loyalty.AnnounceExpiring{Who: who})
	w.Change(func(s *loyalty.Settings) { s.Callbacks.ExpiringDays = 1 })
	settles(t, w, 0, loyalty.AnnounceExpiring{Who: who})
}

// Pending points may yet be taken back: they are announced by nobody.
func TestPendingIsNotAnnounced(t *testing.T) {
	t.Parallel()
	w := toldWorld(t, func(s *loyalty.Settings) {
		s.Callbacks.ExpiringDays = 10
		s.Points.WaitingDays, s.Points.Validity = 5, loyalty.Validity{Kind: loyalty.RollingDays, N: 3}
	})
	who := w.Register("13800000001")
	w.Add(who, 10) // released on the 20th, ends on the 24th
	settles(t, w, 0, loyalty.AnnounceExpiring{Who: who})
	expectTold(t, w, who, 1)
}

// A kind that is not switched on, and a member that is erased, are told to
// nobody; what is due is booked all the same.
func TestNobodyIsTold(t *testing.T) {
	t.Parallel()
	for what, quiet := range map[string]func(*loyaltytest.World, loyalty.Who){
		"switched off": func(w *loyaltytest.World, _ loyalty.Who) {
			w.Change(func(s *loyalty.Settings) { s.Callbacks.Also = []loyalty.EventKind{} })
			w.Rules.Apps = []string{"app"}
		},
		"no app": func(w *loyaltytest.World, _ loyalty.Who) { w.Change(func(*loyalty.Settings) {}) },
		"erased": func(w *loyaltytest.World, who loyalty.Who) {
			loyaltytest.Must(w, loyalty.EraseMember{Who: who, By: loyalty.ByOperator{Operator: "o", Reason: "r"}})
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := toldWorld(t, func(s *loyalty.Settings) { s.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 20} })
			who := w.Register("13800000001")
			w.Add(who, 10)
			w.Template("t1", nil)
			loyaltytest.Must(w, w.Give(who, "t1", "c1"))
			after := len(told(w, who))
			quiet(w, who)
			settles(t, w, 1, loyalty.AnnounceExpiring{Who: who})
			w.Days(30)
			settles(t, w, 1, loyalty.LapseCoupons{Who: who, Coupons: []int64{1}})
			settles(t, w, 0, loyalty.BookDue{Who: who}) // the coupon's end has booked it
			if m := w.Member(who); m.Balance != 0 || !w.Coupon("c1").Lapsed {
				t.Errorf("balance %d, %+v", m.Balance, w.Coupon("c1"))
			}
			for _, line := range told(w, who)[after:] {
				if what != "switched off" || !strings.HasPrefix(line, "points.changed") {
					t.Errorf("told %s", line)
				}
			}
		})
	}
}

// The end of a coupon is booked once, whatever state it is in, and not at all
// when the coupon was used or deleted.
func TestLapseCoupons(t *testing.T) {
	t.Parallel()
	w := toldWorld(t, func(s *loyalty.Settings) { s.Orders.ReturnCoupons = true })
	who := w.Register("13800000001")
	buy(w, who, "o1", 20)
	w.Template("t1", nil) // good for ten days: to the 25th
	loyaltytest.Must(w, w.Give(who, "t1", "valid", "used", "deleted", "in use", "late"))
	loyaltytest.Must(w, w.Redeem(who, "o1", "used"))
	for number, state := range map[string]loyalty.CouponState{"deleted": loyalty.CouponDeleted, "in use": loyalty.CouponInUse} {
		loyaltytest.Must(w, loyalty.SyncCoupon{Who: who, Code: number, State: state})
	}
	seqs := []int64{1, 2, 3, 4, 5}
	w.Now = time.Date(2026, 1, 25, 23, 59, 59, 999_000_000, w.Rules.Location())
	settles(t, w, 0, loyalty.LapseCoupons{Who: who, Coupons: seqs})
	after := len(told(w, who))
	w.Now = w.Now.Add(time.Millisecond)
	settles(t, w, 1, loyalty.LapseCoupons{Who: who, Coupons: []int64{5}})
	settles(t, w, 2, loyalty.LapseCoupons{Who: who, Coupons: seqs})
	settles(t, w, 0, loyalty.LapseCoupons{Who: who, Coupons: seqs})
	expectTold(t, w, who, after,
		"coupon.expired 5, 2026-01-26 00:00", "coupon.expired 1, 2026-01-26 00:00", "coupon.expired 4, 2026-01-26 00:00")
	// A refund gives nothing back past the end, so that nothing ends twice.
	loyaltytest.Must(w, w.Refund(who, "r1", "o1", 2_000, loyaltytest.Unnamed))
	settles(t, w, 0, loyalty.LapseCoupons{Who: who, Coupons: seqs})
	if c := w.Coupon("used"); c.State != loyalty.CouponUsed || c.Lapsed {
		t.Errorf("%+v", c)
	}
}

// A coupon can be used at its end or not, whether or not the end was booked.
func TestLapsedOrNotIsTheSame(t *testing.T) {
	t.Parallel()
	for _, lapse := range []bool{false, true} {
		w := toldWorld(t, nil)
		who := w.Register("13800000001")
		w.Template("t1", nil)
		loyaltytest.Must(w, w.Give(who, "t1", "c1"))
		w.Days(11)
		if lapse {
			settles(t, w, 1, loyalty.LapseCoupons{Who: who, Coupons: []int64{1}})
		}
		if _, err := loyaltytest.Do(w, w.Redeem(who, "o1", "c1")); err == nil {
			t.Errorf("lapsed %t: redeemed after its end", lapse)
		}
		in := w.Redeem(who, "o1", "c1")
		in.At = loyalty.InstantOf(w.Now.AddDate(0, 0, -2)) // the till was offline
		if _, err := loyaltytest.Do(w, in); err != nil {
			t.Errorf("lapsed %t: used within its time, told later: %v", lapse, err)
		}
		if c := w.Coupon("c1"); c.State != loyalty.CouponUsed {
			t.Errorf("lapsed %t: %+v", lapse, c)
		}
	}
}

// A parked refund waits whole days in the merchant's zone, is then given up
// once, and never takes anything when its order comes after all.
func TestGiveUpRefund(t *testing.T) {
	t.Parallel()
	w := toldWorld(t, func(s *loyalty.Settings) {
		s.Orders.EarlyRefund, s.Orders.ParkDays = loyalty.EarlyPark, 5
	})
	who := w.Register("13800000001")
	loyaltytest.Must(w, w.Refund(who, "r1", "o1", 1_000, loyaltytest.Unnamed))
	loyaltytest.Must(w, w.Refund(who, "r2", "o2", 1_000, loyaltytest.Unnamed))
	give := loyalty.GiveUpRefund{Who: who, Order: loyalty.OrderKey{No: "r1"}}
	for day := range 6 {
		settles(t, w, 0, give)
		if day == 2 {
			loyaltytest.Must(w, w.Order(who, "o2", 5_000, 50)) // r2 is booked with it
		}
		w.Days(1)
	}
	after := len(told(w, who))
	settles(t, w, 1, give)
	settles(t, w, 0, give)
	settles(t, w, 0, loyalty.GiveUpRefund{Who: who, Order: loyalty.OrderKey{No: "r2"}})
	if r1, r2 := w.OrderRow("r1").State, w.OrderRow("r2").State; r1 != loyalty.Declined || r2 == loyalty.Declined || r2 == loyalty.Parked {
		t.Errorf("r1 %v, r2 %v", r1, r2)
	}
	expectTold(t, w, who, after)
	w.Now = time.Date(2026, 2, 1, 0, 0, 0, 0, w.Rules.Location())
	loyaltytest.Must(w, w.Refund(who, "r3", "o3", 1_000, loyaltytest.Unnamed))
	w.Now = time.Date(2026, 2, 6, 0, 0, 0, 0, w.Rules.Location()).Add(-time.Millisecond)
	give.Order.No = "r3"
	settles(t, w, 0, give)
	w.Now = w.Now.Add(time.Millisecond)
	settles(t, w, 1, give)
	loyaltytest.Must(w, w.Order(who, "o1", 5_000, 50))
	if m := w.Member(who); m.ConsumeFen != 5_000+4_000 || w.OrderRow("r1").State != loyalty.Declined {
		t.Errorf("consumption %d; a refund that was given up came back: %v", m.ConsumeFen, w.OrderRow("r1").State)
	}
}

// Points that come after the look, with an end that it had looked at, are
// announced when they come: granted, or released from waiting.
func TestExpiringPointsThatComeLater(t *testing.T) {
	t.Parallel()
	for name, waiting := range map[string]int{"granted": 0, "released": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) {
				s.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 10}
				s.Points.WaitingDays = waiting
				s.Callbacks.Also = []loyalty.EventKind{loyalty.EventPointsExpiring}
			})
			w.Rules.Apps = []string{"app"}
			who := w.Register("13800000001")
			total := int64(0)
			for day := range 12 {
				w.Add(who, int64(1+day))
				total += int64(1 + day)
				loyaltytest.Must(w, loyalty.AnnounceExpiring{Who: who})
				w.Days(1)
			}
			w.Days(waiting + 1)
			loyaltytest.Must(w, loyalty.AnnounceExpiring{Who: who})
			var told int64
			for _, e := range w.Store.Dump(nil).Events {
				if e.Kind == loyalty.EventPointsExpiring {
					told += e.From
				}
			}
			if told != total {
				t.Errorf("%d points announced of %d", told, total)
			}
		})
	}
}
