package doortest

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Golden compares text with testdata/NAME.golden, or writes it with -update.
func Golden(t testing.TB, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run with -update to make it)", err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(text, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// Transcript is a sequence of calls as they went over the wire.
type Transcript struct {
	b strings.Builder
	// Masked are names whose values differ from run to run. In answers they are
	// members of JSON objects, in request lines parameters.
	Masked []string
}

// Note writes a heading above the next exchange.
func (tr *Transcript) Note(format string, args ...any) {
	fmt.Fprintf(&tr.b, "# "+format+"\n", args...)
}

// Exchange writes one request and its answer. HTTP status 200 is left out.
func (tr *Transcript) Exchange(r *http.Request, body string, a Answer) {
	fmt.Fprintf(&tr.b, "%s %s\n", r.Method, short(tr.mask(r.URL.RequestURI())))
	if body != "" {
		tr.b.WriteString(short(readable(strings.TrimRight(body, "\n"))) + "\n")
	}
	if a.Status != http.StatusOK {
		fmt.Fprintf(&tr.b, "-> HTTP %d\n", a.Status)
	}
	tr.b.WriteString("-> " + tr.mask(a.Body) + "\n\n")
}

// readable quotes, as Go does, what an editor would not show.
func readable(text string) string {
	unclean := func(r rune) bool { return r < ' ' && r != '\n' || r == utf8.RuneError }
	if strings.ContainsFunc(text, unclean) {
		return strconv.Quote(text)
	}
	return text
}

// short cuts what is long for its own sake.
func short(text string) string {
	const most = 1200
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:200], "") + fmt.Sprintf("... (%d bytes)", len(text))
}

// String is the whole transcript.
func (tr *Transcript) String() string { return tr.b.String() }

func (tr *Transcript) mask(text string) string {
	for _, name := range tr.Masked {
		quoted := regexp.QuoteMeta(name)
		text = regexp.MustCompile(`"`+quoted+`":"[^"]+"`).ReplaceAllString(text, `"`+name+`":"<`+name+`>"`)
		text = regexp.MustCompile(`([?&])`+quoted+`=[^&]+`).ReplaceAllString(text, `${1}`+name+`=<`+name+`>`)
	}
	return text
}
