package sms

import "context"

// Issue is what one send writes. Phone, Code and the subjects of Counts that
// are personal data are keyed hashes.
type Issue struct {
	Merchant, Phone string
	ID              string // of this send, unlike every other
	Code            string
	SentAt          int64 // unix ms
	ExpiresAt       int64 // unix ms; at this instant the code is no longer good
	// SentBefore is the latest send to the phone after which this one may
	// follow, in unix ms.
	SentBefore int64
	// KeptUntil is when the row is of no use to anybody, unix ms.
	KeptUntil int64
	// Counts are what the send counts against, in the one order in which all
	// sends name them.
	Counts []Count
}

// Count is a counter and its limit.
type Count struct {
	Kind      string // phone, app or source
	Subject   string
	Period    string // the merchant's day or the hour
	Limit     int    // at least 1
	KeptUntil int64  // unix ms
}

// Attempt is one try at a code. Phone and Code are keyed hashes.
type Attempt struct {
	Merchant, Phone string
	Code            string
	Now             int64 // unix ms
	Limit           int   // wrong attempts, after which a code is void
	Purpose         Purpose
}

// Storage is what the package needs from a database. Every method is one
// transaction of its own and returns after its commit; what it wrote is then
// seen by every process.
type Storage interface {
	// IssueCode does, in one transaction: put the code in the place of the
	// phone's older one, or ErrTooMany when that was sent after SentBefore;
	// count one more on each of Counts, or ErrTooMany when one of them has
	// Limit already; delete a bounded number of rows whose KeptUntil has
	// passed at SentAt. A refusal or failure changes nothing.
	//
	// The rows are written in that order, so that sends for one phone, app or
	// source take turns and never lock each other out.
	IssueCode(ctx context.Context, i Issue) error

	// WithdrawCode undoes an Issue whose message was not sent: the code goes,
	// unless another send has replaced it, and each counter gets its one back.
	WithdrawCode(ctx context.Context, i Issue) error

	// TryCode does, in one transaction: count one more wrong attempt on the
	// phone's code that is alive at Now and has fewer than Limit; only then
	// compare, in constant time. If the code is right and not used for another
	// purpose, and used for the same one only if that is Repeatable, it marks
	// the code as used, takes the count back and returns true. Everything else
	// is false, with the attempt counted.
	TryCode(ctx context.Context, a Attempt) (bool, error)
}
