package gateway

import (
	"math"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// rolledBack is the original's statement_id, as in the document, and the new
// entry's; null where there was nothing left to book (G-106).
type rolledBack struct {
	StatementID         string  `json:"statement_id"`
	RollbackStatementID *string `json:"rollback_statement_id"`
}

// scoreRollback is 3.4, wk.user.event.score.rollback: 因为网络原因未收到正确的
// response(statement_id)……此时就需要 change_id（必传，该值为调用积分变动接口时的
// 入参），statement_id（不传）轮询调用积分回退接口……如果网络未出现异常，则需要传入
// statement_id 与 change_id 入参，change_id 是重新生成的唯一标识.
//
// So without a statement_id change_id names the change; with one it is the
// rollback's own key (G-100, G-101). rollback_score is all that is left unless
// it is sent (G-102).
func scoreRollback(c *call) (answer, error) {
	f := &c.fields
	who := f.member()
	changeID := f.need(maxKey, "change_id", "changeId")
	statementID := f.text(maxKey, "statement_id", "statementId")
	quantity := f.integer(0, 1, math.MaxInt64, "rollback_score", "rollbackScore")
	if err := f.check(); err != nil {
		return answer{}, err
	}
	var done loyalty.RolledBack
	var err error
	if statementID == "" {
		done, err = writer.Submit(c.ctx, c.Writer, loyalty.RollBackChange{
			Who: who, ChangeID: changeID, Space: c.app.Space, Quantity: quantity, App: c.app.ID,
		})
	} else {
		done, err = writer.Submit(c.ctx, c.Writer, loyalty.RollBackStatement{
			Who: who, Statement: statementID, ID: changeID, Space: c.app.Space, Quantity: quantity, App: c.app.ID,
		})
	}
	switch {
	case err != nil:
		return answer{}, err
	case done.Void: // 如果通过 change_id 查询不到该流水则证明该次交易未成功
		return answer{}, loyalty.StatementNotFound
	}
	data := rolledBack{StatementID: loyalty.StatementID(done.Member, done.Original)}
	if done.Entry != 0 {
		data.RollbackStatementID = orNull(loyalty.StatementID(done.Member, done.Entry))
	}
	return answer{data: data}, nil
}
