package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/seal"
	"github.com/memberd/memberd/internal/store"
	"github.com/memberd/memberd/internal/store/migration"
	"github.com/memberd/memberd/internal/store/sqldb"
	"github.com/memberd/memberd/internal/writer"
)

// platform is an open database with everything that stands on it.
type platform struct {
	db     *sqldb.DB
	keys   *seal.Keys
	store  *store.Store
	access *access.Service
	logger *slog.Logger
	unlock func() // of the data folder; serve only
}

// open opens the database that a subcommand looks at or changes. It must be
// there: a misspelt --data is no new platform.
func (p *program) open(ctx context.Context) (*platform, error) {
	if err := p.mustExist(); err != nil {
		return nil, err
	}
	return p.openWith(ctx, func(pl *platform) error { return pl.fits(ctx) })
}

// openMerchant is open for a subcommand about one merchant, which must be there.
func (p *program) openMerchant(id string) (*platform, *access.Merchant, error) {
	pl, err := p.open(p.ctx)
	if err != nil {
		return nil, nil, err
	}
	merchant, err := pl.access.Merchant(p.ctx, id)
	if err != nil {
		return nil, nil, errors.Join(refused(err, ""), pl.Close())
	}
	return pl, merchant, nil
}

// openOrCreate is open for the subcommand with which a platform begins: a
// database without any table is set up.
func (p *program) openOrCreate(ctx context.Context) (*platform, error) {
	return p.openWith(ctx, func(pl *platform) error {
		have, _, err := migration.Current(ctx, pl.db)
		if err == nil && have == 0 {
			_, err = migration.Up(ctx, pl.db)
		}
		return errors.Join(err, pl.fits(ctx))
	})
}

// mustExist refuses a SQLite file that is not there before opening makes it.
func (p *program) mustExist() error {
	path, lite := strings.CutPrefix(p.common.DatabaseURL(), "sqlite:")
	if !lite {
		return nil
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no database %s; is --data right? A platform begins with memberd serve or memberd merchant create", path)
	}
	return nil
}

// fits refuses a database that is older or newer than this release, because a
// server of that release may be using it.
func (pl *platform) fits(ctx context.Context) error {
	have, want, err := migration.Current(ctx, pl.db)
	switch {
	case err != nil:
		return err
	case have == 0:
		return errors.New("the database is empty; a platform begins with memberd serve or memberd merchant create")
	case have < want:
		return fmt.Errorf("the database is at version %d and this release works with %d: stop the servers and run memberd migrate", have, want)
	case have > want:
		return fmt.Errorf("%w: it is at version %d, this release works with %d", migration.ErrNewer, have, want)
	}
	return nil
}

// openToServe opens the database for a server: it keeps a second one off a
// SQLite folder and migrates.
func (p *program) openToServe(ctx context.Context) (*platform, error) {
	return p.openWith(ctx, func(pl *platform) (err error) {
		if path := pl.db.Path(); path != "" {
			if pl.unlock, err = sqldb.LockFolder(filepath.Dir(path)); err != nil {
				return err
			}
		}
		applied, err := migration.Up(ctx, pl.db)
		if applied > 0 {
			pl.logger.Info("database migrated", "applied", applied)
		}
		return err
	})
}

func (p *program) openWith(ctx context.Context, prepare func(*platform) error) (_ *platform, err error) {
	pl := &platform{logger: p.common.Log.Logger(p.stderr), unlock: func() {}}
	if pl.db, err = sqldb.Open(ctx, p.common.DatabaseURL()); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, pl.Close())
		}
	}()
	if err := prepare(pl); err != nil {
		return nil, err
	}
	pl.keys, err = seal.OpenKeys(ctx, store.KeyChecks(pl.db), seal.Source{Path: p.common.KeyFile(), Text: p.resolver.Key()})
	if err != nil {
		return nil, err
	}
	pl.store = store.New(pl.db, pl.keys)
	pl.access = access.New(pl.store, pl.keys, access.Options{})
	return pl, nil
}

// Close closes the database and gives the folder free.
func (pl *platform) Close() error {
	err := pl.db.Close()
	if pl.unlock != nil {
		pl.unlock()
	}
	return err
}

// newWriter starts the writer that fits the engine.
func (pl *platform) newWriter(opts writer.Options) *writer.Writer {
	opts.Workers = 1
	if pl.db.Dialect() == sqldb.PostgreSQL {
		opts.Workers = 2 // one batch decides while the other commits
	}
	opts.Logger = pl.logger
	return writer.New(pl.store, opts)
}

// submit runs one command through a writer of its own, which takes turns with
// a server at the database.
func submit[R any](ctx context.Context, pl *platform, c loyalty.Command[R]) (R, error) {
	w := pl.newWriter(writer.Options{})
	defer w.Close()
	return writer.Submit(ctx, w, c)
}

// codes makes and reads member codes under the installation's own key.
func (pl *platform) codes() (*loyalty.MemberCodes, error) {
	const keySize = 32
	return loyalty.NewMemberCodes(pl.keys.Derive("member code", keySize))
}
