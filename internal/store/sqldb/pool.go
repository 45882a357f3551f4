package sqldb

import (
	"context"
	"errors"
	"sync"

	"github.com/memberd/memberd/internal/store/sqldb/lite"
)

// pool is the reading connections of a SQLite file. They are opened when they
// are first needed and kept: opening one costs a schema parse and an empty
// cache.
type pool struct {
	path  string
	slots chan struct{} // a token for each connection that may be in use

	mu     sync.Mutex
	idle   []*lite.Conn
	used   map[*lite.Conn]bool
	closed bool
}

func newPool(path string, size int) *pool {
	p := &pool{path: path, slots: make(chan struct{}, size), used: make(map[*lite.Conn]bool)}
	for range size {
		p.slots <- struct{}{}
	}
	return p
}

// get waits for a connection, which must be given back.
func (p *pool) get(ctx context.Context) (*lite.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-p.slots:
	default:
		select {
		case <-p.slots:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	conn, err := p.take()
	if err != nil {
		p.slots <- struct{}{}
	}
	return conn, err
}

// take opens a connection without the lock: the others go on meanwhile.
func (p *pool) take() (*lite.Conn, error) {
	conn, err := p.takeIdle()
	if conn != nil || err != nil {
		return conn, err
	}
	if conn, err = openConn(p.path, readerPragmas); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errors.Join(ErrClosed, conn.Close())
	}
	p.used[conn] = true
	return conn, nil
}

func (p *pool) takeIdle() (*lite.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	last := len(p.idle) - 1
	if last < 0 {
		return nil, nil
	}
	conn := p.idle[last]
	p.idle = p.idle[:last]
	p.used[conn] = true
	return conn, nil
}

// put takes a connection back. Its rows are closed; one whose transaction could
// not be ended is not used again, because it would show old data for ever.
func (p *pool) put(conn *lite.Conn) {
	p.mu.Lock()
	delete(p.used, conn)
	if p.closed || conn.InTransaction() {
		// An interruption counts until the next statement begins. The last
		// connection to be closed copies the log, and would leave it for that.
		_, _ = conn.Exec("SELECT 1")
		_ = conn.Close() // it has only read
	} else {
		p.idle = append(p.idle, conn)
	}
	p.mu.Unlock()
	p.slots <- struct{}{}
}

// close ends what is running with an error. Connections in use are closed when
// they are given back.
func (p *pool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	var errs []error
	for _, conn := range p.idle {
		errs = append(errs, conn.Close())
	}
	p.idle = nil
	for conn := range p.used {
		conn.Interrupt()
	}
	return errors.Join(errs...)
}
