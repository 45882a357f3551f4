package main

import (
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/webhook"
)

type callbackCommand struct {
	commonFlags
	List   callbackList   `cmd:"" help:"List callbacks: those that wait or are parked, or what the flags select."`
	Resend callbackResend `cmd:"" help:"Send callbacks again, under their numbers and beside what waits."`
}

// callbackFlags select events of one merchant.
type callbackFlags struct {
	Merchant string `name:"merchant" required:"" placeholder:"ID" help:"The merchant whose callbacks they are."`
	App      string `name:"app" placeholder:"APP_ID" help:"Only those to this app."`
	Member   string `name:"member" placeholder:"MEMBER_ID" help:"Only those about this member."`
	State    string `name:"state" enum:",waiting,delivered,parked,dropped" default:"" placeholder:"STATE" help:"waiting, delivered, parked or dropped."`
	Since    string `name:"since" placeholder:"TIME" help:"From then on, such as 2026-11-22, 2026-11-22T10:00:00 (merchant's zone) or with a zone. Of delivered and dropped ones it is when they were, of others when they happened."`
	Until    string `name:"until" placeholder:"TIME" help:"Before then."`
}

// selection is what the flags select, on an open platform.
type selection struct {
	merchant *access.Merchant
	apps     []string
	filter   webhook.Filter
}

func (f *callbackFlags) selection(p *program, pl *platform, merchant *access.Merchant) (s selection, err error) {
	s.merchant = merchant
	apps, err := pl.access.Apps(p.ctx, f.Merchant)
	if err != nil {
		return s, err
	}
	for _, a := range apps {
		if f.App == "" || a.ID == f.App {
			s.apps = append(s.apps, a.ID)
		}
	}
	if f.App != "" && len(s.apps) == 0 {
		return s, fmt.Errorf("merchant %s has no app %s", f.Merchant, f.App)
	}
	s.filter.State, _ = webhook.ParseState(f.State)
	if f.Member != "" {
		who, err := (&whoFlags{Merchant: f.Merchant, ID: f.Member}).who()
		if err != nil {
			return s, err
		}
		member, err := pl.store.Member(p.ctx, who, loyalty.InstantOf(time.Now()), false)
		if err != nil {
			return s, explain(err)
		}
		s.filter.Member = member.ID
	}
	for _, at := range []struct {
		flag, text string
		to         *int64
	}{{"since", f.Since, &s.filter.Since}, {"until", f.Until, &s.filter.Until}} {
		if *at.to, err = moment(at.flag, at.text, s.merchant.Location); err != nil {
			return s, err
		}
	}
	return s, nil
}

// moment reads a time, unix ms; 0 for none.
func moment(flag, text string, zone *time.Location) (int64, error) {
	if text == "" {
		return 0, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UnixMilli(), nil
	}
	for _, layout := range []string{time.DateOnly, time.DateTime, "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t.UnixMilli(), nil
		}
	}
	return 0, wrongly("--%s must be a time such as 2026-11-22, 2026-11-22T10:00:00 or 2026-11-22T10:00:00+08:00", flag)
}

// filters are the filters of a selection, one for each app and state.
func (s *selection) filters(states ...webhook.State) (filters []webhook.Filter) {
	for _, app := range s.apps {
		for _, state := range states {
			f := s.filter
			f.App, f.State = app, state
			filters = append(filters, f)
		}
	}
	return filters
}

// states are those that were asked for; some where the flags say nothing.
func (s *selection) states(some ...webhook.State) []webhook.State {
	if s.filter.State != 0 {
		return []webhook.State{s.filter.State}
	}
	if s.filter.Member != 0 {
		return []webhook.State{0} // all
	}
	return some
}

type callbackList struct {
	callbackFlags
	Limit int  `name:"limit" default:"100" placeholder:"N" help:"How many at most."`
	JSON  bool `name:"json" help:"Print JSON."`
}

// listedCallback is an event for programs.
type listedCallback struct {
	ID         string `json:"event_id"`
	App        string `json:"app_id"`
	MemberID   string `json:"member_id"`
	Number     int64  `json:"number"`
	Kind       string `json:"kind"`
	State      string `json:"state"`
	HappenedAt string `json:"happened_at"`
	DoneAt     string `json:"done_at"`
	Attempts   int64  `json:"attempts"`
	Failure    string `json:"failure"`
	Resend     bool   `json:"resend"`
}

