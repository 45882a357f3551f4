// Package sms is verification codes by text message: it makes them, keeps
// count of what may be sent, hands them to a Sender and checks what came back.
//
// A code belongs to a merchant and a phone, whichever app asked for it, so that
// a code sent through one door is good in the other. Phones, codes and callers'
// addresses are stored as keyed hashes. How long a code is and lives, and how
// many may be sent, is in the merchant's settings.
//
// The package never puts a code or a phone into a log or an error, never holds
// a transaction open while a provider is called, and never tells why a code was
// not right.
package sms

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"strings"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// The refusals of Send.
var (
	// ErrTooMany: a limit of the merchant's settings is reached.
	ErrTooMany = errors.New("too many codes")
	// ErrSend: the message could not be handed over. Nothing was counted.
	ErrSend = errors.New("sms not sent")
)

const (
	// DefaultTimeout bounds a call of a provider: the caller waits for it.
	DefaultTimeout = 10 * time.Second
	// withdrawTimeout bounds the clearing up after a failed call, which goes
	// on when the caller has gone.
	withdrawTimeout = 5 * time.Second
	// keptAfter is how long a counter outlives its period: longer than clocks
	// of different processes can be apart.
	keptAfter = 24 * time.Hour
)

// Settings reads a merchant's rules in force.
type Settings interface {
	Snapshot(ctx context.Context, merchant string) (*loyalty.Snapshot, error)
}

// Keys makes the keyed hashes: *seal.Keys.
type Keys interface {
	Lookup(merchant, kind, value string) string
}

// Options of a Service. Storage, Settings, Keys and Sender are needed.
type Options struct {
	Storage  Storage
	Settings Settings
	Keys     Keys
	Sender   Sender
	// Timeout bounds one call of Sender; DefaultTimeout if 0.
	Timeout time.Duration
	// Now is the real clock; time.Now if nil.
	Now func() time.Time
	// NewCode makes a code of so many digits; from a secure source if nil.
	NewCode func(digits int) string
	// Logger hears why a message was not sent, never whose it was.
	Logger *slog.Logger
}

// Service sends and checks codes. It is safe for concurrent use; any number of
// them may share one database.
type Service struct{ Options }

// New returns a Service.
func New(o Options) *Service {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewCode == nil {
		o.NewCode = newCode
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{o}
}

// Request asks for a code. Source is the address of whoever asked, as
// http.Request.RemoteAddr has it; empty if there is none.
type Request struct {
	Merchant, App string
	Source        string
	Phone         string
}

// Send makes a code for the phone, which ends an older one, and has it sent. A
// limit that is reached is ErrTooMany; a message that the provider did not take
// is ErrSend, and then the phone has no code and nothing was counted.
//
// The code is stored before the provider is called: if the process ends in
// between, a message that did go out holds a code that works.
func (s *Service) Send(ctx context.Context, r Request) error {
	snap, err := s.Settings.Snapshot(ctx, r.Merchant)
	if err != nil {
		return fmt.Errorf("sms rules: %w", err)
	}
	now := s.Now()
	code := s.NewCode(snap.SMS.Digits)
	issue := s.issue(snap, r, now, code)
	if err := s.Storage.IssueCode(ctx, issue); err != nil {
		return err
	}
	message := Message{Phone: r.Phone, Code: code, Text: strings.ReplaceAll(snap.SMS.Text, "{code}", code), At: now}
	if err := s.deliver(ctx, message); err != nil {
		s.Logger.WarnContext(ctx, "sms not sent", "merchant", r.Merchant, "app", r.App, "error", err)
		s.withdraw(ctx, issue)
		return ErrSend
	}
	return nil
}

// deliver goes on when the caller hangs up: whether a message is sent must not
// hang on that.
func (s *Service) deliver(ctx context.Context, m Message) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Timeout)
	defer cancel()
	return s.Sender.Send(ctx, m)
}

func (s *Service) withdraw(ctx context.Context, i Issue) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTimeout)
	defer cancel()
	if err := s.Storage.WithdrawCode(ctx, i); err != nil {
		s.Logger.ErrorContext(ctx, "sms that was not sent stays counted", "merchant", i.Merchant, "error", err)
	}
}

// issue is what a send writes under the rules.
func (s *Service) issue(snap *loyalty.Snapshot, r Request, now time.Time, code string) Issue {
	rules := snap.SMS
	i := Issue{
		Merchant: r.Merchant, Phone: s.phone(r.Merchant, r.Phone), ID: rand.Text(), Code: s.code(r.Merchant, r.Phone, code),
		SentAt: now.UnixMilli(), ExpiresAt: now.Add(seconds(rules.LifeSeconds)).UnixMilli(),
		// Without a pause, a process whose clock is behind may send as well.
		SentBefore: math.MaxInt64,
	}
	i.KeptUntil = i.ExpiresAt
	if rules.PauseSeconds > 0 {
		pause := seconds(rules.PauseSeconds)
		i.SentBefore = now.Add(-pause).UnixMilli()
		i.KeptUntil = max(i.KeptUntil, now.Add(pause).UnixMilli())
	}
	year, month, date := now.In(snap.Location()).Date()
	day := now.In(snap.Location()).Format(time.DateOnly)
	dayEnds := time.Date(year, month, date+1, 0, 0, 0, 0, snap.Location()).Add(keptAfter).UnixMilli()
	hour := now.UTC().Format("2006-01-02T15")
	hourEnds := now.Add(time.Hour + keptAfter).UnixMilli()
	for _, c := range []Count{
		{"phone", i.Phone, day, rules.PerPhoneDay, dayEnds},
		{"app", r.App, day, rules.PerAppDay, dayEnds},
		{"source", s.source(r.Merchant, r.Source), hour, rules.PerSourceHour, hourEnds},
	} {
		if c.Limit > 0 {
			i.Counts = append(i.Counts, c)
		}
	}
	return i
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// newCode draws digits, each code as likely as any other.
func newCode(digits int) string {
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
	n, err := rand.Int(rand.Reader, limit)
	if err != nil {
		panic(err) // the source never fails
	}
	return fmt.Sprintf("%0*d", digits, n)
}
