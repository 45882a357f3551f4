package loyalty

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
)

// EarnedBy says who decided how many points were earned.
type EarnedBy string

// Who decides.
const (
	ByCaller EarnedBy = "caller" // the caller named them
	ByRule   EarnedBy = "rule"   // the points rule, for an amount of money
	ByEvent  EarnedBy = "event"  // the fixed value of a change event
	ByGift   EarnedBy = "gift"   // the registration gift
)

// Decision is the record of why something earned what it earned, kept with it:
// which version of the programme decided, which multipliers held and why the
// others did not, how it was rounded and capped. It holds ids and numbers only,
// and the points can be computed from it again without the programme. An order
// keeps the whole of it, because refunds take back by it whatever the programme
// has become; the entry of an order keeps what reversals need.
type Decision struct {
	EarnedBy EarnedBy `json:"earned_by"`
	Version  int64    `json:"version"` // of the settings
	// Points and Growth are the rates per yuan. Growth value is rounded down
	// and knows no multipliers.
	Points   Fraction `json:"points,omitzero"`
	Rounding Rounding `json:"rounding,omitempty"` // "" is down
	Growth   Fraction `json:"growth,omitzero"`
	Fen      int64    `json:"fen,omitempty"` // the amount, where the rule decided
	// At is when it was decided, where an order is booked later than that. Place is
	// the number of the entry before which an order without one was decided.
	At    Instant `json:"at,omitempty"`
	Place int64   `json:"place,omitempty"`
	// Open says that the caller of an order named no points; Asked is what the
	// caller of a refund named.
	Open  bool  `json:"open,omitempty"`
	Asked int64 `json:"asked,omitempty"`
	// Shares is the money by the factor at which it earned; none is the whole
	// amount at one. What it does not hold earned nothing.
	Shares []Share `json:"shares,omitempty"`
	Level  int64   `json:"level,omitempty"` // at the time of the purchase, where a multiplier asked
	Tests  []Test  `json:"tests,omitempty"` // every multiplier of the programme, in its order
	Caps   []Cap   `json:"caps,omitempty"`  // every cap that there was
	// Lines are the goods of an order of which some earn otherwise than others,
	// so that a refund that names goods takes back what those have earned; of a
	// refund the goods that came back. None where there are too many.
	Lines  []Line `json:"lines,omitempty"`
	Unread int64  `json:"unread,omitempty"` // lines of material_info that could not be read
	// Back is what refunds that named goods have brought back.
	Back Returned `json:"back,omitzero"`
}

// Line is goods of one kind in an order, in fen.
type Line struct {
	Category string `json:"category,omitempty"`
	BarCode  string `json:"bar_code,omitempty"`
	Price    int64  `json:"price"`            // as the order's lines say
	Fen      int64  `json:"fen,omitempty"`    // what was paid of it
	Factor   Factor `json:"factor,omitempty"` // at which it earned
	Back     int64  `json:"back,omitempty"`   // of Price that has come back
}

// Returned is money with what it weighs.
type Returned struct {
	Fen    int64 `json:"fen"`
	Weight int64 `json:"weight"`
}

// Share is money that earned at a factor.
type Share struct {
	Fen    int64  `json:"fen"`
	Factor Factor `json:"factor"`
}

// Test is what became of a multiplier.
type Test struct {
	ID     string `json:"id"`
	Factor Factor `json:"factor"`
	Miss   Miss   `json:"miss,omitempty"` // "" if it held
	Fen    int64  `json:"fen,omitempty"`  // of one for goods: money of the lines for which it held
}

// CapKind says what a cap bounds.
type CapKind string

// The kinds of caps.
const (
	CapOrder  CapKind = "order"  // one order
	CapDay    CapKind = "day"    // a member's day
	CapMember CapKind = "member" // a member for ever
	CapEvent  CapKind = "event"  // a member's day of one change event
)

// Cap is a bound and how much of it was used before.
type Cap struct {
	Kind   CapKind `json:"kind"`
	Max    int64   `json:"max"`
	Before int64   `json:"before,omitempty"`
	Day    Instant `json:"day,omitempty"` // when the counted day begins
}

// room is what the cap still lets through.
func (c Cap) room() int64 { return max(c.Max-c.Before, 0) }

// Weight is what an amount in fen weighs with its multipliers, in fen times
// ten-thousandths.
func (d *Decision) Weight(fen int64) int64 {
	if len(d.Shares) == 0 {
		return fen * int64(Whole)
	}
	var sum int64
	for _, s := range d.Shares {
		sum += s.Fen * int64(s.Factor)
	}
	return sum
}

// Uncapped is what the rule gives for an amount in fen before caps.
func (d *Decision) Uncapped(fen int64) int64 { return d.Rounding.points(d.Weight(fen), d.Points) }

// Granted computes the points of a rule's decision again: what the rule gives
// for the amount in fen, within all caps.
func (d *Decision) Granted(fen int64) int64 {
	points := d.Uncapped(fen)
	for _, c := range d.Caps {
		points = min(points, c.room())
	}
	return points
}

// Kept is what of an order's points stays when left of its amount is: rounded
// once for the whole order. Goods that came back by name take what they have
// earned with them; else multipliers count for what is left as they did for the
// whole.
func (d *Decision) Kept(left, amount, granted int64) int64 {
	rest := amount - d.Back.Fen
	if left == 0 || rest == 0 {
		return 0
	}
	weight, num, den := big.NewInt(d.Weight(amount)-d.Back.Weight), big.NewInt(min(left, rest)), big.NewInt(rest)
	num.Mul(num.Mul(num, weight), big.NewInt(d.Points.Num))
	den.Mul(den, big.NewInt(unitsPerYuan*d.Points.Den))
	points, over := num.QuoRem(num, den, new(big.Int))
	return min(d.Rounding.round(points.Int64(), over.Sign() > 0, over.Lsh(over, 1).Cmp(den) >= 0), granted)
}

