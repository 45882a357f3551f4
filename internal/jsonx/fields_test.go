package jsonx

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func read(t testing.TB, text string) Fields {
	t.Helper()
	f, err := Object([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return f
}

// reason returns the reason of a FieldError, "" for no error.
func reason(t testing.TB, err error) Reason {
	t.Helper()
	if err == nil {
		return ""
	}
	var field *FieldError
	if !errors.As(err, &field) {
		t.Fatalf("%v is no FieldError", err)
	}
	return field.Reason
}

func TestInt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value   string
		want    int64
		present bool
		reason  Reason
	}{
		{`1`, 1, true, ""}, {`"1"`, 1, true, ""}, {`-7`, -7, true, ""}, {`"-7"`, -7, true, ""},
		{`0`, 0, true, ""}, {`-0`, 0, true, ""}, {`0.000e9`, 0, true, ""}, {`0e99999999999999999999`, 0, true, ""},
		{`1.0`, 1, true, ""}, {`"1.00"`, 1, true, ""}, {`1e3`, 1000, true, ""}, {`1.5E+1`, 15, true, ""},
		{`1200e-2`, 12, true, ""}, {`"007"`, 7, true, ""}, {`"\u0031"`, 1, true, ""},
		{`9223372036854775807`, math.MaxInt64, true, ""}, {`-9223372036854775808`, math.MinInt64, true, ""},
		{`9007199254740993`, 9007199254740993, true, ""}, {`9223372036854775807000e-3`, math.MaxInt64, true, ""},
		{`9223372036854775808`, 0, false, OutOfRange}, {`-9223372036854775809`, 0, false, OutOfRange},
		{`99999999999999999999`, 0, false, OutOfRange}, {`1e19`, 0, false, OutOfRange}, {`1e999999999999`, 0, false, OutOfRange},
		{`1.5`, 0, false, NotInteger}, {`1e-1`, 0, false, NotInteger}, {`1e-999999999999`, 0, false, NotInteger},
		{`"1.5"`, 0, false, NotInteger}, {`" 1"`, 0, false, NotInteger}, {`"1 "`, 0, false, NotInteger}, {`" "`, 0, false, NotInteger},
		{`"+1"`, 0, false, NotInteger}, {`"1."`, 0, false, NotInteger}, {`".5"`, 0, false, NotInteger}, {`"-"`, 0, false, NotInteger},
		{`"1e"`, 0, false, NotInteger}, {`"1e+"`, 0, false, NotInteger}, {`"1e--1"`, 0, false, NotInteger}, {`"1x"`, 0, false, NotInteger},
		{`"0x10"`, 0, false, NotInteger}, {`"1_000"`, 0, false, NotInteger}, {`"１"`, 0, false, NotInteger}, {`"abc"`, 0, false, NotInteger},
		{`true`, 0, false, NotInteger}, {`{}`, 0, false, NotInteger}, {`[1]`, 0, false, NotInteger},
		{`""`, 0, false, ""}, {`null`, 0, false, ""},
	} {
		got, present, err := read(t, `{"x":`+c.value+`}`).Int("x")
		if got != c.want || present != c.present || reason(t, err) != c.reason {
			t.Errorf("%s: got %d %t %v, want %d %t %q", c.value, got, present, err, c.want, c.present, c.reason)
		}
	}
	if _, present, err := read(t, `{"y":1}`).Int("x"); present || err != nil {
		t.Errorf("absent: %t %v", present, err)
	}
}

