package sqldb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// queuePoll is how often a process that stands in the queue looks. The one in
// front leaves it as soon as its transaction has begun.
const queuePoll = time.Millisecond

// queue lets the processes that write to one SQLite file take turns. SQLite
// itself only polls for its write lock, so a server that commits one batch
// after the other would keep a subcommand out until its 5 s are over. Whoever
// wants to write stands in this queue while it waits for the write lock, and
// leaves it when it has it: the server, wanting it again, then stands behind.
type queue struct{ file *os.File }

// openQueue makes the file beside the database. It holds nothing; only its lock
// counts, and the kernel drops that when a process ends.
func openQueue(database string) (*queue, error) {
	f, err := os.OpenFile(database+".queue", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("queue of writers: %w", err)
	}
	return &queue{f}, nil
}

// enter waits until this process is in front.
func (q *queue) enter(ctx context.Context) error {
	for {
		err := flock(q.file)
		if err == nil || !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(queuePoll):
		}
	}
}

// leave lets the next one in.
func (q *queue) leave() error {
	return syscall.Flock(int(q.file.Fd()), syscall.LOCK_UN)
}
