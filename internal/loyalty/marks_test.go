package loyalty_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/loyalty/loyaltytest"
)

func label(who loyalty.Who, text string) loyalty.MarkMember {
	return loyalty.MarkMember{Who: who, Label: text, By: loyalty.ByOperator{Operator: "op", Reason: "why"}}
}

func paidCard(who loyalty.Who, id, name string, expires loyalty.Instant) loyalty.MarkMember {
	return loyalty.MarkMember{Who: who, Card: loyalty.PaidCard{ID: id, Name: name, ExpiresAt: expires}}
}

func removed(c loyalty.MarkMember) loyalty.MarkMember {
	c.Remove = true
	return c
}

// TestRefusalsOfMarks: each row also violates what the rows below it check,
// where that is possible.
func TestRefusalsOfMarks(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	c := newCast(w)
	for i := range 100 {
		loyaltytest.Must(w, label(c.anna, fmt.Sprintf("l%03d", i)))
	}
	for i := range 20 {
		loyaltytest.Must(w, paidCard(c.anna, fmt.Sprintf("c%02d", i), "钻石卡", 5))
	}
	both := label(c.nobody, "l000")
	both.Card.ID = "c00"
	wantRefusals(t, w, []refusal{
		{"nothing", trying(w, label(c.nobody, "")), loyalty.NothingNamed, 0},
		{"both", trying(w, both), loyalty.NothingNamed, 0},
		{"nobody", trying(w, label(c.nobody, "x")), loyalty.MemberNotFound, 0},
		{"two members", trying(w, label(c.two, "x")), loyalty.MembersDisagree, 0},
		{"erased", trying(w, removed(label(c.gone, "x"))), loyalty.MemberErased, 0},
		{"label that is there", trying(w, label(c.anna, "l000")), loyalty.NothingToChange, 0},
		{"label that is not there", trying(w, removed(label(c.anna, "x"))), loyalty.NothingToChange, 0},
		{"card that is there", trying(w, paidCard(c.anna, "c00", "钻石卡", 5)), loyalty.NothingToChange, 0},
		{"card that is not there", trying(w, removed(paidCard(c.anna, "x", "", 0))), loyalty.NothingToChange, 0},
		{"too many labels", trying(w, label(c.anna, "x")), loyalty.TooManyMarks, 0},
		{"too many cards", trying(w, paidCard(c.anna, "x", "", 0)), loyalty.TooManyMarks, 0},
	})
	loyaltytest.Must(w, paidCard(c.anna, "c00", "钻石卡", 6)) // a renewal is no further card
	loyaltytest.Must(w, removed(label(c.anna, "l050")))
	loyaltytest.Must(w, label(c.anna, "x"))
	loyaltytest.Must(w, label(c.off, "x")) // a disabled member is still looked after
}

func TestMarks(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, nil)
	who, berta := w.Register("13800000001"), w.Register("13800000002")
	loyaltytest.Must(w, label(berta, "berta's"))
	want := func(labels []string, cards ...loyalty.PaidCard) {
		t.Helper()
		var got loyalty.Marks
		for _, row := range w.Store.Dump(nil).Marks {
			if row.Member == who.ID {
				got = row.Marks
			}
		}
		if len(got.Labels) == 0 {
			got.Labels = nil
		}
		if len(got.Cards) == 0 {
			got.Cards = nil
		}
		if diff := cmp.Diff(loyalty.Marks{Labels: labels, Cards: cards}, got); diff != "" {
			t.Errorf("marks (-want +got):\n%s", diff)
		}
	}
	for _, text := range []string{"m", "z", "a"} {
		loyaltytest.Must(w, label(who, text))
	}
	want([]string{"a", "m", "z"})
	loyaltytest.Must(w, removed(label(who, "m")))
	gold, silver := loyalty.PaidCard{ID: "g", Name: "金卡", ExpiresAt: 5}, loyalty.PaidCard{ID: "s", Name: "银卡", ExpiresAt: 5}
	loyaltytest.Must(w, paidCard(who, silver.ID, silver.Name, silver.ExpiresAt))
	loyaltytest.Must(w, paidCard(who, gold.ID, gold.Name, gold.ExpiresAt))
	want([]string{"a", "z"}, gold, silver)
	gold.ExpiresAt = 9
	loyaltytest.Must(w, paidCard(who, gold.ID, gold.Name, gold.ExpiresAt))
	want([]string{"a", "z"}, gold, silver)
	loyaltytest.Must(w, removed(paidCard(who, "s", "", 0)))
	want([]string{"a", "z"}, gold)

	var actions []string
	for i, a := range w.Store.Dump(nil).Audit {
		if a.Member == who.ID {
			actions = append(actions, a.Action)
		}
		if i == 0 && (a.Operator != "op" || a.Reason != "why" || a.At != loyalty.InstantOf(w.Now)) {
			t.Errorf("audit %+v", a)
		}
	}
	if diff := cmp.Diff([]string{"add label", "add label", "add label", "remove label",
		"set paid card", "set paid card", "set paid card", "remove paid card"}, actions); diff != "" {
		t.Errorf("audit:\n%s", diff)
	}
	loyaltytest.Must(w, loyalty.EraseMember{Who: who})
	want(nil)
	if rows := w.Store.Dump(nil).Marks; len(rows) != 1 || rows[0].Member != berta.ID {
		t.Errorf("marks after erasing: %+v", rows)
	}
}

func TestMarksBookWhatIsDue(t *testing.T) {
	t.Parallel()
	w := loyaltytest.NewWorld(t, func(s *loyalty.Settings) { s.Points.Validity = days(1) })
	who := w.Register("13800000001")
	w.Add(who, 10)
	w.Days(5)
	loyaltytest.Must(w, label(who, "x"))
	wantTotals(t, w, who, 0, 10, 10, 0, 0)
}
