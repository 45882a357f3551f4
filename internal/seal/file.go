package seal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Why a platform refuses to start. The texts name the key file's path and the
// environment name, never what is in them.
var (
	// ErrKeyMissing: the database was written with a key, and none is here.
	ErrKeyMissing = errors.New("encryption key missing")
	// ErrKeyMismatch: the key that is here is not the database's.
	ErrKeyMismatch = errors.New("encryption key does not belong to this database")
	// ErrKeyPermissions: others than the owner can read or write the key file.
	ErrKeyPermissions = errors.New("key file is open to others")
)

const (
	// EnvName is the environment name that Source.Text comes from.
	EnvName = "MEMBERD_KEY"
	// keyFileLimit bounds what is read; a keyset with 100 keys has 20 KB.
	keyFileLimit = 1 << 20
)

// CheckStore is the one-row table that remembers which key a database uses.
type CheckStore interface {
	// KeyCheck returns the row's value; found is false when there is none.
	KeyCheck(ctx context.Context) (value string, found bool, err error)
	// InsertKeyCheck stores value if there is no row yet and returns after the
	// commit; inserted is false, without an error, when another one was first.
	InsertKeyCheck(ctx context.Context, value string) (inserted bool, err error)
}

// Source says where the key is. Text (from MEMBERD_KEY) wins over the file, and
// with it nothing is read from or written to the disk.
type Source struct {
	Path string // DATA/memberd.key
	Text string
}

// OpenKeys returns the key of the database behind checks. It makes one only
// for a database that has no key_check row: into a temporary file, synced, then
// linked to Path without overwriting, and only then named in key_check. So a
// crash at any point leaves either no key, or a whole one that the next start
// takes up; and of several processes that start at once on one folder all use
// the file that was linked first. A database that has seen a key is never given
// another: ErrKeyMissing, ErrKeyMismatch, ErrKeyFormat or ErrKeyPermissions.
//
// A process that loses to one with another folder gets ErrKeyMismatch, and the
// key it made stays where it is: deleting key files is left to people.
func OpenKeys(ctx context.Context, checks CheckStore, source Source) (*Keys, error) {
	value, found, err := checks.KeyCheck(ctx)
	if err != nil {
		return nil, fmt.Errorf("read key_check: %w", err)
	}
	keys, err := source.load(!found)
	if err != nil {
		return nil, err
	}
	if !found {
		inserted, err := checks.InsertKeyCheck(ctx, keys.Fingerprint())
		if err != nil {
			return nil, fmt.Errorf("insert key_check: %w", err)
		}
		if inserted {
			return keys, nil
		}
		value, found, err = checks.KeyCheck(ctx)
		if err != nil {
			return nil, fmt.Errorf("read key_check: %w", err)
		}
		if !found {
			return nil, errors.New("key_check was neither inserted nor found")
		}
	}
	if err := keys.Check(value); err != nil {
		return nil, fmt.Errorf("%s: %w; put the key this database was made with there (key file %s or environment %s)",
			source.name(), err, source.Path, EnvName)
	}
	return keys, nil
}

func (s Source) name() string {
	if s.Text != "" {
		return "environment " + EnvName
	}
	return "key file " + s.Path
}

func (s Source) load(mayCreate bool) (*Keys, error) {
	if s.Text != "" {
		keys, err := Parse([]byte(s.Text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name(), err)
		}
		return keys, nil
	}
	if s.Path == "" {
		return nil, fmt.Errorf("%w: neither a key file nor the environment %s is named", ErrKeyMissing, EnvName)
	}
	keys, err := readKeyFile(s.Path)
	if errors.Is(err, fs.ErrNotExist) {
		if !mayCreate {
			return nil, fmt.Errorf("%w: this database holds data encrypted with a key, but there is no key file %s and the environment %s is empty; restore the file from its backup",
				ErrKeyMissing, s.Path, EnvName)
		}
		keys, err = createKeyFile(s.Path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name(), err)
	}
	if mayCreate {
		// Also for a file that another process linked: key_check must not be
		// durable before the name of its key is.
		if err := syncDir(filepath.Dir(s.Path)); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name(), err)
		}
	}
	return keys, nil
}

func readKeyFile(path string) (*Keys, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("stat: %w", err)
	}
	// Windows has no such bits; Go makes them up there.
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%w: mode %04o, expected 0600 (chmod 600 %s)", ErrKeyPermissions, mode, path)
	}
	text, err := io.ReadAll(io.LimitReader(file, keyFileLimit))
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return Parse(text)
}

// createKeyFile returns the key that is at path afterwards: its own, or the one
// of whoever linked first.
func createKeyFile(path string) (*Keys, error) {
	keys, err := Generate()
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create folder: %w", err)
	}
	temporary, err := writeTemporary(dir, keys.Marshal())
	if err != nil {
		return nil, err
	}
	defer os.Remove(temporary)
	err = os.Link(temporary, path)
	if errors.Is(err, fs.ErrExist) {
		return readKeyFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	return keys, nil
}

func writeTemporary(dir string, text []byte) (path string, err error) {
	file, err := os.CreateTemp(dir, ".memberd.key-*") // CreateTemp gives 0600
	if err != nil {
		return "", fmt.Errorf("create temporary file: %w", err)
	}
	defer func() {
		if closeErr := file.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("close temporary file: %w", closeErr)
		}
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	if _, err := file.Write(text); err != nil {
		return "", fmt.Errorf("write temporary file: %w", err)
	}
	if err := file.Sync(); err != nil {
		return "", fmt.Errorf("sync temporary file: %w", err)
	}
	return file.Name(), nil
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // directories can't be synced there
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}
