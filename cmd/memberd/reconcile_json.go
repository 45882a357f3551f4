package main

import "github.com/memberd/memberd/internal/reconcile"

// reconciled is the whole answer for programs.
type reconciled struct {
	Merchant    string             `json:"merchant_id"`
	Date        string             `json:"date"`
	Zone        string             `json:"zone"`
	Applied     bool               `json:"applied"`
	Whole       bool               `json:"file_has_totals"`
	Ignored     []string           `json:"columns_ignored"`
	Ours        reconcile.Totals   `json:"ours"`
	Theirs      reconcile.Totals   `json:"theirs"`
	Equal       int                `json:"equal"`
	Open        int                `json:"differences_left"`
	Explained   int                `json:"lines_explained"`
	Classes     map[string]int     `json:"classes"`
	Differences []listedDifference `json:"differences"`
}

type listedDifference struct {
	Class    string         `json:"class"`
	Settled  bool           `json:"settled"`
	Lines    []int          `json:"lines"` // of the file
	Kind     string         `json:"kind"`
	Number   string         `json:"number"`
	Fields   []string       `json:"fields"`
	Ours     *listedLine    `json:"ours"`
	Theirs   *listedLine    `json:"theirs"`
	Again    []listedLine   `json:"theirs_again"` // the further ones of lines
	Commands []listedRepair `json:"commands"`
	Why      string         `json:"why_nothing"`
}

type listedLine struct {
	OpenID    string `json:"open_id"`
	Parent    string `json:"parent_order_no,omitempty"`
	Amount    string `json:"amount"`
	Points    *int64 `json:"points"`
	Consumed  string `json:"consumed_at,omitempty"`
	Store     string `json:"store,omitempty"`
	State     string `json:"state,omitempty"`
	Statement string `json:"statement_id,omitempty"`
}

type listedRepair struct {
	Command string `json:"command"`
	Key     string `json:"key"`
	Result  string `json:"result"` // done, a refusal, "" for not carried out
}

func (r *reconciling) document() reconciled {
	doc := reconciled{
		Merchant: r.merchant, Date: r.day.Date, Zone: r.day.Zone.String(), Applied: r.apply, Whole: r.file.Whole,
		Ignored: append([]string{}, r.file.Ignored...), Ours: r.match.Ours, Theirs: r.file.Totals, Equal: r.match.Equal.Lines, Open: r.left(), Explained: r.explained(),
		Classes: map[string]int{}, Differences: []listedDifference{},
	}
	for class, s := range r.sums() {
		doc.Classes[string(class)] = s.lines
	}
	for i := range r.differences {
		doc.Differences = append(doc.Differences, r.listed(i))
	}
	return doc
}

func (r *reconciling) listed(i int) listedDifference {
	d := &r.differences[i]
	l := d.Theirs
	lines := []int{}
	if l == nil {
		l = d.Ours
	} else {
		lines = append(lines, l.Row)
	}
	out := listedDifference{
		Class: string(d.Class), Settled: d.Settled(), Lines: lines, Kind: string(l.Kind), Number: l.Number, Fields: []string{},
		Ours: r.listedLine(d.Ours), Theirs: r.listedLine(d.Theirs), Again: []listedLine{}, Commands: []listedRepair{}, Why: d.Why,
	}
	for _, again := range d.Again {
		out.Lines = append(out.Lines, again.Row)
		out.Again = append(out.Again, *r.listedLine(again))
	}
	for _, f := range d.Fields {
		out.Fields = append(out.Fields, string(f))
	}
	for n, repair := range d.Repairs {
		listed := listedRepair{Command: repair.Text, Key: repair.Key}
		if n < len(r.results[i]) {
			listed.Result = r.results[i][n]
		}
		out.Commands = append(out.Commands, listed)
	}
	return out
}

func (r *reconciling) listedLine(l *reconcile.Line) *listedLine {
	if l == nil {
		return nil
	}
	out := &listedLine{
		OpenID: l.OpenID, Parent: l.Parent, Amount: yuan(l.Amount), Store: l.Store, State: l.State, Consumed: l.Consumed.Text(r.day.Zone),
	}
	if !l.NoPoints {
		out.Points = &l.Points
	}
	if l.Booked != nil {
		out.Statement = l.Booked.Statement
	}
	return out
}
