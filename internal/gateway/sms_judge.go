package gateway

import "github.com/memberd/memberd/internal/sms"

// smsJudge is 6.2, wk.sms.verify.judge: 校验短信验证码. The document ends before
// its answer: data is true when the code is right (G-253). Wrong, expired, used
// and never sent are all 140005. verify_code is a text, as it may begin with
// zeros; a number has none of those, so it is right only at full length (G-256).
func smsJudge(c *call) (answer, error) {
	f := &c.fields
	phone := f.codePhone(errPhoneMissing)
	code := f.need(maxKey, "verify_code", "verifyCode")
	if err := f.check(); err != nil {
		return answer{}, err
	}
	right, err := c.SMS.Check(c.ctx, c.app.MerchantID, phone, code, sms.Judge)
	if err == nil && !right {
		err = errSMSCode
	}
	if err != nil {
		return answer{}, err
	}
	return answer{data: true}, nil
}
