package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"strconv"
	"time"
)

// What can go wrong beside the platform's own refusals, in the words of the
// report.
const (
	failTimeout      = "timeout"
	failNotConnected = "not connected"
	failBroken       = "broken connection"
	failForm         = "answer of another form"
)

// redialPause keeps connections that are refused at once from being nothing but
// attempts.
const redialPause = 100 * time.Millisecond

// teller is the caller that talks to a platform.
type teller struct {
	conn *conn
	door frames
	draw *draw
}

// frames makes calls of one door, and reads their answers.
type frames interface {
	// prepare makes the call as far as it needs no clock.
	prepare(op operation, member int)
	// finish gives the path, with its query, and the body.
	finish(now time.Time) (target, body []byte)
	// failure is "" for the answer of a call that went well, else the number that
	// it was refused with; failForm when that cannot be found.
	failure(answer []byte) string
}

func newTeller(o Options, s *server, shared *signedQueries, worker int, prefix string) *teller {
	t := &teller{conn: &conn{server: s}, draw: newDraw(o, worker)}
	prefix += strconv.Itoa(worker) + "-"
	if o.Door == Envelope {
		t.door = &envelopeFrames{app: o.App, members: o.Members, keys: keys{prefix: prefix}, shared: shared}
	} else {
		t.door = newGatewayFrames(o.App, o.Members, prefix)
	}
	return t
}

// keys are numbers of a caller that nobody had before.
type keys struct {
	prefix string
	last   int64
}

func (k *keys) appendNext(b []byte) []byte {
	k.last++
	return strconv.AppendInt(append(b, k.prefix...), k.last, 10)
}

func (t *teller) prepare() operation {
	op, member := t.draw.next()
	t.door.prepare(op, member)
	return op
}

func (t *teller) call() string {
	target, body := t.door.finish(time.Now())
	status, answer, err := t.conn.post(target, body)
	if err != nil {
		return failureOf(err)
	}
	failure := t.door.failure(answer)
	const ok = 200
	if status != ok {
		failure += " (HTTP " + strconv.Itoa(status) + ")"
	}
	return failure
}

func (t *teller) close() { t.conn.close() }

func failureOf(err error) string {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return failTimeout
	case errors.Is(err, errNotConnected):
		time.Sleep(redialPause)
		return failNotConnected
	case errors.Is(err, errNotHTTP), errors.Is(err, errTooLong):
		return failForm
	}
	return failBroken
}

// refusal reads the number of an answer that does not begin as a success does:
// either it is a refusal, or a platform that orders its members in another way.
func refusal(answer []byte, read func([]byte) (success bool, number string, err error)) string {
	success, number, err := read(answer)
	switch {
	case err != nil:
		return failForm
	case success:
		return ""
	case number == "":
		return failForm
	}
	return number
}

// begins tells, without parsing it, that an answer is a success. The load
// generator shares its machine with the server, mostly.
func begins(answer []byte, prefix string) bool {
	return len(answer) > len(prefix) && string(answer[:len(prefix)]) == prefix
}

// text is the member as text, whether it is a number or a string.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(bytes.TrimSpace(raw))
}
