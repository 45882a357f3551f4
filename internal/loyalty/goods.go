package loyalty

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Goods is one line of an order's material_info, as far as it can be read: the
// document leaves the form of these lines open. Fen is what the line costs.
type Goods struct {
	Category string
	BarCode  string
	Fen      int64
}

// maxGoods bounds the lines of an order that are looked at.
const maxGoods = 1_000

// ParseGoods reads material_info: a list of lines or a single one. Names are
// taken in both spellings; price counts quantity times, unless the line has an
// amount. What is no line, or has no readable price, is left out and counted.
func ParseGoods(material string) (goods []Goods, unread int64) {
	var lines []json.RawMessage
	text := []byte(strings.TrimSpace(material))
	if len(text) == 0 {
		return nil, 0
	}
	if text[0] == '{' {
		text = slices.Concat([]byte("["), text, []byte("]"))
	}
	if json.Unmarshal(text, &lines) != nil {
		return nil, 1
	}
	for _, line := range lines[:min(len(lines), maxGoods)] {
		if g, ok := parseLine(line); ok {
			goods = append(goods, g)
		}
	}
	return goods, int64(len(lines) - len(goods))
}

func parseLine(text json.RawMessage) (g Goods, ok bool) {
	var line map[string]json.RawMessage
	if json.Unmarshal(text, &line) != nil {
		return g, false
	}
	field := func(names ...string) string {
		for _, name := range names {
			if raw, there := line[name]; there && !bytes.Equal(raw, []byte("null")) {
				var text string
				if json.Unmarshal(raw, &text) == nil {
					return strings.TrimSpace(text)
				}
				return string(raw) // a number is written as itself
			}
		}
		return ""
	}
	g.Category = field("category", "category_id", "categoryId", "ty")
	g.BarCode = field("bar_code", "barCode")
	if text := field("amount", "total"); text != "" {
		g.Fen, ok = parseDecimal(text, 2)
		return g, ok && g.Fen <= MaxAmount
	}
	price, ok := parseDecimal(field("price"), 2)
	if !ok {
		return g, false
	}
	const thousand = 1_000
	quantity := int64(thousand)
	if text := field("quantity", "qty", "num", "count"); text != "" {
		if quantity, ok = parseDecimal(text, 3); !ok {
			return g, false
		}
	}
	if price > MaxAmount || quantity > MaxAmount {
		return g, false
	}
	g.Fen = mulDiv(price, quantity, thousand)
	return g, g.Fen <= MaxAmount
}

// parseDecimal reads a decimal that is not negative, in units of its last place;
// further places are cut.
func parseDecimal(text string, places int) (n int64, ok bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	if whole == "" || len(whole) > 12 {
		return 0, false
	}
	for len(fraction) < places {
		fraction += "0"
	}
	for i, c := range []byte(whole + fraction) {
		if c < '0' || c > '9' {
			return 0, false
		}
		if i < len(whole)+places {
			n = n*10 + int64(c-'0')
		}
	}
	return n, true
}

// maxLines bounds the kinds of goods that are kept with an order.
const maxLines = 200

// goodsOf are the lines of a purchase, where the rule asks for them. Lines that
// add up to more than what was paid are cut in proportion: that is a discount.
func (a *account) goodsOf(p purchase, d *Decision) []Line {
	if !a.snap.uses.goods {
		return nil
	}
	var goods []Goods
	goods, d.Unread = ParseGoods(p.material)
	var sum int64
	for _, g := range goods {
		sum += g.Fen
	}
	lines := make([]Line, 0, len(goods))
	var passed, given int64 // so that the lines add up to what was paid
	for _, g := range goods {
		l := Line{Category: g.Category, BarCode: g.BarCode, Price: g.Fen, Fen: g.Fen}
		if sum > p.fen {
			passed += g.Fen
			upTo := mulDiv(passed, p.fen, sum)
			l.Fen, given = upTo-given, upTo
		}
		lines = append(lines, l)
	}
	return lines
}

// has tells whether a line is of the goods that the condition names.
func (m *tested) has(l Line) bool {
	return (m.categories == nil || m.categories[l.Category]) && (m.barCodes == nil || m.barCodes[l.BarCode])
}

// addLine keeps a line, together with those of the same goods: they have the
// same factor.
func (d *Decision) addLine(l Line) {
	if len(d.Lines) > maxLines { // too many already
		return
	}
	if i := slices.IndexFunc(d.Lines, l.same); i >= 0 {
		d.Lines[i].Price += l.Price
		d.Lines[i].Fen += l.Fen
		return
	}
	d.Lines = append(d.Lines, l)
}

func (l Line) same(other Line) bool {
	return l.Category == other.Category && l.BarCode == other.BarCode
}

// returnedGoods are the goods that a refund names, to be kept with it.
func returnedGoods(material string) (lines []Line) {
	var d Decision
	goods, _ := ParseGoods(material)
	for _, g := range goods {
		d.addLine(Line{Category: g.Category, BarCode: g.BarCode, Price: g.Fen})
	}
	if len(d.Lines) > maxLines {
		return nil
	}
	return d.Lines
}

// bringBack takes goods out of an order for which fen come back, as far as the
// order had them. A bar code names goods, without one the category does. Money
// beyond what the goods have cost is no goods' money; where less comes back than
// they have cost, as much of them does as was paid for with that.
func (d *Decision) bringBack(goods []Line, fen int64) {
	if len(d.Lines) == 0 || fen == 0 {
		return
	}
	taken, cost := d.named(goods)
	d.Lines = slices.Clone(d.Lines) // the row's own stay as they are until this is booked
	var back Returned
	for i, price := range taken {
		if cost > fen { // upwards, so that no line gives more than it had
			price -= mulDiv(price, cost-fen, cost)
		}
		l := &d.Lines[i]
		before := l.paid()
		l.Back += price
		money := before - l.paid()
		back.Fen += money
		back.Weight += money * int64(l.Factor)
	}
	if back.Fen > fen {
		back = Returned{fen, mulDiv(back.Weight, fen, back.Fen)}
	}
	d.Back.Fen += back.Fen
	d.Back.Weight += back.Weight
}

// named is how much of each line's price goods name that have not come back yet,
// and what was paid of that. What one line can't give the next of the same name
// does.
func (d *Decision) named(goods []Line) (taken []int64, cost int64) {
	taken = make([]int64, len(d.Lines))
	for _, g := range goods {
		price := g.Price
		for i := range d.Lines {
			if l := &d.Lines[i]; g.names(l) {
				n := min(price, l.Price-l.Back-taken[i])
				taken[i] += n
				price -= n
			}
		}
	}
	for i, price := range taken {
		l := d.Lines[i]
		before := l.paid()
		l.Back += price
		cost += before - l.paid()
	}
	return taken, cost
}

// names tells whether goods of a refund may be those of a line.
func (l *Line) names(other *Line) bool {
	if l.BarCode != "" {
		return l.BarCode == other.BarCode
	}
	return l.Category != "" && l.Category == other.Category
}

// paid is what was paid of goods that have not come back.
func (l *Line) paid() int64 {
	if l.Price == 0 {
		return 0
	}
	return mulDiv(l.Fen, l.Price-l.Back, l.Price)
}