// ofEntry is the part that the entry of an order keeps.
func (d *Decision) ofEntry() *Decision {
	return &Decision{EarnedBy: d.EarnedBy, Version: d.Version, Caps: d.Caps}
}

// purchase is money that the points rule looks at.
type purchase struct {
	at       Instant
	fen      int64
	stores   []string // store and shop
	material string   // material_info
	order    bool     // else an amount by itself, which has no lines to go by
}

// earn decides what a purchase earns, within the caps.
func (a *account) earn(p purchase) (d Decision, points int64) {
	r := &a.snap.Points
	d = Decision{EarnedBy: ByRule, Version: a.snap.Version, Points: r.Rate, Rounding: r.Rounding, Fen: p.fen}
	if len(r.Multipliers) > 0 || r.Basis == BasisGoods {
		a.multiply(p, &d)
	}
	d.Caps = a.capsOf(p.at)
	return d, d.Granted(p.fen)
}

// multiply tests the multipliers and divides the money by what they come to.
func (a *account) multiply(p purchase, d *Decision) {
	r := &a.snap.Points
	f := a.factsOf(p)
	d.Level = f.level
	var whole []Factor // of multipliers for the order as a whole
	var forGoods []int // places of multipliers for goods whose other conditions hold
	for i := range a.snap.tests {
		m := &a.snap.tests[i]
		t := Test{ID: m.ID, Factor: m.Factor, Miss: m.missPublic(f)}
		if t.Miss == "" {
			t.Miss = a.view.personalMiss(m, f)
		}
		if t.Miss == "" && m.When.ofGoods() {
			t.Miss = MissGoods // until a line is found
			forGoods = append(forGoods, i)
		} else if t.Miss == "" {
			whole = append(whole, m.Factor)
		}
		d.Tests = append(d.Tests, t)
	}
	shares := map[Factor]int64{}
	rest := p.fen
	for _, line := range a.goodsOf(p, d) {
		factors := slices.Clone(whole)
		for _, i := range forGoods {
			if m := &a.snap.tests[i]; m.has(line) {
				factors = append(factors, m.Factor)
				d.Tests[i].Miss = ""
				d.Tests[i].Fen += line.Fen
			}
		}
		line.Factor = r.combine(factors)
		shares[line.Factor] += line.Fen
		rest -= line.Fen
		d.addLine(line)
	}
	if rest > 0 && (r.Basis != BasisGoods || !p.order) {
		shares[r.combine(whole)] += rest
		rest = 0
	}
	alike := len(shares) == 1 && rest == 0
	if alike || len(d.Lines) > maxLines {
		d.Lines = nil
	}
	if p.fen == 0 || alike && shares[Whole] == p.fen {
		return
	}
	for _, factor := range ascending(shares) {
		d.Shares = append(d.Shares, Share{shares[factor], factor})
	}
	if len(d.Shares) == 0 {
		d.Shares = []Share{{0, Whole}}
	}
}

func (a *account) factsOf(p purchase) *facts {
	f := &facts{at: p.at, local: p.at.In(a.snap.loc), stores: p.stores}
	if a.snap.uses.levels {
		f.level = a.levelAt(p.at)
	}
	if a.snap.uses.birthday {
		f.month, f.day = a.view.birthday(a.ID)
	}
	if a.snap.uses.labels {
		f.labels = a.view.labels(a.ID)
	}
	return f
}

// capsOf are the rule's caps with what was used of them.
func (a *account) capsOf(at Instant) (caps []Cap) {
	c := a.snap.Points.Caps
	if c.PerOrder > 0 {
		caps = append(caps, Cap{Kind: CapOrder, Max: c.PerOrder})
	}
	if c.PerDay > 0 {
		day := startOfDay(at, a.snap.loc, 0)
		caps = append(caps, Cap{Kind: CapDay, Max: c.PerDay, Before: a.tally(TallyKey{tallyRule, day}), Day: day})
	}
	if c.PerMember > 0 {
		caps = append(caps, Cap{Kind: CapMember, Max: c.PerMember, Before: a.tally(TallyKey{tallyRule, tallyForEver})})
	}
	return caps
}

// String writes the record as it is stored. Most say no more than who decided,
// and every grant has one, so those are put together by hand.
func (d *Decision) String() string {
	if d.plain() {
		return `{"earned_by":"` + string(d.EarnedBy) + `","version":` + strconv.FormatInt(d.Version, 10) + `}`
	}
	b, err := json.Marshal(d)
	if err != nil {
		panic(err) // plain values only: cannot happen
	}
	return string(b)
}

func (d *Decision) plain() bool {
	return len(d.Caps)+len(d.Tests)+len(d.Shares) == 0 && d.Points == (Fraction{}) && d.Growth == (Fraction{}) &&
		d.Rounding == "" && d.Fen == 0 && d.Level == 0 && !d.Open && d.Asked == 0 && d.At == 0 && d.Place == 0 && len(d.Lines) == 0 && d.Unread == 0
}

// ParseDecision reads what String wrote.
func ParseDecision(text string) (*Decision, error) {
	d := &Decision{}
	if err := json.Unmarshal([]byte(text), d); err != nil {
		return nil, fmt.Errorf("decision record: %w", err)
	}
	return d, nil
}
