package storetest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
	"github.com/memberd/memberd/internal/store/storetest"
	"github.com/memberd/memberd/internal/writer"
)

// growth is a database full of members: one with a long history, one that is
// new, and as many as it takes with growthEach entries each. Everything in it
// was booked by commands, in large batches.
type growth struct {
	*storetest.Engine
	entries int
	large   int64
	fresh   int64
	small   int64 // the first of them
	members int   // small ones
	first   time.Time
	nextID  map[loyalty.IDKind]int64
	batch   []writer.Stamped
	bytes   int64 // what the entries with all that belongs to them take
	filled  time.Duration
	long    int // entries of the large member
}

const (
	growthEach = 100
	// growthRounds cut the members' histories, so that a member's rows come
	// between those of others, as they do in life.
	growthRounds = 4
	// growthBatch is how many commands are saved at once.
	growthBatch = 2_000
	// growthDay is how many entries the large member has a day, each of which is
	// a lot that is spent by evening.
	growthDay = 20
	// growthLarge is how many entries it has at most, else a tenth of all.
	growthLarge = 100_000

	day = 24 * time.Hour
)

func growthPhone(id int64) string  { return fmt.Sprintf("13%09d", id) }
func growthOpenID(id int64) string { return fmt.Sprintf("%032x", id) }

