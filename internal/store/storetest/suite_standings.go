package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store"
	"github.com/memberd/memberd/internal/writer"
)

// testEachMember goes through more than a page of members, with those of another
// merchant between them.
func testEachMember(t *testing.T, e *Engine) {
	ctx := t.Context()
	e.AddMerchants(t, rules(t, "m", nil), rules(t, "other", nil))
	const members = 1_300
	var commands []writer.Stamped
	var want []int64
	for i := range int64(members) {
		c := loyalty.RegisterMember{Merchant: "m", Profile: loyalty.Profile{Phone: fmt.Sprintf("138%08d", i), BirthMonth: int(1 + i%12), BirthDay: 7}}
		if i%10 == 3 {
			c.Merchant = "other"
		} else {
			want = append(want, i+1)
		}
		commands = append(commands, writer.Stamped{Command: loyalty.Any(c), Stamp: loyalty.Stamp{Now: orderTime, NewID: i + 1, OpenID: openID(i + 1)}})
	}
	var sizes []int
	for range members / writer.MaxBatch {
		sizes = append(sizes, writer.MaxBatch)
	}
	for _, out := range writer.Replay(e.Store, commands, sizes) {
		must(t, out.Err)
	}
	by := loyalty.ByOperator{Operator: "x", Reason: "x"}
	for _, label := range []string{"b", "a"} {
		mustDo(t, e.Store, loyalty.MarkMember{Who: loyalty.Who{Merchant: "m", ID: 1_200}, Label: label, By: by}, orderTime)
	}
	visited := func(labels bool) (ids []int64) {
		t.Helper()
		must(t, e.Store.EachMember(ctx, "m", labels, func(m *store.Standing) error {
			ids = append(ids, m.ID)
			var marks []string
			if m.ID == 1_200 && labels {
				marks = []string{"a", "b"}
			}
			if m.Merchant != "m" || int64(m.Month) != 1+(m.ID-1)%12 || m.Day != 7 || m.Level != 1 || !slices.Equal(m.Labels, marks) {
				t.Errorf("%+v", m)
			}
			return nil
		}))
		return ids
	}
	if !slices.Equal(visited(true), want) || !slices.Equal(visited(false), want) {
		t.Error("other members than there are")
	}
	enough := errors.New("enough")
	seen := 0
	err := e.Store.EachMember(ctx, "m", false, func(*store.Standing) error {
		seen++
		return enough
	})
	if !errors.Is(err, enough) || seen != 1 {
		t.Errorf("%d members, %v", seen, err)
	}
}
