package programme_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/programme"
)

// What makes a file none, besides what docs/programme.md lists.
func TestFilesThatAreNone(t *testing.T) {
	t.Parallel()
	good := string(export(t, loyalty.DefaultSettings()))
	for _, test := range []struct{ name, text, want string }{
		{"empty", "", "line 1: the file is empty; begin with what memberd program export writes"},
		{"comments alone", "# nothing\n", "line 1: the file is empty; begin with what memberd program export writes"},
		{"byte order mark alone", "\ufeff", "line 1: the file is empty; begin with what memberd program export writes"},
		{"two megabytes", strings.Repeat("#", 2<<20), "line 1: the file is too large: a programme has at most 1048576 bytes"},
		{"gbk", strings.Replace(good, "一级会员", "\xd2\xbb\xbc\xb6", 1), "line 48: this is not UTF-8, but GBK perhaps; save the file as UTF-8"},
		{"utf-16", "\xff\xfem\x00e\x00", "line 1: this is not UTF-8, but GBK perhaps; save the file as UTF-8"},
		{"a list", "- a\n", "line 1: a list: keys and values are wanted"},
		{"a text", "programme\n", `line 1: "programme": keys and values are wanted`},
		{"zero byte", "a: \x00\n", "line 1: no YAML: control characters are not allowed"},
	} {
		_, err := programme.Parse([]byte(test.text), loyalty.DefaultSettings())
		if wrong, ok := errors.AsType[*programme.Error](err); !ok || wrong.Error() != test.want {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
	for _, text := range []string{"\ufeff" + good, strings.ReplaceAll(good, "\n", "\r\n"), "---\n" + good, good + "...\n"} {
		if _, err := programme.Parse([]byte(text), loyalty.DefaultSettings()); err != nil {
			t.Errorf("%v", err)
		}
	}
	many := strings.ReplaceAll(good, "number: ", "numbre: ") + strings.Repeat("x: 1\n", 30)
	_, err := programme.Parse([]byte(many), loyalty.DefaultSettings())
	if wrong, ok := errors.AsType[*programme.Error](err); !ok || len(wrong.Findings) != 20 || wrong.More != 24 ||
		!slices.IsSortedFunc(wrong.Findings, func(a, b programme.Finding) int { return a.Line - b.Line }) {
		t.Error(err)
	}
}

// Files of a megabyte that are nothing are refused without much ado.
func TestLargeNonsense(t *testing.T) {
	t.Parallel()
	var keys strings.Builder
	for i := 0; keys.Len() < programme.MaxSize-20; i++ {
		keys.WriteString("k" + strconv.Itoa(i) + ": 1\n")
	}
	for _, text := range []string{
		keys.String(), strings.Repeat("[", programme.MaxSize), strings.Repeat("- ", programme.MaxSize/2),
		strings.Repeat("a: ", programme.MaxSize/3), strings.Repeat("{a: ", programme.MaxSize/4), strings.Repeat("x", programme.MaxSize) + ": 1",
	} {
		_, err := programme.Parse([]byte(text), loyalty.DefaultSettings())
		if wrong, ok := errors.AsType[*programme.Error](err); !ok || len(wrong.Error()) > 20_000 {
			t.Errorf("%.20s: %.200v", text, err)
		}
	}
}

// References, tags and merges could make a file say what it does not show.
func TestNothingHidden(t *testing.T) {
	t.Parallel()
	good := string(export(t, loyalty.DefaultSettings()))
	for _, test := range [][3]string{
		{"rate: 1/1", "rate: &r 1/1", "&r: anchors are not taken"},
		{"orders:", "orders: &o\n  <<: *o", "*o: references are not taken"},
		{"orders:", "orders:\n  <<: {score: rule}", "merge keys are not taken"},
		{"rounding: down", "rounding: !!str down", "!!str: tags are not taken"},
		{"zone: ", "zone: !secret ", "!secret: tags are not taken"},
		{"zone: ", "? [a, b]\n: c\nzone: ", "a list: a key is wanted"},
	} {
		_, err := programme.Parse([]byte(strings.Replace(good, test[0], test[1], 1)), loyalty.DefaultSettings())
		if err == nil || !strings.Contains(err.Error(), test[2]) {
			t.Errorf("%s: %v", test[1], err)
		}
	}
}

// What settings hold and a file may not have is exported all the same, for
// somebody to write otherwise.
func TestExportOfWhatAFileMayNotHave(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		change func(*loyalty.Settings)
		want   string
	}{
		{func(s *loyalty.Settings) { s.Points.Rate.Num = 0 }, "line 14: points.rate: " + programme.ZeroRateProblem},
		{func(s *loyalty.Settings) { s.Levels[1].Name = "a\x1b[31m" }, `line 52: levels[1].name: "a\x1b[31m": control characters are not taken, nor are several lines`},
		{func(s *loyalty.Settings) { s.Growth.Period.N = 7 }, "line 42: growth.period.n: is for months alone; leave it out with life"},
	} {
		s := loyalty.DefaultSettings()
		test.change(&s)
		if _, err := programme.Parse(export(t, s), s); err == nil || err.Error() != test.want {
			t.Errorf("%v, want %s", err, test.want)
		}
	}
}

// Slips of a hand that YAML does not take are told where they are.
func TestSlips(t *testing.T) {
	t.Parallel()
	base := loyalty.DefaultSettings()
	base.Points.Multipliers = []loyalty.Multiplier{
		{ID: "gold", Name: "双11，“金卡”: 双倍", Factor: 20_000, When: loyalty.Condition{Levels: []int64{3, 4}, Labels: []string{"a"}}},
		{ID: "evening", Name: "it's # late", Factor: 15_000, When: loyalty.Condition{Stores: []string{"1", "2"}, FromMinute: 60}},
	}
	good := string(export(t, base))
	for _, test := range [][3]string{
		{"  - number: 3", " - number: 3", "%d: indented by 1 blank; 2 are wanted here, as for number"},
		{"  - number: 3", "   - number: 3", "%d: indented by 3 blanks; 2 are wanted here, as for number"},
		{"  rounding: ", " rounding: ", "%d: indented by 1 blank; 2 are wanted here, as for rate"},
		{"  rounding: ", "   rounding: ", "%d: indented by 3 blanks; 2 are wanted here, as for rate"},
		{"    kind: calendar_year", "   kind: calendar_year", "%d+1: indented by 4 blanks; 3 are wanted here, as for kind"},
		{"    n: 1", "   n: 1", "%d: indented by 3 blanks; 4 are wanted here, as for kind"},
		{"    n: 1", "     n: 1", "%d: indented by 5 blanks; 4 are wanted here, as for kind"},
		{"      factor: 2", "     factor: 2", "%d: indented by 5 blanks; 6 are wanted here, as for name"},
		{"        levels: ", "       levels: ", "%d+1: indented by 8 blanks; 7 are wanted here, as for levels"},
		{"        labels: ", "       labels: ", "%d: indented by 7 blanks; 8 are wanted here, as for levels"},
		{"orders:", " orders:", "%d: indented by 1 blank; 0 are wanted here, as for grace_days"},
		{"\nzone: ", "\nzone：", "%d+1: a full-width ： behind a key; YAML wants : and a blank"},
		{"  rate: 1/1", "  rate：1/1", "%d: a full-width ： behind a key; YAML wants : and a blank"},
		{"  rate: 1/1", "  rate:\u30001/1", "%d: a full-width blank (U+3000) behind a key; YAML wants : and a blank"},
		{"  rate: 1/1", "  rate:\u00a01/1", "%d: a blank that does not break (U+00A0) behind a key; YAML wants : and a blank"},
		{"  rate: 1/1", "  rate:1/1", "%d: rate: a blank is wanted behind the colon"},
		{"  rate: 1/1", "\u3000rate: 1/1", "%d: indented by a full-width blank (U+3000); YAML wants plain blanks"},
		{"  rate: 1/1", " \u00a0rate: 1/1", "%d: indented by a blank that does not break (U+00A0); YAML wants plain blanks"},
		{"  combine: best", "  combine: best\n  caps: {per_order: 1，per_day: 2}", "%d+1: a full-width ，; YAML wants , and a blank"},
		{"  combine: best", "  combine: best\n  caps: {per_order: 1,\n    per_day：2}\n   x: 1", "%d+3: indented by 3 blanks; 2 are wanted here, as for caps"},
	} {
		at := strings.Index(good, test[0])
		if at < 0 {
			t.Errorf("%q is not in the file", test[0])
			continue
		}
		want := strings.Count(good[:at], "\n") + 1
		place, problem, _ := strings.Cut(test[2], ":")
		if _, more, ok := strings.Cut(place, "+"); ok {
			want += int(more[0] - '0')
		}
		_, err := programme.Parse([]byte(strings.Replace(good, test[0], test[1], 1)), base)
		if wanted := "line " + strconv.Itoa(want) + ":" + problem; err == nil || err.Error() != wanted {
			t.Errorf("%q:\n%v, want\n%s", test[1], err, wanted)
		}
	}
}

// What parses says the same when it is written again.
func FuzzParse(f *testing.F) {
	good := string(export(f, loyalty.DefaultSettings()))
	f.Add([]byte(good))
	found, bad := examples(f)
	for _, e := range found {
		f.Add([]byte(e.yaml))
		f.Add(export(f, whole(f, e.yaml)))
	}
	for _, b := range bad {
		f.Add([]byte(strings.Replace(good, strings.Trim(b.cells["instead of"], "`"), strings.Trim(b.cells["written"], "`"), 1)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		base := loyalty.DefaultSettings()
		file, err := programme.Parse(text, base)
		if err != nil {
			if _, ok := errors.AsType[*programme.Error](err); !ok || err.Error() == "" {
				t.Fatal(err)
			}
			return
		}
		again, err := programme.Export(file)
		if err != nil {
			t.Fatalf("%v of %s", err, file.Settings.Document())
		}
		back, err := programme.Parse(again, base)
		if err != nil || back.Settings.Document() != file.Settings.Document() {
			t.Fatalf("%v\n%s", err, again)
		}
	})
}
