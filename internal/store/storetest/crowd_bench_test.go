package storetest_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
	"github.com/memberd/memberd/internal/store/storetest"
	"github.com/memberd/memberd/internal/writer"
)

// BenchmarkPointsChange is what the batch writer gives: 64 callers change the
// points of 1,000 members, with batches as they form and with one transaction
// a call, on durable databases.
func BenchmarkPointsChange(b *testing.B) {
	for _, engine := range []struct {
		name    string
		open    func(testing.TB) *storetest.Engine
		workers int
	}{
		{"sqlite", storetest.SQLite, 1},
		{"postgres", storetest.Postgres, 2},
	} {
		for _, batch := range []int{1, writer.MaxBatch} {
			b.Run(fmt.Sprintf("%s/batch=%d", engine.name, batch), func(b *testing.B) {
				if engine.name == "postgres" && os.Getenv("MEMBERD_PGTEST_DURABLE") == "" {
					b.Skip("needs MEMBERD_PGTEST_DURABLE=1: without fsync the comparison means nothing")
				}
				benchmarkCrowd(b, engine.open(b), writer.Options{MaxBatch: batch, Workers: engine.workers})
			})
		}
	}
}

func benchmarkCrowd(b *testing.B, e *storetest.Engine, opts writer.Options) {
	rules := loyaltytest.Merchants()[0]
	e.AddMerchants(b, rules)
	w := writer.New(e.Store, opts)
	defer w.Close()
	const members = 1_000
	var ids [members]int64
	for i := range ids {
		r, err := writer.Submit(b.Context(), w, loyalty.RegisterMember{
			Merchant: rules.Merchant, Profile: loyalty.Profile{Phone: fmt.Sprintf("138%08d", i)},
		})
		if err != nil {
			b.Fatal(err)
		}
		ids[i] = r.Member
	}
	var n atomic.Int64
	b.SetParallelism(32) // 64 callers on two cores
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			_, err := writer.Submit(context.Background(), w, loyalty.ChangePoints{
				Who:   loyalty.Who{Merchant: rules.Merchant, ID: ids[i%members]},
				Event: "event_add", Points: 1, ID: fmt.Sprint(i), KeyOp: loyalty.KeyChange,
				Note: loyalty.Note{Reason: "benchmark"},
			})
			if err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
}
