package loyaltytest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// Step is one generated command with what the reference store answered.
type Step struct {
	writer.Stamped
	Merchant string
	Outcome  writer.Outcome
	KeyText  string // merchant, member reference, operation and key; "" without a key
	Rollback bool
}

// Merchants are the rules that random runs are made under: each policy is
// somebody's. Their clocks differ, as those of sandbox merchants do.
func Merchants() []*loyalty.Snapshot {
	build := func(id string, offset int64, change func(*loyalty.Settings)) *loyalty.Snapshot {
		s := loyalty.DefaultSettings()
		s.Events = append(s.Events,
			loyalty.Event{Name: "sign_in", Direction: loyalty.Credit, Points: 5, DailyCap: 5, Operation: loyalty.OpSignIn})
		s.MaxCredit = 1_000
		change(&s)
		snap, err := loyalty.NewSnapshot(id, 1, offset, s)
		if err != nil {
			panic(err)
		}
		return snap
	}
	told := func(snap *loyalty.Snapshot, apps ...string) *loyalty.Snapshot {
		snap.Apps = apps
		return snap
	}
	day := int64(24 * time.Hour / time.Millisecond)
	return []*loyalty.Snapshot{
		build("refuse", 0, func(s *loyalty.Settings) {
			s.RegisterGift = 20
			s.Orders = loyalty.OrderRules{Score: loyalty.ScoreRule, EarlyRefund: loyalty.EarlyPark, ParkDays: 10}
			s.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 20}
			s.Points.Rounding, s.Points.Caps.PerDay = loyalty.RoundNearest, 700
			s.Points.Multipliers = daysOnly()
		}),
		build("negative", 40*day, func(s *loyalty.Settings) {
			s.Clawback, s.GiveBack = loyalty.ClawbackNegative, loyalty.GiveBackVoid
			s.Points.Validity = loyalty.Validity{Kind: loyalty.MonthEnd, N: 0}
			s.StrictChangeID = true
			s.Orders = loyalty.OrderRules{Score: loyalty.ScoreRule, EarlyRefund: loyalty.EarlyPark, ReturnCoupons: true, ParkDays: 3}
			s.Growth.Rate = loyalty.Fraction{Num: 3, Den: 7}
			s.Growth.Period = loyalty.GrowthPeriod{Kind: loyalty.PeriodMonths, N: 1}
			s.Growth.Downgrade = loyalty.DowngradeFitting
		}),
		told(build("floor", 3*day, func(s *loyalty.Settings) {
			s.Clawback, s.GiveBack = loyalty.ClawbackFloor, loyalty.GiveBackOriginal
			s.Orders.ReturnCoupons = true
			s.Callbacks.ExpiringDays = 10
			s.Growth.Period = loyalty.GrowthPeriod{Kind: loyalty.PeriodMonths, N: 2}
			s.Growth.Downgrade = loyalty.DowngradeStep
			s.Callbacks.Also = []loyalty.EventKind{
				loyalty.EventLevelChanged, loyalty.EventPointsExpired, loyalty.EventCouponGiven, loyalty.EventCouponUsed,
				loyalty.EventPointsExpiring, loyalty.EventCouponExpired,
			}
			s.Points.Rate = loyalty.Fraction{Num: 2, Den: 3}
			s.Orders.Score, s.Points.Rounding, s.Points.Combine = loyalty.ScoreRule, loyalty.RoundUp, loyalty.CombineAdd
			s.Points.Caps.PerOrder = 250
			s.Points.Multipliers = goodsAndLabels()
			s.Points.Validity = loyalty.Validity{Kind: loyalty.RollingMonths, N: 1}
		}), "app-a", "app-b"),
		told(build("waiting", -7*day, func(s *loyalty.Settings) {
			s.Clawback = loyalty.ClawbackNegative
			s.Points.WaitingDays = 6
			s.Callbacks.Also = []loyalty.EventKind{loyalty.EventPointsExpiring}
			s.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 12}
		}), "app-c"),
		build("own-lot", 0, func(s *loyalty.Settings) {
			s.OwnLotOnly, s.Clawback = true, loyalty.ClawbackNegative
			s.Orders.Score, s.Points.Basis, s.Points.Combine = loyalty.ScoreRule, loyalty.BasisGoods, loyalty.CombineMultiply
			s.Points.Caps = loyalty.Caps{PerOrder: 300, PerMember: 20_000}
			s.Points.Multipliers = goodsAndStores()
			s.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 15}
		}),
		build("no-rule", 0, func(s *loyalty.Settings) {
			s.Points.Rate = loyalty.Fraction{Num: 0, Den: 1}
			s.Points.Until = loyalty.InstantOf(start.AddDate(0, 2, 0))
			s.Points.Validity = loyalty.Validity{Kind: loyalty.Unlimited}
		}),
	}
}

