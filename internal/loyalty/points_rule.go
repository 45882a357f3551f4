package loyalty

import (
	"cmp"
	"math/big"
	"slices"
	"time"
)

// PointsRule is how money earns points and how long points live.
type PointsRule struct {
	// Rate is points per yuan; a numerator of 0 means that no rate is set.
	Rate Fraction `json:"rate"`
	// Rounding is how the one rounding of an order goes.
	Rounding Rounding `json:"rounding"`
	// Basis is the money that earns.
	Basis Basis `json:"basis"`
	// WaitingDays is how long granted points stay pending.
	WaitingDays int      `json:"waiting_days"`
	Validity    Validity `json:"validity"`
	// From and Until bound the time in which the rule is in force; 0 is open.
	From  Instant `json:"from,omitempty"`
	Until Instant `json:"until,omitempty"`
	// Multipliers raise or lower what a purchase earns; Combine says what
	// several of them come to.
	Multipliers []Multiplier `json:"multipliers,omitempty"`
	Combine     Combine      `json:"combine"`
	Caps        Caps         `json:"caps"`
}

// Rounding is how a fraction of a point becomes whole points.
type Rounding string

// The roundings.
const (
	RoundDown    Rounding = "down"
	RoundNearest Rounding = "nearest" // halves up
	RoundUp      Rounding = "up"
)

// Basis is which money earns points.
type Basis string

// The bases.
const (
	BasisAmount Basis = "amount" // the order's amount
	BasisGoods  Basis = "goods"  // the lines of material_info, at most the order's amount
)

// Combine says what several multipliers that hold come to.
type Combine string

// The ways of combining. Whatever comes out is at most maxFactor, and 0 where one
// of them is 0.
const (
	CombineBest     Combine = "best"     // the largest alone
	CombineMultiply Combine = "multiply" // their product, cut after four decimals
	CombineAdd      Combine = "add"      // what each adds to the whole: 2 and 1.5 are 2.5
)

// Factor is a multiplier in ten-thousandths: 15,000 is one and a half.
type Factor int64

// Whole is the factor of what earns neither more nor less.
const Whole Factor = 10_000

// maxFactor bounds what multipliers come to, together too.
const maxFactor = 100 * Whole

// Multiplier is a condition under which money earns more, or less, points.
type Multiplier struct {
	ID string `json:"id"` // in decision records, unique in the programme
	// Name and NameEn are what a cashier reads out.
	Name   string    `json:"name"`
	NameEn string    `json:"name_en,omitempty"`
	Factor Factor    `json:"factor"`
	When   Condition `json:"when"`
}

// Condition is what must hold for a multiplier; of each list one is enough, and
// what is not set always holds. Times and levels are those of the purchase.
type Condition struct {
	Levels   []int64  `json:"levels,omitempty"` // numbers
	Birthday Birthday `json:"birthday,omitempty"`
	From     Instant  `json:"from,omitempty"`
	Until    Instant  `json:"until,omitempty"`    // exclusive
	Weekdays []int    `json:"weekdays,omitempty"` // 1 Monday to 7 Sunday
	// FromMinute and UntilMinute bound the time of day in the merchant's zone,
	// in minutes; the end is exclusive, and both 0 are the whole day. An end
	// before the beginning goes over midnight.
	FromMinute  int      `json:"from_minute,omitempty"`
	UntilMinute int      `json:"until_minute,omitempty"`
	Stores      []string `json:"stores,omitempty"`
	Labels      []string `json:"labels,omitempty"` // that the member holds at booking
	// Categories and BarCodes restrict the multiplier to lines of
	// material_info.
	Categories []string `json:"categories,omitempty"`
	BarCodes   []string `json:"bar_codes,omitempty"`
}

// Birthday is a time around a member's birthday.
type Birthday string

// The times.
const (
	BirthdayDay   Birthday = "day"
	BirthdayMonth Birthday = "month"
)

// ofGoods tells whether the condition speaks of lines of an order.
func (c *Condition) ofGoods() bool { return len(c.Categories)+len(c.BarCodes) > 0 }

// Caps bound the points that the rule grants; 0 is no bound. What a caller
// names itself is not counted.
type Caps struct {
	PerOrder  int64 `json:"per_order,omitempty"`
	PerDay    int64 `json:"per_day,omitempty"`    // of a member, by the day of the purchase
	PerMember int64 `json:"per_member,omitempty"` // of a member, in all
}

// Bounds of a programme.
const (
	maxMultipliers = 100
	maxListed      = 10_000 // stores, labels, categories, bar codes of one condition
	maxLevels      = 100
	maxEvents      = 1_000
)

// uses are the facts that a rule's multipliers ask for.
type uses struct{ levels, birthday, labels, goods bool }

