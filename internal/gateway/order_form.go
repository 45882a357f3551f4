package gateway

import (
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// maxDocument bounds material_info and fin_entity_info, in characters: a till's
// longest receipt many times over.
const maxDocument = 100_000

// orderFields are the fields that 4.1 and 4.2 have in common.
type orderFields struct {
	who    loyalty.Who
	number string
	parent string // of refunds
	amount int64  // fen
	at     loyalty.Instant
	points int64
	given  bool // order_score was sent
	info   loyalty.OrderInfo
}

// order reads the fields of an order or, with a parent, of a refund. The table
// writes their names in snake_case, the example all of them in camelCase, so
// each has both (G-140). numbered: the order's own number is required.
func (c *call) order(refund, numbered bool) (orderFields, error) {
	snap, err := c.snapshot()
	if err != nil {
		return orderFields{}, err
	}
	f := &c.fields
	o := orderFields{
		who:    f.member(),
		number: f.text(maxKey, both("order_no")...),
		amount: f.orderAmount(),
		at:     f.needMoment(snap.Location(), both("consume_date")...),
	}
	if numbered && o.number == "" {
		f.missing("order_no")
	}
	if refund {
		if o.parent = f.need(maxKey, both("parent_order_no")...); o.parent == o.number {
			f.fail(invalid("order_no 不能与 parent_order_no 相同"))
		}
	}
	o.points, o.given = f.orderScore()
	o.info = f.orderInfo(snap.Location())
	return o, f.check()
}

// orderAmount is yuan on the wire (G-152).
func (f *form) orderAmount() int64 {
	amount, present, err := f.fields.Fen(both("order_amount")...)
	switch {
	case err != nil:
		f.fail(err)
	case !present:
		f.missing("order_amount")
	case amount < 0 || amount > loyalty.MaxAmount:
		f.outOfRange("order_amount")
	}
	return amount
}

// orderScore may be absent: then the merchant's setting decides. How many points
// are too many is a setting, too.
func (f *form) orderScore() (points int64, given bool) {
	points, given, err := f.fields.Int(both("order_score")...)
	if err != nil {
		f.fail(err)
	} else if points < 0 {
		f.outOfRange("order_score")
	}
	return points, given
}

// orderInfo is what is kept and decides nothing. Dates are checked, since a date
// that cannot be read is a mistake of the caller's that only he can repair
// (G-153); they are kept as they were sent.
func (f *form) orderInfo(zone *time.Location) loyalty.OrderInfo {
	return loyalty.OrderInfo{
		Store:       f.text(maxKey, both("store_id")...),
		Shop:        f.text(maxKey, both("shop_id")...),
		Description: f.text(maxText, "desc"),
		Material:    f.document(both("material_info")...),
		BillHead:    f.text(maxName, both("bill_head")...),
		BillNo:      f.text(maxKey, both("bill_no")...),
		BillDate:    f.dateText(zone, both("bill_date")...),
		BillStart:   f.dateText(zone, both("bill_start_time")...),
		BillEnd:     f.dateText(zone, both("bill_end_time")...),
		CashierNo:   f.text(maxKey, both("cashier_no")...),
		Papers: loyalty.OrderPapers{
			Settlement:   f.document(both("fin_entity_info")...),
			PaperKind:    f.integerText(both("psea_zjlx")...), // any (G-156)
			PaperName:    f.text(maxName, both("psea_zjlx_name")...),
			PaperNumber:  f.text(maxKey, both("psea_zjhm")...),
			CashierName:  f.text(maxName, both("cashier_name")...),
			MemberNumber: f.text(maxKey, both("vip_number")...),
			MemberName:   f.text(maxName, both("vip_name")...),
		},
	}
}

// orderRefusal names the field where the domain's code leaves it open.
func orderRefusal(err error) error {
	if code, _ := loyalty.CodeOf(err); code == loyalty.CreditTooLarge {
		return errOrderScore
	}
	return aheadIn("consume_date", err)
}

// orderData is the answer of 4.1 and 4.2. order_id is in both (G-162), parked
// only where a refund waits for its order.
type orderData struct {
	StatementID string `json:"statement_id"`
	OrderScore  int64  `json:"order_score"`
	OrderID     int64  `json:"order_id"`
	Parked      bool   `json:"parked,omitempty"`
}
