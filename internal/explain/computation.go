package explain

import (
	"math/big"
	"strconv"

	"github.com/memberd/memberd/internal/loyalty"
)

func number(n int64) string { return strconv.FormatInt(n, 10) }

// computation goes through what the rule did, step by step.
func (t *teller) computation(d *loyalty.Decision, fen int64) {
	if d.Points.Num < 1 || d.Points.Den < 1 {
		return
	}
	t.basis(d, fen)
	t.lines(d, fen)
	if d.Level != 0 {
		t.say("消费时会员为 %s。", "The member then had %s.", t.level(d.Level))
	}
	held, excluded := 0, false
	for i := range d.Tests {
		test := &d.Tests[i]
		t.test(test, d.Level)
		switch {
		case test.Miss != "":
		case test.Factor != 0:
			held++
		case !t.forGoods(test):
			excluded = true
		}
	}
	if held > 1 && !excluded {
		t.combine()
	}
	t.shares(d, fen)
	t.rounding(d, fen)
	t.caps(d, fen)
}

// basis says which money counts.
func (t *teller) basis(d *loyalty.Decision, fen int64) {
	if t.rules == nil {
		return
	}
	if t.rules.Points.Basis != loyalty.BasisGoods || t.Order == nil { // an amount by itself has no lines
		t.say("按消费金额 %s 计算。", "The amount of %s counts.", yuan(fen))
		return
	}
	lines := fen
	if len(d.Shares) > 0 {
		lines = sum(d.Shares)
	}
	t.say("只按商品明细计算：明细金额 %s。", "Only the lines of goods count: %s.", yuan(lines))
}

// lines says what became of material_info where the rule has asked for it: what
// could not be read, and that lines which come to more than was paid were cut.
func (t *teller) lines(d *loyalty.Decision, fen int64) {
	if d.Unread > 0 {
		t.say("有 %s 无法识别，未按商品计算。", "%s could not be read and did not count as goods.", counted(d.Unread, "行商品", "line of goods", "lines of goods"))
	}
	if t.Order == nil || !t.asksForGoods() {
		return
	}
	var all int64
	goods, _ := loyalty.ParseGoods(t.Order.Info.Material)
	for _, g := range goods {
		all += g.Fen
	}
	if all > fen {
		t.say("明细合计 %s，实付 %s，按比例折算。", "The lines add up to %s, but %s were paid: each was cut in proportion.", yuan(all), yuan(fen))
	}
}

// asksForGoods tells whether the version looks at the lines of an order at all.
func (t *teller) asksForGoods() bool {
	if t.rules == nil {
		return false
	}
	goods := t.rules.Points.Basis == loyalty.BasisGoods
	for i := range t.rules.Points.Multipliers {
		when := &t.rules.Points.Multipliers[i].When
		goods = goods || len(when.Categories)+len(when.BarCodes) > 0
	}
	return goods
}

func sum(shares []loyalty.Share) (fen int64) {
	for _, s := range shares {
		fen += s.Fen
	}
	return fen
}

// combine says what several multipliers came to.
func (t *teller) combine() {
	if t.rules == nil {
		return
	}
	switch t.rules.Points.Combine {
	case loyalty.CombineMultiply:
		t.say("同时适用的倍数相乘。", "Multipliers that apply together are multiplied.")
	case loyalty.CombineAdd:
		t.say("同时适用的倍数，加成部分相加，例如 2 倍与 1.5 倍合为 2.5 倍。", "Of multipliers that apply together the extra parts add up: 2 and 1.5 make 2.5.")
	default:
		t.say("同时适用的倍数只取最高的一个。", "Of multipliers that apply together only the highest counts.")
	}
}

// shares says how much money earned at which factor.
func (t *teller) shares(d *loyalty.Decision, fen int64) {
	var parts []Sentence
	for _, s := range d.Shares {
		switch {
		case s.Fen == 0:
		case s.Factor == 0:
			parts = append(parts, both("%s 不积分", "%s for nothing", yuan(s.Fen)))
		case s.Factor == loyalty.Whole:
			parts = append(parts, both("%s 按 1 倍", "%s at the plain rate", yuan(s.Fen)))
		default:
			parts = append(parts, both("%s 按 %s 倍", "%s at %s times", yuan(s.Fen), factor(s.Factor)))
		}
	}
	if len(d.Shares) == 0 {
		return
	}
	if rest := fen - sum(d.Shares); rest > 0 {
		parts = append(parts, both("%s 不在明细内，不积分", "%s not among the lines, for nothing", yuan(rest)))
	}
	if len(parts) > 0 {
		t.say("金额计算：%s。", "How the money earned: %s.", join(parts, "；", "; "))
	}
}

