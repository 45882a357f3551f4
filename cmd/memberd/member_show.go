package main

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

type memberShow struct {
	whoFlags
	Reveal bool `name:"reveal" help:"Show personal data in full."`
}

func (c *memberShow) Run(p *program) error {
	pl, found, err := c.find(p)
	if err != nil {
		return err
	}
	defer pl.Close()
	audits, err := pl.store.Audits(p.ctx, found.ID)
	if err != nil {
		return err
	}
	if found.Marks, err = pl.store.Marks(p.ctx, found.ID); err != nil {
		return err
	}
	p.printTable(memberRows(found, c.Reveal))
	if len(audits) == 0 {
		return nil
	}
	fmt.Fprintln(p.stdout, "\nChanges by operators, newest first:")
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, a := range audits {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", clock(found, a.At), a.Action, a.Operator, a.Reason)
	}
	return w.Flush()
}

var statusNames = map[loyalty.Status]string{loyalty.Active: "active", loyalty.Disabled: "disabled", loyalty.Erased: "erased"}

// clock is an instant on the merchant's wall clock.
func clock(f loyalty.Found, at loyalty.Instant) string {
	return time.UnixMilli(int64(at)).In(f.Snapshot.Location()).Format(time.DateTime)
}

// shownID is the memberId under which the doors show a member.
func shownID(f loyalty.Found) string {
	return loyalty.ShownMemberID(f.Profile.ExternalID, f.ID)
}

func memberRows(f loyalty.Found, reveal bool) [][2]string {
	level := "-"
	if at, _ := f.Snapshot.LevelOf(f.Member); at != nil {
		level = levelText(f.Snapshot, at.Number)
	}
	rows := [][2]string{
		{"member id", shownID(f)},
		{"open id", f.OpenID},
		{"status", statusNames[f.Status]},
		{"registered", clock(f, f.RegisteredAt)},
		{"level", level},
		{"growth value", growthText(f)},
		{"balance", strconv.FormatInt(f.Balance, 10)},
		{"total earned", strconv.FormatInt(f.Earned, 10)},
		{"used", strconv.FormatInt(f.Used, 10)},
		{"pending", strconv.FormatInt(f.Pending, 10)},
		{"deficit", strconv.FormatInt(f.Deficit, 10)},
		{"entries", strconv.FormatInt(f.Entries, 10)},
		{"orders", strconv.FormatInt(f.ConsumeCount, 10)},
		{"consumption", yuan(f.ConsumeFen)},
		{"usable coupons", fmt.Sprintf("%d of %d", f.UsableCoupons, f.Coupons)},
		{"labels", dash(strings.Join(f.Marks.Labels, ", "))},
	}
	for _, card := range f.Marks.Cards {
		rows = append(rows, [2]string{"paid card", fmt.Sprintf("%s %s until %s", card.ID, card.Name, untilText(f, card.ExpiresAt))})
	}
	rows = append(rows, [][2]string{
		{"nickname", dash(f.Profile.Nickname)},
		{"store", dash(f.Profile.Store)},
	}...)
	mask := masked
	if reveal {
		mask = func(_ maskKind, text string) string { return text }
	}
	for _, d := range personal(f.Profile) {
		if d.value != "" {
			rows = append(rows, [2]string{d.name, mask(d.kind, d.value)})
		}
	}
	for _, ch := range f.Profile.Channels {
		rows = append(rows, [2]string{"channel", ch.Code + " since " + clock(f, ch.CreatedAt)})
	}
	return rows
}

// growthText is the growth value, and the fall at the end of its period where
// one is ahead.
func growthText(f loyalty.Found) string {
	text := strconv.FormatInt(f.Growth, 10)
	lower, at := f.Snapshot.Forecast(f.Member)
	level, _ := f.Snapshot.LevelOf(f.Member)
	if lower == nil || level == nil {
		return text
	}
	return fmt.Sprintf("%s; falls to level %s on %s unless it grows by %d", text,
		levelText(f.Snapshot, lower.Number), at.In(f.Snapshot.Location()).Format(time.DateOnly), level.Threshold-f.Growth)
}

// maskKind says how much of a value may be shown.
type maskKind int

const (
	hidden maskKind = iota
	phoneKind
	nameKind
)

type datum struct {
	name  string
	kind  maskKind
	value string
}

// personal is the personal data of a profile that people read.
func personal(p loyalty.Profile) []datum {
	gender := map[int]string{1: "male", 2: "female"}[p.Gender]
	return []datum{
		{"phone", phoneKind, p.Phone}, {"real name", nameKind, p.RealName}, {"gender", hidden, gender}, {"birthday", hidden, p.Birthday},
		{"id card", hidden, p.IDCard}, {"email", hidden, p.Email}, {"country", hidden, p.Country}, {"province", hidden, p.Province},
		{"city", hidden, p.City}, {"company", hidden, p.Company}, {"outer user id", hidden, p.OuterUserID}, {"q id", hidden, p.QID},
		{"photo", hidden, p.Photo}, {"employee id", hidden, p.EmployeeID}, {"employee name", nameKind, p.EmployeeName}, {"remark", hidden, p.Remark},
	}
}

// masked leaves enough to recognise a member who is on the phone, and no more.
func masked(kind maskKind, text string) string {
	runes := []rune(text)
	switch {
	case kind == phoneKind && len(runes) == 11:
		return string(runes[:3]) + "****" + string(runes[7:])
	case kind == nameKind && len(runes) > 1:
		return string(runes[:1]) + strings.Repeat("*", len(runes)-1)
	}
	return "****"
}