// grow fills an empty database.
func grow(b *testing.B, e *storetest.Engine, entries int) *growth {
	settings := loyalty.DefaultSettings()
	settings.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 365}
	rules, err := loyalty.NewSnapshot("m", 1, 0, settings)
	if err != nil {
		b.Fatal(err)
	}
	e.AddMerchants(b, rules)
	g := &growth{Engine: e, entries: entries, long: min(growthLarge, entries/10), nextID: map[loyalty.IDKind]int64{}}
	g.members = (entries - g.long) / growthEach
	g.first = time.Now().Add(-300 * day)
	for kind, n := range map[loyalty.IDKind]int{
		loyalty.MemberIDs: g.members + 2, loyalty.OrderIDs: 2 * g.members, loyalty.CouponIDs: 2*g.members + g.long,
		loyalty.TemplateIDs: 1,
	} {
		if g.nextID[kind], err = e.Store.ReserveIDs(b.Context(), kind, int64(n)); err != nil {
			b.Fatal(err)
		}
	}
	g.large = g.nextID[loyalty.MemberIDs]
	g.fresh, g.small = g.large+1, g.large+2

	empty, began := databaseBytes(b, e), time.Now()
	g.template(b)
	g.register(b, g.fresh, time.Now().Add(-day))
	for round := range growthRounds {
		for i := range g.members {
			g.fillSmall(b, i, round)
		}
	}
	g.fillLarge(b)
	g.flush(b)
	g.filled = time.Since(began)
	g.bytes = databaseBytes(b, e) - empty
	if e.DB.Read().Dialect() == sqldb.PostgreSQL {
		// As its own housekeeping does within minutes. It is no query, but
		// must not be in a transaction.
		rows, err := e.DB.Read().Query(b.Context(), "VACUUM (ANALYZE)")
		if err == nil {
			err = rows.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	return g
}

// spread is a small member that is not disabled, far from that of the call
// before.
func (g *growth) spread(i int) int64 {
	at := i * 7_919 % g.members
	if growthDisabled(at) {
		at--
	}
	return g.small + int64(at)
}

func growthDisabled(i int) bool { return i%50 == 49 }

// ofLarge is the member with the long history, whatever the call.
func (g *growth) ofLarge(int) int64 { return g.large }

// member is a small member as callers name it.
func (g *growth) member(i int) loyalty.Who {
	return loyalty.Who{Merchant: "m", OpenID: growthOpenID(g.spread(i))}
}

// registered is when the members of a day registered: forty days, one after
// the other.
func (g *growth) registered(dayNo int) loyalty.Instant {
	return loyalty.InstantOf(g.first.Add(time.Duration(dayNo%40) * day))
}

// add queues a command that happened at a time.
func (g *growth) add(b *testing.B, c loyalty.AnyCommand, at time.Time) {
	stamp := loyalty.Stamp{Now: loyalty.InstantOf(at)}
	if want := c.Refs.New; want.Count > 0 {
		stamp.NewID = g.nextID[want.Kind]
		g.nextID[want.Kind] += want.Count
	}
	g.queue(b, c, stamp)
}

func (g *growth) queue(b *testing.B, c loyalty.AnyCommand, stamp loyalty.Stamp) {
	g.batch = append(g.batch, writer.Stamped{Command: c, Stamp: stamp})
	if len(g.batch) >= growthBatch {
		g.flush(b)
	}
}

func (g *growth) flush(b *testing.B) {
	for i, out := range writer.Replay(g.Store, g.batch, nil) {
		if out.Err != nil {
			b.Fatalf("%+v: %v", g.batch[i].Command, out.Err)
		}
	}
	g.batch = g.batch[:0]
}

var growthTemplate = loyalty.TemplateKey{Number: "T1"}

func (g *growth) template(b *testing.B) {
	terms := loyalty.TemplateTerms{Name: "满减", Term: 365, Restriction: loyalty.RestrictNobody}
	g.add(b, loyalty.Any(loyalty.AddTemplate{Merchant: "m", Template: growthTemplate, Terms: terms}), g.first)
	g.flush(b)
}

func (g *growth) register(b *testing.B, id int64, at time.Time) {
	g.queue(b, loyalty.Any(loyalty.RegisterMember{
		Merchant: "m", Profile: loyalty.Profile{Phone: growthPhone(id), Nickname: fmt.Sprint("会员", id), RealName: "张三"},
	}), loyalty.Stamp{Now: loyalty.InstantOf(at), NewID: id, OpenID: growthOpenID(id)})
}

// fillSmall books one round of a member's history: a grant or a spend every
// few days, of which some are by orders, some coupons, and marks of some
// members.
func (g *growth) fillSmall(b *testing.B, i, round int) {
	id := g.small + int64(i)
	who := loyalty.Who{Merchant: "m", ID: id}
	if round == 0 {
		g.register(b, id, g.first.Add(time.Duration(i%40)*day))
		if i%10 == 0 {
			g.add(b, loyalty.Any(loyalty.MarkMember{Who: who, Label: "gold"}), g.first.Add(40*day))
		}
		if i%20 == 0 {
			card := loyalty.PaidCard{ID: "card", Name: "年卡", ExpiresAt: loyalty.Never}
			g.add(b, loyalty.Any(loyalty.MarkMember{Who: who, Card: card}), g.first.Add(40*day))
		}
	}
	for k := round * growthEach / growthRounds; k < (round+1)*growthEach/growthRounds; k++ {
		at := g.first.Add(40*day + time.Duration(k)*5*day/2)
		switch {
		case k%50 == 30:
			order := loyalty.RecordOrder{
				Who: who, Order: loyalty.OrderKey{No: fmt.Sprint("O", id, "-", k)}, Amount: int64(1+i%50) * 10_000,
				ConsumedAt: loyalty.InstantOf(at), Points: 10, Given: true,
			}
			g.add(b, loyalty.Any(order), at)
			g.coupon(b, id, k, at)
		case k%4 == 3:
			g.change(b, who, k, "event_subtract", 25, at)
		default:
			g.change(b, who, k, "event_add", 10, at)
		}
	}
	if round == growthRounds-1 && growthDisabled(i) {
		g.add(b, loyalty.Any(loyalty.SetStatus{Who: who, Status: loyalty.Disabled}), time.Now())
	}
}

// fillLarge books the long history: each day ten grants, and ten times as much
// is spent.
func (g *growth) fillLarge(b *testing.B) {
	days := g.long / growthDay
	begin := time.Now().Add(-time.Duration(days+2) * day)
	g.register(b, g.large, begin)
	who := loyalty.Who{Merchant: "m", ID: g.large}
	for k := range g.long {
		at := begin.Add(time.Duration(k/growthDay)*day + time.Duration(k%growthDay)*time.Second)
		event := "event_add"
		if k%growthDay >= growthDay/2 {
			event = "event_subtract"
		}
		g.change(b, who, k, event, 10, at)
		if k%growthEach == 0 {
			g.coupon(b, g.large, k, at)
		}
	}
}

func (g *growth) change(b *testing.B, who loyalty.Who, k int, event string, points int64, at time.Time) {
	g.add(b, loyalty.Any(loyalty.ChangePoints{
		Who: who, ID: fmt.Sprint("change-", who.ID, "-", k), KeyOp: loyalty.KeyChange, Event: event, Points: points,
		Note: loyalty.Note{Reason: "门店消费"},
	}), at)
}

func (g *growth) coupon(b *testing.B, id int64, k int, at time.Time) {
	g.add(b, loyalty.Any(loyalty.GiveCoupons{
		Merchant: "m", Template: growthTemplate, Each: 1, ReceivedAt: loyalty.InstantOf(at),
		Entries: []loyalty.CouponGift{{Who: loyalty.Who{ID: id}, Number: fmt.Sprint("C", id, "-", k)}},
	}), at)
}
