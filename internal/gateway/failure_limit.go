package gateway

import (
	"sync"

	"github.com/memberd/memberd/internal/loyalty"
)

// failureLimit counts failures by app and minute. Counts are in memory: each
// process allows the limit for itself, which is enough against guessing.
type failureLimit struct {
	limit int

	mu     sync.Mutex
	minute int64
	failed map[string]int // in minute; bounded by the number of apps
}

// exceeded tells whether the app has used up this minute's failures.
func (l *failureLimit) exceeded(app string, now loyalty.Instant) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(now)
	return l.failed[app] >= l.limit
}

// count takes one more failure of the app.
func (l *failureLimit) count(app string, now loyalty.Instant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(now)
	l.failed[app]++
}

// turn begins a new minute.
func (l *failureLimit) turn(now loyalty.Instant) {
	if minute := int64(now) / 60_000; minute != l.minute || l.failed == nil {
		l.minute, l.failed = minute, make(map[string]int)
	}
}
