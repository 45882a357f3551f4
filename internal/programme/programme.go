// Package programme is the programme of a merchant as people write it: a YAML
// file with the part of the settings document that operators own, under the
// same keys. It reads such files, writes them with an explanation of every
// block, and tells what differs between two programmes and what a difference
// touches.
//
// It decides nothing: what a programme means, and whether it is sound, is
// internal/loyalty's. It knows no expressions, includes no other files and never
// stores anything. What it says about a file names the line and the key.
package programme

import (
	"fmt"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// MaxSize is the most bytes of a programme file. The largest programme that the
// domain takes and that somebody has written is far below it.
const MaxSize = 1 << 20

// File is what a programme file says.
type File struct {
	Merchant string
	// Version is that of the settings from which the file was exported; 0 when
	// the file does not say.
	Version int64
	// Settings is the programme; its other parts are those of the settings with
	// which the file was read.
	Settings loyalty.Settings

	lines map[string]int // of the keys of a file that was read
}

// Wrong is a problem with a key of a file that was read.
func (f File) Wrong(key, format string, args ...any) error {
	return failure(Finding{max(f.lines[key], 1), key, fmt.Sprintf(format, args...)})
}

// With is base with the programme of another: everything of base that no
// programme file has stays.
func With(base, programme loyalty.Settings) loyalty.Settings {
	s := base
	s.Zone = programme.Zone
	s.Points = programme.Points
	s.Events = programme.Events
	s.Growth = programme.Growth
	s.Levels = programme.Levels
	s.LevelChange = programme.LevelChange
	s.RegisterGift = programme.RegisterGift
	s.Clawback = programme.Clawback
	s.OwnLotOnly = programme.OwnLotOnly
	s.GiveBack = programme.GiveBack
	s.GraceDays = programme.GraceDays
	s.Orders = programme.Orders
	s.MaxCredit = programme.MaxCredit
	return s
}

// Same tells whether two settings have one programme, whatever else differs.
func Same(a, b loyalty.Settings) bool { return With(a, b).Document() == a.Document() }

// zoneOf is the time zone by name; UTC for none, so that reading can go on.
func zoneOf(name string) (*time.Location, bool) {
	if name == "" || name == "Local" { // would differ from machine to machine
		return time.UTC, false
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC, false
	}
	return loc, true
}
