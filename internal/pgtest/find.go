package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// ErrNotFound is returned when PostgreSQL's server is not installed.
var ErrNotFound = errors.New("no PostgreSQL server found: set PG_BIN to the folder of initdb and postgres, or install it (Debian: apt-get install postgresql)")

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }

// findBin looks in $PG_BIN, then in Debian's folders, which are not in PATH
// (newest version first), then in PATH. A PG_BIN that is wrong is an error and
// not passed over: who sets it means that server.
func findBin() (string, error) {
	if dir := os.Getenv("PG_BIN"); dir != "" {
		if !hasServer(dir) {
			return "", fmt.Errorf("PG_BIN=%s holds no initdb and postgres", dir)
		}
		return dir, nil
	}
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	version := func(dir string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		return n
	}
	slices.SortFunc(dirs, func(a, b string) int { return version(b) - version(a) })
	for _, dir := range dirs {
		if hasServer(dir) {
			return dir, nil
		}
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil && hasServer(filepath.Dir(path)) {
			return filepath.Dir(path), nil
		}
	}
	return "", ErrNotFound
}

func hasServer(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.IsDir() {
			return false
		}
	}
	return true
}

// serverUser is the user to run as: nil for this process's own, except that
// PostgreSQL refuses root, who becomes postgres, or nobody where that is
// missing.
func serverUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(errUID, errGID); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

// makeDir makes the server's folder. The system's temporary folder may be too
// deep for a socket's name, or closed to the server's user; then it is /tmp.
func makeDir(base string, owner *syscall.Credential) (string, error) {
	if base == "" {
		base = os.TempDir()
		tooLong := len(filepath.Join(base, "memberd-pg-0123456789", socketName)) > maxSocketPath
		if tooLong || (owner != nil && !openToAll(base)) {
			base = "/tmp"
		}
	}
	base, err := filepath.Abs(base)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(base, "memberd-pg-")
	if err != nil {
		return "", err
	}
	if len(filepath.Join(dir, socketName)) > maxSocketPath {
		return "", errors.Join(fmt.Errorf("%s is too long for a unix socket", dir), os.Remove(dir))
	}
	if owner != nil {
		if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
			return "", errors.Join(err, os.Remove(dir))
		}
	}
	return dir, nil
}

// openToAll says whether any user may pass through all folders of the path.
func openToAll(path string) bool {
	for ; ; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		if path == filepath.Dir(path) {
			return true
		}
	}
}
