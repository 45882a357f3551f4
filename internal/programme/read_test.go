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

// A rate of 0, which a file may not have, can be exported all the same.
func TestExportOfARateOfZero(t *testing.T) {
	t.Parallel()
	s := loyalty.DefaultSettings()
	s.Points.Rate.Num = 0
	_, err := programme.Parse(export(t, s), s)
	if err == nil || !strings.HasSuffix(err.Error(), programme.ZeroRateProblem) {
		t.Error(err)
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
