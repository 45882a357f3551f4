package envelope

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/sign"
)

// CallbackReader is what a callback tells of, read when it is sent.
type CallbackReader interface {
	Snapshot(ctx context.Context, merchant string) (*loyalty.Snapshot, error)
	Member(ctx context.Context, who loyalty.Who, now loyalty.Instant, profile bool) (loyalty.Found, error)
	// Entry is one line of a member's ledger.
	Entry(ctx context.Context, member, no int64) (loyalty.Entry, error)
	// Coupon is a coupon by its number with the member.
	Coupon(ctx context.Context, member, seq int64) (loyalty.HeldCoupon, error)
}

// Callbacks puts events into the frame that is posted to partners. Make one
// with its fields set; it is safe for concurrent use.
type Callbacks struct {
	Reader CallbackReader
	Access *access.Service
	Now    func() time.Time // the real clock
}

// callbackFrame is a request in the form of the examples of 1.4 and 1.5, where
// ver is a number.
type callbackFrame struct {
	Ver         int    `json:"ver"`
	PartnerID   string `json:"partnerId"`
	AppID       string `json:"appId"`
	RequestBody string `json:"requestBody"`
	Sign        string `json:"sign"`
}

// event is everything that a body is made of.
type event struct {
	loyalty.Callback
	member loyalty.Found
	reader CallbackReader
}

// body makes the requestBody of one kind of event.
type body func(context.Context, *event) (any, error)

// bodies is every kind of event.
var bodies = map[loyalty.EventKind]body{
	loyalty.EventRegistered:     registeredBody,    // 1.4
	loyalty.EventPointsChanged:  pointsBody,        // 1.5
	loyalty.EventLevelChanged:   levelBody,         // the others are our own
	loyalty.EventPointsExpiring: pointsEndBody,     //
	loyalty.EventPointsExpired:  pointsExpiredBody, //
	loyalty.EventCouponGiven:    couponBody,        //
	loyalty.EventCouponUsed:     couponBody,        //
	loyalty.EventCouponExpired:  couponBody,        //
}

// Render makes the request of an event: where it goes, and the frame, signed
// with the platform's key over its own fields as answers are, for an unsigned
// app too. url is "" while the app is off or takes no callbacks. A member whose
// data was erased is loyalty.MemberErased: nobody is told of it any more.
func (c *Callbacks) Render(ctx context.Context, of loyalty.Callback) (url string, frame []byte, err error) {
	app, err := c.Access.App(ctx, of.App)
	switch {
	case errors.Is(err, access.ErrAppGone), errors.Is(err, access.ErrNoApp), err == nil && app.CallbackURL == "":
		return "", nil, nil
	case err != nil:
		return "", nil, err
	}
	merchant, err := c.Access.Merchant(ctx, app.MerchantID)
	if err != nil {
		return "", nil, err
	}
	e := &event{Callback: of, reader: c.Reader}
	e.member, err = c.Reader.Member(ctx, loyalty.Who{Merchant: app.MerchantID, ID: of.Member}, loyalty.InstantOf(c.Now()), true)
	if err != nil {
		return "", nil, err
	}
	if e.member.Status == loyalty.Erased {
		return "", nil, loyalty.MemberErased
	}
	frame, err = e.frame(ctx, app, merchant)
	return app.CallbackURL, frame, err
}

func (e *event) frame(ctx context.Context, app *access.App, merchant *access.Merchant) ([]byte, error) {
	content := bodies[e.Kind]
	if content == nil {
		return nil, fmt.Errorf("callback: unknown kind %q", e.Kind)
	}
	told, err := content(ctx, e)
	if err != nil {
		return nil, fmt.Errorf("callback: %w", err)
	}
	f := callbackFrame{Ver: 1, PartnerID: merchant.ID, AppID: app.ID}
	if f.RequestBody, err = marshal(told); err != nil {
		return nil, fmt.Errorf("callback: %w", err)
	}
	f.Sign, err = sign.SignEnvelope(sign.EnvelopeBase([]sign.Field{
		{Name: "appId", Value: f.AppID}, {Name: "partnerId", Value: f.PartnerID},
		{Name: "requestBody", Value: f.RequestBody}, {Name: "ver", Value: strconv.Itoa(f.Ver)},
	}), merchant.PlatformKey)
	if err != nil {
		return nil, fmt.Errorf("callback: %w", err)
	}
	text, err := marshal(f)
	return []byte(text), err
}

// memberID is the member as partners know it.
func (e *event) memberID() string {
	return loyalty.ShownMemberID(e.member.Profile.ExternalID, e.Member)
}

// number is a JSON number, or a string where the merchant's partners read it so
// (E-085).
type number struct {
	value  int64
	asText bool
}

func (n number) MarshalJSON() ([]byte, error) {
	if n.asText {
		return json.Marshal(strconv.FormatInt(n.value, 10))
	}
	return strconv.AppendInt(nil, n.value, 10), nil
}

func (e *event) number(n int64) number {
	return number{n, e.member.Snapshot.Callbacks.NumbersAsText}
}

// registeredBody is 1.4, 推送会员信息回调接口: the member as 1.1 answers it, every
// field of the table, "" when unknown (E-081, E-082).
func registeredBody(_ context.Context, e *event) (any, error) { return newMemberAnswer(e.member), nil }

// pointsCallback is the requestBody of 1.5, its members in the order of the
// document's example.
type pointsCallback struct {
	ChangeScore   number `json:"changeScore"`  // positive (E-086)
	CurrentScore  number `json:"currentScore"` // after this change, whatever came later
	ChangeType    number `json:"changeType"`   // 1 more, 2 less
	OperationType number `json:"operationType"`
	MemberID      string `json:"memberId"`
	Mobile        string `json:"mobile"`  // "" for none (E-088)
	TransNo       string `json:"transNo"` // the ledger's number (E-089)
}

// pointsBody is 1.5, 推送会员积分变动信息接口.
func pointsBody(ctx context.Context, e *event) (any, error) {
	entry, err := e.reader.Entry(ctx, e.Member, e.Ref)
	if err != nil {
		return nil, err
	}
	change, direction := entry.Points, entry.Kind.Direction()
	switch {
	case change < 0:
		change, direction = -change, loyalty.Debit
	case change > 0:
		direction = loyalty.Credit
	}
	return pointsCallback{
		ChangeScore: e.number(change), CurrentScore: e.number(entry.Balance),
		ChangeType: e.number(int64(direction)), OperationType: e.number(int64(entry.Operation)),
		MemberID: e.memberID(), Mobile: e.member.Profile.Phone, TransNo: loyalty.StatementID(e.Member, entry.No),
	}, nil
}
