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
// amount. What is no line, or has no readable price, is left out.
func ParseGoods(material string) []Goods {
	var lines []map[string]json.RawMessage
	text := []byte(strings.TrimSpace(material))
	if len(text) == 0 {
		return nil
	}
	if text[0] == '{' {
		text = slices.Concat([]byte("["), text, []byte("]"))
	}
	if json.Unmarshal(text, &lines) != nil {
		return nil
	}
	var goods []Goods
	for _, line := range lines[:min(len(lines), maxGoods)] {
		if g, ok := parseLine(line); ok {
			goods = append(goods, g)
		}
	}
	return goods
}

func parseLine(line map[string]json.RawMessage) (g Goods, ok bool) {
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
