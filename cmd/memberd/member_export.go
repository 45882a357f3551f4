package main

import (
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

type memberExport struct {
	whoFlags
}

// exported is everything about a member, for the member's own request. Times
// are in the merchant's zone.
type exported struct {
	ExportedAt string           `json:"exported_at"`
	Merchant   string           `json:"merchant_id"`
	MemberID   string           `json:"member_id"`
	OpenID     string           `json:"open_id"`
	Status     string           `json:"status"`
	Registered string           `json:"registered_at"`
	Level      int64            `json:"level"`
	Growth     int64            `json:"growth_value"`
	Balance    int64            `json:"balance"`
	Earned     int64            `json:"total_earned"`
	Used       int64            `json:"used"`
	Pending    int64            `json:"pending"`
	Deficit    int64            `json:"deficit"`
	Consumed   exportedTotals   `json:"consumption"`
	Labels     []string         `json:"labels"`
	Cards      []exportedCard   `json:"paid_cards"`
	Profile    exportedProfile  `json:"profile"`
	Orders     []exportedOrder  `json:"orders"`
	Coupons    []exportedCoupon `json:"coupons"`
	Entries    []exportedEntry  `json:"entries"`
	Audit      []exportedAudit  `json:"changes_by_operators"`
}

type exportedProfile struct {
	Nickname   string `json:"nickname,omitempty"`
	BirthMonth int    `json:"birth_month,omitempty"`
	BirthDay   int    `json:"birth_day,omitempty"`
	Store      string `json:"store,omitempty"`
	loyalty.Profile
}

type exportedEntry struct {
	StatementID string          `json:"statement_id"`
	At          string          `json:"at"`
	Kind        string          `json:"kind"`
	Amount      int64           `json:"amount"`
	Points      int64           `json:"points"`
	Pending     int64           `json:"pending,omitempty"`
	Deficit     int64           `json:"deficit,omitempty"`
	Lapsed      int64           `json:"lapsed,omitempty"`
	Balance     int64           `json:"balance"`
	Reversed    int64           `json:"reversed,omitempty"`
	Reverses    string          `json:"reverses,omitempty"`
	App         string          `json:"app_id,omitempty"`
	Operation   int64           `json:"operation_type,omitempty"`
	Event       string          `json:"change_event,omitempty"`
	Reason      string          `json:"reason,omitempty"`
	OrderNo     string          `json:"order_no,omitempty"`
	Activity    string          `json:"activity,omitempty"`
	Detail      *loyalty.Detail `json:"detail,omitempty"`
}

type exportedAudit struct {
	At       string `json:"at"`
	Action   string `json:"action"`
	Operator string `json:"operator"`
	Reason   string `json:"reason"`
}

var kindNames = map[loyalty.EntryKind]string{
	loyalty.Grant: "grant", loyalty.Spend: "spend", loyalty.TakeBack: "take back", loyalty.PutBack: "give back",
	loyalty.Release: "release", loyalty.Expiry: "expiry", loyalty.WriteOff: "write-off",
}

func (c *memberExport) Run(p *program) error {
	pl, f, err := c.find(p)
	if err != nil {
		return err
	}
	defer pl.Close()
	at := func(i loyalty.Instant) string {
		return time.UnixMilli(int64(i)).In(f.Snapshot.Location()).Format(time.RFC3339)
	}
	out := exported{
		ExportedAt: at(loyalty.InstantOf(time.Now())), Merchant: f.Merchant, MemberID: shownID(f), OpenID: f.OpenID,
		Status: statusNames[f.Status], Registered: at(f.RegisteredAt), Level: f.Level, Growth: f.Growth,
		Balance: f.Balance, Earned: f.Earned, Used: f.Used, Pending: f.Pending, Deficit: f.Deficit,
		Profile:  exportedProfile{f.Profile.Nickname, f.Profile.BirthMonth, f.Profile.BirthDay, f.Profile.Store, f.Profile},
		Consumed: exportedTotals{f.ConsumeCount, yuan(f.ConsumeFen)},
		Entries:  []exportedEntry{}, Audit: []exportedAudit{},
	}
	if err := exportHoldings(p, pl, f, &out, at); err != nil {
		return err
	}
	err = pl.store.EachEntry(p.ctx, f.ID, func(e loyalty.Entry) error {
		out.Entries = append(out.Entries, exportEntry(e, at))
		return nil
	})
	if err != nil {
		return err
	}
	audits, err := pl.store.Audits(p.ctx, f.ID)
	if err != nil {
		return err
	}
	for _, a := range audits {
		out.Audit = append(out.Audit, exportedAudit{at(a.At), a.Action, a.Operator, a.Reason})
	}
	return p.printJSON(out)
}

func exportEntry(e loyalty.Entry, at func(loyalty.Instant) string) exportedEntry {
	out := exportedEntry{
		StatementID: loyalty.StatementID(e.Member, e.No), At: at(e.At), Kind: kindNames[e.Kind],
		Amount: e.Amount, Points: e.Points, Pending: e.Pending, Deficit: e.Deficit, Lapsed: e.Lapsed,
		Balance: e.Balance, Reversed: e.Reversed, App: e.App, Operation: int64(e.Operation),
		Event: e.Event, Reason: e.Reason, OrderNo: e.OrderNo, Activity: e.Activity,
	}
	if e.Reverses != 0 {
		out.Reverses = loyalty.StatementID(e.Member, e.Reverses)
	}
	if e.Detail != (loyalty.Detail{}) {
		out.Detail = &e.Detail
	}
	return out
}
