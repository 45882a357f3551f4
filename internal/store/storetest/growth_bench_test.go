package storetest_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/migration"
	"github.com/memberd/memberd/internal/store/sqldb"
	"github.com/memberd/memberd/internal/store/storetest"
	"github.com/memberd/memberd/internal/writer"
)

// BenchmarkGrowth is what calls cost in a database of MEMBERD_BENCH_ENTRIES
// ledger entries, to be compared with other numbers of them. ns/op is the mean;
// p50-µs, the median of single calls, is less moved by what else the machine
// does. Of what nobody waits for alone, the size on disk and the memory, there
// are metrics.
func BenchmarkGrowth(b *testing.B) {
	entries := 10_000
	if text := os.Getenv("MEMBERD_BENCH_ENTRIES"); text != "" {
		var err error
		if entries, err = strconv.Atoi(text); err != nil || entries < 1_000 {
			b.Fatalf("MEMBERD_BENCH_ENTRIES: %q is no number from 1000 on", text)
		}
	}
	b.Run("sqlite", func(b *testing.B) { benchmarkGrowth(b, storetest.SQLite, 1, entries) })
	b.Run("postgres", func(b *testing.B) {
		if os.Getenv("MEMBERD_PGTEST_DURABLE") == "" {
			b.Skip("needs MEMBERD_PGTEST_DURABLE=1: without fsync changes mean nothing")
		}
		benchmarkGrowth(b, storetest.Postgres, 2, entries)
	})
}

func benchmarkGrowth(b *testing.B, open func(testing.TB) *storetest.Engine, workers, entries int) {
	g := grow(b, open(b), entries)
	g.start(b)
	g.queries(b)
	g.lists(b)
	g.changes(b, workers)
	g.sizes(b)
	if entries <= maxGrowthVerified {
		g.verify(b)
	}
}

// maxGrowthVerified is the size beyond which recomputing everything takes longer
// than all else.
const maxGrowthVerified = 1_000_000

// measure runs do one call after the other and reports the median of them.
func measure(b *testing.B, name string, do func(i int) error) {
	b.Run(name, func(b *testing.B) {
		var times []time.Duration
		for b.Loop() {
			began := time.Now()
			if err := do(len(times)); err != nil {
				b.Fatal(err)
			}
			times = append(times, time.Since(began))
		}
		reportMedian(b, times)
	})
}

func reportMedian(b *testing.B, times []time.Duration) {
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Nanoseconds())/1000, "p50-µs")
}

// start opens the database as a second process does, up to its first answer.
func (g *growth) start(b *testing.B) {
	measure(b, "start", func(int) error {
		other := g.Another(b)
		defer other.DB.Close()
		if _, err := migration.Up(b.Context(), other.DB); err != nil {
			return err
		}
		_, err := other.Store.Member(b.Context(), g.member(0), loyalty.InstantOf(time.Now()), true)
		return err
	})
}

// growthPage is how many rows a page has.
const growthPage = 20

// queries are the reads of one member. The far page of its ledger is the
// thousandth, or the last where there are fewer.
func (g *growth) queries(b *testing.B) {
	ctx, now, s := b.Context(), loyalty.InstantOf(time.Now()), g.Store
	byOpenID := func(id int64) loyalty.Who { return loyalty.Who{Merchant: "m", OpenID: growthOpenID(id)} }
	measure(b, "member", func(i int) error {
		_, err := s.Member(ctx, byOpenID(g.spread(i)), now, true)
		return err
	})
	measure(b, "member/large", func(int) error {
		_, err := s.Member(ctx, byOpenID(g.large), now, true)
		return err
	})
	for _, side := range []struct {
		name      string
		direction loyalty.Direction
		total     int
	}{{"", 0, g.long}, {"-credits", loyalty.Credit, g.long / 2}, {"-debits", loyalty.Debit, g.long / 2}} {
		for i, page := range []int{1, min(1_000, side.total/growthPage)} {
			measure(b, "records"+side.name+"/"+[]string{"first", "far"}[i], func(int) error {
				_, found, err := s.Entries(ctx, byOpenID(g.large), now, side.direction, page, growthPage)
				if err == nil && len(found.Entries) != growthPage {
					return fmt.Errorf("%d entries on page %d of %d entries", len(found.Entries), page, found.Total)
				}
				return err
			})
		}
	}
	for _, c := range []struct {
		name   string
		member func(i int) int64
		filter loyalty.CouponFilter
	}{
		{"coupons/all", g.spread, loyalty.AllCoupons},
		{"coupons/valid", g.spread, loyalty.ValidCoupons},
		{"coupons-large/all", g.ofLarge, loyalty.AllCoupons},
		{"coupons-large/valid", g.ofLarge, loyalty.ValidCoupons},
		{"coupons-large/expired", g.ofLarge, loyalty.ExpiredCoupons},
	} {
		measure(b, c.name, func(i int) error {
			_, _, err := s.Coupons(ctx, byOpenID(c.member(i)), now, c.filter, 1, growthPage)
			return err
		})
	}
}

