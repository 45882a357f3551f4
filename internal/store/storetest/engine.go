// Package storetest is what every database under the product must do, as one
// suite that runs on each: what is saved is what is loaded, conflicts between
// processes end in a new attempt and never in a deadlock, reads agree with a
// naive model, and Verify finds whatever was tampered with.
//
// It also opens databases for other packages' tests. Production code never
// imports it.
package storetest

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
	"github.com/memberd/memberd/internal/pgtest"
	"github.com/memberd/memberd/internal/seal"
	"github.com/memberd/memberd/internal/store"
	"github.com/memberd/memberd/internal/store/migration"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// Engine is a migrated, empty database of a test's own.
type Engine struct {
	DB    *sqldb.DB
	Keys  *seal.Keys
	Store *store.Store
	url   string
}

// keys are made once: what is sealed differs anyway.
var keys = sync.OnceValues(seal.Generate)

// SQLite opens a new file.
func SQLite(t testing.TB) *Engine {
	t.Helper()
	e := open(t, "sqlite:"+filepath.Join(t.TempDir(), "memberd.db"))
	if _, err := migration.Up(t.Context(), e.DB); err != nil {
		t.Fatal(err)
	}
	return e
}

// Postgres opens a new database on the test's own server.
func Postgres(t testing.TB) *Engine {
	t.Helper()
	return open(t, pgtest.New(t, migrate))
}

func migrate(url string) error {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, url)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = migration.Up(ctx, db)
	return err
}

func open(t testing.TB, url string) *Engine {
	t.Helper()
	k, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqldb.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &Engine{DB: db, Keys: k, Store: store.New(db, k), url: url}
}

// Another is a second process on the same database.
func (e *Engine) Another(t testing.TB) *Engine {
	t.Helper()
	return open(t, e.url)
}

// AddMerchants stores merchants with the given rules.
func (e *Engine) AddMerchants(t testing.TB, rules ...*loyalty.Snapshot) {
	t.Helper()
	for _, r := range rules {
		row := access.MerchantRow{
			ID: r.Merchant, Name: r.Merchant, Sandbox: r.ClockOffset != 0, ClockOffset: r.ClockOffset,
			Zone: r.Zone, PlatformKey: "sealed", CreatedAt: 1,
		}
		if err := e.Store.InsertMerchant(t.Context(), row, r.Document()); err != nil {
			t.Fatal(err)
		}
		for _, app := range r.Apps {
			if err := e.Store.InsertApp(t.Context(), access.AppRow{
				ID: app, MerchantID: r.Merchant, Name: app, CallbackURL: "http://partner.example/", CreatedAt: 1,
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Stored is how an identity's value stands in its row.
func (e *Engine) Stored(i loyalty.Identity) string {
	if i.Kind.Secret() {
		return e.Keys.Lookup(i.Merchant, string(i.Kind), i.Value)
	}
	return i.Value
}

// Target is the engine as a store under loyaltytest.
func (e *Engine) Target() loyaltytest.Target {
	return loyaltytest.Target{
		Store:  e.Store,
		Stored: e.Stored,
		Dump: func(ctx context.Context) (loyaltytest.State, error) {
			return Dump(ctx, e.DB, e.Keys)
		},
	}
}

// Exec changes rows behind the store's back.
func (e *Engine) Exec(t testing.TB, query string, args ...any) {
	t.Helper()
	tx, err := e.DB.Write(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}
