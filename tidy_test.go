// Package memberd_test holds the rules about the shape of this repository that
// no compiler checks: which package may import which, and what the domain must
// not touch.
package memberd_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/memberd/memberd/"

// imports is what each package may import of this module, test files apart. A
// new package needs a line here: that is where its place is decided.
var imports = map[string][]string{
	// The domain imports nobody, and the leaves know nothing of it.
	"internal/loyalty": {},
	"internal/jsonx":   {},
	"internal/sign":    {},
	"internal/seal":    {},

	// Sentences about what the domain has decided, for doors and operators.
	"internal/explain": {"internal/loyalty"},

	"internal/writer":    {"internal/loyalty"},
	"internal/backtest":  {"internal/loyalty"},
	"internal/programme": {"internal/loyalty"},
	"internal/access":    {"internal/sign"},

	// The store implements what loyalty, access, seal, sms, webhook and reconcile
	// declare.
	"internal/store":            {"internal/loyalty", "internal/access", "internal/seal", "internal/sms", "internal/webhook", "internal/reconcile", "internal/store/sqldb"},
	"internal/store/sqldb":      {"internal/store/sqldb/lite"},
	"internal/store/sqldb/lite": {},
	"internal/store/migration":  {"internal/store/sqldb"},

	// Doors: never the store, never one another. The gateway alone has a call
	// that explains.
	"internal/gateway":  {"internal/loyalty", "internal/explain", "internal/writer", "internal/access", "internal/sms", "internal/jsonx", "internal/sign"},
	"internal/envelope": {"internal/loyalty", "internal/writer", "internal/access", "internal/sms", "internal/jsonx", "internal/sign"},
	"internal/console":  {"internal/loyalty", "internal/writer", "internal/access"},

	// The load generator knows the wire alone.
	"internal/bench": {"internal/sign"},

	"internal/web":     {},
	"internal/jobs":    {"internal/loyalty", "internal/writer"},
	"internal/config":  {},
	"internal/webhook": {"internal/loyalty"},
	"internal/sms":     {"internal/loyalty"},

	// Compares a partner's day with ours; reads and books nothing by itself.
	"internal/reconcile": {"internal/loyalty"},
}

// helpers are imported by tests alone. They may import everything but the
// packages named here.
var helpers = map[string][]string{
	"internal/pgtest":               nil,
	"internal/store/sqldb/disktest": nil,
	"internal/loyalty/loyaltytest":  {"internal/store", "internal/gateway", "internal/envelope"},
	"internal/access/accesstest":    {"internal/store", "internal/gateway", "internal/envelope"},
	"internal/store/storetest":      {"internal/gateway", "internal/envelope"},
	"internal/doortest":             {"internal/gateway", "internal/envelope"},
}

// tops are imported by nobody and may import everything but helpers; sim is a
// test by nature and may import those as well.
var tops = []string{"cmd/", "internal/sim", "internal/demo"}

// forbidden is what of the standard library the domain may not import: it has
// no clock, no I/O and no chance in it.
var forbidden = []string{"database/sql", "net", "os", "log", "math/rand", "syscall", "crypto/rand"}

// source is one file that is no test.
type source struct {
	path, pkg string
	file      *ast.File
	imports   []string
}

func sources(t *testing.T) (*token.FileSet, []source) {
	t.Helper()
	set := token.NewFileSet()
	var found []source
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			base := d.Name()
			if name != "." && (strings.HasPrefix(base, ".") || base == "testdata" || base == "tools") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s := source{path: filepath.ToSlash(name), pkg: path.Dir(filepath.ToSlash(name)), file: file}
		for _, i := range file.Imports {
			text, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, text)
		}
		found = append(found, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 50 {
		t.Fatalf("only %d files found: does the test run in the repository's root?", len(found))
	}
	return set, found
}

func isTop(pkg string) bool {
	return slices.ContainsFunc(tops, func(top string) bool { return strings.HasPrefix(pkg+"/", strings.TrimSuffix(top, "/")+"/") })
}

