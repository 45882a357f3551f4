package sms_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/pgtest"
	"github.com/memberd/memberd/internal/sms"
	"github.com/memberd/memberd/internal/store/storetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	merchant = "m1"
	phone    = "13800138000"
	source   = "192.0.2.7:4711"
)

// morning is 10:00 in Shanghai.
var morning = time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)

// rig is a service on a SQLite file of its own, with a clock and a provider.
type rig struct {
	*sms.Service
	t      *testing.T
	engine *storetest.Engine
	log    bytes.Buffer
	now    time.Time
	send   func(ctx context.Context, m sms.Message) error

	mu   sync.Mutex
	sent []sms.Message
}

func newRig(t *testing.T, change func(*sms.Options, *loyalty.SMSRules)) *rig {
	t.Helper()
	r := &rig{t: t, engine: storetest.SQLite(t), now: morning}
	settings, o := loyalty.DefaultSettings(), sms.Options{
		Storage: r.engine.Store, Settings: r.engine.Store, Keys: r.engine.Keys, Sender: r,
		Now: func() time.Time { return r.now }, Logger: slog.New(slog.NewTextHandler(&r.log, nil)),
	}
	if change != nil {
		change(&o, &settings.SMS)
	}
	snap, err := loyalty.NewSnapshot(merchant, 1, 0, settings)
	must(t, err)
	r.engine.AddMerchants(t, snap)
	r.Service = sms.New(o)
	return r
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Send is the provider.
func (r *rig) Send(ctx context.Context, m sms.Message) error {
	if r.send != nil {
		if err := r.send(ctx, m); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, m)
	return nil
}

func (r *rig) ask(request sms.Request) error {
	if request.Merchant == "" {
		request.Merchant = merchant
	}
	return r.Service.Send(r.t.Context(), request)
}

// expect asks for a code for the phone and wants it refused like this.
func (r *rig) expect(what string, want error) {
	r.t.Helper()
	if err := r.ask(sms.Request{App: "a", Source: source, Phone: phone}); !errors.Is(err, want) || (err == nil) != (want == nil) {
		r.t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// code is the last one that was sent.
func (r *rig) code() string {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sent) == 0 {
		r.t.Fatal("nothing was sent")
	}
	return r.sent[len(r.sent)-1].Code
}

func (r *rig) judge(what, code string, want bool) {
	r.t.Helper()
	if right, err := r.Check(r.t.Context(), merchant, phone, code, sms.Judge); err != nil || right != want {
		r.t.Errorf("%s: %v, %v, want %v", what, right, err, want)
	}
}

func TestPauseAndDay(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(_ *sms.Options, rules *loyalty.SMSRules) { rules.PerPhoneDay = 3 })
	r.expect("the first", nil)
	r.expect("at once", sms.ErrTooMany)
	r.now = morning.Add(time.Minute - time.Millisecond)
	r.expect("a millisecond before the pause ends", sms.ErrTooMany)
	for i := 1; i < 3; i++ {
		r.now = morning.Add(time.Duration(i) * time.Minute)
		r.expect("after a pause", nil)
	}
	r.now = morning.Add(14*time.Hour - time.Millisecond)
	r.expect("the fourth, at the day's end in Shanghai", sms.ErrTooMany)
	r.judge("a code that ended in the morning", r.code(), false)
	r.now = morning.Add(14 * time.Hour)
	r.expect("at midnight in Shanghai", nil)
	r.judge("its code", r.code(), true)
	if len(r.sent) != 4 {
		t.Errorf("%d messages", len(r.sent))
	}
}

func TestAppAndSource(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rules loyalty.SMSRules
		later time.Duration // when the limit is there again
		other sms.Request   // whom it does not concern
		same  sms.Request   // whom it does
	}{
		"app": {
			loyalty.SMSRules{PerAppDay: 2}, 14 * time.Hour, sms.Request{App: "b", Source: source}, sms.Request{App: "a", Source: "198.51.100.1:1"},
		},
		"source": {
			loyalty.SMSRules{PerSourceHour: 2}, time.Hour, sms.Request{App: "a", Source: "192.0.2.8:4711"}, sms.Request{App: "b", Source: "192.0.2.7:1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(_ *sms.Options, rules *loyalty.SMSRules) {
				rules.PerAppDay, rules.PerSourceHour = test.rules.PerAppDay, test.rules.PerSourceHour
			})
			n := 0
			ask := func(what string, request sms.Request, want error) {
				t.Helper()
				n++
				request.Phone = fmt.Sprintf("138000000%02d", n)
				if err := r.ask(request); !errors.Is(err, want) || (err == nil) != (want == nil) {
					t.Errorf("%s: %v, want %v", what, err, want)
				}
			}
			ask("first", sms.Request{App: "a", Source: source}, nil)
			ask("second", test.same, nil)
			ask("third", test.same, sms.ErrTooMany)
			ask("third", sms.Request{App: "a", Source: source}, sms.ErrTooMany)
			ask("somebody else", test.other, nil)
			r.now = morning.Add(test.later)
			ask("later", test.same, nil)
		})
	}
}

