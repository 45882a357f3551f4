package seal

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// checkStore is the key_check table; before is called as each insert begins.
type checkStore struct {
	mu     sync.Mutex
	value  string
	found  bool
	fail   error
	before func()
}

func (s *checkStore) KeyCheck(context.Context) (string, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.value, s.found, s.fail
}

func (s *checkStore) InsertKeyCheck(_ context.Context, value string) (bool, error) {
	if s.before != nil {
		s.before()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.found || s.fail != nil {
		return false, s.fail
	}
	s.value, s.found = value, true
	return true, nil
}

func (s *checkStore) set(value string) { s.value, s.found = value, true }

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestOpenKeysMakesThenReadsTheFile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	source := Source{Path: filepath.Join(dir, "memberd.key")}
	checks := &checkStore{}
	made, err := OpenKeys(t.Context(), checks, source)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(source.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file %v, %v, want 0600", info, err)
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("folder holds %v, want the key alone", got)
	}
	again, err := OpenKeys(t.Context(), checks, source)
	if err != nil {
		t.Fatal(err)
	}
	if made.Lookup("m", "k", "v") != again.Lookup("m", "k", "v") {
		t.Error("the second start has another key")
	}
}

func TestOpenKeysTakesUpAFileLeftByACrash(t *testing.T) {
	t.Parallel()
	k := generate(t)
	path := filepath.Join(t.TempDir(), "memberd.key")
	write(t, path, k.Marshal(), 0o600)
	got, err := OpenKeys(t.Context(), &checkStore{}, Source{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if got.Lookup("m", "k", "v") != k.Lookup("m", "k", "v") {
		t.Error("the file on disk was not used")
	}
}

func TestOpenKeysFromTheEnvironmentWritesNothing(t *testing.T) {
	t.Parallel()
	k := generate(t)
	dir := t.TempDir()
	source := Source{Path: filepath.Join(dir, "memberd.key"), Text: string(k.Marshal())}
	checks := &checkStore{}
	for range 2 {
		if _, err := OpenKeys(t.Context(), checks, source); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("folder holds %v", got)
	}
	if err := k.Check(checks.value); err != nil {
		t.Error(err)
	}
}

func TestOpenKeysRefuses(t *testing.T) {
	t.Parallel()
	k, other := generate(t), generate(t)
	broken := errors.New("database is away")
	cases := []struct {
		name  string
		check string
		fail  error
		file  []byte
		mode  fs.FileMode
		text  string
		want  error
		names []string // what the error must name
	}{
		{name: "key_check and no file", check: k.Fingerprint(), want: ErrKeyMissing, names: []string{"memberd.key", EnvName}},
		{name: "key_check and another file", check: k.Fingerprint(), file: other.Marshal(), mode: 0o600, want: ErrKeyMismatch, names: []string{"memberd.key", EnvName}},
		{name: "key_check and another environment", check: k.Fingerprint(), file: k.Marshal(), mode: 0o600, text: string(other.Marshal()), want: ErrKeyMismatch, names: []string{EnvName}},
		{name: "file open to the group", check: k.Fingerprint(), file: k.Marshal(), mode: 0o640, want: ErrKeyPermissions, names: []string{"memberd.key", "0640"}},
		{name: "file open to others, fresh database", file: k.Marshal(), mode: 0o604, want: ErrKeyPermissions, names: []string{"memberd.key"}},
		{name: "file damaged", check: k.Fingerprint(), file: k.Marshal()[:40], mode: 0o600, want: ErrKeyFormat, names: []string{"memberd.key"}},
		{name: "file empty, fresh database", file: []byte{}, mode: 0o600, want: ErrKeyFormat, names: []string{"memberd.key"}},
		{name: "environment damaged", text: "{}", want: ErrKeyFormat, names: []string{EnvName}},
		{name: "database fails", fail: broken, want: broken},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			source := Source{Path: filepath.Join(dir, "memberd.key"), Text: c.text}
			if c.file != nil {
				write(t, source.Path, c.file, c.mode)
			}
			checks := &checkStore{fail: c.fail}
			if c.check != "" {
				checks.set(c.check)
			}
			before := names(t, dir)
			_, err := OpenKeys(t.Context(), checks, source)
			if !errors.Is(err, c.want) {
				t.Fatalf("err %v, want %v", err, c.want)
			}
			for _, name := range c.names {
				if !strings.Contains(err.Error(), name) {
					t.Errorf("%q does not name %s", err, name)
				}
			}
			if after := names(t, dir); len(after) != len(before) {
				t.Errorf("a refusal changed the folder: %v -> %v", before, after)
			}
			if c.check == "" && checks.found {
				t.Error("a refusal wrote key_check")
			}
		})
	}
}

// Every process has found no row before the first of them inserts one.
func TestOpenKeysRaceOnOneFolder(t *testing.T) {
	t.Parallel()
	const processes = 8
	dir := t.TempDir()
	source := Source{Path: filepath.Join(dir, "memberd.key")}
	var arrived, done sync.WaitGroup
	arrived.Add(processes)
	checks := &checkStore{before: func() { arrived.Done(); arrived.Wait() }}
	lookups := make([]string, processes)
	for i := range processes {
		done.Go(func() {
			k, err := OpenKeys(t.Context(), checks, source)
			if err != nil {
				t.Error(err)
				return
			}
			lookups[i] = k.Lookup("m", "k", "v")
		})
	}
	done.Wait()
	for i, l := range lookups {
		if l != lookups[0] {
			t.Errorf("process %d uses another key", i)
		}
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("folder holds %v, want the key alone", got)
	}
}

func TestOpenKeysLosesToAnotherFolder(t *testing.T) {
	t.Parallel()
	winner := generate(t)
	checks := &checkStore{}
	checks.before = func() { checks.set(winner.Fingerprint()) }
	path := filepath.Join(t.TempDir(), "memberd.key")
	if _, err := OpenKeys(t.Context(), checks, Source{Path: path}); !errors.Is(err, ErrKeyMismatch) {
		t.Fatalf("err %v, want %v", err, ErrKeyMismatch)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the key file was taken away: %v", err)
	}
}

func write(t *testing.T, path string, text []byte, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, text, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask was
		t.Fatal(err)
	}
}
