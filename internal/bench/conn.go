package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// server is where calls go.
type server struct {
	address string // host and port
	host    string // as the Host header has it
	prefix  string // of paths, when the platform does not stand at the root
	tls     *tls.Config
	timeout time.Duration
}

func newServer(u *url.URL, timeout time.Duration) (*server, error) {
	s := &server{host: u.Host, prefix: strings.TrimSuffix(u.EscapedPath(), "/"), timeout: timeout}
	port := u.Port()
	switch u.Scheme {
	case "http":
		if port == "" {
			port = "80"
		}
	case "https":
		if port == "" {
			port = "443"
		}
		s.tls = &tls.Config{ServerName: u.Hostname(), NextProtos: []string{"http/1.1"}}
	default:
		return nil, errors.New("bench: the URL must begin with http or https")
	}
	s.address = net.JoinHostPort(u.Hostname(), port)
	return s, nil
}

const (
	// maxAnswer bounds what is read of an answer; those that are asked for here
	// are below 2 KB.
	maxAnswer = 1 << 20
	// idleLimit is when a connection is given up rather than used again: servers
	// and what stands before them close idle connections after a minute or two,
	// and a call that meets the close would look like a failure of the server.
	idleLimit = 50 * time.Second
)

// conn is one connection that is kept open, and its buffers. It speaks as much
// HTTP/1.1 as calls need: POST, and answers with a length or in chunks. net/http
// does the same with goroutines, maps and allocations of its own for each call,
// which on a machine that runs the server as well are taken from the server;
// BenchmarkClient says how much.
//
// After any error the connection is closed, and the next call opens another.
type conn struct {
	server *server
	c      net.Conn
	in     *bufio.Reader
	out    []byte
	body   []byte
	used   time.Time
}

func (c *conn) close() {
	if c.c != nil {
		_ = c.c.Close() // nothing is under way on it
		c.c = nil
	}
}

func (c *conn) open() error {
	ctx, cancel := context.WithTimeout(context.Background(), c.server.timeout)
	defer cancel()
	var err error
	if c.server.tls != nil {
		c.c, err = (&tls.Dialer{Config: c.server.tls}).DialContext(ctx, "tcp", c.server.address)
	} else {
		c.c, err = new(net.Dialer).DialContext(ctx, "tcp", c.server.address)
	}
	if err != nil {
		c.c = nil
		return fmt.Errorf("%w: %w", errNotConnected, err)
	}
	if c.in == nil {
		const size = 8 << 10
		c.in = bufio.NewReaderSize(c.c, size)
	} else {
		c.in.Reset(c.c)
	}
	return nil
}

var (
	errNotConnected = errors.New("not connected")
	errNotHTTP      = errors.New("the answer is not HTTP/1.1")
	errTooLong      = errors.New("the answer is too long")
)

// post sends body to a path with its query, and returns the HTTP status and the
// answer, which is good until the next call.
func (c *conn) post(target, body []byte) (status int, answer []byte, err error) {
	now := time.Now()
	if c.c != nil && now.Sub(c.used) > idleLimit {
		c.close()
	}
	if c.c == nil {
		if err := c.open(); err != nil {
			return 0, nil, err
		}
	}
	reusable := false
	defer func() {
		if err != nil || !reusable {
			c.close()
		}
	}()
	if err := c.c.SetDeadline(now.Add(c.server.timeout)); err != nil {
		return 0, nil, err
	}
	c.used = now
	b := append(c.out[:0], "POST "...)
	b = append(b, c.server.prefix...)
	b = append(b, target...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, c.server.host...)
	b = append(b, "\r\nUser-Agent: memberd-bench\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	c.out = append(b, body...)
	if _, err := c.c.Write(c.out); err != nil {
		return 0, nil, err
	}
	h, err := c.readHead()
	if err != nil {
		return 0, nil, err
	}
	reusable = !h.close
	answer, err = c.readBody(h)
	return h.status, answer, err
}

// head is what has to be known of an answer's head.
type head struct {
	status  int
	length  int // -1 when it is not said
	chunked bool
	close   bool
}

func (c *conn) readHead() (head, error) {
	for {
		h, err := c.readOneHead()
		const informational = 200
		if err != nil || h.status >= informational {
			return h, err
		}
	}
}

func (c *conn) readOneHead() (head, error) {
	h := head{length: -1}
	line, err := c.line()
	if err != nil {
		return h, err
	}
	const prefix = "HTTP/1."
	if len(line) < len("HTTP/1.1 200") || string(line[:len(prefix)]) != prefix {
		return h, errNotHTTP
	}
	h.close = line[len(prefix)] == '0'
	if h.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return h, errNotHTTP
	}
	for {
		line, err := c.line()
		if err != nil || len(line) == 0 {
			return h, err
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return h, errNotHTTP
		}
		value = bytes.TrimSpace(value)
		switch {
		case is(name, "Content-Length"):
			if h.length, err = strconv.Atoi(string(value)); err != nil || h.length < 0 {
				return h, errNotHTTP
			}
		case is(name, "Transfer-Encoding"):
			h.chunked = true
		case is(name, "Connection"):
			h.close = h.close || is(value, "close")
		}
	}
}

func is(text []byte, name string) bool {
	return len(text) == len(name) && strings.EqualFold(string(text), name)
}

// line is the next line without its end, good until the next read.
func (c *conn) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, errTooLong
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), err
}

func (c *conn) readBody(h head) ([]byte, error) {
	switch {
	case h.chunked:
		b, err := readAll(httputil.NewChunkedReader(c.in))
		if err != nil {
			return nil, err
		}
		for { // trailers, and the empty line that ends them
			if line, err := c.line(); err != nil || len(line) == 0 {
				return b, err
			}
		}
	case h.length > maxAnswer:
		return nil, errTooLong
	case h.length >= 0:
		if cap(c.body) < h.length {
			c.body = make([]byte, h.length)
		}
		_, err := io.ReadFull(c.in, c.body[:h.length])
		return c.body[:h.length], err
	case h.close:
		return readAll(c.in)
	}
	return nil, errNotHTTP
}

// readAll reads to the end, which may lie no further than maxAnswer.
func readAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxAnswer+1))
	if err == nil && len(b) > maxAnswer {
		return nil, errTooLong
	}
	return b, err
}
