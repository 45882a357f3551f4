package envelope

import (
	"context"

	"github.com/memberd/memberd/internal/loyalty"
)

// The events that the document does not know, in its frame. Each body begins
// with the same three fields; none holds more of the member than its id.
type eventHead struct {
	EventType string `json:"eventType"`
	EventTime string `json:"eventTime"` // yyyy-MM-dd HH:mm:ss in the merchant's zone
	MemberID  string `json:"memberId"`
}

func (e *event) head() eventHead {
	return eventHead{EventType: string(e.Kind), EventTime: e.clock(e.At), MemberID: e.memberID()}
}

func (e *event) clock(at loyalty.Instant) string {
	if at <= 0 || at == loyalty.Never {
		return ""
	}
	return wallClock(at, e.member.Snapshot.Location())
}

type levelCallback struct {
	eventHead
	FromLevel     number `json:"fromLevel"`
	FromLevelName string `json:"fromLevelName"`
	ToLevel       number `json:"toLevel"`
	ToLevelName   string `json:"toLevelName"`
}

func levelBody(_ context.Context, e *event) (any, error) {
	return levelCallback{
		eventHead: e.head(),
		FromLevel: e.number(e.From), FromLevelName: e.levelName(e.From),
		ToLevel: e.number(e.To), ToLevelName: e.levelName(e.To),
	}, nil
}

// levelName is "" for a level that the programme has no more.
func (e *event) levelName(number int64) string {
	for _, l := range e.member.Snapshot.Levels {
		if l.Number == number {
			return l.Name
		}
	}
	return ""
}

type pointsEndCallback struct {
	eventHead
	Score      number `json:"score"`
	ExpireTime string `json:"expireTime"` // the first moment at which they cannot be used
}

func pointsEndBody(_ context.Context, e *event) (any, error) {
	return pointsEndCallback{eventHead: e.head(), Score: e.number(e.From), ExpireTime: e.clock(loyalty.Instant(e.To))}, nil
}

type pointsExpiredCallback struct {
	eventHead
	Score        number `json:"score"`
	CurrentScore number `json:"currentScore"`
	TransNo      string `json:"transNo"`
}

func pointsExpiredBody(ctx context.Context, e *event) (any, error) {
	entry, err := e.reader.Entry(ctx, e.Member, e.Ref)
	if err != nil {
		return nil, err
	}
	return pointsExpiredCallback{
		eventHead: e.head(), Score: e.number(entry.Amount), CurrentScore: e.number(entry.Balance),
		TransNo: loyalty.StatementID(e.Member, entry.No),
	}, nil
}

type couponCallback struct {
	eventHead
	CouponCode     string `json:"couponCode"` // the issuer's number
	CouponID       number `json:"couponId"`
	CouponInfoID   number `json:"couponInfoId"` // the template
	CouponName     string `json:"couponName"`
	BeginTime      string `json:"beginTime"`
	EndTime        string `json:"endTime"` // the first moment at which it cannot be used
	UseTime        string `json:"useTime"` // "" while it is not used
	OrderNo        string `json:"orderNo"`
	StoreCode      string `json:"storeCode"`      // where it was used
	ReceiveStoreNo string `json:"receiveStoreNo"` // where it was received
}

// couponBody tells of a coupon as it is when it is sent.
func couponBody(ctx context.Context, e *event) (any, error) {
	held, err := e.reader.Coupon(ctx, e.Member, e.Ref)
	if err != nil {
		return nil, err
	}
	return couponCallback{
		eventHead: e.head(), CouponCode: held.Number, CouponID: e.number(held.ID), CouponInfoID: e.number(held.Coupon.Template),
		CouponName: held.Template.Name, BeginTime: e.clock(held.BeginAt), EndTime: e.clock(held.EndAt), UseTime: e.clock(held.UsedAt),
		OrderNo: held.UsedFor, StoreCode: held.UsedStore, ReceiveStoreNo: held.ReceiveStore,
	}, nil
}
