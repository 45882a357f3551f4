package envelope

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/memberd/memberd/internal/jsonx"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/sms"
	"github.com/memberd/memberd/internal/writer"
)

// channelCodes is the union of the document's lists, and saas of its example
// (E-042).
var channelCodes = []string{"wxgzpt", "xcx", "dcxcx", "ptxcx", "wcxcx", "dsf", "saas"}

// registered is the answer of 1.6.
type registered struct {
	MemberID string `json:"memberId"`
}

// registerMobile is 1.6, /member/register/mobile, 根据手机号注册会员.
//
// The endpoint stands in an HTML comment of the document, so a merchant's
// setting can switch it off; then it does not exist (E-090). "unionId、
// thirdPartyCode二选一必传"; "validCode: mobileValidateFlag为1，必传". One mobile is
// one member: a second call answers the same memberId, adds a channel that is
// not there yet and gives nothing again (E-099).
func (d *door) registerMobile(ctx context.Context, c *call) (any, error) {
	snap, err := d.Reader.Snapshot(ctx, c.app.MerchantID)
	if err != nil {
		return nil, err
	}
	if !snap.MobileRegistration {
		return nil, errNoEndpoint
	}
	profile, err := c.newProfile(snap)
	if err != nil {
		return nil, err
	}
	channel, err := c.newChannel(profile.Store)
	if err != nil {
		return nil, err
	}
	gift, err := c.registerGift()
	if err != nil {
		return nil, err
	}
	if err := d.checkSMSCode(ctx, c, profile.Phone); err != nil {
		return nil, err
	}
	done, err := writer.Submit(ctx, d.Writer, loyalty.RegisterMember{
		Merchant: c.app.MerchantID, Profile: profile, Channel: &channel, Gift: gift, App: c.app.ID,
	})
	if err != nil {
		return nil, err
	}
	return registered{loyalty.ShownMemberID(done.ExternalID, done.Member)}, nil
}

func (c *call) newProfile(snap *loyalty.Snapshot) (p loyalty.Profile, err error) {
	if p.Phone, err = c.body.phone("mobile"); err != nil {
		return p, err
	}
	if p.Phone == "" {
		return p, refuse("mobile", jsonx.Missing)
	}
	if p.Nickname, err = c.body.optional(maxName, "nickName"); err != nil {
		return p, err
	}
	if p.Photo, err = c.body.optional(maxURL, "photoUrl"); err != nil {
		return p, err
	}
	gender, err := c.body.number(0, 2, 0, "sexFlag")
	if err != nil {
		return p, err
	}
	p.Gender = int(gender)
	if p.Store, err = c.body.optional(maxID, "registerStoreCode"); err != nil {
		return p, err
	}
	if p.Store != "" && len(snap.Stores) > 0 && !slices.Contains(snap.Stores, p.Store) {
		return p, invalid("registerStoreCode 未登记")
	}
	return p, nil
}

func (c *call) newChannel(store string) (ch loyalty.Channel, err error) {
	ch.Store = store
	if ch.Code, err = c.body.required(maxID, "channelCode"); err != nil {
		return ch, err
	}
	if !slices.Contains(channelCodes, ch.Code) {
		return ch, refuse("channelCode", jsonx.Invalid)
	}
	registerType, err := c.body.needNumber(1, 6, "registerType")
	if err != nil {
		return ch, err
	}
	ch.RegisterType = strconv.FormatInt(registerType, 10)
	for _, t := range []struct {
		into *string
		name string
	}{
		{&ch.UnionID, "unionId"}, {&ch.ThirdPartyCode, "thirdPartyCode"},
		{&ch.CardCode, "cardCode"}, {&ch.CardID, "cardId"},
	} {
		if *t.into, err = c.body.optional(maxID, t.name); err != nil {
			return ch, err
		}
	}
	if ch.UnionID == "" && ch.ThirdPartyCode == "" {
		return ch, invalid("unionId、thirdPartyCode 二选一必传")
	}
	return ch, nil
}

// registerGift reads registerInitData, up to five of 1 (yes) and 2 (no) with #
// between: 0 points account, 1 balance, 2 register gift, 4 Wechat message. What
// is missing of the first three is yes. The gift needs the points account; the
// others have no effect (E-097).
func (c *call) registerGift() (bool, error) {
	text, err := c.body.optional(maxName, "registerInitData")
	if err != nil {
		return false, err
	}
	if text == "" {
		return true, nil
	}
	const positions, account, gift = 5, 0, 2
	wanted := strings.Split(text, "#")
	if len(wanted) > positions {
		return false, refuse("registerInitData", jsonx.Invalid)
	}
	for _, w := range wanted {
		if w != "1" && w != "2" {
			return false, refuse("registerInitData", jsonx.Invalid)
		}
	}
	return wanted[account] == "1" && (len(wanted) <= gift || wanted[gift] == "1"), nil
}

// checkSMSCode asks for the code of a text message where the caller wants the
// mobile proved: "1：需要校验，2：不需要校验(默认)". The codes are those of gateway
// 6.1 (E-096). It comes last, as a refusal before it leaves the code unused; one
// after it does not, so the same code is right for a repeat.
func (d *door) checkSMSCode(ctx context.Context, c *call, mobile string) error {
	flag, err := c.body.number(1, 2, 2, "mobileValidateFlag")
	if err != nil || flag == 2 {
		return err
	}
	code, err := c.body.required(maxID, "validCode")
	if err != nil {
		return err
	}
	right, err := d.SMS.Check(ctx, c.app.MerchantID, mobile, code, sms.Register)
	if err == nil && !right {
		err = errSMSCode
	}
	return err
}