// fault says why pkg may not import target, both without the module's name;
// empty if it may.
func fault(pkg, target string) string {
	_, helper := helpers[target]
	switch {
	case isTop(target):
		return "nothing imports " + target
	case strings.HasPrefix(pkg, "internal/sim"):
		return ""
	case isTop(pkg) && helper:
		return "only tests import " + target
	case isTop(pkg):
		return ""
	}
	if banned, ok := helpers[pkg]; ok {
		if slices.Contains(banned, target) {
			return pkg + " must not know " + target
		}
		return ""
	}
	allowed, ok := imports[pkg]
	if !ok {
		return "the table in tidy_test.go has no line for " + pkg
	}
	if !slices.Contains(allowed, target) {
		return pkg + " may import of this module only " + strings.Join(allowed, ", ")
	}
	return ""
}

func TestImports(t *testing.T) {
	t.Parallel()
	_, files := sources(t)
	for _, s := range files {
		_, listed := imports[s.pkg]
		_, helper := helpers[s.pkg]
		if !listed && !helper && !isTop(s.pkg) {
			t.Errorf("%s: the table in tidy_test.go has no line for %s", s.path, s.pkg)
		}
		for _, i := range s.imports {
			target, ours := strings.CutPrefix(i, module)
			if !ours {
				continue
			}
			if why := fault(s.pkg, target); why != "" {
				t.Errorf("%s imports %s: %s", s.path, target, why)
			}
		}
	}
}

// The domain imports the standard library only, and of that nothing that could
// make two runs of one decision differ.
func TestDomainIsPure(t *testing.T) {
	t.Parallel()
	set, files := sources(t)
	for _, s := range files {
		if s.pkg != "internal/loyalty" {
			continue
		}
		for _, i := range s.imports {
			if impure(i) {
				t.Errorf("%s imports %s", s.path, i)
			}
		}
		for _, at := range clockCalls(s.file) {
			t.Errorf("%s reads the clock: time is an argument", set.Position(at))
		}
	}
}

func impure(name string) bool {
	if first, _, _ := strings.Cut(name, "/"); strings.Contains(first, ".") {
		return true // not the standard library
	}
	return slices.ContainsFunc(forbidden, func(f string) bool { return name == f || strings.HasPrefix(name, f+"/") })
}

// clockCalls are the places where a file uses what of package time depends on
// when it is called.
func clockCalls(file *ast.File) []token.Pos {
	var found []token.Pos
	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		from, ok := selector.X.(*ast.Ident)
		if !ok || from.Name != "time" {
			return true
		}
		switch selector.Sel.Name {
		case "Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Local":
			found = append(found, selector.Pos())
		}
		return true
	})
	return found
}

// The rules themselves: each must be able to say no.
func TestRulesCanFail(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pkg, target string
		allowed     bool
	}{
		{"internal/writer", "internal/loyalty", true},
		{"internal/writer", "internal/store", false},
		{"internal/gateway", "internal/store", false},
		{"internal/gateway", "internal/envelope", false},
		{"internal/loyalty", "internal/jsonx", false},
		{"internal/new", "internal/loyalty", false},
		{"internal/doortest", "internal/store", true},
		{"internal/doortest", "internal/gateway", false},
		{"internal/web", "internal/pgtest", false},
		{"internal/store", "internal/sim", false},
		{"internal/gateway", "cmd/memberd", false},
		{"cmd/memberd", "internal/store", true},
		{"cmd/memberd", "internal/pgtest", false},
		{"internal/sim", "internal/doortest", true},
	} {
		if why := fault(test.pkg, test.target); (why == "") != test.allowed {
			t.Errorf("%s importing %s: %q", test.pkg, test.target, why)
		}
	}
	for name, want := range map[string]bool{"os": true, "os/exec": true, "math/rand/v2": true, "net/url": true, "log/slog": true, "github.com/a/b": true, "math": false, "crypto/aes": false, "time": false} {
		if impure(name) != want {
			t.Errorf("impure(%s) is not %v", name, want)
		}
	}
	file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nimport \"time\"\nvar a = time.Now()\nvar b = time.UTC", 0)
	if err != nil || len(clockCalls(file)) != 1 {
		t.Errorf("clock calls: %v, %v", clockCalls(file), err)
	}
}
