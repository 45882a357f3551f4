package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// books is a merchant with a day of orders, refunds and changes of points.
type books struct {
	test *testing.T
	*rig
	server *server
	app    string
	openID string // of the first member
	other  string // of the second
	date   string
}

const secondPhone = "13900000002"

func newBooks(t *testing.T, r *rig) *books {
	t.Helper()
	b := &books{test: t, rig: r, app: r.app("m1")}
	b.server = r.serve()
	b.openID = register(t, b.server, b.app)
	b.other, _ = b.server.must("wk.user.info.add", b.app, `{"project_id":"p1","nickname":"小红","phone":"`+secondPhone+`"}`)["data"].(string)
	s, app := b.server, b.app
	b.date = s.today()
	s.must("wk.user.consume.order", app, `{"phone":"`+phone+`","order_no":"O1","order_amount":1000.4,"order_score":1000,"consume_date":"2021-08-24 00:00:00","store_id":12}`)
	s.must("wk.user.consume.order", app, `{"phone":"`+phone+`","order_no":"=O2","order_amount":50,"order_score":50,"consume_date":"2021-08-24 00:00:00","store_id":"=cmd"}`)
	s.must("wk.user.consume.order", app, `{"phone":"`+secondPhone+`","order_no":"O3","order_amount":20,"order_score":0,"consume_date":"`+b.date+` 00:00:00","store_id":13}`)
	s.must("wk.user.refund.order", app, `{"phone":"`+phone+`","order_no":"R1","parent_order_no":"O1","order_amount":300.4,"order_score":300,"consume_date":"2021-08-24 00:00:00"}`)
	b.change(b.openID, "event_add", "C1", 80)
	b.change(b.openID, "event_subtract", "C2", 30)
	s.must("wk.user.event.score.rollback", app, `{"open_id":"`+b.openID+`","change_id":"C2","rollback_score":10}`)
	s.must("/member/score/sendScore", app, `{"memberId":"100000000000000001","score":"60","operationType":4,"idempotencyBussinessId":"E1","idempotencyBussinessType":1}`)
	s.must("/member/score/updateScore", app, `{"memberId":"100000000000000001","changeScore":"5","operationType":4}`)
	s.must("/member/score/returnScore", app, `{"memberId":"100000000000000001","score":"20","operationType":4,"idempotencyBussinessId":"E1","idempotencyBussinessType":1}`)
	return b
}

// tomorrow moves the sandbox's clock, so that the day is over.
func (b *books) tomorrow() {
	b.t.Helper()
	b.on("clock", "advance", "--merchant", "m1", "--by", "24h")
}

// today is the merchant's day. A test that runs over midnight is run again.
func (s *server) today() string {
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		s.rig.t.Fatal(err)
	}
	return time.Now().In(zone).Format(time.DateOnly)
}

func (b *books) change(openID, event, id string, points int) {
	b.t.Helper()
	b.server.must("wk.user.event.score.change", b.app,
		fmt.Sprintf(`{"open_id":%q,"change_event":%q,"score":%d,"change_reason":"x","change_id":%q}`, openID, event, points, id))
}

func (b *books) statement(more ...string) string {
	b.t.Helper()
	return b.on(append([]string{"statement", "--merchant", "m1", "--date", b.date}, more...)...)
}

// reconcile runs against a text.
func (b *books) reconcile(text string, more ...string) result {
	b.t.Helper()
	file := b.path("theirs.csv")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return b.run(append(append([]string{"reconcile", "--merchant", "m1", "--date", b.date, file}, more...), b.args...)...)
}

// sheet is a file as rows of named fields.
type sheet struct {
	columns []string
	rows    []map[string]string
}

func readSheet(t testing.TB, text string) *sheet {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(records) < 2 {
		t.Fatalf("%v in %q", err, text)
	}
	s := &sheet{columns: records[0]}
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, name := range s.columns {
			row[name] = record[i]
		}
		s.rows = append(s.rows, row)
	}
	return s
}

// without drops a line; the last line is no total any more, until total is
// called.
func (s *sheet) without(kind, number string) {
	s.rows = slices.DeleteFunc(s.rows, func(r map[string]string) bool { return r["kind"] == kind && (number == "" || r["number"] == number) })
}

func (s *sheet) set(kind, number, column, value string) {
	for _, r := range s.rows {
		if r["kind"] == kind && r["number"] == number {
			r[column] = value
		}
	}
}

