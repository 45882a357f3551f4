package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/memberd/memberd/internal/loyalty"
)

// Repair is one command of a proposal. Exactly one of the four is set.
type Repair struct {
	Text     string // what it does, for people
	Key      string // under which it is booked: twice is once
	Order    *loyalty.RecordOrder
	Refund   *loyalty.RefundOrder
	Change   *Booking
	RollBack *loyalty.RollBackStatement
}

// Booking is a change of points out of the file. Under the key of a partner's
// own change it books nothing that the partner has declared void by a rollback.
type Booking struct{ loyalty.ChangePoints }

// Key is that of the change, with what bars it.
func (b Booking) Key() loyalty.Key {
	k := b.ChangePoints.Key()
	if b.KeyOp == loyalty.KeyChange {
		k.BarredBy = loyalty.KeyRollbackByChange
	}
	return k
}

// Options are about a whole run.
type Options struct {
	Merchant, Space string
	Day             Day
	By              loyalty.ByOperator
	Now             loyalty.Instant // the merchant's clock
	Whole           bool            // the file has a line with totals
	// VoidOurs takes back what the file lacks. The caller makes sure that the
	// file is whole.
	VoidOurs bool
}

// FixKey is the key of the nth correction of a line, from 1. It is made of what
// names the line, and not of what the line says: so a file that the partner has
// corrected meets the corrections that an earlier one has brought, and what is
// proposed is only what is missing after them.
func (o *Options) FixKey(l *Line, n int) string {
	kind, who := l.Kind, l.MemberID
	if kind.numbered() {
		kind, who = "order", ""
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{o.Merchant, o.Space, string(kind), who, l.Number}, "\x00")))
	return fmt.Sprintf("recon-%s-%s-%d", strings.ReplaceAll(o.Day.Date, "-", ""), hex.EncodeToString(sum[:8]), n)
}

// The reasons that members read in their ledgers.
const (
	reasonLate = "对账补记"
	reasonFix  = "对账调整"
)

// trace is what an order carries about where it comes from; changes of points
// carry it in their notes.
type trace struct {
	Reconciled string `json:"reconciled"`
	Operator   string `json:"operator"`
	Reason     string `json:"reason"`
}

func (o *Options) info(reason, store string) loyalty.OrderInfo {
	text, err := json.Marshal(trace{o.Day.Date, o.By.Operator, o.By.Reason})
	if err != nil {
		panic(err) // strings only
	}
	return loyalty.OrderInfo{Store: store, Description: reason, Material: string(text)}
}

func (o *Options) note(reason, order string) loyalty.Note {
	return loyalty.Note{Reason: reason, OrderNo: order, Detail: loyalty.Detail{
		Operator: o.By.Operator, Remark: o.By.Reason, BusinessType: "reconcile " + o.Day.Date,
	}}
}

func (o *Options) member(id int64) loyalty.Who { return loyalty.Who{Merchant: o.Merchant, ID: id} }

// recordOrder books an order of the file under its own number.
func (o *Options) recordOrder(l *Line, m Member) Repair {
	return Repair{
		Key:  l.Number,
		Text: fmt.Sprintf("record order %s of %s: amount %s, points %d, consumed %s", l.Number, m.OpenID, Yuan(l.Amount), l.Points, o.Day.clock(l.Consumed.At)),
		Order: &loyalty.RecordOrder{
			Who: o.member(m.ID), Order: loyalty.OrderKey{Space: o.Space, No: l.Number}, Amount: l.Amount, ConsumedAt: l.Consumed.At,
			Points: l.Points, Given: true, Info: o.info(reasonLate, l.Store),
		},
	}
}

// refundOrder books a refund of the file under its own number.
func (o *Options) refundOrder(l *Line, member int64) Repair {
	return Repair{
		Key:  l.Number,
		Text: fmt.Sprintf("refund order %s as %s: amount %s, take back %d points", l.Parent, l.Number, Yuan(l.Amount), l.Points),
		Refund: &loyalty.RefundOrder{
			Who: o.member(member), Order: loyalty.OrderKey{Space: o.Space, No: l.Number}, Parent: l.Parent, Amount: l.Amount,
			ConsumedAt: l.Consumed.At, Points: l.Points, Given: true, Info: o.info(reasonLate, l.Store),
		},
	}
}

// refundRest takes money and points of an order back under a number of our own.
func (o *Options) refundRest(member int64, order, key string, amount, points int64, store string) Repair {
	return Repair{
		Key:  key,
		Text: fmt.Sprintf("refund order %s as %s: amount %s, take back %d points", order, key, Yuan(amount), points),
		Refund: &loyalty.RefundOrder{
			Who: o.member(member), Order: loyalty.OrderKey{Space: o.Space, No: key}, Parent: order, Amount: amount,
			ConsumedAt: o.Now, Points: points, Given: true, Info: o.info(reasonFix, store),
		},
	}
}

// change gives or takes points; negative ones are taken. order makes a credit
// one of the order's, which a later refund can take back.
func (o *Options) change(member int64, openID string, op loyalty.KeyOperation, key string, points int64, reason, order string) Repair {
	c := loyalty.ChangePoints{
		Who: o.member(member), ID: key, Space: o.Space, KeyOp: op,
		Direction: loyalty.Credit, Operation: loyalty.OpManualGrant, Points: points, Note: o.note(reason, order),
	}
	what := "credit"
	if points < 0 {
		c.Direction, c.Operation, c.Points, what = loyalty.Debit, loyalty.OpManualDeduct, -points, "debit"
	}
	return Repair{
		Key:    key,
		Text:   fmt.Sprintf("%s %d points of %s as %s %s", what, c.Points, openID, op, key),
		Change: &Booking{c},
	}
}

// rollBack undoes points of a change.
func (o *Options) rollBack(b *Booked, key string, points int64) Repair {
	return Repair{
		Key:  key,
		Text: fmt.Sprintf("roll back %d points of statement %s as %s", points, b.Statement, key),
		RollBack: &loyalty.RollBackStatement{
			Who: o.member(b.Member), Statement: b.Statement, ID: key, Space: o.Space, Quantity: points, Note: o.note(reasonFix, ""),
		},
	}
}