func TestFen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value   string
		want    int64
		present bool
		reason  Reason
	}{
		{`200.50`, 20050, true, ""}, {`"200.50"`, 20050, true, ""}, {`200.500`, 20050, true, ""}, {`0.01`, 1, true, ""},
		{`1000.4`, 100040, true, ""}, {`0.29`, 29, true, ""}, {`1.15`, 115, true, ""}, {`-3.2`, -320, true, ""}, {`0`, 0, true, ""},
		{`1e2`, 10000, true, ""}, {`12345e-2`, 12345, true, ""}, {`"-0.00"`, 0, true, ""},
		{`10000000000000`, maxFen, true, ""}, {`-10000000000000.00`, -maxFen, true, ""},
		{`10000000000000.01`, 0, false, OutOfRange}, {`-10000000000000.01`, 0, false, OutOfRange}, {`1e30`, 0, false, OutOfRange},
		{`0.001`, 0, false, NotMoney}, {`200.505`, 0, false, NotMoney}, {`"1,000.00"`, 0, false, NotMoney}, {`"¥1"`, 0, false, NotMoney},
		{`" 1"`, 0, false, NotMoney}, {`true`, 0, false, NotMoney}, {`[]`, 0, false, NotMoney},
		{`""`, 0, false, ""}, {`null`, 0, false, ""},
	} {
		got, present, err := read(t, `{"x":`+c.value+`}`).Fen("x")
		if got != c.want || present != c.present || reason(t, err) != c.reason {
			t.Errorf("%s: got %d %t %v, want %d %t %q", c.value, got, present, err, c.want, c.present, c.reason)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body, want string
		present    bool
		reason     Reason
	}{
		{`{"a":"x"}`, "x", true, ""},
		{`{"a":"\u4e2d\ud83d\ude00\"\\\/\b\f\n\r\t!"}`, "中😀\"\\/\b\f\n\r\t!", true, ""},
		{`{"a":18616703980}`, "18616703980", true, ""},
		{`{"a":1.50}`, "1.50", true, ""},
		{`{"a":""}`, "", true, ""},
		{`{"a":null}`, "", false, ""},
		{`{}`, "", false, ""},
		{`{"b":"x"}`, "x", true, ""},
		{`{"a":"","b":"x"}`, "x", true, ""},
		{`{"b":"x","a":""}`, "x", true, ""},
		{`{"a":null,"b":""}`, "", true, ""},
		{`{"a":"1","b":1}`, "1", true, ""},
		{`{"a":"\u0078","b":"x"}`, "x", true, ""},
		{`{"a":"x","b":"y"}`, "", false, Different},
		{`{"a":"x","b":"X"}`, "", false, Different},
		{`{"A":"x"}`, "", false, ""},
		{`{"a":true}`, "", false, NotText},
		{`{"a":"x","b":[]}`, "", false, NotText},
		{`{"a":{}}`, "", false, NotText},
	} {
		got, present, err := read(t, c.body).Text("a", "b")
		if got != c.want || present != c.present || reason(t, err) != c.reason {
			t.Errorf("%s: got %q %t %v, want %q %t %q", c.body, got, present, err, c.want, c.present, c.reason)
		}
	}
}

func TestSpellings(t *testing.T) {
	t.Parallel()
	f := read(t, `{"page_no":"1","pageNo":1.0,"page_size":10,"pageSize":15,"amount":"1.50","money":1.5,"other":1.51}`)
	if n, present, err := f.Int("page_no", "pageNo"); n != 1 || !present || err != nil {
		t.Errorf("equal numbers: %d %t %v", n, present, err)
	}
	if fen, present, err := f.Fen("amount", "money"); fen != 150 || !present || err != nil {
		t.Errorf("equal amounts: %d %t %v", fen, present, err)
	}
	_, _, err := f.Int("page_size", "pageSize")
	want := &FieldError{Name: "page_size/pageSize", Reason: Different}
	if diff := cmp.Diff(error(want), err); diff != "" {
		t.Error(diff)
	}
	if _, _, err := f.Fen("amount", "other"); reason(t, err) != Different {
		t.Errorf("different amounts: %v", err)
	}
	if _, _, err := read(t, `{"a":"","b":"x"}`).Int("a", "b"); reason(t, err) != NotInteger {
		t.Errorf("empty beside wrong: %v", err)
	}
}

func TestNeed(t *testing.T) {
	t.Parallel()
	f := read(t, `{"empty":"","null":null,"n":"5","t":"x","y":0.05}`)
	for _, name := range []string{"empty", "null", "absent"} {
		_, a := f.NeedText(name)
		_, b := f.NeedInt(name)
		_, c := f.NeedFen(name, "other")
		for _, err := range []error{a, b, c} {
			if diff := cmp.Diff(error(&FieldError{name, Missing}), err); diff != "" {
				t.Error(diff)
			}
		}
	}
	n, errN := f.NeedInt("n")
	s, errS := f.NeedText("t")
	fen, errF := f.NeedFen("y")
	if n != 5 || s != "x" || fen != 5 || errors.Join(errN, errS, errF) != nil {
		t.Errorf("got %d %q %d, %v", n, s, fen, errors.Join(errN, errS, errF))
	}
	if _, err := f.NeedInt("t"); reason(t, err) != NotInteger {
		t.Errorf("wrong type: %v", err)
	}
}

func TestFieldErrorTexts(t *testing.T) {
	t.Parallel()
	_, err := read(t, `{"score":"x"}`).NeedInt("score")
	var field *FieldError
	if !errors.As(err, &field) || field.Chinese() != "score 必须是整数" || field.Error() != "field score: not an integer" {
		t.Errorf("got %v", err)
	}
	for _, r := range []Reason{Missing, NotText, NotInteger, NotMoney, OutOfRange, NotObject, NotList, Different, Unreadable, Invalid} {
		if chinese[r] == "" {
			t.Errorf("%q has no Chinese text", r)
		}
	}
	if got := (&FieldError{"x", "something else"}).Chinese(); got != "x 不合法" {
		t.Errorf("unknown reason: %q", got)
	}
}