func (s *sheet) add(row map[string]string) { s.rows = append(s.rows, row) }

// text writes the sheet with a total that is right.
func (s *sheet) text(t testing.TB) string {
	t.Helper()
	s.without("total", "")
	var fen, points int64
	for _, r := range s.rows {
		amount, ok := parseYuan(r["amount"])
		n, err := strconv.ParseInt(r["points"], 10, 64)
		if !ok || err != nil {
			t.Fatalf("row %v", r)
		}
		switch r["kind"] {
		case "order":
			fen, points = fen+amount, points+n
		case "refund":
			fen, points = fen-amount, points-n
		default:
			points += n
		}
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	write := func(r map[string]string) {
		var record []string
		for _, name := range s.columns {
			record = append(record, r[name])
		}
		if err := w.Write(record); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Write(s.columns); err != nil {
		t.Fatal(err)
	}
	for _, r := range s.rows {
		write(r)
	}
	write(map[string]string{"kind": "total", "number": strconv.Itoa(len(s.rows)), "amount": yuan(fen), "points": strconv.FormatInt(points, 10)})
	w.Flush()
	return b.String()
}

// damaged is a file in which a day can be wrong in all ways that a command can
// mend.
func (b *books) damaged(statement string) *sheet {
	s := readSheet(b.t, statement)
	s.without("order", "O3")
	s.without("change", "C1")
	s.set("order", "O1", "points", "1010")
	s.set("order", "O1", "amount", "990.40")
	s.set("refund", "R1", "points", "290")
	s.set("change", "C2", "points", "-35")
	s.set("send", "E1", "points", "50")
	// A refund may stand before its order.
	s.add(map[string]string{"kind": "refund", "number": "R9", "parent_order_no": "O9", "amount": "40", "points": "40", "consumed_at": b.date, "date": b.date})
	s.add(map[string]string{"kind": "order", "number": "O9", "open_id": b.other, "amount": "100", "points": "100", "consumed_at": b.date + " 00:00", "store": "14"})
	s.add(map[string]string{"kind": "change", "number": "C9", "member_id": "100000000000000002", "amount": "0", "points": "7", "date": b.date})
	return s
}

// bothBalances are the two members' points.
func (b *books) bothBalances() string {
	b.t.Helper()
	var found []string
	for _, phone := range []string{phone, secondPhone} {
		for line := range strings.Lines(words(b.on("member", "show", "--merchant", "m1", "--phone", phone))) {
			if balance, ok := strings.CutPrefix(line, "balance "); ok {
				found = append(found, strings.TrimSpace(balance))
			}
		}
	}
	return strings.Join(found, " ")
}

func (b *books) expect(got result, code int, want ...string) {
	b.t.Helper()
	if got.code != code {
		b.t.Errorf("exit code %d, want %d", got.code, code)
	}
	text := words(got.out)
	for _, w := range want {
		if !strings.Contains(text, w) {
			b.t.Errorf("no %q", w)
			code = -1
		}
	}
	if b.t.Failed() {
		b.t.Fatalf("%s%s", got.out, got.err)
	}
}

// A day that agrees, then one that is wrong in every way: what is shown, what
// is booked once and not twice, and what a corrected file brings.
func TestReconcile(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig) {
		b := newBooks(t, r)
		statement := b.statement()
		if b.date != b.server.today() {
			t.Skip("midnight has passed")
		}
		got := b.reconcile(statement)
		b.expect(got, 0, "equal 10", "0 differences. Nothing has been booked.")
		if !strings.Contains(got.err, "the day is not over") {
			t.Error(got.err)
		}
		expectRefusal(t, b.reconcile(statement, "--void-ours"), exitUsage, "a day that is over")
		b.tomorrow()
		b.expect(b.reconcile(statement), 0, "equal 10")
		again := b.path("again.csv")
		b.on("statement", "--merchant", "m1", "--date", b.date, "--out", again)
		if text, err := os.ReadFile(again); err != nil || string(text) != statement {
			t.Errorf("%v: another statement\n%s", err, text)
		}
		if store := readSheet(t, b.statement("--store", "12")); len(store.rows) != 2 || store.rows[0]["number"] != "O1" {
			t.Errorf("of one store: %v", store.rows)
		}
		if b.bothBalances() != "855 0" {
			t.Fatal(b.bothBalances())
		}
		b.dryRun(statement)
		b.applied(statement)
		if out := b.on("check"); out != "2 members checked, 0 differences\n" {
			t.Error(out)
		}
	})
}

