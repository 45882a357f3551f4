package envelope

import (
	"context"
	"errors"
	"net/http"

	"github.com/memberd/memberd/internal/jsonx"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// failure is an answer that is not a success. The numbers are the gateway
// protocol's, since the envelope document names none (E-003, X-008).
type failure struct {
	number  int
	message string
	status  int // of HTTP
}

func (f failure) Error() string { return f.message }

func fail(number int, message string) failure {
	return failure{number: number, message: message, status: http.StatusOK}
}

const (
	numberBusy    = 500
	numberInvalid = 1001
	numberSign    = 1002
	numberUnknown = 1008
)

// The failures that no domain code names.
var (
	errNoEndpoint = fail(numberUnknown, "接口不存在")
	errNotPost    = invalid("仅支持 POST 请求")
	errTooLarge   = failure{numberInvalid, "请求体过大", http.StatusRequestEntityTooLarge}
	errGuesses    = failure{numberBusy, "无效动态码次数过多, 请稍后再试", http.StatusTooManyRequests}
	errTooMany    = failure{numberBusy, "请求过于频繁, 请稍后再试", http.StatusTooManyRequests}
	errDown       = failure{numberBusy, "系统繁忙, 请稍后再试", http.StatusServiceUnavailable}
	errBusy       = fail(numberBusy, "系统繁忙, 请稍后再试")
	errUnknown    = fail(numberBusy, "处理结果未知, 请用相同的业务ID重试或查询确认")
	errSign       = fail(numberSign, "签名缺失或不正确")
	errNoApp      = fail(110004, "未找到应用")
	errAppGone    = fail(110005, "应用已停用")
	errCodeGone   = fail(110006, "会员码已失效")
	errSMSCode    = fail(140005, "验证码验证不通过")
)

// refusals has the wire number and text of every domain code.
var refusals = map[loyalty.Code]failure{
	loyalty.PhoneMalformed:         fail(120001, "非法的电话"),
	loyalty.EventUnknown:           invalid("积分事件未登记"),
	loyalty.PointsMissing:          invalid("金额和积分数必填一项, 且不能低于 1"),
	loyalty.PointsNotPositive:      invalid("积分数不能低于 1"),
	loyalty.DirectionMismatch:      invalid("operationType 与加减方向不一致"),
	loyalty.NothingNamed:           invalid("未指明要回退的积分: orderId 与 idempotencyBussinessId 至少传一项"),
	loyalty.AmountNegative:         invalid("金额不能为负数"),
	loyalty.TimeAhead:              invalid("时间不能晚于当前时间"),
	loyalty.TemplateInvalid:        invalid("优惠券模板不合法"),
	loyalty.GiveCount:              invalid("单人发放数量与发放列表不一致"),
	loyalty.CouponRepeated:         invalid("发放列表中的券码重复"),
	loyalty.CouponStateUnknown:     invalid("优惠券状态不合法"),
	loyalty.MemberNotFound:         fail(110003, "会员未绑定/会员不存在"),
	loyalty.MembersDisagree:        invalid("所传会员标识不属于同一会员"),
	loyalty.StatementNotFound:      fail(150004, "查询不到对应的积分流水"),
	loyalty.StatementForeign:       fail(150005, "该积分流水属于其他会员"),
	loyalty.StatementNotReversible: fail(150005, "该积分流水不可回退"),
	loyalty.OrderNotFound:          fail(120002, "查询不到对应订单"),
	loyalty.TemplateNotFound:       fail(130002, "查不到对应的券模板"),
	loyalty.CouponNotFound:         fail(130002, "查不到对应的券"),
	loyalty.KeyReused:              fail(150002, "唯一标识已存在, 请更换"),
	loyalty.MemberDisabled:         invalid("会员已停用"),
	loyalty.MemberErased:           fail(110003, "会员未绑定/会员不存在"),
	loyalty.PhoneTaken:             invalid("手机号已属于其他会员"),
	loyalty.OuterIDTaken:           invalid("外部会员编号已属于其他会员"),
	loyalty.ChannelTaken:           invalid("unionId 或 thirdPartyCode 已绑定其他会员"),
	loyalty.AmountTooLarge:         invalid("amount 过大"),
	loyalty.CreditTooLarge:         invalid("单次新增积分超出上限"),
	loyalty.RollbackTooLarge:       invalid("回退积分超出可回退数量"),
	loyalty.NothingLeft:            fail(150006, "无可回退的积分"),
	loyalty.NoPointsRule:           fail(150001, "集团未配置积分规则或配置已过期, 请联系集团管理员"),
	loyalty.NothingToChange:        invalid("会员已处于该状态"),
	loyalty.TooManyMarks:           invalid("会员的标签或付费会员卡过多"),
	loyalty.RefundTooLarge:         invalid("退货金额或积分超出订单可退部分"),
	loyalty.DailyCapReached:        invalid("该积分事件当日积分已达上限"),
	loyalty.TemplateTaken:          fail(130001, "创建优惠券失败, 模板标识已存在"),
	loyalty.TemplateOver:           fail(130001, "创建优惠券失败, 模板已过期"),
	loyalty.CouponTaken:            fail(130001, "创建优惠券失败, 券码已存在"),
	loyalty.RestrictionUnmet:       fail(130001, "创建优惠券失败, 会员不符合领取条件"),
	loyalty.StockExhausted:         fail(130001, "创建优惠券失败, 库存不足"),
	loyalty.ClaimLimitReached:      fail(130001, "创建优惠券失败, 会员领取数量已达上限"),
	loyalty.CouponStateRefused:     fail(130003, "更新优惠券状态失败, 当前状态不允许"),
	loyalty.CouponNotUsable:        fail(130003, "更新优惠券状态失败, 优惠券不可用"),
	loyalty.PointsInsufficient:     fail(150003, "积分池扣减积分, 用户可用积分不足"),
}

// invalid is 1001 with what is wrong.
func invalid(message string) failure { return fail(numberInvalid, message) }

// refuse is 1001 for one field.
func refuse(name string, reason jsonx.Reason) error {
	return &jsonx.FieldError{Name: name, Reason: reason}
}

// badBody is 1001 for a requestBody that cannot be read.
func badBody(err error) error {
	var syntax *jsonx.SyntaxError
	if errors.As(err, &syntax) {
		return invalid("requestBody: " + syntax.Chinese())
	}
	return err
}

// failureOf gives the answer for an error. Whatever it does not know is the
// server's own failure, which is logged and answered as busy.
func (d *door) failureOf(ctx context.Context, err error) failure {
	if f, ok := known(err); ok {
		return f
	}
	if ctx.Err() == nil { // a caller that hung up during a read is no failure of ours
		d.Logger.ErrorContext(ctx, "envelope: call failed", "error", err)
	}
	if errors.Is(err, loyalty.ErrUnavailable) { // of a read; the writer has its own
		return errDown
	}
	return errBusy
}

func known(err error) (failure, bool) {
	var f failure
	if errors.As(err, &f) {
		return f, true
	}
	if code, ok := loyalty.CodeOf(err); ok {
		f, ok = refusals[code]
		return f, ok
	}
	var field *jsonx.FieldError
	if errors.As(err, &field) {
		return invalid(field.Chinese()), true
	}
	var syntax *jsonx.SyntaxError
	if errors.As(err, &syntax) {
		return invalid(syntax.Chinese()), true
	}
	switch {
	case errors.Is(err, loyalty.ErrUnavailable): // a read's time-out is one as well
		return failure{}, false
	case errors.Is(err, writer.ErrBusy), errors.Is(err, writer.ErrClosed), errors.Is(err, writer.ErrUnavailable):
		return errDown, true
	case errors.Is(err, writer.ErrUnknownOutcome), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		// A call that stopped waiting goes on in the writer.
		return errUnknown, true
	}
	return failure{}, false
}
