package access

import (
	"context"
	"errors"
	"sync"
	"time"
)

// loadTimeout ends a read that its callers may have given up on already.
const loadTimeout = 5 * time.Second

// cache keeps rows for CacheLife and what was made of a row for as long as the
// row stays the same. Reads of one id are shared; no lock is held during one.
// Unknown ids are not kept, so its size is bounded by what exists.
type cache[Row comparable, Value any] struct {
	now     func() time.Time
	load    func(ctx context.Context, id string) (Row, error)
	open    func(Row) (*Value, error)
	missing error // what load returns for an unknown id

	mu      sync.RWMutex
	entries map[string]entry[Row, Value]
	flights map[string]*flight[Value]
}

type entry[Row comparable, Value any] struct {
	row    Row
	value  *Value
	readAt time.Time // when the read began, so age is never told too young
}

type flight[Value any] struct {
	done  chan struct{} // closed once value and err are set
	value *Value
	err   error
}

func newCache[Row comparable, Value any](
	now func() time.Time,
	load func(context.Context, string) (Row, error),
	open func(Row) (*Value, error),
	missing error,
) *cache[Row, Value] {
	return &cache[Row, Value]{
		now:     now,
		load:    load,
		open:    open,
		missing: missing,
		entries: make(map[string]entry[Row, Value]),
		flights: make(map[string]*flight[Value]),
	}
}

func (c *cache[Row, Value]) get(ctx context.Context, id string) (*Value, error) {
	now := c.now()
	c.mu.RLock()
	e, ok := c.entries[id]
	c.mu.RUnlock()
	if ok && fresh(e.readAt, now) {
		return e.value, nil
	}
	value, joined, err := c.fly(ctx, id)
	if joined && errors.Is(err, c.missing) {
		// That read began before this call: a row made in between (by this
		// very caller, perhaps) would be denied.
		value, _, err = c.fly(ctx, id)
	}
	return value, err
}

// fresh refuses an age below zero too: a clock that was set back would keep an
// entry for good.
func fresh(readAt, now time.Time) bool {
	age := now.Sub(readAt)
	return age >= 0 && age < CacheLife
}

// fly waits for the id's running read, or starts one. A read is nobody's own: a
// caller that hangs up must not fail those who wait with it.
func (c *cache[Row, Value]) fly(ctx context.Context, id string) (value *Value, joined bool, err error) {
	c.mu.Lock()
	f, joined := c.flights[id]
	if !joined {
		f = &flight[Value]{done: make(chan struct{})}
		c.flights[id] = f
		go c.run(context.WithoutCancel(ctx), id, f)
	}
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.value, joined, f.err
	case <-ctx.Done():
		return nil, joined, ctx.Err()
	}
}

func (c *cache[Row, Value]) run(ctx context.Context, id string, f *flight[Value]) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	readAt := c.now()
	row, err := c.load(ctx, id)
	if err == nil {
		f.value, err = c.reuse(id, row)
	}
	f.err = err

	c.mu.Lock()
	defer c.mu.Unlock()
	// forget may have set the flight aside: what it read may be outdated.
	if c.flights[id] == f {
		delete(c.flights, id)
		switch {
		case err == nil:
			c.entries[id] = entry[Row, Value]{row: row, value: f.value, readAt: readAt}
		case errors.Is(err, c.missing):
			delete(c.entries, id)
		}
	}
	close(f.done)
}

// reuse spares decrypting and parsing a row that did not change.
func (c *cache[Row, Value]) reuse(id string, row Row) (*Value, error) {
	c.mu.RLock()
	e, ok := c.entries[id]
	c.mu.RUnlock()
	if ok && e.row == row {
		return e.value, nil
	}
	return c.open(row)
}

// forget makes the next get read again, even if a read is under way.
func (c *cache[Row, Value]) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, id)
	delete(c.flights, id)
}
