package gateway

import (
	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// refundOrder is 4.2, wk.user.refund.order: 会员退货单同步; parent_order_no 关联订单编号,
// order_score 订单需要回退的积分. Its answer's order_score is what was taken back,
// positive (G-161). An order that is not known, another member's, or a refund
// itself is 120002 (G-163).
func refundOrder(c *call) (answer, error) {
	o, err := c.order(true, true)
	if err != nil {
		return answer{}, err
	}
	done, err := writer.Submit(c.ctx, c.Writer, o.refund(c.app))
	if err != nil {
		return answer{}, orderRefusal(err)
	}
	return answer{data: newOrderData(done)}, nil
}

func (o *orderFields) refund(app *access.App) loyalty.RefundOrder {
	return loyalty.RefundOrder{
		Who: o.who, Order: loyalty.OrderKey{Space: app.Space, No: o.number}, Parent: o.parent,
		Amount: o.amount, ConsumedAt: o.at, Points: o.points, Given: o.given, App: app.ID, Info: o.info,
	}
}
