package sqldb

import (
	"sync/atomic"
	"syscall"

	"github.com/memberd/memberd/internal/store/sqldb/lite"
)

// Sizes of SQLite's log, in pages of 4 KiB.
const (
	// checkpointStep is how many are copied at a time: 8 MiB, so that the disk
	// is not busy for long when a commit wants it.
	checkpointStep = 2_048
	// checkpointAll is when all are to be copied and the log begun anew: 128 MiB.
	// Writers wait for the end of it, which with 8,192 pages was three times a
	// second on a busy server. What a crash leaves behind is read once at the next
	// start.
	checkpointAll = 32_768
	// checkpointAllTight is the same where the disk has less than roomy bytes to
	// spare.
	checkpointAllTight = 8_192
	roomy              = 1 << 30
	// checkpointRest is how little may be left to copy while writers wait.
	checkpointRest = 256
	// checkpointPasses is how often that is tried: a writer that is faster than
	// the copying waits for it in the end.
	checkpointPasses = 4
)

// checkpointer copies what was committed from the log into the database, beside
// the writer instead of in the middle of it. A last small copy has the turn, so
// that nobody adds to the log meanwhile and the next transaction can begin it
// anew: without that the log of a server that never rests would grow for ever.
type checkpointer struct {
	db    *sqliteDB
	wake  chan struct{}
	done  chan struct{} // closed when run has returned
	pages atomic.Int64  // in the log after the last commit
	tried atomic.Int64  // in the log when it was last copied, as far as readers let it
}

func startCheckpointer(db *sqliteDB) *checkpointer {
	c := &checkpointer{db: db, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go c.run()
	return c
}

// committed is told how long the log is.
func (c *checkpointer) committed(pages int64) {
	if pages < c.pages.Swap(pages) {
		c.tried.Store(0) // it was begun anew
	}
	if !c.due() {
		return
	}
	select {
	case c.wake <- struct{}{}:
	default: // it is at it
	}
}

// due tells whether there is enough to copy.
func (c *checkpointer) due() bool { return c.pages.Load()-c.tried.Load() >= checkpointStep }

// stop waits for a copy that is under way. The caller has the turn.
func (c *checkpointer) stop() {
	close(c.wake)
	<-c.done
}

func (c *checkpointer) run() {
	defer close(c.done)
	var conn *lite.Conn
	for range c.wake {
		if !c.due() {
			continue // asked for during the copy that has just ended, and copied by it
		}
		if conn == nil {
			var err error
			if conn, err = openConn(c.db.path, commonPragmas); err != nil {
				continue // the next commit asks again
			}
		}
		c.checkpoint(conn)
	}
	if conn != nil {
		_ = conn.Close() // nothing of it is unwritten
	}
}

// checkpoint ignores errors as SQLite's own way of doing it does: it is tried
// again when more has been committed.
func (c *checkpointer) checkpoint(conn *lite.Conn) {
	if c.copyBeside(conn) {
		c.copyInTurn(conn)
	}
}

// copyBeside copies while writers go on, and tells whether the log is so long
// that the rest is to be copied too.
func (c *checkpointer) copyBeside(conn *lite.Conn) (all bool) {
	done := int64(-1)
	for range checkpointPasses {
		select {
		case <-c.db.closing:
			return false // the last connection copies the rest when it is closed
		default:
		}
		before := c.pages.Load()
		copied, err := passiveCheckpoint(conn)
		if err != nil {
			return false
		}
		tried := max(before, copied)
		c.tried.Store(tried)
		pages := c.pages.Load()
		if pages < tried {
			c.tried.Store(0) // it was begun anew meanwhile, which committed has said before
		}
		if pages < c.longest() {
			return false
		}
		if copied == done {
			break // somebody still reads the log as it was: there is nothing new to sync
		}
		done = copied
		// While commits go on SQLite syncs nothing of it. The copy in the turn would
		// sync it all, and everybody would wait.
		if err := conn.SyncDatabase(); err != nil {
			return false
		}
		if c.pages.Load()-copied <= checkpointRest {
			break
		}
	}
	return true
}

// longest is how long the log may become.
func (c *checkpointer) longest() int64 {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(c.db.path, &disk); err == nil && disk.Bavail*uint64(disk.Bsize) < roomy {
		return checkpointAllTight
	}
	return checkpointAll
}

// copyInTurn copies the rest while nobody in this process writes.
func (c *checkpointer) copyInTurn(conn *lite.Conn) {
	select {
	case _, ok := <-c.db.turn:
		if !ok {
			return
		}
	case <-c.db.closing:
		return
	}
	_, _ = passiveCheckpoint(conn)
	c.db.turn <- struct{}{}
}

// passiveCheckpoint copies what it can without making anybody wait, and returns
// how many pages of the log are in the database.
func passiveCheckpoint(conn *lite.Conn) (copied int64, err error) {
	var busy, pages int64
	err = answer(conn, "PRAGMA wal_checkpoint(PASSIVE)", &busy, &pages, &copied)
	return copied, err
}
