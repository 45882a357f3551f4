package programme

import (
	"slices"
	"strings"

	"github.com/memberd/memberd/internal/loyalty"
)

// Area is a part of the programme whose changes touch the same things.
type Area struct {
	Name string `json:"name"`
	// Effect says in one sentence what a change of it touches and what not.
	Effect string `json:"effect"`
}

const bookedStay = "orders that are booked from now on; points that are booked stay, and refunds of earlier orders go by the version under which those were booked"

// areas by the keys that belong to them; the first that fits counts.
var areas = []struct {
	prefix string
	Area
}{
	{"zone", Area{"zone", "where days, months and years begin from now on; ends of points and periods that are stored stay, and so do the caps counted of earlier days"}},
	{"points.validity", Area{"validity", "points granted from now on; lots that are there keep their expiry"}},
	{"points.waiting_days", Area{"waiting", "points granted from now on; pending points become usable when they were meant to"}},
	{"points.multipliers", Area{"multipliers", bookedStay}},
	{"points.combine", Area{"multipliers", bookedStay}},
	{"points.caps", Area{"caps", "orders that are booked from now on; what was granted before counts against a new cap as far as it was counted"}},
	{"points.from", Area{Name: rulePeriod}},
	{"points.until", Area{Name: rulePeriod}},
	{"points", Area{"points rule", bookedStay}},
	{"events", Area{"events", "changes that are booked from now on; what was booked today counts against a daily cap as far as it was counted"}},
	{"growth.period", Area{"growth period", "members get a period, or lose theirs, within a minute; a period that runs already keeps its end"}},
	{"growth.downgrade", Area{"downgrade", "periods that end from now on; levels that are held stay until then"}},
	{"growth", Area{"growth value", "orders that are booked from now on; growth value that is booked stays"}},
	{"level_change", Area{"level change", "members whose growth value does not reach their level after a change of the levels, now and at every later one: keep leaves it until their period ends, or until they reach it again or a later version lets them; fit takes it at once, also from those who were kept"}},
	{"levels", Area{"levels", "reads show members at their new level at once, and it is booked within a minute; growth value stays; who would fall keeps its level under level_change keep until its period ends"}},
	{"register_gift", Area{"registration gift", "members that register from now on"}},
	{"clawback", Area{"clawback", "grants that are taken back from now on; deficits that are there stay"}},
	{"own_lot_only", Area{"clawback", "grants that are taken back from now on; deficits that are there stay"}},
	{"give_back", Area{"give-back", "spent points that are given back from now on"}},
	{"grace_days", Area{"give-back", "spent points that are given back from now on"}},
	{"orders.park_days", Area{"parked refunds", "refunds that arrive before their order, also those that wait already"}},
	{"orders.early_refund", Area{"parked refunds", "refunds that arrive from now on; those that wait go on waiting"}},
	{"orders.return_coupons", Area{"coupons of refunds", "refunds that are booked from now on"}},
	{"orders", Area{"orders", "orders without order_score that are booked from now on; points that are booked stay"}},
	{"max_credit", Area{"bounds", "calls from now on"}},
}

// rulePeriod is the area whose effect names the times.
const rulePeriod = "rule period"

// AreasOf are the areas that changes are of, in the order of a file; next is
// what they lead to.
func AreasOf(changes []Change, next loyalty.Settings) []Area {
	var found []Area
	for _, c := range changes {
		for _, a := range areas {
			rest, ok := strings.CutPrefix(c.Key, a.prefix)
			if !ok || rest != "" && rest[0] != '.' && rest[0] != '[' {
				continue
			}
			if a.Name == rulePeriod {
				a.Effect = periodEffect(next)
			}
			if !slices.Contains(found, a.Area) {
				found = append(found, a.Area)
			}
			break
		}
	}
	return found
}

// periodEffect tells what is refused when.
func periodEffect(s loyalty.Settings) string {
	from, until := Bounds(s)
	var when []string
	if from != "" {
		when = append(when, "before "+from)
	}
	if until != "" {
		when = append(when, "from "+until+" on")
	}
	if len(when) == 0 {
		return "what is booked from now on; points are granted at any time"
	}
	return "what is booked from now on; " + strings.Join(when, " and ") +
		" everything that would grant points is refused with 150001 and leaves no record, nor growth value: orders with order_score above 0, by the time of the call, " +
		"orders that the rule decides, by the time of the purchase, change events and other calls that credit points; " +
		"registrations with their gift, orders without points, spending, refunds and what is given back go on"
}

// Bounds are when the points rule begins and when it ends, on the programme's
// clocks; "" where it is open.
func Bounds(s loyalty.Settings) (from, until string) {
	loc, _ := zoneOf(s.Zone)
	if s.Points.From != 0 {
		from = s.Points.From.In(loc).Format(boundLayout)
	}
	if s.Points.Until != 0 {
		until = s.Points.Until.In(loc).Format(boundLayout)
	}
	return from, until
}

const boundLayout = "2006-01-02 15:04:05"
