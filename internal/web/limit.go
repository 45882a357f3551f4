package web

import (
	"sync"
	"time"
)

// Limiter bounds how often each app may call, with a token bucket per app.
//
// A request is let in by the app it names, and charged once its door has found
// the sign to be right. So a stranger who merely names an app uses up nothing
// of its share, and buckets exist only for apps that exist. Since charging
// comes last, calls that run at the same moment may go past the burst; the
// bucket then owes them, and the long-run rate holds.
//
// Each process counts for itself: with n servers behind a balancer an app gets
// up to n times the rate.
type Limiter struct {
	rate, burst int64
	now         func() time.Time

	mu      sync.Mutex
	buckets map[string]*bucket
}

// bucket counts in calls times a second's nanoseconds, so that no fraction is
// lost.
type bucket struct {
	level int64
	at    time.Time
}

// unit is one call in a bucket's level.
const unit = int64(time.Second)

// NewLimiter allows perSecond calls (at least 1) in the long run and burst at
// once; burst 0 is twice perSecond.
func NewLimiter(perSecond, burst int, now func() time.Time) *Limiter {
	if burst == 0 {
		burst = 2 * perSecond
	}
	return &Limiter{rate: int64(perSecond), burst: int64(burst), now: now, buckets: map[string]*bucket{}}
}

// Allowed tells whether the app may call now. It charges nothing.
func (l *Limiter) Allowed(app string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets[app]
	if !ok {
		return true
	}
	l.refill(b)
	return b.level >= unit
}

// Count charges one call to the app.
func (l *Limiter) Count(app string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets[app]
	if !ok {
		b = &bucket{level: l.burst * unit, at: l.now()}
		l.buckets[app] = b
	}
	l.refill(b)
	b.level -= unit
}

func (l *Limiter) refill(b *bucket) {
	now := l.now()
	// After an hour any bucket is full; the bound keeps the product in range.
	if passed := min(now.Sub(b.at), time.Hour); passed > 0 {
		b.level = min(l.burst*unit, b.level+int64(passed)*l.rate)
		b.at = now
	}
}
