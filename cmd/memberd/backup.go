package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/memberd/memberd/internal/seal"
	"github.com/memberd/memberd/internal/store/migration"
	"github.com/memberd/memberd/internal/store/sqldb"
)

type backupCommand struct {
	commonFlags
	Target string `arg:"" name:"file" help:"The file to write; it must not exist."`
}

// Run works while a server does: the copy is one snapshot. It needs no key, and
// puts none into the copy.
func (c *backupCommand) Run(p *program) error {
	if err := p.mustExist(); err != nil {
		return err
	}
	db, err := sqldb.Open(p.ctx, p.common.DatabaseURL())
	if err != nil {
		return err
	}
	defer db.Close()
	if have, _, err := migration.Current(p.ctx, db); err != nil {
		return err
	} else if have == 0 {
		return errors.New("the database is empty; is --data the right folder?")
	}
	err = db.Backup(p.ctx, c.Target)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already; a backup never overwrites", c.Target)
	}
	if err != nil {
		return err
	}
	info, err := os.Stat(c.Target)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "wrote %s (%d bytes)\n", c.Target, info.Size())
	key := p.common.KeyFile()
	if p.resolver.Key() != "" {
		key = "what the environment " + seal.EnvName + " holds"
	}
	fmt.Fprintf(p.stdout, "The encryption key is not in it. Save %s apart: without it personal data and secrets cannot be read.\n", key)
	return nil
}
