package access

import "sync"

const (
	// MaxGuesses is how many member codes that name nobody an app may send in a
	// minute: a till has a misread now and then, a guesser needs billions.
	MaxGuesses = 60
	// guessMillis is the minute, in milliseconds.
	guessMillis = 60_000
)

// Guesses counts, for each app, the member codes that named nobody. Both doors
// share one. Counts are in memory, so each process allows the limit for itself;
// the apps have proved who they are, so the map is no larger than their number.
// The zero value is ready for use, from several goroutines.
type Guesses struct {
	mu     sync.Mutex
	minute int64
	wrong  map[string]int // in minute
}

// Spent tells whether the app has used up its guesses of the minute of now, in
// Unix milliseconds.
func (g *Guesses) Spent(app string, now int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn(now)
	return g.wrong[app] >= MaxGuesses
}

// Wrong counts one more.
func (g *Guesses) Wrong(app string, now int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn(now)
	g.wrong[app]++
}

// turn begins a new minute.
func (g *Guesses) turn(now int64) {
	if minute := now / guessMillis; minute != g.minute || g.wrong == nil {
		g.minute, g.wrong = minute, make(map[string]int)
	}
}
