package explain

import (
	"strings"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// test says what became of one multiplier.
func (t *teller) test(test *loyalty.Test, level int64) {
	name, when := t.multiplier(test.ID)
	title := both("%s（%s 倍）", "%s (×%s)", quoted(name), factor(test.Factor))
	switch {
	case test.Miss == "" && test.Factor == 0 && test.Fen > 0:
		t.say("%s：适用于其中 %s 的商品，这部分商品不积分，其他倍数不适用。", "%s applied to goods of %s: they earn nothing, whatever else applies.", title, yuan(test.Fen))
	case test.Miss == "" && test.Factor == 0 && when != nil && !t.forGoods(test):
		t.say("%s：适用，本单不积分，其他倍数不适用。", "%s applied: nothing is earned, whatever else applies.", title)
	case test.Miss == "" && test.Fen > 0:
		t.say("%s：适用于其中 %s 的商品。", "%s applied to goods of %s.", title, yuan(test.Fen))
	case test.Miss == "" && t.forGoods(test):
		t.say("%s：适用，但这些商品金额为 0。", "%s applied, but its goods cost nothing.", title)
	case test.Miss == "":
		t.say("%s：适用。", "%s applied.", title)
	default:
		t.say("%s：不适用，%s。", "%s did not apply: %s.", title, t.miss(test.Miss, when, level))
	}
}

// forGoods tells whether a multiplier is for lines of an order, as far as is
// known: one that held for goods that cost nothing names no money.
func (t *teller) forGoods(test *loyalty.Test) bool {
	_, when := t.multiplier(test.ID)
	return test.Fen > 0 || when != nil && len(when.Categories)+len(when.BarCodes) > 0
}

// begins and ended are within a sentence. Where a time is midnight people speak
// of days: what ends with it has the day before as its last.
func (t *teller) begins(from loyalty.Instant) Sentence {
	if t.midnight(from) {
		return both("活动从 %s 开始", "begins on %s", t.day(from))
	}
	return both("活动从 %s 开始", "begins at %s", t.moment(from))
}

func (t *teller) ended(until loyalty.Instant) Sentence {
	if t.midnight(until) {
		return both("活动已于 %s 结束", "ended with %s", t.day(until-1))
	}
	return both("活动已于 %s 结束", "ended at %s", t.moment(until))
}

// multiplier is the name and the condition of a multiplier; nil where the
// version is not known.
func (t *teller) multiplier(id string) (Sentence, *loyalty.Condition) {
	name := Sentence{id, id}
	if t.rules == nil {
		return name, nil
	}
	for i := range t.rules.Points.Multipliers {
		m := &t.rules.Points.Multipliers[i]
		if m.ID != id {
			continue
		}
		if m.Name != "" {
			name = Sentence{m.Name, m.Name}
		}
		if m.NameEn != "" {
			name.En = m.NameEn
		}
		return name, &m.When
	}
	return name, nil
}

// miss is what was needed and what was there instead.
func (t *teller) miss(why loyalty.Miss, c *loyalty.Condition, level int64) Sentence {
	if c == nil {
		return bare(why)
	}
	at := t.purchasedAt()
	switch why {
	case loyalty.MissEarly:
		return both("%s，消费时间为 %s", "it %s, and the purchase was at %s", t.begins(c.From), t.moment(at))
	case loyalty.MissLate:
		return both("%s，消费时间为 %s", "it %s, and the purchase was at %s", t.ended(c.Until), t.moment(at))
	case loyalty.MissWeekday:
		var days []Sentence
		for _, d := range c.Weekdays {
			days = append(days, weekdays[min(max(d, 0), 7)])
		}
		only := Sentence{join(days, "、", "").Zh, anyOf(days).En}
		return both("仅限 %s，当日为 %s", "only on %s, and it was a %s", only, weekday(at.In(t.zone)))
	case loyalty.MissHour:
		return both("仅限 %s，消费时间为 %s", "only %s, and the purchase was at %s", hours(c), strings.TrimSuffix(at.In(t.zone).Format(time.TimeOnly), ":00"))
	case loyalty.MissStore:
		return both("仅限门店 %s，%s", "only in store %s, and %s", anyOf(plain(c.Stores...)), t.store())
	case loyalty.MissLevel:
		return both("需要等级 %s，当时 %s", "it needs level %s, and the member had %s", anyOf(numbers(c.Levels)), t.was(level))
	case loyalty.MissBirthdayUnknown:
		return both("需要在 %s 消费，会员未填生日", "it needs a purchase %s, and the member has given no birthday", birthday(c))
	case loyalty.MissBirthday:
		return both("需要在 %s 消费，当时不是", "it needs a purchase %s, which this was not", birthday(c))
	case loyalty.MissLabel:
		return both("需要会员标签 %s，当时没有", "it needs the label %s, and the member did not have it", anyOf(quotedAll(c.Labels)))
	case loyalty.MissGoods:
		return both("%s，本单没有", "%s, and there were none", goods(c))
	}
	return bare(why)
}

// was is the level within a sentence; members without a level are none's.
func (t *teller) was(level int64) Sentence {
	name := t.level(level)
	if level != 0 {
		name.Zh = "为 " + name.Zh
	}
	return name
}

// bare is a reason where what was needed is not known any more.
func bare(why loyalty.Miss) Sentence {
	if s, ok := bareReasons[why]; ok {
		return s
	}
	return Sentence{"原因 " + string(why), "reason " + string(why)}
}

var bareReasons = map[loyalty.Miss]Sentence{
	loyalty.MissEarly:           {"当时还没有开始", "it had not begun"},
	loyalty.MissLate:            {"当时已经结束", "it had ended"},
	loyalty.MissWeekday:         {"当日不在适用的星期", "another day of the week"},
	loyalty.MissHour:            {"不在适用的时段", "another time of day"},
	loyalty.MissStore:           {"门店不符", "another store"},
	loyalty.MissLevel:           {"会员等级不符", "another level"},
	loyalty.MissBirthdayUnknown: {"会员未填生日", "the member has given no birthday"},
	loyalty.MissBirthday:        {"不在生日期间", "not around the birthday"},
	loyalty.MissLabel:           {"会员没有所需标签", "the member did not have the label"},
	loyalty.MissGoods:           {"没有适用的商品", "no such goods"},
}

// purchasedAt is the time against which multipliers were tested.
func (t *teller) purchasedAt() loyalty.Instant {
	if t.Order != nil {
		return t.Order.ConsumedAt
	}
	return t.Entry.At
}

// store says where the purchase was, as far as its caller said.
func (t *teller) store() Sentence {
	var named []string
	if t.Order != nil {
		named = []string{t.Order.Info.Store, t.Order.Info.Shop}
	} else {
		named = []string{t.Entry.Detail.OrgCode}
	}
	where := strings.Join(notEmpty(named), "、")
	if where == "" {
		return Sentence{"本单没有门店信息", "the purchase names none"}
	}
	return Sentence{"本单门店 " + where, "the purchase was in " + strings.ReplaceAll(where, "、", ", ")}
}

func notEmpty(texts []string) (some []string) {
	for _, text := range texts {
		if text != "" && (len(some) == 0 || some[len(some)-1] != text) {
			some = append(some, text)
		}
	}
	return some
}

func hours(c *loyalty.Condition) Sentence {
	from, until := minute(c.FromMinute), minute(c.UntilMinute)
	if c.FromMinute < c.UntilMinute {
		return both("%s 至 %s", "from %s to %s", from, until)
	}
	return both("%s 至次日 %s", "from %s to %s of the next day", from, until)
}

func birthday(c *loyalty.Condition) Sentence {
	if c.Birthday == loyalty.BirthdayDay {
		return Sentence{"生日当天", "on the birthday"}
	}
	return Sentence{"生日当月", "in the month of the birthday"}
}

// goods names what lines a multiplier wants.
func goods(c *loyalty.Condition) Sentence {
	category := both("品类 %s", "category %s", anyOf(plain(c.Categories...)))
	code := both("条码 %s", "bar code %s", anyOf(plain(c.BarCodes...)))
	switch {
	case len(c.BarCodes) == 0:
		return both("仅限 %s 的商品", "only for goods of %s", category)
	case len(c.Categories) == 0:
		return both("仅限 %s 的商品", "only for goods with %s", code)
	}
	return both("仅限 %s 且 %s 的商品", "only for goods of %s with %s", category, code)
}