// daysOnly looks at birthdays and the calendar.
func daysOnly() []loyalty.Multiplier {
	return []loyalty.Multiplier{
		{ID: "birthday", Factor: 20_000, When: loyalty.Condition{Birthday: loyalty.BirthdayMonth}},
		{ID: "weekend", Factor: 15_000, When: loyalty.Condition{Weekdays: []int{6, 7}}},
	}
}

// goodsAndLabels asks for everything that has to be loaded.
func goodsAndLabels() []loyalty.Multiplier {
	return []loyalty.Multiplier{
		{ID: "level", Factor: 12_500, When: loyalty.Condition{Levels: []int64{2, 3, 4, 5, 6, 7}}},
		{ID: "birthday", Factor: 20_000, When: loyalty.Condition{Birthday: loyalty.BirthdayMonth}},
		{ID: "fresh", Factor: 20_000, When: loyalty.Condition{Categories: []string{"fresh"}}},
		{ID: "label", Factor: 5_000, When: loyalty.Condition{Labels: []string{"标签1", "标签2", "标签3"}}},
	}
}

// goodsAndStores divides an order by its goods.
func goodsAndStores() []loyalty.Multiplier {
	return []loyalty.Multiplier{
		{ID: "fresh", Factor: 20_000, When: loyalty.Condition{Categories: []string{"fresh"}}},
		{ID: "tobacco", Factor: 0, When: loyalty.Condition{BarCodes: []string{"6901028004770"}}},
		{ID: "store", Factor: 13_333, When: loyalty.Condition{Stores: []string{"18756"}}},
	}
}

var start = time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)

// generator makes commands that get in each other's way: few members, few
// keys, few orders, and a clock that mostly creeps and sometimes leaps.
type generator struct {
	rng       *rand.Rand
	merchants []*loyalty.Snapshot
	now       time.Time
	nextID    int64
	made      map[string][]int64                // members by merchant
	entries   map[int64]int64                   // newest known entry number by member
	used      map[string][]loyalty.ChangePoints // by merchant, to repeat
	rollbacks []Step
	orders    map[string][]loyalty.RecordOrder // by merchant, to repeat and to refund
	refunds   map[string][]loyalty.RefundOrder
	gives     map[string][]loyalty.GiveCoupons
	coupons   map[string][]namedCoupon
	give      loyalty.GiveCoupons  // the last one
	current   *loyalty.Snapshot    // merchant of the present burst
	next      []loyalty.AnyCommand // to follow at once
}

// Generate runs n random commands against store one by one, and returns them
// with the answers.
func Generate(seed uint64, n int, merchants []*loyalty.Snapshot, store loyalty.Store) []Step {
	return newGenerator(seed, merchants).run(n, store)
}

func newGenerator(seed uint64, merchants []*loyalty.Snapshot) *generator {
	return &generator{
		rng: rand.New(rand.NewPCG(seed, 1)), merchants: merchants, now: start, nextID: 1,
		made: map[string][]int64{}, entries: map[int64]int64{}, used: map[string][]loyalty.ChangePoints{},
		orders: map[string][]loyalty.RecordOrder{}, refunds: map[string][]loyalty.RefundOrder{},
		gives: map[string][]loyalty.GiveCoupons{}, coupons: map[string][]namedCoupon{},
	}
}

// run makes and runs the next n commands.
func (g *generator) run(n int, store loyalty.Store) []Step {
	steps := make([]Step, 0, n)
	for range n {
		step := g.step()
		step.Outcome = writer.Replay(store, []writer.Stamped{step.Stamped}, nil)[0]
		g.learn(step)
		steps = append(steps, step)
	}
	return steps
}

// burstsOf weighs Merchants by how seldom what only they can do comes about.
var burstsOf = []int{0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4, 5}

