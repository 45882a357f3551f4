package jsonx

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestRelaxed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{`{'a':'b'}`, `{"a":"b"}`},
		{`{"a":'b',"c":"d"}`, `{"a":"b","c":"d"}`},
		{`{'a':'say "hi"'}`, `{"a":"say \"hi\""}`},
		{`{'a':'it\'s'}`, `{"a":"it's"}`},
		{`{'a':'\"\\\n中\u4e2d'}`, `{"a":"\"\\\n中\u4e2d"}`},
		{`{"a":"it's"}`, `{"a":"it's"}`},
		{"{'a':'1'\n\n\t,'b':2}", "{\"a\":\"1\"\n\n\t,\"b\":2}"},
		{"{'a':'x\ny\r\t\x01\x1f'}", `{"a":"x\ny\r\t\u0001\u001f"}`},
		{"{\"a\":\"x\ny\"}", `{"a":"x\ny"}`},
		{`{'a':'}]'}`, `{"a":"}]"}`},
		{`hello`, `hello`}, // not completed, not refused: the strict reader's business
		{`{a:1,}`, `{a:1,}`},
	} {
		got, err := Relaxed(c.text)
		if got != c.want || err != nil {
			t.Errorf("%q: got %q, %v; want %q", c.text, got, err, c.want)
		}
	}
	for _, c := range []struct{ text, reason string }{
		{`{'a':'b`, reasonTruncated}, {`{'a':'b\`, reasonTruncated}, {`{'a':'b\'}`, reasonTruncated}, {`{'a':'b"}`, reasonTruncated},
		{`{'score':10`, reasonTruncated}, {`{'a':[1}`, reasonBrackets}, {`{'a':1}}`, reasonBrackets}, {`]`, reasonBrackets},
		{"{'a':'\\\n'}", reasonEscape}, {"{'a':'\x00'}", reasonNUL}, {"{'a':'\xff'}", reasonUTF8},
		{strings.Repeat("[", maxDepth+1), reasonDeep},
	} {
		_, err := Relaxed(c.text)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Reason != c.reason {
			t.Errorf("%q: %v, want %q", c.text, err, c.reason)
		}
	}
}

func TestRelaxedObjectRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, `hello`, `[]`, `{'a':1,}`, `{a:1}`, `{'a':01}`, `{'a':1}{'b':2}`, `{'a':1};`, `{'a':'b\x'}`, `{'a':'\u0000'}`, `{'a':'\ud83d'}`,
		`{'score':'1','score':'2'}`, `{'score':'1',"score":'2'}`, `{'score':'1','sc\u006fre':'2'}`,
		// A name with an apostrophe that tries to bring its own score.
		`{'name':'x','score':'1000','y':'','score':'1'}`,
		`{'name':'O'Brien','score':'1'}`,
		`{'a':{'b':1,'b':2}}`,
		"{\"a\":\"\\\n\"}",
		`{"a":"it\'s"}`,
		`{'b':1,"a":"it\'s"}`,
	} {
		if f, err := RelaxedObject(text); err == nil {
			t.Errorf("%s: accepted %v", text, f)
		}
	}
	f, err := RelaxedObject(`{'name':'O\'Brien','score':"1"}`)
	if err != nil {
		t.Fatal(err)
	}
	if name, _, _ := f.Text("name"); name != "O'Brien" {
		t.Errorf("got %q", name)
	}
}

func TestRawControls(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"{\n\"a\":\t\"x\r\ny\"\n}", "{\n\"a\":\t\"x\\r\\ny\"\n}"},
		{"{\"a\":\"\\\"\n\\\\\"\n}", "{\"a\":\"\\\"\\n\\\\\"\n}"},
		{"\"\x00\x1f\x7f", "\"\\u0000\\u001f\x7f"},
		{"\"a\\\nb\"", "\"a\\\nb\""},
		{"'\n'", "'\n'"},
		{"\"\\", "\"\\"},
		{"", ""},
	} {
		if got := string(RawControls([]byte(c.text))); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}

