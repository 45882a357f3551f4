package programme_test

import (
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/programme"
)

const docs = "../../docs/programme.md"

func mustRead(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// example is a part of a programme in the document and what it comes to.
type example struct {
	line int
	yaml string
	rows []row
}

// row is a line of a table by the names of its columns.
type row struct {
	line  int
	cells map[string]string
}

// examples are all of the document's, and the rows of its table of bad input.
func examples(t testing.TB) (found []example, bad []row) {
	t.Helper()
	var names []string
	fenced := false
	number := 0
	for line := range strings.Lines(mustRead(t, docs)) {
		number++
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "```yaml":
			fenced = true
			found = append(found, example{line: number})
		case line == "```":
			fenced = false
		case fenced:
			found[len(found)-1].yaml += line + "\n"
		case !strings.HasPrefix(line, "|"):
			names = nil
		case names == nil:
			names = cells(line)
		case !strings.HasPrefix(line, "|---"):
			r := row{number, map[string]string{}}
			for i, text := range cells(line) {
				r.cells[names[i]] = text
			}
			if names[0] == "instead of" {
				bad = append(bad, r)
			} else {
				last := &found[len(found)-1]
				last.rows = append(last.rows, r)
			}
		}
	}
	return found, bad
}

func cells(line string) []string {
	list := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|"), "|")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// whole is the programme of a new merchant with a part of another over it.
func whole(t testing.TB, part string) loyalty.Settings {
	t.Helper()
	base := loyalty.DefaultSettings()
	base.Orders.Score = loyalty.ScoreRule
	var below, above yaml.Node
	for text, n := range map[string]*yaml.Node{string(export(t, base)): &below, part: &above} {
		if err := yaml.Unmarshal([]byte(text), n); err != nil {
			t.Fatal(err)
		}
	}
	overlay(below.Content[0], above.Content[0])
	text, err := yaml.Marshal(below.Content[0])
	if err != nil {
		t.Fatal(err)
	}
	f, err := programme.Parse(text, base)
	if err != nil {
		t.Fatalf("%v in\n%s", err, part)
	}
	return f.Settings
}

func overlay(below, above *yaml.Node) {
	for i := 0; i < len(above.Content); i += 2 {
		at := -1
		for j := 0; j < len(below.Content); j += 2 {
			if below.Content[j].Value == above.Content[i].Value {
				at = j + 1
			}
		}
		switch value := above.Content[i+1]; {
		case at < 0:
			below.Content = append(below.Content, above.Content[i], value)
		case value.Kind == yaml.MappingNode:
			overlay(below.Content[at], value)
		default:
			below.Content[at] = value
		}
	}
}

func export(t testing.TB, s loyalty.Settings) []byte {
	t.Helper()
	text, err := programme.Export(programme.File{Merchant: "m", Version: 1, Settings: s})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Every example of the document comes to what its table says.
func TestDocumentExamples(t *testing.T) {
	t.Parallel()
	found, _ := examples(t)
	if len(found) < 15 {
		t.Fatalf("%d examples", len(found))
	}
	for _, e := range found {
		if len(e.rows) == 0 {
			t.Errorf("%s:%d: an example without a case", docs, e.line)
		}
		settings := whole(t, e.yaml)
		var s *story
		for _, r := range e.rows {
			if r.cells["who"] != "same" {
				s = newStory(t, settings, r)
			}
			s.tell(r)
		}
	}
}

// Every key of a file is in the document.
func TestDocumentHasEveryKey(t *testing.T) {
	t.Parallel()
	text := mustRead(t, docs)
	keys := programme.Keys()
	if len(keys) < 50 {
		t.Fatalf("%d keys", len(keys))
	}
	for _, key := range keys {
		name := key[strings.LastIndexByte(key, '.')+1:]
		if !strings.Contains(text, "`"+name+"`") && !strings.Contains(text, "### "+name) && !strings.Contains(text, ", "+name+" (") {
			t.Errorf("%s has nothing about %s", docs, key)
		}
	}
}

// What the document says of bad input is what is said.
func TestDocumentBadInput(t *testing.T) {
	t.Parallel()
	_, bad := examples(t)
	if len(bad) < 20 {
		t.Errorf("%d cases", len(bad))
	}
	good := string(export(t, loyalty.DefaultSettings()))
	plain := strings.NewReplacer("`` ", "", " ``", "", "`", "", `\n`, "\n", `\t`, "\t", `\u3000`, "\u3000", `\u00a0`, "\u00a0")
	for _, r := range bad {
		from, to := plain.Replace(r.cells["instead of"]), plain.Replace(r.cells["written"])
		text := strings.Replace(good, from, to, 1)
		if text == good {
			t.Errorf("%s:%d: %q is not in the file", docs, r.line, from)
			continue
		}
		_, err := programme.Parse([]byte(text), loyalty.DefaultSettings())
		if want := r.cells["says"]; err == nil || strings.ReplaceAll(err.Error(), "\n", "; ") != want {
			t.Errorf("%s:%d: | `%s` | `%s` | %v |", docs, r.line, r.cells["instead of"], r.cells["written"], err)
		}
	}
}
