package store

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

const (
	// maxCrowd is how many look-ups one statement makes at most.
	maxCrowd = 64
	// crowdStatements is how many such statements run at a time.
	crowdStatements = 2
	// crowdTimeout ends a statement that nobody may wait for any more: callers
	// leave when their own time is over.
	crowdTimeout = 10 * time.Second
)

// crowd gathers look-ups of single members on PostgreSQL, where a look-up is
// mostly a round trip and the start of a statement. A lone one waits for nobody;
// those that come while statements run go together with the next one, but for
// those whose callers have gone meanwhile. Each is made after it was asked for,
// so it sees all that was answered before.
type crowd struct {
	mu      sync.Mutex
	waiting []*lookup
	running int
}

// lookup is one member to be found by one identity.
type lookup struct {
	ctx      context.Context // the caller's
	who      loyalty.Who
	identity loyalty.Identity // the one that who names
	now      loyalty.Instant
	found    *namedMember
	err      error
	panicked any
	done     chan struct{}
}

// wait is for the answer, as long as the caller wants it. A panic goes on where
// it would have come up without a crowd.
func (l *lookup) wait() (*namedMember, error) {
	select {
	case <-l.done:
		if l.panicked != nil {
			panic(l.panicked)
		}
		return l.found, l.err
	case <-l.ctx.Done():
		return nil, l.ctx.Err()
	}
}

// namedAmong is named, for a caller among many.
func (s *Store) namedAmong(ctx context.Context, who loyalty.Who, now loyalty.Instant, profile bool) (*namedMember, error) {
	identity, fits := s.ofCrowd(who)
	if !fits {
		return s.named(ctx, s.db.Read(), who, now, profile)
	}
	c := &s.crowds[0]
	if profile {
		c = &s.crowds[1]
	}
	l := &lookup{ctx: ctx, who: who, identity: identity, now: now, done: make(chan struct{})}
	if c.join(l) {
		go s.serve(c, profile)
	}
	return l.wait()
}

// ofCrowd is the identity that a reference consists of, if it is one, and one
// that PostgreSQL takes: a value that it refuses would undo the statement of all.
// On SQLite nothing fits.
func (s *Store) ofCrowd(who loyalty.Who) (_ loyalty.Identity, fits bool) {
	if s.db.Dialect() != sqldb.PostgreSQL || who.ID != 0 {
		return loyalty.Identity{}, false
	}
	ids := who.Identities()
	if len(ids) != 1 || !utf8.ValidString(ids[0].Value) || strings.Contains(ids[0].Value, "\x00") {
		return loyalty.Identity{}, false
	}
	return ids[0], true
}

// join waits in the crowd, and tells whether somebody has to be sent to serve it.
func (c *crowd) join(l *lookup) (serve bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, l)
	if serve = c.running < crowdStatements; serve {
		c.running++
	}
	return serve
}

// next takes the look-ups of the next statement; none ends the service.
func (c *crowd) next() (taken []*lookup) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waiting) > 0 && len(taken) < maxCrowd {
		if l := c.waiting[0]; l.ctx.Err() == nil {
			taken = append(taken, l)
		}
		c.waiting = c.waiting[1:]
	}
	if len(taken) == 0 {
		c.running--
		c.waiting = nil
	}
	return taken
}

// serve answers a crowd until nobody waits.
func (s *Store) serve(c *crowd, profile bool) {
	for lookups := c.next(); lookups != nil; lookups = c.next() {
		s.answer(lookups, profile)
		for _, l := range lookups {
			close(l.done)
		}
	}
}

// answer makes look-ups. When they fail together each is made by itself: one may
// name a value that the database refuses.
func (s *Store) answer(lookups []*lookup, profile bool) {
	ctx, cancel := context.WithTimeout(context.Background(), crowdTimeout)
	defer cancel()
	if len(lookups) > 1 && s.answerTogether(ctx, lookups, profile) == nil {
		return
	}
	for _, l := range lookups {
		s.answerAlone(ctx, l, profile)
	}
}

func (s *Store) answerAlone(ctx context.Context, l *lookup, profile bool) {
	defer func() { l.panicked = recover() }()
	l.found, l.err = s.named(ctx, s.db.Read(), l.who, l.now, profile)
}

var errPanicked = errors.New("a panic in a look-up")

func (s *Store) answerTogether(ctx context.Context, lookups []*lookup, profile bool) (err error) {
	defer func() {
		if recover() != nil { // it comes up again with the one that it belongs to
			err = errPanicked
		}
	}()
	merchants, kinds, values := make([]string, len(lookups)), make([]string, len(lookups)), make([]string, len(lookups))
	times := make([]int64, len(lookups))
	for i, l := range lookups {
		merchants[i], kinds[i], values[i] = l.identity.Merchant, string(l.identity.Kind), s.stored(l.identity)
		times[i] = int64(l.now)
		l.err = loyalty.MemberNotFound
	}
	return each(ctx, s.db.Read(), func(row scanner) error {
		var place int64
		m := &namedMember{}
		if err := row.Scan(append([]any{&place}, m.fields(profile)...)...); err != nil {
			return err
		}
		l := lookups[place-1]
		m.mark.merchant = l.who.Merchant
		l.found, l.err = m, nil
		return nil
	}, crowdText(profile), merchants, kinds, values, times)
}

// crowdText finds each member by its own steps into the indexes, whatever the
// planner thinks of the number of names.
func crowdText(profile bool) string {
	columns, join := "", ""
	if profile {
		columns = profileAt("w.now")
		join = `
	CROSS JOIN LATERAL (SELECT * FROM member_profile WHERE member_id = i.member_id LIMIT 1) AS p`
	}
	return `
	SELECT
	w.place,` + memberByWays + columns + `
	FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) WITH ORDINALITY AS w (merchant_id, kind, value, now, place)
	CROSS JOIN LATERAL (
		SELECT member_id
		FROM identity
		WHERE merchant_id = w.merchant_id
			AND kind = w.kind
			AND value = w.value
		LIMIT 1
	) AS i
	CROSS JOIN LATERAL (SELECT * FROM member WHERE member_id = i.member_id LIMIT 1) AS m` + join + `
	JOIN merchant r ON r.merchant_id = m.merchant_id
	WHERE m.merchant_id = w.merchant_id`
}
