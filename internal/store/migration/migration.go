// Package migration brings a database to the tables that this program works
// with. The two engines have a folder each, because SQLite's STRICT and WITHOUT
// ROWID cannot be said to PostgreSQL; a version number means the same tables
// and columns in both.
//
// A published file is never changed: a later one corrects it. There is no way
// down; who wants back restores a backup. The package never prints.
package migration

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/memberd/memberd/internal/store/sqldb"
)

//go:embed sqlite/*.sql postgres/*.sql
var files embed.FS

// ErrNewer is returned when a later release has already changed the database.
var ErrNewer = errors.New("the database was migrated by a newer release")

// historyTable is where the versions that were applied are kept.
const historyTable = "goose_db_version"

// On PostgreSQL another process that migrates is waited for: asked every
// second, given up after ten minutes.
const (
	lockPeriodSeconds = 1
	lockAttempts      = 600
)

// Up applies the migrations that are missing, each in a transaction of its own,
// and returns how many. Any number of processes may call it at once on one
// database: they take turns, and the later ones find nothing to do. A database
// that is ahead of this program is refused with ErrNewer.
func Up(ctx context.Context, db *sqldb.DB) (applied int, err error) {
	return up(ctx, db, files)
}

// Current returns the version of the database (0 for an empty one) and the one
// that this program works with. It changes nothing, so readiness may ask often.
func Current(ctx context.Context, db *sqldb.DB) (have, want int64, err error) {
	return current(ctx, db, files)
}

func up(ctx context.Context, db *sqldb.DB, files fs.FS) (applied int, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("migrate: %w", err)
		}
	}()
	// goose knows no lock for SQLite, and its table would take one version twice.
	unlock, err := db.LockSchema(ctx)
	if err != nil {
		return 0, err
	}
	defer unlock()
	have, want, err := current(ctx, db, files)
	if err != nil {
		return 0, err
	}
	if have > want {
		return 0, fmt.Errorf("%w: it is at version %d, this one knows up to %d", ErrNewer, have, want)
	}
	pool, err := db.OpenSQL()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	folder, err := fs.Sub(files, db.Dialect().String())
	if err != nil {
		return 0, err
	}
	options := []goose.ProviderOption{goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true)}
	dialect := goose.DialectSQLite3
	if db.Dialect() == sqldb.PostgreSQL {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockPeriodSeconds, lockAttempts))
		if err != nil {
			return 0, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, pool, folder, options...)
	if err != nil {
		return 0, err
	}
	results, err := provider.Up(ctx)
	return len(results), err
}

func current(ctx context.Context, db *sqldb.DB, files fs.FS) (have, want int64, err error) {
	if want, err = latest(files, db.Dialect()); err != nil {
		return 0, 0, err
	}
	query := "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
	if db.Dialect() == sqldb.PostgreSQL {
		query = "SELECT count(to_regclass(?))"
	}
	var tables int64
	if err := db.Read().QueryRow(ctx, query, historyTable).Scan(&tables); err != nil {
		return 0, 0, fmt.Errorf("migration version: %w", err)
	}
	if tables == 0 {
		return 0, want, nil
	}
	err = db.Read().QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM "+historyTable).Scan(&have)
	if err != nil {
		return 0, 0, fmt.Errorf("migration version: %w", err)
	}
	return have, want, nil
}

// latest is the highest number of the engine's files.
func latest(files fs.FS, dialect sqldb.Dialect) (int64, error) {
	versions, err := versions(files, dialect)
	if err != nil {
		return 0, err
	}
	var last int64
	for version := range versions {
		last = max(last, version)
	}
	return last, nil
}

// versions are the engine's files by number.
func versions(files fs.FS, dialect sqldb.Dialect) (map[int64]string, error) {
	names, err := fs.Glob(files, dialect.String()+"/*.sql")
	if err != nil {
		return nil, err
	}
	found := make(map[int64]string, len(names))
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return nil, fmt.Errorf("migration file %s: %w", name, err)
		}
		if other, ok := found[version]; ok {
			return nil, fmt.Errorf("migration files %s and %s have one number", other, name)
		}
		found[version] = name
	}
	return found, nil
}