// errEnough ends a list that is long enough.
var errEnough = errors.New("enough")

func (c *callbackList) Run(p *program) error {
	if c.Limit < 1 {
		return wrongly("--limit must be at least 1")
	}
	pl, merchant, err := p.openMerchant(c.Merchant)
	if err != nil {
		return err
	}
	defer pl.Close()
	s, err := c.selection(p, pl, merchant)
	if err != nil {
		return err
	}
	list := []listedCallback{}
	for _, f := range s.filters(s.states(webhook.StateWaiting, webhook.StateParked)...) {
		f.Limit = c.Limit - len(list) + 1
		err := pl.store.EachCallback(p.ctx, f, func(l webhook.Listed) error {
			if len(list) == c.Limit {
				return errEnough
			}
			list = append(list, listed(l, s.merchant.Location))
			return nil
		})
		if errors.Is(err, errEnough) {
			fmt.Fprintf(p.stderr, "memberd: there are more than %d; say more exactly which, or raise --limit\n", c.Limit)
			break
		}
		if err != nil {
			return err
		}
	}
	if c.JSON {
		return p.printJSON(list)
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "EVENT\tKIND\tSTATE\tHAPPENED\tDONE\tATTEMPTS\tFAILURE")
	for _, l := range list {
		state := l.State
		if l.Resend {
			state += ", again"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", l.ID, l.Kind, state, l.HappenedAt, dash(l.DoneAt), l.Attempts, dash(l.Failure))
	}
	return w.Flush()
}

func listed(l webhook.Listed, zone *time.Location) listedCallback {
	one := listedCallback{
		ID: l.ID(), App: l.App, MemberID: loyalty.MemberIDText(l.Member), Number: l.No, Kind: string(l.Kind), State: l.State.String(),
		HappenedAt: l.At.In(zone).Format(time.RFC3339), Attempts: l.Attempts, Failure: l.Failure, Resend: l.Resend,
	}
	if l.DoneAt != 0 {
		one.DoneAt = time.UnixMilli(l.DoneAt).In(zone).Format(time.RFC3339)
	}
	return one
}

type callbackResend struct {
	callbackFlags
	Event []string `name:"event" sep:"," placeholder:"EVENT_ID" help:"Only this event; may be repeated."`
}

// check keeps a slip from sending everything again.
func (c *callbackResend) check() error {
	others := c.App != "" || c.Member != "" || c.State != "" || c.Since != "" || c.Until != ""
	switch {
	case len(c.Event) > 0 && others:
		return wrongly("--event names an event; no other flag but --merchant goes with it")
	case len(c.Event) == 0 && !others:
		return wrongly("say which: --event, --member, --state, --since, --until or --app")
	case c.State == "delivered" && c.Member == "" && c.Since == "":
		return wrongly("--state delivered needs --since or --member")
	case c.State == "dropped":
		return wrongly("dropped callbacks are of erased members and are not sent any more")
	}
	return nil
}

func (c *callbackResend) Run(p *program) error {
	if err := c.check(); err != nil {
		return err
	}
	pl, merchant, err := p.openMerchant(c.Merchant)
	if err != nil {
		return err
	}
	defer pl.Close()
	s, err := c.selection(p, pl, merchant)
	if err != nil {
		return err
	}
	filters := s.filters(s.states(webhook.StateParked)...)
	if len(c.Event) > 0 {
		if filters, err = s.events(c.Event); err != nil {
			return err
		}
	}
	total := 0
	for _, f := range filters {
		n, err := pl.store.ResendCallbacks(p.ctx, f)
		total += n
		if err != nil {
			return err
		}
		if n == 0 && f.No != 0 {
			return fmt.Errorf("there is no event %s to send", webhook.EventID(f.App, f.Member, f.No))
		}
	}
	fmt.Fprintf(p.stdout, "%d callbacks are sent again\n", total)
	return nil
}

// events are the filters of single events.
func (s *selection) events(ids []string) (filters []webhook.Filter, err error) {
	for _, id := range ids {
		f := webhook.Filter{}
		if f.App, f.Member, f.No, err = webhook.ParseEventID(id); err != nil {
			return nil, wrongly("--event %s: %w", id, err)
		}
		if !slices.Contains(s.apps, f.App) {
			return nil, fmt.Errorf("merchant %s has no app %s", s.merchant.ID, f.App)
		}
		filters = append(filters, f)
	}
	return filters, nil
}
