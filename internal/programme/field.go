package programme

import (
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/memberd/memberd/internal/loyalty"
)

// fieldsOf is the whole of a programme file, in the order in which it is
// written. It is bound to f: reading fills f, writing says what f holds.
func fieldsOf(f *File, loc *time.Location) []field {
	s := &f.Settings
	return []field{
		must("merchant", name(&f.Merchant), "Whose programme this is 商户"),
		may("version", unlessZero(&f.Version, number(&f.Version)),
			"The settings version that was exported; apply refuses when it is not the current one any more 导出时的版本"),
		must("zone", text(&s.Zone), "Time zone of days, months and years 时区"),
		must("points", object(pointsFields(&s.Points, loc)), "How money earns points 消费积分规则"),
		must("events", list(&s.Events, eventForm, 0),
			"Change events: direction credit or debit; points 0 or none: the caller says; daily_cap: most per member and day; operation: operationType 1 to 17 积分变动事件"),
		must("growth", object(growthFields(&s.Growth)), "How money raises the growth value 成长值"),
		must("levels", list(&s.Levels, levelForm, 0), "Levels, ascending; threshold is the growth value that reaches one 会员等级"),
		must("level_change", text(&s.LevelChange), "Other levels: keep (nobody falls before the period ends) or fit (everybody gets what the growth value reaches at once) 等级调整方式"),
		must("register_gift", number(&s.RegisterGift), "Points for a registration, 0 for none 注册送积分"),
		must("clawback", text(&s.Clawback), "A grant is taken back that was spent: refuse, negative (a deficit) or floor (written off) 积分扣回方式"),
		must("own_lot_only", flag(&s.OwnLotOnly), "Take back only from the lot that the grant joined 仅从原批次扣回"),
		must("give_back", text(&s.GiveBack), "Spent points are given back that have expired: grace (usable for grace_days), void or original 过期积分退还方式"),
		must("grace_days", number(&s.GraceDays), "Life of points that are given back under grace, in days 宽限天数"),
		must("orders", object(orderFields(&s.Orders)), "Orders and refunds where the caller leaves it open 订单与退款"),
		must("max_credit", number(&s.MaxCredit), "The most points that one call may grant 单次发放上限"),
	}
}

func pointsFields(r *loyalty.PointsRule, loc *time.Location) []field {
	return []field{
		must("rate", rate(&r.Rate), "Points per yuan: 3/2, 2 or 1.5 每元积分"),
		must("rounding", text(&r.Rounding), "down, nearest (halves up) or up, once per order 取整"),
		must("basis", text(&r.Basis), "amount (the order's amount) or goods (the lines of material_info) 计算基数"),
		must("waiting_days", number(&r.WaitingDays), "Days until points can be spent 待生效天数"),
		must("validity", validityForm(&r.Validity), "Life of points: days, months, calendar_month, calendar_year (each with n) or never 有效期"),
		may("from", moment(&r.From, loc, false), "The rule earns from here on 规则开始"),
		may("until", moment(&r.Until, loc, true), "and up to here; a day without a time is included 规则结束 (含当日)"),
		may("multipliers", unlessNone(&r.Multipliers, list(&r.Multipliers, func(m *loyalty.Multiplier) form { return multiplierForm(m, loc) }, 0)),
			"Who earns more, when, where and for what; all of a when must hold, of each list in it one 积分倍率"),
		must("combine", text(&r.Combine), "Several multipliers: best (the largest alone), multiply or add 倍率叠加方式"),
		may("caps", object([]field{
			may("per_order", unlessZero(&r.Caps.PerOrder, number(&r.Caps.PerOrder)), ""),
			may("per_day", unlessZero(&r.Caps.PerDay, number(&r.Caps.PerDay)), ""),
			may("per_member", unlessZero(&r.Caps.PerMember, number(&r.Caps.PerMember)), ""),
		}), "The most points that the rule grants: per_order, per_day, per_member 积分上限"),
	}
}

// validityForm needs n unless points never expire.
func validityForm(v *loyalty.Validity) form {
	f := object([]field{
		must("kind", text(&v.Kind), ""),
		may("n", form{read: number(&v.N).read, node: func() *yaml.Node {
			if v.Kind == loyalty.Unlimited && v.N == 0 {
				return nil
			}
			return number(&v.N).node()
		}}, ""),
	})
	read := f.read
	f.read = func(r *reader, n *yaml.Node, key string) {
		if read(r, n, key); n.Kind == yaml.MappingNode && r.lines[key+".n"] == 0 && v.Kind != loyalty.Unlimited {
			r.missing(n, key, "n")
		}
	}
	return f
}

