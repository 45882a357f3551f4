package storetest

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
)

// Lists of coupons and of orders against naive ones over the reference's rows.
func testOrderReads(t *testing.T, e *Engine) {
	h := newHistory(t, e, 4_000)
	if len(h.state.Coupons) < 10 || len(h.state.Orders) < 10 {
		t.Fatalf("only %d coupons and %d orders", len(h.state.Coupons), len(h.state.Orders))
	}
	for range 200 {
		h.checkCoupons(h.member(h.state.Coupons[h.rng.IntN(len(h.state.Coupons))].Member))
		o := h.state.Orders[h.rng.IntN(len(h.state.Orders))]
		h.checkOrders(h.member(o.Member))
		h.checkOrder(o)
	}
	for _, nobody := range []struct {
		merchant string
		key      loyalty.OrderKey
	}{{h.state.Members[0].Merchant, loyalty.OrderKey{Space: "s", No: "nobody's"}}, {"nobody's", h.state.Orders[0].OrderKey}} {
		if _, _, err := e.Store.Order(t.Context(), nobody.merchant, nobody.key); !errors.Is(err, loyalty.OrderNotFound) {
			t.Errorf("order %v of %s: %v", nobody.key, nobody.merchant, err)
		}
	}
	stranger := loyalty.Who{Merchant: h.state.Members[0].Merchant, Phone: "13999999999"}
	if _, _, err := e.Store.Coupons(t.Context(), stranger, 0, 0, 1, 1); !errors.Is(err, loyalty.MemberNotFound) {
		t.Errorf("coupons of nobody: %v", err)
	}
	if _, _, err := e.Store.Orders(t.Context(), stranger, 0, 1, 1); !errors.Is(err, loyalty.MemberNotFound) {
		t.Errorf("orders of nobody: %v", err)
	}
}

// clock is the merchant's time at the real time now.
func (h *history) clock(merchant string, now loyalty.Instant) loyalty.Instant {
	return now + loyalty.Instant(h.rules[merchant].ClockOffset)
}

// coupons are a member's that pass, newest first.
func (h *history) coupons(member int64, pass func(*loyalty.Coupon) bool) (list []loyalty.Coupon) {
	for _, c := range slices.Backward(h.state.Coupons) {
		if c.Member == member && pass(&c) {
			list = append(list, c)
		}
	}
	return list
}

func (h *history) usable(member int64, at loyalty.Instant) int64 {
	return int64(len(h.coupons(member, func(c *loyalty.Coupon) bool { return c.Usable(at) })))
}

func (h *history) marks(member int64) loyalty.Marks {
	for _, m := range h.state.Marks {
		if m.Member == member {
			return m.Marks
		}
	}
	return loyalty.Marks{}
}

// naiveFilters say what a filter selects.
var naiveFilters = map[loyalty.CouponFilter]func(*loyalty.Coupon, loyalty.Instant) bool{
	loyalty.AllCoupons:     func(*loyalty.Coupon, loyalty.Instant) bool { return true },
	loyalty.ValidCoupons:   (*loyalty.Coupon).Usable,
	loyalty.UsedCoupons:    inState(loyalty.CouponUsed),
	loyalty.ExpiredCoupons: (*loyalty.Coupon).Expired,
	loyalty.DeletedCoupons: inState(loyalty.CouponDeleted),
	loyalty.WaitingCoupons: inState(loyalty.CouponWaiting),
}

func inState(s loyalty.CouponState) func(*loyalty.Coupon, loyalty.Instant) bool {
	return func(c *loyalty.Coupon, at loyalty.Instant) bool { return c.StateAt(at) == s }
}

func (h *history) checkCoupons(m loyalty.Member) {
	t := h.t
	t.Helper()
	now := h.now(m.Merchant)
	for filter, pass := range naiveFilters {
		at := h.clock(m.Merchant, now)
		var want []loyalty.HeldCoupon
		for _, c := range h.coupons(m.ID, func(c *loyalty.Coupon) bool { return pass(c, at) }) {
			i := slices.IndexFunc(h.state.Templates, func(t loyalty.Template) bool { return t.ID == c.Template })
			want = append(want, loyalty.HeldCoupon{Coupon: c, Template: &h.state.Templates[i]})
		}
		page, size := h.pageAndSize(len(want))
		found, got, err := h.Store.Coupons(t.Context(), loyalty.Who{Merchant: m.Merchant, ID: m.ID}, now, filter, page, size)
		must(t, err)
		after, _ := h.asOf(m, now)
		equal(t, "member of coupons", after, found.Member)
		equal(t, "page of coupons", loyalty.CouponPage{Total: int64(len(want)), Coupons: pageOf(want, page, size)}, got)
	}
}

