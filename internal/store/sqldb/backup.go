package sqldb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrUseDump is returned by Backup on PostgreSQL, which has its own tools.
var ErrUseDump = errors.New("back up PostgreSQL with its own tools, for example pg_dump -Fc")

// Backup writes a consistent copy of a SQLite database to a new file (mode
// 0600), on a live server too: it reads one snapshot, compacts, and is on disk
// when it returns. An existing file is refused with an error that is
// fs.ErrExist; a copy that failed is removed.
func (db *DB) Backup(ctx context.Context, file string) (err error) {
	if db.lite == nil {
		return ErrUseDump
	}
	if db.closed.Load() {
		return ErrClosed
	}
	// Absolute, because SQLite would take a name that begins with file: for a URL.
	file, err = filepath.Abs(file)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	// SQLite fills an empty file; making it here decides who may read it.
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			err = fmt.Errorf("backup: %w", errors.Join(err, os.Remove(file)))
		}
	}()
	if err := db.vacuumInto(ctx, file); err != nil {
		return err
	}
	// SQLite writes the copy without fsync.
	if err := f.Sync(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}

// vacuumInto uses a connection of its own: the readers' cannot write, not even
// elsewhere, and the writer's would stop all changes until the copy is done.
func (db *DB) vacuumInto(ctx context.Context, file string) (err error) {
	conn, err := openConn(db.lite.path, commonPragmas)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	defer interruptAfter(ctx, conn)()
	_, err = conn.Exec("VACUUM INTO ?", file)
	return errors.Join(ctx.Err(), err)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
