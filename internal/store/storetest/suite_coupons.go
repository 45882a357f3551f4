package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
	"github.com/memberd/memberd/internal/store/sqldb"
	"github.com/memberd/memberd/internal/writer"
)

// crowd is how many calls come at once.
const crowd = 64

// processes are two writers on one database. At the end of the test neither may
// have seen a deadlock, nor any error that a new attempt does not mend.
func processes(t *testing.T, e *Engine) []*writer.Writer {
	t.Helper()
	var writers []*writer.Writer
	for range 2 {
		s := &spy{Store: e.Another(t).Store}
		workers := 1
		if e.DB.Dialect() == sqldb.PostgreSQL {
			workers = 2
		}
		w := writer.New(s, writer.Options{Workers: workers})
		writers = append(writers, w)
		t.Cleanup(func() {
			for _, err := range s.others {
				t.Errorf("a process saw %v", err)
			}
		})
		t.Cleanup(w.Close)
	}
	return writers
}

// atOnce runs calls at the same time, and gives their errors.
func atOnce(n int, call func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-start
			errs[i] = call(i)
		})
	}
	close(start)
	group.Wait()
	return errs
}

// couponWorld is members and a template whose first coupons can be given.
func couponWorld(t *testing.T, e *Engine, members int, quantity, limit int64) {
	t.Helper()
	e.AddMerchants(t, rules(t, "m", nil))
	for i := range members {
		mustDo(t, e.Store, loyalty.RegisterMember{Merchant: "m", Profile: loyalty.Profile{Phone: phoneNo(i)}}, loyalty.InstantOf(time.Now()))
	}
	addTemplate(t, e.Store, "T1", quantity, limit)
}

func phoneNo(i int) string { return fmt.Sprintf("138%08d", i) }

func addTemplate(t *testing.T, s loyalty.Store, number string, quantity, limit int64) {
	t.Helper()
	terms := plainTemplate(0, "", quantity, limit).TemplateTerms
	mustDo(t, s, loyalty.AddTemplate{Merchant: "m", Template: loyalty.TemplateKey{Number: number}, Terms: terms}, loyalty.InstantOf(time.Now()))
}

func give(template string, numbers string, members ...int) loyalty.GiveCoupons {
	c := loyalty.GiveCoupons{
		Merchant: "m", Template: loyalty.TemplateKey{Number: template}, Each: 1, ReceivedAt: loyalty.InstantOf(time.Now()),
	}
	for _, i := range members {
		c.Entries = append(c.Entries, loyalty.CouponGift{Who: loyalty.Who{Phone: phoneNo(i)}, Number: fmt.Sprint(numbers, "-", i)})
	}
	return c
}

func dumped(t *testing.T, e *Engine) loyaltytest.State {
	t.Helper()
	state, err := Dump(t.Context(), e.DB, e.Keys)
	must(t, err)
	return state
}

// refusedOnly counts the calls that succeeded; all others must be refused with
// the code.
func refusedOnly(t *testing.T, errs []error, code loyalty.Code) (succeeded int) {
	t.Helper()
	for i, err := range errs {
		switch {
		case err == nil:
			succeeded++
		case !errors.Is(err, code):
			t.Errorf("call %d: %v, want %v", i, err, code)
		}
	}
	return succeeded
}

// A crowd reaches for the last coupons, each for two members in any order: all
// are given, none twice, and no call gets one of its two.
func testStock(t *testing.T, e *Engine) {
	const members, quantity = 10, 51
	seed, _ := randomOf(t)
	couponWorld(t, e, members, quantity, 0)
	writers := processes(t, e)
	errs := atOnce(crowd, func(i int) error {
		two := rand.New(rand.NewPCG(seed, uint64(i))).Perm(members)[:2]
		_, err := writer.Submit(t.Context(), writers[i%2], give("T1", fmt.Sprint("c", i), two...))
		return err
	})
	if n := refusedOnly(t, errs, loyalty.StockExhausted); n != quantity/2 {
		t.Errorf("%d calls for two succeeded, want %d", n, quantity/2)
	}
	state := dumped(t, e)
	given := map[string]int{}
	for _, c := range state.Coupons {
		var call, member int
		if _, err := fmt.Sscanf(c.Number, "c%d-%d", &call, &member); err != nil {
			t.Fatal(err)
		}
		given[fmt.Sprint(call)]++
		if errs[call] != nil {
			t.Errorf("call %d failed and gave a coupon", call)
		}
	}
	for call, n := range given {
		if n != 2 {
			t.Errorf("call %s gave %d coupons of 2", call, n)
		}
	}
	if n := len(state.Coupons); n != quantity-1 || state.Templates[0].Issued != quantity-1 {
		t.Errorf("%d coupons, %d issued, want %d", n, state.Templates[0].Issued, quantity-1)
	}
	if _, err := writer.Submit(t.Context(), writers[0], give("T1", "last", 1)); err != nil {
		t.Errorf("the last coupon: %v", err)
	}
	verifyAll(t, e, 1_000)
}

