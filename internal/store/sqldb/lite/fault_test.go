package lite

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	sqlite3 "modernc.org/sqlite/lib"
)

// spilling puts so much into x that the cache has no room for it: most of it has
// gone to the log before the transaction ends.
func spilling(t *testing.T, c *Conn, from int64) {
	t.Helper()
	for id := range int64(60) {
		run(t, c, "INSERT INTO x VALUES (?, ?)", from+id, strings.Repeat("s", 3000))
	}
}

func waiting(t *testing.T, c *Conn) int64 {
	t.Helper()
	return theLog(t, c).size
}

func theLog(t *testing.T, c *Conn) *logFile {
	t.Helper()
	l := logOfConn(c.tls, c.db)
	if l == nil {
		t.Fatal("the log is an ordinary file")
	}
	return l
}

// What a transaction that was rolled back has spilled must never reach the log:
// its place may hold what somebody else has committed since.
func TestRolledBackIsForgotten(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		rollback func(t *testing.T, c *Conn)
		then     func(t *testing.T, c *Conn)
	}{
		{"rollback, close", func(t *testing.T, c *Conn) { run(t, c, "ROLLBACK") }, nil},
		{"rollback, write", func(t *testing.T, c *Conn) { run(t, c, "ROLLBACK") }, func(t *testing.T, c *Conn) {
			run(t, c, "INSERT INTO x VALUES (1001, 'later')")
			run(t, c, "DELETE FROM x WHERE id = 1001")
		}},
		{"rollback, read", func(t *testing.T, c *Conn) { run(t, c, "ROLLBACK") }, func(t *testing.T, c *Conn) {
			if n := number(t, c, "SELECT sum(length(v)) FROM x WHERE id > 500"); n != 200*100 {
				t.Errorf("%d bytes", n)
			}
		}},
		{"a constraint that rolls back", func(t *testing.T, c *Conn) {
			if _, err := c.Exec("INSERT OR ROLLBACK INTO x VALUES (1, 'twice')"); code(err) != sqlite3.SQLITE_CONSTRAINT {
				t.Errorf("twice: %v", err)
			}
		}, nil},
		{"close", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path, c := openX(t)
			other := usually(t, path)
			want := content(t, other) // opens it, so that c is not the last to close
			run(t, c, "BEGIN IMMEDIATE")
			spilling(t, c, 1)
			if waiting(t, c) == 0 {
				t.Fatal("nothing was spilt")
			}
			if test.rollback != nil {
				test.rollback(t, c)
				if n := waiting(t, c); n != 0 {
					t.Errorf("%d bytes wait after the end of the transaction", n)
				}
				for id := 501; id <= 600; id++ {
					v := strings.Repeat("kept", 50)
					if _, err := other.ExecContext(t.Context(), "INSERT INTO x VALUES (?, ?)", id, v); err != nil {
						t.Fatal(err)
					}
					want = append(want, fmt.Sprintf("%d:%s", id, v))
				}
			}
			if test.then != nil {
				test.then(t, c)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			left := usually(t, copyOf(t, path))
			intact(t, left)
			if got := content(t, left); strings.Join(got, ",") != strings.Join(want, ",") {
				t.Errorf("%d rows are left of %d", len(got), len(want))
			}
			intact(t, other)
		})
	}
}

// disk stands under one connection's log. It writes until it has no room.
type disk struct {
	room   int64 // bytes that still fit; below 0 there is no end
	answer int32 // what a write gets that does not fit
	write  writeFunc
}

// disks finds the disk of a file: the engine calls a function that was declared.
var disks sync.Map

func diskWrite(tls *libc.TLS, file, data uintptr, size int32, offset sqlite3.Tsqlite3_int64) int32 {
	found, _ := disks.Load(file)
	d := found.(*disk)
	if d.room < 0 || int64(size) <= d.room {
		d.room -= min(max(d.room, 0), int64(size))
		return d.write(tls, file, data, size, offset)
	}
	if d.room > 0 { // a part of it is written, as a real disk does
		if rc := d.write(tls, file, data, int32(d.room), offset); rc != sqlite3.SQLITE_OK {
			return rc
		}
		d.room = 0
	}
	return d.answer
}

// onDisk gives the connection's log a disk of its own.
func onDisk(t *testing.T, c *Conn, answer int32) *disk {
	t.Helper()
	l := theLog(t, c)
	own := *l.io()
	d := &disk{room: -1, answer: answer, write: function[writeFunc](own.FxWrite)}
	own.FxWrite = pointerTo(diskWrite)
	methods := libc.Xmalloc(c.tls, types.Size_t(unsafe.Sizeof(own)))
	*at[sqlite3.Tsqlite3_io_methods](methods) = own
	l.usual = methods
	file := uintptr(unsafe.Pointer(l)) - usualSize
	disks.Store(file, d)
	t.Cleanup(func() { disks.Delete(file) })
	return d
}

