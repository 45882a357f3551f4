package programme

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/memberd/memberd/internal/loyalty"
)

// Parse reads a programme file. What is no part of a programme comes from base,
// and the whole is checked as the domain does. What is wrong with the file is an
// *Error: everything that reading finds, or else the first thing that the domain
// objects to.
func Parse(document []byte, base loyalty.Settings) (File, error) {
	return parse(document, base, false)
}

// parse takes what settings can hold and nobody should write when it is lenient.
func parse(document []byte, base loyalty.Settings, lenient bool) (File, error) {
	root, err := load(document)
	if err != nil {
		return File{}, err
	}
	r := &reader{lines: map[string]int{}, lenient: lenient}
	r.plainOnly(root)
	f := File{Settings: With(base, loyalty.Settings{})}
	loc, ok := zoneOf(valueOf(root, "zone"))
	object(fieldsOf(&f, loc)).read(r, root, "")
	if line := r.lines["zone"]; line > 0 && !ok {
		r.findings = append(r.findings, Finding{line, "zone", fmt.Sprintf("%q is no IANA time zone, like Asia/Shanghai", f.Settings.Zone)})
	}
	if r.lines["points.rate"] > 0 && f.Settings.Points.Rate.Num == 0 && f.Settings.Points.Rate.Den > 0 && !lenient {
		r.findings = append(r.findings, Finding{r.lines["points.rate"], "points.rate", zeroRateProblem})
	}
	if len(r.findings) > 0 {
		all := failure(r.findings...)
		all.More += r.more
		return File{}, all
	}
	if err := f.Settings.Validate(); err != nil {
		return File{}, r.objection(err)
	}
	f.lines = r.lines
	return f, nil
}

const zeroRateProblem = "a rate of 0 lets money earn nothing and refuses orders that the rule decides; to let orders earn nothing write orders.score: zero"

// load finds what makes a file none before and while YAML is read.
func load(document []byte) (*yaml.Node, error) {
	if len(document) > MaxSize {
		return nil, failure(Finding{Line: 1, Problem: fmt.Sprintf("the file is too large: a programme has at most %d bytes", MaxSize)})
	}
	document = bytes.TrimPrefix(document, []byte("\ufeff"))
	line := 0
	for text := range bytes.Lines(document) {
		if line++; !utf8.Valid(text) {
			return nil, failure(Finding{Line: line, Problem: "this is not UTF-8, but GBK perhaps; save the file as UTF-8"})
		}
		if problem := badIndent(string(text)); problem != "" {
			return nil, failure(Finding{Line: line, Problem: problem})
		}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(document))
	var root, more yaml.Node
	err := decoder.Decode(&root)
	switch {
	case errors.Is(err, io.EOF) || err == nil && (len(root.Content) == 0 || root.Content[0].ShortTag() == "!!null"):
		return nil, failure(Finding{Line: 1, Problem: "the file is empty; begin with what memberd program export writes"})
	case err != nil:
		return nil, failure(syntax(err, document)...)
	}
	if err := decoder.Decode(&more); err == nil {
		return nil, failure(Finding{Line: max(more.Line, 1), Problem: "a second document; a file holds one programme"})
	} else if !errors.Is(err, io.EOF) {
		return nil, failure(syntax(err, document)...)
	}
	return root.Content[0], nil
}

// syntax says what is wrong with a document that YAML does not take. What its
// lines show is worth more than where the library has given up.
func syntax(err error, document []byte) []Finding {
	if found := slips(string(document)); len(found) > 0 {
		return found
	}
	problem := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(problem, "line "); ok {
		number, text, _ := strings.Cut(rest, ": ")
		if line, err := strconv.Atoi(number); err == nil {
			return []Finding{{Line: line, Problem: "no YAML: " + text}}
		}
	}
	return []Finding{{Line: 1, Problem: "no YAML: " + problem}}
}

// valueOf is the scalar under a key of a mapping; "" for none.
func valueOf(n *yaml.Node, key string) string {
	if n.Kind == yaml.MappingNode {
		for i := 0; i < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i+1].Value
			}
		}
	}
	return ""
}

