package main

import (
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

type orderPreview struct {
	orderFlags
	Amount string `name:"amount" required:"" placeholder:"YUAN" help:"Money of the refund, such as 99.50."`
	Score  *int64 `name:"score" placeholder:"N" help:"Points that the refund shall take back (default: none for an order whose caller named its points, else what the rule says)."`
}

func (c *orderPreview) Run(p *program) error {
	fen, ok := parseYuan(c.Amount)
	if !ok {
		return wrongly("--amount must be yuan with at most two decimals, not negative")
	}
	pl, found, err := c.find(p)
	if err != nil {
		return err
	}
	defer pl.Close()
	if found.order.Kind != loyalty.Purchase {
		return fmt.Errorf("%s is a refund; name its order %s", harmless(c.No), harmless(found.order.Parent))
	}
	refund := loyalty.RefundOrder{
		Who: loyalty.Who{Merchant: c.Merchant, ID: found.order.Member}, Order: loyalty.OrderKey{Space: c.Space}, Parent: c.No,
		Amount: fen, ConsumedAt: loyalty.InstantOf(time.Now()),
	}
	if c.Score != nil {
		refund.Points, refund.Given = *c.Score, true
	}
	preview, err := submit[loyalty.RefundPreview](p.ctx, pl, loyalty.PreviewRefund{RefundOrder: refund})
	if err != nil {
		return explain(err)
	}
	return p.printPreview(found, fen, preview)
}

// printPreview says what would be taken back and from where, and what would be
// given back. Nothing has been booked.
func (p *program) printPreview(found foundOrder, fen int64, v loyalty.RefundPreview) error {
	snap := found.member.Snapshot
	left := found.order.Amount - found.order.Refunded
	rows := [][2]string{
		{"order", found.order.No},
		{"member id", shownID(found.member)},
		{"money left of the order", yuan(left) + " -> " + yuan(left-fen)},
		{"points taken back", strconv.FormatInt(v.Points, 10)},
	}
	for _, part := range []struct {
		name   string
		points int64
	}{
		{"  had expired unused", v.Lapsed}, {"  in the waiting period", v.Pending},
		{"  owed, later credits fill it", v.Deficit}, {"  forgiven", v.WrittenOff},
	} {
		if part.points != 0 {
			rows = append(rows, [2]string{part.name, strconv.FormatInt(part.points, 10)})
		}
	}
	p.printTable(append(rows, [][2]string{
		{"balance", fmt.Sprintf("%d -> %d", v.Balance, v.BalanceAfter)},
		{"growth value", fmt.Sprintf("%d -> %d", v.Growth, v.GrowthAfter)},
		{"level", levelText(snap, v.Level) + " -> " + levelText(snap, v.LevelAfter)},
	}...))
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	if len(v.Parts) > 0 {
		fmt.Fprintln(w, "\nTaken back from lots:")
		fmt.Fprintln(w, "  POINTS\tUSABLE UNTIL\tSOURCE")
		for _, part := range v.Parts {
			fmt.Fprintf(w, "  %d\t%s\t%s\n", -part.Quantity, untilText(found.member, part.ExpiresAt), dash(part.Source))
		}
	}
	if len(v.Coupons) > 0 {
		fmt.Fprintln(w, "\nGiven back:")
		fmt.Fprintln(w, "  COUPON\tUSABLE UNTIL")
		for _, coupon := range v.Coupons {
			fmt.Fprintf(w, "  %s\t%s\n", harmless(coupon.Number), untilText(found.member, coupon.EndAt))
		}
	}
	fmt.Fprintln(w, "\nNothing has been booked.")
	return w.Flush()
}

func levelText(snap *loyalty.Snapshot, number int64) string {
	for _, l := range snap.Levels {
		if l.Number == number {
			return fmt.Sprintf("%d %s", l.Number, l.Name)
		}
	}
	return "-"
}

// untilText is the last second before an exclusive end.
func untilText(f loyalty.Found, end loyalty.Instant) string {
	if end == loyalty.Never {
		return "for ever"
	}
	return clock(f, end-1)
}
