package envelope

import (
	"context"
	"strconv"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// memberAnswer is the answer of 1.1, its members in the order of the document's
// example. Every field of the table is there, "" when unknown (E-035); balances
// and coupons only when they were asked for (E-033).
type memberAnswer struct {
	Birthday          string          `json:"birthday"`
	Email             string          `json:"email"`
	IDCard            string          `json:"idCard"`
	MemberChannels    []channelAnswer `json:"memberChannels"`
	MemberCoupons     []couponAnswer  `json:"memberCoupons,omitzero"`
	MemberID          string          `json:"memberId"`
	MemberName        string          `json:"memberName"`
	Mobile            string          `json:"mobile"`
	NickName          string          `json:"nickName"`
	PhotoURL          string          `json:"photoUrl"`
	RegisterStoreCode string          `json:"registerStoreCode"`
	RegisterTime      string          `json:"registerTime"`
	SexFlag           string          `json:"sexFlag"` // 0 unknown, 1 male, 2 female
	*totals
}

type channelAnswer struct {
	CardCode          string `json:"cardCode"`
	CardID            string `json:"cardId"`
	ChannelCode       string `json:"channelCode"`
	ChannelID         string `json:"channelId"`
	CreateTime        string `json:"createTime"`
	MemberID          string `json:"memberId"`
	PartnerID         string `json:"partnerId"`
	RegisterStoreCode string `json:"registerStoreCode"`
	RegisterType      string `json:"registerType"`
	ThirdPartyCode    string `json:"thirdPartyCode"`
	UnionID           string `json:"unionId"`
	UpdateTime        string `json:"updateTime"`
}

// memberInfo is 1.1, /member/getMemberInfoByIdOrMobile,
// 根据会员id或手机号查询会员信息接口.
//
// "memberId与mobile、dynamicCode必传一个": the first of them that is there counts,
// in this order, and the rest is ignored (E-031). "1：是；2：否 默认否" for both
// switches. A disabled member is shown: it is a query.
func (d *door) memberInfo(ctx context.Context, c *call) (any, error) {
	scores, err := c.body.number(1, 2, 2, "showScoreSwitch")
	if err != nil {
		return nil, err
	}
	coupons, err := c.body.number(1, 2, 2, "showCouponSwitch")
	if err != nil {
		return nil, err
	}
	m, err := d.findMember(ctx, c)
	if err != nil {
		return nil, err
	}
	a := newMemberAnswer(m)
	if scores == 1 {
		a.totals = &totals{CurrentScore: m.Balance, TotalScore: m.Earned, UsedScore: m.Used}
	}
	if coupons == 1 {
		a.MemberCoupons, err = d.memberCoupons(ctx, c, m)
	}
	return a, err
}

// findMember finds the member by the first reference that is there.
func (d *door) findMember(ctx context.Context, c *call) (loyalty.Found, error) {
	id, err := c.body.optional(maxID, "memberId")
	if err != nil {
		return loyalty.Found{}, err
	}
	if id != "" {
		return d.member(ctx, c, c.who(id), true)
	}
	// Malformed or not, a mobile that is there is the reference.
	mobile, err := c.body.phone("mobile")
	if err != nil {
		return loyalty.Found{}, err
	}
	if mobile != "" {
		return d.member(ctx, c, loyalty.Who{Merchant: c.app.MerchantID, Phone: mobile}, true)
	}
	code, err := c.body.optional(maxID, "dynamicCode")
	if err != nil {
		return loyalty.Found{}, err
	}
	if code == "" {
		return loyalty.Found{}, invalid("memberId、mobile、dynamicCode 必传一个")
	}
	return d.memberOfCode(ctx, c, code)
}

// memberOfCode finds the member who shows a code. Unknown, expired and another
// merchant's are one answer, so that codes cannot be probed (E-032).
func (d *door) memberOfCode(ctx context.Context, c *call, code string) (loyalty.Found, error) {
	if d.Guesses.Spent(c.app.ID, int64(c.now)) {
		return loyalty.Found{}, errGuesses
	}
	snap, err := d.Reader.Snapshot(ctx, c.app.MerchantID)
	if err != nil {
		return loyalty.Found{}, err
	}
	id, ok := d.Codes.Read(code, c.now, time.Duration(snap.MemberCodeSeconds)*time.Second)
	if !ok {
		d.Guesses.Wrong(c.app.ID, int64(c.now))
		return loyalty.Found{}, errCodeGone
	}
	m, err := d.member(ctx, c, loyalty.Who{Merchant: c.app.MerchantID, ID: id}, true)
	if refused, ok := loyalty.CodeOf(err); ok && (refused == loyalty.MemberNotFound || refused == loyalty.MemberErased) {
		d.Guesses.Wrong(c.app.ID, int64(c.now))
		return loyalty.Found{}, errCodeGone
	}
	if err == nil && m.Status == loyalty.Disabled {
		return loyalty.Found{}, loyalty.MemberDisabled
	}
	return m, err
}

func newMemberAnswer(m loyalty.Found) memberAnswer {
	loc := m.Snapshot.Location()
	p := &m.Profile
	a := memberAnswer{
		Birthday:          p.Birthday,
		Email:             p.Email,
		IDCard:            p.IDCard,
		MemberChannels:    make([]channelAnswer, 0, len(p.Channels)),
		MemberID:          loyalty.ShownMemberID(p.ExternalID, m.ID),
		MemberName:        p.RealName,
		Mobile:            p.Phone,
		NickName:          p.Nickname,
		PhotoURL:          p.Photo,
		RegisterStoreCode: p.Store,
		RegisterTime:      wallClock(m.RegisteredAt, loc),
		SexFlag:           strconv.Itoa(p.Gender),
	}
	if m.Snapshot.MaskIDCard {
		a.IDCard = loyalty.MaskNumber(p.IDCard)
	}
	for _, ch := range p.Channels {
		a.MemberChannels = append(a.MemberChannels, channelAnswer{
			CardCode:          ch.CardCode,
			CardID:            ch.CardID,
			ChannelCode:       ch.Code,
			ChannelID:         ch.ID,
			CreateTime:        wallClock(ch.CreatedAt, loc),
			MemberID:          a.MemberID,
			PartnerID:         m.Merchant,
			RegisterStoreCode: ch.Store,
			RegisterType:      ch.RegisterType,
			ThirdPartyCode:    ch.ThirdPartyCode,
			UnionID:           ch.UnionID,
			UpdateTime:        wallClock(ch.UpdatedAt, loc),
		})
	}
	return a
}
