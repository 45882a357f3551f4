package gateway

import (
	"errors"
	"math"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

type statement struct {
	StatementID string `json:"statement_id"`
}

// scoreChange is 3.3, wk.user.event.score.change: 积分变动事件, 需要在会员平台
// 注册事件; score 对应change_event在会员事件定义为非固定积分值事件时需要传该参数;
// change_id 用于平台幂等性保证. out_biz_no and order_amount are marked as
// required, but the example lacks them, so they are kept when sent (G-091).
func scoreChange(c *call) (answer, error) {
	command, err := c.pointsChange()
	if err != nil {
		return answer{}, err
	}
	done, err := writer.Submit(c.ctx, c.Writer, command)
	data := statement{loyalty.StatementID(done.Member, done.Entry)}
	if errors.Is(err, loyalty.KeyReused) && done.Entry != 0 {
		// strict_change_id: refused, and still the first result (G-092)
		reused := *ofCode[loyalty.KeyReused]
		reused.data = data
		return answer{}, &reused
	}
	if err != nil {
		return answer{}, err
	}
	return answer{data: data}, nil
}

// pointsChange reads the fields of 3.3.
func (c *call) pointsChange() (loyalty.ChangePoints, error) {
	f := &c.fields
	command := loyalty.ChangePoints{
		Who:   f.member(),
		ID:    f.need(maxKey, "change_id", "changeId"),
		Space: c.app.Space,
		KeyOp: loyalty.KeyChange,
		Event: f.need(maxKey, "change_event", "changeEvent"),
		// What is too small or too large depends on the event and the merchant.
		Points: f.integer(0, math.MinInt64, math.MaxInt64, "score"),
		App:    c.app.ID,
		Note: loyalty.Note{
			Reason:  f.need(maxText, "change_reason", "changeReason"),
			OrderNo: f.text(maxKey, "out_biz_no", "outBizNo"),
			Detail:  loyalty.Detail{OrderFen: f.fen("order_amount", "orderAmount")},
		},
	}
	return command, f.check()
}
