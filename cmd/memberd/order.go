package main

import (
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

type orderCommand struct {
	commonFlags
	Show    orderShow    `cmd:"" help:"Show an order with its refunds, personal data masked."`
	Preview orderPreview `cmd:"" help:"Say what a refund would take back, without booking anything."`
}

// orderFlags name one order.
type orderFlags struct {
	Merchant string `name:"merchant" required:"" placeholder:"ID" help:"The merchant whose order it is."`
	No       string `name:"no" required:"" placeholder:"NUMBER" help:"The order's number, order_no of the gateway protocol."`
	Space    string `name:"space" placeholder:"NAME" help:"The number space of the app that sent it (default: the one that the merchant's apps share)."`
}

// foundOrder is an order with its refunds, and the member as it stands now.
type foundOrder struct {
	order   loyalty.OrderFound
	refunds []loyalty.OrderFound
	member  loyalty.Found
}

// find opens the platform and reads the order.
func (f *orderFlags) find(p *program) (*platform, foundOrder, error) {
	pl, _, err := p.openMerchant(f.Merchant)
	if err != nil {
		return nil, foundOrder{}, err
	}
	found, err := f.read(p, pl)
	if err != nil {
		return nil, found, errors.Join(err, pl.Close())
	}
	return pl, found, nil
}

func (f *orderFlags) read(p *program, pl *platform) (found foundOrder, err error) {
	found.order, found.refunds, err = pl.store.Order(p.ctx, f.Merchant, loyalty.OrderKey{Space: f.Space, No: f.No})
	if err != nil {
		return found, explain(err)
	}
	who := loyalty.Who{Merchant: f.Merchant, ID: found.order.Member}
	found.member, err = pl.store.Member(p.ctx, who, loyalty.InstantOf(time.Now()), true)
	return found, explain(err)
}

type orderShow struct {
	orderFlags
	Reveal bool `name:"reveal" help:"Show personal data in full."`
}

func (c *orderShow) Run(p *program) error {
	pl, found, err := c.find(p)
	if err != nil {
		return err
	}
	defer pl.Close()
	p.printTable(orderRows(found, c.Reveal))
	if len(found.refunds) == 0 {
		return nil
	}
	fmt.Fprintln(p.stdout, "\nRefunds, oldest first:")
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  BOOKED\tNUMBER\tSTATE\tAMOUNT\tPOINTS\tGROWTH\tSTATEMENT")
	for _, r := range found.refunds {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%d\t%d\t%s\n", clock(found.member, r.BookedAt), harmless(r.No), stateNames[r.State],
			yuan(r.Amount), r.Points, r.Growth, dash(statement(&r.Order)))
	}
	return w.Flush()
}

var (
	orderKinds = map[loyalty.OrderKind]string{loyalty.Purchase: "order", loyalty.Refund: "refund"}
	stateNames = map[loyalty.OrderState]string{
		loyalty.Booked: "booked", loyalty.Parked: "waits for its order", loyalty.Declined: "declined",
	}
	earnedNames = map[loyalty.EarnedBy]string{loyalty.ByCaller: "what the caller says", loyalty.ByRule: "the merchant's rule"}
)

// statement is the id of the first ledger entry of an order, "" for none.
func statement(o *loyalty.Order) string {
	if o.Entry == 0 {
		return ""
	}
	return loyalty.StatementID(o.Member, o.Entry)
}

func orderRows(found foundOrder, reveal bool) [][2]string {
	o, f := &found.order, found.member
	rows := [][2]string{
		{orderKinds[o.Kind], o.No},
		{"order id", strconv.FormatInt(o.ID, 10)},
		{"space", dash(o.Space)},
		{"member id", shownID(f)},
		{"state", stateNames[o.State]},
	}
	if o.Kind == loyalty.Refund {
		rows = append(rows, [2]string{"refund of", o.Parent})
	}
	rows = append(rows, [][2]string{
		{"booked", clock(f, o.BookedAt)},
		{"consumed", clock(f, o.ConsumedAt)},
		{"amount", yuan(o.Amount)},
		{"points", strconv.FormatInt(o.Points, 10)},
		{"growth value", strconv.FormatInt(o.Growth, 10)},
		{"points by", earnedNames[o.Decision.EarnedBy]},
		{"statement", dash(statement(&o.Order))},
	}...)
	if o.Kind == loyalty.Purchase {
		rows = append(rows, [][2]string{
			{"refunded", yuan(o.Refunded)},
			{"points taken back", strconv.FormatInt(o.TakenBack, 10)},
			{"growth taken back", strconv.FormatInt(o.GrowthBack, 10)},
		}...)
	}
	rows = append(rows, [2]string{"app", dash(o.App)})
	return append(rows, infoRows(o.Info, reveal)...)
}

// infoRows is what the caller told about an order.
func infoRows(info loyalty.OrderInfo, reveal bool) (rows [][2]string) {
	for _, row := range [][2]string{
		{"store", info.Store}, {"shop", info.Shop}, {"description", info.Description}, {"goods", info.Material},
		{"bill head", info.BillHead}, {"bill number", info.BillNo}, {"bill date", info.BillDate},
		{"sale began", info.BillStart}, {"sale ended", info.BillEnd}, {"cashier number", info.CashierNo},
	} {
		if row[1] != "" {
			rows = append(rows, row)
		}
	}
	mask := masked
	if reveal {
		mask = func(_ maskKind, text string) string { return text }
	}
	for _, d := range papers(info.Papers) {
		if d.value != "" {
			rows = append(rows, [2]string{d.name, mask(d.kind, d.value)})
		}
	}
	return rows
}

// papers is the personal part of an order that people read.
func papers(p loyalty.OrderPapers) []datum {
	return []datum{
		{"settlement", hidden, p.Settlement}, {"paper kind", hidden, p.PaperKind}, {"paper name", hidden, p.PaperName},
		{"paper number", hidden, p.PaperNumber}, {"cashier name", nameKind, p.CashierName},
		{"member number", hidden, p.MemberNumber}, {"member name", nameKind, p.MemberName},
	}
}
