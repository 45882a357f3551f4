package gateway

import (
	"errors"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// ErrLiveMerchant is what Options.Advance answers for a merchant that is no
// sandbox.
var ErrLiveMerchant = errors.New("gateway: the clock of a live merchant cannot be moved")

// ErrClockTooFar is what Options.Advance answers when the clock would be too far
// ahead.
var ErrClockTooFar = errors.New("gateway: the clock would be too far ahead")

// advanced is the answer: what time it is for the merchant now.
type advanced struct {
	Now     int64  `json:"now"`      // ms
	NowText string `json:"now_text"` // yyyy-MM-dd HH:mm:ss in the merchant's zone
}

// clockAdvance is wk.sandbox.clock.advance, which the document does not have: an
// app of a sandbox merchant moves the merchant's clock forward by "by" (72h, 30d)
// and sees at once what time brings: points expire, levels fall, coupons end,
// and partners are told.
func clockAdvance(c *call) (answer, error) {
	by := c.fields.need(maxKey, "by")
	if err := c.fields.check(); err != nil {
		return answer{}, err
	}
	span, err := loyalty.ParseSpan(by)
	if err != nil {
		return answer{}, invalid("by 不合法, 例如 72h 或 30d, 最多 400d")
	}
	if c.Advance == nil {
		return answer{}, errUnknownMethod
	}
	now, err := c.Advance(c.ctx, c.app.MerchantID, span)
	if errors.Is(err, ErrClockTooFar) {
		return answer{}, invalid("时钟最多可以提前 100 年")
	}
	if err != nil {
		return answer{}, c.interrupted(err)
	}
	snap, err := c.snapshot()
	if err != nil {
		return answer{}, err
	}
	return answer{data: advanced{int64(now), now.In(snap.Location()).Format(time.DateTime)}}, nil
}
