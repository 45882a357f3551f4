package doortest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/sign"
	"github.com/memberd/memberd/internal/writer"
)

const memberOpenID = "25c56912e05847c0b09f03ca7e52b796"

func withMember(t *testing.T, opts Options) (*Bundle, loyalty.Who) {
	t.Helper()
	b := NewWith(t, opts)
	b.Register(memberOpenID, loyalty.Profile{Phone: "15900947949", Nickname: "张三"})
	who := loyalty.Who{Merchant: Merchant, OpenID: memberOpenID}
	Do(b, loyalty.ChangePoints{Who: who, Event: "event_add", Points: 10, App: SigningApp})
	return b, who
}

// TestCheckFindsWhatDoesNotAddUp changes a balance behind the ledger's back.
func TestCheckFindsWhatDoesNotAddUp(t *testing.T) {
	t.Parallel()
	b, who := withMember(t, Options{})
	if diffs := b.database.verify(t); len(diffs) > 0 {
		t.Fatalf("before: %v", diffs)
	}
	set := func(balance int64) {
		tx, err := b.database.db.Write(context.Background())
		must(t, err)
		_, err = tx.Exec(context.Background(), "UPDATE member SET balance = ? WHERE open_id = ?", balance, memberOpenID)
		must(t, err)
		must(t, tx.Commit(context.Background()))
	}
	set(11)
	if b.Member(who).Balance != 11 {
		t.Fatal("the balance was not changed")
	}
	if diffs := b.database.verify(t); len(diffs) == 0 {
		t.Error("no difference found")
	}
	set(10) // the bundle checks again at the end
}

func TestOptions(t *testing.T) {
	t.Parallel()
	b, who := withMember(t, Options{Sandbox: true, Settings: func(s *loyalty.Settings) { s.GraceDays = 3 }})
	if b.Unsigned == nil || !b.Unsigned.App.Unsigned || b.Unsigned.ID != UnsignedApp {
		t.Errorf("unsigned app: %v", b.Unsigned)
	}
	if got := b.Member(who).Snapshot.GraceDays; got != 3 {
		t.Errorf("grace_days %d, want 3", got)
	}
	b.ChangeSettings(Merchant, func(s *loyalty.Settings) { s.GraceDays = 4 })
	if got := b.Member(who).Snapshot.GraceDays; got != 4 {
		t.Errorf("grace_days %d after the change, want 4", got)
	}
	if b.App.Key.N.Cmp(b.Other.Key.N) == 0 {
		t.Error("two merchants' apps have one key")
	}
}

func TestBooked(t *testing.T) {
	t.Parallel()
	b, who := withMember(t, Options{})
	before := b.Booked()
	spend := loyalty.ChangePoints{Who: who, Event: "event_subtract", Points: 11, App: SigningApp}
	if _, err := writer.Submit(t.Context(), b.Writer, spend); err != loyalty.PointsInsufficient || b.Booked() != before {
		t.Errorf("%v, and %d batches booked after it, %d before", err, b.Booked(), before)
	}
	spend.Points = 10
	if Do(b, spend); b.Booked() != before+1 {
		t.Errorf("%d batches booked after a change, %d before", b.Booked(), before)
	}
}

func TestShown(t *testing.T) {
	t.Parallel()
	loc, err := time.LoadLocation("America/New_York")
	must(t, err)
	for text, want := range map[string]bool{
		"2026-03-08 01:59:59": true, "2026-03-08 02:00:00": false, "2026-03-08 02:59:59": false, "2026-03-08 03:00:00": true, "2026-11-01 01:30:00": true, "2026-02-30 00:00:00": false,
	} {
		if got := Shown(text, loc); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

func TestRequestIsSigned(t *testing.T) {
	t.Parallel()
	b, _ := withMember(t, Options{})
	const body = `{"a":1}`
	r := b.Request(GatewayCall{Method: "wk.user.info.query", Body: body, Query: url.Values{"code": {""}}, Late: time.Second})
	if !sign.VerifyGateway(r.URL.RawQuery, "wk.user.info.query", []byte(body), Secret, r.URL.Query().Get("sign")) {
		t.Errorf("the sign of %s is wrong", r.URL)
	}
	if got := r.URL.Query().Get("timestamp"); got != "1795312799000" {
		t.Errorf("timestamp %s, want one second before the clock", got)
	}
	first := b.Token(b.App)
	if again := b.Token(b.App); again != first {
		t.Error("a live token was not used again")
	}
	b.Clock.Advance(2 * time.Hour)
	if again := b.Token(b.App); again == first {
		t.Error("an expired token was used again")
	}
}

func TestTranscript(t *testing.T) {
	t.Parallel()
	tr := Transcript{Masked: []string{"sign", "data"}}
	tr.Note("a %s", "note")
	tr.Exchange(httptest.NewRequest(http.MethodPost, "/x?sign=abc&a=1", nil), "{\x00}", Answer{Status: 413, Body: `{"data":"secret","b":"data"}`})
	tr.Exchange(httptest.NewRequest(http.MethodGet, "/x?b=2&sign=", nil), strings.Repeat("长", 500), Answer{Status: 200, Body: `{"data":null}`})
	want := "# a note\nPOST /x?sign=<sign>&a=1\n\"{\\x00}\"\n-> HTTP 413\n-> {\"data\":\"<data>\",\"b\":\"data\"}\n\n" +
		"GET /x?b=2&sign=\n" + strings.Repeat("长", 66) + "... (1500 bytes)\n-> {\"data\":null}\n\n"
	if got := tr.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
