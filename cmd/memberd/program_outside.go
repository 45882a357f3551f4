package main

import (
	"fmt"
	"strings"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/programme"
)

// outside are lines about what of a programme lies outside the time from since
// to now: a back-test can't show what it would do, or shows it as refusals.
func outside(candidate *loyalty.Snapshot, since, now loyalty.Instant) (lines []string) {
	if r := candidate.Points; r.From > since || r.Until != 0 && r.Until <= now {
		part := "only a part"
		if r.From > now || r.Until != 0 && r.Until <= since {
			part = "none"
		}
		var when []string
		from, until := programme.Bounds(candidate.Settings)
		if from != "" {
			when = append(when, "from "+from)
		}
		if until != "" {
			when = append(when, "until "+until)
		}
		lines = append(lines, fmt.Sprintf("The points rule of the file holds %s, which is %s of this time; outside it what would grant points counts as refused.", strings.Join(when, " "), part))
	}
	var never []string
	for _, m := range candidate.Points.Multipliers {
		if m.When.From > now || m.When.Until != 0 && m.When.Until <= since {
			never = append(never, m.ID)
		}
	}
	if len(never) > 0 {
		lines = append(lines, fmt.Sprintf("Multipliers whose from and until lie outside this time: %s.", strings.Join(never, ", ")))
	}
	return lines
}
