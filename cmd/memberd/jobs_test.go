package main

import (
	"context"
	"io"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/config"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// inside opens the rig's platform in the test's own process.
func (r *rig) inside() *platform {
	r.t.Helper()
	p := &program{ctx: context.Background(), stdout: io.Discard, stderr: os.Stderr, resolver: config.NewResolver(func(string) (string, bool) { return "", false })}
	p.common = config.Common{Data: r.dir, Log: config.Log{Format: "text", Level: "info"}}
	pl, err := p.openOrCreate(p.ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = pl.Close() })
	return pl
}

// Points of members whom nobody calls for expire in the ledger as well.
func TestJobsBookWhatIsDue(t *testing.T) {
	t.Parallel()
	pl := newRig(t).inside()
	ctx := t.Context()
	settings := loyalty.DefaultSettings()
	settings.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 1}
	if _, err := pl.access.CreateMerchant(ctx, "m1", "x", false, settings.Document()); err != nil {
		t.Fatal(err)
	}
	past := loyalty.InstantOf(time.Now().AddDate(0, 0, -10))
	for _, c := range []loyalty.AnyCommand{
		loyalty.Any(loyalty.RegisterMember{Merchant: "m1", Profile: loyalty.Profile{Phone: phone}}),
		loyalty.Any(loyalty.ChangePoints{Who: loyalty.Who{Merchant: "m1", Phone: phone}, Direction: loyalty.Credit, Operation: loyalty.OpManualGrant, Points: 100}),
	} {
		for _, out := range writer.Replay(pl.store, []writer.Stamped{{Command: c, Stamp: loyalty.Stamp{Now: past}}}, nil) {
			if out.Err != nil {
				t.Fatal(out.Err)
			}
		}
	}
	w := pl.newWriter(writer.Options{})
	defer w.Close()
	for range 2 { // again: nothing is due any more
		if err := runJobs(ctx, pl.standardJobs(w), "m1", func(string, int) {}); err != nil {
			t.Fatal(err)
		}
	}
	var kinds []string
	found, err := pl.store.Member(ctx, loyalty.Who{Merchant: "m1", Phone: phone}, past, false)
	if err != nil {
		t.Fatal(err)
	}
	err = pl.store.EachEntry(ctx, found.ID, func(e loyalty.Entry) error {
		kinds = append(kinds, kindNames[e.Kind])
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"grant", "expiry"}, kinds); diff != "" || found.Balance != 0 {
		t.Errorf("balance %d; %s", found.Balance, diff)
	}
}
