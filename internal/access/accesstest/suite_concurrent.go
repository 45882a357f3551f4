package accesstest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/memberd/memberd/internal/access"
)

// crowd is how many calls arrive at once.
const crowd = 50

// together starts n calls at one moment and returns their errors.
func together(n int, call func(i int) error) []error {
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

// wantSuccesses checks that exactly n calls succeeded and the others failed
// with want; it returns which succeeded.
func wantSuccesses(t *testing.T, errs []error, n int, want error) []int {
	t.Helper()
	var good []int
	for i, err := range errs {
		switch {
		case err == nil:
			good = append(good, i)
		case !errors.Is(err, want):
			t.Errorf("call %d: %v, want %v", i, err, want)
		}
	}
	if len(good) != n {
		t.Errorf("%d of %d calls succeeded, want %d", len(good), len(errs), n)
	}
	return good
}

func testConcurrentPairs(t *testing.T, s access.Storage, limit int) {
	ctx := context.WithoutCancel(t.Context())
	withApps(t, s)
	word := func(i int) string { return fmt.Sprint("c", i) }
	errs := together(crowd, func(i int) error {
		return s.IssuePair(ctx, pair("a1", word(i), day, limit, begin))
	})
	live := 0
	for _, i := range wantSuccesses(t, errs, limit, access.ErrDailyLimit) {
		p := pair("a1", word(i), day, limit, begin)
		wantToken(t, s, p.Access, true)
		if _, err := s.TokenByHash(ctx, access.RefreshToken, p.Refresh.Hash); err == nil {
			live++
		}
	}
	if live != 1 {
		t.Errorf("%d refresh tokens of one app are alive, want 1", live)
	}
}

func testConcurrentRefreshes(t *testing.T, s access.Storage) {
	const limit = 7
	ctx := context.WithoutCancel(t.Context())
	withApps(t, s)
	must(t, s.IssuePair(ctx, pair("a1", "p", day, 1, begin)))
	issue := func(i int) access.AccessIssue {
		return refresh("a1", "p", fmt.Sprint("c", i), day, limit, begin)
	}
	errs := together(crowd, func(i int) error { return s.IssueAccess(ctx, issue(i)) })
	good := wantSuccesses(t, errs, limit, access.ErrDailyLimit)
	stored := 0
	for i := range crowd {
		if _, err := s.TokenByHash(ctx, access.AccessToken, issue(i).Access.Hash); err == nil {
			stored++
		}
	}
	if stored != len(good) {
		t.Errorf("%d tokens are stored of %d that were given out", stored, len(good))
	}
}

func testConcurrentInserts(t *testing.T, s access.Storage) {
	ctx := context.WithoutCancel(t.Context())
	errs := together(crowd/5, func(int) error { return s.InsertMerchant(ctx, merchantRow("m1"), "{}") })
	wantSuccesses(t, errs, 1, access.ErrExists)
	errs = together(crowd/5, func(int) error { return s.InsertApp(ctx, appRow("a1", "m1")) })
	wantSuccesses(t, errs, 1, access.ErrExists)
}
