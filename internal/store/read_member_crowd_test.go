package store

import (
	"context"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
)

// waiting is a look-up in a crowd, of a caller who has gone where gone is set.
func waiting(t *testing.T, c *crowd, gone bool) *lookup {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	l := &lookup{ctx: ctx, who: loyalty.Who{Merchant: "m", OpenID: "o"}, done: make(chan struct{})}
	c.join(l)
	if leave(); !gone {
		l.ctx = t.Context()
	}
	return l
}

// Callers who have gone cost the others no statement: else those that come when
// the database is slow wait behind all who have given up.
func TestACrowdForgetsWhoHasGone(t *testing.T) {
	t.Parallel()
	c := &crowd{}
	var stayed []*lookup
	for i := range 3 * maxCrowd {
		if l := waiting(t, c, i%3 != 0); i%3 == 0 {
			stayed = append(stayed, l)
		}
	}
	if got := c.next(); len(got) != maxCrowd || got[0] != stayed[0] || got[maxCrowd-1] != stayed[maxCrowd-1] {
		t.Fatalf("%d look-ups, want the %d of those who wait", len(got), maxCrowd)
	}
	waiting(t, c, true)
	for range crowdStatements {
		if got := c.next(); len(got) > 0 {
			t.Errorf("%d look-ups for nobody", len(got))
		}
	}
	if c.running != 0 || len(c.waiting) != 0 {
		t.Errorf("%d statements, %d waiting", c.running, len(c.waiting))
	}
}

// A bug in a look-up is its caller's: the process goes on, and so does the crowd.
func TestAPanicLeavesTheCrowdAlone(t *testing.T) {
	t.Parallel()
	s := &Store{} // without a database
	c := &s.crowds[0]
	for _, n := range []int{1, 3} {
		var lookups []*lookup
		for range n {
			lookups = append(lookups, waiting(t, c, false))
		}
		for range c.running {
			s.serve(c, false)
		}
		for i, l := range lookups {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%d of %d: the caller does not hear of it", i+1, n)
					}
				}()
				_, _ = l.wait()
			}()
		}
		if c.running != 0 {
			t.Errorf("%d statements are still counted", c.running)
		}
	}
}
