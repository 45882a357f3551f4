package envelope

import (
	"context"

	"github.com/memberd/memberd/internal/jsonx"
	"github.com/memberd/memberd/internal/loyalty"
)

// scoreOpt is 1.3, /member/score/opt/{type}, 会员加减积分.
//
// "type: 1:加，15：减"; "金额和积分数必填一项"; "业务ID{调用方保证唯一}". A type in
// requestBody must equal the one in the path (E-070), and operationType must
// have its direction (E-072): 1 to 10 add, 11 to 17 deduct.
func (d *door) scoreOpt(ctx context.Context, c *call) (any, error) {
	direction, err := c.optDirection()
	if err != nil {
		return nil, err
	}
	id, businessType, err := c.body.needKey()
	if err != nil {
		return nil, err
	}
	change, err := c.change(loyalty.KeyOpt, id, businessType)
	if err != nil {
		return nil, err
	}
	change.Direction = direction
	if err := c.readQuantity(&change); err != nil {
		return nil, err
	}
	return d.changePoints(ctx, change)
}

// optDirection reads the type of the path.
func (c *call) optDirection() (loyalty.Direction, error) {
	directions := map[string]loyalty.Direction{"1": loyalty.Credit, "15": loyalty.Debit}
	direction, ok := directions[c.segment]
	if !ok {
		return 0, refuse("type", jsonx.Invalid)
	}
	inner, present, err := c.body.Int("type")
	if err != nil {
		return 0, err
	}
	if present && (inner == 1) != (direction == loyalty.Credit) || present && inner != 1 && inner != 15 {
		return 0, refuse("type", jsonx.Different)
	}
	return direction, nil
}