// lists are the pages of the members, each filter alone. The deep page stands
// in the middle of what the filter finds.
func (g *growth) lists(b *testing.B) {
	number := func(n int64) *int64 { return &n }
	truth := func(v bool) *bool { return &v }
	for _, l := range []struct {
		name   string
		filter loyalty.MemberFilter
	}{
		{"all", loyalty.MemberFilter{}},
		{"phone", loyalty.MemberFilter{Phone: growthPhone(g.spread(1))}},
		{"nickname", loyalty.MemberFilter{Nickname: "7"}},
		{"level", loyalty.MemberFilter{Level: number(3)}},
		{"balance", loyalty.MemberFilter{MinBalance: number(100), MaxBalance: number(150)}},
		{"registered", loyalty.MemberFilter{RegisteredFrom: g.registered(10), RegisteredTo: g.registered(11)}},
		{"active", loyalty.MemberFilter{Active: truth(true)}},
		{"disabled", loyalty.MemberFilter{Active: truth(false)}},
		{"label", loyalty.MemberFilter{Label: "gold"}},
		{"card", loyalty.MemberFilter{PaidCard: "card"}},
	} {
		l.filter.Merchant = "m"
		pages := []int{1}
		first, err := g.Store.Members(b.Context(), l.filter, loyalty.InstantOf(time.Now()), 1, growthPage)
		if err != nil {
			b.Fatal(err)
		}
		if deep := int(first.Total) / growthPage / 2; deep > 1 {
			pages = append(pages, deep)
		}
		for i, page := range pages {
			measure(b, fmt.Sprintf("members-%s/%s", l.name, []string{"first", "deep"}[i]), func(int) error {
				found, err := g.Store.Members(b.Context(), l.filter, loyalty.InstantOf(time.Now()), page, growthPage)
				if err == nil && len(found.Members) == 0 {
					return fmt.Errorf("no members of %d on page %d", found.Total, page)
				}
				return err
			})
		}
	}
}

// changes are points changes of members all over the database, of the member
// with the long history, and of a new one.
func (g *growth) changes(b *testing.B, workers int) {
	w := writer.New(g.Store, writer.Options{Workers: workers})
	defer w.Close()
	var n atomic.Int64
	change := func(id int64) error {
		_, err := writer.Submit(context.Background(), w, loyalty.ChangePoints{
			Who: loyalty.Who{Merchant: "m", ID: id}, ID: fmt.Sprint("now", n.Add(1)), KeyOp: loyalty.KeyChange,
			Event: "event_add", Points: 1, Note: loyalty.Note{Reason: "benchmark"},
		})
		return err
	}
	for _, of := range []struct {
		name   string
		member func(i int) int64
	}{
		{"spread", g.spread},
		{"new", func(int) int64 { return g.fresh }},
		{"large", g.ofLarge},
	} {
		measure(b, "change-"+of.name+"/lone", func(i int) error { return change(of.member(i)) })
		b.Run("change-"+of.name+"/64", func(b *testing.B) {
			var mu sync.Mutex
			var all []time.Duration
			b.SetParallelism(64 / runtime.GOMAXPROCS(0))
			b.RunParallel(func(pb *testing.PB) {
				var times []time.Duration
				for pb.Next() {
					began := time.Now()
					if err := change(of.member(int(n.Load()))); err != nil {
						b.Error(err)
					}
					times = append(times, time.Since(began))
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, times...)
			})
			reportMedian(b, all)
		})
	}
}

// sizes reports the database's size, and the memory of the process that has
// answered all of the above: Go's heap, and all of it, which has SQLite's
// caches.
func (g *growth) sizes(b *testing.B) {
	b.Run("sizes", func(b *testing.B) {
		for b.Loop() { // nothing is timed
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(g.bytes)/float64(g.entries), "disk-B/entry")
		b.ReportMetric(g.filled.Seconds(), "fill-s")
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapInuse)/(1<<20), "heap-MB")
		b.ReportMetric(residentMB(), "resident-MB")
	})
}

// residentMB is the process's memory, 0 where the system does not say.
func residentMB() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024
		}
	}
	return 0
}

// verify recomputes every member.
func (g *growth) verify(b *testing.B) {
	for next := int64(1); next != 0; {
		var found []loyalty.Difference
		var err error
		if next, _, found, err = g.Store.Verify(b.Context(), next, 1_000); err != nil || len(found) > 0 {
			b.Fatalf("%v: %+v", err, found[:min(len(found), 10)])
		}
	}
}

// databaseBytes is the size of all tables and indexes.
func databaseBytes(b *testing.B, e *storetest.Engine) (n int64) {
	query := "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
	if e.DB.Read().Dialect() == sqldb.PostgreSQL {
		query = "SELECT pg_database_size(current_database())"
	}
	if err := e.DB.Read().QueryRow(b.Context(), query).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}
