package gateway

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/jsonx"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/sign"
	"github.com/memberd/memberd/internal/sms"
	"github.com/memberd/memberd/internal/writer"
)

// The numbers that the door uses by itself. 1002 to 1008 are ours: the document
// has none for these failures (G-012).
const (
	codeSuccess       = 200
	codeBusy          = 500
	codeInvalid       = 1001
	codeSign          = 1002
	codeTimestamp     = 1003
	codeAccessToken   = 1004
	codeRefreshToken  = 1006
	codeDailyLimit    = 1007
	codeUnknownMethod = 1008

	codePhoneMissing  = 110001
	codeMemberMissing = 110002
	codeNotMember     = 110003
	codeAppUnknown    = 110004
	codeAppGone       = 110005
	codeCodeExpired   = 110006
	codePhoneWrong    = 120001
	codeOrderUnknown  = 120002

	codeCouponRefused  = 130001 // 创建优惠券失败, also giving (G-196, G-201)
	codeCouponUnknown  = 130002
	codeCouponUnusable = 130003

	codeSMSFailed     = 140001
	codeTargetWrong   = 140002
	codeTargetMissing = 140003
	codeSMSTooMany    = 140004
	codeSMSCode       = 140005
)

const messageBusy = "系统繁忙, 请稍后再试"

// refusal is a failure as the wire shows it.
type refusal struct {
	code    int
	message string
	data    any // null but for a strict repeat
	status  int // HTTP; 0 is 200
}

// Error is for Go; the message goes to the caller.
func (r *refusal) Error() string { return r.message }

// The refusals of the frame and of single methods.
var (
	errUnknownMethod = &refusal{code: codeUnknownMethod, message: "接口不存在或版本不支持"}
	errVerb          = &refusal{code: codeInvalid, message: "请求方式不支持, 请使用 POST"}
	errMethodDiffers = &refusal{code: codeInvalid, message: "参数 method 与请求地址不一致"}
	errTimestamp     = &refusal{code: codeTimestamp, message: "timestamp 不合法或已超出允许的时间范围"}
	errAppMissing    = &refusal{code: codeInvalid, message: "app_id 不能为空"}
	errAppDiffers    = &refusal{code: codeInvalid, message: "app_id 与访问凭据不一致"}
	errSign          = &refusal{code: codeSign, message: "签名错误"}
	errBodyTooLarge  = &refusal{code: codeInvalid, message: "请求体过大", status: http.StatusRequestEntityTooLarge}
	errBodyUnread    = &refusal{code: codeInvalid, message: "请求体读取失败"}
	errTooMany       = &refusal{code: codeBusy, message: "请求过于频繁, 请稍后再试", status: http.StatusTooManyRequests}
	errHungUp        = &refusal{code: codeBusy, message: messageBusy}

	errPhoneMissing  = &refusal{code: codePhoneMissing, message: "手机号不能为空"}
	errMemberMissing = &refusal{code: codeMemberMissing, message: "open_id 或 phone 不能为空"}
	errNotMember     = &refusal{code: codeNotMember, message: "会员未绑定"}
	errPhoneWrong    = &refusal{code: codePhoneWrong, message: "非法的电话"}
	errDisabled      = &refusal{code: codeInvalid, message: "会员已停用"}
	errCodeExpired   = &refusal{code: codeCodeExpired, message: "会员码已失效"}
	errCodeExpired37 = &refusal{code: codePhoneMissing, message: "会员条形码失效"} // 3.7's own table, G-037

	errOrderScore = invalid("order_score 超过单次发放上限")

	errTargetMissing = &refusal{code: codeTargetMissing, message: "短信发送目标不能为空"}
	errTargetWrong   = &refusal{code: codeTargetWrong, message: "非法的电话号码"}
	errSMSCode       = &refusal{code: codeSMSCode, message: "验证码验证不通过"}
)

// invalid is a 1001 that says what is wrong.
func invalid(message string) *refusal { return &refusal{code: codeInvalid, message: message} }

