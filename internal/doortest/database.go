package doortest

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/seal"
	"github.com/memberd/memberd/internal/store"
	"github.com/memberd/memberd/internal/store/migration"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// database is the real store on a SQLite file of its own.
type database struct {
	db    *sqldb.DB
	store *store.Store
}

func openDatabase(t testing.TB, keys *seal.Keys) *database {
	t.Helper()
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "memberd.db"))
	must(t, err)
	_, err = migration.Up(ctx, db)
	must(t, err)
	return &database{db: db, store: store.New(db, keys)}
}

func (d *database) close(t testing.TB) {
	t.Helper()
	if err := d.db.Close(); err != nil {
		t.Error(err)
	}
}

// verify recomputes every member, range after range.
func (d *database) verify(t testing.TB) (all []loyalty.Difference) {
	t.Helper()
	for from := int64(1); from != 0; {
		next, _, diffs, err := d.store.Verify(context.Background(), from, store.MaxVerify)
		if err != nil {
			t.Errorf("verify: %v", err)
			return all
		}
		all, from = append(all, diffs...), next
	}
	return all
}
