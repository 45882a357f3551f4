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

// change is gateway 3.3.
func (c *simClient) change(m *simMember) *simOp {
	id, event, points := c.id("c"), "event_add", 1+c.rng().Int64N(60)
	if c.chance(45) {
		event, points = "event_subtract", 1+c.rng().Int64N(70)
	}
	body := map[string]any{"change_event": event, "score": points, "change_reason": "r " + id, "change_id": id}
	command := loyalty.ChangePoints{
		ID: id, Space: c.app.Space, KeyOp: loyalty.KeyChange, Event: event, Points: points, App: c.app.ID,
		Note: loyalty.Note{Reason: "r " + id},
	}
	if c.chance(20) {
		command.Note.OrderNo = fmt.Sprintf("biz-%d", c.rng().IntN(6))
		body["out_biz_no"] = command.Note.OrderNo
	}
	command.Who = c.names(body, m)
	op := newOp(c, "change", "wk.user.event.score.change", body, command)
	op.reason = "r " + id
	op.check = func(result any, data json.RawMessage) string {
		done := result.(loyalty.PointsChanged)
		return same(data, map[string]any{"statement_id": loyalty.StatementID(done.Member, done.Entry)})
	}
	op.learn = func(result any) {
		done := result.(loyalty.PointsChanged)
		c.changes = append(c.changes, simChange{m, id, loyalty.StatementID(done.Member, done.Entry), loyalty.KeyChange})
	}
	return op
}

// points is envelope 1.3, 2.1 or 2.2.
func (c *simClient) points(m *simMember) *simOp {
	id, points := c.id("e"), 1+c.rng().Int64N(60)
	body := map[string]any{"operationName": "r " + id, "idempotencyBussinessId": id, "idempotencyBussinessType": "1"}
	command := loyalty.ChangePoints{
		ID: id, Space: c.app.Space, Points: points, App: c.app.ID, Direction: loyalty.Credit, Operation: 1,
		Note: loyalty.Note{Reason: "r " + id, Detail: loyalty.Detail{BusinessType: "1"}},
	}
	method := ""
	switch c.rng().IntN(4) {
	case 0:
		method, command.KeyOp = "/member/score/opt/1", loyalty.KeyOpt
		body["score"] = points
	case 1:
		method, command.KeyOp, command.Direction, command.Operation = "/member/score/opt/15", loyalty.KeyOpt, loyalty.Debit, 14
		body["score"] = points
	case 2:
		method, command.KeyOp = "/member/score/updateScore", loyalty.KeyUpdate
		body["changeScore"] = points
		if c.chance(50) {
			command.Direction, command.Operation = loyalty.Debit, 14
		}
		body["changeType"] = int(command.Direction)
	default:
		method, command.KeyOp = "/member/score/sendScore", loyalty.KeySend
		if fen := 100 * points; c.chance(30) { // points from money
			body["amount"] = fen
			command.Points, command.Amount, command.Note.Detail.OrderFen = 0, fen, fen
		} else {
			body["score"] = points
		}
	}
	body["operationType"] = fmt.Sprint(int(command.Operation))
	command.Who = c.byID(body, m)
	if c.chance(20) {
		command.Note.OrderNo = fmt.Sprintf("biz-%d", c.rng().IntN(6))
		body["orderId"] = command.Note.OrderNo
	}
	op := newOp(c, "points", method, body, command)
	op.reason = "r " + id
	op.check = func(result any, data json.RawMessage) string {
		done := result.(loyalty.PointsChanged)
		sent := int64(0)
		if done.Direction == loyalty.Credit {
			sent = done.Points
		}
		return same(data, map[string]any{"currentScore": done.Balance, "updateScore": done.Points, "sendScore": sent})
	}
	op.learn = func(any) { c.changes = append(c.changes, simChange{m, id, "", command.KeyOp}) }
	return op
}

// back is one of the client's last changes that is fit for a rollback.
func (c *simClient) back(fit func(simChange) bool) *simChange {
	for range 6 {
		if n := len(c.changes); n > 0 {
			if at := &c.changes[max(n-1-c.rng().IntN(12), 0)]; fit(*at) {
				return at
			}
		}
	}
	return nil
}

