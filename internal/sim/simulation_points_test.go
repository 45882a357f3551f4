package sim_test

import (
	"encoding/json"
	"fmt"

	"github.com/memberd/memberd/internal/loyalty"
)

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
