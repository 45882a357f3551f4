package sim_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/memberd/memberd/internal/jobs"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
	"github.com/memberd/memberd/internal/webhook"
)

// mendacious is a store with a mistake in it, below the faults: the writer
// knows nothing of it.
type mendacious struct {
	loyalty.Store
	load   func(tx loyalty.Tx, ctx context.Context, refs []loyalty.Refs) (*loyalty.WorkingSet, error)
	save   func(c loyalty.Changes) loyalty.Changes
	commit func(tx loyalty.Tx, ctx context.Context) error
}

func (s *mendacious) Begin(ctx context.Context) (loyalty.Tx, error) {
	tx, err := s.Store.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &mendaciousTx{tx, s}, nil
}

type mendaciousTx struct {
	loyalty.Tx
	store *mendacious
}

func (tx *mendaciousTx) Load(ctx context.Context, refs []loyalty.Refs) (*loyalty.WorkingSet, error) {
	if tx.store.load != nil {
		return tx.store.load(tx.Tx, ctx, refs)
	}
	return tx.Tx.Load(ctx, refs)
}

func (tx *mendaciousTx) Save(ctx context.Context, c loyalty.Changes) error {
	if tx.store.save != nil {
		c = tx.store.save(c)
	}
	return tx.Tx.Save(ctx, c)
}

func (tx *mendaciousTx) Commit(ctx context.Context) error {
	if tx.store.commit != nil {
		return tx.store.commit(tx.Tx, ctx)
	}
	return tx.Tx.Commit(ctx)
}

// lateOnce is true once, the nth time that it is asked.
func lateOnce(nth int64) func() bool {
	var asked atomic.Int64
	return func() bool { return asked.Add(1) == nth }
}

// saving plants a mistake in what is saved.
func saving(change func(c loyalty.Changes) loyalty.Changes) func() simPlant {
	return func() simPlant {
		return simPlant{store: func(s loyalty.Store) loyalty.Store { return &mendacious{Store: s, save: change} }}
	}
}

// committing plants a mistake in the nth commit.
func committing(nth int64, commit func(tx loyalty.Tx, ctx context.Context) error) func() simPlant {
	return func() simPlant {
		now := lateOnce(nth)
		return simPlant{store: func(s loyalty.Store) loyalty.Store {
			return &mendacious{Store: s, commit: func(tx loyalty.Tx, ctx context.Context) error {
				if now() {
					return commit(tx, ctx)
				}
				return tx.Commit(ctx)
			}}
		}}
	}
}

// disordered swaps the first two events of every stream.
type disordered struct{ webhook.Storage }

func (o disordered) Event(ctx context.Context, c webhook.Claim) (loyalty.Callback, bool, error) {
	swapped := c
	if c.Done < 2 {
		swapped.Done = 1 - c.Done
	}
	if e, ok, err := o.Storage.Event(ctx, swapped); ok || err != nil {
		return e, ok, err
	}
	return o.Storage.Event(ctx, c)
}

// losing takes the second event of every stream for one that is not there.
type losing struct{ webhook.Storage }

func (o losing) Event(ctx context.Context, c webhook.Claim) (loyalty.Callback, bool, error) {
	e, ok, err := o.Storage.Event(ctx, c)
	return e, ok && e.No != 2, err
}

// overlooking finds all that is due but the first.
type overlooking struct{ jobs.Look }

func (l overlooking) DueMembers(ctx context.Context, merchant string, now loyalty.Instant, limit int) ([]int64, error) {
	ids, err := l.Look.DueMembers(ctx, merchant, now, limit)
	return ids[min(1, len(ids)):], err
}

// rewriting changes answers on their way out.
func rewriting(change func(body string) string) func() simPlant {
	return func() simPlant {
		return simPlant{handler: func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
				seen := httptest.NewRecorder()
				h.ServeHTTP(seen, request)
				w.WriteHeader(seen.Code)
				_, _ = w.Write([]byte(change(seen.Body.String())))
			})
		}}
	}
}

