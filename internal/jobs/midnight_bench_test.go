package jobs_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/jobs"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/pgtest"
	"github.com/memberd/memberd/internal/store/storetest"
	"github.com/memberd/memberd/internal/writer"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// BenchmarkMidnight lets the points of many members expire at one midnight
// while calls go on, and reports how fast they are booked, and what the calls'
// times were before and during it. MEMBERD_BENCH_LOTS says how many; each is a
// member of its own.
func BenchmarkMidnight(b *testing.B) {
	lots := 20_000
	if text := os.Getenv("MEMBERD_BENCH_LOTS"); text != "" {
		var err error
		if lots, err = strconv.Atoi(text); err != nil {
			b.Fatalf("MEMBERD_BENCH_LOTS: %v", err)
		}
	}
	for name, open := range map[string]func(testing.TB) *storetest.Engine{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		b.Run(name, func(b *testing.B) {
			workers := 1
			if name == "postgres" {
				if os.Getenv("MEMBERD_PGTEST_DURABLE") == "" {
					b.Skip("needs MEMBERD_PGTEST_DURABLE=1: without fsync it means nothing")
				}
				workers = 2
			}
			for range b.N {
				midnight(b, open(b), workers, lots)
			}
		})
	}
}

// callers is how many calls are made at once, each caller waiting a little
// between two: a busy shop, not a load test.
const (
	callers   = 16
	callPause = 5 * time.Millisecond
	quietTime = 5 * time.Second
)

func midnight(b *testing.B, e *storetest.Engine, workers, lots int) {
	settings := loyalty.DefaultSettings()
	settings.RegisterGift = 10
	settings.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 0}
	rules, err := loyalty.NewSnapshot("m", 1, 0, settings)
	if err != nil {
		b.Fatal(err)
	}
	e.AddMerchants(b, rules)
	register(b, e, lots, loyalty.InstantOf(time.Now().AddDate(0, 0, -3)))
	buyers := register(b, e, callers, loyalty.InstantOf(time.Now()))

	w := writer.New(e.Store, writer.Options{Workers: workers})
	defer w.Close()
	before := call(b, w, buyers, func() { time.Sleep(quietTime) })
	worker := &jobs.Worker{Look: e.Store, Writer: w}
	var booked int
	var took time.Duration
	during := call(b, w, buyers, func() {
		started := time.Now()
		for _, j := range worker.Standard() {
			if j.Name == jobs.Due {
				booked, err = j.Run(b.Context(), "m")
			}
		}
		took = time.Since(started)
	})
	if err != nil || booked != lots {
		b.Fatalf("booked %d of %d: %v", booked, lots, err)
	}
	check(b, e)
	b.ReportMetric(float64(lots)/took.Seconds(), "lots/s")
	for name, times := range map[string][]time.Duration{"before": before, "during": during} {
		slices.Sort(times)
		b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms-"+name)
		b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms-"+name)
	}
	b.ReportMetric(0, "ns/op")
}

// register makes members with the gift.
func register(b *testing.B, e *storetest.Engine, n int, at loyalty.Instant) []int64 {
	first, err := e.Store.ReserveIDs(b.Context(), loyalty.MemberIDs, int64(n))
	if err != nil {
		b.Fatal(err)
	}
	ids := make([]int64, n)
	for done := 0; done < n; {
		var batch []writer.Stamped
		for ; done < n && len(batch) < writer.MaxBatch; done++ {
			ids[done] = first + int64(done)
			batch = append(batch, writer.Stamped{
				Command: loyalty.Any(loyalty.RegisterMember{
					Merchant: "m", Gift: true, Profile: loyalty.Profile{Phone: fmt.Sprintf("1%010d", ids[done])},
				}),
				Stamp: loyalty.Stamp{Now: at, NewID: ids[done], OpenID: fmt.Sprintf("%032x", ids[done])},
			})
		}
		for _, out := range writer.Replay(e.Store, batch, nil) {
			if out.Err != nil {
				b.Fatal(out.Err)
			}
		}
	}
	return ids
}

// call changes points of each buyer while do runs, and returns how long each
// call took.
func call(b *testing.B, w *writer.Writer, buyers []int64, do func()) []time.Duration {
	ctx, stop := context.WithCancel(b.Context())
	var mu sync.Mutex
	var all []time.Duration
	var calling sync.WaitGroup
	for _, id := range buyers {
		calling.Go(func() {
			var times []time.Duration
			for ctx.Err() == nil {
				started := time.Now()
				_, err := writer.Submit(context.Background(), w, loyalty.ChangePoints{
					Who: loyalty.Who{Merchant: "m", ID: id}, Event: "event_add", Points: 1,
				})
				if err != nil {
					b.Error(err)
				}
				times = append(times, time.Since(started))
				time.Sleep(callPause)
			}
			mu.Lock()
			all = append(all, times...)
			mu.Unlock()
		})
	}
	do()
	stop()
	calling.Wait()
	return all
}

// check recomputes every member.
func check(b *testing.B, e *storetest.Engine) {
	for next := int64(1); next != 0; {
		var found []loyalty.Difference
		var err error
		if next, _, found, err = e.Store.Verify(b.Context(), next, 1_000); err != nil || len(found) > 0 {
			b.Fatalf("%v: %+v", err, found)
		}
	}
}
