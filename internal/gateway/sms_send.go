package gateway

import (
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/sms"
)

// smsSend is 6.1, wk.sms.verify.send: 发送短信验证码, target 目标人电话. The
// document shows an empty object as the answer; the code is in no answer
// (G-250). Not idempotent: each send ends the older code.
func smsSend(c *call) (answer, error) {
	phone := c.fields.codePhone(errTargetMissing)
	if err := c.fields.check(); err != nil {
		return answer{}, err
	}
	return answer{}, c.SMS.Send(c.ctx, sms.Request{
		Merchant: c.app.MerchantID, App: c.app.ID, Source: c.source, Phone: phone,
	})
}

// codePhone is whom a code is for. The document calls it target in 6.1 and phone
// in 6.2, so both names hold in both (G-251). Only how an empty one is refused
// differs (G-255).
func (f *form) codePhone(missing *refusal) string {
	phone, _, err := f.fields.Text("target", "phone")
	switch {
	case err != nil:
		f.fail(err)
	case phone == "":
		f.fail(missing)
	case !loyalty.ValidPhone(phone):
		f.fail(errTargetWrong)
	}
	return phone
}
