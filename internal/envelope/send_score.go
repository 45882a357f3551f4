package envelope

import (
	"context"

	"github.com/memberd/memberd/internal/loyalty"
)

// sendScore is 2.2, /member/score/sendScore, 添加积分: 赠送积分.
//
// "金额和积分数必填一项"; "业务ID(保持唯一)". operationType is one of 1 to 10: the
// others are deductions (E-019). idempotencyBussinessType is required by the
// table; its absence is tolerated where the id is there (E-018).
func (d *door) sendScore(ctx context.Context, c *call) (any, error) {
	id, businessType, err := c.body.needKey()
	if err != nil {
		return nil, err
	}
	change, err := c.change(loyalty.KeySend, id, businessType)
	if err != nil {
		return nil, err
	}
	change.Direction = loyalty.Credit
	if err := c.readQuantity(&change); err != nil {
		return nil, err
	}
	return d.changePoints(ctx, change)
}
