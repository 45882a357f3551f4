package envelope

import (
	"context"
	"math"

	"github.com/memberd/memberd/internal/loyalty"
)

// updateScore is 2.1, /member/score/updateScore, 更新积分: 积分新增或扣减.
//
// "变动积分不能低于1积分"; "变动类型{1新增 2扣减}". Without changeType, as in the
// document's example, operationType says the direction (E-110); the two must
// agree (E-111). An idempotency id is in the example and in no table: it is
// honoured when it is sent, and without one every call books (E-112).
func (d *door) updateScore(ctx context.Context, c *call) (any, error) {
	change, err := c.exactChange()
	if err != nil {
		return nil, err
	}
	return d.changePoints(ctx, change)
}

// exactChange reads the fields of 2.1.
func (c *call) exactChange() (change loyalty.ChangePoints, err error) {
	id, businessType, err := c.body.key()
	if err != nil {
		return change, err
	}
	if change, err = c.change(loyalty.KeyUpdate, id, businessType); err != nil {
		return change, err
	}
	if change.Points, err = c.body.needNumber(1, math.MaxInt64, "changeScore"); err != nil {
		return change, err
	}
	direction, err := c.body.number(1, 2, int64(change.Direction), "changeType")
	change.Direction = loyalty.Direction(direction)
	return change, err
}