// ofCode is the door's table from the domain's codes to its own. Codes without
// a number of their own in the document are 1001 with a message that says more.
var ofCode = map[loyalty.Code]*refusal{
	loyalty.PhoneMalformed:         errPhoneWrong,
	loyalty.EventUnknown:           invalid("change_event 未注册"),
	loyalty.PointsMissing:          invalid("score 不能为空, 且必须大于 0"),
	loyalty.PointsNotPositive:      invalid("score 必须大于 0"),
	loyalty.DirectionMismatch:      invalid("积分变动类型与变动方向不一致"),
	loyalty.NothingNamed:           invalid("未指定要退回的订单、流水或积分"),
	loyalty.MemberNotFound:         errNotMember,
	loyalty.MembersDisagree:        invalid("open_id 与 phone 不是同一会员"),
	loyalty.StatementNotFound:      {code: 150004, message: "查询不到对应的积分流水, 未查询到该积分变更信息"},
	loyalty.StatementForeign:       {code: 150005, message: "无法根据流水号查询对应的积分明细"},
	loyalty.StatementNotReversible: {code: 150005, message: "无法根据流水号查询对应的积分明细"},
	loyalty.KeyReused:              {code: 150002, message: "唯一标识已存在, 请更换"},
	loyalty.MemberDisabled:         errDisabled,
	loyalty.MemberErased:           errNotMember,
	loyalty.PhoneTaken:             invalid("手机号已被其他会员使用"),
	loyalty.OuterIDTaken:           invalid("outer_user_id 已绑定其他会员"),
	loyalty.ChannelTaken:           invalid("渠道标识已绑定其他会员"),
	loyalty.AmountTooLarge:         invalid("金额过大"),
	loyalty.CreditTooLarge:         invalid("score 超过单次发放上限"),
	loyalty.RollbackTooLarge:       invalid("rollback_score 超过可回退的积分"),
	loyalty.NothingLeft:            {code: 150006, message: "无关联的积分池记录"},
	loyalty.NoPointsRule:           {code: 150001, message: "集团未配置积分规则或配置已过期, 请联系集团管理员"},
	loyalty.NothingToChange:        invalid("会员已处于该状态"),
	loyalty.DailyCapReached:        invalid("该积分事件当日积分已达上限"),
	loyalty.PointsInsufficient:     {code: 150003, message: "积分池扣减积分, 用户可用积分不足"},

	loyalty.AmountNegative: invalid("金额不能为负数"),
	loyalty.TimeAhead:      invalid("时间不能晚于当前时间 5 分钟以上"),
	loyalty.OrderNotFound:  {code: codeOrderUnknown, message: "查询不到对应订单"},
	loyalty.RefundTooLarge: invalid("退货金额或回退积分超过关联订单的可退余额"),

	loyalty.TemplateInvalid:    invalid("优惠券模板参数不合法"),
	loyalty.GiveCount:          invalid("发放列表须为 1 至 1000 条, 且每个会员的条数须等于 number"),
	loyalty.CouponRepeated:     invalid("coupon_number 在列表中重复"),
	loyalty.CouponStateUnknown: invalid("status 须为 0 至 4"),
	loyalty.TemplateTaken:      {code: codeCouponRefused, message: "third_coupon_id 已存在且内容不同, 请更换"},
	loyalty.TemplateOver:       {code: codeCouponRefused, message: "优惠券模板的有效期已结束"},
	loyalty.CouponTaken:        {code: codeCouponRefused, message: "coupon_number 已用于其他会员或模板, 请更换"},
	loyalty.RestrictionUnmet:   {code: codeCouponRefused, message: "会员不符合优惠券的领取条件"},
	loyalty.StockExhausted:     {code: codeCouponRefused, message: "优惠券库存不足"},
	loyalty.ClaimLimitReached:  {code: codeCouponRefused, message: "超过每人可领取次数"},
	loyalty.TemplateNotFound:   {code: codeCouponUnknown, message: "查不到对应的券模板, 请先新建 third_coupon_id"},
	loyalty.CouponNotFound:     {code: codeCouponUnknown, message: "查不到对应的券"},
	loyalty.CouponStateRefused: {code: codeCouponUnusable, message: "优惠券当前状态不允许此变更"},
	loyalty.CouponNotUsable:    {code: codeCouponUnusable, message: "优惠券不可用: 未开始、已过期、已使用、已删除或不适用于该门店"},
	loyalty.TooManyMarks:       invalid("会员标签或付费卡过多"),
}

