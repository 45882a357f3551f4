package store

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/sqldb"
	"github.com/memberd/memberd/internal/webhook"
)

const listedColumns = `
	SELECT
		e.member_id,
		e.app_id,
		e.event_no,
		e.kind,
		e.ref,
		e.from_value,
		e.to_value,
		e.at,
		e.state,
		e.attempts,
		e.done_at,
		e.failure,
		CASE WHEN r.member_id IS NULL THEN 0 ELSE 1 END`

const joinResend = `
	LEFT JOIN callback_resend r ON r.member_id = e.member_id
		AND r.app_id = e.app_id
		AND r.event_no = e.event_no`

// callbackList is the statement for a filter.
func callbackList(f webhook.Filter) (text string, args []any) {
	from, where, order, args := callbackWay(f)
	where += `
		AND CASE WHEN e.state IN (2, 4) THEN e.done_at ELSE e.at END BETWEEN ? AND ?`
	until, limit := f.Until-1, int64(f.Limit)
	if f.Until == 0 {
		until = math.MaxInt64
	}
	if f.Limit == 0 {
		limit = math.MaxInt64
	}
	return listedColumns + from + joinResend + where + order + `
	LIMIT ?`, append(args, f.Since, until, limit)
}

// callbackWay is how the events of a filter are found: each by a key or an
// index of its own.
func callbackWay(f webhook.Filter) (from, where, order string, args []any) {
	from = `
	FROM callback_event e`
	where = `
	WHERE e.app_id = ?`
	order = `
	ORDER BY e.member_id, e.event_no`
	args = []any{f.App}
	switch {
	case f.Member != 0:
		where += `
		AND e.member_id = ?
		AND e.event_no BETWEEN ? AND ?`
		first, last := int64(1), int64(math.MaxInt64)
		if f.No != 0 {
			first, last = f.No, f.No
		}
		args = append(args, f.Member, first, last)
		if f.State != 0 {
			where += `
		AND e.state = ?`
			args = append(args, int64(f.State))
		}
	case f.State == webhook.StateParked:
		where += `
		AND e.state = 3`
	case f.State == webhook.StateWaiting:
		from = `
	FROM callback_stream s
	JOIN callback_event e ON e.member_id = s.member_id
		AND e.app_id = s.app_id
		AND e.event_no > s.done_no`
		where = `
	WHERE s.app_id = ?
		AND s.next_at < 9223372036854775807`
	default:
		where += `
		AND e.state IN (2, 4)
		AND e.state = ?
		AND e.done_at >= ?`
		order = `
	ORDER BY e.done_at, e.member_id, e.event_no`
		args = append(args, int64(f.State), f.Since)
	}
	return from, where, order, args
}

// EachCallback hands over the events that a filter selects: by member and
// number, delivered and dropped ones by when they were. It ends at the first
// error of do.
func (s *Store) EachCallback(ctx context.Context, f webhook.Filter, do func(webhook.Listed) error) (err error) {
	defer func() { err = outage(err) }()
	text, args := callbackList(f)
	return wrapped("list callbacks", each(ctx, s.db.Read(), func(row scanner) error {
		var l webhook.Listed
		var resend int64
		err := row.Scan(&l.Member, &l.App, &l.No, &l.Kind, &l.Ref, &l.From, &l.To, &l.At,
			&l.State, &l.Attempts, &l.DoneAt, &l.Failure, &resend)
		if err != nil {
			return err
		}
		l.Resend = resend == 1
		return do(l)
	}, text, args...))
}

// A resend that is being sent just now keeps its claim.
const insertResend = `
	INSERT INTO callback_resend (
		member_id,
		event_no,
		next_at,
		attempts,
		failing_since,
		app_id,
		lease_owner
	) VALUES (?, ?, 0, 0, 0, ?, '')
	ON CONFLICT (member_id, app_id, event_no) DO UPDATE SET
		next_at = 0,
		attempts = 0,
		failing_since = 0
	WHERE callback_resend.lease_owner = ''`

// A waiting event is tried at once, in its place in the stream.
const hurryStream = `
	UPDATE callback_stream SET next_at = 0
	WHERE member_id = ?
		AND app_id = ?
		AND next_at < 9223372036854775807
		AND lease_owner = ''`

// resendStep bounds one transaction of resending.
const resendStep = 200

// ResendCallbacks has the events that a filter selects sent again under their
// numbers, apart from their streams; waiting ones are tried now. Dropped ones
// are left out. It returns how many it took.
func (s *Store) ResendCallbacks(ctx context.Context, f webhook.Filter) (n int, err error) {
	defer func() { err = outage(err) }()
	var batch []webhook.Listed
	flush := func() error {
		err := s.write(ctx, func(tx *sqldb.Tx) error { return resend(ctx, tx, batch) })
		if err == nil {
			n += len(batch)
			batch = batch[:0]
		}
		return err
	}
	err = s.EachCallback(ctx, f, func(l webhook.Listed) error {
		if l.State == webhook.StateDropped {
			return nil
		}
		if batch = append(batch, l); len(batch) < resendStep {
			return nil
		}
		return flush()
	})
	if err == nil && len(batch) > 0 {
		err = flush()
	}
	return n, wrapped("send callbacks again", err)
}

// resend takes locks in the order in which Record does.
func resend(ctx context.Context, tx *sqldb.Tx, events []webhook.Listed) (err error) {
	slices.SortFunc(events, func(a, b webhook.Listed) int {
		return cmp.Or(cmp.Compare(a.Member, b.Member), cmp.Compare(a.App, b.App), cmp.Compare(a.No, b.No))
	})
	var last webhook.Claim // of the waiting ones, which come by streams
	for _, e := range events {
		stream := webhook.Claim{Member: e.Member, App: e.App}
		switch {
		case e.State != webhook.StateWaiting:
			_, err = tx.Exec(ctx, insertResend, e.Member, e.No, e.App)
		case stream != last:
			last = stream
			_, err = tx.Exec(ctx, hurryStream, e.Member, e.App)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

const selectEntryByNo = `SELECT ` + entryColumns + `
	FROM entry
	WHERE member_id = ?
		AND entry_no = ?`

// Entry is one line of a member's ledger.
func (s *Store) Entry(ctx context.Context, member, no int64) (_ loyalty.Entry, err error) {
	defer func() { err = outage(err) }()
	e, err := scanEntry(s.db.Read().QueryRow(ctx, selectEntryByNo, member, no))
	return e, wrapped("entry", err)
}

const selectCouponBySeq = `SELECT ` + couponColumns + `
	FROM coupon
	WHERE member_id = ?
		AND coupon_seq = ?`

// Coupon is one coupon of a member, by its number with the member, and its
// template.
func (s *Store) Coupon(ctx context.Context, member, seq int64) (_ loyalty.HeldCoupon, err error) {
	defer func() { err = outage(err) }()
	tx, err := s.db.ReadTx(ctx)
	if err != nil {
		return loyalty.HeldCoupon{}, wrapped("coupon", err)
	}
	defer tx.Close()
	c, err := scanCoupon(tx.QueryRow(ctx, selectCouponBySeq, member, seq))
	if err != nil {
		return loyalty.HeldCoupon{}, wrapped("coupon", err)
	}
	list, err := held(ctx, tx, []loyalty.Coupon{c})
	if err != nil {
		return loyalty.HeldCoupon{}, wrapped("coupon", err)
	}
	return list[0], nil
}
