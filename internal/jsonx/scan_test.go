package jsonx

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// change is a points change as gateway clients send it.
const change = `{"open_id":"25c56912e05847c0b09f03ca7e52b796","score":100,"event":"event_add","change_id":"c-000001","out_biz_no":"N2021063000","desc":"买一送一"}`

type example struct {
	Door, Section, Text, Inner string
	Valid, InnerValid          bool
	Decoded                    map[string]any
}

// examples are the request examples of the two documents, as written.
func examples(t testing.TB) []example {
	t.Helper()
	data, err := os.ReadFile("testdata/examples.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []example
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 25 {
		t.Fatalf("only %d examples", len(all))
	}
	return all
}

func TestObjectRefuses(t *testing.T) {
	t.Parallel()
	deep := func(n int) string {
		return `{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
	}
	for _, c := range []struct{ name, text, reason, path string }{
		{"empty", ``, reasonTruncated, ""},
		{"blank", "  \n", reasonTruncated, ""},
		{"array", `[]`, reasonNotObject, ""},
		{"word", `hello`, reasonNotObject, ""},
		{"byte order mark", "\ufeff{}", reasonNotObject, ""},
		{"two objects", `{}{}`, reasonTrailing, ""},
		{"trailing comma", `{"a":1},`, reasonTrailing, ""},
		{"trailing NUL", "{}\x00", reasonTrailing, ""},
		{"comma before end", `{"a":1,}`, reasonUnexpected, "a"},
		{"comma in array", `{"a":[1,]}`, reasonUnexpected, "a[1]"},
		{"no comma", `{"a":1 "b":2}`, reasonUnexpected, "a"},
		{"no colon", `{"a" 1}`, reasonUnexpected, "a"},
		{"bare name", `{a:1}`, reasonUnexpected, ""},
		{"single quotes", `{'a':1}`, reasonUnexpected, ""},
		{"comment", `{/**/"a":1}`, reasonUnexpected, ""},
		{"no value", `{"a":}`, reasonUnexpected, "a"},
		{"wrong bracket", `{"a":[1}`, reasonUnexpected, "a[0]"},
		{"capital literal", `{"a":True}`, reasonUnexpected, "a"},
		{"NaN", `{"a":NaN}`, reasonUnexpected, "a"},
		{"broken literal", `{"a":nul1}`, reasonUnexpected, "a"},
		{"NUL between", "{\x00}", reasonUnexpected, ""},
		{"other blank", "{\v}", reasonUnexpected, ""},
		{"plus", `{"a":+1}`, reasonUnexpected, "a"},
		{"leading zero", `{"a":01}`, reasonUnexpected, "a"},
		{"hex", `{"a":0x1}`, reasonUnexpected, "a"},
		{"bare point", `{"a":1.}`, reasonNumber, "a"},
		{"point first", `{"a":.5}`, reasonUnexpected, "a"},
		{"minus alone", `{"a":-}`, reasonNumber, "a"},
		{"empty exponent", `{"a":1e}`, reasonNumber, "a"},
		{"truncated string", `{"a":"b`, reasonTruncated, "a"},
		{"truncated name", `{"a`, reasonTruncated, ""},
		{"truncated escape", `{"a":"\`, reasonTruncated, "a"},
		{"truncated hex", `{"a":"\u00`, reasonTruncated, "a"},
		{"truncated number", `{"a":-`, reasonTruncated, "a"},
		{"truncated literal", `{"a":tru`, reasonTruncated, "a"},
		{"cut score", `{"score":10`, reasonTruncated, "score"},
		{"raw line break", "{\"a\":\"x\ny\"}", reasonControl, "a"},
		{"raw NUL", "{\"a\":\"x\x00y\"}", reasonNUL, "a"},
		{"raw NUL in name", "{\"a\x00\":1}", reasonNUL, ""},
		{"escaped NUL", `{"a":"\u0000"}`, reasonNUL, "a"},
		{"escaped NUL in name", `{"\u0000":"x"}`, reasonNUL, ""},
		{"escaped NUL deep", `{"a":[{"b":"x\u0000"}]}`, reasonNUL, "a[0].b"},
		{"bad escape", `{"a":"\x"}`, reasonEscape, "a"},
		{"escaped apostrophe", `{"a":"\'"}`, reasonEscape, "a"},
		{"bad hex", `{"a":"\u12g4"}`, reasonEscape, "a"},
		{"high surrogate alone", `{"a":"\ud83d"}`, reasonSurrogate, "a"},
		{"low surrogate alone", `{"a":"\ude00"}`, reasonSurrogate, "a"},
		{"surrogates reversed", `{"a":"\ude00\ud83d"}`, reasonSurrogate, "a"},
		{"high surrogate then text", `{"a":"\ud83dabcdef"}`, reasonSurrogate, "a"},
		{"surrogate in name", `{"\ud83d":1}`, reasonSurrogate, ""},
		{"invalid UTF-8", "{\"a\":\"\xff\"}", reasonUTF8, ""},
		{"UTF-8 surrogate", "{\"a\":\"\xed\xa0\x80\"}", reasonUTF8, ""},
		{"repeated", `{"score":1,"score":1}`, reasonRepeated, "score"},
		{"repeated, escaped", `{"score":1,"sc\u006fre":2}`, reasonRepeated, "score"},
		{"repeated, deep", `{"a":[1,{"b":{"c":1,"d":2,"c":3}}]}`, reasonRepeated, "a[1].b.c"},
		{"repeated empty name", `{"":1,"":2}`, reasonRepeated, ""},
		{"too deep", deep(maxDepth + 1), reasonDeep, "a" + strings.Repeat("[0]", maxDepth-1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Object([]byte(c.text))
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("%q: got %v, want a SyntaxError", c.text, err)
			}
			if diff := cmp.Diff(SyntaxError{c.path, c.reason}, *syntax); diff != "" {
				t.Errorf("%q: %s", c.text, diff)
			}
		})
	}
	if _, err := Object([]byte(deep(maxDepth))); err != nil {
		t.Errorf("depth %d: %v", maxDepth, err)
	}
}

func TestRepeatedAmongMany(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 23, 24, 25, 26, 500} {
		var b strings.Builder
		for i := range n {
			b.WriteString(`"n` + strconv.Itoa(i) + `":{"n0":1},`)
		}
		for i := range n {
			text := "{" + b.String() + `"n` + strconv.Itoa(i) + `":0}`
			if _, err := Object([]byte(text)); err == nil {
				t.Fatalf("%d names, number %d repeated: accepted", n, i)
			}
		}
		if _, err := Object([]byte("{" + b.String() + `"x":0}`)); err != nil {
			t.Errorf("%d names: %v", n, err)
		}
	}
}

func TestErrorsHoldNoValues(t *testing.T) {
	t.Parallel()
	const phone = "13800138000"
	for _, text := range []string{
		`{"` + phone + `":1,"` + phone + `":2}`,
		`{"mobile":"` + phone + `\x"}`,
		`{"a` + phone + `b":{`,
		`{"张三":"李四`,
	} {
		_, err := Object([]byte(text))
		if err == nil {
			t.Fatalf("%s: accepted", text)
		}
		for _, shown := range []string{err.Error(), err.(*SyntaxError).Chinese()} {
			if strings.Contains(shown, phone) || strings.Contains(shown, "张三") || strings.Contains(shown, "李四") {
				t.Errorf("%s: shown in %q", text, shown)
			}
		}
	}
}

func TestDocumentExamples(t *testing.T) {
	t.Parallel()
	for _, e := range examples(t) {
		t.Run(e.Door+" "+e.Section, func(t *testing.T) {
			t.Parallel()
			if _, err := Object([]byte(e.Text)); (err == nil) != e.Valid {
				t.Fatalf("Object: %v, want valid %t", err, e.Valid)
			}
			if e.Door != "envelope" {
				if _, err := RelaxedObject(e.Text); (err == nil) != e.Valid {
					t.Errorf("RelaxedObject: %v, want valid %t", err, e.Valid)
				}
				return
			}
			f, err := Object(RawControls([]byte(e.Text)))
			if err != nil {
				t.Fatalf("after RawControls: %v", err)
			}
			inner, err := f.NeedText("requestBody")
			if err != nil || inner != e.Inner {
				t.Fatalf("requestBody %q, %v; want %q", inner, err, e.Inner)
			}
			if _, err := Object([]byte(inner)); (err == nil) != e.InnerValid {
				t.Errorf("requestBody strictly: %v, want valid %t", err, e.InnerValid)
			}
			body, err := RelaxedObject(inner)
			if err != nil {
				t.Fatalf("requestBody: %v", err)
			}
			got := map[string]any{}
			for name := range maps.Collect(body.All()) {
				raw, _, err := body.Raw(name)
				if err != nil {
					t.Fatal(err)
				}
				var v any
				if err := json.Unmarshal(raw, &v); err != nil {
					t.Fatal(err)
				}
				got[name] = v
			}
			if diff := cmp.Diff(e.Decoded, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func BenchmarkObject(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		f, err := Object([]byte(change))
		if err != nil {
			b.Fatal(err)
		}
		f.Text("open_id", "openId")
		f.Text("phone")
		f.Text("event")
		f.Int("score")
		f.Text("change_id", "changeId")
		f.Text("out_biz_no")
		if _, _, err := f.Text("desc"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkObjectOnly(b *testing.B) {
	data := []byte(change)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Object(data); err != nil {
			b.Fatal(err)
		}
	}
}