// learn keeps what later commands refer to.
func (g *generator) learn(s Step) {
	switch r := s.Outcome.Result.(type) {
	case loyalty.MemberRegistered:
		if r.Created {
			g.made[s.Merchant] = append(g.made[s.Merchant], r.Member)
		}
	case loyalty.PointsChanged:
		g.entries[r.Member] = max(g.entries[r.Member], r.Entry)
	case loyalty.CouponsGiven:
		if s.Outcome.Err == nil {
			g.learnGiven(g.give, r)
		}
	case loyalty.RolledBack:
		g.entries[r.Member] = max(g.entries[r.Member], r.Entry)
	}
	if s.Rollback {
		g.rollbacks = append(g.rollbacks, s)
	}
}

func (g *generator) chance(percent int) bool { return g.rng.IntN(100) < percent }

func (g *generator) pick(n int) int { return g.rng.IntN(n) }

// tick moves the clock: creeps, sometimes steps back a little (a second
// process whose clock is behind), sometimes leaps over expiries.
func (g *generator) tick() loyalty.Instant {
	switch {
	case g.chance(70):
		g.now = g.now.Add(time.Duration(g.pick(5)) * time.Millisecond)
	case g.chance(20):
		return loyalty.InstantOf(g.now.Add(-time.Duration(g.pick(3000)) * time.Millisecond))
	case g.chance(80):
		g.now = g.now.Add(time.Duration(g.pick(3600)) * time.Second)
	default:
		g.now = g.now.Add(time.Duration(g.pick(8*24)) * time.Hour)
	}
	return loyalty.InstantOf(g.now)
}

// step makes the next command. What is to follow another one comes at once, so
// that both often stand in one batch.
func (g *generator) step() Step {
	if g.current == nil || len(g.next) == 0 && g.chance(3) { // bursts, so that calls meet before the clock leaps
		g.current = g.merchants[burstsOf[g.pick(len(burstsOf))]]
	}
	snap := g.current
	at := g.tick() + loyalty.Instant(snap.ClockOffset)
	step := Step{Merchant: snap.Merchant}
	step.Stamp = loyalty.Stamp{Now: at, NewID: g.nextID, OpenID: fmt.Sprintf("%032x", g.nextID)}
	g.nextID++
	if len(g.next) > 0 {
		step.Command, g.next = g.next[0], g.next[1:]
		return step
	}
	if g.chance(30) {
		g.ofOrders(&step)
		return step
	}
	switch n := g.pick(100); {
	case n < 12:
		step.Command = loyalty.Any(g.register(snap.Merchant))
	case n < 55:
		c := g.change(snap.Merchant)
		step.Command, step.KeyText = loyalty.Any(c), keyText(c.Who, c.Key())
	case n < 65:
		c := g.rollBackChange(snap.Merchant)
		step.Command, step.KeyText, step.Rollback = loyalty.Any(c), keyText(c.Who, c.Key()), true
	case n < 80:
		if len(g.rollbacks) > 0 && g.chance(15) { // the same call again
			old := g.rollbacks[max(len(g.rollbacks)-1-g.pick(40), 0)]
			if old.Merchant == step.Merchant { // each has a clock of its own
				old.Stamp = step.Stamp
				return old
			}
		}
		c := g.rollBackStatement(snap.Merchant)
		step.Command, step.KeyText, step.Rollback = loyalty.Any(c), keyText(c.Who, c.Key()), true
	case n < 92:
		c := g.returnPoints(snap.Merchant)
		step.Command, step.KeyText, step.Rollback = loyalty.Any(c), keyText(c.Who, c.Key()), true
	case n < 95:
		step.Command = g.timeDriven(snap.Merchant)
	default:
		step.Command = g.operator(snap.Merchant)
	}
	return step
}

// ofOrders makes a command about orders, refunds, coupons or marks.
func (g *generator) ofOrders(step *Step) {
	merchant, at := step.Merchant, step.Stamp.Now
	switch n := g.pick(100); {
	case n < 25:
		c := g.recordOrder(merchant, at)
		step.Command, step.KeyText = loyalty.Any(c), keyText(c.Who, c.Key())
	case n < 50:
		c := g.refundOrder(merchant, at)
		step.Command, step.KeyText = loyalty.Any(c), keyText(c.Who, c.Key())
	case n < 53:
		step.Command = loyalty.Any(loyalty.PreviewRefund{RefundOrder: g.refundOrder(merchant, at)})
	case n < 60:
		step.Command = loyalty.Any(g.addTemplate(merchant))
	case n < 75:
		c := g.giveCoupons(merchant, at)
		g.give = c
		g.nextID += int64(len(c.Entries))
		step.Command = loyalty.Any(c)
	case n < 86:
		step.Command = loyalty.Any(g.redeemCoupons(merchant, at))
	case n < 94:
		step.Command = loyalty.Any(g.syncCoupon(merchant))
	default:
		step.Command = loyalty.Any(g.mark(merchant))
	}
}