// Each of these mistakes is put into a platform, and the run finds it: otherwise
// a green run would say nothing.
func TestSimulationFinds(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("some runs for each mistake")
	}
	// What is wrong in the database may show in what is read from it first.
	rows := []string{"state", "answer", "repeat", "key", "jobs", "callbacks"}
	for name, c := range map[string]struct {
		plant func() simPlant
		kinds []string // one of which says what was found
	}{
		"an entry that was not saved": {saving(func(c loyalty.Changes) loyalty.Changes {
			if n := len(c.Entries); n > 0 && c.Entries[n-1].No == 9 {
				c.Entries = c.Entries[:n-1]
			}
			return c
		}), rows},
		"a lot that was not saved": {saving(func(c loyalty.Changes) loyalty.Changes {
			if n := len(c.Lots); n > 0 && c.Lots[n-1].Member%7 == 3 {
				c.Lots = c.Lots[:n-1]
			}
			return c
		}), rows},
		"an event that was not saved": {saving(func(c loyalty.Changes) loyalty.Changes {
			c.Events = slices.DeleteFunc(slices.Clone(c.Events), func(e loyalty.Callback) bool { return e.No == 3 })
			return c
		}), rows},
		"a stock that is not counted": {saving(func(c loyalty.Changes) loyalty.Changes {
			c.Templates = nil
			return c
		}), rows},
		"an answer although the commit failed": {committing(12, func(tx loyalty.Tx, _ context.Context) error {
			tx.Rollback()
			return nil
		}), rows},
		"busy although it was booked": {committing(12, func(tx loyalty.Tx, ctx context.Context) error {
			return errors.Join(tx.Commit(ctx), loyalty.ErrUnavailable)
		}), rows},
		"a batch that is booked twice": {committing(12, func(tx loyalty.Tx, ctx context.Context) error {
			return errors.Join(tx.Commit(ctx), loyalty.ErrAgain)
		}), rows},
		"a repeat that is booked again": {func() simPlant {
			return simPlant{store: func(s loyalty.Store) loyalty.Store {
				return &mendacious{Store: s,
					load: func(tx loyalty.Tx, ctx context.Context, refs []loyalty.Refs) (*loyalty.WorkingSet, error) {
						refs = slices.Clone(refs)
						for i := range refs {
							refs[i].Keys = nil
						}
						return tx.Load(ctx, refs)
					},
					save: func(c loyalty.Changes) loyalty.Changes {
						c.Keys = nil
						return c
					}}
			}}
		}, rows},
		"callbacks out of order": {func() simPlant {
			return simPlant{outbox: func(s webhook.Storage) webhook.Storage { return disordered{s} }}
		}, []string{"callbacks"}},
		"a callback that is lost": {func() simPlant {
			return simPlant{outbox: func(s webhook.Storage) webhook.Storage { return losing{s} }}
		}, []string{"callbacks"}},
		"a member that the jobs overlook": {func() simPlant {
			return simPlant{look: func(l jobs.Look) jobs.Look { return overlooking{l} }}
		}, []string{"jobs"}},
		"success instead of a refusal": {rewriting(func(body string) string {
			return strings.Replace(body, `"success":false,"error_code":150003,`, `"success":true,"error_code":200,`, 1)
		}), []string{"answer"}},
		"a statement of somebody else": {rewriting(func(body string) string {
			return strings.Replace(body, `"statement_id":"SP0000000002`, `"statement_id":"SP0000000003`, 1)
		}), []string{"answer"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const tries = 5
			seed := loyaltytest.Seed(t)
			for i := range uint64(tries) {
				r := simulate(t, seed+i, c.plant())
				if !r.failed() {
					continue
				}
				if first := r.problems[0]; !slices.Contains(c.kinds, first.kind) {
					t.Errorf("found as %q, should be one of %q:\n%s", first.kind, c.kinds, r.report())
				}
				return
			}
			t.Errorf("not found in %d runs", tries)
		})
	}
}