// The late write of a commit fails: COMMIT fails with its code, nothing of the
// transaction is seen, now or after a crash, and the connection goes on.
func TestCommitWithoutRoom(t *testing.T) {
	t.Parallel()
	for _, answer := range []int32{sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE} {
		for _, room := range []int64{0, 10, 24, 5000, 70_000, 180_000} {
			t.Run(fmt.Sprintf("%d after %d bytes", answer, room), func(t *testing.T) {
				t.Parallel()
				path, c := openX(t)
				run(t, c, "PRAGMA cache_size(1000)")
				run(t, c, "INSERT INTO x VALUES (0, 'before')")
				d := onDisk(t, c, answer)
				run(t, c, "BEGIN IMMEDIATE")
				spilling(t, c, 1)
				d.room = room
				_, err := c.Exec("COMMIT")
				if e, ok := errors.AsType[*Error](err); !ok || e.Code != int(answer) {
					t.Errorf("COMMIT: %v", err)
				}
				if c.InTransaction() || waiting(t, c) != 0 {
					t.Errorf("in a transaction: %v, %d bytes wait", c.InTransaction(), waiting(t, c))
				}
				if n := number(t, c, "SELECT count(*) FROM x"); n != 1 {
					t.Errorf("%d rows are seen", n)
				}
				crashed := usually(t, copyOf(t, path))
				intact(t, crashed)
				if got := content(t, crashed); len(got) != 1 {
					t.Errorf("%d rows after a crash", len(got))
				}
				d.room = -1
				run(t, c, "INSERT INTO x VALUES (1, 'after')")
				crashed = usually(t, copyOf(t, path))
				intact(t, crashed)
				if got := content(t, crashed); len(got) != 2 {
					t.Errorf("%d rows after the next commit", len(got))
				}
			})
		}
	}
}

// A transaction that spills meets a full disk: none of its statements may go on
// as if what was dropped were there, whoever noticed it, a write or a read.
func TestSpillWithoutRoom(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, query string }{
		{"a read notices", "SELECT sum(length(v)) FROM x"},
		{"a statement that may be undone notices", "INSERT INTO x SELECT id + 1000, 'y' || v FROM x WHERE id < 5 ORDER BY v, id"},
		{"nobody notices", "SELECT 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			c := open(t, path)
			run(t, c, "CREATE TABLE x (id INTEGER PRIMARY KEY, v TEXT NOT NULL UNIQUE) STRICT")
			run(t, c, "INSERT INTO x VALUES (0, 'before')")
			d := onDisk(t, c, sqlite3.SQLITE_FULL)
			run(t, c, "BEGIN IMMEDIATE")
			var want []string
			for id := range 60 {
				v := fmt.Sprint(id, strings.Repeat("s", 3000))
				run(t, c, "INSERT INTO x VALUES (?, ?)", id+1, v)
				want = append(want, fmt.Sprintf("%d:%s", id+1, v))
			}
			if waiting(t, c) == 0 {
				t.Fatal("nothing was spilt")
			}
			d.room = 0
			_, err := c.Exec(test.query)
			d.room = -1 // somebody made room
			if err != nil && code(err) != sqlite3.SQLITE_FULL {
				t.Errorf("%s: %v", test.query, err)
			}
			_, err = c.Exec("COMMIT")
			crashed := usually(t, copyOf(t, path))
			intact(t, crashed)
			got := content(t, crashed)
			if err != nil && len(got) != 1 {
				t.Errorf("COMMIT failed (%v), %d rows are there", err, len(got))
			}
			if err == nil && (len(got) < 61 || strings.Join(got[1:61], ",") != strings.Join(want, ",")) {
				t.Errorf("COMMIT succeeded, %d rows are there", len(got))
			}
			intact(t, usually(t, path))
		})
	}
}

// synced counts the syncs of a file, and what they answer.
type synced struct {
	times  int
	answer int32
}

var syncs sync.Map

func countSync(_ *libc.TLS, file uintptr, _ int32) int32 {
	found, _ := syncs.Load(file)
	s := found.(*synced)
	s.times++
	return s.answer
}

func TestSyncDatabase(t *testing.T) {
	t.Parallel()
	if err := open(t, ":memory:").SyncDatabase(); err != nil {
		t.Errorf("without a file: %v", err)
	}
	_, c := openX(t)
	out := c.tls.Alloc(pointer)
	defer c.tls.Free(pointer)
	if rc := sqlite3.Xsqlite3_file_control(c.tls, c.db, 0, sqlite3.SQLITE_FCNTL_FILE_POINTER, out); rc != sqlite3.SQLITE_OK {
		t.Fatal(c.fail(rc))
	}
	file := *at[uintptr](out)
	usualMethods := at[sqlite3.Tsqlite3_file](file).FpMethods
	own := libc.Xmalloc(c.tls, types.Size_t(unsafe.Sizeof(sqlite3.Tsqlite3_io_methods{})))
	*at[sqlite3.Tsqlite3_io_methods](own) = *at[sqlite3.Tsqlite3_io_methods](usualMethods)
	at[sqlite3.Tsqlite3_io_methods](own).FxSync = pointerTo(countSync)
	s := &synced{}
	syncs.Store(file, s)
	at[sqlite3.Tsqlite3_file](file).FpMethods = own
	t.Cleanup(func() {
		at[sqlite3.Tsqlite3_file](file).FpMethods = usualMethods
		libc.Xfree(c.tls, own)
		syncs.Delete(file)
	})
	if err := c.SyncDatabase(); err != nil || s.times != 1 {
		t.Errorf("%d syncs, %v", s.times, err)
	}
	s.answer = sqlite3.SQLITE_IOERR_FSYNC
	if err := c.SyncDatabase(); code(err) != sqlite3.SQLITE_IOERR {
		t.Errorf("a failed sync: %v", err)
	}
}
