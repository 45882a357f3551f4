package explain

import "github.com/memberd/memberd/internal/loyalty"

// grant explains points that came without an order of the platform's.
func (t *teller) grant(e *loyalty.Entry) {
	if e.OrderNo != "" {
		t.say("%s 得 %s（%s，订单 %s）。", "%s: %s granted (%s, order %s).", t.moment(e.At), points(e.Amount), operation(e.Operation), e.OrderNo)
	} else {
		t.say("%s 得 %s（%s）。", "%s: %s granted (%s).", t.moment(e.At), points(e.Amount), operation(e.Operation))
	}
	if d := e.Decision; d == nil {
		t.say("入账时还没有保存计算记录，不知道适用哪一版会员规则。", "It was booked before records were kept; which version of the programme applied is not known.")
	} else {
		t.decider(d)
		t.version(d)
		t.granted(d)
	}
	t.life(e)
	t.reversed(e)
	t.balance(e)
	if d := e.Decision; d != nil && d.Fen > 0 {
		t.agreement(d, d.Fen, e.Amount)
	}
}

// granted is the computation of a grant. Where points were named there was
// none: one that is beyond a cap is refused as a whole.
func (t *teller) granted(d *loyalty.Decision) {
	if d.EarnedBy == loyalty.ByRule && d.Fen > 0 {
		t.computation(d, d.Fen)
	}
}

// life says from when to when granted points can be used.
func (t *teller) life(e *loyalty.Entry) {
	if e.Deficit < 0 {
		t.say("其中 %s 先抵扣欠分。", "Of these, %s went to the deficit first.", points(-e.Deficit))
	}
	if len(e.Parts) == 0 { // all of it filled the deficit
		return
	}
	lot := e.Parts[0] // a grant joins one
	if e.Pending > 0 {
		t.say("等待期内暂不可用，%s 起可用。", "They are in the waiting period and usable from %s.", t.day(lot.AvailableAt))
	}
	if lot.ExpiresAt == loyalty.Never {
		t.say("长期有效。", "They do not expire.")
	} else {
		t.say("有效期至 %s。", "They are valid to the end of %s.", t.day(lot.ExpiresAt-1))
	}
}

// reversed says what later entries reversed of a grant or a spend.
func (t *teller) reversed(e *loyalty.Entry) {
	switch {
	case e.Reversed == 0:
	case e.Kind == loyalty.Spend:
		t.say("这笔后来退回 %d，还有 %d 可退。", "Given back of it later: %d; still possible: %d.", e.Reversed, e.Left())
	default:
		t.say("这笔后来扣回 %d，还剩 %d。", "Taken back of it later: %d; left: %d.", e.Reversed, e.Left())
	}
}

func (t *teller) balance(e *loyalty.Entry) {
	t.say("入账后余额 %s。", "The balance after it was %s.", points(e.Balance))
}

// entry explains everything that is no grant.
func (t *teller) entry(e *loyalty.Entry) {
	at, amount := t.moment(e.At), points(e.Amount)
	switch e.Kind {
	case loyalty.Spend:
		t.spend(e)
	case loyalty.TakeBack:
		t.say("%s 扣回 %s（%s）。", "%s: %s taken back (%s).", at, amount, operation(e.Operation))
		t.takenBack(e)
	case loyalty.PutBack:
		t.say("%s 退回 %s（%s）。", "%s: %s given back (%s).", at, amount, operation(e.Operation))
		t.putBack(e)
	case loyalty.Release:
		t.say("%s 等待期结束，%s 可以使用了。", "%s: the waiting period of %s is over.", at, amount)
		if e.Deficit < 0 {
			t.say("其中 %s 先抵扣欠分。", "Of these, %s went to the deficit first.", points(-e.Deficit))
		}
	case loyalty.Expiry:
		t.say("%s 有 %s 到期清零。", "%s: %s expired.", at, amount)
		for _, part := range e.Parts {
			t.say("它们的有效期至 %s。", "They were valid to the end of %s.", t.day(part.ExpiresAt-1))
			break // all end at once
		}
	case loyalty.WriteOff:
		t.say("%s 核销 %s：扣回时余额不够，按商户设置不再追扣。", "%s: %s written off, because the balance did not cover what was taken back and the merchant forgives it.", at, amount)
		t.reverses(e, Sentence{"对应的扣回流水", "It belongs to the entry"})
	default:
		t.say("%s 变动 %s。", "%s: %s moved.", at, amount)
	}
	t.balance(e)
}

func (t *teller) spend(e *loyalty.Entry) {
	if e.OrderNo != "" {
		t.say("%s 使用 %s（%s，订单 %s）。", "%s: %s spent (%s, order %s).", t.moment(e.At), points(e.Amount), operation(e.Operation), e.OrderNo)
	} else {
		t.say("%s 使用 %s（%s）。", "%s: %s spent (%s).", t.moment(e.At), points(e.Amount), operation(e.Operation))
	}
	if d := e.Decision; d != nil {
		t.decider(d)
		t.version(d)
	}
	t.reversed(e)
}

// reverses names the entry that e reverses.
func (t *teller) reverses(e *loyalty.Entry, lead Sentence) {
	if e.Reverses == 0 {
		return
	}
	id := loyalty.StatementID(e.Member, e.Reverses)
	if o := t.Original; o != nil {
		t.say("%s %s（%s，%s，%s）。", "%s %s (%s, %s, %s).", lead, id, t.moment(o.At), operation(o.Operation), points(o.Amount))
		return
	}
	t.say("%s %s。", "%s %s.", lead, id)
}

// takenBack says what a take back reverses and where the points came from.
func (t *teller) takenBack(e *loyalty.Entry) {
	if e.Detail.Refund != "" && (t.Order == nil || t.Order.No != e.Detail.Refund) {
		t.say("原因是退货 %s（订单 %s）。", "The reason is refund %s of order %s.", e.Detail.Refund, e.OrderNo)
	}
	t.reverses(e, Sentence{"扣的是流水", "It reverses the entry"})
	if e.Lapsed > 0 {
		t.say("其中 %s 之前已过期，不影响余额。", "Of these, %s had expired before and cost nothing.", points(e.Lapsed))
	}
	if e.Pending < 0 {
		t.say("其中 %s 还在等待期，不影响余额。", "Of these, %s came from the waiting period and not from the balance.", points(-e.Pending))
	}
	if e.Deficit > 0 {
		t.say("余额不够，差 %s。", "The balance did not cover %s.", points(e.Deficit))
	}
}

// putBack says what a put back reverses and what became of the points.
func (t *teller) putBack(e *loyalty.Entry) {
	t.reverses(e, Sentence{"退的是流水", "It reverses the entry"})
	if e.Lapsed > 0 {
		t.say("其中 %s 已过期，不再退回。", "Of these, %s had expired and did not come back.", points(e.Lapsed))
	}
	if e.Deficit < 0 {
		t.say("其中 %s 先抵扣欠分。", "Of these, %s went to the deficit first.", points(-e.Deficit))
	}
}
