package explain

import "github.com/memberd/memberd/internal/loyalty"

// order explains what a purchase earned.
func (t *teller) order(o *loyalty.OrderFound) {
	d := &o.Decision
	if o.Points == 0 {
		t.say("订单 %s 消费 %s，未得积分。", "Order %s of %s earned no points.", o.No, yuan(o.Amount))
		t.nothing(d, o.Amount)
	} else {
		t.say("订单 %s 消费 %s，得 %s。", "Order %s of %s earned %s.", o.No, yuan(o.Amount), points(o.Points))
	}
	t.decider(d)
	t.version(d)
	if d.EarnedBy == loyalty.ByRule {
		t.computation(d, o.Amount)
	}
	if t.Entry != nil {
		t.life(t.Entry)
	}
	t.growth(o)
	t.afterwards(o)
	if t.Entry != nil {
		t.reversed(t.Entry)
		t.balance(t.Entry)
	}
	t.agreement(d, o.Amount, o.Points)
}

// decider says who decided how many points there are.
func (t *teller) decider(d *loyalty.Decision) {
	switch d.EarnedBy {
	case loyalty.ByCaller:
		if t.Order != nil && t.Order.Points == 0 {
			return // said with the reason
		}
		t.say("积分数由业务系统直接指定，没有按积分规则计算。", "The points were named by the calling system, not computed by the rule.")
	case loyalty.ByRule:
		if d.Points.Num < 1 || d.Points.Den < 1 {
			t.say("积分按积分规则计算，当时没有保存比例。", "The points rule decided; its rate was not kept.")
			return
		}
		t.say("积分按积分规则计算：每消费 %s 元得 %s。", "The points rule decided: %[2]s for every %[1]s yuan.", number(d.Points.Den), points(d.Points.Num))
	case loyalty.ByEvent:
		t.say("这是变动事件 %s 的固定积分：每次 %s。", "The change event %s has a fixed value: %s.", quoted(plain(t.Entry.Event)[0]), points(t.Entry.Amount))
	case loyalty.ByGift:
		t.say("这是新会员的注册礼：%s。", "This is the registration gift for new members: %s.", points(t.Entry.Amount))
	default:
		t.say("没有保存积分由谁决定。", "It was not kept who decided the points.")
	}
}

// version says by which version of the programme it was decided.
func (t *teller) version(d *loyalty.Decision) {
	switch {
	case d.Version == 0:
		t.say("没有保存当时会员规则的版本。", "The version of the programme was not kept.")
	case t.rules == nil:
		t.say("适用会员规则第 %d 版，该版内容已查不到。", "Version %d of the programme applied; its settings are not known any more.", d.Version)
	case t.rules.AppliedAt != 0:
		t.say("适用会员规则第 %d 版，%s 起生效。", "Version %d of the programme applied, in force since %s.", d.Version, t.moment(t.rules.AppliedAt))
	default:
		t.say("适用会员规则第 %d 版。", "Version %d of the programme applied.", d.Version)
	}
}

// growth says what the order did to the growth value.
func (t *teller) growth(o *loyalty.OrderFound) {
	r := o.Decision.Growth
	if r.Num < 1 || r.Den < 1 {
		if o.Growth > 0 {
			t.say("成长值增加 %d。", "The growth value rose by %d.", o.Growth)
		}
		return
	}
	if o.Growth == 0 {
		t.say("成长值没有增加：每消费 %s 元 %d 点，向下取整。", "The growth value did not rise: %[2]d for every %[1]s yuan, rounded down.", number(r.Den), r.Num)
		return
	}
	t.say("成长值增加 %d：每消费 %s 元 %d 点，向下取整。", "The growth value rose by %d: %[3]d for every %[2]s yuan, rounded down.", o.Growth, number(r.Den), r.Num)
}