func checkRolledBack(result any, data json.RawMessage) string {
	done := result.(loyalty.RolledBack)
	want := map[string]any{"statement_id": loyalty.StatementID(done.Member, done.Original), "rollback_statement_id": nil}
	if done.Entry != 0 {
		want["rollback_statement_id"] = loyalty.StatementID(done.Member, done.Entry)
	}
	return same(data, want)
}

// rollBackStatement is gateway 3.4 with a statement id.
func (c *simClient) rollBackStatement(m *simMember) *simOp {
	at := c.back(func(x simChange) bool { return x.statement != "" })
	if at == nil {
		return c.change(m)
	}
	id := c.id("b")
	body := map[string]any{"statement_id": at.statement, "change_id": id}
	command := loyalty.RollBackStatement{Statement: at.statement, ID: id, Space: c.app.Space, App: c.app.ID}
	if c.chance(50) {
		command.Quantity = 1 + c.rng().Int64N(30)
		body["rollback_score"] = command.Quantity
	}
	command.Who = c.names(body, at.member)
	op := newOp(c, "roll back a statement", "wk.user.event.score.rollback", body, command)
	op.check = checkRolledBack
	return op
}

// rollBackChange is gateway 3.4 without one: of a change that is known, or of
// one that never was.
func (c *simClient) rollBackChange(m *simMember) *simOp {
	id, who := c.id("c"), m
	if at := c.back(func(x simChange) bool { return x.keyOp == loyalty.KeyChange }); at != nil && !c.chance(25) {
		id, who = at.id, at.member
	}
	return c.rollBack(id, who)
}

func (c *simClient) rollBack(id string, m *simMember) *simOp {
	body := map[string]any{"change_id": id}
	command := loyalty.RollBackChange{ChangeID: id, Space: c.app.Space, App: c.app.ID}
	command.Who = c.names(body, m)
	op := newOp(c, "roll back a change", "wk.user.event.score.rollback", body, command)
	op.check = checkRolledBack
	return op
}

// returnPoints is envelope 2.3: of an order, of a change, or free.
func (c *simClient) returnPoints(m *simMember) *simOp {
	id := c.id("t")
	command := loyalty.ReturnPoints{ID: id, Space: c.app.Space, Operation: 1, App: c.app.ID}
	command.Note.Detail.BusinessType = "1"
	switch at := c.back(func(x simChange) bool { return x.keyOp != loyalty.KeyChange }); {
	case at != nil && c.chance(50):
		m, command.ID = at.member, at.id
	case c.chance(50):
		command.OrderNo = fmt.Sprintf("biz-%d", c.rng().IntN(6))
		command.Note.OrderNo = command.OrderNo
	default:
		command.Points = 1 + c.rng().Int64N(40)
	}
	if c.chance(30) {
		command.Operation = 14
	}
	command.Note.Reason = "r return " + id
	body := map[string]any{
		"operationType": fmt.Sprint(int(command.Operation)), "operationName": command.Note.Reason,
		"idempotencyBussinessId": command.ID, "idempotencyBussinessType": "1",
	}
	if command.OrderNo != "" {
		body["orderId"] = command.OrderNo
	}
	if command.Points != 0 {
		body["score"] = command.Points
	}
	command.Who = c.byID(body, m)
	op := newOp(c, "return", "/member/score/returnScore", body, command)
	op.check = func(result any, data json.RawMessage) string {
		done := result.(loyalty.PointsReturned)
		return same(data, map[string]any{"currentScore": done.Balance, "updateScore": done.Points})
	}
	return op
}

// statement of an order: its entry, else its number.
func checkOrder(result any, data json.RawMessage) string {
	done := result.(loyalty.OrderBooked)
	want := map[string]any{"order_id": done.ID, "order_score": done.Points, "statement_id": fmt.Sprint(done.ID)}
	if done.Entry != 0 {
		want["statement_id"] = loyalty.StatementID(done.Member, done.Entry)
	}
	if done.Parked {
		want["order_score"], want["parked"] = 0, true
	}
	return same(data, want)
}

