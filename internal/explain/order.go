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
	t.beside()
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
		by := namer(t.app())
		switch {
		case t.app() != "":
			by.Zh += "直接指定"
		case t.Order != nil: // only reconciliation records orders without an app
			by.Zh += "补录"
		default:
			by.Zh += "指定"
		}
		t.say("积分数由 %s，没有按积分规则计算。", "The points were named by %s, not computed by the points rule.", by)
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

// app is the app that asked, "" for an operator.
func (t *teller) app() string {
	if t.Order != nil {
		return t.Order.App
	}
	return t.Entry.App
}

// namer is who named points through an app, or without one.
func namer(app string) Sentence {
	if app == "" {
		return Sentence{"运营人员", "an operator"}
	}
	return Sentence{"业务系统", "the calling system"}
}

// version says by which version of the programme it was decided.
func (t *teller) version(d *loyalty.Decision) {
	switch {
	case d.Version == 0:
		t.say("没有保存当时会员规则的版本。", "The version of the programme was not kept.")
	case t.rules == nil:
		t.say("适用会员规则第 %d 版，该版内容已查不到。", "Version %d of the programme applied; its settings are not known any more.", d.Version)
	case t.rules.AppliedAt != 0 && t.rules.AppliedAt <= t.bookedAt(): // else what was imported, or the history of a demo
		t.say("适用会员规则第 %d 版，%s 起生效。", "Version %d of the programme applied, in force since %s.", d.Version, t.moment(t.rules.AppliedAt))
	default:
		t.say("适用会员规则第 %d 版。", "Version %d of the programme applied.", d.Version)
	}
}

// bookedAt is when the ledger took it.
func (t *teller) bookedAt() loyalty.Instant {
	if t.Order != nil {
		return t.Order.BookedAt
	}
	return t.Entry.At
}

// maxBeside is how many grants beside an order's own are named one by one.
const maxBeside = 10

// beside lists what was granted under the order's number besides its own.
func (t *teller) beside() {
	for i, e := range t.Beside {
		if i == maxBeside {
			var rest int64
			for _, e := range t.Beside[i:] {
				rest += e.Amount
			}
			t.say("还有 %d 笔，共得 %s。", "%d more came to %s.", len(t.Beside)-i, points(rest))
			return
		}
		t.say("同一订单号另有一笔入账 %s（%s，%s）：得 %s。", "Another entry came under the order's number, %s (%s, %s): %s.",
			loyalty.StatementID(e.Member, e.No), t.moment(e.At), operation(e.Operation), points(e.Amount))
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
