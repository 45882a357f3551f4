package loyalty

import (
	"context"
	"errors"
)

// Store is what the writer needs of a database. A batch is one transaction
// that begins before the first Load.
type Store interface {
	Begin(ctx context.Context) (Tx, error)
	// ReserveIDs hands out n fresh numbers of a kind, the first of which it
	// returns. Numbers that are not used are lost; gaps are allowed. For n = 0 it
	// writes all the same: the writer asks so whether writes go through.
	ReserveIDs(ctx context.Context, kind IDKind, n int64) (first int64, err error)
}

// Tx is one batch in a database. Its errors wrap one of the sentinels below.
type Tx interface {
	// Load reads everything that refs name, in two waves: look-ups and the
	// merchants' settings first; then it locks the members in ascending order,
	// reads their rows, and checks again what the first wave found.
	Load(ctx context.Context, refs []Refs) (*WorkingSet, error)
	Save(ctx context.Context, c Changes) error
	Commit(ctx context.Context) error
	// Rollback gives up what has not been committed. After Commit it does nothing.
	Rollback()
}

// What a store's errors mean for the batch.
var (
	// ErrAgain: another process was in the way. Nothing was saved; the whole
	// batch can be loaded and decided again.
	ErrAgain = errors.New("again")
	// ErrCulprit: the database refuses a value. One command of the batch is to
	// blame.
	ErrCulprit = errors.New("refused by the database")
	// ErrUnavailable: the database is not to be had. Nothing was saved.
	ErrUnavailable = errors.New("database unavailable")
	// ErrUnknownOutcome: a commit failed in a way that leaves open whether it
	// happened. The batch must not be run again.
	ErrUnknownOutcome = errors.New("outcome of the commit unknown")
)
