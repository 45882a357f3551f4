package envelope

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/memberd/memberd/internal/sign"
)

// frame is an answer. Its members stand in the order of the document's examples.
type frame struct {
	Ver          string `json:"ver"`
	StatusCode   string `json:"statusCode"`
	Message      string `json:"message"`
	ResponseBody string `json:"responseBody,omitempty"` // JSON; none on failure (E-003)
	Sign         string `json:"sign,omitempty"`         // none while the caller is unknown
}

const success = 100

// answer writes the result, or the failure that err is, signed with the
// merchant's platform key as soon as the app is known. An app that may call
// unsigned gets signed answers all the same: it can try its verification out.
func (d *door) answer(ctx context.Context, w http.ResponseWriter, c *call, result any, err error) {
	f := frame{Ver: "1", StatusCode: strconv.Itoa(success), Message: "成功"}
	status := http.StatusOK
	if err == nil {
		f.ResponseBody, err = marshal(result)
	}
	if err != nil {
		failed := d.failureOf(ctx, err)
		status = failed.status
		f = failed.frame()
	}
	if c.merchant != nil {
		f.Sign, err = d.signer.sign(f, c.merchant.PlatformKey)
		if err != nil {
			// An answer without a signature is worth more than none: what
			// happened has happened.
			d.Logger.ErrorContext(ctx, "envelope: answer not signed", "error", err)
		}
	}
	d.Attribute(ctx, "code", f.StatusCode)
	if err := f.send(w, status); err != nil {
		d.Logger.ErrorContext(ctx, "envelope: answer not written", "error", err)
	}
}

// frame is the answer that tells of a failure.
func (f failure) frame() frame {
	return frame{Ver: "1", StatusCode: strconv.Itoa(f.number), Message: f.message}
}

// send writes the frame. A caller that has gone needs no answer.
func (f frame) send(w http.ResponseWriter, status int) error {
	body, err := marshal(f)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
	return nil
}

// TurnAway answers, in the door's form, a call that the server turned away
// before the door saw it: 413 a body that is too large, 429 too many calls, any
// other status a failure of the server. It is not signed, as the caller is not
// known.
func TurnAway(w http.ResponseWriter, status int) {
	f := errBusy
	switch status {
	case http.StatusRequestEntityTooLarge:
		f = errTooLarge
	case http.StatusTooManyRequests:
		f = errTooMany
	}
	_ = f.frame().send(w, status) // texts of our own: nothing that JSON could refuse
}

// marshal writes v on one line. <, > and & stay as they are: partners compare
// and sign these texts with tools that do not escape them.
func marshal(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// signer signs answers. The signature of a failure is remembered: a signature
// costs 1.7 ms of a core, failures have few texts, and the scheme gives equal
// texts equal signatures, so a stranger who knows an appId cannot keep the
// machine busy with wrong signs.
type signer struct {
	mu    sync.Mutex
	known map[signed]string
}

type signed struct {
	key  *rsa.PrivateKey
	base string
}

// maxKnown bounds the memory: some 100 KB. Beyond it the signer forgets all.
const maxKnown = 256

func newSigner() *signer { return &signer{known: make(map[signed]string)} }

// sign returns the signature of an answer over its fields that are not null.
func (s *signer) sign(f frame, key *rsa.PrivateKey) (string, error) {
	list := []sign.Field{
		{Name: "message", Value: f.Message},
		{Name: "statusCode", Value: f.StatusCode},
		{Name: "ver", Value: f.Ver},
	}
	if f.ResponseBody != "" {
		list = append(list, sign.Field{Name: "responseBody", Value: f.ResponseBody})
		return sign.SignEnvelope(sign.EnvelopeBase(list), key)
	}
	k := signed{key, sign.EnvelopeBase(list)}
	s.mu.Lock()
	signature := s.known[k]
	s.mu.Unlock()
	if signature != "" {
		return signature, nil
	}
	signature, err := sign.SignEnvelope(k.base, key)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxKnown {
		clear(s.known)
	}
	s.known[k] = signature
	return signature, nil
}