// Nobody gets more than the limit, whoever gives.
func testClaimLimit(t *testing.T, e *Engine) {
	const members, limit = 8, 3
	couponWorld(t, e, members, 0, limit)
	writers := processes(t, e)
	errs := atOnce(crowd, func(i int) error {
		_, err := writer.Submit(t.Context(), writers[i%2], give("T1", fmt.Sprint("c", i), i/2%members))
		return err
	})
	if n := refusedOnly(t, errs, loyalty.ClaimLimitReached); n != members*limit {
		t.Errorf("%d coupons were given, want %d", n, members*limit)
	}
	state := dumped(t, e)
	for _, m := range state.Members {
		if m.Coupons != limit {
			t.Errorf("member %d has %d coupons, want %d", m.ID, m.Coupons, limit)
		}
	}
	for _, c := range state.Claims {
		if c.Count != limit {
			t.Errorf("member %d claimed %d, want %d", c.Member, c.Count, limit)
		}
	}
	verifyAll(t, e, 1_000)
}

// The same numbers come to a crowd of callers at once: each coupon is there
// once, and everybody is told the same.
func testSameNumbers(t *testing.T, e *Engine) {
	couponWorld(t, e, 4, 0, 0)
	writers := processes(t, e)
	results := make([]loyalty.CouponsGiven, crowd)
	errs := atOnce(crowd, func(i int) (err error) {
		results[i], err = writer.Submit(t.Context(), writers[i%2], give("T1", "same", 0, 1, 2, 3))
		return err
	})
	for i, err := range errs {
		must(t, err)
		equal(t, "coupons given", results[0], results[i])
	}
	if n := len(dumped(t, e).Coupons); n != 4 {
		t.Errorf("%d coupons, want 4", n)
	}
	verifyAll(t, e, 1_000)
}

// One coupon, one order, however many try.
func testOneRedeemer(t *testing.T, e *Engine) {
	couponWorld(t, e, 1, 0, 0)
	writers := processes(t, e)
	_, err := writer.Submit(t.Context(), writers[0], give("T1", "c", 0))
	must(t, err)
	errs := atOnce(crowd, func(i int) error {
		_, err := writer.Submit(t.Context(), writers[i%2], loyalty.RedeemCoupons{
			Who: loyalty.Who{Merchant: "m", Phone: phoneNo(0)}, Codes: []string{"c-0"}, OrderNo: fmt.Sprint("order", i),
			At: loyalty.InstantOf(time.Now()),
		})
		return err
	})
	if n := refusedOnly(t, errs, loyalty.CouponNotUsable); n != 1 {
		t.Errorf("%d redeemed the coupon, want 1", n)
	}
	winner := slices.Index(errs, nil)
	if c := dumped(t, e).Coupons[0]; winner < 0 || c.UsedFor != fmt.Sprint("order", winner) || c.State != loyalty.CouponUsed {
		t.Errorf("caller %d won, the coupon is %+v", winner, c)
	}
}

// One order number is one member's, whoever comes with it.
func testOneOrder(t *testing.T, e *Engine) {
	const members = 8
	couponWorld(t, e, members, 0, 0)
	writers := processes(t, e)
	errs := atOnce(crowd, func(i int) error {
		_, err := writer.Submit(t.Context(), writers[i%2], loyalty.RecordOrder{
			Who: loyalty.Who{Merchant: "m", Phone: phoneNo(i / 2 % members)}, Order: loyalty.OrderKey{No: fmt.Sprint("o", i%4)},
			Amount: int64(i), ConsumedAt: 1, Points: 5, Given: true,
		})
		return err
	})
	if n := refusedOnly(t, errs, loyalty.KeyReused); n != 4 {
		t.Errorf("%d orders were recorded, want 4", n)
	}
	if n := len(dumped(t, e).Orders); n != 4 {
		t.Errorf("%d orders, want 4", n)
	}
	verifyAll(t, e, 1_000)
}

// Two processes add the same templates at once, in opposite orders: each has
// one number, and both are told.
func testSameTemplates(t *testing.T, e *Engine) {
	e.AddMerchants(t, rules(t, "m", nil))
	other := e.Another(t)
	if e.DB.Dialect() == sqldb.PostgreSQL {
		overlappingTemplates(t, e, other)
	}
	const rounds, templates = 12, 6
	terms := plainTemplate(0, "", 0, 0).TemplateTerms
	results := make([]map[string]int64, 2)
	spies := make([]*spy, 2)
	var group sync.WaitGroup
	for side, s := range []loyalty.Store{e.Store, other.Store} {
		results[side] = map[string]int64{}
		spies[side] = &spy{Store: s}
		group.Go(func() {
			for round := range rounds {
				var batch []writer.Stamped
				var numbers []string
				for i := range templates {
					numbers = append(numbers, fmt.Sprintf("%d/%d", round, i))
				}
				if side == 1 {
					slices.Reverse(numbers)
				}
				for _, number := range numbers {
					c := loyalty.AddTemplate{Merchant: "m", Template: loyalty.TemplateKey{Number: number}, Terms: terms}
					batch = append(batch, writer.Stamped{Command: loyalty.Any(c)})
				}
				for i, out := range writer.Replay(spies[side], batch, nil) {
					if out.Err != nil {
						t.Errorf("template %s: %v", numbers[i], out.Err)
						continue
					}
					results[side][numbers[i]] = out.Result.(loyalty.TemplateAdded).ID
				}
			}
		})
	}
	group.Wait()
	equal(t, "numbers", results[0], results[1])
	if n := len(results[0]); n != rounds*templates {
		t.Errorf("%d templates, want %d", n, rounds*templates)
	}
	for side, s := range spies {
		for _, err := range s.others {
			t.Errorf("process %d: %v", side, err)
		}
	}
}

