package jsonx

import (
	"errors"
	"strings"
	"testing"
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
