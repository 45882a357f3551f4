package gateway

import (
	"strconv"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// consumeOrder is 4.1, wk.user.consume.order: 会员消费订单同步; order_score 这笔订单需要
// 发放的积分. The same order again gets the first answer, another one under its
// number 150002 (G-149).
func consumeOrder(c *call) (answer, error) {
	o, err := c.order(false, true)
	if err != nil {
		return answer{}, err
	}
	done, err := writer.Submit(c.ctx, c.Writer, loyalty.RecordOrder{
		Who: o.who, Order: loyalty.OrderKey{Space: c.app.Space, No: o.number},
		Amount: o.amount, ConsumedAt: o.at, Points: o.points, Given: o.given, App: c.app.ID, Info: o.info,
	})
	if err != nil {
		return answer{}, orderRefusal(err)
	}
	return answer{data: newOrderData(done)}, nil
}

// newOrderData: statement_id is 订单流水编号, the ledger entry where points moved
// (so that 3.4 and 3.5 know it), else the order's own id (G-147).
func newOrderData(done loyalty.OrderBooked) orderData {
	data := orderData{OrderScore: done.Points, OrderID: done.ID, Parked: done.Parked}
	if done.Entry != 0 {
		data.StatementID = loyalty.StatementID(done.Member, done.Entry)
	} else {
		data.StatementID = strconv.FormatInt(done.ID, 10)
	}
	if done.Parked { // what it will take back shows when the order comes
		data.OrderScore = 0
	}
	return data
}
