package reconcile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
)

var zone = time.FixedZone("UTC+8", 8*3600)

func at(t testing.TB, text string) loyalty.Instant {
	t.Helper()
	when, err := time.ParseInLocation(time.DateTime, text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return loyalty.InstantOf(when)
}

func expected(t testing.TB) Expect {
	t.Helper()
	d, err := NewDay("2026-11-20", zone)
	if err != nil {
		t.Fatal(err)
	}
	return Expect{Merchant: "m1", Day: d, Now: at(t, "2026-11-22 10:00:00")}
}

const (
	somebody = "25c56912e05847c0b09f03ca7e52b796"
	columns  = "kind,number,amount,points,open_id,parent_order_no,consumed_at\n"
)

func TestReadFile(t *testing.T) {
	t.Parallel()
	text := "\ufeff Kind ,ORDER_NO,order_amount,points,till,open_id,consume_date,parent\r\n" +
		"order,O1,10,+5,7,,2026/11/20 9:05,\r\n" +
		",,,,,,,\r\n" +
		"Refund,R1,0.5,,7," + somebody + ",2026-11-21T00:00:01+08:00,O1\r\n" +
		"change,'-C1,,-7,7," + somebody + ",,O1\r\n" +
		"total,3,9.50,-2,,,,\r\n"
	got, err := ReadFile(strings.NewReader(text), expected(t))
	if err != nil {
		t.Fatal(err)
	}
	want := &File{
		Lines: []Line{
			{Row: 2, Kind: Order, Number: "O1", Amount: 1000, Points: 5, Consumed: Moment{at(t, "2026-11-20 09:05:00"), minute}},
			{Row: 4, Kind: Refund, Number: "R1", Parent: "O1", OpenID: somebody, Amount: 50, NoPoints: true, Consumed: Moment{at(t, "2026-11-21 00:00:01"), second}},
			{Row: 5, Kind: Change, Number: "-C1", OpenID: somebody, Points: -7},
		},
		Ignored: []string{"till"}, Totals: Totals{Lines: 3, Amount: 950, Points: -2}, Whole: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Other separators than a comma, which the names of the columns show.
func TestReadFileSeparated(t *testing.T) {
	t.Parallel()
	want, err := ReadFile(strings.NewReader("kind,number,amount,points\norder,\"O,;1\",10.50,5\ntotal,1,10.50,5\n"), expected(t))
	if err != nil || !want.Whole || want.Lines[0].Number != "O,;1" {
		t.Fatalf("%v, %+v", err, want)
	}
	for _, text := range []string{
		"\ufeff\r\nkind;number;amount;points\r\norder;\"O,;1\";10.50;5\r\ntotal;1;10.50;5\r\n",
		"kind\tnumber\tamount\tpoints\norder\tO,;1\t10.50\t5\ntotal\t1\t10.50\t5\n",
	} {
		got, err := ReadFile(strings.NewReader(text), expected(t))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		got.Lines[0].Row = want.Lines[0].Row
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

// Every way in which a file can be wrong, with the place.
func TestReadFileRefuses(t *testing.T) {
	t.Parallel()
	order := "order,O1,10,5,,,\n"
	for name, test := range map[string]struct{ text, want string }{
		"empty":             {"", "the file is empty: not even a line with the names of the columns"},
		"blank":             {"\n\n", "the file is empty: not even a line with the names of the columns"},
		"UTF-16":            {"\xff\xfek\x00", "line 1: the file is UTF-16, which Excel calls Unicode text; save it as CSV UTF-8"},
		"spreadsheet":       {"PK\x03\x04", "line 1: the file is a spreadsheet or an archive; save it as CSV UTF-8"},
		"GBK header":        {"kind,\xb6\xa9\xb5\xa5\n", "line 1: the file " + notUTF8},
		"GBK":               {columns + "order,\xb6\xa9,10,5,,,\n", "line 2, column number: " + notUTF8},
		"no column":         {"kind,number,points\n", "line 1, column amount: the column is missing; the first line must name the columns, at least kind, number, amount and points"},
		"tabs":              {"kind\tnumber\tpoints\n", "line 1, column amount: the column is missing; the first line must name the columns, at least kind, number, amount and points (found: columns separated by tabs)"},
		"semicolons":        {"kind;number;points\n", "line 1, column amount: the column is missing; the first line must name the columns, at least kind, number, amount and points (found: columns separated by semicolons)"},
		"tab and semicolon": {"kind;number\tpoints\n", "line 1: one column only; columns are separated by a comma, a tab or a semicolon, and the first line names them: at least kind, number, amount and points"},
		"full-width commas": {"类型，订单号，金额，积分\n", "line 1: one column only; columns are separated by a comma, a tab or a semicolon, and the first line names them: at least kind, number, amount and points"},
		"Chinese names":     {"类型, 订单号,金额,积分,手机号,备注\n", "line 1, column kind: the column is missing; the first line must name the columns, at least kind, number, amount and points; write 类型 as kind, 订单号 as number, 金额 as amount, 积分 as points, 手机号 left out, for a phone names no member: open_id or member_id does"},
		"one Chinese name":  {"kind;number;金额;points\n", "line 1, column amount: the column is missing; the first line must name the columns, at least kind, number, amount and points (found: columns separated by semicolons); write 金额 as amount"},
		"column twice":      {"kind,number,amount,points,order_no\n", "line 1, column order_no: the column is there twice"},
		"fields":            {columns + order + "order,O2,10\n", "line 3: 3 fields, but the first line names 7 columns"},
		"kind":              {columns + "sale,O1,10,5,,,\n", "line 2, column kind: must be " + kindList},
		"no number":         {columns + "order,,10,5,,,\n", "line 2, column number: is empty"},
		"rounded number":    {columns + "order,1.23457E+17,10,5,,,\n", "line 2, column number: looks like a long number that a spreadsheet has rounded; its last digits are lost. Export it as text"},
		"long number":       {columns + "order," + strings.Repeat("9", 129) + ",10,5,,,\n", "line 2, column number: longer than 128 characters"},
		"no amount":         {columns + "order,O1,,5,,,\n", "line 2, column amount: is empty"},
		"negative":          {columns + "order,O1,-10,5,,,\n", "line 2, column amount: must not be negative: a refund is a line of its own"},
		"three decimals":    {columns + "order,O1,10.001,5,,,\n", "line 2, column amount: has more than two decimals"},
		"currency":          {columns + "order,O1,¥10,5,,,\n", "line 2, column amount: is no amount of yuan such as 99.50, without a currency sign and without commas"},
		"thousands":         {columns + "order,O1,\"1,000.00\",5,,,\n", "line 2, column amount: is no amount of yuan such as 99.50, without a currency sign and without commas"},
		"too much":          {columns + "order,O1,10000000.01,5,,,\n", "line 2, column amount: is more than the platform takes, 10000000.00"},
		"huge":              {columns + "order,O1,99999999999999999999,5,,,\n", "line 2, column amount: is too large"},
		"points":            {columns + "order,O1,10,5.5,,,\n", "line 2, column points: is no whole number"},
		"negative points":   {columns + "refund,O1,10,-5,,O,\n", "line 2, column points: must not be negative: those of a refund are what it took back"},
		"no points":         {columns + "change,C1,,," + somebody + ",,\n", "line 2, column points: is empty"},
		"negative send":     {columns + "send,C1,,-1," + somebody + ",,\n", "line 2, column points: must not be negative: send gives points"},
		"change of nobody":  {columns + "change,C1,,5,,,\n", "line 2, column open_id: is empty; the key of a change of points means something with its member only, so open_id or member_id is needed"},
		"phone":             {columns + "order,O1,10,5,13800000000,,\n", "line 2, column open_id: is a phone; members are named by open_id or member_id"},
		"its own parent":    {columns + "refund,O1,10,5,,O1,\n", "line 2, column parent_order_no: is the refund's own number"},
		"time":              {columns + "order,O1,10,5,,,yesterday\n", "line 2, column consumed_at: " + notTime},
		"future":            {columns + "order,O1,10,5,,,2026-11-23\n", "line 2, column consumed_at: lies in the future"},
		"far":               {columns + "order,O1,10,5,,,2026-11-18\n", "line 2, column consumed_at: is days away from 2026-11-20; if the line belongs to that day all the same, say so in a column date"},
		"date":              {"kind,number,amount,points,date\norder,O1,10,5,2026-11-21\n", "line 2, column date: a line of another day; 2026-11-20 is reconciled"},
		"booked":            {"kind,number,amount,points,booked_at\norder,O1,10,5,2026-11-21 00:00:00\n", "line 2, column booked_at: a line of another day; 2026-11-20 is reconciled"},
		"merchant":          {"kind,number,amount,points,merchant\norder,O1,10,5,m2\n", "line 2, column merchant: a line of another merchant; merchant m1 is reconciled"},
		"state":             {"kind,number,amount,points,state\norder,O1,10,5,cancelled\n", "line 2, column state: must be booked, parked, declined or empty; leave lines out that do not count"},
		"member id":         {"kind,number,amount,points,member_id\norder,O1,10,5,12\n", "line 2, column member_id: is none of the 18 digits that memberd gives"},
		"quote":             {columns + order + "order,\"O2,10,5,,,\norder,O3,10,5,,,\n", "line 3: a quote is not closed, or one stands inside a quoted field (write it twice there)"},
		"bare quote":        {columns + "order,O\"2,10,5,,,\n", "line 2: a quote is not closed, or stands inside a field (quote the whole field and write the quote twice)"},
		"cut":               {columns + order + "total,2,20,10,,,\n", "line 3, column number: the total says 2 lines, but there are 1: the file is not whole"},
		"wrong money":       {columns + order + "total,1,20,5,,,\n", "line 3, column amount: the total says 20.00, but the lines add up to 10.00 (orders less refunds)"},
		"wrong points":      {columns + order + "total,1,10,6,,,\n", "line 3, column points: the total says 6, but the lines add up to 5 (refunds count as taken)"},
		"after the total":   {columns + order + "total,1,10,5,,,\n" + order, "line 4: stands after the total of line 3, which must be the last line"},
		"total of nothing":  {columns + "total,,,,,,\n", "line 2, column number: of the total must be the number of lines before it"},
		"number is control": {columns + "order,O\x00\xff,10,5,,,\n", "line 2, column number: " + notUTF8},
	} {
		_, err := ReadFile(strings.NewReader(test.text), expected(t))
		if _, ok := errors.AsType[*FileError](err); !ok || err.Error() != test.want {
			t.Errorf("%s:\n%v, want\n%s", name, err, test.want)
		}
	}
}

func TestReadFileOfStore(t *testing.T) {
	t.Parallel()
	want := expected(t)
	want.Store = "12"
	_, err := ReadFile(strings.NewReader("kind,number,amount,points,store\norder,O1,1,1,12\norder,O2,1,1,13\n"), want)
	if err == nil || err.Error() != "line 3, column store: a line of another store; --store 12 is reconciled" {
		t.Error(err)
	}
}

// endless is a file of any size that nobody has to store.
type endless struct {
	head, line string
	lines      int
	rest       string
}

func (e *endless) Read(p []byte) (int, error) {
	if e.rest == "" {
		switch {
		case e.head != "":
			e.rest, e.head = e.head, ""
		case e.lines == 0:
			return 0, io.EOF
		default:
			e.lines--
			e.rest = fmt.Sprintf(e.line, e.lines)
		}
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// A file of 200 MB takes no more memory than its bounds allow: not for a quote
// that is never closed, not for what is ignored, not for too many lines.
func TestLargeFiles(t *testing.T) {
	var before runtime.MemStats
	for name, test := range map[string]struct {
		file *endless
		want string
		most uint64 // MB
	}{
		"open quote": {&endless{head: columns + "order,\"", line: "%d" + strings.Repeat("x", 1000) + "\n", lines: 200_000}, "is a quote not closed?", 20},
		"ignored":    {&endless{head: "kind,number,amount,points,x\n", line: "order,N%d,1,1," + strings.Repeat("x", 10_000) + "\n", lines: 20_000}, "", 100},
		"lines":      {&endless{head: columns, line: "order,N%016d,10.00,10," + somebody + ",,2026-11-20 10:00:00" + "\n", lines: MaxLines + 1}, "more than 500000 lines", 450},
	} {
		if testing.Short() && test.file.lines > 200_000 {
			continue
		}
		runtime.GC()
		runtime.ReadMemStats(&before)
		f, err := ReadFile(test.file, expected(t))
		var after runtime.MemStats
		runtime.ReadMemStats(&after)
		if grown := (after.HeapSys - before.HeapSys) >> 20; after.HeapSys > before.HeapSys && grown > test.most {
			t.Errorf("%s: the heap grew by %d MB", name, grown)
		}
		if text := fmt.Sprint(err); test.want == "" && err != nil || !strings.Contains(text, test.want) {
			t.Errorf("%s: %v", name, err)
		}
		if test.want == "" && len(f.Lines) != 20_000 {
			t.Errorf("%s: %d lines", name, len(f.Lines))
		}
	}
}

// What is written is read back as it was, whatever the numbers look like, and
// no field begins as a formula does.
func TestWriteAndRead(t *testing.T) {
	t.Parallel()
	want := expected(t)
	var b bytes.Buffer
	w := NewWriter(&b, "m1", want.Day)
	var lines []Line
	for _, no := range []string{"O1", "=cmd|' /C calc'!A0", "+1", "-1", "@x", "'a", "''", "1E+17", "a,b\"c\nd", "订单", "'=x"} {
		lines = append(lines, Line{
			Kind: Order, Number: no, OpenID: somebody, MemberID: loyalty.MemberIDText(1), Store: no, State: "booked",
			Consumed: Moment{at(t, "2021-08-24 00:00:00"), second}, Amount: 1, Points: 2,
			Booked: &Booked{Member: 1, At: at(t, "2026-11-20 23:59:59")},
		})
	}
	for _, l := range lines {
		if err := w.Write(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		for field := range strings.SplitSeq(line, ",") {
			if field = strings.Trim(field, "\""); field != "" && strings.ContainsRune("=+@", rune(field[0])) {
				t.Errorf("a formula in %q", line)
			}
		}
	}
	f, err := ReadFile(&b, want)
	if err != nil {
		t.Fatal(err)
	}
	for i := range f.Lines {
		f.Lines[i].Row = 0
		f.Lines[i].Booked = lines[i].Booked
	}
	if diff := cmp.Diff(lines, f.Lines); diff != "" || !f.Whole {
		t.Errorf("whole %v\n%s", f.Whole, diff)
	}
}

// FuzzFile: a reader that takes a file keeps to its bounds, says where a file is
// wrong, and what it took is written and read again as the same.
func FuzzFile(f *testing.F) {
	f.Add(columns + "order,O1,10.00,10," + somebody + ",,2026-11-20 10:00:00\n")
	f.Add(columns + "refund,R1,10,10,,O1,2026-11-20\nchange,C1,,-5," + somebody + ",,\ntotal,2,-10.00,-15,,,\n")
	f.Add("\ufeffkind,number,amount,points,member_id,store,state\r\norder,\"'=1\"\"\",0,,100000000000000001,\"a\nb\",parked\r\n")
	f.Add("kind;number;amount;points\norder;\"a;b,c\";1.5;1\n")
	f.Add("kind\tnumber\tamount\tpoints\t金额\norder\t;\t1\t1\t\n")
	f.Add("kind,number,amount,points,x,y\nsend,1E+17,1.5,1,\"")
	f.Add("kind,\xb6\xa9\n,,,\n")
	f.Add("merchant,date,kind,number,amount,points,booked_at\nm1,2026-11-20,order,O1,1,1,2026/11/20 9:05\n")
	want := expected(f)
	f.Fuzz(func(t *testing.T, text string) {
		first, err := ReadFile(strings.NewReader(text), want)
		if err != nil {
			if _, ok := errors.AsType[*FileError](err); !ok {
				t.Fatalf("an error without a place: %v", err)
			}
			return
		}
		m := NewMatch(want.Day, first)
		if found, err := m.Differences(); err != nil || len(found) > len(first.Lines) {
			t.Fatalf("%d differences of %d lines, %v", len(found), len(first.Lines), err)
		}
		var b bytes.Buffer
		w := NewWriter(&b, want.Merchant, want.Day)
		for i := range first.Lines {
			l := first.Lines[i]
			l.Booked = &Booked{At: want.Day.From}
			if err := w.Write(l); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.End(); err != nil {
			t.Fatal(err)
		}
		again, err := ReadFile(&b, want)
		if err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		for i, l := range again.Lines {
			before := first.Lines[i]
			if l.Kind != before.Kind || normal(l.Number) != normal(before.Number) || l.Amount != before.Amount || l.Points != before.Points ||
				l.OpenID != before.OpenID || l.MemberID != before.MemberID || normal(l.Parent) != normal(before.Parent) {
				t.Fatalf("%+v became %+v", before, l)
			}
		}
		if !again.Whole || again.Totals != first.Totals {
			t.Fatalf("%+v became %+v", first.Totals, again.Totals)
		}
	})
}
