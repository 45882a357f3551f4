package doortest

import (
	"context"
	"sync"

	"github.com/memberd/memberd/internal/sms"
)

// Outbox is a provider that keeps what it was given, and says which codes are
// sent: 4586, the document's own, until Codes names another.
type Outbox struct {
	mu   sync.Mutex
	code string
	err  error
	sent []sms.Message
}

var _ sms.Sender = (*Outbox)(nil)

// Codes has every later code be this one.
func (o *Outbox) Codes(code string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.code = code
}

// Fail has every later message fail with err; nil ends that.
func (o *Outbox) Fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = err
}

// Sent is everything that was taken.
func (o *Outbox) Sent() []sms.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]sms.Message(nil), o.sent...)
}

// Send implements sms.Sender.
func (o *Outbox) Send(_ context.Context, m sms.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	o.sent = append(o.sent, m)
	return nil
}

func (o *Outbox) newCode(int) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.code
}