// order is gateway 4.1, sometimes days late.
func (c *simClient) order(m *simMember) *simOp {
	no := c.id("o")
	fen := 100 + c.rng().Int64N(20_000)
	at := c.run.clock.Now().Add(-time.Duration(c.rng().IntN(40)) * time.Minute)
	if c.chance(10) {
		at = at.AddDate(0, 0, -c.rng().IntN(10))
	}
	o := simOrder{m, no, fen}
	if early := c.run.early[c.app.Space+c.app.MerchantID]; len(early) > 0 && c.chance(40) { // what a refund waits for
		o = early[0]
		c.run.early[c.app.Space+c.app.MerchantID] = early[1:]
	}
	body := map[string]any{"order_no": o.no, "order_amount": fmt.Sprintf("%d.%02d", o.fen/100, o.fen%100), "consume_date": at.UnixMilli()}
	command := loyalty.RecordOrder{
		Order: loyalty.OrderKey{Space: c.app.Space, No: o.no}, Amount: o.fen, ConsumedAt: loyalty.InstantOf(at), App: c.app.ID,
	}
	if c.chance(30) {
		command.Points, command.Given = c.rng().Int64N(100), true
		body["order_score"] = command.Points
	}
	command.Who = c.names(body, o.member)
	op := newOp(c, "order", "wk.user.consume.order", body, command)
	op.fresh = func(t *simTruth) (int64, string) { return t.orders[command.Order], "" }
	op.check = checkOrder
	op.learn = func(any) { c.orders = append(c.orders, o) }
	return op
}

// refund is gateway 4.2, sometimes before its order.
func (c *simClient) refund(m *simMember) *simOp {
	no := c.id("f")
	o := simOrder{m, c.id("o"), 100 + c.rng().Int64N(20_000)}
	if n := len(c.orders); n > 0 && !c.chance(12) {
		o = c.orders[max(n-1-c.rng().IntN(8), 0)]
	} else if n > 0 {
		c.run.early[c.app.Space+c.app.MerchantID] = append(c.run.early[c.app.Space+c.app.MerchantID], o)
	} else {
		return c.order(m)
	}
	fen := []int64{o.fen, o.fen / 2, o.fen / 3, o.fen + 1}[c.rng().IntN(4)]
	at := c.run.clock.Now()
	body := map[string]any{
		"order_no": no, "parent_order_no": o.no, "order_amount": fmt.Sprintf("%d.%02d", fen/100, fen%100), "consume_date": at.UnixMilli(),
	}
	command := loyalty.RefundOrder{
		Order: loyalty.OrderKey{Space: c.app.Space, No: no}, Parent: o.no, Amount: fen, ConsumedAt: loyalty.InstantOf(at), App: c.app.ID,
	}
	if c.chance(30) {
		command.Points, command.Given = c.rng().Int64N(50), true
		body["order_score"] = command.Points
	}
	command.Who = c.names(body, o.member)
	op := newOp(c, "refund", "wk.user.refund.order", body, command)
	op.fresh = func(t *simTruth) (int64, string) { return t.orders[command.Order], "" }
	op.check = checkOrder
	return op
}

// template is gateway 5.1.
func (c *simClient) template(*simMember) *simOp {
	number := c.id("p")
	terms := loyalty.TemplateTerms{
		Name: "满减", Category: loyalty.OrderOff, Discount: 1_000, MinimumFee: 5_000, Rules: "限本人", Term: 1 + c.rng().IntN(15),
		Quantity: c.rng().Int64N(12), ClaimLimit: c.rng().Int64N(4), CentreStatus: 1, Restriction: loyalty.Restriction(2),
	}
	body := map[string]any{
		"third_coupon_id": number, "name": terms.Name, "coupon_category": int(terms.Category), "discount_fee": terms.Discount,
		"minimum_fee": terms.MinimumFee, "rules": terms.Rules, "coupon_type": 0, "fixed_term": terms.Term,
		"quantity": terms.Quantity, "claim_number": terms.ClaimLimit,
	}
	key := loyalty.TemplateKey{Space: c.app.Space, Number: number}
	op := newOp(c, "template", "wk.coupon.template.add", body, loyalty.AddTemplate{Merchant: c.app.MerchantID, App: c.app.ID, Template: key, Terms: terms})
	op.fresh = func(t *simTruth) (int64, string) { return t.templates[key], "" }
	op.check = func(result any, data json.RawMessage) string { return exactly(data, result.(loyalty.TemplateAdded).ID) }
	op.learn = func(any) { c.templates = append(c.templates, number) }
	return op
}

