package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
)

// The numbers of the demo's templates, third_coupon_id on the wire.
const (
	demoWelcome = "W2001" // for new members, one each
	demoTerm    = "T1001" // good for some days after it is received
	demoPeriod  = "P9001" // a percentage, some in stock, two each
	demoStores  = "S5001" // for two stores
	// demoExample is the template of the document's example of giving coupons,
	// and demoOld the one of its example of adding a template.
	demoExample = "123213212"
	demoOld     = "1629772939065"
)

// demoTemplates are those that purchases bring.
var demoTemplates = []string{demoTerm, demoPeriod, demoStores}

// demoCoupon is a coupon that a shopper holds.
type demoCoupon struct {
	number string
	until  time.Time
	store  string // "" for any
}

// demoLife is how many days coupons of a template live, where it has a term.
var demoLife = map[string]int{demoWelcome: 30, demoTerm: 15}

// templates makes the coupon templates before the first member comes.
func (h *demoHistory) templates() {
	begin := h.now.AddDate(0, -demoMonths, -1)
	periodEnd := h.periodEnd()
	at := loyalty.InstantOf
	h.template(begin, demoWelcome, loyalty.TemplateTerms{
		Name: "新人礼券20元", Category: loyalty.OrderOff, Discount: 20_00, MinimumFee: 100_00, Rules: "满100元可用",
		Term: demoLife[demoWelcome], ClaimLimit: 1, Restriction: loyalty.RestrictNew,
	})
	h.template(begin, demoTerm, loyalty.TemplateTerms{
		Name: "满200减30", Category: loyalty.OrderOff, Discount: 30_00, MinimumFee: 200_00, Rules: "满200元可用",
		Term: demoLife[demoTerm], Restriction: loyalty.RestrictNobody,
	})
	h.template(begin, demoPeriod, loyalty.TemplateTerms{
		Name: "会员九折", Category: loyalty.OrderDiscount, Discount: 90, Rules: "不与其他优惠同享",
		Period: true, BeginAt: at(begin), EndAt: at(periodEnd), Quantity: 100, ClaimLimit: 2, Restriction: loyalty.RestrictNobody,
	})
	h.template(begin, demoStores, loyalty.TemplateTerms{
		Name: "唐家湾店专享", Category: loyalty.ProductOff, Discount: 5_00, Rules: "限指定门店使用",
		Period: true, BeginAt: at(begin), EndAt: at(periodEnd), Restriction: loyalty.RestrictNobody, SuitStore: 1,
		Stores: []loyalty.ScopeItem{{ID: strconv.Itoa(demoStore), Name: "唐家湾"}, {ID: strconv.Itoa(demoStore + 1), Name: "拱北"}},
	})
	h.exampleTemplates()
}

// exampleTemplates are the templates of the document's examples, made at the
// time in which these play: an old period can be repeated, not made anew.
func (h *demoHistory) exampleTemplates() {
	begin := time.Date(2021, 7, 1, 0, 0, 0, 0, h.zone)
	end := time.Date(h.now.In(h.zone).Year()+2, 1, 1, 0, 0, 0, 0, h.zone)
	h.template(begin, demoExample, loyalty.TemplateTerms{
		Name: "满100减10", Category: loyalty.OrderOff, Discount: 10_00, MinimumFee: 100_00, Rules: "满100元才能使用",
		Period: true, BeginAt: loyalty.InstantOf(begin), EndAt: loyalty.InstantOf(end), Restriction: loyalty.RestrictNobody,
	})
	h.template(time.UnixMilli(1629772939065), demoOld, loyalty.TemplateTerms{
		Name: "vnjohn1629772939065", Category: loyalty.OrderOff, Discount: 10, Rules: "满200元才能使用",
		Period: true, BeginAt: 1629859339082, EndAt: 1630204939084, Restriction: loyalty.RestrictNobody,
		SuitStore: 1, Stores: []loyalty.ScopeItem{{ID: "1", Name: "唐家湾"}},
	})
}

// periodEnd is the end of the demo's campaigns, some weeks ahead.
func (h *demoHistory) periodEnd() time.Time {
	y, m, d := h.now.In(h.zone).AddDate(0, 0, 45).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, h.zone)
}

func (h *demoHistory) template(at time.Time, number string, terms loyalty.TemplateTerms) {
	terms.CentreStatus = 1
	h.add(at, loyalty.Any(loyalty.AddTemplate{Merchant: demoMerchant, Template: loyalty.TemplateKey{Number: number}, Terms: terms}))
}

// give gives a coupon of a template, which the shopper keeps in mind.
func (s *demoShopper) give(template string, at time.Time) {
	s.coupons++
	coupon := demoCoupon{number: fmt.Sprintf("%s-%06d", template, s.coupons), until: s.periodEnd()}
	if days := demoLife[template]; days > 0 {
		coupon.until = at.AddDate(0, 0, days)
	}
	if template == demoStores {
		coupon.store = strconv.Itoa(demoStore)
	}
	s.giveNumber(template, coupon.number, at)
	s.wallet = append(s.wallet, coupon)
}

func (s *demoShopper) giveNumber(template, number string, at time.Time) {
	s.add(at, loyalty.Any(loyalty.GiveCoupons{
		Merchant: demoMerchant, Template: loyalty.TemplateKey{Number: template}, Each: 1,
		Entries:    []loyalty.CouponGift{{Who: s.who, Number: number}},
		ReceivedAt: loyalty.InstantOf(at), Store: s.store,
	}))
}