func seed(f *testing.F) {
	for _, e := range examples(f) {
		f.Add(e.Text)
		if e.Inner != "" {
			f.Add(e.Inner)
		}
	}
	for _, text := range []string{change, `{}`, `{"a":[1,-2.5e+3,true,false,null,{"b":"\ud83d\ude00"}]}`, `{'a':'it\'s "x"'}`, "{\"a\":\"\x01\"}", `{"a":1,"a":2}`} {
		f.Add(text)
	}
}

// noPrefix fails when accept takes any strict prefix of an accepted text.
func noPrefix(t *testing.T, text string, accept func(string) bool) {
	const longest = 600 // every prefix is read: quadratic
	text = strings.TrimRight(text, " \t\r\n")
	if len(text) > longest {
		return
	}
	for n := range len(text) {
		if accept(text[:n]) {
			t.Fatalf("prefix %q of %q accepted", text[:n], text)
		}
	}
}

// FuzzObject compares with encoding/json: what we take, it reads equally; what
// it takes and we don't is one of the things it is too lenient about.
func FuzzObject(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		fields, err := Object([]byte(text))
		var std map[string]json.RawMessage
		stdErr := json.Unmarshal([]byte(text), &std)
		if err != nil {
			switch reason := err.(*SyntaxError).Reason; reason {
			case reasonUTF8, reasonNUL, reasonSurrogate, reasonRepeated, reasonDeep:
			default:
				if stdErr == nil && std != nil {
					t.Fatalf("%q: refused (%v), encoding/json takes it", text, err)
				}
			}
			return
		}
		if stdErr != nil {
			t.Fatalf("%q: accepted, encoding/json: %v", text, stdErr)
		}
		if len(std) != len(fields.members) {
			t.Fatalf("%q: %d members, encoding/json has %d", text, len(fields.members), len(std))
		}
		for _, m := range fields.members {
			if m.raw != string(std[m.name]) {
				t.Fatalf("%q: member %q is %q, encoding/json has %q", text, m.name, m.raw, std[m.name])
			}
			if decoded, ok := m.string(); ok {
				var want string
				if err := json.Unmarshal(std[m.name], &want); err != nil || decoded != want {
					t.Fatalf("%q: %q decodes to %q, want %q, %v", text, m.name, decoded, want, err)
				}
			}
		}
		noPrefix(t, text, func(s string) bool { _, err := Object([]byte(s)); return err == nil })
	})
}

// FuzzRelaxed holds what a money path needs: valid JSON passes unchanged, what
// is accepted is real JSON, and no truncated text ever succeeds.
func FuzzRelaxed(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		relaxed, err := Relaxed(text)
		if json.Valid([]byte(text)) && utf8.ValidString(text) {
			if err != nil && err.(*SyntaxError).Reason != reasonDeep {
				t.Fatalf("valid %q: %v", text, err)
			}
			if err == nil && relaxed != text {
				t.Fatalf("valid %q became %q", text, relaxed)
			}
		}
		raw := string(RawControls([]byte(text)))
		if json.Valid([]byte(text)) && raw != text {
			t.Fatalf("valid %q became %q", text, raw)
		}
		fields, err := RelaxedObject(text)
		if err != nil {
			return
		}
		if _, strictErr := Object([]byte(text)); strictErr != nil {
			want, got := map[string]json.RawMessage{}, map[string]json.RawMessage{}
			if err := json.Unmarshal([]byte(relaxed), &want); err != nil {
				t.Fatalf("%q accepted, its relaxed form %q is not JSON: %v", text, relaxed, err)
			}
			for _, m := range fields.members {
				got[m.name] = json.RawMessage(m.raw)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		}
		noPrefix(t, text, func(s string) bool { _, err := RelaxedObject(s); return err == nil })
	})
}
