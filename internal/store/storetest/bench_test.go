package storetest_test

import (
	"fmt"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
	"github.com/memberd/memberd/internal/store/storetest"
	"github.com/memberd/memberd/internal/writer"
)

// BenchmarkBatch is one full batch of points changes with keys, of members
// named by phone, from Begin to the end of Commit. PostgreSQL is without fsync
// unless MEMBERD_PGTEST_DURABLE is set.
func BenchmarkBatch(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkBatch(b, storetest.SQLite(b)) })
	b.Run("postgres", func(b *testing.B) { benchmarkBatch(b, storetest.Postgres(b)) })
}

func benchmarkBatch(b *testing.B, e *storetest.Engine) {
	const members = 2_000
	e.AddMerchants(b, loyaltytest.Merchants()[0])
	phone := func(i int) string { return fmt.Sprintf("138%08d", i%members) }
	var register []writer.Stamped
	for i := range members {
		c := loyalty.RegisterMember{Merchant: "refuse", Profile: loyalty.Profile{Phone: phone(i)}}
		register = append(register, writer.Stamped{Command: loyalty.Any(c), Stamp: loyalty.Stamp{Now: 1}})
	}
	sizes := make([]int, members)
	for i := range sizes {
		sizes[i] = writer.MaxBatch
	}
	for _, out := range writer.Replay(e.Store, register, sizes) {
		if out.Err != nil {
			b.Fatal(out.Err)
		}
	}
	n := 0
	for b.Loop() {
		batch := make([]writer.Stamped, writer.MaxBatch)
		for i := range batch {
			n++
			c := loyalty.ChangePoints{
				Who:   loyalty.Who{Merchant: "refuse", Phone: phone(n)},
				KeyOp: loyalty.KeyChange, ID: fmt.Sprint("k", n), Event: "event_add", Points: 3,
				Note: loyalty.Note{Reason: "测试", OrderNo: fmt.Sprint("order", n)},
			}
			batch[i] = writer.Stamped{Command: loyalty.Any(c), Stamp: loyalty.Stamp{Now: 2}}
		}
		for _, out := range writer.Replay(e.Store, batch, nil) {
			if out.Err != nil {
				b.Fatal(out.Err)
			}
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "changes/s")
}
