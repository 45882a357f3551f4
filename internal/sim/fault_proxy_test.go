package sim_test

import (
	"bytes"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// wire is the network between memberd and PostgreSQL.
type wire struct {
	t        *testing.T
	address  string // where memberd connects
	target   string // PostgreSQL's socket
	listener net.Listener
	eat      atomic.Bool // commits go through, their answers do not

	mu    sync.Mutex
	ends  map[net.Conn]bool
	still chan struct{} // closed when bytes may pass
}

// newWire lays a wire and returns it with the database's address at its end.
func newWire(t *testing.T, database string) (*wire, string) {
	t.Helper()
	w := &wire{
		t: t, address: "127.0.0.1:0", target: filepath.Join(folder(t, database), ".s.PGSQL.5432"),
		ends: map[net.Conn]bool{}, still: make(chan struct{}),
	}
	close(w.still)
	w.connect()
	t.Cleanup(w.cut)
	u, err := url.Parse(database)
	must(t, err)
	return w, "postgres://postgres@" + w.address + "/" + strings.TrimPrefix(u.Path, "/") + "?sslmode=disable"
}

// connect takes connections, at the same address as before.
func (w *wire) connect() {
	w.t.Helper()
	var err error
	w.listener, err = net.Listen("tcp", w.address)
	must(w.t, err)
	w.address = w.listener.Addr().String()
	go w.accept(w.listener)
}

// cut ends all connections and takes no more.
func (w *wire) cut() {
	w.listener.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for end := range w.ends {
		end.Close()
	}
}

// hold lets nothing pass in either direction, and loses nothing either.
func (w *wire) hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.still = make(chan struct{})
}

// release lets pass what was held and everything after it.
func (w *wire) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.still)
}

func (w *wire) pass() {
	w.mu.Lock()
	still := w.still
	w.mu.Unlock()
	<-still
}

func (w *wire) accept(listener net.Listener) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("unix", w.target)
		if err != nil {
			near.Close()
			continue
		}
		w.mu.Lock()
		w.ends[near], w.ends[far] = true, true
		w.mu.Unlock()
		var eating atomic.Bool
		go w.pump(near, far, func(b []byte) bool {
			if w.eat.Load() && bytes.Contains(b, []byte("commit\x00")) {
				eating.Store(true)
			}
			return true
		})
		go w.pump(far, near, func(b []byte) bool {
			return !eating.Load() || !bytes.Contains(b, []byte("COMMIT\x00"))
		})
	}
}

// pump carries bytes one way until either end closes, or until it sees some
// that it may not carry.
func (w *wire) pump(from, to net.Conn, may func([]byte) bool) {
	defer func() {
		from.Close()
		to.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.ends, from)
		delete(w.ends, to)
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		w.pass()
		if !may(buffer[:n]) {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
