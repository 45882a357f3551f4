package sim_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// simMember is somebody whom the clients of a merchant know.
type simMember struct {
	phone    string
	openID   string // "" until somebody was told
	memberID string
	id       int64
}

// simOp is one thing that a client wants, however often it asks for it: the call
// as it goes over the wire, and the command that it should come to.
type simOp struct {
	name     string
	client   *simClient
	call     call
	merchant string
	command  loyalty.AnyCommand
	reads    bool          // a query: look says what it should answer
	key      loyalty.KeyID // "" for what is idempotent by nature
	reason   string        // unique, of the entry that the ledger then has; "" for none
	fresh    func(t *simTruth) (id int64, openID string)
	check    func(result any, data json.RawMessage) string
	look     func(m *simModel, now loyalty.Instant) (code int, check func(data json.RawMessage) string)
	learn    func(result any)

	sent     int
	answered int    // how often the client heard what came of it
	first    string // the first success as it was answered, to compare repeats with
	booked   bool   // a success was heard, with an entry in the ledger
	void     bool   // refused as a key that was used: booked or rolled back before
}

// simClient is an integrator's program. It works on both doors.
type simClient struct {
	run        *simRun
	name       string
	app        *simApp
	wire       *client
	tokenSince time.Time
	next       int
	ops        []*simOp // commands, the youngest last
	unsure     []*simOp // asked and not heard of
	changes    []simChange
	orders     []simOrder
	templates  []string
	coupons    []simCoupon
}

type simChange struct {
	member    *simMember
	id        string
	statement string
	keyOp     loyalty.KeyOperation
}

type simOrder struct {
	member *simMember
	no     string
	fen    int64
}

type simCoupon struct {
	member *simMember
	number string
	code   string
}

func (c *simClient) rng() *rand.Rand { return c.run.rng }

func (c *simClient) chance(percent int) bool { return c.rng().IntN(100) < percent }

// id is a fresh number, unique in the run.
func (c *simClient) id(kind string) string {
	c.next++
	return fmt.Sprintf("%s-%s-%d", kind, c.name, c.next)
}

// phones is how many members a merchant can have: few, so that calls meet.
const phones = 7

func (c *simClient) phone() string {
	return fmt.Sprintf("138%s%04d", c.app.MerchantID, c.rng().IntN(phones))
}

// member is one that is known, nil for none.
func (c *simClient) member() *simMember {
	known := c.run.members[c.app.MerchantID]
	if len(known) == 0 {
		return nil
	}
	return known[c.rng().IntN(len(known))]
}

// names puts a reference to the member into a gateway body.
func (c *simClient) names(body map[string]any, m *simMember) loyalty.Who {
	who := loyalty.Who{Merchant: c.app.MerchantID}
	switch {
	case c.chance(2):
		who.Phone = "13900000000" // nobody
		body["phone"] = who.Phone
	case c.chance(50):
		who.OpenID = m.openID
		body["open_id"] = m.openID
	default:
		who.Phone = m.phone
		body["phone"] = m.phone
	}
	return who
}

func (c *simClient) byID(body map[string]any, m *simMember) loyalty.Who {
	body["memberId"] = m.memberID
	return loyalty.Who{Merchant: c.app.MerchantID, ID: m.id}
}

// nothing takes no fresh number.
func nothing(*simTruth) (int64, string) { return 0, "" }

// want makes the next thing that the client wants.
func (c *simClient) want() *simOp {
	m := c.member()
	if m == nil || c.chance(6) {
		return c.register()
	}
	kinds := []struct {
		weight int
		make   func(*simMember) *simOp
	}{
		{16, c.change}, {14, c.points}, {6, c.rollBackStatement}, {6, c.rollBackChange}, {5, c.returnPoints},
		{12, c.order}, {10, c.refund}, {3, c.template}, {7, c.give}, {7, c.verify}, {3, c.sync},
		{3, c.query}, {3, c.totals}, {4, c.ledger}, {2, c.couponList}, {1, c.memberList},
	}
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	at := c.rng().IntN(total)
	for _, k := range kinds {
		if at -= k.weight; at < 0 {
			return k.make(m)
		}
	}
	panic("unreachable")
}

func newOp[R any](c *simClient, name, method string, body map[string]any, command loyalty.Command[R]) *simOp {
	return &simOp{
		name: name, client: c, call: call{method, body}, merchant: c.app.MerchantID,
		command: loyalty.Any(command), key: command.Key().KeyID, fresh: nothing,
	}
}

// same compares members of an answer with what they should be.
func same(data json.RawMessage, want map[string]any) string {
	var got map[string]json.RawMessage
	if err := json.Unmarshal(data, &got); err != nil {
		return fmt.Sprintf("%v in %s", err, data)
	}
	for name, w := range want {
		text, err := json.Marshal(w)
		if err != nil || string(got[name]) != string(text) {
			return fmt.Sprintf("%s is %s, should be %s", name, got[name], text)
		}
	}
	return ""
}

// exactly compares a whole answer.
func exactly(data json.RawMessage, want any) string {
	text, err := json.Marshal(want)
	if err != nil || string(data) != string(text) {
		return fmt.Sprintf("the answer is %s, should be %s", data, text)
	}
	return ""
}

func (c *simClient) register() *simOp {
	phone := c.phone()
	command := loyalty.RegisterMember{Merchant: c.app.MerchantID, App: c.app.ID, Profile: loyalty.Profile{Phone: phone}}
	envelope := c.chance(50)
	method, body := "wk.user.info.add", map[string]any{"phone": phone, "project_id": "1", "nickname": "sim"}
	if envelope {
		method, body = "/member/register/mobile", map[string]any{
			"mobile": phone, "channelCode": "dcxcx", "registerType": "2", "unionId": "union-" + phone,
		}
		command.Gift, command.Channel = true, &loyalty.Channel{Code: "dcxcx", RegisterType: "2", UnionID: "union-" + phone}
	} else {
		command.Profile.Store, command.Profile.Nickname = "1", "sim"
	}
	op := newOp(c, "register", method, body, command)
	op.fresh = func(t *simTruth) (int64, string) {
		m, _ := t.memberByPhone(c.app.MerchantID, phone)
		return m.ID, m.OpenID
	}
	op.check = func(result any, data json.RawMessage) string {
		done := result.(loyalty.MemberRegistered)
		if envelope {
			return same(data, map[string]any{"memberId": loyalty.MemberIDText(done.Member)})
		}
		return exactly(data, done.OpenID)
	}
	op.learn = func(result any) {
		done := result.(loyalty.MemberRegistered)
		known := c.run.members[c.app.MerchantID]
		for _, m := range known {
			if m.phone == phone {
				return
			}
		}
		c.run.members[c.app.MerchantID] = append(known, &simMember{phone, done.OpenID, loyalty.MemberIDText(done.Member), done.Member})
	}
	return op
}
