package jsonx

import (
	"encoding/json"
	"math/big"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

var numberForm = regexp.MustCompile(`^-?([0-9]+)(\.[0-9]+)?([eE]([+-]?[0-9]+))?$`)

// exact is the value of a number by big.Rat, and how the number is to be read:
// "" when it is whole after scaling and within most either way.
func exact(text string, scale, most int64, wrong Reason) (value int64, reason Reason) {
	parts := numberForm.FindStringSubmatch(text)
	if parts == nil {
		return 0, wrong
	}
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	r, ok := new(big.Rat).SetString(mantissa)
	if !ok {
		panic("a number that big.Rat does not read: " + text)
	}
	if r.Sign() == 0 {
		return 0, ""
	}
	if exp := parts[4]; exp != "" {
		// Texts are shorter than farAway, so an exponent beyond it decides alone.
		const farAway = 5000
		n, err := strconv.ParseInt(exp, 10, 64)
		switch {
		case (err != nil || n < -farAway) && exp[0] == '-':
			return 0, wrong
		case err != nil || n > farAway:
			return 0, OutOfRange
		}
		power := new(big.Int).Exp(big.NewInt(10), big.NewInt(max(n, -n)), nil)
		if n < 0 {
			r.Quo(r, new(big.Rat).SetInt(power))
		} else {
			r.Mul(r, new(big.Rat).SetInt(power))
		}
	}
	r.Mul(r, new(big.Rat).SetInt64(scale))
	switch whole := r.Num(); {
	case !r.IsInt():
		return 0, wrong
	case !whole.IsInt64() || most > 0 && whole.CmpAbs(big.NewInt(most)) > 0:
		return 0, OutOfRange
	default:
		return whole.Int64(), ""
	}
}

// forms are the ways in which a text can come as a number: in quotes, bare, in a
// query.
func forms(t *testing.T, text string) map[string]Fields {
	t.Helper()
	all := map[string]Fields{"query": FromQuery(url.Values{"x": {text}})}
	quoted, err := json.Marshal(map[string]string{"x": text})
	if err != nil {
		t.Fatal(err)
	}
	all["text"] = read(t, string(quoted))
	if json.Valid([]byte(text)) && strings.Trim(text, "-.+eE0123456789") == "" {
		all["number"] = read(t, `{"x":`+text+`}`)
	}
	return all
}

// FuzzNumber: points and amounts are taken exactly when big.Rat finds them whole
// (after two decimals, for amounts) and within bounds, with its value; and an
// amount that was taken, written out again, is the same.
func FuzzNumber(f *testing.F) {
	for _, text := range []string{
		"1", "-7", "0", "-0", "007", "1.0", "1e3", "1.5E+1", "1200e-2", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
		"9223372036854775807000e-3", "0.000e9", "0e99999999999999999999", "1e999999999999", "1e-999999999999", "200.50", "0.01", "0.001", "200.505",
		"1.15", "1000.4", "10000000000000", "10000000000000.01", "-10000000000000.00", "12345e-2", "1,000.00", "¥1", " 1", "+1", "1.", ".5", "1_0",
		"0x10", "１", "NaN", "Infinity", "1e", "1e+", "", "-", "--1", "92233720368547758.07", "-92233720368547758.08", "0.1e1", "10e-1", "1e0018",
		"0.0000000000000000001e19", "000000000000000000000000000000001",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 2000 || !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			return
		}
		for form, fields := range forms(t, text) {
			n, present, err := fields.Int("x")
			fen, presentFen, errFen := fields.Fen("x")
			if text == "" {
				if n != 0 || fen != 0 || present || presentFen || err != nil || errFen != nil {
					t.Fatalf("empty %s: %d %t %v, %d %t %v", form, n, present, err, fen, presentFen, errFen)
				}
				continue
			}
			want, wrong := exact(text, 1, 0, NotInteger)
			if n != want || reason(t, err) != wrong || present != (wrong == "") {
				t.Fatalf("%q as %s: %d %t %v, want %d %q", text, form, n, present, err, want, wrong)
			}
			want, wrong = exact(text, 100, maxFen, NotMoney)
			if fen != want || reason(t, errFen) != wrong || presentFen != (wrong == "") {
				t.Fatalf("%q as %s: %d fen %t %v, want %d %q", text, form, fen, presentFen, errFen, want, wrong)
			}
			if errFen != nil {
				continue
			}
			yuan := new(big.Rat).SetFrac64(fen, 100).FloatString(2)
			if again, err := read(t, `{"x":`+yuan+`}`).NeedFen("x"); again != fen || err != nil {
				t.Fatalf("%q as %s: %d fen, written out %s, read as %d, %v", text, form, fen, yuan, again, err)
			}
		}
	})
}

// FuzzSpellings: two spellings of one thing give the same whichever comes first,
// and never anything that neither holds.
func FuzzSpellings(f *testing.F) {
	for _, pair := range [][2]string{
		{`1`, `"1"`}, {`1`, `1.0`}, {`""`, `"x"`}, {`null`, `2`}, {`"a"`, `"A"`}, {`1.5`, `"1.50"`}, {`[1]`, `[1]`}, {`[1]`, `"[1]"`}, {`{"a":1}`, `{ "a":1}`},
		{`"\u0031"`, `1`}, {`1e2`, `100`}, {`true`, `"true"`}, {`"01"`, `1`}, {`0`, `-0`}, {`"x"`, `1`},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		fields, err := Object([]byte(`{"x":` + a + `,"y":` + b + `}`))
		if err != nil {
			return
		}
		swapped, err := Object([]byte(`{"y":` + b + `,"x":` + a + `}`))
		if err != nil || len(swapped.members) != len(fields.members) {
			return // a and b only together are JSON: `1,"z":2` and the like
		}
		sameEither(t, a, b, fields, swapped, Fields.Text)
		sameEither(t, a, b, fields, swapped, Fields.Int)
		sameEither(t, a, b, fields, swapped, Fields.Fen)
	})
}

func sameEither[T comparable](t *testing.T, a, b string, fields, swapped Fields, get func(Fields, ...string) (T, bool, error)) {
	t.Helper()
	value, present, err := get(fields, "x", "y")
	again, presentAgain, errAgain := get(swapped, "x", "y")
	x, presentX, errX := get(fields, "x")
	y, presentY, errY := get(fields, "y")
	switch {
	case value != again || present != presentAgain || (err == nil) != (errAgain == nil):
		t.Fatalf("%s and %s: %v %t %v, the other way round %v %t %v", a, b, value, present, err, again, presentAgain, errAgain)
	case err == nil && (errX != nil || errY != nil):
		t.Fatalf("%s and %s: %v, though one is refused alone: %v, %v", a, b, value, errX, errY)
	case err == nil && present != (presentX || presentY):
		t.Fatalf("%s and %s: present %t, alone %t and %t", a, b, present, presentX, presentY)
	case err == nil && value != x && value != y:
		t.Fatalf("%s and %s: %v, alone %v and %v", a, b, value, x, y)
	}
}
