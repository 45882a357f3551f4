package programme

import (
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/memberd/memberd/internal/loyalty"
)

// number is a whole number.
func number[T ~int | ~int64](p *T) form {
	return form{
		read: func(r *reader, n *yaml.Node, key string) {
			v, err := strconv.ParseInt(n.Value, 10, 64)
			same := strconv.FormatInt(v, 10) == n.Value
			switch {
			case n.Kind == yaml.ScalarNode && strings.ContainsAny(n.Value, wide):
				r.find(n, key, "%s: a whole number is wanted, and this has %s in it", shown(n), called(n.Value[strings.IndexAny(n.Value, wide):]))
			case n.Kind != yaml.ScalarNode || err != nil || n.Value[0] == '+':
				r.find(n, key, "%s: a whole number is wanted", shown(n))
			case !same:
				r.find(n, key, "%s: a whole number is wanted; write it without zeros before it", shown(n))
			case n.ShortTag() != "!!int":
				r.find(n, key, "%s: a whole number is wanted%s", shown(n), unquoted(n, n.Value))
			default:
				*p = T(v)
			}
		},
		node: func() *yaml.Node { return plain(strconv.FormatInt(int64(*p), 10)) },
	}
}

// rate is a fraction: 3/2, 2 or 1.5.
func rate(p *loyalty.Fraction) form {
	return form{
		read: func(r *reader, n *yaml.Node, key string) {
			v, ok := parseRate(n.Value)
			if n.Kind != yaml.ScalarNode || !ok {
				r.find(n, key, "%s: a rate like 3/2, 2 or 1.5 is wanted, not negative and with at most four places", shown(n))
				return
			}
			*p = v
		},
		node: func() *yaml.Node {
			return plain(strconv.FormatInt(p.Num, 10) + "/" + strconv.FormatInt(p.Den, 10))
		},
	}
}

// parseRate reads a fraction as it is, and a decimal in lowest terms.
func parseRate(text string) (loyalty.Fraction, bool) {
	if above, below, ok := strings.Cut(text, "/"); ok {
		num, ok1 := wholeDigits(above)
		den, ok2 := wholeDigits(below)
		return loyalty.Fraction{Num: num, Den: den}, ok1 && ok2 && den > 0
	}
	n, ok := parseDecimal(text)
	if !ok {
		return loyalty.Fraction{}, false
	}
	a, b := n, int64(loyalty.Whole)
	for b != 0 {
		a, b = b, a%b
	}
	return loyalty.Fraction{Num: n / a, Den: int64(loyalty.Whole) / a}, true
}

// parseDecimal reads a decimal with at most four places in ten-thousandths.
func parseDecimal(text string) (int64, bool) {
	whole, places, dot := strings.Cut(text, ".")
	if dot && places == "" || len(places) > 4 {
		return 0, false
	}
	n, ok := wholeDigits(whole)
	part, ok2 := digits((places + "0000")[:4])
	if !ok || !ok2 || n > math.MaxInt32 { // of these the domain takes none
		return 0, false
	}
	return n*int64(loyalty.Whole) + part, true
}

// digits reads a number that has nothing but digits in it.
func digits(text string) (int64, bool) {
	if strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// wholeDigits reads a number without zeros before it: for some 010 is eight.
func wholeDigits(text string) (int64, bool) {
	n, ok := digits(text)
	return n, ok && strconv.FormatInt(n, 10) == text
}

// factor is a decimal with at most four places.
func factor(p *loyalty.Factor) form {
	return form{
		read: func(r *reader, n *yaml.Node, key string) {
			v, ok := parseDecimal(n.Value)
			if n.Kind != yaml.ScalarNode || !ok {
				r.find(n, key, "%s: a factor like 2 or 1.5 is wanted, not negative and with at most four places", shown(n))
				return
			}
			*p = loyalty.Factor(v)
		},
		node: func() *yaml.Node { return plain(factorText(*p)) },
	}
}

func factorText(f loyalty.Factor) string {
	whole := strconv.FormatInt(int64(f/loyalty.Whole), 10)
	places := strconv.FormatInt(int64(f%loyalty.Whole+loyalty.Whole), 10)[1:] // with leading zeros
	if places = strings.TrimRight(places, "0"); places == "" {
		return whole
	}
	return whole + "." + places
}
