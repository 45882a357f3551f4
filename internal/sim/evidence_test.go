package sim_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// outbox is where the site's text messages go, phones and codes in clear: it
// stands for the phones themselves.
const outbox = "sms-outbox.jsonl"

// collect takes in everything that the site has written down: the data folder
// byte for byte without the outbox, the servers' output, and on PostgreSQL every row of every table
// and the database's own log.
func (s *site) collect(texts map[string][]byte) {
	s.t.Helper()
	must(s.t, filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == outbox {
			return err
		}
		texts[path], err = os.ReadFile(path)
		if os.IsNotExist(err) { // SQLite's log goes when the database is closed
			err = nil
		}
		return err
	}))
	for i, p := range s.running {
		texts[fmt.Sprintf("output of server %d", i)] = []byte(p.out.String() + p.log.String())
	}
	if s.pg == nil {
		return
	}
	dump := exec.Command(filepath.Join(s.pg.Bin(), "pg_dump"), "--inserts", "--dbname="+s.database)
	var log bytes.Buffer
	dump.Stderr = &log
	out, err := dump.Output()
	if err != nil {
		s.t.Fatalf("pg_dump: %v\n%s", err, &log)
	}
	texts["database"] = out
	texts["PostgreSQL's log"], err = os.ReadFile(filepath.Join(folder(s.t, s.database), "log"))
	must(s.t, err)
}

// expectNowhere looks for a value as it is and in the forms in which programs
// tend to write values down.
func expectNowhere(t *testing.T, texts map[string][]byte, what, value string) {
	t.Helper()
	forms := []string{value, url.QueryEscape(value), strings.Trim(fmt.Sprintf("%+q", value), `"`), hex.EncodeToString([]byte(value))}
	for shift := range 3 { // Base64 depends on how much stands before it; the ends that neighbours share are left out
		text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat(" ", shift) + value))
		forms = append(forms, text[(shift*8+5)/6:(shift+len(value))*8/6])
	}
	for where, content := range texts {
		for _, form := range forms {
			if at := bytes.Index(content, []byte(form)); at >= 0 {
				t.Errorf("%s %s is in %s: ...%q...", what, value, where, content[max(0, at-80):min(len(content), at+80)])
				break
			}
		}
	}
}

func occurs(texts map[string][]byte, value []byte) bool {
	for _, content := range texts {
		if bytes.Contains(content, value) {
			return true
		}
	}
	return false
}
