package explain

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/memberd/memberd/internal/loyalty"
)

// teller collects sentences.
type teller struct {
	*Subject
	rules *Rules
	zone  *time.Location
	told  []Sentence
}

// say adds a sentence. Both forms take the same arguments; one that is a
// Sentence itself stands in the language of the form.
func (t *teller) say(zh, en string, args ...any) { t.told = append(t.told, both(zh, en, args...)) }

func both(zh, en string, args ...any) Sentence {
	chinese, english := make([]any, len(args)), make([]any, len(args))
	for i, arg := range args {
		chinese[i], english[i] = arg, arg
		if s, ok := arg.(Sentence); ok {
			chinese[i], english[i] = s.Zh, s.En
		}
	}
	return Sentence{together(zh, chinese), fmt.Sprintf(en, english...)}
}

var verb = regexp.MustCompile(`%(\[\d+\])?[sd]`)

// together fills in a Chinese form. It has a blank around each argument, which
// goes where Chinese meets Chinese: 按 2 倍, but 按双倍. Blanks within arguments
// are their own.
func together(form string, args []any) string {
	var b strings.Builder
	next, rest := 0, form
	last := 'x' // the rune before rest
	for rest != "" {
		place := verb.FindStringIndex(rest)
		if place == nil {
			place = []int{len(rest), len(rest)}
		}
		text, arg := rest[:place[0]], ""
		if place[0] < place[1] {
			at := next
			if named := strings.Trim(rest[place[0]:place[1]], "%[]sd"); named != "" {
				at, _ = strconv.Atoi(named)
				at--
			}
			next = at + 1
			arg = fmt.Sprint(args[at])
		}
		rest = rest[place[1]:]
		first, _ := utf8.DecodeRuneInString(arg)
		if inner, found := strings.CutPrefix(text, " "); found && chinese(last, firstRune(inner, first)) {
			text = inner
		}
		if inner, found := strings.CutSuffix(text, " "); found && arg != "" && chinese(lastRune(inner, last), first) {
			text = inner
		}
		b.WriteString(text)
		b.WriteString(arg)
		last = lastRune(text+arg, last)
	}
	return b.String()
}

func firstRune(text string, otherwise rune) rune {
	if text == "" {
		return otherwise
	}
	r, _ := utf8.DecodeRuneInString(text)
	return r
}

func lastRune(text string, otherwise rune) rune {
	if text == "" {
		return otherwise
	}
	r, _ := utf8.DecodeLastRuneInString(text)
	return r
}

// chinese tells whether there is no blank between a and b: both are Han, or one
// is a mark as wide as that.
func chinese(a, b rune) bool {
	wide := func(r rune) bool { return strings.ContainsRune("，。：；、（）「」", r) }
	return wide(a) || wide(b) || unicode.Is(unicode.Han, a) && unicode.Is(unicode.Han, b)
}

// points is "1 point" or "2 points" in English.
func points(n int64) Sentence { return counted(n, "积分", "point", "points") }

func counted(n int64, zh, one, more string) Sentence {
	if n != 1 {
		one = more
	}
	return Sentence{fmt.Sprintf("%d %s", n, zh), fmt.Sprintf("%d %s", n, one)}
}

func yuan(fen int64) Sentence {
	text := fmt.Sprintf("%d.%02d", fen/100, fen%100)
	return Sentence{text + " 元", text + " yuan"}
}

// factor is a multiplier without zeros at its end.
func factor(f loyalty.Factor) string {
	text := fmt.Sprintf("%d.%04d", f/loyalty.Whole, f%loyalty.Whole)
	return strings.TrimRight(strings.TrimRight(text, "0"), ".")
}

// exact is a number as it is: a decimal where that ends, else a fraction.
func exact(n *big.Rat) Sentence {
	if digits, ends := n.FloatPrec(); ends {
		text := n.FloatString(digits)
		return Sentence{text, text}
	}
	whole, rest := new(big.Int).QuoRem(n.Num(), n.Denom(), new(big.Int))
	text := fmt.Sprintf("%s/%s", rest, n.Denom())
	if whole.Sign() == 0 {
		return Sentence{text, text}
	}
	return Sentence{whole.String() + " 又 " + text, whole.String() + " " + text}
}