// aligned: the numbers of the totals stand below each other.
func (b *books) aligned(report string) {
	b.t.Helper()
	_, table, _ := strings.Cut(report, "\nTOTALS")
	table, _, _ = strings.Cut("TOTALS"+table, "\n\n")
	lines := strings.Split(table, "\n")
	for _, line := range lines {
		if len(line) != len(lines[0]) || len(strings.Fields(line)) < 6 {
			b.t.Errorf("not aligned:\n%s", table)
			return
		}
	}
	if len(lines) < 5 {
		b.t.Errorf("no totals in\n%s", report)
	}
}

// mended are the commands that the damaged file asks for.
var mended = []string{
	"record order O9 of ", ": amount 100.00, points 100, consumed ", "refund order O9 as R9: amount 40.00, take back 40 points",
	"credit 7 points of ", " as change C9", "refund order O1 as recon-", ": amount 10.00, take back 0 points", "credit 10 points of ",
	"debit 5 points of ", "roll back 10 points of statement SP000000000100000007 as recon-",
}

func (b *books) dryRun(statement string) {
	b.t.Helper()
	text := b.damaged(statement).text(b.t)
	b.expect(b.reconcile(text), 1, append(mended,
		"nothing: the file lacks it; --void-ours would take it back (amount 20.00, points 0)", "Nothing has been booked; --apply would carry out 8 commands.")...)
	voided := []string{"refund order O3 as recon-", ": amount 20.00, take back 0 points", "roll back 80 points of statement SP000000000100000004", "10 commands."}
	b.expect(b.reconcile(text, "--void-ours"), 1, append(mended, voided...)...)
	if b.bothBalances() != "855 0" {
		b.t.Fatalf("a dry run booked: %s", b.bothBalances())
	}
	b.refused(exitUsage, "--reason must be", "reconcile", "--merchant", "m1", "--date", b.date, b.path("theirs.csv"), "--apply")
	cut := text[:strings.LastIndex(strings.TrimSpace(text), "\n")+1]
	got := b.reconcile(cut, "--void-ours")
	expectRefusal(b.t, got, exitUsage, "--void-ours needs a last line with totals")
}

// applied carries the damaged file out, twice, with what only a person can
// decide in it as well.
func (b *books) applied(statement string) {
	b.t.Helper()
	s := b.damaged(statement)
	for _, r := range s.rows {
		if r["number"] == "=O2" || r["number"] == "'=O2" {
			s.add(r) // doubled
			break
		}
	}
	s.add(map[string]string{"kind": "order", "number": "N1", "open_id": b.openID, "amount": "1", "points": "1", "consumed_at": b.date})
	s.add(map[string]string{"kind": "order", "number": "N1", "open_id": b.openID, "amount": "2", "points": "1", "consumed_at": b.date})
	for range 2 {
		s.add(map[string]string{"kind": "order", "number": "N3", "open_id": b.openID, "amount": "3", "points": "3", "consumed_at": b.date})
	}
	s.add(map[string]string{"kind": "order", "number": "N2", "open_id": "nobody", "amount": "2", "points": "1", "consumed_at": b.date})
	s.set("update", "SP000000000100000008", "open_id", b.other)
	s.set("update", "SP000000000100000008", "member_id", "")
	apply := []string{"--void-ours", "--apply", "--operator", "ann", "--reason", "monthly"}
	got := b.reconcile(s.text(b.t), apply...)
	b.expect(got, 1, "11 of 11 commands carried out; 5 differences left.", "done: record order O9", "done: record order N3 of", "other member",
		"doubled 14 order N1 "+b.openID+" - amount 1.00, points 1 nothing: it stands in the file several times, differently: ask the partner which line is right",
		"\n15 amount 2.00, points 1\n", "\nall lines 10 17 770.00 861.00 855 906\nequal 2 2 0.00 0.00 -10 -10\n", "\ndoubled in the file 1 4 50.00 103.00 50 102\n",
		"it stands in the file several times, equally, and counts once: ask the partner", "the merchant has no such member")
	b.aligned(got.out)
	if b.bothBalances() != "783 67" {
		b.t.Fatalf("balances %s\n%s", b.bothBalances(), got.out)
	}
	b.expect(b.reconcile(s.text(b.t), apply...), 1, "0 of 0 commands carried out; 5 differences left. 9 lines explained.", "corrected by an earlier run", "taken back by an earlier run")
	text := b.damaged(statement).text(b.t)
	b.expect(b.reconcile(text, apply...), 0, "0 differences left.")
	document := decode(b.t, b.reconcile(text, "--json").out)
	if document["differences_left"] != 0.0 || document["file_has_totals"] != true {
		b.t.Errorf("%v", document)
	}
	if b.bothBalances() != "783 67" {
		b.t.Fatalf("booked twice: %s", b.bothBalances())
	}
	corrected := b.damaged(statement)
	corrected.set("order", "O1", "points", "1005")
	b.expect(b.reconcile(corrected.text(b.t), apply...), 0, "done: refund order O1 as recon-", "amount 0.00, take back 5 points", "1 of 1 command carried out; 0 differences left.")
	b.expect(b.reconcile(corrected.text(b.t), apply...), 0, "0 of 0 commands")
	if b.bothBalances() != "778 67" {
		b.t.Fatalf("after the corrected file: %s", b.bothBalances())
	}
	if spoken := b.on("explain", "--merchant", "m1", "--lang", "zh", "O9"); !strings.Contains(spoken, "\n- 积分数由运营人员补录，没有按积分规则计算。\n") {
		b.t.Error(spoken)
	}
	has(b.test, b.on("order", "show", "--merchant", "m1", "--no", "O9"), "description 对账补记", "store 14", "refunded 40.00",
		`goods {"reconciled":"`+b.date+`","operator":"ann","reason":"monthly"}`)
}