// overlappingTemplates runs the two transactions step by step: both see the
// template missing, and both save it.
func overlappingTemplates(t *testing.T, e, other *Engine) {
	ctx := t.Context()
	refs := []loyalty.Refs{{Who: loyalty.Who{Merchant: "m"}, Template: loyalty.TemplateKey{Number: "both"}}}
	var txs [2]loyalty.Tx
	for n, s := range []loyalty.Store{e.Store, other.Store} {
		tx, err := s.Begin(ctx)
		must(t, err)
		defer tx.Rollback()
		_, err = tx.Load(ctx, refs)
		must(t, err)
		txs[n] = tx
	}
	saving := func(id int64) loyalty.Changes {
		return loyalty.Changes{NewTemplates: []loyalty.Template{plainTemplate(id, "both", 0, 0)}}
	}
	must(t, txs[0].Save(ctx, saving(1_000_001)))
	saved := make(chan error)
	go func() { saved <- txs[1].Save(ctx, saving(1_000_002)) }()
	waitForLock(t, e)
	must(t, txs[0].Commit(ctx))
	if err := <-saved; !errors.Is(err, loyalty.ErrAgain) {
		t.Errorf("the second to add a template: %v, want again", err)
	}
}

// A row that another process has taken away is not changed in silence.
func testLostRows(t *testing.T, e *Engine) {
	e.AddMerchants(t, rules(t, "m", nil))
	saveAll(t, e.Store, loyalty.Changes{NewMembers: []loyalty.Member{emptyMember(1)}})
	for what, c := range map[string]loyalty.Changes{
		"order":    {Orders: []loyalty.Order{fullOrder(1, 1, "a")}},
		"coupon":   {Coupons: []loyalty.Coupon{fullCoupon(1, 1, 1, "a")}},
		"template": {Templates: []loyalty.Template{fullTemplate(1, "a")}},
		"member":   {Members: []loyalty.Member{emptyMember(2)}},
		"entry":    {Reversed: []loyalty.Entry{fullEntry(1, 1, nil)}},
	} {
		tx, err := e.Store.Begin(t.Context())
		must(t, err)
		if err := tx.Save(t.Context(), c); !errors.Is(err, loyalty.ErrAgain) {
			t.Errorf("a change of a missing %s: %v, want again", what, err)
		}
		tx.Rollback()
	}
}

// orderNumbers makes the order numbers of crossing batches collide only now
// and then.
var orderNumbers atomic.Int64

// ordersAndCoupons records orders under colliding numbers, gives coupons of a
// few templates to some of the members, and adds templates.
func ordersAndCoupons(rng *rand.Rand, members, _ int) (commands []loyalty.AnyCommand) {
	now := loyalty.InstantOf(time.Now())
	terms := plainTemplate(0, "", 0, 0).TemplateTerms
	fresh := orderNumbers.Add(1)
	for _, i := range rng.Perm(3) {
		c := loyalty.GiveCoupons{Merchant: "m", Template: loyalty.TemplateKey{Number: fmt.Sprint("T", i)}, Each: 1, ReceivedAt: now}
		commands = append(commands, loyalty.Any(loyalty.AddTemplate{
			Merchant: "m", Template: loyalty.TemplateKey{Number: fmt.Sprint("T", (fresh/8*3+int64(i))%300)}, Terms: terms,
		}))
		for _, m := range rng.Perm(members)[:3] {
			c.Entries = append(c.Entries, loyalty.CouponGift{Who: loyalty.Who{ID: int64(1_000_000 + m)}, Number: fmt.Sprint(fresh/4, "-", i, "-", m)})
		}
		commands = append(commands, loyalty.Any(c), loyalty.Any(loyalty.RecordOrder{
			Who:    loyalty.Who{Merchant: "m", ID: int64(1_000_000 + rng.IntN(members))},
			Order:  loyalty.OrderKey{No: fmt.Sprint(fresh/4, "-", i)},
			Amount: 100, ConsumedAt: now, Points: 1, Given: true,
		}))
	}
	return commands
}