func keyText(w loyalty.Who, k loyalty.Key) string {
	if k.Key == "" {
		return ""
	}
	return fmt.Sprint(w.Merchant, w.ID, w.Phone, k.KeyID, k.Fingerprint)
}

// space is that of most apps, or now and then one of its own.
func (g *generator) space() string {
	if g.chance(10) {
		return "apart"
	}
	return ""
}

func (g *generator) phone() string { return fmt.Sprintf("1380000%04d", g.pick(6)) }

// who refers to a member in any way, now and then to nobody or to two.
func (g *generator) who(merchant string) loyalty.Who {
	w := loyalty.Who{Merchant: merchant}
	made := g.made[merchant]
	switch {
	case g.chance(3):
		w.OpenID = "nobody"
	case g.chance(4) && len(made) > 0:
		w.ID, w.Phone = made[g.pick(len(made))], g.phone()
	case g.chance(60) || len(made) == 0:
		w.Phone = g.phone()
	case g.chance(50):
		w.ID = made[g.pick(len(made))]
	default:
		w.OpenID = fmt.Sprintf("%032x", made[g.pick(len(made))])
	}
	return w
}

func (g *generator) register(merchant string) loyalty.RegisterMember {
	c := loyalty.RegisterMember{Merchant: merchant, Gift: g.chance(50)}
	c.Profile.Phone = g.phone()
	if g.chance(10) {
		c.Profile.Phone = "12345"
	}
	if g.chance(40) {
		c.Profile.Nickname = fmt.Sprintf("会员%d", g.pick(5))
	}
	if g.chance(15) {
		c.Profile.BirthMonth, c.Profile.BirthDay = 1+g.pick(6), 1+g.pick(28)
		c.Profile.Birthday = fmt.Sprintf("1990-%02d-%02d", c.Profile.BirthMonth, c.Profile.BirthDay)
	}
	if g.chance(25) {
		c.Profile.OuterUserID = fmt.Sprintf("outer%d", g.pick(8))
	}
	if g.chance(30) {
		c.Channel = &loyalty.Channel{
			Code: []string{"xcx", "saas"}[g.pick(2)], UnionID: fmt.Sprintf("union%d", g.pick(8)),
			ThirdPartyCode: fmt.Sprintf("third%d", g.pick(8)), RegisterType: "1",
		}
	}
	return c
}

func (g *generator) change(merchant string) loyalty.ChangePoints {
	if used := g.used[merchant]; len(used) > 0 && g.chance(15) {
		c := used[max(len(used)-1-g.pick(30), 0)] // the same call again, or nearly
		if g.chance(15) {
			c.Points += 1
		}
		return c
	}
	c := loyalty.ChangePoints{Who: g.who(merchant), App: "app", Space: g.space()}
	c.Points = int64(1 + g.pick(60))
	c.Note.OrderNo = ""
	if g.chance(40) {
		c.Note.OrderNo = fmt.Sprintf("order%d", g.pick(12))
		c.Note.Activity = []string{"", "a1"}[g.pick(2)]
	}
	if g.chance(60) {
		c.KeyOp, c.ID = loyalty.KeyChange, fmt.Sprintf("c%d", g.pick(400))
		c.Event = []string{"event_add", "event_add", "event_subtract", "event_subtract", "sign_in", "sign_in", "sign_in", "unknown"}[g.pick(8)]
		c.Note.Reason = "测试"
	} else {
		c.KeyOp = []loyalty.KeyOperation{loyalty.KeyOpt, loyalty.KeyUpdate, loyalty.KeySend}[g.pick(3)]
		c.ID = fmt.Sprintf("e%d", g.pick(200))
		c.Operation = loyalty.Operation(1 + g.pick(17))
		c.Direction = c.Operation.Direction()
		if g.chance(4) {
			c.Direction = 3 - c.Direction
		}
		if g.chance(20) {
			c.Points, c.Amount = 0, int64(g.pick(9_000))
			c.Note.Detail.OrgCode = []string{"", "18756"}[g.pick(2)]
		}
	}
	if c.Direction == loyalty.Debit || c.Event == "event_subtract" {
		c.Points *= 2 // members who have spent nearly all make clawbacks hard
	}
	switch {
	case g.chance(3):
		c.Points = 1_001
	case g.chance(3):
		c.Points = -5
	case g.chance(3):
		c.ID = ""
	case g.chance(3):
		c.Points, c.Amount = 0, 0
	case g.chance(3):
		c.Points, c.Amount = 0, loyalty.MaxAmount+1
	}
	g.used[merchant] = append(g.used[merchant], c)
	return c
}

