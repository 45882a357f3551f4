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
	r.printTotals()
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
	explained := ""
	if n := r.explained(); n > 0 {
		explained = fmt.Sprintf(" %s explained.", count(n, "line"))
	}
	switch open := r.left(); {
	case r.apply:
		return fmt.Sprintf("%d of %s carried out; %s left.%s", carried, count(commands, "command"), count(open, "difference"), explained)
	case commands > 0:
		return fmt.Sprintf("%s.%s Nothing has been booked; --apply would carry out %s.", count(open, "difference"), explained, count(commands, "command"))
	default:
		return fmt.Sprintf("%s.%s Nothing has been booked.", count(open, "difference"), explained)
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
		todo := r.todo(i)
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.Class, rowText(d.Theirs), l.Kind, harmless(l.Number), dash(harmless(openID)),
			r.sideText(d, d.Ours), r.sideText(d, d.Theirs), harmless(todo[0]))
		for n := range max(len(d.Again), len(todo)-1) {
			row, again, more := "", "", ""
			if n < len(d.Again) {
				row, again = rowText(d.Again[n]), r.sideText(d, d.Again[n])
			}
			if n+1 < len(todo) {
				more = harmless(todo[n+1])
			}
			fmt.Fprintf(w, "\t%s\t\t\t\t\t%s\t%s\n", row, again, more)
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
	if len(d.Again) > 0 && d.Class != reconcile.Doubled {
		texts = append(texts, "it stands in the file several times, equally, and counts once: ask the partner")
	}
	return texts
}

// rowText is the line of the file, if it is one of the file's.
func rowText(l *reconcile.Line) string {
	if l == nil {
		return "-"
	}
	return strconv.Itoa(l.Row)
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

// sum is what one class comes to: how many differences there are, and the lines,
// money and points that each side has in them.
type sum struct {
	lines        int
	ours, theirs reconcile.Totals
}

// sums counts the differences by class.
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
		for _, again := range d.Again {
			s.theirs.Add(again)
		}
		all[d.Class] = s
	}
	return all
}

// printTotals is a table of numbers, with the names before it.
func (r *reconciling) printTotals() {
	if len(r.differences) > 0 {
		fmt.Fprintln(r.p.stdout)
	}
	wide := len("TOTALS")
	for _, name := range classNames {
		wide = max(wide, len(name))
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%-*s\tOUR LINES\tTHEIR LINES\tOUR AMOUNT\tTHEIR AMOUNT\tOUR POINTS\tTHEIR POINTS\t\n", wide, "TOTALS")
	row := func(name string, ours, theirs reconcile.Totals) {
		fmt.Fprintf(w, "%-*s\t%d\t%d\t%s\t%s\t%d\t%d\t\n", wide, name,
			ours.Lines, theirs.Lines, yuan(ours.Amount), yuan(theirs.Amount), ours.Points, theirs.Points)
	}
	row("all lines", r.match.Ours, r.file.Totals)
	row("equal", r.match.Equal, r.match.Equal)
	all := r.sums()
	for _, class := range reconcile.Classes {
		if s, ok := all[class]; ok {
			row(classNames[class], s.ours, s.theirs)
		}
	}
	_ = w.Flush() // a builder takes everything
	for line := range strings.Lines(table.String()) {
		fmt.Fprint(r.p.stdout, strings.TrimPrefix(line, "  ")) // the names stand at the edge
	}
}

// count is a number with what it counts, in the plural unless it is one.
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprint(n, " ", what)
}
