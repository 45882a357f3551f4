package gateway

import "github.com/memberd/memberd/internal/access"

// method is one method of the document.
type method struct {
	name string
	get  bool // GET as well as POST, and parameters in the query (G-001, G-002)
	// token marks 2.1 and 2.2: a short window, and no body to read.
	token bool
	// app finds who calls; byAccessToken for all but 2.1 and 2.2.
	app  func(*call) (*access.App, error)
	form answerForm
	run  func(*call) (answer, error)
}

// methods is the door's table.
var methods = []method{
	{name: "dss.auth.token.query", get: true, token: true, app: byAppID, form: answerForm{}, run: tokenQuery},
	{name: "dss.auth.token.refresh", get: true, token: true, app: byRefreshToken, form: answerForm{}, run: tokenRefresh},
	{name: "wk.user.info.add", app: byAccessToken, form: answerForm{numbered: true}, run: infoAdd},
	{name: "wk.user.info.query", app: byAccessToken, form: answerForm{paging: true}, run: infoQuery},
	{name: "wk.user.event.score.change", app: byAccessToken, form: answerForm{numbered: true}, run: scoreChange},
	{name: "wk.user.event.score.rollback", app: byAccessToken, form: answerForm{numbered: true}, run: scoreRollback},
	{name: "wk.user.score.record", app: byAccessToken, form: answerForm{numbered: true, paging: true}, run: scoreRecord},
	{name: "wk.user.score.explain", get: true, app: byAccessToken, form: answerForm{numbered: true}, run: scoreExplain},
	{name: "wk.user.code.generate", app: byAccessToken, form: answerForm{}, run: codeGenerate},
	{name: "wk.user.code.parsing", app: byAccessToken, form: answerForm{paging: true}, run: codeParsing},
	{name: "wk.user.level.list", get: true, app: byAccessToken, form: answerForm{paging: true}, run: levelList},
	{name: "wk.user.consume.order", app: byAccessToken, form: answerForm{numbered: true}, run: consumeOrder},
	{name: "wk.user.refund.order", app: byAccessToken, form: answerForm{numbered: true}, run: refundOrder},
	{name: "wk.user.refund.preview", app: byAccessToken, form: answerForm{numbered: true}, run: refundPreview},
	{name: "wk.coupon.template.add", app: byAccessToken, form: answerForm{paging: true}, run: templateAdd},
	{name: "wk.coupon.give", app: byAccessToken, form: answerForm{paging: true}, run: couponGive},
	{name: "wk.coupon.sync.status", app: byAccessToken, form: answerForm{paging: true}, run: couponSync},
	{name: "wk.coupon.verification", get: true, app: byAccessToken, form: answerForm{}, run: couponVerification},
	{name: "wk.coupon.user.list", get: true, app: byAccessToken, form: answerForm{paging: true}, run: couponList},
	{name: "wk.sandbox.clock.advance", app: byAccessToken, form: answerForm{numbered: true}, run: clockAdvance},
	{name: "wk.sandbox.echo", app: byAccessToken, form: answerForm{numbered: true}, run: echo},
	{name: "wk.sms.verify.send", app: byAccessToken, form: answerForm{numbered: true}, run: smsSend},
	{name: "wk.sms.verify.judge", app: byAccessToken, form: answerForm{numbered: true}, run: smsJudge},
}
