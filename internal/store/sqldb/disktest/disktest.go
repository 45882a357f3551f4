// Package disktest gives tests of SQLite a disk that is soon full. Production
// code never imports it.
package disktest

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Small mounts a disk of 1 MiB with some 700 kB of room, which makeRoom turns
// into all of it. Where this process may mount nothing the test is skipped.
func Small(t *testing.T) (dir string, makeRoom func()) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 300_000), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, func() {
		t.Helper()
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
}
