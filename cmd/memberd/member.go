package main

import (
	"errors"
	"fmt"
	"os/user"
	"strings"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

type memberCommand struct {
	commonFlags
	Show    memberShow    `cmd:"" help:"Show a member, personal data masked."`
	Disable memberDisable `cmd:"" help:"Stop a member from earning and spending."`
	Enable  memberEnable  `cmd:"" help:"Let a disabled member earn and spend again."`
	Rephone memberRephone `cmd:"" help:"Give a member another phone; the old one is free again."`
	Erase   memberErase   `cmd:"" help:"Remove a member's personal data for good; the ledger stays."`
	Label   memberLabel   `cmd:"" help:"Give a member a label, or take one away."`
	Card    memberCard    `cmd:"" help:"Give a member a paid card, or take one away."`
	Export  memberExport  `cmd:"" help:"Print everything about a member as JSON, personal data included."`
}

// whoFlags name one member.
type whoFlags struct {
	Merchant string `name:"merchant" required:"" placeholder:"ID" help:"The merchant whose member it is."`
	ID       string `name:"id" placeholder:"MEMBER_ID" help:"The memberId of the envelope protocol."`
	OpenID   string `name:"open-id" placeholder:"OPEN_ID" help:"The open_id of the gateway protocol."`
	Phone    string `name:"phone" placeholder:"PHONE" help:"The member's phone."`
}

// byFlags say who changes a member and why.
type byFlags struct {
	Operator string `name:"operator" placeholder:"NAME" help:"Who does it (default: the user of this machine)."`
	Reason   string `name:"reason" required:"" placeholder:"TEXT" help:"Why; kept in the audit record."`
}

// who checks the flags. A memberId is ours or one that the member brought along.
func (f *whoFlags) who() (loyalty.Who, error) {
	w := loyalty.Who{Merchant: f.Merchant, OpenID: f.OpenID, Phone: f.Phone}
	named := 0
	for _, value := range []string{f.ID, f.OpenID, f.Phone} {
		if value != "" {
			named++
		}
	}
	if named != 1 {
		return w, wrongly("name the member with exactly one of --id, --open-id and --phone")
	}
	if f.Phone != "" && !loyalty.ValidPhone(f.Phone) {
		return w, wrongly("--phone must be 11 digits beginning with 1")
	}
	if id, ok := loyalty.ParseMemberID(f.ID); ok {
		w.ID = id
	} else {
		w.ExternalID = f.ID
	}
	return w, nil
}

const maxReason = 500 // characters; an audit record is no document

func (f *byFlags) by() (loyalty.ByOperator, error) {
	by := loyalty.ByOperator{Operator: f.Operator, Reason: strings.TrimSpace(f.Reason)}
	if by.Reason == "" || len([]rune(by.Reason)) > maxReason {
		return by, wrongly("--reason must be 1 to %d characters", maxReason)
	}
	if by.Operator == "" {
		u, err := user.Current()
		if err != nil {
			return by, wrongly("--operator is needed: the user of this machine has no name")
		}
		by.Operator = u.Username
	}
	return by, nil
}

// openMember opens the platform and makes sure of the merchant.
func (f *whoFlags) open(p *program) (*platform, loyalty.Who, error) {
	who, err := f.who()
	if err != nil {
		return nil, who, err
	}
	pl, _, err := p.openMerchant(f.Merchant)
	return pl, who, err
}

// find reads the member as it stands now.
func (f *whoFlags) find(p *program) (*platform, loyalty.Found, error) {
	pl, who, err := f.open(p)
	if err != nil {
		return nil, loyalty.Found{}, err
	}
	found, err := pl.store.Member(p.ctx, who, loyalty.InstantOf(time.Now()), true)
	if err != nil {
		return nil, found, errors.Join(explain(err), pl.Close())
	}
	return pl, found, nil
}

// change runs one operator's command on a member.
func change[C loyalty.Command[loyalty.MemberChanged]](p *program, flags *whoFlags, by *byFlags, done string, command func(loyalty.Who, loyalty.ByOperator) C) error {
	return changeFrom(p, flags, by, done, func(_ *platform, who loyalty.Who, by loyalty.ByOperator) (C, error) {
		return command(who, by), nil
	})
}

// changeFrom is change for a command that has to look something up first.
func changeFrom[C loyalty.Command[loyalty.MemberChanged]](p *program, flags *whoFlags, by *byFlags, done string, command func(*platform, loyalty.Who, loyalty.ByOperator) (C, error)) error {
	operator, err := by.by()
	if err != nil {
		return err
	}
	pl, who, err := flags.open(p)
	if err != nil {
		return err
	}
	defer pl.Close()
	c, err := command(pl, who, operator)
	if err != nil {
		return err
	}
	changed, err := submit[loyalty.MemberChanged](p.ctx, pl, c)
	if err != nil {
		return explain(err)
	}
	fmt.Fprintf(p.stdout, "member %s: %s\n", loyalty.ShownMemberID(who.ExternalID, changed.Member), done)
	return nil
}

// refusals are the codes that an operator's command can meet, as an operator
// understands them.
var refusals = map[loyalty.Code]string{
	loyalty.PhoneMalformed:  "the phone must be 11 digits beginning with 1",
	loyalty.MemberNotFound:  "there is no such member",
	loyalty.MembersDisagree: "there is no such member",
	loyalty.MemberErased:    "the member's personal data has been erased",
	loyalty.PhoneTaken:      "the phone belongs to another member",
	loyalty.NothingToChange: "nothing to change: it is so already",
	loyalty.TooManyMarks:    "the member has as many labels or paid cards as one can have",

	loyalty.OrderNotFound:      "there is no such order",
	loyalty.AmountTooLarge:     "that is more money than an order can have",
	loyalty.PointsNotPositive:  "points must not be negative",
	loyalty.RefundTooLarge:     "that is more money or points than is left of the order",
	loyalty.PointsInsufficient: "the points have been spent, and the merchant's policy refuses to take back what is not there",
}

func explain(err error) error {
	code, ok := loyalty.CodeOf(err)
	if !ok {
		return err
	}
	if text, ok := refusals[code]; ok {
		return errors.New(text)
	}
	return errors.New(code.String())
}

type memberDisable struct {
	whoFlags
	byFlags
}

func (c *memberDisable) Run(p *program) error {
	return change(p, &c.whoFlags, &c.byFlags, "disabled", func(w loyalty.Who, by loyalty.ByOperator) loyalty.SetStatus {
		return loyalty.SetStatus{Who: w, Status: loyalty.Disabled, By: by}
	})
}

type memberEnable struct {
	whoFlags
	byFlags
}

func (c *memberEnable) Run(p *program) error {
	return change(p, &c.whoFlags, &c.byFlags, "enabled", func(w loyalty.Who, by loyalty.ByOperator) loyalty.SetStatus {
		return loyalty.SetStatus{Who: w, Status: loyalty.Active, By: by}
	})
}

type memberRephone struct {
	whoFlags
	byFlags
	To string `name:"to" required:"" placeholder:"PHONE" help:"The new phone."`
}

func (c *memberRephone) Run(p *program) error {
	return change(p, &c.whoFlags, &c.byFlags, "has the new phone", func(w loyalty.Who, by loyalty.ByOperator) loyalty.ChangePhone {
		return loyalty.ChangePhone{Who: w, Phone: c.To, By: by}
	})
}

type memberErase struct {
	whoFlags
	byFlags
}

func (c *memberErase) Run(p *program) error {
	return change(p, &c.whoFlags, &c.byFlags, "personal data erased", func(w loyalty.Who, by loyalty.ByOperator) loyalty.EraseMember {
		return loyalty.EraseMember{Who: w, By: by}
	})
}