// Whoever has an IPv6 address has a whole subnet of them.
func TestSources(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(_ *sms.Options, rules *loyalty.SMSRules) { rules.PerSourceHour = 1 })
	for i, row := range []struct {
		source string
		want   error
	}{
		{"[2001:db8:1:2::1]:80", nil},
		{"[2001:db8:1:2:ffff::9]:81", sms.ErrTooMany},
		{"[2001:db8:1:3::1]:80", nil},
		{"192.0.2.1:1", nil},
		{"[::ffff:192.0.2.1]:2", sms.ErrTooMany},
		{"[fe80::1%eth0]:1", nil},
		{"[fe80::1%eth1]:1", sms.ErrTooMany},
		{"", nil},
		{"", sms.ErrTooMany},
		{"@", nil},
	} {
		err := r.ask(sms.Request{App: "a", Source: row.source, Phone: fmt.Sprintf("138000000%02d", i)})
		if !errors.Is(err, row.want) || (err == nil) != (row.want == nil) {
			t.Errorf("%q: %v, want %v", row.source, err, row.want)
		}
	}
}

func TestNoLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(_ *sms.Options, rules *loyalty.SMSRules) {
		rules.PauseSeconds, rules.PerPhoneDay, rules.PerAppDay, rules.PerSourceHour = 0, 0, 0, 0
	})
	for range 15 {
		r.expect("without limits", nil)
	}
	r.now = morning.Add(-time.Second)
	r.expect("from a process whose clock is behind", nil)
	r.judge("its code", r.code(), true)
}

// What the provider does not take leaves no code and counts for nothing; the
// pause begins with what was sent.
func TestProviderFails(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(_ *sms.Options, rules *loyalty.SMSRules) {
		rules.PerPhoneDay, rules.PerAppDay, rules.PerSourceHour = 2, 2, 2
	})
	r.expect("the first", nil)
	old := r.code()
	r.now = r.now.Add(time.Minute)
	var given string
	r.send = func(_ context.Context, m sms.Message) error {
		given = m.Code
		return errors.New("no line")
	}
	for range 5 {
		r.expect("the provider is away", sms.ErrSend)
	}
	r.judge("the code that was not sent", given, false)
	r.judge("the one before", old, false)
	if !strings.Contains(r.log.String(), "no line") {
		t.Error("nobody is told why")
	}
	r.send = nil
	r.expect("the provider is back", nil)
	r.now = r.now.Add(time.Minute)
	r.expect("the third of two", sms.ErrTooMany)
	r.judge("the second", r.code(), true)
}

// A process that ends between the provider's yes and its own next step leaves a
// code that works, and the send counted.
func TestCrashBehindProvider(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.send = func(_ context.Context, m sms.Message) error {
		r.sent = append(r.sent, m)
		panic("the end")
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("still alive")
			}
		}()
		r.expect("never comes back", nil)
	}()
	r.send = nil
	r.expect("within the pause", sms.ErrTooMany)
	r.judge("what was sent", r.code(), true)
}

// The provider gets its time and no more, whether the caller waits or not.
func TestProviderTime(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *sms.Options, _ *loyalty.SMSRules) { o.Timeout = 10 * time.Millisecond })
	r.send = func(ctx context.Context, _ sms.Message) error {
		<-ctx.Done()
		return ctx.Err()
	}
	r.expect("a provider that never answers", sms.ErrSend)

	ctx, hangUp := context.WithCancel(t.Context())
	r.send = func(ctx context.Context, _ sms.Message) error {
		hangUp()
		return ctx.Err()
	}
	if err := r.Service.Send(ctx, sms.Request{Merchant: merchant, App: "a", Phone: phone}); err != nil {
		t.Errorf("a caller that hung up: %v", err)
	}
	r.judge("its code", r.code(), true)

	ctx, hangUp = context.WithCancel(t.Context())
	r.now = r.now.Add(time.Minute)
	r.send = func(context.Context, sms.Message) error {
		hangUp()
		return errors.New("no line")
	}
	if err := r.Service.Send(ctx, sms.Request{Merchant: merchant, App: "a", Phone: phone}); !errors.Is(err, sms.ErrSend) {
		t.Errorf("a caller that hung up, and no provider: %v", err)
	}
	r.send = nil
	r.expect("cleared up all the same", nil)
}

