package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/programme"
)

// overtaken says who has changed what since a version; problem says which that is.
func (pl *platform) overtaken(p *program, snap *loyalty.Snapshot, since int64, problem string) error {
	versions, err := pl.versions(p, snap, since, 0)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "nothing has been changed: %s.", problem)
	for _, v := range versions {
		fmt.Fprintf(&b, "\n  %d  %s  %s: %s (%s)", v.Version, v.ChangedAt, dash(harmless(v.Operator)), harmless(v.Reason), strings.Join(v.Areas, ", "))
	}
	b.WriteString("\nExport the programme again and carry your change over.")
	return errors.New(b.String())
}

type programList struct {
	ofMerchant
	Limit int  `name:"limit" default:"20" placeholder:"N" help:"How many, newest first; 0 for all."`
	JSON  bool `name:"json" help:"Print JSON."`
}

func (c *programList) Run(p *program) error {
	pl, snap, err := c.rules(p)
	if err != nil {
		return err
	}
	defer pl.Close()
	versions, err := pl.versions(p, snap, 0, c.Limit)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.printJSON(versions)
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VERSION\tCHANGED\tBY\tWHAT\tREASON")
	for _, v := range versions {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", v.Version, v.ChangedAt, dash(harmless(v.Operator)), dash(strings.Join(v.Areas, ", ")), dash(harmless(v.Reason)))
	}
	return w.Flush()
}

// programVersion is one line of the history.
type programVersion struct {
	Version   int64    `json:"version"`
	ChangedAt string   `json:"changed_at"` // on the merchant's clocks
	Operator  string   `json:"operator"`
	Reason    string   `json:"reason"`
	Areas     []string `json:"areas"`
}

// otherSettings is the area of what is no part of a programme.
const otherSettings = "other settings"

// versions are those after since, newest first, with what each has changed;
// limit 0 is all.
func (pl *platform) versions(p *program, snap *loyalty.Snapshot, since int64, limit int) (list []programVersion, err error) {
	all, err := pl.store.SettingsVersions(p.ctx, snap.Merchant)
	if err != nil {
		return nil, refused(err, "")
	}
	list = []programVersion{}
	var settings *loyalty.Settings // of the version that comes next
	for i, v := range all {
		if v.Version <= since || limit > 0 && i >= limit {
			break
		}
		line := programVersion{
			Version: v.Version, Operator: v.Operator, Reason: v.Reason, Areas: []string{},
			ChangedAt: v.ChangedAt.In(snap.Location()).Format(time.DateTime),
		}
		if settings == nil {
			if settings, err = pl.settingsAt(p, snap.Merchant, v.Version); err != nil {
				return nil, err
			}
		}
		if i+1 < len(all) {
			before, err := pl.settingsAt(p, snap.Merchant, all[i+1].Version)
			if err != nil {
				return nil, err
			}
			line.Areas = areasBetween(*before, *settings)
			settings = before
		}
		list = append(list, line)
	}
	return list, nil
}

func (pl *platform) settingsAt(p *program, merchant string, version int64) (*loyalty.Settings, error) {
	s, err := pl.store.SettingsAt(p.ctx, merchant, version)
	return &s, err
}

func areasBetween(old, next loyalty.Settings) []string {
	names := []string{}
	for _, a := range programme.AreasOf(programme.Diff(old, next), next) {
		names = append(names, a.Name)
	}
	if programme.With(next, old).Document() != old.Document() {
		names = append(names, otherSettings)
	}
	return names
}
