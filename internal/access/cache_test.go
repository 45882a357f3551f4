package access_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/access"
)

func TestAppIsCachedForASecond(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.app(t, access.NewApp{}).ID
	read := func(want int64) *access.App {
		t.Helper()
		app, err := b.service.App(t.Context(), id)
		must(t, err)
		if got := b.storage.appReads.Load(); got != want {
			t.Errorf("%d reads, want %d", got, want)
		}
		return app
	}
	first := read(1)
	opens := b.sealer.opens.Load()
	b.clock.advance(access.CacheLife - 1)
	read(1)
	b.clock.advance(1)
	if read(2) != first || b.sealer.opens.Load() != opens {
		t.Error("an unchanged row was decrypted and parsed again")
	}
	b.clock.advance(-time.Hour) // a clock that is set back keeps nothing alive
	read(3)
}

func TestUnknownAppIsNotCached(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.service.App(t.Context(), "fresh")
	wantErr(t, "unknown app", err, access.ErrNoApp)
	_, _, err = b.process().CreateApp(t.Context(), access.NewApp{MerchantID: "1864", Name: "till", ID: "fresh"})
	must(t, err)
	_, err = b.service.App(t.Context(), "fresh")
	wantErr(t, "app that another process made just now", err, nil)
	for _, id := range []string{"", "a b", "a|b"} {
		_, err = b.service.App(t.Context(), id)
		wantErr(t, "impossible id", err, access.ErrNoApp)
	}
	_, err = b.service.Merchant(t.Context(), "none")
	wantErr(t, "unknown merchant", err, access.ErrNoMerchant)
}

func TestDisabledAppIsHonouredEverywhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.process()
	id := b.app(t, access.NewApp{}).ID
	for _, s := range []*access.Service{b.service, other} {
		_, err := s.App(t.Context(), id)
		must(t, err)
	}
	for _, disabled := range []bool{true, false} {
		want := error(nil)
		if disabled {
			want = access.ErrAppGone
		}
		must(t, b.service.SetAppDisabled(t.Context(), id, disabled))
		_, err := b.service.App(t.Context(), id)
		wantErr(t, "here at once", err, want)
		b.clock.advance(access.CacheLife)
		_, err = other.App(t.Context(), id)
		wantErr(t, "elsewhere a second later", err, want)
	}
	must(t, b.service.SetAppDisabled(t.Context(), id, true))
	apps, err := b.service.Apps(t.Context(), "1864")
	must(t, err)
	if len(apps) != 1 || !apps[0].Disabled || apps[0].Secret == "" {
		t.Errorf("apps of the merchant: %v", apps)
	}
	wantErr(t, "unknown app", b.service.SetAppDisabled(t.Context(), "none", true), access.ErrNoApp)
}

func TestMerchantClockIsFollowed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m, err := b.service.Merchant(t.Context(), "box")
	must(t, err)
	row, err := b.storage.Merchant(t.Context(), "box")
	must(t, err)
	row.ClockOffset = 86_400_000
	b.storage.SetMerchant(row)
	b.clock.advance(access.CacheLife)
	moved, err := b.service.Merchant(t.Context(), "box")
	must(t, err)
	if m.ClockOffset != 0 || moved.ClockOffset != 86_400_000 {
		t.Errorf("clock offset %d, then %d", m.ClockOffset, moved.ClockOffset)
	}
}

// While one app's read hangs: others are served, the same app is read once,
// whoever gives up gets its own error, and the read still ends well.
func TestReadsAreSharedAndBlockNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	slow, quick := b.app(t, access.NewApp{}).ID, b.app(t, access.NewApp{}).ID
	entered, release := make(chan struct{}), make(chan struct{})
	b.storage.beforeApp = func(id string) {
		if id == slow {
			entered <- struct{}{}
			<-release
		}
	}
	impatient, hangUp := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() {
		_, err := b.service.App(impatient, slow)
		gaveUp <- err
	}()
	<-entered
	if _, err := b.service.App(t.Context(), quick); err != nil {
		t.Errorf("another app during a slow read: %v", err)
	}
	hangUp()
	wantErr(t, "a caller that hung up", <-gaveUp, context.Canceled)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := b.service.App(t.Context(), slow); err != nil {
				t.Errorf("a caller that waited: %v", err)
			}
		})
	}
	close(release)
	group.Wait()
	if got := b.storage.appReads.Load(); got != 2 {
		t.Errorf("%d reads, want one for each app", got)
	}
}

// A read that began before a change and ends after it must not bring the old
// row back.
func TestLateReadDoesNotUndoAChange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.app(t, access.NewApp{}).ID
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	b.storage.afterApp = func(string) {
		once.Do(func() {
			close(entered)
			<-release
		})
	}
	read := make(chan error)
	go func() {
		_, err := b.service.App(t.Context(), id)
		read <- err
	}()
	<-entered
	must(t, b.service.SetAppDisabled(t.Context(), id, true))
	close(release)
	<-read // what it saw was true when it looked
	_, err := b.service.App(t.Context(), id)
	wantErr(t, "after the change", err, access.ErrAppGone)
}

func TestDatabaseFailureIsNoRefusal(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.app(t, access.NewApp{}).ID
	away := errors.New("database is away")
	b.storage.fail.Store(&away)
	_, err := b.service.App(t.Context(), id)
	wantErr(t, "while the database is away", err, away)
	b.storage.fail.Store(nil)
	_, err = b.service.App(t.Context(), id)
	wantErr(t, "afterwards", err, nil)
}
