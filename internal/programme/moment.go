package programme

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/memberd/memberd/internal/loyalty"
)

// The ways in which moments are written, the shortest first. The last names its
// own distance from UTC: an hour that clocks show twice can't be told otherwise.
const onlyDay = "2006-01-02"

var momentLayouts = []string{"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02 15:04:05.000", "2006-01-02 15:04:05.000 -07:00"}

// moment is a point in time in the programme's zone, 0 for none. A day alone is
// its first moment, and as an end all of it: until 11 November means that the
// 11th still counts.
func moment(p *loyalty.Instant, loc *time.Location, end bool) form {
	return unlessZero(p, form{
		read: func(r *reader, n *yaml.Node, key string) {
			v, ok := parseMoment(n.Value, loc, end)
			switch {
			case n.Kind != yaml.ScalarNode || !ok:
				r.find(n, key, "%s: a day like 2026-11-11 or a time like 2026-11-11 08:00 is wanted", shown(n))
			case v == 0: // which means none
				r.find(n, key, "%s: a later time is wanted", shown(n))
			default:
				*p = v
			}
		},
		node: func() *yaml.Node { return plain(momentText(*p, loc, end)) },
	})
}

// parseMoment takes only what it would write: a time that the zone's clocks
// never show is none.
func parseMoment(text string, loc *time.Location, end bool) (loyalty.Instant, bool) {
	if day, err := time.Parse(onlyDay, text); err == nil {
		if end {
			day = day.AddDate(0, 0, 1)
		}
		return loyalty.InstantOf(dayStart(day, loc)), true
	}
	for _, layout := range momentLayouts {
		t, err := time.ParseInLocation(layout, text, loc)
		if err != nil {
			continue
		}
		if layout != momentLayouts[len(momentLayouts)-1] && t.Format(layout) != text {
			return 0, false
		}
		return loyalty.InstantOf(t), true
	}
	return 0, false
}

func momentText(i loyalty.Instant, loc *time.Location, end bool) string {
	t := i.In(loc)
	day := t
	if end {
		y, m, d := t.Date()
		day = time.Date(y, m, d-1, 12, 0, 0, 0, time.UTC)
	}
	if text := day.Format(onlyDay); means(text, i, loc, end) {
		return text
	}
	var text string
	for _, layout := range momentLayouts {
		if text = t.Format(layout); means(text, i, loc, end) {
			break
		}
	}
	return text
}

func means(text string, i loyalty.Instant, loc *time.Location, end bool) bool {
	v, ok := parseMoment(text, loc, end)
	return ok && v == i
}

// dayStart is the first moment of a day. Where clocks are put forward at
// midnight the day begins when they are.
func dayStart(day time.Time, loc *time.Location) time.Time {
	y, m, d := day.Date()
	t := time.Date(y, m, d, 0, 0, 0, 0, loc)
	if noon := time.Date(y, m, d, 12, 0, 0, 0, loc); t.Day() != noon.Day() {
		_, t = t.ZoneBounds()
	}
	return t
}

// hour is a time of day as 08:00, in minutes; 24:00 is the end of the day.
func hour(p *int) form {
	return form{
		read: func(r *reader, n *yaml.Node, key string) {
			v, ok := parseHour(n.Value)
			if n.Kind != yaml.ScalarNode || !ok {
				r.find(n, key, "%s: a time of day like 08:00 is wanted", shown(n))
				return
			}
			*p = v
		},
		node: func() *yaml.Node {
			n := plain(fmt.Sprintf("%02d:%02d", *p/60, *p%60))
			n.Style = yaml.DoubleQuotedStyle // 22:00 is a number for some programs
			return n
		},
	}
}

func parseHour(text string) (minutes int, ok bool) {
	if len(text) != 5 || text[2] != ':' {
		return 0, false
	}
	h, ok1 := digits(text[:2])
	m, ok2 := digits(text[3:])
	minutes = int(h*60 + m)
	return minutes, ok1 && ok2 && m < 60 && minutes <= 24*60
}

// weekdayWords are the days from Monday, as ISO counts them.
var (
	weekdayWords  = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	weekdayValues = []int{1, 2, 3, 4, 5, 6, 7}
)

func weekday(p *int) form { return oneOf(p, weekdayWords, weekdayValues) }
