package bench

import (
	"encoding/json"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/memberd/memberd/internal/sign"
)

// envelopePaths are the endpoints of the operations. The protocol has no orders:
// what a till sends instead is an amount from which points follow.
var envelopePaths = [operations]string{
	opQuery:  "/member/getMemberInfoByIdOrMobile",
	opChange: "/member/score/updateScore",
	opOrder:  "/member/score/sendScore",
	opEcho:   "/member/sandbox/echo",
}

const envelopeRegister = "/member/register/mobile"

// signedQueries are query frames that have been signed: the same question has
// the same signature, and to make one costs a millisecond of a core, which is as
// much as all that the server does.
type signedQueries []atomic.Pointer[[]byte]

// maxSigned bounds them: some 80 MB.
const maxSigned = 100_000

func newFrames(o Options) *signedQueries {
	if o.Door != Envelope {
		return nil
	}
	s := make(signedQueries, min(len(o.Members), maxSigned))
	return &s
}

// envelopeFrames makes calls of the envelope. A frame has no time in it, so it
// is signed before its moment comes.
type envelopeFrames struct {
	app     App
	members []string
	keys    keys
	shared  *signedQueries
	path    string
	inner   []byte
	body    []byte
}

func (f *envelopeFrames) prepare(op operation, member int) {
	f.path = envelopePaths[op]
	if op == opQuery && member < len(*f.shared) {
		known := (*f.shared)[member].Load()
		if known == nil {
			f.question(member)
			frame := append([]byte(nil), f.body...)
			known = &frame
			(*f.shared)[member].Store(known)
		}
		f.body = append(f.body[:0], *known...)
		return
	}
	switch op {
	case opQuery:
		f.question(member)
	case opChange, opEcho:
		f.begin(member)
		f.inner = append(f.inner, `","changeScore":1,"changeType":1,"operationType":1,"idempotencyBussinessId":"`...)
		f.inner = append(f.keys.appendNext(f.inner), `"}`...)
		f.seal()
	case opOrder:
		f.begin(member)
		f.inner = append(f.inner, `","amount":19990,"operationType":1,"idempotencyBussinessType":1,"idempotencyBussinessId":"`...)
		f.inner = append(f.keys.appendNext(f.inner), `"}`...)
		f.seal()
	}
}

func (f *envelopeFrames) question(member int) {
	f.begin(member)
	f.inner = append(f.inner, `","showScoreSwitch":"1"}`...)
	f.seal()
}

// begin opens the requestBody. Ids have been found to be plain text.
func (f *envelopeFrames) begin(member int) {
	b := append(f.inner[:0], `{"partnerId":"`...)
	b = append(b, f.app.MerchantID...)
	b = append(b, `","memberId":"`...)
	f.inner = append(b, f.members[member]...)
}

// seal signs the requestBody and puts it into its frame.
func (f *envelopeFrames) seal() {
	text := string(f.inner)
	signature, err := sign.SignEnvelope(sign.EnvelopeBase([]sign.Field{
		{Name: "appId", Value: f.app.ID}, {Name: "partnerId", Value: f.app.MerchantID},
		{Name: "requestBody", Value: text}, {Name: "ver", Value: "1"},
	}), f.app.Key)
	if err != nil {
		panic(err) // a key that has been parsed can sign
	}
	b := append(f.body[:0], `{"appId":"`...)
	b = append(b, f.app.ID...)
	b = append(b, `","partnerId":"`...)
	b = append(b, f.app.MerchantID...)
	b = append(b, `","requestBody":`...)
	b = strconv.AppendQuote(b, text) // plain ASCII: Go quotes it as JSON does
	b = append(b, `,"sign":"`...)
	b = append(b, signature...)
	f.body = append(b, `","ver":"1"}`...)
}

func (f *envelopeFrames) finish(time.Time) (target, body []byte) {
	return []byte(f.path), f.body
}

// failure does not check the answer's signature: it is the server that is
// measured, and memberd call is there to check.
func (f *envelopeFrames) failure(answer []byte) string {
	if begins(answer, `{"ver":"1","statusCode":"100",`) {
		return ""
	}
	return refusal(answer, func(answer []byte) (bool, string, error) {
		var a struct {
			Code json.RawMessage `json:"statusCode"`
		}
		err := json.Unmarshal(answer, &a)
		return text(a.Code) == "100", text(a.Code), err
	})
}

// register makes the call that registers a member by phone. The gateway's name
// of the store is the envelope's registerStoreCode.
func (f *envelopeFrames) register(phone, store string) (target, body []byte) {
	f.path = envelopeRegister
	f.inner, _ = json.Marshal(map[string]string{
		"partnerId": f.app.MerchantID, "mobile": phone, "channelCode": "dsf", "registerType": "1",
		"thirdPartyCode": "bench-" + phone, "registerStoreCode": store,
	})
	f.seal()
	return f.finish(time.Now())
}

// registered reads the member's id out of the answer.
func (f *envelopeFrames) registered(answer []byte) string {
	var a struct {
		Body string `json:"responseBody"`
	}
	var inner struct {
		MemberID string `json:"memberId"`
	}
	_ = json.Unmarshal(answer, &a) // "" is refused
	_ = json.Unmarshal([]byte(a.Body), &inner)
	return inner.MemberID
}