func (g *generator) quantity() int64 {
	switch {
	case g.chance(60):
		return 0
	case g.chance(5):
		return 10_000
	}
	return int64(1 + g.pick(30))
}

func (g *generator) rollBackChange(merchant string) loyalty.RollBackChange {
	c := loyalty.RollBackChange{Who: g.who(merchant), ChangeID: fmt.Sprintf("c%d", g.pick(400)), Quantity: g.quantity()}
	if used := g.used[merchant]; len(used) > 0 && g.chance(75) {
		u := used[max(len(used)-1-g.pick(30), 0)]
		c.Who, c.ChangeID, c.Space = u.Who, u.ID, u.Space
	}
	return c
}

func (g *generator) rollBackStatement(merchant string) loyalty.RollBackStatement {
	c := loyalty.RollBackStatement{ID: fmt.Sprintf("r%d", g.pick(2_000)), Quantity: g.quantity()}
	made := g.made[merchant]
	if len(made) == 0 {
		c.Who, c.Statement = g.who(merchant), "SP"
		return c
	}
	member := made[g.pick(len(made))]
	c.Who = loyalty.Who{Merchant: merchant, ID: member}
	if g.chance(5) {
		c.Who = g.who(merchant)
	}
	newest := max(g.entries[member], 1)
	c.Statement = loyalty.StatementID(member, max(newest-int64(g.pick(12)), 1))
	switch {
	case g.chance(4):
		c.Statement = "SPnothing"
	case g.chance(4):
		c.Statement = loyalty.StatementID(member+1, 1)
	}
	return c
}

func (g *generator) returnPoints(merchant string) loyalty.ReturnPoints {
	c := loyalty.ReturnPoints{Who: g.who(merchant), Operation: loyalty.Operation(1 + g.pick(17)), Points: g.quantity()}
	switch {
	case g.chance(50):
		c.OrderNo = fmt.Sprintf("order%d", g.pick(12))
		c.Note.Activity = []string{"", "", "a1"}[g.pick(3)]
	case g.chance(95):
		c.ID = fmt.Sprintf("e%d", g.pick(200))
	}
	if used := g.used[merchant]; len(used) > 0 && g.chance(50) {
		u := used[max(len(used)-1-g.pick(40), 0)]
		c.Who, c.ID, c.OrderNo, c.Space = u.Who, u.ID, "", u.Space
		if g.chance(40) {
			c.OrderNo, c.Operation = u.Note.OrderNo, u.Operation
		}
	}
	return c
}

func (g *generator) operator(merchant string) loyalty.AnyCommand {
	by := loyalty.ByOperator{Operator: "tester", Reason: "random"}
	switch who := g.who(merchant); g.pick(12) {
	case 0, 1:
		return loyalty.Any(loyalty.SetStatus{Who: who, Status: loyalty.Disabled, By: by})
	case 2, 3, 4, 5, 6, 7, 8:
		return loyalty.Any(loyalty.SetStatus{Who: who, Status: loyalty.Active, By: by})
	case 9:
		return loyalty.Any(loyalty.EraseMember{Who: who, By: by})
	default:
		c := loyalty.ChangePhone{Who: who, Phone: g.phone(), By: by}
		// An older call again, by the new phone: its key must be found although
		// the phone named somebody else, or nobody, when the batch was loaded.
		if used := g.used[merchant]; who.Phone != "" && len(used) > 0 {
			for i := len(used) - 1; i >= max(len(used)-60, 0); i-- {
				if u := used[i]; u.ID != "" && u.Who.Phone == who.Phone {
					u.Who = loyalty.Who{Merchant: merchant, Phone: c.Phone}
					g.next = append(g.next, loyalty.Any(u))
					break
				}
			}
		}
		return loyalty.Any(c)
	}
}
