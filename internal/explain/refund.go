package explain

import (
	"slices"

	"github.com/memberd/memberd/internal/loyalty"
)

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
		t.say("扣回多少由 %s 指定。", "How many were taken back was named by %s.", namer(r.App))
	case t.Parent != nil && t.Parent.Decision.EarnedBy != loyalty.ByRule:
		t.say("原订单的积分由 %s 指定，退货没有指定扣回多少，所以不扣。", "The order's points were named by %s and the refund named none, so none were taken back.", namer(t.Parent.App))
	case t.Parent != nil && t.Parent.Decision.Version > 0:
		t.say("扣回多少按订单当时的会员规则（第 %d 版）计算：剩余部分应得的积分留下，其余扣回。",
			"The programme of the order (version %d) decided: what the rest of the order earns stays, the other points were taken back.", t.Parent.Decision.Version)
		t.way(r)
	default:
		t.say("扣回多少按订单当时的会员规则计算：剩余部分应得的积分留下，其余扣回。",
			"The programme of the order decided: what the rest of the order earns stays, the other points were taken back.")
		t.way(r)
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

// way says by what points were taken back that no caller named.
func (t *teller) way(r *loyalty.OrderFound) {
	kept := t.Parent != nil && len(t.Parent.Decision.Lines) > 0 // else all of the order earned alike
	switch named := r.Decision.Lines; {
	case kept && slices.ContainsFunc(named, func(l loyalty.Line) bool { return has(t.Parent.Decision.Lines, l) }):
		t.say("按退货商品计算：退回的商品当时按几倍积分，就按几倍扣回。", "It went by the goods that came back: they take with them what they had earned.")
	case kept && len(named) > 0:
		t.say("退货的商品不在订单明细内，按退款金额比例计算。", "The goods that it names are not in the order, so it went in proportion to the money.")
	case kept:
		t.say("退货没有写明商品，按退款金额比例计算。", "It names no goods, so it went in proportion to the money.")
	default:
		t.say("按退款金额比例计算。", "It went in proportion to the money.")
	}
}

// has tells whether an order's lines have the goods of a refund's, as the domain
// finds them: by the bar code, or without one by the category.
func has(lines []loyalty.Line, back loyalty.Line) bool {
	return slices.ContainsFunc(lines, func(l loyalty.Line) bool {
		if back.BarCode != "" {
			return l.BarCode == back.BarCode
		}
		return back.Category != "" && l.Category == back.Category
	})
}

// rest says what an order still earns of which a part was refunded: why a refund
// took back less than one would think, or nothing at all.
func (t *teller) rest(o *loyalty.Order) {
	_, known := Recomputed(&o.Decision, o.Amount)
	if left := o.Amount - o.Refunded; known && o.Refunded > 0 && left > 0 && o.Points > 0 {
		t.say("剩余 %s 按订单当时的会员规则应得 %s。", "The %s that are left earn %s by the order's programme.", yuan(left), points(o.Decision.Kept(left, o.Amount, o.Points)))
	}
}
