package main

import (
	"fmt"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/reconcile"
	"github.com/memberd/memberd/internal/writer"
)

// carryOut runs the commands, those that record orders first: refunds of them
// may follow. A refusal concerns its difference alone; what a database that
// cannot be had leaves undone the next run does.
func (r *reconciling) carryOut() error {
	if !r.apply {
		return nil
	}
	w := r.newWriter(writer.Options{})
	defer w.Close()
	for _, first := range []bool{true, false} {
		for i := range r.differences {
			d := &r.differences[i]
			if len(d.Repairs) == 0 || recording(d) != first {
				continue
			}
			if err := r.repair(w, i); err != nil {
				return fmt.Errorf("reconcile: stopped half-way, run it again: %w", err)
			}
		}
	}
	return nil
}

// doneText is the result of a command that went well.
const doneText = "done"

// repair carries out what is proposed for one difference.
func (r *reconciling) repair(w *writer.Writer, i int) error {
	for _, repair := range r.differences[i].Repairs {
		err := r.submit(w, repair)
		if _, refused := loyalty.CodeOf(err); refused {
			r.results[i] = append(r.results[i], "refused: "+explain(err).Error())
			return nil
		}
		if err != nil {
			return err
		}
		r.results[i] = append(r.results[i], doneText)
	}
	r.done[i] = true
	return nil
}

func (r *reconciling) submit(w *writer.Writer, c reconcile.Repair) (err error) {
	switch {
	case c.Order != nil:
		_, err = writer.Submit(r.p.ctx, w, *c.Order)
	case c.Refund != nil:
		_, err = writer.Submit(r.p.ctx, w, *c.Refund)
	case c.Change != nil:
		_, err = writer.Submit[loyalty.PointsChanged](r.p.ctx, w, *c.Change)
	case c.RollBack != nil:
		_, err = writer.Submit(r.p.ctx, w, *c.RollBack)
	}
	return err
}

// left is how many differences are neither settled nor mended. A number that the
// file has twice stays one until the partner's file has it once.
func (r *reconciling) left() (n int) {
	for i, d := range r.differences {
		if !d.Settled() && (!r.done[i] || len(d.Again) > 0) {
			n++
		}
	}
	return n
}

// explained is how many differences are settled: booked elsewhere, by an earlier
// run or by operators.
func (r *reconciling) explained() (n int) {
	for _, d := range r.differences {
		if d.Settled() {
			n++
		}
	}
	return n
}
