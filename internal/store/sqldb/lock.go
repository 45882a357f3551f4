package sqldb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// lockName is the file that a server holds locked in its data folder.
const lockName = "memberd.lock"

// lockPoll is how often a taken lock is tried again; flock cannot be waited for
// and given up at once.
const lockPoll = 20 * time.Millisecond

// ErrFolderLocked is returned by LockFolder when another process serves the
// folder.
var ErrFolderLocked = errors.New("another memberd serve is running on this data folder")

// LockFolder keeps a second server off a SQLite data folder: it locks a file in
// it (made if missing) until unlock is called or the process ends, however it
// ends. It does not wait: a taken lock is ErrFolderLocked. Subcommands that
// change data do not take it; they take turns with the server at the database.
func LockFolder(path string) (unlock func(), err error) {
	name := filepath.Join(path, lockName)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock folder: %w", err)
	}
	if err := flock(f); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w (%s is locked)", ErrFolderLocked, name)
		}
		return nil, fmt.Errorf("lock folder: %w", err)
	}
	// The file stays: removing it would let one process lock the old file and
	// another the new one of the same name.
	return sync.OnceFunc(func() { f.Close() }), nil
}

// LockSchema makes processes that change the tables of one SQLite file take
// turns; it waits until ctx ends. PostgreSQL has advisory locks for that, so
// there it does nothing.
func (db *DB) LockSchema(ctx context.Context) (unlock func(), err error) {
	if db.lite == nil {
		return func() {}, nil
	}
	return lockDir(ctx, filepath.Dir(db.lite.path))
}

// lockDir locks the folder itself. It leaves no file behind, and it must not be
// the database file: closing that one's descriptor would drop the locks that
// SQLite holds on it in this process.
func lockDir(ctx context.Context, dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("lock folder: %w", err)
	}
	for {
		err := flock(f)
		if err == nil {
			return sync.OnceFunc(func() { f.Close() }), nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("lock folder: %w", err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("lock folder: %w", ctx.Err())
		case <-time.After(lockPoll):
		}
	}
}

// flock tries once. A signal may interrupt the call before it did anything.
func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
