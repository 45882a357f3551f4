package main

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/memberd/memberd/internal/loyalty"
)

type memberLabel struct {
	whoFlags
	byFlags
	Add    string `name:"add" placeholder:"NAME" help:"The label that the member gets."`
	Remove string `name:"remove" placeholder:"NAME" help:"The label that the member loses."`
}

func (c *memberLabel) Run(p *program) error {
	if (c.Add == "") == (c.Remove == "") {
		return wrongly("say exactly one of --add and --remove")
	}
	mark := loyalty.MarkMember{Label: c.Add}
	done := "has the label"
	if c.Remove != "" {
		mark = loyalty.MarkMember{Label: c.Remove, Remove: true}
		done = "has the label no more"
	}
	if err := checkName("a label", mark.Label, loyalty.MaxName); err != nil {
		return err
	}
	return change(p, &c.whoFlags, &c.byFlags, done, func(who loyalty.Who, by loyalty.ByOperator) loyalty.MarkMember {
		mark.Who, mark.By = who, by
		return mark
	})
}

type memberCard struct {
	whoFlags
	byFlags
	Set    string `name:"set" placeholder:"CARD_ID" help:"The paid card that the member gets, or whose name and end change."`
	Name   string `name:"name" placeholder:"NAME" help:"What the card is called; with --set."`
	Until  string `name:"until" placeholder:"DATE" help:"The last day on which the card is good, such as 2027-12-31; with --set."`
	Remove string `name:"remove" placeholder:"CARD_ID" help:"The paid card that the member loses."`
}

func (c *memberCard) Run(p *program) error {
	switch {
	case (c.Set == "") == (c.Remove == ""):
		return wrongly("say exactly one of --set and --remove")
	case c.Set != "" && (c.Name == "" || c.Until == ""):
		return wrongly("--set needs --name and --until")
	case c.Remove != "" && (c.Name != "" || c.Until != ""):
		return wrongly("--name and --until go with --set")
	}
	if err := checkName("a card's id", c.Set+c.Remove, loyalty.MaxKey); err != nil {
		return err
	}
	if c.Remove != "" {
		return change(p, &c.whoFlags, &c.byFlags, "has the paid card no more", func(who loyalty.Who, by loyalty.ByOperator) loyalty.MarkMember {
			return loyalty.MarkMember{Who: who, Card: loyalty.PaidCard{ID: c.Remove}, Remove: true, By: by}
		})
	}
	if err := checkName("a card's name", c.Name, loyalty.MaxName); err != nil {
		return err
	}
	return changeFrom(p, &c.whoFlags, &c.byFlags, "has the paid card", func(pl *platform, who loyalty.Who, by loyalty.ByOperator) (loyalty.MarkMember, error) {
		snap, err := pl.store.Snapshot(p.ctx, c.Merchant)
		if err != nil {
			return loyalty.MarkMember{}, err
		}
		day, err := time.ParseInLocation(time.DateOnly, c.Until, snap.Location())
		if err != nil {
			return loyalty.MarkMember{}, wrongly("--until must be a date such as 2027-12-31")
		}
		end := loyalty.InstantOf(day.AddDate(0, 0, 1)) // exclusive
		return loyalty.MarkMember{Who: who, Card: loyalty.PaidCard{ID: c.Set, Name: c.Name, ExpiresAt: end}, By: by}, nil
	})
}

// checkName refuses what a list of members could not show or be filtered by.
func checkName(what, text string, limit int) error {
	switch {
	case !utf8.ValidString(text), strings.ContainsFunc(text, unicode.IsControl), strings.TrimSpace(text) != text:
		return wrongly("%s must be text without control characters and without blanks around it", what)
	case utf8.RuneCountInString(text) > limit:
		return wrongly("%s must be at most %d characters", what, limit)
	}
	return nil
}
