package jsonx

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// seed adds the documents' own examples, what went over the wire in the doors'
// golden transcripts, and cases that have been nasty elsewhere.
func seed(f *testing.F) {
	for _, e := range examples(f) {
		f.Add(e.Text)
		if e.Inner != "" {
			f.Add(e.Inner)
		}
	}
	for _, text := range transcripts(f) {
		f.Add(text)
	}
	for _, text := range []string{
		change, `{}`, `{"a":[1,-2.5e+3,true,false,null,{"b":"\ud83d\ude00"}]}`, `{'a':'it\'s "x"'}`, "{\"a\":\"\x01\"}", `{"a":1,"a":2}`,
		`{'a':1,"a":2}`, `{'a':1,'\u0061':2}`, `{"a":{"b":1,"b":2}}`, `{'name':'x','score':'1000','y':'','score':'1'}`,
		"{'a':'\\\n'}", `{'a':'\\','b':"\\"}`, `{'a':'\\'','b':1}`, `{"a":"'","b":"'"}`, `{'a':'"','b':'"'}`, `{'':''}`, `{"\u0000":1}`,
		`{'a':'\ud83d\ude00','b':'\ude00\ud83d'}`, `{'a':'\ud83d'}`, "{'a':'x\x00y'}", "\ufeff{}", "{'a':'\ufeff\u2028\u007f'}",
		`{'a':tru}`, `{'a':01}`, `{'a':-}`, `{'a':1e400}`, `{'a':[}]`, `{'a':'b'}}`, `{'a':'b'};`, `{'a' 'b'}`, `{'a':'b''c':'d'}`,
		strings.Repeat(`{'a':[`, 16) + strings.Repeat(`]}`, 16), strings.Repeat(`{'a':[`, 17) + strings.Repeat(`]}`, 17),
	} {
		f.Add(text)
	}
}

// transcripts are the bodies in the golden files of the doors: lines that begin
// an object and are short.
func transcripts(f *testing.F) (all []string) {
	files, err := filepath.Glob("../*/testdata/*.golden")
	if err != nil || len(files) < 20 {
		f.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			line = strings.TrimPrefix(strings.TrimSpace(line), "-> ")
			if strings.HasPrefix(line, "{") && len(line) < 400 {
				all = append(all, line)
				break // one of each file says what there is to say
			}
		}
	}
	return all
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

var surrogateEscape = regexp.MustCompile(`\\u[dD][89a-fA-F]`)

// tooLenient tells whether text holds what the reason says, which encoding/json
// lets pass and we do not. A repeated name is looked for by the reference.
func tooLenient(text, reason string) bool {
	switch reason {
	case reasonUTF8:
		return !utf8.ValidString(text)
	case reasonNUL:
		return strings.Contains(text, `\u0000`)
	case reasonSurrogate:
		return surrogateEscape.MatchString(text)
	case reasonRepeated:
		_, err := readReference(text)
		return err != nil
	case reasonDeep:
		return strings.Count(text, "[")+strings.Count(text, "{") > maxDepth
	}
	return false
}

// FuzzObject compares with encoding/json: what we take, it reads equally; what
// it takes and we don't is one of the things it is too lenient about, and that
// thing is there.
func FuzzObject(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		fields, err := Object([]byte(text))
		var std map[string]json.RawMessage
		stdErr := json.Unmarshal([]byte(text), &std)
		if err != nil {
			if reason := err.(*SyntaxError).Reason; stdErr == nil && std != nil && !tooLenient(text, reason) {
				t.Fatalf("%q: refused (%v), encoding/json takes it", text, err)
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
// is accepted and what it means is what the reference says, and no truncated
// text ever succeeds.
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
		if raw := string(RawControls([]byte(text))); json.Valid([]byte(text)) && raw != text {
			t.Fatalf("valid %q became %q", text, raw)
		}
		fields, err := RelaxedObject(text)
		want, wantErr := readReference(text)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, the reference says %v", text, err, wantErr)
		}
		if err != nil {
			return
		}
		got := map[string]any{}
		for _, m := range fields.members {
			d := json.NewDecoder(strings.NewReader(m.raw))
			d.UseNumber()
			var value any
			if err := d.Decode(&value); err != nil {
				t.Fatalf("%q: member %q holds %q: %v", text, m.name, m.raw, err)
			}
			got[m.name] = value
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q: %s", text, diff)
		}
		noPrefix(t, text, func(s string) bool { _, err := RelaxedObject(s); return err == nil })
	})
}

