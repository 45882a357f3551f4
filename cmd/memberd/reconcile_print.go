package main

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/memberd/memberd/internal/reconcile"
)

// classNames are the classes as a report calls them.
var classNames = map[reconcile.Class]string{
	reconcile.OnlyTheirs: "only theirs (missing here)", reconcile.OnlyOurs: "only ours (missing there)",
	reconcile.Doubled: "doubled in the file", reconcile.Different: "different", reconcile.OtherMember: "other member",
	reconcile.Elsewhere: "booked elsewhere", reconcile.Repaired: "repaired before", reconcile.ByOperators: "by operators",
}

func (r *reconciling) print(asJSON bool) error {
	if asJSON {
		return r.p.printJSON(r.document())
	}
	p := r.p
	if len(r.file.Ignored) > 0 {
		fmt.Fprintf(p.stdout, "Columns that mean nothing here: %s\n", harmless(strings.Join(r.file.Ignored, ", ")))
	}
	if !r.file.Whole {
		fmt.Fprintln(p.stdout, "The file has no last line with totals: whether it is whole cannot be told.")
	}
	if err := r.printDifferences(); err != nil {
		return err
	}
	if err := r.printTotals(); err != nil {
		return err
	}
	fmt.Fprintln(p.stdout, "\n"+r.verdict())
	return nil
}

// verdict is the last line.
func (r *reconciling) verdict() string {
	commands, carried := 0, 0
	for i, d := range r.differences {
		commands += len(d.Repairs)
		for _, result := range r.results[i] {
			if result == doneText {
				carried++
			}
		}
	}
	switch open := r.left(); {
	case r.apply:
		return fmt.Sprintf("%d of %s carried out; %s left.", carried, count(commands, "command"), count(open, "difference"))
	case commands > 0:
		return fmt.Sprintf("%s. Nothing has been booked; --apply would carry out %s.", count(open, "difference"), count(commands, "command"))
	default:
		return fmt.Sprintf("%s. Nothing has been booked.", count(open, "difference"))
	}
}

func (r *reconciling) printDifferences() error {
	if len(r.differences) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(r.p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CLASS\tLINE\tKIND\tNUMBER\tOPEN ID\tOURS\tTHEIRS\tWHAT TO DO")
	for i := range r.differences {
		d := &r.differences[i]
		l := d.Theirs
		if l == nil {
			l = d.Ours
		}
		openID := l.OpenID
		if openID == "" && d.Ours != nil {
			openID = d.Ours.OpenID
		}
		for n, todo := range r.todo(i) {
			if n > 0 {
				fmt.Fprintf(w, "\t\t\t\t\t\t\t%s\n", harmless(todo))
				continue
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.Class, rowsText(d), l.Kind, harmless(l.Number), dash(harmless(openID)),
				r.sideText(d, d.Ours), r.sideText(d, d.Theirs), harmless(todo))
		}
	}
	return w.Flush()
}

// todo is what is or was done about a difference, one text each.
func (r *reconciling) todo(i int) (texts []string) {
	d := &r.differences[i]
	for n, repair := range d.Repairs {
		text := repair.Text
		if n < len(r.results[i]) {
			text = r.results[i][n] + ": " + text
		} else if r.apply {
			text = "not done: " + text
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		texts = []string{"nothing: " + d.Why}
	}
	return texts
}

func rowsText(d *reconcile.Difference) string {
	if d.Theirs == nil {
		return "-"
	}
	rows := strconv.Itoa(d.Theirs.Row)
	for _, row := range d.Again {
		rows += "," + strconv.Itoa(row)
	}
	return rows
}

// sideText is what one side says: where both say something, of the fields that
// differ only.
func (r *reconciling) sideText(d *reconcile.Difference, l *reconcile.Line) string {
	if l == nil {
		return "-"
	}
	var words []string
	for _, f := range shownFields(d) {
		if text := r.valueOf(l, f); text != "" {
			words = append(words, string(f)+" "+harmless(text))
		}
	}
	return dash(strings.Join(words, ", "))
}

func shownFields(d *reconcile.Difference) []reconcile.Field {
	if len(d.Fields) > 0 && d.Ours != nil && d.Theirs != nil {
		return d.Fields
	}
	return []reconcile.Field{reconcile.FieldAmount, reconcile.FieldPoints}
}

// valueOf is a field of a line, "" where the line does not say it.
func (r *reconciling) valueOf(l *reconcile.Line, f reconcile.Field) string {
	switch f {
	case reconcile.FieldKind:
		return string(l.Kind)
	case reconcile.FieldMember:
		if l.OpenID == "" {
			return l.MemberID
		}
		return l.OpenID
	case reconcile.FieldParent:
		return l.Parent
	case reconcile.FieldConsumed:
		return l.Consumed.Text(r.day.Zone)
	case reconcile.FieldAmount:
		if l.Kind == reconcile.Order || l.Kind == reconcile.Refund {
			return yuan(l.Amount)
		}
		return ""
	case reconcile.FieldPoints:
		if l.NoPoints {
			return ""
		}
		return strconv.FormatInt(l.Points, 10)
	case reconcile.FieldStore:
		return l.Store
	}
	return l.State
}

// sum is what one class comes to.
type sum struct {
	lines        int
	ours, theirs reconcile.Totals
}

// sums counts the differences by class; the money and points are what each
// side has in them.
func (r *reconciling) sums() map[reconcile.Class]sum {
	all := map[reconcile.Class]sum{}
	for i := range r.differences {
		d := &r.differences[i]
		s := all[d.Class]
		s.lines++
		if d.Ours != nil {
			s.ours.Add(d.Ours)
		}
		if d.Theirs != nil {
			s.theirs.Add(d.Theirs)
		}
		all[d.Class] = s
	}
	return all
}

func (r *reconciling) printTotals() error {
	w := tabwriter.NewWriter(r.p.stdout, 0, 0, 2, ' ', 0)
	if len(r.differences) > 0 {
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "TOTALS\tLINES\tOUR AMOUNT\tTHEIR AMOUNT\tOUR POINTS\tTHEIR POINTS")
	ours, theirs := r.match.Ours, r.file.Totals
	fmt.Fprintf(w, "all lines\t%d, %d\t%s\t%s\t%d\t%d\n", ours.Lines, theirs.Lines, yuan(ours.Amount), yuan(theirs.Amount), ours.Points, theirs.Points)
	fmt.Fprintf(w, "equal\t%d\n", r.match.Equal)
	all := r.sums()
	for _, class := range reconcile.Classes {
		if s, ok := all[class]; ok {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%d\t%d\n", classNames[class], s.lines, yuan(s.ours.Amount), yuan(s.theirs.Amount), s.ours.Points, s.theirs.Points)
		}
	}
	return w.Flush()
}

// count is a number with what it counts, in the plural unless it is one.
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprint(n, " ", what)
}
