package doortest

import "time"

// Shown tells whether a wall clock in loc ever shows text, and with it that text
// has an instant to come back from.
func Shown(text string, loc *time.Location) bool {
	wall, err := time.Parse(time.DateTime, text)
	if err != nil {
		return false
	}
	for _, near := range []time.Duration{-26 * time.Hour, 26 * time.Hour} {
		_, offset := wall.Add(near).In(loc).Zone()
		if wall.Add(-time.Duration(offset)*time.Second).In(loc).Format(time.DateTime) == text {
			return true
		}
	}
	return false
}