// rounding says what came out exactly, and how it was rounded.
func (t *teller) rounding(d *loyalty.Decision, fen int64) {
	raw := Raw(d, fen)
	whole := d.Uncapped(fen)
	if raw.Sign() == 0 {
		t.say("算得 0 积分。", "That comes to 0 points.")
		return
	}
	if raw.IsInt() {
		t.say("算得 %s，是整数，不用取整。", "That comes to %s exactly.", points(whole))
		return
	}
	way := Sentence{"向下取整", "rounded down"}
	switch d.Rounding {
	case loyalty.RoundNearest:
		way = Sentence{"四舍五入", "rounded to the nearest"}
	case loyalty.RoundUp:
		way = Sentence{"向上取整", "rounded up"}
	}
	t.say("算得 %s 积分，%s 为 %s。", "That comes to %s points, %s to %s.", exact(raw), way, Sentence{number(whole) + " 积分", number(whole)})
}

// Raw is what a rule's record comes to for an amount in fen before rounding and
// caps.
func Raw(d *loyalty.Decision, fen int64) *big.Rat {
	raw := new(big.Rat).SetFrac64(d.Weight(fen), 100*int64(loyalty.Whole))
	return raw.Mul(raw, new(big.Rat).SetFrac64(d.Points.Num, d.Points.Den))
}

// caps says of every cap that cut the points by how much.
func (t *teller) caps(d *loyalty.Decision, fen int64) {
	left := d.Uncapped(fen)
	for _, c := range d.Caps {
		left = t.limit(c, left)
	}
}

// limit says what a cap made of want points and returns that.
func (t *teller) limit(c loyalty.Cap, want int64) (got int64) {
	room := max(c.Max-c.Before, 0)
	if want <= room {
		return want
	}
	got = room
	end := both("%d 减为 %d，少 %d", "%d cut to %d, by %d", want, got, want-got)
	name := t.capName(c)
	if c.Kind == loyalty.CapOrder {
		t.say("%s %s：%s。", "%s of %s: %s.", name, points(c.Max), end)
		return got
	}
	t.say("%s %s：此前已计 %d，还可计 %d，%s。", "%s of %s: %d counted before, room for %d, %s.", name, points(c.Max), c.Before, room, end)
	return got
}

func (t *teller) capName(c loyalty.Cap) Sentence {
	switch c.Kind {
	case loyalty.CapOrder:
		return Sentence{"单笔上限", "Cap per order"}
	case loyalty.CapDay:
		return both("会员每日上限（%s）", "Cap per member and day (%s)", t.day(c.Day))
	case loyalty.CapMember:
		return Sentence{"会员累计上限", "Cap per member"}
	case loyalty.CapEvent:
		name := ""
		if t.Entry != nil {
			name = t.Entry.Event
		}
		return both("事件 %s 每日上限（%s）", "Cap of the event %s per day (%s)", quoted(plain(name)[0]), t.day(c.Day))
	}
	return Sentence{"上限", "Cap"}
}

// nothing says why an order earned nothing.
func (t *teller) nothing(d *loyalty.Decision, fen int64) {
	if d.EarnedBy != loyalty.ByRule {
		t.namedNothing(d)
		return
	}
	if _, known := Recomputed(d, fen); !known {
		return
	}
	switch {
	case fen == 0:
		t.say("原因：消费金额为 0。", "Reason: the amount is 0.")
	case d.Weight(fen) == 0 && sum(d.Shares) == 0:
		t.say("原因：没有可以积分的商品明细。", "Reason: there is no line of goods that could earn.")
	case d.Weight(fen) == 0:
		t.say("原因：适用的倍数为 0。", "Reason: the multiplier that applied is 0.")
	case d.Uncapped(fen) == 0:
		t.say("原因：金额太小，不足 1 积分。", "Reason: the amount is too small for one point.")
	default:
		for _, c := range d.Caps {
			if c.Before >= c.Max {
				t.say("原因：%s 已用完。", "Reason: nothing was left of the %s.", lower(t.capName(c)))
				return
			}
		}
	}
}

// namedNothing: the caller named no points. Records from before that was kept do
// not tell whether it named 0, or none and the merchant's setting made that 0.
func (t *teller) namedNothing(d *loyalty.Decision) {
	switch {
	case t.app() == "":
		t.say("原因：运营人员补录本单时指定为 0 积分。", "Reason: an operator recorded the order with 0 points.")
	case d.Open:
		t.say("原因：业务系统没有指定积分，商户设置为此时不送积分。", "Reason: the calling system named no points, and the merchant's setting then grants none.")
	case t.rules != nil && t.rules.Orders.Score == loyalty.ScoreRule:
		t.say("原因：业务系统指定本单为 0 积分。", "Reason: the calling system named 0 points for this order.")
	default:
		t.say("原因：业务系统没有给积分（没有指定，或指定为 0）。", "Reason: the calling system granted none: it named no points, or 0.")
	}
}

// lower is a name within an English sentence.
func lower(s Sentence) Sentence {
	if s.En != "" {
		s.En = string(s.En[0]|0x20) + s.En[1:]
	}
	return s
}
