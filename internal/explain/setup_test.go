package explain

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

// shelf reads what a reference store holds.
type shelf struct {
	state loyaltytest.State
	rules map[string][]*loyalty.Snapshot // versions from 1
}

func (s *shelf) Entries(_ context.Context, who loyalty.Who, _ loyalty.Instant, _ loyalty.Direction, page, size int) (f loyalty.Found, list loyalty.EntryPage, err error) {
	i := slices.IndexFunc(s.state.Members, func(m loyalty.Member) bool {
		return m.Merchant == who.Merchant && (who.ID == m.ID || who.OpenID == m.OpenID)
	})
	if i < 0 {
		return f, list, loyalty.MemberNotFound
	}
	f.Member = s.state.Members[i]
	versions := s.rules[who.Merchant]
	f.Snapshot = versions[len(versions)-1]
	for _, e := range slices.Backward(s.state.Entries) {
		if e.Member != f.ID {
			continue
		}
		list.Total++
		if skip := int64((page - 1) * size); list.Total > skip && list.Total <= skip+int64(size) {
			list.Entries = append(list.Entries, e)
		}
	}
	return f, list, nil
}

func (s *shelf) found(o loyalty.Order) loyalty.OrderFound {
	f := loyalty.OrderFound{Order: o}
	for _, row := range s.state.OrderInfos {
		if row.Member == o.Member && row.Seq == o.Seq {
			f.Info = row.OrderInfo
		}
	}
	return f
}

func (s *shelf) Order(_ context.Context, merchant string, key loyalty.OrderKey) (o loyalty.OrderFound, refunds []loyalty.OrderFound, err error) {
	err = loyalty.OrderNotFound
	for _, row := range s.state.Orders {
		of := slices.IndexFunc(s.state.Members, func(m loyalty.Member) bool { return m.ID == row.Member })
		switch {
		case s.state.Members[of].Merchant != merchant || row.Space != key.Space:
		case row.No == key.No:
			o, err = s.found(row), nil
		case row.Kind == loyalty.Refund && row.Parent == key.No:
			refunds = append(refunds, s.found(row))
		}
	}
	return o, refunds, err
}

func (s *shelf) EntriesOfOrder(_ context.Context, member int64, key loyalty.OrderKey) (list []loyalty.Entry, err error) {
	for _, e := range s.state.Entries {
		if e.Member == member && e.Order() == key {
			list = append(list, e)
		}
	}
	return list, nil
}

func (s *shelf) Programme(_ context.Context, merchant string, version int64) (*loyalty.Settings, loyalty.Instant, error) {
	versions := s.rules[merchant]
	if version > int64(len(versions)) {
		return nil, 0, nil
	}
	return &versions[version-1].Settings, loyalty.Instant(1767200400000 + 86_400_000*(version-1)), nil
}

// text is an explanation as people read it, both languages.
func text(x Explanation) string {
	var b strings.Builder
	for _, s := range x.Sentences {
		b.WriteString(s.Zh + "\n")
	}
	for _, s := range x.Sentences {
		b.WriteString(s.En + "\n")
	}
	return b.String()
}

// clean finds what no sentence may have.
func clean(t *testing.T, name string, x Explanation) {
	t.Helper()
	if len(x.Sentences) == 0 {
		t.Errorf("%s: nothing is said", name)
	}
	seen := map[Sentence]bool{}
	for _, s := range x.Sentences {
		if s.Zh == "" || s.En == "" || strings.Contains(s.Zh+s.En, "%!") {
			t.Errorf("%s: %+v", name, s)
		}
		if !strings.HasSuffix(s.Zh, "。") || !strings.HasSuffix(s.En, ".") {
			t.Errorf("%s: no sentence: %+v", name, s)
		}
		if seen[s] {
			t.Errorf("%s: said twice: %+v", name, s)
		}
		seen[s] = true
	}
}
