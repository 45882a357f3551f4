package programme

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/memberd/memberd/internal/loyalty"
)

// Change is one difference between two programmes. Members of lists are named by
// what they are, not by their place: levels[2].threshold is of level 2.
type Change struct {
	Key string `json:"key"`
	// Old and New are the values as a file has them; "" where there is none.
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
}

// Diff is what differs between the programmes of two settings, in the order of
// a file. It is empty exactly when both make the same file, but for the version.
func Diff(old, new loyalty.Settings) []Change {
	var d differ
	d.mapping("", nodeOf(old), nodeOf(new))
	return d
}

// nodeOf is the programme as a tree, the merchant and the version apart.
func nodeOf(s loyalty.Settings) *yaml.Node {
	loc, _ := zoneOf(s.Zone)
	return object(fieldsOf(&File{Settings: s}, loc)).node()
}

type differ []Change

func (d *differ) add(key, old, new string) { *d = append(*d, Change{key, old, new}) }

// mapping compares two mappings, either of which may be nil.
func (d *differ) mapping(key string, a, b *yaml.Node) {
	for _, name := range names(a, b) {
		d.value(join(key, name), child(a, name), child(b, name))
	}
}

func (d *differ) value(key string, a, b *yaml.Node) {
	identity := identityOf(key)
	switch {
	case identity != "":
		d.list(key, identity, a, b)
	case kindOf(a) == yaml.MappingNode || kindOf(b) == yaml.MappingNode:
		d.mapping(key, a, b)
	case line(a) != line(b):
		d.add(key, line(a), line(b))
	}
}

// list compares lists of mappings by what tells their members apart.
func (d *differ) list(key, identity string, a, b *yaml.Node) {
	was, is := members(a, identity), members(b, identity)
	var kept, moved []string
	for _, m := range was {
		path := key + "[" + m.name + "]"
		at := slices.IndexFunc(is, func(o member) bool { return o.name == m.name })
		if at < 0 {
			d.add(path, line(m.node), "")
			continue
		}
		kept = append(kept, m.name)
		d.mapping(path, m.node, is[at].node)
	}
	for _, m := range is {
		if slices.Contains(kept, m.name) {
			moved = append(moved, m.name)
		} else {
			d.add(key+"["+m.name+"]", "", line(m.node))
		}
	}
	if !slices.Equal(kept, moved) {
		d.add(key, "order "+strings.Join(kept, ", "), "order "+strings.Join(moved, ", "))
	}
}

// identityOf is the key that tells the members of a list of mappings apart; ""
// for what is no such list.
func identityOf(key string) string {
	switch {
	case key == "levels":
		return "number"
	case key == "events":
		return "name"
	case key == "points.multipliers", strings.HasSuffix(key, "].rights"):
		return "id"
	}
	return ""
}

type member struct {
	name string
	node *yaml.Node
}

func members(n *yaml.Node, identity string) (all []member) {
	if n == nil {
		return nil
	}
	seen := map[string]int{}
	for _, m := range n.Content {
		name := line(child(m, identity))
		if seen[name]++; seen[name] > 1 { // rights may share a number
			name = fmt.Sprintf("%s (%d)", name, seen[name])
		}
		all = append(all, member{name, m})
	}
	return all
}

func kindOf(n *yaml.Node) yaml.Kind {
	if n == nil {
		return 0
	}
	return n.Kind
}

// names are the keys of two mappings, those of b alone behind the others.
func names(a, b *yaml.Node) (all []string) {
	for _, n := range []*yaml.Node{a, b} {
		if kindOf(n) != yaml.MappingNode {
			continue
		}
		for i := 0; i < len(n.Content); i += 2 {
			if name := n.Content[i].Value; !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

func child(n *yaml.Node, name string) *yaml.Node {
	if kindOf(n) == yaml.MappingNode {
		for i := 0; i < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				return n.Content[i+1]
			}
		}
	}
	return nil
}

// line is a value in one line.
func line(n *yaml.Node) string {
	var parts []string
	switch kindOf(n) {
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			parts = append(parts, n.Content[i].Value+": "+line(n.Content[i+1]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case yaml.SequenceNode:
		for _, c := range n.Content {
			parts = append(parts, line(c))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yaml.ScalarNode:
		return n.Value
	}
	return ""
}