func TestShape(t *testing.T) {
	t.Parallel()
	for digits := 4; digits <= 8; digits++ {
		r := newRig(t, func(_ *sms.Options, rules *loyalty.SMSRules) {
			rules.Digits, rules.PauseSeconds, rules.PerPhoneDay, rules.Text = digits, 0, 0, "{code} <{code}>"
		})
		for range 20 {
			r.expect("a code", nil)
			m := r.sent[len(r.sent)-1]
			if len(m.Code) != digits || strings.Trim(m.Code, "0123456789") != "" || m.Text != m.Code+" <"+m.Code+">" {
				t.Fatalf("%d digits: %q, %q", digits, m.Code, m.Text)
			}
		}
		r.judge("the last", r.code(), true)
	}
}

// A life of its own, and the row kept as long as the pause needs it.
func TestLifeShorterThanPause(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(_ *sms.Options, rules *loyalty.SMSRules) { rules.LifeSeconds, rules.PauseSeconds = 10, 100 })
	r.expect("the first", nil)
	r.now = morning.Add(10 * time.Second)
	r.judge("at its end", r.code(), false)
	if err := r.ask(sms.Request{App: "a", Phone: "13800138001"}); err != nil { // deletes what is old
		t.Fatal(err)
	}
	r.expect("within the pause", sms.ErrTooMany)
	r.now = morning.Add(100 * time.Second)
	r.expect("after it", nil)
}

func TestUnknownMerchant(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	if err := r.ask(sms.Request{Merchant: "m9", Phone: phone}); err == nil || errors.Is(err, sms.ErrSend) || errors.Is(err, sms.ErrTooMany) {
		t.Errorf("send: %v", err)
	}
	if right, err := r.Check(t.Context(), "m9", phone, "0000", sms.Judge); err != nil || right {
		t.Errorf("check: %v, %v", right, err)
	}
}

// Neither the log nor a table holds a phone, a code, an address or a message.
func TestNothingInTheClear(t *testing.T) {
	t.Parallel()
	const code = "48151623"
	r := newRig(t, func(o *sms.Options, rules *loyalty.SMSRules) {
		rules.Digits, rules.PauseSeconds = 8, 0
		o.NewCode = func(int) string { return code }
	})
	r.expect("a send", nil)
	r.judge("wrong", "00000000", false)
	r.judge("right", code, true)
	r.send = func(_ context.Context, m sms.Message) error {
		r.log.WriteString(fmt.Sprintf("%v %+v %#v %s", m, m, m, m))
		slog.New(slog.NewTextHandler(&r.log, nil)).Info("message", "message", m)
		return errors.New("no line")
	}
	r.expect("a failure", sms.ErrSend)
	text := r.log.String()
	for _, query := range []string{
		"SELECT merchant_id || ' ' || phone || ' ' || send_id || ' ' || code || ' ' || used_for FROM sms_code",
		"SELECT merchant_id || ' ' || kind || ' ' || subject || ' ' || period FROM sms_count",
	} {
		rows, err := r.engine.DB.Read().Query(t.Context(), query)
		must(t, err)
		for rows.Next() {
			var row string
			must(t, rows.Scan(&row))
			text += "\n" + row
		}
		must(t, rows.Close())
	}
	for _, secret := range []string{phone, code, "192.0.2.7", "验证码"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s is in\n%s", secret, text)
		}
	}
	if !strings.Contains(text, "m1 phone") || !strings.Contains(text, "no line") {
		t.Errorf("the search proves nothing:\n%s", text)
	}
}

// brokenStorage cannot take a code back.
type brokenStorage struct{ sms.Storage }

func (brokenStorage) WithdrawCode(context.Context, sms.Issue) error { return errors.New("disk full") }

func TestWithdrawFails(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *sms.Options, _ *loyalty.SMSRules) { o.Storage = brokenStorage{o.Storage} })
	r.send = func(context.Context, sms.Message) error { return errors.New("no line") }
	r.expect("neither the provider nor the database", sms.ErrSend)
	if !strings.Contains(r.log.String(), "disk full") {
		t.Error("nobody is told")
	}
}
