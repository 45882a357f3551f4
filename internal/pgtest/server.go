package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	superuser = "postgres"

	defaultConnections = 200

	// A cluster is there in about a second; a machine that is busy with other
	// tests takes longer.
	startTimeout = time.Minute
	stopTimeout  = 30 * time.Second
	startPoll    = 20 * time.Millisecond

	// The kernel's limit for a socket's name, with the NUL at its end.
	maxSocketPath = 107
	socketName    = ".s.PGSQL.5432"
)

// Options of a server; the zero value is the fast server of the tests.
type Options struct {
	// Durable keeps what was committed through a crash (fsync and
	// full_page_writes on, autovacuum too): for crash tests and benchmarks.
	Durable bool
	// Dir is the folder to make the server's own folder in, "" for the system's
	// temporary one. A benchmark names a real disk. The user the server runs as
	// must be able to get there, and the path must be short.
	Dir string
	// MaxConnections is 200 if 0.
	MaxConnections int
	// Settings are further settings of the server, by name.
	Settings map[string]string
}

// Server is a running throwaway PostgreSQL. Its methods may be called at once
// by many goroutines.
type Server struct {
	dir      string
	bin      string
	process  *exec.Cmd
	exited   chan struct{} // closed after the server has ended
	watchdog *watchdog
	names    atomic.Int64
	stop     func() error
}

// Start makes a cluster and starts a server on it. Without the programs of
// PostgreSQL on this machine the error is ErrNotFound. The caller calls Stop;
// if this process dies before that, the server ends and its folder goes.
func Start(opts Options) (*Server, error) {
	bin, err := findBin()
	if err != nil {
		return nil, err
	}
	owner, err := serverUser()
	if err != nil {
		return nil, err
	}
	dir, err := makeDir(opts.Dir, owner)
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin, exited: make(chan struct{})}
	s.stop = sync.OnceValue(s.shutDown)
	if err := s.start(opts, owner); err != nil {
		return nil, errors.Join(fmt.Errorf("start postgres: %w", err), s.Stop())
	}
	return s, nil
}

func (s *Server) start(opts Options, owner *syscall.Credential) error {
	initdb := exec.Command(filepath.Join(s.bin, "initdb"), "-D", s.data(), "-U", superuser,
		"-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.Dir = s.dir
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	s.process = exec.Command(filepath.Join(s.bin, "postgres"), s.arguments(opts)...)
	s.process.Dir = s.dir
	// The log goes to a file: a pipe or the test's own output, once inherited,
	// would make `go test` wait for this server.
	s.process.Stdout, s.process.Stderr = log, log
	// A group of its own, so that Ctrl-C reaches the test first.
	s.process.SysProcAttr = &syscall.SysProcAttr{Credential: owner, Setpgid: true}
	if err := s.process.Start(); err != nil {
		s.process = nil
		return err
	}
	go func() {
		s.process.Wait()
		close(s.exited)
	}()
	if s.watchdog, err = startWatchdog(s.process.Process.Pid, s.dir); err != nil {
		return err
	}
	return s.awaitReady()
}

func (s *Server) arguments(opts Options) []string {
	settings := map[string]string{
		"listen_addresses":        "",
		"unix_socket_directories": s.dir,
		"max_connections":         strconv.Itoa(defaultConnections),
		"timezone":                "UTC",
	}
	if opts.MaxConnections > 0 {
		settings["max_connections"] = strconv.Itoa(opts.MaxConnections)
	}
	if !opts.Durable {
		settings["fsync"] = "off"
		settings["full_page_writes"] = "off"
		settings["synchronous_commit"] = "off"
		settings["autovacuum"] = "off"
	}
	for name, value := range opts.Settings {
		settings[name] = value
	}
	args := []string{"-D", s.data()}
	for name, value := range settings {
		args = append(args, "-c", name+"="+value)
	}
	return args
}

func (s *Server) awaitReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.exited:
			return fmt.Errorf("the server ended at once:\n%s", s.log())
		case <-ctx.Done():
			return fmt.Errorf("not ready after %v: %w\n%s", startTimeout, err, s.log())
		case <-time.After(startPoll):
		}
	}
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) log() []byte {
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return []byte(err.Error())
	}
	return text
}

// URL is the URL of one of the server's databases, as superuser.
func (s *Server) URL(database string) string {
	query := url.Values{"host": {s.dir}, "user": {superuser}, "sslmode": {"disable"}}
	return "postgres:///" + url.PathEscape(database) + "?" + query.Encode()
}

// Bin is the folder of the server's programs (pg_dump and the like).
func (s *Server) Bin() string { return s.bin }

// Create makes a new empty database and returns its URL.
func (s *Server) Create(ctx context.Context) (string, error) {
	name, err := s.create(ctx, "template0")
	if err != nil {
		return "", err
	}
	return s.URL(name), nil
}

func (s *Server) create(ctx context.Context, from string) (string, error) {
	name := fmt.Sprintf("t%d", s.names.Add(1))
	return name, s.exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+pgx.Identifier{from}.Sanitize())
}

// Drop removes a database and ends the sessions that are still in it.
func (s *Server) Drop(ctx context.Context, name string) error {
	return s.exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
}

func (s *Server) exec(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

// Signal sends a signal to the server, for crash tests (SIGQUIT stops it without
// a checkpoint) and for outages (SIGSTOP, SIGCONT).
func (s *Server) Signal(signal os.Signal) error { return s.process.Process.Signal(signal) }

// Stop ends the server (SIGINT: sessions are cut off, data is in order) and
// removes its folder. Calling it again returns the first answer.
func (s *Server) Stop() error { return s.stop() }

func (s *Server) shutDown() error {
	var errs []error
	if s.process != nil {
		if err := s.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, err)
		}
		select {
		case <-s.exited:
		case <-time.After(stopTimeout):
			errs = append(errs, fmt.Errorf("postgres did not stop within %v", stopTimeout), s.process.Process.Kill())
			<-s.exited
		}
	}
	if s.watchdog != nil {
		errs = append(errs, s.watchdog.dismiss())
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// watchdog is a shell that outlives this process for a moment. Its standard
// input is a pipe of which only this process holds the other end, so reading it
// ends when this process does, whatever it died of. (Pdeathsig would not do: it
// fires when the thread ends that started the server, and Go ends threads.)
type watchdog struct {
	shell *exec.Cmd
	hold  io.WriteCloser
}

// The immediate shutdown (QUIT) also ends the server's own children. Its pid
// file is gone when it is done; a zombie that nobody reaps is not waited for.
const watchdogScript = `read -r _ && exit 0
kill -QUIT "$1" 2>/dev/null
i=0
while [ -e "$2/data/postmaster.pid" ] && kill -0 "$1" 2>/dev/null && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done
rm -rf -- "$2"`

func startWatchdog(pid int, dir string) (*watchdog, error) {
	shell := exec.Command("/bin/sh", "-c", watchdogScript, "sh", strconv.Itoa(pid), dir)
	shell.Dir = "/"
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	hold, err := shell.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := shell.Start(); err != nil {
		return nil, err
	}
	return &watchdog{shell, hold}, nil
}

// dismiss sends the line that tells the shell to leave everything alone.
func (w *watchdog) dismiss() error {
	_, err := io.WriteString(w.hold, "\n")
	return errors.Join(err, w.hold.Close(), w.shell.Wait())
}