// bodies are requestBodies with a hole for one value that a customer chose, as a
// careless client glues them together.
var bodies = []struct{ before, after string }{
	{`{'name':'`, `','score':'77'}`},
	{`{'score':'77','name':'`, `'}`},
	{`{'memberId':'1','name':'`, `','score':77,'items':[{'name':'a','score':'1'}]}`},
	{`{'items':[{'score':'1'}],'score':77,'name':'`, `','operationType':'1'}`},
	{`{"name":"`, `","score":"77"}`},
	{`{"score":77,"name":"`, `"}`},
	{`{'name':'`, `',"score":"77"}`},
	{`{"score":"77",'name':'`, `'}`},
}

// FuzzHostileValue: whatever a customer's name holds, the score is the one that
// the client wrote, or there is no answer but a refusal. A client that escapes
// gets the name back as it was. (Two such values around the score can hide it,
// in JSON as well: no reader can tell that.)
func FuzzHostileValue(f *testing.F) {
	for i, value := range []string{
		`O'Brien`, `x','score':'1000`, `x','score':'1000','y':'`, `x\`, `x\\`, `x',"y":"`, `x","score":"1000`, `x'}`, `x'};{'a':'`, `x','z':{'a':'b`,
		`x','z':[{'score':'1000`, `x','sc\u006fre':'1000`, `x',"y":"z\`, "x\n", "x'/*", "x\x00", `"`, `'`, `''`, `x','score':null,'a':'`, `x'],'score':'5`,
	} {
		for shape := range bodies {
			f.Add(uint8(shape+i), value)
		}
	}
	f.Fuzz(func(t *testing.T, shape uint8, value string) {
		body := bodies[int(shape)%len(bodies)]
		if fields, err := RelaxedObject(body.before + value + body.after); err == nil {
			if score, err := fields.NeedInt("score"); score != 77 || err != nil {
				t.Fatalf("%q in %v: score %d, %v", value, body, score, err)
			}
		}
		quote := body.before[len(body.before)-1:]
		escaped := strings.NewReplacer(`\`, `\\`, quote, `\`+quote).Replace(value)
		fields, err := RelaxedObject(body.before + escaped + body.after)
		if !utf8.ValidString(value) || strings.Contains(value, "\x00") {
			if err == nil {
				t.Fatalf("%q in %v: accepted", value, body)
			}
			return
		}
		if err != nil {
			t.Fatalf("%q escaped in %v: %v", value, body, err)
		}
		name, _, nameErr := fields.Text("name")
		score, scoreErr := fields.NeedInt("score")
		if name != value || score != 77 || nameErr != nil || scoreErr != nil {
			t.Fatalf("%q escaped in %v: name %q (%v), score %d (%v)", value, body, name, nameErr, score, scoreErr)
		}
	})
}

// FuzzText: what encoding/json and net/url write is read as it was, in a body, in
// a query, and in both at once.
func FuzzText(f *testing.F) {
	for _, text := range []string{"", "中😀", "a\"b\\'", "\u2028\u007f\t", "\xff", "a\x00", "null", "1e2", "[1]", `[{"a":1}]`, "%2B+ &=;"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		query := FromQuery(url.Values{"a": {text}})
		if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			if _, _, err := query.Text("a"); reason(t, err) != Unreadable {
				t.Fatalf("%q in a query: %v", text, err)
			}
			return
		}
		wire, err := json.Marshal(map[string]any{"a": text, "list": []string{text}, "objects": []any{map[string]string{"a": text}}})
		if err != nil {
			t.Fatal(err)
		}
		body, err := Object(wire)
		if err != nil {
			t.Fatalf("%s: %v", wire, err)
		}
		merged, err := Merge(body, query)
		if err != nil {
			t.Fatalf("%q differs from itself: %v", text, err)
		}
		objects, _, err := body.Objects("objects")
		if err != nil || len(objects) != 1 {
			t.Fatalf("%s: %d objects, %v", wire, len(objects), err)
		}
		for place, fields := range map[string]Fields{"body": body, "query": query, "both": merged, "an object of a list": objects[0]} {
			if got, present, err := fields.Text("a"); got != text || !present || err != nil {
				t.Fatalf("%q in %s: %q %t %v", text, place, got, present, err)
			}
		}
		want := strings.TrimSpace(text)
		list, present, err := body.Texts("list")
		if err != nil || present != (want != "") || present && (len(list) != 1 || list[0] != want) {
			t.Fatalf("%q in a list: %q %t %v", text, list, present, err)
		}
	})
}
