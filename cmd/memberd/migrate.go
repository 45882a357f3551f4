package main

import (
	"fmt"

	"github.com/memberd/memberd/internal/store/migration"
	"github.com/memberd/memberd/internal/store/sqldb"
)

type migrateCommand struct {
	commonFlags
}

// Run needs no key: migrations touch tables, never what is sealed in them.
func (c *migrateCommand) Run(p *program) error {
	db, err := sqldb.Open(p.ctx, p.common.DatabaseURL())
	if err != nil {
		return err
	}
	defer db.Close()
	before, _, err := migration.Current(p.ctx, db)
	if err != nil {
		return err
	}
	applied, err := migration.Up(p.ctx, db)
	if err != nil {
		return err
	}
	after, _, err := migration.Current(p.ctx, db)
	if err != nil {
		return err
	}
	if applied == 0 {
		fmt.Fprintf(p.stdout, "the database is at version %d, nothing to do\n", after)
		return nil
	}
	fmt.Fprintf(p.stdout, "migrated from version %d to %d\n", before, after)
	return nil
}
