package sms_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/memberd/memberd/internal/sms"
)

func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sms-outbox.jsonl")
	must(t, os.WriteFile(path, []byte("before\n"), 0o644)) // by somebody careless
	must(t, os.Chmod(path, 0o644))
	sender := sms.NewFile(path)
	must(t, sender.Send(t.Context(), awkward))
	must(t, sender.Send(t.Context(), sms.Message{Phone: phone, Code: "1", Text: "t", At: morning}))
	text, err := os.ReadFile(path)
	must(t, err)
	want := "before\n" +
		`{"time":"2026-11-22T02:00:00.005Z","phone":"13800138000","code":"0458","text":"验证码 \"0458\" \\ & <5> 50% {phone}\n"}` + "\n" +
		`{"time":"2026-11-22T02:00:00.000Z","phone":"13800138000","code":"1","text":"t"}` + "\n"
	if string(text) != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	ownersOnly(t, path)
	must(t, os.Remove(path)) // as log rotation does
	must(t, sender.Send(t.Context(), awkward))
	ownersOnly(t, path)
}

func ownersOnly(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

// Lines of several senders stay whole.
func TestFileShared(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sms-outbox.jsonl")
	const senders, each = 8, 50
	var group sync.WaitGroup
	for i := range senders {
		group.Go(func() {
			sender := sms.NewFile(path)
			for range each {
				if err := sender.Send(t.Context(), sms.Message{Phone: phone, Code: fmt.Sprint(i), Text: strings.Repeat("长", 200)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	text, err := os.ReadFile(path)
	must(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			t.Fatalf("a broken line: %s", line)
		}
	}
	if len(lines) != senders*each {
		t.Errorf("%d lines", len(lines))
	}
}

func TestFileFails(t *testing.T) {
	t.Parallel()
	discreet(t, sms.NewFile(filepath.Join(t.TempDir(), "none", "outbox")).Send(t.Context(), awkward), "sms outbox")
}