func (h *history) pageAndSize(n int) (page, size int) {
	size = 1 + h.rng.IntN(8)
	page = 1 + h.rng.IntN(n/size+2)
	if h.rng.IntN(10) == 0 {
		page = math.MaxInt
	}
	return page, size
}

// told is an order with what its caller told.
func (h *history) told(o loyalty.Order) loyalty.OrderFound {
	found := loyalty.OrderFound{Order: o}
	for _, i := range h.state.OrderInfos {
		if i.Member == o.Member && i.Seq == o.Seq {
			found.Info = i.OrderInfo
		}
	}
	return found
}

func (h *history) checkOrders(m loyalty.Member) {
	t := h.t
	t.Helper()
	now := h.now(m.Merchant)
	var want []loyalty.OrderFound
	for _, o := range slices.Backward(h.state.Orders) {
		if o.Member == m.ID {
			want = append(want, h.told(o))
		}
	}
	page, size := h.pageAndSize(len(want))
	found, got, err := h.Store.Orders(t.Context(), loyalty.Who{Merchant: m.Merchant, OpenID: m.OpenID}, now, page, size)
	must(t, err)
	after, _ := h.asOf(m, now)
	equal(t, "member of orders", after, found.Member)
	equal(t, "page of orders", loyalty.OrderPage{Total: int64(len(want)), Orders: pageOf(want, page, size)}, got)
}

func (h *history) checkOrder(o loyalty.Order) {
	t := h.t
	t.Helper()
	if o.No == "" {
		return
	}
	var want []loyalty.OrderFound
	for _, r := range h.state.Orders {
		if o.Kind == loyalty.Purchase && r.Member == o.Member && r.Kind == loyalty.Refund && r.Space == o.Space && r.Parent == o.No {
			want = append(want, h.told(r))
		}
	}
	got, refunds, err := h.Store.Order(t.Context(), h.member(o.Member).Merchant, o.OrderKey)
	must(t, err)
	equal(t, "order", h.told(o), got)
	equal(t, "refunds", want, refunds)
}

// A coupon's time comes and goes without any row changing: at every instant the
// lists and the count with the profile say what the domain says.
func testCouponTimes(t *testing.T, e *Engine) {
	snap := rules(t, "m", nil)
	e.AddMerchants(t, snap)
	m := emptyMember(1)
	c := loyalty.Changes{
		Profiles:     []loyalty.ProfileRow{{Member: 1, Merchant: "m", New: true}},
		NewTemplates: []loyalty.Template{plainTemplate(1, "t", 0, 0)},
	}
	for state := loyalty.CouponDeleted; state <= loyalty.CouponWaiting; state++ {
		for begin := loyalty.Instant(1); begin < 6; begin++ {
			for end := begin + 1; end < 8; end++ {
				m.Coupons++
				c.NewCoupons = append(c.NewCoupons, loyalty.Coupon{
					Member: 1, Seq: m.Coupons, ID: m.Coupons, Template: 1, State: state, BeginAt: begin, EndAt: end,
				})
			}
		}
	}
	c.NewMembers = []loyalty.Member{m}
	saveAll(t, e.Store, c)
	who := loyalty.Who{Merchant: "m", ID: 1}
	for at := loyalty.Instant(0); at < 9; at++ {
		for filter, pass := range naiveFilters {
			var want, got []int64
			for _, coupon := range slices.Backward(c.NewCoupons) {
				if pass(&coupon, at) {
					want = append(want, coupon.Seq)
				}
			}
			_, page, err := e.Store.Coupons(t.Context(), who, at, filter, 1, 1_000)
			must(t, err)
			for _, held := range page.Coupons {
				got = append(got, held.Seq)
			}
			equal(t, "coupons", want, got)
			if page.Total != int64(len(want)) {
				t.Errorf("filter %d at %d: total %d, want %d", filter, at, page.Total, len(want))
			}
			if filter != loyalty.ValidCoupons {
				continue
			}
			f, err := e.Store.Member(t.Context(), who, at, true)
			must(t, err)
			if f.UsableCoupons != int64(len(want)) || f.Coupons != m.Coupons {
				t.Errorf("at %d: %d usable of %d, want %d of %d", at, f.UsableCoupons, f.Coupons, len(want), m.Coupons)
			}
		}
	}
}

// plainTemplate is a template for anybody at any time.
func plainTemplate(id int64, number string, quantity, limit int64) loyalty.Template {
	return loyalty.Template{
		ID: id, Merchant: "m", TemplateKey: loyalty.TemplateKey{Number: number},
		TemplateTerms: loyalty.TemplateTerms{Name: "满减", Term: 30, Quantity: quantity, ClaimLimit: limit, Restriction: loyalty.RestrictNobody},
	}
}