func (r *PointsRule) uses() (u uses) {
	for i := range r.Multipliers {
		c := &r.Multipliers[i].When
		u.levels = u.levels || len(c.Levels) > 0
		u.birthday = u.birthday || c.Birthday != ""
		u.labels = u.labels || len(c.Labels) > 0
		u.goods = u.goods || c.ofGoods()
	}
	u.goods = u.goods || r.Basis == BasisGoods
	return u
}

// facts are what the multipliers of a purchase are tested against.
type facts struct {
	at     Instant // of the purchase
	local  time.Time
	level  int64
	stores []string   // store and shop of the purchase
	month  time.Month // of birth, 0 unknown
	day    int
	labels []string
}

// Miss says why a multiplier did not hold.
type Miss string

// The reasons, in the order in which they are looked for.
const (
	MissEarly           Miss = "early"   // before From
	MissLate            Miss = "late"    // not before Until
	MissWeekday         Miss = "weekday" // another day of the week
	MissHour            Miss = "hour"    // another time of day
	MissStore           Miss = "store"   // another store, or none named
	MissLevel           Miss = "level"   // another level
	MissBirthdayUnknown Miss = "birthday_unknown"
	MissBirthday        Miss = "birthday" // another day or month
	MissLabel           Miss = "label"    // none of the labels
	MissGoods           Miss = "goods"    // no line of the order is of these goods
)

// tested is a multiplier with its lists made ready to look things up in: they can
// be long, and orders too.
type tested struct {
	*Multiplier
	stores, labels, categories, barCodes map[string]bool
}

func testsOf(list []Multiplier) []tested {
	tests := make([]tested, len(list))
	for i := range list {
		c := &list[i].When
		tests[i] = tested{&list[i], namesOf(c.Stores), namesOf(c.Labels), namesOf(c.Categories), namesOf(c.BarCodes)}
	}
	return tests
}

// namesOf is nil for an empty list.
func namesOf(list []string) map[string]bool {
	if len(list) == 0 {
		return nil
	}
	names := make(map[string]bool, len(list))
	for _, name := range list {
		names[name] = true
	}
	return names
}

func anyOf(wanted map[string]bool, have []string) bool {
	return slices.ContainsFunc(have, func(name string) bool { return wanted[name] })
}

// missPublic tells why the condition does not hold, "" if it does. What only the
// member's personal data tells is looked at by missPersonal, goods line by line.
func (m *tested) missPublic(f *facts) Miss {
	c := &m.When
	switch {
	case f.at < c.From:
		return MissEarly
	case c.Until != 0 && f.at >= c.Until:
		return MissLate
	case len(c.Weekdays) > 0 && !slices.Contains(c.Weekdays, isoWeekday(f.local)):
		return MissWeekday
	case !c.inHours(f.local):
		return MissHour
	case len(c.Stores) > 0 && !anyOf(m.stores, f.stores):
		return MissStore
	case len(c.Levels) > 0 && !slices.Contains(c.Levels, f.level):
		return MissLevel
	}
	return ""
}

func (m *tested) missPersonal(f *facts) Miss {
	c := &m.When
	switch {
	case c.Birthday != "" && f.month == 0:
		return MissBirthdayUnknown
	case c.Birthday != "" && !c.Birthday.holds(f):
		return MissBirthday
	case len(c.Labels) > 0 && !anyOf(m.labels, f.labels):
		return MissLabel
	}
	return ""
}

func isoWeekday(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }

func (c *Condition) inHours(t time.Time) bool {
	if c.FromMinute == 0 && c.UntilMinute == 0 {
		return true
	}
	now := t.Hour()*60 + t.Minute()
	if c.FromMinute < c.UntilMinute {
		return c.FromMinute <= now && now < c.UntilMinute
	}
	return now >= c.FromMinute || now < c.UntilMinute
}

// holds: who was born on 29 February has its day on the 28th of other years.
func (b Birthday) holds(f *facts) bool {
	day := f.day
	if f.month == time.February && day == 29 && addMonths(time.Date(f.local.Year(), 1, 31, 0, 0, 0, 0, time.UTC), 1).Day() == 28 {
		day = 28
	}
	return f.local.Month() == f.month && (b == BirthdayMonth || f.local.Day() == day)
}

// combine is what factors come to. A factor of 0 excludes: nothing else brings
// back what is to earn nothing.
func (r *PointsRule) combine(factors []Factor) Factor {
	if len(factors) == 0 {
		return Whole
	}
	if slices.Contains(factors, 0) {
		return 0
	}
	sum := Whole
	switch r.Combine {
	case CombineMultiply:
		return product(factors)
	case CombineAdd:
		for _, f := range factors {
			sum += f - Whole
		}
	default:
		sum = slices.Max(factors)
	}
	return min(max(sum, 0), maxFactor)
}

// product is cut once, so that it does not hang on the order of the factors.
func product(factors []Factor) Factor {
	all, whole := big.NewInt(int64(Whole)), big.NewInt(int64(Whole))
	unit := big.NewInt(1)
	for _, f := range factors {
		all.Mul(all, big.NewInt(int64(f)))
		unit.Mul(unit, whole)
	}
	if all.Quo(all, unit).Cmp(big.NewInt(int64(maxFactor))) > 0 {
		return maxFactor
	}
	return Factor(all.Int64())
}