// A file with anything wrong in it changes nothing, and says where.
func TestReconcileBadFiles(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := newBooks(t, r)
	head := "kind,number,amount,points,open_id,consumed_at\n"
	good := "order,X1,10,10," + b.openID + "," + b.date + "\n"
	for name, test := range map[string]struct{ text, want string }{
		"empty":          {"", "the file is empty"},
		"missing column": {"kind,number,amount\n", "line 1, column points: the column is missing"},
		"kind":           {head + good + "buy,X2,1,1,,\n", "line 3, column kind: must be order, refund"},
		"three decimals": {head + good + "order,X2,1.005,1,,\n", "line 3, column amount: has more than two decimals"},
		"merchant":       {"merchant,kind,number,amount,points\nm2,order,X1,1,1\n", "line 2, column merchant: a line of another merchant"},
		"GBK":            {head + good + "order,X\xb6\xa9,1,1,,\n", "line 3, column number: is not UTF-8"},
		"quote":          {head + good + "order,\"X2,1,1,,\n", "a quote is not closed"},
		"future":         {head + "order,X1,10,10," + b.openID + ",2999-01-01\n", "line 2, column consumed_at: lies in the future"},
	} {
		got := b.reconcile(test.text, "--apply", "--reason", "x")
		if got.code != exitUsage || !strings.Contains(got.err, test.want) {
			t.Errorf("%s: exit code %d, %q", name, got.code, got.err)
		}
	}
	if b.bothBalances() != "855 0" {
		t.Errorf("a bad file booked: %s", b.bothBalances())
	}
	b.refused(exitUsage, "--date lies in the future", "statement", "--merchant", "m1", "--date", "2999-01-01")
	b.refused(exitUsage, "a date is written like", "statement", "--merchant", "m1", "--date", "22.11.2026")
	b.refused(exitNo, "no such merchant", "statement", "--merchant", "m2", "--date", b.date)
	b.refused(exitNo, "has no app", "statement", "--merchant", "m1", "--date", b.date, "--app", "a")
	b.refused(exitUsage, "no such file", "reconcile", "--merchant", "m1", "--date", b.date, b.path("none.csv"))
	// A mark of Excel's is none of the first column.
	b.expect(b.reconcile("\ufeff"+b.statement()), 0, "0 differences")
	if day := readSheet(t, b.on("statement", "--merchant", "m1", "--date", "2020-01-01")+"x,,,,,,,,,,,,,,\n"); len(day.rows) != 2 {
		t.Errorf("a day without anything: %v", day.rows)
	}
}
