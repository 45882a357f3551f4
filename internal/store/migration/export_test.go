package migration

import (
	"context"
	"io/fs"
	"testing/fstest"

	"github.com/memberd/memberd/internal/store/sqldb"
)

// UpTo brings a database to an older version, as a build of that time did.
func UpTo(ctx context.Context, db *sqldb.DB, version int64) error {
	old := fstest.MapFS{}
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.PostgreSQL} {
		all, err := versions(files, dialect)
		if err != nil {
			return err
		}
		for number, name := range all {
			if number > version {
				continue
			}
			content, err := fs.ReadFile(files, name)
			if err != nil {
				return err
			}
			old[name] = &fstest.MapFile{Data: content}
		}
	}
	_, err := up(ctx, db, old)
	return err
}
