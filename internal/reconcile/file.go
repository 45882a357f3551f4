package reconcile

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/memberd/memberd/internal/loyalty"
)

// Bounds of a file. What is kept of a line is some 400 bytes, so the largest
// file takes some 200 MB whatever else its lines hold.
const (
	MaxLines  = 500_000
	maxRecord = 256 << 10 // bytes of one line with everything that is ignored in it
	maxText   = 128       // characters of a number or a store; no door takes longer ones
)

// FileError is what is wrong with a file and where. It never holds what the
// file says: that may be personal data in the wrong column.
type FileError struct {
	Row    int    // line of the file, from 1; 0: the file as a whole
	Column string // as the file names it, "" for the whole line
	Why    string
}

func (e *FileError) Error() string {
	switch {
	case e.Row == 0:
		return e.Why
	case e.Column == "":
		return fmt.Sprintf("line %d: %s", e.Row, e.Why)
	}
	return fmt.Sprintf("line %d, column %s: %s", e.Row, e.Column, e.Why)
}

// Expect is what the lines of a file must fit.
type Expect struct {
	Merchant string
	Store    string // "" for any
	Day      Day
	Now      loyalty.Instant // the merchant's clock
}

// File is what a file says.
type File struct {
	Lines   []Line
	Ignored []string // names of columns that mean nothing here
	Totals  Totals
	// Whole: the file has a last line with totals, and they are right. Of one
	// without nobody can say whether it was cut.
	Whole bool
}

const notUTF8 = "is not UTF-8; a file in GBK is converted with iconv -f GB18030 -t UTF-8, or saved in Excel as CSV UTF-8"

// ReadFile reads a whole file and checks every line before it returns one.
// Errors are of *FileError, or of r. It reads r once and in small pieces.
func ReadFile(r io.Reader, want Expect) (*File, error) {
	buffered := bufio.NewReader(r)
	if err := skipMark(buffered); err != nil {
		return nil, err
	}
	comma := separator(buffered)
	limited := &limit{r: buffered, left: maxRecord}
	records := csv.NewReader(limited)
	records.Comma = comma
	records.ReuseRecord = true
	records.FieldsPerRecord = -1
	in := &reading{want: want, comma: comma, file: &File{}}
	for {
		fields, err := records.Read()
		if err == io.EOF {
			return in.end()
		}
		row := 0
		if err == nil {
			row, _ = records.FieldPos(0)
			err = in.record(fields, row)
		}
		if err != nil {
			return nil, in.explain(err)
		}
		limited.left = maxRecord
		in.last = row
	}
}

// skipMark takes the mark away that Excel writes before UTF-8.
func skipMark(r *bufio.Reader) error {
	head, err := r.Peek(3)
	if err != nil && err != io.EOF {
		return err
	}
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		_, err := r.Discard(3)
		return err
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return &FileError{Row: 1, Why: "the file is UTF-16, which Excel calls Unicode text; save it as CSV UTF-8"}
	case bytes.HasPrefix(head, []byte("PK")):
		return &FileError{Row: 1, Why: "the file is a spreadsheet or an archive; save it as CSV UTF-8"}
	}
	return nil
}

// separator is what stands between the names of the columns: a comma, or where
// there is none a tab or a semicolon, as Excel writes them in some countries.
func separator(r *bufio.Reader) rune {
	head, _ := r.Peek(r.Size()) // its error comes again
	line, _, _ := bytes.Cut(bytes.TrimLeft(head, "\r\n"), []byte("\n"))
	has := func(sign string) bool { return bytes.Contains(line, []byte(sign)) }
	switch {
	case has(",") || has("\t") && has(";"):
		return ','
	case has("\t"):
		return '\t'
	case has(";"):
		return ';'
	}
	return ','
}

// limit bounds what is read for one record: a quote that is never closed would
// else take the whole file into memory.
type limit struct {
	r    io.Reader
	left int
}

var errLong = errors.New("too long")

func (l *limit) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errLong
	}
	n, err := l.r.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

type reading struct {
	want    Expect
	comma   rune
	file    *File
	header  *header
	last    int // line of the record before
	trailer int // line of the trailer, 0 for none yet
	said    Totals
}

// explain says what the CSV reader found as an error of the file.
func (in *reading) explain(err error) error {
	parse, ok := errors.AsType[*csv.ParseError](err)
	switch {
	case errors.Is(err, errLong):
		return &FileError{Row: in.last + 1, Why: fmt.Sprintf("more than %d KiB without an end of the line; is a quote not closed?", maxRecord>>10)}
	case !ok:
		return err
	case errors.Is(parse.Err, csv.ErrQuote) && parse.Line > parse.StartLine:
		return &FileError{Row: parse.StartLine, Why: "a quote is not closed, or one stands inside a quoted field (write it twice there)"}
	case errors.Is(parse.Err, csv.ErrQuote), errors.Is(parse.Err, csv.ErrBareQuote):
		return &FileError{Row: parse.Line, Why: "a quote is not closed, or stands inside a field (quote the whole field and write the quote twice)"}
	}
	return &FileError{Row: parse.Line, Why: "is no CSV"}
}

// record is one record of the file.
func (in *reading) record(fields []string, row int) error {
	blank := !slices.ContainsFunc(fields, func(f string) bool { return f != "" })
	if blank && in.header != nil { // spreadsheets leave lines of commas
		return nil
	}
	if in.header == nil {
		for _, f := range fields {
			if !utf8.ValidString(f) {
				return &FileError{Row: row, Why: "the file " + notUTF8}
			}
		}
		h, err := readHeader(fields, row, in.comma)
		in.header = h
		if h != nil {
			in.file.Ignored = h.ignored
		}
		return err
	}
	if len(fields) != in.header.fields {
		return &FileError{Row: row, Why: fmt.Sprintf("%d fields, but the first line names %d columns", len(fields), in.header.fields)}
	}
	if in.trailer != 0 {
		return &FileError{Row: row, Why: fmt.Sprintf("stands after the total of line %d, which must be the last line", in.trailer)}
	}
	p := lineParser{in: in, header: in.header, fields: fields, row: row}
	line, isTotal := p.line()
	switch {
	case p.err != nil:
		return p.err
	case isTotal:
		in.trailer = row
		return nil
	case len(in.file.Lines) == MaxLines:
		return &FileError{Row: row, Why: fmt.Sprintf("the file has more than %d lines; reconcile the stores one by one (--store)", MaxLines)}
	}
	in.file.Totals.Add(&line)
	in.file.Lines = append(in.file.Lines, line)
	return nil
}

// end checks the whole.
func (in *reading) end() (*File, error) {
	f := in.file
	switch {
	case in.header == nil:
		return nil, &FileError{Why: "the file is empty: not even a line with the names of the columns"}
	case in.trailer == 0:
		return f, nil
	case in.said.Lines != f.Totals.Lines:
		return nil, &FileError{in.trailer, "number", fmt.Sprintf("the total says %d lines, but there are %d: the file is not whole", in.said.Lines, f.Totals.Lines)}
	case in.said.Amount != f.Totals.Amount:
		return nil, &FileError{in.trailer, "amount", fmt.Sprintf("the total says %s, but the lines add up to %s (orders less refunds)", Yuan(in.said.Amount), Yuan(f.Totals.Amount))}
	case in.said.Points != f.Totals.Points:
		return nil, &FileError{in.trailer, "points", fmt.Sprintf("the total says %d, but the lines add up to %d (refunds count as taken)", in.said.Points, f.Totals.Points)}
	}
	f.Whole = true
	return f, nil
}
