package explain

import (
	"context"
	"fmt"

	"github.com/memberd/memberd/internal/loyalty"
)

// Reader is what is read for an explanation. now is real time.
type Reader interface {
	Entries(ctx context.Context, who loyalty.Who, now loyalty.Instant, direction loyalty.Direction, page, size int) (loyalty.Found, loyalty.EntryPage, error)
	Order(ctx context.Context, merchant string, key loyalty.OrderKey) (loyalty.OrderFound, []loyalty.OrderFound, error)
	// EntriesOfOrder are a member's entries under an order's number, oldest
	// first, whichever call has made them.
	EntriesOfOrder(ctx context.Context, member int64, key loyalty.OrderKey) ([]loyalty.Entry, error)
	// Programme is a version of the settings, and since when it has been in
	// force; nil where it was not kept.
	Programme(ctx context.Context, merchant string, version int64) (*loyalty.Settings, loyalty.Instant, error)
}

// Question names what is to be explained: a statement, or else an order or a
// refund. Who has the merchant, and may say whose it has to be.
type Question struct {
	Who       loyalty.Who
	Statement string
	Order     loyalty.OrderKey
}

// Answer finds what the question names and explains it. Errors are
// MemberNotFound, MembersDisagree, StatementNotFound, StatementForeign and
// OrderNotFound of loyalty, the last also for another member's order, or
// failures of the reader.
func Answer(ctx context.Context, r Reader, q Question, now loyalty.Instant) (loyalty.Found, Explanation, error) {
	f := finder{ctx, r, now}
	s, err := f.subject(q)
	if err != nil {
		return loyalty.Found{}, Explanation{}, err
	}
	var rules *Rules
	if d := s.Decision(); d != nil && d.Version > 0 {
		settings, since, err := r.Programme(ctx, q.Who.Merchant, d.Version)
		if err != nil {
			return loyalty.Found{}, Explanation{}, err
		}
		if settings != nil {
			rules = &Rules{*settings, since}
		}
	}
	return s.Member, Explain(s, rules), nil
}

type finder struct {
	ctx context.Context
	r   Reader
	now loyalty.Instant
}

func (f finder) subject(q Question) (Subject, error) {
	named := q.Who.OpenID != "" || q.Who.Phone != "" || q.Who.ID != 0
	var member int64
	if named {
		found, _, err := f.r.Entries(f.ctx, q.Who, f.now, 0, 1, 1)
		if err != nil {
			return Subject{}, err
		}
		member = found.ID
	}
	if q.Statement != "" {
		return f.statement(q, member)
	}
	o, refunds, err := f.r.Order(f.ctx, q.Who.Merchant, q.Order)
	switch {
	case err != nil:
		return Subject{}, err
	case named && o.Member != member:
		return Subject{}, loyalty.OrderNotFound
	}
	return f.order(q.Who.Merchant, &o, refunds)
}

// statement finds an entry, and where it is an order's own the order.
func (f finder) statement(q Question, member int64) (s Subject, err error) {
	owner, no, ok := loyalty.ParseStatementID(q.Statement)
	switch {
	case !ok:
		return s, loyalty.StatementNotFound
	case member != 0 && owner != member:
		return s, loyalty.StatementForeign
	}
	who := loyalty.Who{Merchant: q.Who.Merchant, ID: owner}
	if s.Member, s.Entry, err = f.entry(who, no); err != nil {
		return s, err
	}
	e := s.Entry
	if e.Kind == loyalty.Grant && e.OrderNo != "" {
		o, refunds, err := f.r.Order(f.ctx, who.Merchant, e.Order())
		switch code, refused := loyalty.CodeOf(err); {
		case refused && code == loyalty.OrderNotFound: // a number of the caller's own
		case err != nil:
			return s, err
		case o.Member == e.Member && o.Kind == loyalty.Purchase && o.Entry == e.No:
			s.Order, s.Refunds = &o, refunds
			if s.Beside, err = f.beside(&o.Order); err != nil {
				return s, err
			}
		}
	}
	if e.Reverses != 0 {
		_, s.Original, err = f.entry(who, e.Reverses)
	}
	return s, err
}

// order finds what belongs to an order or a refund.
func (f finder) order(merchant string, o *loyalty.OrderFound, refunds []loyalty.OrderFound) (s Subject, err error) {
	s.Order, s.Refunds = o, refunds
	who := loyalty.Who{Merchant: merchant, ID: o.Member}
	if o.Entry != 0 {
		s.Member, s.Entry, err = f.entry(who, o.Entry)
	} else {
		s.Member, _, err = f.r.Entries(f.ctx, who, f.now, 0, 1, 1)
	}
	if err != nil {
		return s, err
	}
	if o.Kind != loyalty.Refund {
		s.Beside, err = f.beside(&o.Order)
		return s, err
	}
	if s.Entry != nil && s.Entry.Reverses != 0 {
		if _, s.Original, err = f.entry(who, s.Entry.Reverses); err != nil {
			return s, err
		}
	}
	parent, _, err := f.r.Order(f.ctx, merchant, loyalty.OrderKey{Space: o.Space, No: o.Parent})
	switch code, refused := loyalty.CodeOf(err); {
	case refused && code == loyalty.OrderNotFound:
		return s, nil // it has not come
	case err != nil:
		return s, err
	case parent.Member == o.Member && parent.Kind == loyalty.Purchase:
		s.Parent = &parent
	}
	return s, nil
}

// beside are the grants that came under an order's number and are not its own:
// refunds take those back as well.
func (f finder) beside(o *loyalty.Order) (grants []loyalty.Entry, err error) {
	list, err := f.r.EntriesOfOrder(f.ctx, o.Member, o.OrderKey)
	for _, e := range list {
		if e.Kind == loyalty.Grant && e.No != o.Entry {
			grants = append(grants, e)
		}
	}
	return grants, err
}

// maxTurns bounds how often an entry is looked for again because the ledger has
// grown between two looks.
const maxTurns = 10

// entry reads one entry of a member, also one that is due and has not been
// booked: lists show it with its statement id already. Numbers are dense, so
// the entry's place in the list follows from the total.
func (f finder) entry(who loyalty.Who, no int64) (loyalty.Found, *loyalty.Entry, error) {
	page := int64(1)
	for range maxTurns {
		found, list, err := f.r.Entries(f.ctx, who, f.now, 0, int(page), 1)
		if code, refused := loyalty.CodeOf(err); refused && code == loyalty.MemberNotFound {
			return found, nil, loyalty.StatementNotFound
		}
		if err != nil {
			return found, nil, err
		}
		if no > list.Total {
			return found, nil, loyalty.StatementNotFound
		}
		if len(list.Entries) == 1 && list.Entries[0].No == no {
			return found, &list.Entries[0], nil
		}
		page = list.Total - no + 1
	}
	return loyalty.Found{}, nil, fmt.Errorf("entry %d of member %d: the ledger does not stand still", no, who.ID)
}
