// Package store is all SQL of the product: what a batch of commands loads and
// saves, what the doors and the console read, and what access keeps.
//
// Statements that both engines share are written once with ?. Only the loading
// and saving of a batch has a text for each: PostgreSQL gets arrays, a fixed
// number of statements whatever the size of the batch; SQLite, which has no
// round trips, gets loops of prepared statements.
//
// The package decides nothing. Personal data goes in and out sealed, and is
// looked up by a keyed hash; no value of a row is ever put into an error.
package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
)

// Sealer keeps personal data unreadable at rest: *seal.Keys.
type Sealer interface {
	Seal(plain []byte, scope ...string) (string, error)
	Open(text string, scope ...string) ([]byte, error)
	// Lookup is the text under which a value is found again.
	Lookup(merchant, kind, value string) string
}

// Store is the product's database. It is safe for concurrent use and belongs
// to one process; any number of them may stand on one PostgreSQL.
type Store struct {
	db        *sqldb.DB
	keys      Sealer
	snapshots sync.Map // merchant -> *loyalty.Snapshot, the newest seen
	now       func() time.Time
	crowds    [2]crowd // of look-ups on PostgreSQL: without profile, with it
}

var _ loyalty.Store = (*Store)(nil)

// New works on a database that has been migrated. Closing db is the caller's.
func New(db *sqldb.DB, keys Sealer) *Store {
	return &Store{db: db, keys: keys, now: time.Now}
}

// stored is an identity's value as it stands in its row.
func (s *Store) stored(i loyalty.Identity) string {
	if i.Kind.Secret() {
		return s.keys.Lookup(i.Merchant, string(i.Kind), i.Value)
	}
	return i.Value
}

// classed wraps an error in what it means for a batch. An error that is none
// of the database's own kinds follows from the work given, like a value that
// the database refuses.
func classed(err error) error {
	if err == nil {
		return nil
	}
	for _, sentinel := range []error{loyalty.ErrAgain, loyalty.ErrCulprit, loyalty.ErrUnavailable, loyalty.ErrUnknownOutcome} {
		if errors.Is(err, sentinel) {
			return err
		}
	}
	switch sqldb.Classify(err) {
	case sqldb.Again:
		return fmt.Errorf("%w: %w", loyalty.ErrAgain, err)
	case sqldb.Infrastructure:
		return fmt.Errorf("%w: %w", loyalty.ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", loyalty.ErrCulprit, err)
}

// outage marks an error of a read, or of a small transaction, that came from a
// database which is not to be had, so that a door can tell it from a bug.
func outage(err error) error {
	if err == nil || errors.Is(err, loyalty.ErrUnavailable) || sqldb.Classify(err) != sqldb.Infrastructure {
		return err
	}
	return fmt.Errorf("%w: %w", loyalty.ErrUnavailable, err)
}

// writeAttempts bounds how often a small transaction is begun anew because
// another process was in the way.
const writeAttempts = 5

// write runs one small transaction, again when somebody was in the way.
func (s *Store) write(ctx context.Context, do func(tx *sqldb.Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := s.writeOnce(ctx, do)
		if err == nil || attempt == writeAttempts || sqldb.Classify(err) != sqldb.Again {
			return err
		}
		if commit, ok := errors.AsType[*sqldb.CommitError](err); ok && !commit.RolledBack {
			return err // it may have happened
		}
	}
}

func (s *Store) writeOnce(ctx context.Context, do func(tx *sqldb.Tx) error) error {
	tx, err := s.db.Write(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// each runs a query and hands every row to scan.
func each(ctx context.Context, q sqldb.Queryer, scan func(scanner) error, query string, args ...any) error {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	return drain(rows, scan)
}

func drain(rows sqldb.Rows, scan func(scanner) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

const reserveIDs = `
		INSERT INTO id_block (
			kind,
			next_free
		) VALUES (?, 1 + CAST(? AS BIGINT))
		ON CONFLICT (kind) DO UPDATE SET next_free = id_block.next_free - 1 + excluded.next_free
		RETURNING next_free`

// ReserveIDs hands out n fresh numbers of a kind in a transaction of its own.
// For n = 0 it counts on a row of its own instead, so that the writer can prove
// that writes go through: SQLite would not write a value that is the same.
func (s *Store) ReserveIDs(ctx context.Context, kind loyalty.IDKind, n int64) (first int64, err error) {
	row, step := string(kind), n
	if n == 0 {
		row, step = "probe", 1
	}
	err = s.writeOnce(ctx, func(tx *sqldb.Tx) error {
		var next int64
		if err := tx.QueryRow(ctx, reserveIDs, row, step).Scan(&next); err != nil || n == 0 {
			return err
		}
		first = next - n
		if kind == loyalty.MemberIDs && next-1 > loyalty.MaxMemberID {
			return errors.New("member numbers are used up")
		}
		return nil
	})
	if err != nil {
		return 0, classed(fmt.Errorf("reserve numbers of kind %s: %w", kind, err))
	}
	return first, nil
}