// afterwards says what refunds took back and what is left.
func (t *teller) afterwards(o *loyalty.OrderFound) {
	booked := 0
	for i := range t.Refunds {
		r := &t.Refunds[i]
		switch r.State {
		case loyalty.Booked:
			booked++
			t.say("之后退货 %s：退款 %s，扣回 %s。", "Refund %s came later: %s, %s taken back.", r.No, yuan(r.Amount), points(r.Points))
		case loyalty.Declined:
			t.say("退货 %s 未处理：与订单不符或等待超时。", "Refund %s was dropped: it did not fit the order, or had waited too long.", r.No)
		}
	}
	if booked == 0 && o.Refunded == 0 && o.TakenBack == 0 {
		return
	}
	t.say("合计退款 %s、扣回 %s、成长值 %d；订单还剩 %s。", "In all %s were refunded, %s and %d growth value taken back; %s are left of the order.",
		yuan(o.Refunded), points(o.TakenBack), o.GrowthBack, yuan(o.Amount-o.Refunded))
	t.rest(&o.Order)
}

// agreement computes a record again and says whether it agrees with what was
// booked.
func (t *teller) agreement(d *loyalty.Decision, fen, booked int64) {
	again, known := Recomputed(d, fen)
	switch {
	case !known:
	case again == booked:
		t.say("按记录重新计算，得 %s，与入账一致。", "Computed again from the record: %s, as booked.", points(again))
	default:
		t.say("按记录重新计算，得 %s，与入账的 %s 不一致，请联系管理员。", "Computed again from the record: %s, but %s were booked. Please tell the operator.", points(again), points(booked))
	}
}

// refund explains a refund.
func (t *teller) refund(r *loyalty.OrderFound) {
	d := &r.Decision
	switch r.State {
	case loyalty.Parked:
		t.say("退货 %s 退款 %s，正在等待订单 %s。", "Refund %s of %s waits for its order %s.", r.No, yuan(r.Amount), r.Parent)
		t.say("订单到达后再扣回积分，现在没有变动。", "Points are taken back when the order comes; nothing has moved yet.")
		return
	case loyalty.Declined:
		t.say("退货 %s 退款 %s 未处理，积分没有变动。", "Refund %s of %s was dropped; no points moved.", r.No, yuan(r.Amount))
		t.say("原因：与订单 %s 不符，或等待订单超时。", "It did not fit order %s, or had waited too long for it.", r.Parent)
		return
	}
	if r.Points == 0 {
		t.say("退货 %s（订单 %s）退款 %s，没有扣回积分。", "Refund %s of order %s, %s, took no points back.", r.No, r.Parent, yuan(r.Amount))
	} else {
		t.say("退货 %s（订单 %s）退款 %s，扣回 %s。", "Refund %s of order %s, %s, took back %s.", r.No, r.Parent, yuan(r.Amount), points(r.Points))
	}
	switch {
	case d.EarnedBy == loyalty.ByCaller:
		t.say("扣回多少由业务系统指定。", "How many were taken back was named by the calling system.")
	case t.Parent != nil && t.Parent.Decision.EarnedBy != loyalty.ByRule:
		t.say("原订单的积分由业务系统指定，退货没有指定扣回多少，所以不扣。", "The order's points were named by the calling system and the refund named none, so none were taken back.")
	case t.Parent != nil && t.Parent.Decision.Version > 0:
		t.say("扣回多少按订单当时的会员规则（第 %d 版）计算：剩余金额应得的积分留下，其余扣回。",
			"The programme of the order (version %d) decided: what the money that is left earns stays, the rest was taken back.", t.Parent.Decision.Version)
	default:
		t.say("扣回多少按订单当时的会员规则计算：剩余金额应得的积分留下，其余扣回。",
			"The programme of the order decided: what the money that is left earns stays, the rest was taken back.")
	}
	if r.Growth > 0 {
		t.say("成长值减少 %d。", "The growth value fell by %d.", r.Growth)
	}
	if p := t.Parent; p != nil {
		t.say("原订单消费 %s、得 %s；至今退款 %s、扣回 %s，还剩 %s。", "The order of %s had earned %s; so far %s were refunded and %s taken back, %s are left.",
			yuan(p.Amount), points(p.Points), yuan(p.Refunded), points(p.TakenBack), yuan(p.Amount-p.Refunded))
		t.rest(&p.Order)
	}
	if e := t.Entry; e != nil {
		t.takenBack(e)
		if e.Amount == r.Points {
			t.balance(e)
		} else {
			t.say("另外 %s 从这个订单的其他流水扣回。", "Another %s came off other entries of the order.", points(r.Points-e.Amount))
		}
	}
}