func multiplierForm(m *loyalty.Multiplier, loc *time.Location) form {
	return object([]field{
		must("id", name(&m.ID), ""),
		must("name", text(&m.Name), ""),
		may("name_en", unlessZero(&m.NameEn, text(&m.NameEn)), ""),
		must("factor", factor(&m.Factor), ""),
		must("when", whenForm(&m.When, loc), ""),
	})
}

// whenForm refuses times that end when they begin: of midnight the domain would
// take it that nobody has named any.
func whenForm(c *loyalty.Condition, loc *time.Location) form {
	f := object(conditionFields(c, loc))
	read := f.read
	f.read = func(r *reader, n *yaml.Node, key string) {
		read(r, n, key)
		from := valueOf(n, "from_time")
		if _, ok := parseHour(from); ok && from == valueOf(n, "until_time") {
			r.findings = append(r.findings, Finding{r.lines[key+".until_time"], key + ".until_time", noTime})
		}
	}
	return f
}

const noTime = "the same as from_time: a time without length; leave both out for the whole day"

func conditionFields(c *loyalty.Condition, loc *time.Location) []field {
	texts := func(p *[]string) form { return unlessNone(p, list(p, name[string], yaml.FlowStyle)) }
	return []field{
		may("levels", unlessNone(&c.Levels, list(&c.Levels, number[int64], yaml.FlowStyle)), ""),
		may("birthday", unlessZero(&c.Birthday, text(&c.Birthday)), ""),
		may("from", moment(&c.From, loc, false), ""),
		may("until", moment(&c.Until, loc, true), ""),
		may("weekdays", unlessNone(&c.Weekdays, list(&c.Weekdays, weekday, yaml.FlowStyle)), ""),
		may("from_time", unlessZero(&c.FromMinute, hour(&c.FromMinute)), ""),
		may("until_time", unlessZero(&c.UntilMinute, hour(&c.UntilMinute)), ""),
		may("stores", texts(&c.Stores), ""),
		may("labels", texts(&c.Labels), ""),
		may("categories", texts(&c.Categories), ""),
		may("bar_codes", texts(&c.BarCodes), ""),
	}
}

func eventForm(e *loyalty.Event) form {
	return object([]field{
		must("name", name(&e.Name), ""),
		must("direction", oneOf(&e.Direction, []string{"credit", "debit"}, []loyalty.Direction{loyalty.Credit, loyalty.Debit}), ""),
		may("points", unlessZero(&e.Points, number(&e.Points)), ""),
		may("daily_cap", unlessZero(&e.DailyCap, number(&e.DailyCap)), ""),
		must("operation", number(&e.Operation), ""),
	})
}

func growthFields(g *loyalty.GrowthRule) []field {
	return []field{
		must("rate", rate(&g.Rate), "Growth value per yuan, 0 for none 每元成长值"),
		must("period", periodForm(&g.Period), "How long it counts: life, calendar_year or months (with n, from the day of registration) 计算周期"),
		must("downgrade", text(&g.Downgrade), "At a period's end: none, to_fitting or one_step 降级方式"),
	}
}

// periodForm takes n only where months are counted.
func periodForm(p *loyalty.GrowthPeriod) form {
	f := object([]field{
		must("kind", text(&p.Kind), ""),
		may("n", unlessZero(&p.N, number(&p.N)), ""),
	})
	read := f.read
	f.read = func(r *reader, n *yaml.Node, key string) {
		read(r, n, key)
		if r.lines[key+".n"] > 0 && (p.Kind == loyalty.PeriodLife || p.Kind == loyalty.PeriodYear) && !r.lenient {
			r.findings = append(r.findings, Finding{r.lines[key+".n"], key + ".n", "is for months alone; leave it out with " + string(p.Kind)})
		}
	}
	return f
}

func levelForm(l *loyalty.Level) form {
	return object([]field{
		must("number", number(&l.Number), ""),
		must("id", number(&l.ID), ""),
		must("name", text(&l.Name), ""),
		must("threshold", number(&l.Threshold), ""),
		may("rights", unlessNone(&l.Rights, list(&l.Rights, rightForm, 0)), ""),
	})
}

func rightForm(r *loyalty.Right) form {
	return object([]field{
		must("id", number(&r.ID), ""),
		must("name", text(&r.Name), ""),
		may("imgUrl", unlessZero(&r.ImageURL, text(&r.ImageURL)), ""),
	})
}

func orderFields(o *loyalty.OrderRules) []field {
	return []field{
		must("score", text(&o.Score), "What an order without order_score earns: zero (no points) or rule (what points says) 未指定积分的订单"),
		must("early_refund", text(&o.EarlyRefund), "A refund before its order: refuse or park (kept until the order comes) 先到的退款"),
		must("park_days", number(&o.ParkDays), "How long a parked refund waits, in days 暂存天数"),
		must("return_coupons", flag(&o.ReturnCoupons), "Give coupons back with the refund that completes an order 退款退券"),
	}
}
