package sms

import (
	"context"
	"log/slog"
	"time"
)

// Message is a code on its way to a phone.
type Message struct {
	Phone string
	Code  string
	Text  string // the whole message, with the code in it
	At    time.Time
}

// String keeps phone and code out of logs, whatever the verb.
func (Message) String() string { return "sms message" }

// GoString is String, for %#v.
func (m Message) GoString() string { return m.String() }

// LogValue is String, for log/slog.
func (m Message) LogValue() slog.Value { return slog.StringValue(m.String()) }

// Sender hands messages over. It returns nil once whoever delivers has taken
// the message. Its errors hold nothing of the message and no credentials. It is
// called from several goroutines at once and gives up when ctx ends.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// timeForm is how a message's time is written: UTC, to the millisecond.
const timeForm = "2006-01-02T15:04:05.000Z07:00"

func (m Message) time() string { return m.At.UTC().Format(timeForm) }
