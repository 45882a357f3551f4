package reconcile

import (
	"encoding/csv"
	"io"

	"github.com/memberd/memberd/internal/loyalty"
)

// The words of the column state. A line without one counts, as a booked one.
const (
	booked   = "booked"
	parked   = "parked"   // a refund that waits for its order
	declined = "declined" // a refund that did not fit its order
)

var states = map[string]string{"": "", booked: booked, parked: parked, declined: declined}

var stateNames = map[loyalty.OrderState]string{loyalty.Booked: booked, loyalty.Parked: parked, loyalty.Declined: declined}

// Writer writes the day's file: a line with the names of the columns, a line for
// each order, refund and change, and a last one with the totals. Lines end in a
// line feed.
type Writer struct {
	csv      *csv.Writer
	merchant string
	day      Day
	Totals   Totals
	Kinds    map[Kind]Totals
}

// NewWriter begins a file.
func NewWriter(w io.Writer, merchant string, d Day) *Writer {
	out := &Writer{csv: csv.NewWriter(w), merchant: merchant, day: d, Kinds: map[Kind]Totals{}}
	_ = out.csv.Write(columnNames[:]) // its error comes again
	return out
}

// Write writes one line of the platform's.
func (w *Writer) Write(l Line) error {
	w.Totals.Add(&l)
	kind := w.Kinds[l.Kind]
	kind.Add(&l)
	w.Kinds[l.Kind] = kind
	record := [columnCount]string{
		colKind: string(l.Kind), colNumber: Guarded(l.Number), colParent: Guarded(l.Parent), colOpenID: l.OpenID, colMemberID: l.MemberID,
		colBooked: w.day.clock(l.Booked.At), colAmount: Yuan(l.Amount), colPoints: number(l.Points), colStatement: l.Booked.Statement,
		colStore: Guarded(l.Store), colApp: l.Booked.App, colState: l.State,
	}
	if l.Consumed.Step != 0 {
		record[colConsumed] = w.day.clock(l.Consumed.At)
	}
	return w.write(record)
}

func (w *Writer) write(record [columnCount]string) error {
	record[colMerchant], record[colDate] = w.merchant, w.day.Date
	return w.csv.Write(record[:])
}

// End writes the totals; a file without that line is not whole.
func (w *Writer) End() error {
	if err := w.write([columnCount]string{
		colKind: string(total), colNumber: number(int64(w.Totals.Lines)), colAmount: Yuan(w.Totals.Amount), colPoints: number(w.Totals.Points),
	}); err != nil {
		return err
	}
	w.csv.Flush()
	return w.csv.Error()
}
