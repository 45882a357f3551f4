package programme

import (
	"slices"
	"strings"
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
	{"points.from", Area{"rule period", "what is booked from now on; outside the period orders that the rule decides are refused with 150001"}},
	{"points.until", Area{"rule period", "what is booked from now on; outside the period orders that the rule decides are refused with 150001"}},
	{"points", Area{"points rule", bookedStay}},
	{"events", Area{"events", "changes that are booked from now on; what was booked today counts against a daily cap as far as it was counted"}},
	{"growth.period", Area{"growth period", "members get a period, or lose theirs, within a minute; a period that runs already keeps its end"}},
	{"growth.downgrade", Area{"downgrade", "periods that end from now on; levels that are held stay until then"}},
	{"growth", Area{"growth value", "orders that are booked from now on; growth value that is booked stays"}},
	{"level_change", Area{"level change", "members whose level does not fit the levels: from this change on and at every later one"}},
	{"levels", Area{"levels", "reads show members at their new level at once, and it is booked within a minute; growth value stays"}},
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

// AreasOf are the areas that changes are of, in the order of a file.
func AreasOf(changes []Change) []Area {
	var found []Area
	for _, c := range changes {
		for _, a := range areas {
			rest, ok := strings.CutPrefix(c.Key, a.prefix)
			if !ok || rest != "" && rest[0] != '.' && rest[0] != '[' {
				continue
			}
			if !slices.Contains(found, a.Area) {
				found = append(found, a.Area)
			}
			break
		}
	}
	return found
}