// points is how many points a weight, in fen times ten-thousandths, earns at a
// rate per yuan.
func (r Rounding) points(weight int64, rate Fraction) int64 {
	if rate.Num == 0 || weight == 0 {
		return 0
	}
	unit := unitsPerYuan * rate.Den
	n, rest := mulDivRest(weight, rate.Num, unit)
	return r.round(n, rest > 0, rest >= unit-rest)
}

// unitsPerYuan is what a yuan weighs at a factor of one.
const unitsPerYuan = int64(Whole) * 100

// round brings a fraction to whole points: n and something over, which may be
// half a point or more.
func (r Rounding) round(n int64, over, half bool) int64 {
	if r == RoundUp && over || r == RoundNearest && half {
		n++
	}
	return n
}

func (r PointsRule) validate() error {
	if err := cmp.Or(oneOf("points.rounding", r.Rounding, RoundDown, RoundNearest, RoundUp),
		oneOf("points.basis", r.Basis, BasisAmount, BasisGoods),
		oneOf("points.combine", r.Combine, CombineBest, CombineMultiply, CombineAdd)); err != nil {
		return err
	}
	if r.Until != 0 && r.Until <= r.From {
		return wrong("points.until", "not after points.from")
	}
	for key, n := range map[string]int64{"per_order": r.Caps.PerOrder, "per_day": r.Caps.PerDay, "per_member": r.Caps.PerMember} {
		if n < 0 || n > maxCap {
			return wrong("points.caps."+key, "%d is not between 0 (no cap) and %d", n, int64(maxCap))
		}
	}
	if len(r.Multipliers) > maxMultipliers {
		return wrong("points.multipliers", "more than %d", maxMultipliers)
	}
	return nil
}

// validateMultipliers needs the levels as well.
func (s *Settings) validateMultipliers() error {
	seen := map[string]bool{}
	for i := range s.Points.Multipliers {
		m := &s.Points.Multipliers[i]
		key := keyOf("points.multipliers", i)
		switch {
		case m.ID == "" || len(m.ID) > MaxKey || seen[m.ID]:
			return wrong(key+".id", "%q: each needs one of its own, of at most %d characters", m.ID, MaxKey)
		case tooLong(m.Name, MaxName) || tooLong(m.NameEn, MaxName):
			return wrong(key+".name", "more than %d characters", MaxName)
		case m.Factor < 0 || m.Factor > maxFactor:
			return wrong(key+".factor", "not between 0 and %d", maxFactor/Whole)
		}
		seen[m.ID] = true
		if err := s.validateCondition(key+".when", &m.When); err != nil {
			return err
		}
	}
	return nil
}

func (s *Settings) validateCondition(key string, c *Condition) error {
	if c.empty() {
		return wrong(key, "empty: a condition that always holds belongs into points.rate")
	}
	for i, n := range c.Levels {
		if !slices.ContainsFunc(s.Levels, func(l Level) bool { return l.Number == n }) {
			return wrong(keyOf(key+".levels", i), "there is no level %d", n)
		}
	}
	if c.Birthday != "" {
		if err := oneOf(key+".birthday", c.Birthday, BirthdayDay, BirthdayMonth); err != nil {
			return err
		}
	}
	if c.Until != 0 && c.Until <= c.From {
		return wrong(key+".until", "not after from")
	}
	for i, d := range c.Weekdays {
		if d < 1 || d > 7 {
			return wrong(keyOf(key+".weekdays", i), "%d is not between 1 (Monday) and 7 (Sunday)", d)
		}
	}
	const day = 24 * 60
	if c.FromMinute < 0 || c.FromMinute >= day || c.UntilMinute < 0 || c.UntilMinute > day {
		return wrong(key+".from_minute", "a time of day is wanted")
	}
	if c.FromMinute == c.UntilMinute && c.FromMinute != 0 {
		return wrong(key+".until_minute", "the same as from_minute: a time without length; leave both out for the whole day")
	}
	for name, list := range map[string][]string{"stores": c.Stores, "labels": c.Labels, "categories": c.Categories, "bar_codes": c.BarCodes} {
		if len(list) > maxListed {
			return wrong(key+"."+name, "more than %d", maxListed)
		}
		for i, text := range list {
			if text == "" || tooLong(text, MaxKey) {
				return wrong(keyOf(key+"."+name, i), "empty, or more than %d characters", MaxKey)
			}
		}
	}
	return nil
}

func (c *Condition) empty() bool {
	return len(c.Levels)+len(c.Weekdays)+len(c.Stores)+len(c.Labels)+len(c.Categories)+len(c.BarCodes) == 0 &&
		c.Birthday == "" && c.From == 0 && c.Until == 0 && c.FromMinute == 0 && c.UntilMinute == 0
}
