package main

import (
	"context"
	"fmt"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

const (
	// dueInterval is how often is looked for members with something due. Reads
	// count what is due by themselves, so nobody sees a wrong balance meanwhile.
	dueInterval = time.Minute
	// dueLimit is how many members of a merchant are taken at once: less than
	// the queue holds, so that callers keep their room.
	dueLimit = 256
)

// bookDue books releases and expiries of members whom nobody calls for, until
// ctx ends. Several servers may do it on one database: who comes second finds
// nothing due.
func bookDue(ctx context.Context, pl *platform, w *writer.Writer) {
	ticker := time.NewTicker(dueInterval)
	defer ticker.Stop()
	for {
		if err := bookAllDue(ctx, pl, w); err != nil && !isGone(ctx, err) {
			pl.logger.Warn("booking what is due", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func bookAllDue(ctx context.Context, pl *platform, w *writer.Writer) error {
	merchants, err := pl.store.Merchants(ctx)
	if err != nil {
		return err
	}
	for _, merchant := range merchants {
		for {
			ids, err := pl.store.DueMembers(ctx, merchant, loyalty.InstantOf(time.Now()), dueLimit)
			if err != nil {
				return err
			}
			booked := 0
			for _, id := range ids {
				result, err := writer.Submit(ctx, w, loyalty.BookDue{Who: loyalty.Who{Merchant: merchant, ID: id}})
				if _, refused := loyalty.CodeOf(err); refused {
					continue // booked by a call or another server meanwhile, or erased
				}
				if err != nil {
					return fmt.Errorf("merchant %s: %w", merchant, err)
				}
				booked += result.Entries
			}
			if len(ids) < dueLimit || booked == 0 {
				break // done, or nothing moves and the next round may tell why
			}
		}
	}
	return nil
}
