package programme_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

// story is one member on its own.
type story struct {
	*loyaltytest.World
	t      *testing.T
	who    loyalty.Who
	orders int
	bought string // the number of the last order
	spent  string // the last statement of a spend
}

func (s *story) at(text string) {
	s.Now = time.Date(2026, 1, 15, 10, 0, 0, 0, s.Rules.Location())
	if text != "" {
		var err error
		if s.Now, err = time.ParseInLocation("2006-01-02 15:04", text, s.Rules.Location()); err != nil {
			s.t.Fatal(err)
		}
	}
}

// newStory registers the member a day before, as the row wants it.
func newStory(t *testing.T, settings loyalty.Settings, r row) *story {
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { *s = settings })
	s := &story{World: w, t: t}
	s.at(r.cells["when"])
	w.Now = w.Now.AddDate(0, 0, -1)
	profile := loyalty.Profile{Phone: "13800000001"}
	kind, value, _ := strings.Cut(r.cells["who"], " ")
	if kind == "born" {
		day, err := time.Parse("01-02", value)
		if err != nil {
			t.Fatal(err)
		}
		profile.BirthMonth, profile.BirthDay = int(day.Month()), day.Day()
	}
	registered := loyaltytest.Must(w, loyalty.RegisterMember{Merchant: "m", Profile: profile, Gift: true})
	s.who = loyalty.Who{Merchant: "m", ID: registered.Member}
	switch kind {
	case "level":
		for _, l := range settings.Levels {
			if strconv.FormatInt(l.Number, 10) == value && l.Threshold > 0 {
				loyaltytest.Must(w, w.Order(s.who, "before", l.Threshold*100, 0))
			}
		}
	case "label":
		loyaltytest.Must(w, loyalty.MarkMember{Who: s.who, Label: value, By: loyalty.ByOperator{Operator: "x", Reason: "x"}})
	case "born", "":
	default:
		t.Fatalf("%s:%d: who is %q?", docs, r.line, kind)
	}
	return s
}

// tell does what the row says and compares what it promises.
func (s *story) tell(r row) {
	s.t.Helper()
	s.at(r.cells["when"])
	points, err := s.do(r)
	got := strconv.FormatInt(points, 10)
	if code, ok := loyalty.CodeOf(err); ok {
		got = "refused: " + code.String()
	} else if err != nil {
		s.t.Fatal(err)
	}
	if want, told := r.cells["points"]; told && got != cmp.Or(want, "0") || !told && err != nil {
		s.t.Errorf("%s:%d: points %s, the document says %s", docs, r.line, got, want)
	}
	loyaltytest.Must(s.World, loyalty.BookDue{Who: s.who})
	m := s.Member(s.who)
	for name, n := range map[string]int64{"balance": m.Balance, "growth": m.Growth, "level": m.Level} {
		if want, told := r.cells[name]; told && want != strconv.FormatInt(n, 10) {
			s.t.Errorf("%s:%d: %s %d, the document says %s", docs, r.line, name, n, want)
		}
	}
}

func (s *story) do(r row) (int64, error) {
	s.t.Helper()
	words := strings.Fields(r.cells["what"])
	switch words[0] {
	case "nothing":
		return 0, nil
	case "order", "refund":
		return s.order(words, r)
	case "event":
		c := loyalty.ChangePoints{Who: s.who, Event: words[1]}
		if len(words) > 2 {
			c.Points = s.number(words[2])
		}
		done, err := loyaltytest.Do(s.World, c)
		s.spent = loyalty.StatementID(done.Member, done.Entry)
		return done.Points, err
	case "give":
		done, err := loyaltytest.Do(s.World, loyalty.RollBackStatement{Who: s.who, Statement: s.spent})
		return done.Points, err
	case "level_change":
		s.Change(func(settings *loyalty.Settings) { settings.LevelChange = loyalty.LevelChange(words[1]) })
		return 0, nil
	case "thresholds":
		s.Change(func(settings *loyalty.Settings) {
			levels := make([]loyalty.Level, len(settings.Levels))
			for i, l := range settings.Levels {
				l.Threshold *= s.number(words[2])
				levels[i] = l
			}
			settings.Levels = levels
		})
		return 0, nil
	}
	s.t.Fatalf("%s:%d: what is %q?", docs, r.line, words[0])
	return 0, nil
}

// order is an order of a number of yuan, or a refund of the last one.
func (s *story) order(words []string, r row) (int64, error) {
	points := int64(loyaltytest.Unnamed)
	if len(words) == 4 { // order 100.00 for 30
		points = s.number(words[3])
	}
	s.orders++
	no := fmt.Sprintf("o%d", s.orders)
	if words[0] == "refund" {
		c := s.Refund(s.who, no, s.bought, s.fen(words[1]), points)
		c.Info.Material = s.material(r.cells["goods"])
		done, err := loyaltytest.Do(s.World, c)
		return done.Points, err
	}
	s.bought = no
	c := s.Order(s.who, no, s.fen(words[1]), points)
	c.Info = loyalty.OrderInfo{Store: r.cells["where"], Material: s.material(r.cells["goods"])}
	done, err := loyaltytest.Do(s.World, c)
	return done.Points, err
}

// material is "母婴 60.00, 食品 40.00" as material_info; a number is a bar code.
func (s *story) material(goods string) string {
	if goods == "" {
		return ""
	}
	var lines []map[string]string
	for line := range strings.SplitSeq(goods, ", ") {
		name, price, _ := strings.Cut(line, " ")
		kind := "category"
		if strings.Trim(name, "0123456789") == "" {
			kind = "bar_code"
		}
		lines = append(lines, map[string]string{kind: name, "price": price})
	}
	text, err := json.Marshal(lines)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func (s *story) number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *story) fen(text string) int64 { return s.number(strings.Replace(text, ".", "", 1)) }
