package sim_test

import (
	"slices"
	"sync"

	"github.com/memberd/memberd/internal/loyalty"
)

// simTruth is what was committed, as the writer wanted it: which keys, and
// which numbers the platform gave.
type simTruth struct {
	mu        sync.Mutex
	problem   func(kind, format string, args ...any)
	keys      map[int64]map[loyalty.KeyID]int // how often a key was booked, by member
	inStep    []loyalty.KeyRow                // booked in this step
	untold    []loyalty.KeyRow                // of them, by a commit whose outcome nobody was told
	members   map[int64]loyalty.Member
	phones    map[[2]string]int64 // by merchant and phone
	orders    map[loyalty.OrderKey]int64
	coupons   map[loyalty.OrderKey]int64 // id by space and number
	fresh     map[loyalty.OrderKey]int64 // of them, those of this step
	templates map[loyalty.TemplateKey]int64
	openIDs   map[string]int64
}

func newSimTruth(problem func(kind, format string, args ...any)) *simTruth {
	return &simTruth{
		problem: problem, keys: map[int64]map[loyalty.KeyID]int{},
		members: map[int64]loyalty.Member{}, phones: map[[2]string]int64{}, orders: map[loyalty.OrderKey]int64{},
		coupons: map[loyalty.OrderKey]int64{}, fresh: map[loyalty.OrderKey]int64{},
		templates: map[loyalty.TemplateKey]int64{}, openIDs: map[string]int64{},
	}
}

func (t *simTruth) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inStep, t.untold = nil, nil
	t.fresh = map[loyalty.OrderKey]int64{}
}

func (t *simTruth) committed(c loyalty.Changes) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inStep = append(t.inStep, c.Keys...)
	for _, k := range c.Keys {
		if t.keys[k.Member] == nil {
			t.keys[k.Member] = map[loyalty.KeyID]int{}
		}
		if t.keys[k.Member][k.KeyID]++; t.keys[k.Member][k.KeyID] > 1 {
			t.problem("key", "member %d: key %v was booked %d times", k.Member, k.KeyID, t.keys[k.Member][k.KeyID])
		}
	}
	for _, m := range c.NewMembers {
		t.members[m.ID] = m
		t.openIDs[m.OpenID] = m.ID
	}
	for _, i := range c.Bound {
		if i.Kind == loyalty.ByPhone {
			t.phones[[2]string{i.Merchant, i.Value}] = i.Member
		}
	}
	for _, o := range c.NewOrders {
		t.orders[o.OrderKey] = o.ID
	}
	for _, k := range c.NewCoupons {
		key := loyalty.OrderKey{Space: k.Space, No: k.Number}
		t.coupons[key], t.fresh[key] = k.ID, k.ID
	}
	for _, k := range c.NewTemplates {
		t.templates[k.TemplateKey] = k.ID
	}
}

// unsure takes note of a commit that went through and was answered with an error.
func (t *simTruth) unsure(c loyalty.Changes) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.untold = append(t.untold, c.Keys...)
}

// booked tells whether a key of the merchant was booked in this step; untold:
// by a commit whose outcome nobody was told.
func (t *simTruth) booked(merchant string, id loyalty.KeyID, untold bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := t.inStep
	if untold {
		rows = t.untold
	}
	return slices.ContainsFunc(rows, func(k loyalty.KeyRow) bool {
		return k.KeyID == id && t.members[k.Member].Merchant == merchant
	})
}

// memberByPhone is the member that has the phone.
func (t *simTruth) memberByPhone(merchant, phone string) (loyalty.Member, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m, ok := t.members[t.phones[[2]string{merchant, phone}]]
	return m, ok
}
