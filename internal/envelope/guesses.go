package envelope

import (
	"sync"
	"time"
)

const (
	// maxGuesses is how many codes that name nobody an app may send within
	// guessWindow: a till has a misread now and then, whoever tries codes out
	// needs millions.
	maxGuesses  = 60
	guessWindow = time.Minute
)

// guesses counts, for each app, the member codes that named nobody. The apps
// have proved who they are, so the map is no larger than their number.
type guesses struct {
	now func() time.Time

	mu  sync.Mutex
	app map[string]window
}

type window struct {
	began time.Time
	count int
}

func newGuesses(now func() time.Time) *guesses {
	return &guesses{now: now, app: make(map[string]window)}
}

// spent tells whether the app has had its guesses for now.
func (g *guesses) spent(app string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.current(app).count >= maxGuesses
}

// wrong counts one.
func (g *guesses) wrong(app string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	w := g.current(app)
	w.count++
	g.app[app] = w
}

// current is the app's window, a new one when the last is over or the clock was
// set back.
func (g *guesses) current(app string) window {
	now := g.now()
	w := g.app[app]
	if age := now.Sub(w.began); age < 0 || age >= guessWindow {
		w = window{began: now}
	}
	return w
}
