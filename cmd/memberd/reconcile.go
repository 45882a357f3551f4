package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/reconcile"
)

type reconcileCommand struct {
	commonFlags
	dayFlags
	File     string `arg:"" name:"file" help:"The partner's CSV file; - reads standard input."`
	Apply    bool   `name:"apply" help:"Carry out what is proposed. Without it nothing is booked."`
	VoidOurs bool   `name:"void-ours" help:"Propose to take back orders and changes of points that the file lacks. The file must have a last line with totals."`
	Operator string `name:"operator" placeholder:"NAME" help:"Who does it (default: the user of this machine)."`
	Reason   string `name:"reason" placeholder:"TEXT" help:"Why; needed with --apply and kept with what is booked."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// Run works while a server does. Every line of the file has been checked, and
// every difference judged, before the first command is carried out.
func (c *reconcileCommand) Run(p *program) error {
	r := &reconciling{p: p, apply: c.Apply, coming: map[string]reconcile.Member{}}
	if c.Apply {
		by, err := (&byFlags{c.Operator, c.Reason}).by()
		if err != nil {
			return err
		}
		r.options.By = by
	}
	d, err := c.open(p)
	if err != nil {
		return err
	}
	defer d.Close()
	r.openDay = d
	if r.file, err = c.read(p, d); err != nil {
		return err
	}
	if c.VoidOurs && !r.file.Whole {
		return wrongly("%s: --void-ours needs a last line with totals (kind total): without it nobody can tell that the file is whole", c.File)
	}
	if c.VoidOurs && d.day.Until > d.now {
		return wrongly("--void-ours needs a day that is over: what is booked since the file was written is not in it")
	}
	r.options.Merchant, r.options.Space, r.options.Day = d.merchant, d.filter.Space, d.day
	r.options.Now, r.options.VoidOurs, r.options.Whole = d.now, c.VoidOurs, r.file.Whole
	if err := r.compare(); err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	stopped := r.carryOut()
	if err := r.print(c.JSON); err != nil {
		return err
	}
	if stopped == nil && r.left() > 0 {
		stopped = &exitError{code: exitNo}
	}
	return stopped
}

func (c *reconcileCommand) read(p *program, d *openDay) (*reconcile.File, error) {
	in := p.stdin
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, wrongly("%w", err)
		}
		defer f.Close()
		in = f
	}
	file, err := reconcile.ReadFile(in, reconcile.Expect{Merchant: d.merchant, Store: d.filter.Store, Day: d.day, Now: d.now})
	if err != nil {
		return nil, wrongly("%s: %w", c.File, err)
	}
	return file, nil
}

// reconciling is one run.
type reconciling struct {
	*openDay
	p           *program
	apply       bool
	options     reconcile.Options
	file        *reconcile.File
	match       *reconcile.Match
	differences []reconcile.Difference
	results     [][]string                  // of the repairs of each difference, as far as they went
	done        []bool                      // all repairs of a difference went well
	coming      map[string]reconcile.Member // whose the orders will be that are to be recorded
}

// compare finds and judges all differences. Refunds of the file come last: an
// order of theirs may have to be recorded before.
func (r *reconciling) compare() (err error) {
	r.match = reconcile.NewMatch(r.day, r.file)
	if err := r.each(r.p, r.match.Line); err != nil {
		return err
	}
	if r.differences, err = r.match.Differences(); err != nil {
		return err
	}
	r.results, r.done = make([][]string, len(r.differences)), make([]bool, len(r.differences))
	for _, last := range []bool{false, true} {
		for i := range r.differences {
			d := &r.differences[i]
			if last != (d.Class == reconcile.OnlyTheirs && d.Theirs.Kind == reconcile.Refund) {
				continue
			}
			facts, err := r.facts(d)
			if err != nil {
				return err
			}
			r.options.Judge(d, facts)
			if recording(d) {
				r.coming[d.Theirs.Number] = facts.Member
			}
		}
	}
	return nil
}

// recording tells whether a difference is an order that will be recorded.
func recording(d *reconcile.Difference) bool { return len(d.Repairs) > 0 && d.Repairs[0].Order != nil }

// facts looks up what the judgement needs.
func (r *reconciling) facts(d *reconcile.Difference) (f reconcile.Facts, err error) {
	switch d.Class {
	case reconcile.OnlyTheirs:
		return r.factsOfTheirs(d.Theirs)
	case reconcile.OnlyOurs, reconcile.Different:
		if f.Fixes, err = r.fixes(d.Ours); err != nil {
			return f, err
		}
		if d.Ours.Kind == reconcile.Refund {
			f.Parent, err = r.order(d.Ours.Parent)
		}
	}
	return f, err
}

func (r *reconciling) factsOfTheirs(t *reconcile.Line) (f reconcile.Facts, err error) {
	if f.Member, err = r.member(t.OpenID, t.MemberID); err != nil {
		return f, err
	}
	switch t.Kind {
	case reconcile.Refund:
		f.Coming = r.coming[t.Parent]
		if f.Parent, err = r.order(t.Parent); err != nil {
			return f, err
		}
		fallthrough
	case reconcile.Order:
		f.Found, err = r.found(t.Number)
		return f, err
	}
	if f.Member.ID == 0 {
		return f, nil
	}
	key := loyalty.KeyID{Space: r.filter.Space, Operation: loyalty.KeyOperation(t.Kind), Key: t.Number}
	if f.Key, err = r.store.KeyUsed(r.p.ctx, f.Member.ID, key); err != nil || t.Kind != reconcile.Change {
		return f, err
	}
	key.Operation = loyalty.KeyRollbackByChange
	barred, err := r.store.KeyUsed(r.p.ctx, f.Member.ID, key)
	f.Void = barred != nil
	return f, err
}

// member is whom a line of the file names, if anybody.
func (r *reconciling) member(openID, memberID string) (reconcile.Member, error) {
	if openID == "" && memberID == "" {
		return reconcile.Member{}, nil
	}
	who := loyalty.Who{Merchant: r.merchant, OpenID: openID}
	who.ID, _ = loyalty.ParseMemberID(memberID)
	m, err := r.store.Member(r.p.ctx, who, loyalty.InstantOf(time.Now()), false)
	switch code, refused := loyalty.CodeOf(err); {
	case refused && (code == loyalty.MemberNotFound || code == loyalty.MembersDisagree):
		return reconcile.Member{}, nil
	case err != nil:
		return reconcile.Member{}, err
	}
	return reconcile.Member{ID: m.ID, OpenID: m.OpenID, Status: m.Status}, nil
}

// lookUp finds an order or a refund by its number; nil for none.
func (r *reconciling) lookUp(no string) (*loyalty.OrderFound, error) {
	if no == "" {
		return nil, nil
	}
	o, _, err := r.store.Order(r.p.ctx, r.merchant, loyalty.OrderKey{Space: r.filter.Space, No: no})
	if errors.Is(err, loyalty.OrderNotFound) {
		return nil, nil
	}
	return &o, err
}

func (r *reconciling) order(no string) (*loyalty.Order, error) {
	o, err := r.lookUp(no)
	if o == nil || err != nil {
		return nil, err
	}
	return &o.Order, nil
}

// found is an order or a refund as a line.
func (r *reconciling) found(no string) (*reconcile.Line, error) {
	o, err := r.lookUp(no)
	if o == nil || err != nil {
		return nil, err
	}
	owner, err := r.member("", loyalty.MemberIDText(o.Member))
	if err != nil {
		return nil, err
	}
	l := reconcile.LineOf(reconcile.DayOrder{Order: o.Order, Store: o.Info.Store}, owner.OpenID)
	return &l, nil
}

// fixes are the corrections that earlier runs have booked for a line.
func (r *reconciling) fixes(l *reconcile.Line) (fixes []reconcile.Fix, err error) {
	numbered := l.Kind == reconcile.Order || l.Kind == reconcile.Refund
	for {
		key := r.options.FixKey(l, len(fixes)+1)
		var fix reconcile.Fix
		row, err := r.store.KeyUsed(r.p.ctx, l.Booked.Member, loyalty.KeyID{Space: r.filter.Space, Operation: reconcile.KeyFix, Key: key})
		switch {
		case err != nil:
			return nil, err
		case row != nil:
			var done loyalty.PointsChanged
			err = json.Unmarshal([]byte(row.Answer), &done)
			if fix.Points = done.Points; done.Direction == loyalty.Debit {
				fix.Points = -done.Points
			}
		case numbered:
			fix.Refund, err = r.order(key)
		default:
			row, err = r.store.KeyUsed(r.p.ctx, l.Booked.Member, loyalty.KeyID{Space: r.filter.Space, Operation: loyalty.KeyRollbackStatement, Key: key})
			if row != nil && err == nil {
				var done loyalty.RolledBack
				err = json.Unmarshal([]byte(row.Answer), &done)
				fix.RolledBack = done.Points
			}
		}
		if err != nil || fix == (reconcile.Fix{}) {
			return fixes, err
		}
		fixes = append(fixes, fix)
	}
}
