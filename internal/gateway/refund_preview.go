package gateway

import (
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// refundPreview is wk.user.refund.preview, which the document does not have:
// what 4.2 with the same fields would do, so that a cashier can say so before
// the customer agrees. Nothing is booked. order_no may be left out.
func refundPreview(c *call) (answer, error) {
	o, err := c.order(true, false)
	if err != nil {
		return answer{}, err
	}
	p, err := writer.Submit(c.ctx, c.Writer, loyalty.PreviewRefund{RefundOrder: o.refund(c.app)})
	if err != nil {
		return answer{}, orderRefusal(err)
	}
	return answer{data: newPreviewData(&p)}, nil
}

// previewData: points are taken back, and by which lots; lapsed, pending, deficit
// and written_off are parts of points that do not come off the balance.
type previewData struct {
	OrderScore    int64           `json:"order_score"`
	Lots          []previewLot    `json:"lots"`
	Lapsed        int64           `json:"lapsed"`
	Pending       int64           `json:"pending"`
	Deficit       int64           `json:"deficit"`
	WrittenOff    int64           `json:"written_off"`
	BalanceBefore int64           `json:"balance_before"`
	BalanceAfter  int64           `json:"balance_after"`
	GrowthBefore  int64           `json:"growth_value_before"`
	GrowthAfter   int64           `json:"growth_value_after"`
	LevelBefore   int64           `json:"level_number_before"`
	LevelAfter    int64           `json:"level_number_after"`
	Coupons       []previewCoupon `json:"coupons"`
}

// previewLot: expires_at is null for points without an end, available_at null
// for points without a waiting period.
type previewLot struct {
	ExpiresAt   *loyalty.Instant `json:"expires_at"` // ms, exclusive
	AvailableAt *loyalty.Instant `json:"available_at"`
	Points      int64            `json:"points"`
}

type previewCoupon struct {
	couponCode
	ThirdCouponCode string `json:"third_coupon_code"`
}

func newPreviewData(p *loyalty.RefundPreview) previewData {
	d := previewData{
		OrderScore: p.Points, Lots: previewLots(p.Parts),
		Lapsed: p.Lapsed, Pending: p.Pending, Deficit: p.Deficit, WrittenOff: p.WrittenOff,
		BalanceBefore: p.Balance, BalanceAfter: p.BalanceAfter, GrowthBefore: p.Growth, GrowthAfter: p.GrowthAfter,
		LevelBefore: p.Level, LevelAfter: p.LevelAfter, Coupons: []previewCoupon{},
	}
	for i := range p.Coupons {
		d.Coupons = append(d.Coupons, previewCoupon{newCouponCode(p.Coupons[i].Code()), p.Coupons[i].Number})
	}
	return d
}

// previewLots has each lot once, though several grants may reach it.
func previewLots(parts loyalty.Parts) []previewLot {
	lots := []previewLot{}
	index := map[loyalty.LotKey]int{}
	for _, part := range parts {
		at, known := index[part.LotKey]
		if !known {
			at = len(lots)
			index[part.LotKey] = at
			lots = append(lots, previewLot{ExpiresAt: instantOrNull(part.ExpiresAt), AvailableAt: instantOrNull(part.AvailableAt)})
		}
		lots[at].Points -= part.Quantity
	}
	return lots
}

func instantOrNull(at loyalty.Instant) *loyalty.Instant {
	if at == 0 || at == loyalty.Never {
		return nil
	}
	return &at
}
