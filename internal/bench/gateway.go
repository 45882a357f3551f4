package bench

import (
	"encoding/json"
	"net/url"
	"strconv"
	"time"

	"github.com/memberd/memberd/internal/sign"
)

// gatewayPaths are the methods of the operations. The echo takes the body of a
// points change.
var gatewayPaths = [operations]string{
	opQuery:  "/gw/gateway/wk.user.info.query/v1",
	opChange: "/gw/gateway/wk.user.event.score.change/v1",
	opOrder:  "/gw/gateway/wk.user.consume.order/v1",
	opEcho:   "/gw/gateway/wk.sandbox.echo/v1",
}

const gatewayRegister = "/gw/gateway/wk.user.info.add/v1"

// gatewayFrames makes calls of the gateway: each has its own timestamp, so each
// is signed for itself.
type gatewayFrames struct {
	app     App
	members []string
	keys    keys
	query   url.Values
	path    string
	order   bool // the body ends with the time of the order
	target  []byte
	body    []byte
}

func newGatewayFrames(app App, members []string, prefix string) *gatewayFrames {
	return &gatewayFrames{
		app: app, members: members, keys: keys{prefix: prefix},
		query: url.Values{"access_token": {app.Token}, "timestamp": {""}},
	}
}

// prepare writes the body. Members' ids have been found to be plain text.
func (f *gatewayFrames) prepare(op operation, member int) {
	f.path, f.order = gatewayPaths[op], op == opOrder
	b := append(f.body[:0], `{"open_id":"`...)
	b = append(b, f.members[member]...)
	switch op {
	case opQuery:
		b = append(b, `"}`...)
	case opChange, opEcho:
		b = append(b, `","change_event":"event_add","score":1,"change_reason":"bench","change_id":"`...)
		b = append(f.keys.appendNext(b), `"}`...)
	case opOrder:
		b = append(b, `","order_amount":199.9,"order_score":199,"order_no":"`...)
		b = append(f.keys.appendNext(b), `","consume_date":`...)
	}
	f.body = b
}

func (f *gatewayFrames) finish(now time.Time) (target, body []byte) {
	millis := strconv.FormatInt(now.UnixMilli(), 10)
	if f.order {
		f.body = append(append(f.body, millis...), '}')
	}
	f.sign(millis)
	return f.target, f.body
}

func (f *gatewayFrames) sign(millis string) {
	f.query["timestamp"][0] = millis
	t := append(f.target[:0], f.path...)
	t = append(t, "?access_token="...)
	t = append(t, url.QueryEscape(f.app.Token)...)
	t = append(t, "&timestamp="...)
	t = append(t, millis...)
	t = append(t, "&sign="...)
	f.target = append(t, sign.Gateway(f.query, f.body, f.app.Secret)...)
}

func (f *gatewayFrames) failure(answer []byte) string {
	if begins(answer, `{"success":true,`) {
		return ""
	}
	return refusal(answer, func(answer []byte) (bool, string, error) {
		var a struct {
			Success bool            `json:"success"`
			Code    json.RawMessage `json:"error_code"`
		}
		err := json.Unmarshal(answer, &a)
		return a.Success, text(a.Code), err
	})
}

// register makes the call that registers a member by phone.
func (f *gatewayFrames) register(phone, store string) (target, body []byte) {
	f.path, f.order = gatewayRegister, false
	f.body, _ = json.Marshal(map[string]string{"phone": phone, "project_id": store, "nickname": "bench"})
	return f.finish(time.Now())
}

// registered reads the member's id out of the answer.
func (f *gatewayFrames) registered(answer []byte) string {
	var a struct {
		Data string `json:"data"`
	}
	_ = json.Unmarshal(answer, &a) // "" is refused
	return a.Data
}
