package sim_test

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// walEnds reads SQLite's log as its recovery does and returns where each commit
// in it ends, in bytes from the file's beginning.
func walEnds(t *testing.T, wal []byte) (ends []int) {
	t.Helper()
	const header, frameHeader = 32, 24
	if len(wal) < header {
		t.Fatal("the log is empty")
	}
	var order binary.ByteOrder = binary.LittleEndian
	if binary.BigEndian.Uint32(wal)&1 == 1 {
		order = binary.BigEndian
	}
	var s0, s1 uint32
	sum := func(b []byte) {
		for ; len(b) >= 8; b = b[8:] {
			s0 += order.Uint32(b) + s1
			s1 += order.Uint32(b[4:]) + s0
		}
	}
	sum(wal[:24])
	size := frameHeader + int(binary.BigEndian.Uint32(wal[8:]))
	for at := header; at+size <= len(wal); at += size {
		frame := wal[at : at+size]
		sum(frame[:8])
		sum(frame[frameHeader:])
		salts := string(frame[8:16]) == string(wal[16:24])
		if !salts || binary.BigEndian.Uint32(frame[16:]) != s0 || binary.BigEndian.Uint32(frame[20:]) != s1 {
			break
		}
		if binary.BigEndian.Uint32(frame[4:]) != 0 { // the last frame of a commit
			ends = append(ends, at+size)
		}
	}
	return ends
}

// A log of SQLite that was damaged after it was synced, which no promise covers.
// What is lost is then exactly the commit that the damage is in and all that
// came after it: the rest is there, in order, and the server starts.
func TestFaultTornLog(t *testing.T) {
	processTest(t)
	s := newSite(t, nil)
	r := newFaultRun(t, s)
	r.load.await(150 + r.rng.IntN(100))
	r.p.kill()
	// The clients go on calling a server that is not there; it comes back below.
	acknowledged := r.load.acknowledged()
	before := t.TempDir()
	copyFolder(t, before, s.dir)
	wal, err := os.ReadFile(filepath.Join(before, "memberd.db-wal"))
	must(t, err)
	ends := walEnds(t, wal)
	const checkpoint = 4000 // pages: from then on the log alone does not tell what was
	if n := len(ends); n < 20 || len(wal) > checkpoint*4096 {
		t.Fatalf("%d commits in a log of %d bytes: the run proves nothing", n, len(wal))
	}
	last, middle := len(ends)-1, len(ends)/2+r.rng.IntN(len(ends)/4)
	flip := func(commit int) func([]byte) []byte {
		from, to := ends[commit-1], ends[commit]
		at := from + r.rng.IntN(to-from)
		return func(b []byte) []byte { b[at] ^= 0x10; return b }
	}
	intact := map[int]map[string]bool{} // what there is after so many commits
	after := func(commits int) map[string]bool {
		if intact[commits] == nil {
			intact[commits] = r.ledgers(before, slices.Clone(wal[:ends[commits-1]]))
		}
		return intact[commits]
	}
	for _, test := range []struct {
		name   string
		keeps  int // commits
		damage func([]byte) []byte
	}{
		{"half a frame after the end", last + 1, func(b []byte) []byte { return append(b[:ends[last]], b[ends[last-1]:ends[last-1]+1000]...) }},
		{"the last frame cut short", last, func(b []byte) []byte { return b[:ends[last]-1-r.rng.IntN(4000)] }},
		{"the last frame zero", last, func(b []byte) []byte { clear(b[ends[last]-4120 : ends[last]]); return b }},
		{"a bit of the last commit", last, flip(last)},
		{"a bit in the middle", middle, flip(middle)},
	} {
		kept := r.ledgers(before, test.damage(slices.Clone(wal)))
		want := after(test.keeps)
		if !maps.Equal(kept, want) {
			t.Errorf("%s: %d entries are there, %d were committed before the damage", test.name, len(kept), len(want))
		}
		lost := missing(acknowledged, kept)
		t.Logf("%s: %d of %d commits kept, %d of %d acknowledged entries lost", test.name, test.keeps, last+1, len(lost), len(acknowledged))
		// A client has one call under way, and one commit is one batch of them.
		if allowed := (last + 1 - test.keeps) * loadWorkers; len(lost) > allowed {
			t.Errorf("%s: %d entries lost, %d can have been in the lost commits: %v", test.name, len(lost), allowed, lost)
		}
		r.f.count("damaged logs", 1)
	}
	r.p = s.serve()
	r.at.set(r.p)
	r.finish()
}

// acknowledged is what clients know to be in the ledger, each entry as ledgers
// has it.
func (l *load) acknowledged() (known []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for member, entries := range l.known {
		for _, e := range entries {
			known = append(known, fmt.Sprint(member, cmp.Or(e.reason, e.statement), e.amount))
		}
	}
	return known
}

// missing is what of known is not there.
func missing(known []string, there map[string]bool) (lost []string) {
	for _, one := range known {
		if !there[one] {
			lost = append(lost, one)
		}
	}
	return lost
}

// ledgers are the entries of all members that a server has which starts on a
// copy of a folder with another log: by reason as well as by statement.
func (r *faultRun) ledgers(from string, wal []byte) map[string]bool {
	r.t.Helper()
	dir := r.t.TempDir()
	copyFolder(r.t, dir, from)
	must(r.t, os.WriteFile(filepath.Join(dir, "memberd.db-wal"), wal, 0o600))
	must(r.t, os.Remove(filepath.Join(dir, "memberd.db-shm")))
	s := &site{t: r.t, dir: dir, app: r.s.app}
	p := s.serve()
	found := map[string]bool{}
	for member := range r.load.members {
		var sum int64
		for _, at := range r.load.ledger(p.url, member) {
			sum += at.Amount
			found[fmt.Sprint(member, at.Desc, at.Amount)] = true
			found[fmt.Sprint(member, at.Statement, at.Amount)] = true
		}
		if gateway, envelope := r.load.balances(p.url, member); gateway != sum || envelope != sum {
			r.t.Errorf("member %d: balance %d (gateway), %d (envelope), the ledger adds up to %d", member, gateway, envelope, sum)
		}
	}
	terminate(r.t, p)
	s.check()
	return found
}

func copyFolder(t *testing.T, to, from string) {
	t.Helper()
	files, err := os.ReadDir(from)
	must(t, err)
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(from, file.Name()))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(to, file.Name()), text, 0o600))
	}
}

// The reader of logs itself: a bit anywhere ends the log at the commit before.
func TestLogReaderStopsAtDamage(t *testing.T) {
	processTest(t)
	s := newSite(t, nil)
	p := s.serve()
	c := newClient(t, s.app)
	c.signIn(t, p.url)
	newLoad(t, c, 1, func(*rand.Rand) []string { return []string{p.url} })
	p.kill()
	wal, err := os.ReadFile(filepath.Join(s.dir, "memberd.db-wal"))
	must(t, err)
	ends := walEnds(t, wal)
	for _, at := range []int{1, len(ends) / 2, len(ends) - 1} {
		damaged := slices.Clone(wal)
		damaged[ends[at-1]+7] ^= 1
		if got := walEnds(t, damaged); !slices.Equal(got, ends[:at]) {
			t.Errorf("%d commits before the damage, %d read", at, len(got))
		}
	}
}