// moment is the wall clock, without seconds where there are none.
func (t *teller) moment(at loyalty.Instant) string {
	return strings.TrimSuffix(at.In(t.zone).Format(time.DateTime), ":00")
}

func (t *teller) day(at loyalty.Instant) string { return at.In(t.zone).Format(time.DateOnly) }

// midnight tells whether a day begins then: at 00:00, or later where clocks are
// put forward over it.
func (t *teller) midnight(at loyalty.Instant) bool { return t.day(at-1) != t.day(at) }

// minute is a time of day.
func minute(n int) string { return fmt.Sprintf("%02d:%02d", n/60, n%60) }

// maxNamed is how many items of a list a sentence names.
const maxNamed = 6

// anyOf is a list of which one is enough: "a, b or c".
func anyOf(items []Sentence) Sentence {
	if len(items) > maxNamed {
		rest := len(items) - maxNamed
		named := join(items[:maxNamed], "、", ", ")
		return both("%s 等 %[2]d 项", "%[1]s or %[3]d others", named, len(items), rest)
	}
	if len(items) < 2 {
		return join(items, "", "")
	}
	last := len(items) - 1
	return both("%s 或 %s", "%s or %s", join(items[:last], "、", ", "), items[last])
}

func join(items []Sentence, zh, en string) Sentence {
	var s Sentence
	for i, item := range items {
		if i > 0 {
			s.Zh += zh
			s.En += en
		}
		s.Zh += item.Zh
		s.En += item.En
	}
	return s
}

func plain(texts ...string) (all []Sentence) {
	for _, text := range texts {
		all = append(all, Sentence{text, text})
	}
	return all
}

func numbers(list []int64) (all []Sentence) {
	for _, n := range list {
		all = append(all, plain(strconv.FormatInt(n, 10))...)
	}
	return all
}

// quoted is a name as each language marks one.
func quoted(name Sentence) Sentence { return both("「%s」", "“%s”", name) }

func quotedAll(texts []string) []Sentence {
	all := plain(texts...)
	for i := range all {
		all[i] = quoted(all[i])
	}
	return all
}

var weekdays = [...]Sentence{
	1: {"周一", "Monday"}, 2: {"周二", "Tuesday"}, 3: {"周三", "Wednesday"}, 4: {"周四", "Thursday"},
	5: {"周五", "Friday"}, 6: {"周六", "Saturday"}, 7: {"周日", "Sunday"},
}

func weekday(at time.Time) Sentence { return weekdays[(int(at.Weekday())+6)%7+1] }

// operation is the name of an operation type.
func operation(o loyalty.Operation) Sentence {
	if !o.Valid() {
		return Sentence{"其他", "other"}
	}
	return Sentence{o.Name(), operations[o]}
}

var operations = [...]string{
	loyalty.OpPurchaseGrant: "purchase", loyalty.OpPaymentReturn: "payment returned", loyalty.OpSignIn: "sign-in",
	loyalty.OpManualGrant: "given by hand", loyalty.OpLevelGift: "level reached", loyalty.OpImport: "import",
	loyalty.OpBirthdayGift: "birthday gift", loyalty.OpRegisterGift: "registration gift", loyalty.OpProfileGift: "profile gift",
	loyalty.OpPromotionGift: "promotion", loyalty.OpManualDeduct: "deducted by hand", loyalty.OpExchange: "exchange",
	loyalty.OpClearing: "clearing", loyalty.OpPayment: "payment with points", loyalty.OpPurchaseClawback: "purchase taken back",
	loyalty.OpLevelGiftClawback: "level gift taken back", loyalty.OpPromotionClawback: "promotion taken back",
}

// level is a level with its name, where the version has one for it.
func (t *teller) level(number int64) Sentence {
	if number == 0 {
		return Sentence{"没有等级", "no level"}
	}
	if t.rules != nil {
		for _, l := range t.rules.Levels {
			if l.Number == number && l.Name != "" {
				return both("%d 级（%s）", "level %d (%s)", number, l.Name)
			}
		}
	}
	return both("%d 级", "level %d", number)
}
