package reconcile

import (
	"strings"
	"unicode"
)

// The columns of the file, in the order in which the statement has them.
const (
	colMerchant = iota
	colDate
	colKind
	colNumber
	colParent
	colOpenID
	colMemberID
	colBooked
	colConsumed
	colAmount
	colPoints
	colStatement
	colStore
	colApp
	colState
	columnCount
)

var columnNames = [columnCount]string{
	"merchant", "date", "kind", "number", "parent_order_no", "open_id", "member_id", "booked_at", "consumed_at",
	"amount", "points", "statement_id", "store", "app", "state",
}

// aliases are the names that the same things have in the documents.
var aliases = map[string]int{
	"order_no": colNumber, "change_id": colNumber, "parent": colParent, "consume_date": colConsumed,
	"order_amount": colAmount, "order_score": colPoints, "score": colPoints, "store_id": colStore, "app_id": colApp,
}

// required are the columns without which a file says too little.
var required = []int{colKind, colNumber, colAmount, colPoints}

// header maps the fields of a file's lines to columns; others stand in ignored.
type header struct {
	at      [columnCount]int // index of the field, -1 for none
	names   [columnCount]string
	ignored []string
	fields  int
}

func readHeader(fields []string, row int, comma rune) (*header, error) {
	h := &header{fields: len(fields)}
	for i := range h.at {
		h.at[i] = -1
		h.names[i] = columnNames[i]
	}
	for i, field := range fields {
		name := strings.ToLower(strings.TrimSpace(field))
		column := columnOf(name)
		switch {
		case column < 0 && name != "":
			h.ignored = append(h.ignored, shortened(name))
		case column < 0:
		case h.at[column] >= 0:
			return nil, &FileError{row, name, "the column is there twice"}
		default:
			h.at[column] = i
			h.names[column] = name
		}
	}
	for _, column := range required {
		if h.at[column] >= 0 {
			continue
		}
		if len(fields) == 1 {
			return nil, &FileError{row, "", "one column only; columns are separated by a comma, a tab or a semicolon, and the first line names them: at least kind, number, amount and points"}
		}
		return nil, &FileError{row, columnNames[column], "the column is missing; the first line must name the columns, at least kind, number, amount and points" + hints(fields, comma)}
	}
	return h, nil
}

// chineseNames are names that columns have in other systems. They are not read:
// what stands in such columns is not what these say either. A phone names nobody.
var chineseNames = map[string]string{
	"类型": "kind", "业务类型": "kind", "交易类型": "kind", "单据类型": "kind",
	"订单号": "number", "订单编号": "number", "单号": "number", "单据号": "number",
	"金额": "amount", "订单金额": "amount", "消费金额": "amount", "交易金额": "amount", "实付金额": "amount",
	"积分": "points", "积分数": "points", "订单积分": "points", "变动积分": "points",
	"原订单号": "parent_order_no", "原单号": "parent_order_no", "会员号": "member_id", "会员编号": "member_id",
	"消费时间": "consumed_at", "交易时间": "consumed_at", "门店": "store", "门店编号": "store", "日期": "date",
	"手机号": "", "手机": "", "手机号码": "", "会员手机号": "",
}

// hints say what was found instead of a column that is wanted.
func hints(fields []string, comma rune) string {
	var hint string
	switch comma {
	case '\t':
		hint = " (found: columns separated by tabs)"
	case ';':
		hint = " (found: columns separated by semicolons)"
	}
	var renamed []string
	for _, field := range fields {
		found := strings.TrimSpace(field)
		switch wanted, ok := chineseNames[found]; {
		case !ok:
		case wanted == "":
			renamed = append(renamed, found+" left out, for a phone names no member: open_id or member_id does")
		default:
			renamed = append(renamed, found+" as "+wanted)
		}
	}
	if len(renamed) > 0 {
		hint += "; write " + strings.Join(renamed, ", ")
	}
	return hint
}

func columnOf(name string) int {
	for i, n := range columnNames {
		if n == name {
			return i
		}
	}
	if i, ok := aliases[name]; ok {
		return i
	}
	return -1
}

// shortened keeps names of columns that nobody knows short and printable.
func shortened(name string) string {
	const most = 40
	runes := []rune(name)
	if len(runes) > most {
		runes = runes[:most]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, string(runes))
}

// A spreadsheet takes a text that begins with one of these for a formula, and
// a number with an exponent for a number. Such a text gets an apostrophe before
// it, which spreadsheets use for "this is text"; a text that has one already
// gets another, so that reading takes away exactly what writing put there.
const formulaSigns = "=+-@\t\r'"

// Guarded is a text as the file has it.
func Guarded(text string) string {
	if text != "" && strings.ContainsRune(formulaSigns, rune(text[0])) || exponent(text) {
		return "'" + text
	}
	return text
}

func unguarded(text string) string {
	if rest, ok := strings.CutPrefix(text, "'"); ok && (rest != "" && strings.ContainsRune(formulaSigns, rune(rest[0])) || exponent(rest)) {
		return rest
	}
	return text
}

// exponent tells whether a text looks like what a spreadsheet makes of a long
// number: 1.23E+17. The last digits of such a number are lost.
func exponent(text string) bool {
	mantissa, exp, ok := strings.Cut(text, "E+")
	return ok && digits(exp) && digits(strings.Replace(mantissa, ".", "", 1))
}

func digits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