// reader collects what is found while a file is read.
type reader struct {
	lines    map[string]int // of every key
	lenient  bool
	findings []Finding
	more     int // found beyond what is worth keeping
}

// full: a file that is something else altogether is not looked at in detail.
func (r *reader) full() bool { return len(r.findings) >= 50*maxFindings }

func (r *reader) find(n *yaml.Node, key, format string, args ...any) {
	if r.full() {
		r.more++
		return
	}
	r.findings = append(r.findings, Finding{max(n.Line, 1), key, fmt.Sprintf(format, args...)})
}

// plainOnly refuses what lets YAML say more than it shows.
func (r *reader) plainOnly(n *yaml.Node) {
	switch {
	case n.Kind == yaml.AliasNode:
		r.find(n, "", "*%s: references are not taken; write it out", n.Value)
		return
	case n.Anchor != "":
		r.find(n, "", "&%s: anchors are not taken; write it out", n.Anchor)
	case n.ShortTag() == "!!merge":
		r.find(n, "", "merge keys are not taken; write it out")
	case n.Style&yaml.TaggedStyle != 0:
		r.find(n, "", "%s: tags are not taken", n.Tag)
	}
	for _, child := range n.Content {
		r.plainOnly(child)
	}
}

// mapping reads the fields of n.
func (r *reader) mapping(n *yaml.Node, key string, fields []field) {
	if n.Kind != yaml.MappingNode {
		r.find(n, key, "%s: keys and values are wanted", shown(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		at := slices.IndexFunc(fields, func(f field) bool { return f.key == name.Value })
		path := join(key, name.Value)
		switch {
		case name.Kind == yaml.AliasNode || name.ShortTag() == "!!merge": // found already
			continue
		case name.Kind != yaml.ScalarNode:
			r.find(name, key, "%s: a key is wanted", shown(name))
			continue
		case at < 0 && r.full():
			r.more++
			continue
		case at < 0:
			r.find(name, "", "%s: unknown key; %s", join(key, strings.Trim(shown(name), `"`)), nearest(name.Value, fields))
			continue
		case seen[name.Value] > 0:
			r.find(name, path, "twice, first in line %d", seen[name.Value])
			continue
		}
		seen[name.Value], r.lines[path] = name.Line, name.Line
		if value.Kind != yaml.AliasNode {
			fields[at].form.read(r, value, path)
		}
	}
	var lacking []string
	for _, f := range fields {
		if !f.may && seen[f.key] == 0 {
			lacking = append(lacking, f.key)
		}
	}
	if len(lacking) > 0 {
		r.missing(n, key, lacking...)
	}
}

// missing: what a file leaves out would silently become something.
func (r *reader) missing(n *yaml.Node, key string, lacking ...string) {
	r.find(n, key, "missing %s; a file has to say everything", strings.Join(lacking, ", "))
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// objection is a finding of the domain's with the line of its key.
func (r *reader) objection(err error) error {
	wrong, ok := errors.AsType[*loyalty.SettingError](err)
	if !ok {
		return err
	}
	key := strings.NewReplacer("from_minute", "from_time", "until_minute", "until_time").Replace(wrong.Key)
	for at := key; at != ""; at = at[:max(strings.LastIndexAny(at, ".["), 0)] {
		if line := r.lines[at]; line > 0 {
			return failure(Finding{line, key, wrong.Problem})
		}
	}
	return failure(Finding{1, key, wrong.Problem})
}

// nearest names the key that was meant, or all there are.
func nearest(name string, fields []field) string {
	best, least := "", max(len(name)/3, 2)+1
	for _, f := range fields {
		if d := distance(name, f.key); d < least {
			best, least = f.key, d
		}
	}
	if best != "" {
		return fmt.Sprintf("is %s meant?", best)
	}
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.key
	}
	return "known are " + strings.Join(known, ", ")
}

// distance is how many letters must be put in, taken out or changed to make one
// word of the other.
func distance(a, b string) int {
	const most = 64 // no key is longer
	if len(a) > most {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