// give is gateway 5.2, to one or two members.
func (c *simClient) give(m *simMember) *simOp {
	n := len(c.templates)
	if n == 0 {
		return c.template(m)
	}
	at := c.run.clock.Now()
	command := loyalty.GiveCoupons{
		Merchant: c.app.MerchantID, App: c.app.ID, Each: 1 + c.rng().Int64N(2), ReceivedAt: loyalty.InstantOf(at),
		Template: loyalty.TemplateKey{Space: c.app.Space, Number: c.templates[max(n-1-c.rng().IntN(3), 0)]},
	}
	to := []*simMember{m}
	if other := c.member(); other != m && c.chance(40) {
		to = append(to, other)
	}
	var set []map[string]any
	var mine []simCoupon
	for _, m := range to {
		for range command.Each {
			number := c.id("k")
			set = append(set, map[string]any{"open_id": m.openID, "coupon_number": number})
			command.Entries = append(command.Entries, loyalty.CouponGift{Who: loyalty.Who{OpenID: m.openID}, Number: number})
			mine = append(mine, simCoupon{m, number, ""})
		}
	}
	body := map[string]any{
		"third_coupon_id": command.Template.Number, "number": command.Each, "create_time": at.UnixMilli(), "coupon_set": set,
	}
	op := newOp(c, "give", "wk.coupon.give", body, command)
	op.fresh = func(t *simTruth) (int64, string) {
		var first int64
		for _, e := range command.Entries {
			id := t.fresh[loyalty.OrderKey{Space: c.app.Space, No: e.Number}]
			if id != 0 && (first == 0 || id < first) {
				first = id
			}
		}
		return first, ""
	}
	op.check = func(result any, data json.RawMessage) string {
		type row struct {
			Code    int64  `json:"code"`
			CodeStr string `json:"code_str"`
			OpenID  string `json:"open_id"`
			OpenID2 string `json:"openId"`
		}
		var rows []row
		for _, g := range result.(loyalty.CouponsGiven).Coupons {
			code := loyalty.CouponCode(g.Member, g.Seq)
			rows = append(rows, row{code, fmt.Sprint(code), g.OpenID, g.OpenID})
		}
		return exactly(data, rows)
	}
	op.learn = func(result any) {
		for i, g := range result.(loyalty.CouponsGiven).Coupons {
			mine[i].code = fmt.Sprint(loyalty.CouponCode(g.Member, g.Seq))
			c.coupons = append(c.coupons, mine[i])
		}
	}
	return op
}

// coupon is one of the client's last, by its number or its code.
func (c *simClient) coupon() (simCoupon, string) {
	k := c.coupons[max(len(c.coupons)-1-c.rng().IntN(6), 0)]
	if c.chance(50) {
		return k, k.code
	}
	return k, k.number
}

// verify is gateway 5.4.
func (c *simClient) verify(m *simMember) *simOp {
	if len(c.coupons) == 0 {
		return c.give(m)
	}
	k, code := c.coupon()
	at, order := c.run.clock.Now(), c.id("o")
	if n := len(c.orders); n > 0 && c.chance(60) {
		order = c.orders[n-1].no
	}
	body := map[string]any{"order_no": order, "third_coupon_codes": code, "verification_time": at.UnixMilli()}
	command := loyalty.RedeemCoupons{Space: c.app.Space, OrderNo: order, Codes: []string{code}, At: loyalty.InstantOf(at)}
	command.Who = c.names(body, k.member)
	op := newOp(c, "verify", "wk.coupon.verification", body, command)
	op.check = func(any, json.RawMessage) string { return "" }
	return op
}

// sync is gateway 5.3.
func (c *simClient) sync(m *simMember) *simOp {
	if len(c.coupons) == 0 {
		return c.give(m)
	}
	k, code := c.coupon()
	state := c.rng().IntN(5)
	body := map[string]any{"third_coupon_code": code, "status": state}
	command := loyalty.SyncCoupon{Space: c.app.Space, Code: code, State: loyalty.CouponState(state)}
	command.Who = c.names(body, k.member)
	op := newOp(c, "sync", "wk.coupon.sync.status", body, command)
	op.check = func(result any, data json.RawMessage) string {
		return exactly(data, result.(loyalty.CouponSynced).Coupon.Number)
	}
	return op
}