// itemError is what is wrong with one item of a list.
type itemError struct {
	name string // of the list
	item int    // from 1; 0: the name says it all
	err  error
}

func (e *itemError) Error() string { return e.place() + ": " + e.err.Error() }

func (e *itemError) Unwrap() error { return e.err }

func (e *itemError) place() string {
	if e.item == 0 {
		return e.name
	}
	return e.name + " 第 " + strconv.Itoa(e.item) + " 条"
}

// placeOf is the field or the item that the domain names, "" for none.
func placeOf(err error) string {
	var place loyalty.Refusal
	switch errors.As(err, &place); {
	case place.Field != "":
		return place.Field
	case place.Item > 0:
		return "第 " + strconv.Itoa(place.Item) + " 条"
	}
	return ""
}

// at is the refusal with its place in what the caller sent.
func (r *refusal) at(place string) *refusal {
	if place == "" {
		return r
	}
	placed := *r
	placed.message = place + ": " + r.message
	return &placed
}

// ofError is the table of everything else that can come back by kind.
var ofError = []struct {
	err     error
	refusal *refusal
}{
	{access.ErrNoApp, &refusal{code: codeAppUnknown, message: "未找到应用"}},
	{access.ErrAppGone, &refusal{code: codeAppGone, message: "未找到应用"}},
	{access.ErrBadToken, &refusal{code: codeAccessToken, message: "access_token 无效或已过期"}},
	{access.ErrBadRefresh, &refusal{code: codeRefreshToken, message: "refresh_token 无效或已过期"}},
	{access.ErrDailyLimit, &refusal{code: codeDailyLimit, message: "超出每天最大调用次数"}},
	{writer.ErrBusy, &refusal{code: codeBusy, message: messageBusy, status: http.StatusServiceUnavailable}},
	{writer.ErrClosed, &refusal{code: codeBusy, message: messageBusy, status: http.StatusServiceUnavailable}},
	{writer.ErrUnavailable, &refusal{code: codeBusy, message: messageBusy, status: http.StatusServiceUnavailable}},
	{loyalty.ErrUnavailable, &refusal{code: codeBusy, message: messageBusy, status: http.StatusServiceUnavailable}},
	{writer.ErrUnknownOutcome, errUnknownOutcome},
	{ErrLiveMerchant, invalid("仅沙箱商户可以调整时钟")},
	// A change goes on when the one who asked for it stops waiting.
	{context.Canceled, errUnknownOutcome},
	{context.DeadlineExceeded, errUnknownOutcome},
	{sms.ErrTooMany, &refusal{code: codeSMSTooMany, message: "超出每天最大发送次数"}},
	{sms.ErrSend, &refusal{code: codeSMSFailed, message: "短信发送失败"}},
}

var errUnknownOutcome = &refusal{code: codeBusy, message: "处理结果未知, 请使用相同的唯一标识重试以确认结果"}

// refuse finds the wire form of an error. One that no table knows is a failure
// of the server: it is logged, and the caller learns nothing about it.
func (d *door) refuse(ctx context.Context, err error) *refusal {
	var item *itemError
	if errors.As(err, &item) {
		return d.refuse(ctx, item.err).at(item.place())
	}
	var known *refusal
	if errors.As(err, &known) {
		return known
	}
	if code, ok := loyalty.CodeOf(err); ok {
		if r := ofCode[code]; r != nil {
			return r.at(placeOf(err))
		}
	}
	var field *jsonx.FieldError
	var syntax *jsonx.SyntaxError
	var query *sign.QueryError
	switch {
	case errors.As(err, &field):
		return invalid(field.Chinese())
	case errors.As(err, &syntax):
		return invalid(syntax.Chinese())
	case errors.As(err, &query):
		return invalid(query.Chinese())
	}
	for _, row := range ofError {
		if errors.Is(err, row.err) {
			return row.refusal
		}
	}
	if !errors.Is(err, errPanic) && !errors.Is(err, writer.ErrInternal) { // both are logged where they happened
		d.Logger.ErrorContext(ctx, "call failed", "error", err)
	}
	return &refusal{code: codeBusy, message: messageBusy}
}
