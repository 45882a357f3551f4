package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// reachSettings have a multiplier of each kind.
func reachSettings() loyalty.Settings {
	s := loyalty.DefaultSettings()
	s.Points.Multipliers = []loyalty.Multiplier{
		{ID: "gold", Name: "金卡", Factor: 20_000, When: loyalty.Condition{Levels: []int64{2}}},
		{ID: "vip", Name: "贵宾", Factor: 20_000, When: loyalty.Condition{Labels: []string{"vip"}}},
		{ID: "store", Name: "门店", Factor: 20_000, When: loyalty.Condition{Stores: []string{"1"}}},
	}
	s.Events = append(s.Events, loyalty.Event{Name: "sign_in", Direction: loyalty.Credit, Points: 5, Operation: loyalty.OpSignIn})
	return s
}

// A plan says for how many members multipliers are, now and then, and which
// events are known no more.
func TestPlanSaysForWhom(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	pl := r.inside()
	settings := reachSettings()
	if _, err := pl.access.CreateMerchant(t.Context(), "m1", "x", false, settings.Document()); err != nil {
		t.Fatal(err)
	}
	now := time.Now().In(time.FixedZone("", 8*3600))
	month := int(now.Month())
	for i, m := range []struct {
		growth int64
		month  int
		label  string
		erased bool
	}{
		{growth: 400, month: month, label: "vip"}, {growth: 400}, {growth: 1_200, month: month%12 + 1}, {growth: 1_200, erased: true}, {month: month},
	} {
		at := loyalty.Stamp{Now: loyalty.InstantOf(now) - 1_000, NewID: int64(i + 1), OpenID: fmt.Sprintf("%032d", i)}
		who := loyalty.Who{Merchant: "m1", ID: int64(i + 1)}
		by := loyalty.ByOperator{Operator: "x", Reason: "x"}
		commands := []loyalty.AnyCommand{
			loyalty.Any(loyalty.RegisterMember{Merchant: "m1", Profile: loyalty.Profile{Phone: fmt.Sprintf("1380000000%d", i), BirthMonth: m.month, BirthDay: min(m.month, 1)}}),
			loyalty.Any(loyalty.RecordOrder{Who: who, Order: loyalty.OrderKey{No: fmt.Sprint(i)}, Amount: m.growth * 100, ConsumedAt: at.Now, Given: true}),
		}
		if m.label != "" {
			commands = append(commands, loyalty.Any(loyalty.MarkMember{Who: who, Label: m.label, By: by}))
		}
		if m.erased {
			commands = append(commands, loyalty.Any(loyalty.EraseMember{Who: who, By: by}))
		}
		for _, c := range commands {
			if out := writer.Replay(pl.store, []writer.Stamped{{Command: c, Stamp: at}}, nil)[0]; out.Err != nil {
				t.Fatal(out.Err)
			}
		}
	}
	file := r.programmeFile("m1",
		"        levels: [2]", "        levels: [2, 3]", "threshold: 1000\n", "threshold: 1500\n", "level_change: keep", "level_change: fit",
		"    - id: vip\n      name: 贵宾\n      factor: 2\n      when:\n        labels: [vip]\n", "    - id: born\n      name: 生日\n      factor: 2\n      when: {birthday: month}\n",
		"factor: 2\n      when:\n        stores", "factor: 3\n      when:\n        stores",
		"  - name: sign_in\n    direction: credit\n    points: 5\n    operation: 3\n", "")
	plan := r.on("program", "plan", file, "--merchant", "m1")
	const members = `
Calls with change_event sign_in will be refused with 1001.

Members whom multipliers are for, by level, label and known birthday:
  MULTIPLIER  CHANGE   NOW  THEN  BORN THIS MONTH  NAME
  gold        changed  2    3     -                金卡
  born        added    -    3     2                生日
  store       changed  all  all   -                门店
  vip         removed  1    -     -                贵宾

Members as of `
	if !strings.Contains(plan, members) || !strings.Contains(plan, ": 0 rise, 3 keep their level, 1 fall.\nErased members are not among them: 1.\n") ||
		!strings.Contains(plan, "memberd program simulate --merchant m1 --since DAY "+file+"\n") {
		t.Error(plan)
	}
	if out := r.on("check"); out != "5 members checked, 0 differences\n" {
		t.Error(out)
	}
}

// What of a programme lies outside the time that is run again is said before
// what it came to.
func TestSimulationOfAnotherTime(t *testing.T) {
	t.Parallel()
	at := func(day int) loyalty.Instant {
		return loyalty.InstantOf(time.Date(2026, 3, day, 0, 0, 0, 0, time.FixedZone("", 8*3600)))
	}
	const refused = " outside it what would grant points counts as refused."
	for _, test := range []struct {
		from, until, of loyalty.Instant
		want            string
	}{
		{0, 0, 0, ""},
		{at(10), at(21), 0, ""},
		{at(11), 0, 0, "The points rule of the file holds from 2026-03-11 00:00:00, which is only a part of this time;" + refused},
		{0, at(20), 0, "The points rule of the file holds until 2026-03-20 00:00:00, which is only a part of this time;" + refused},
		{0, at(10), 0, "The points rule of the file holds until 2026-03-10 00:00:00, which is none of this time;" + refused},
		{at(21), at(22), 0, "The points rule of the file holds from 2026-03-21 00:00:00 until 2026-03-22 00:00:00, which is none of this time;" + refused},
		{0, 0, at(21), "Multipliers whose from and until lie outside this time: a."},
		{0, 0, at(9), ""},
	} {
		s := loyalty.DefaultSettings()
		s.Points.From, s.Points.Until = test.from, test.until
		if test.of != 0 {
			s.Points.Multipliers = []loyalty.Multiplier{{ID: "a", Factor: 1, When: loyalty.Condition{From: test.of}}}
		}
		snap, err := loyalty.NewSnapshot("m", 1, 0, s)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(outside(snap, at(10), at(20)), "\n"); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}

// Who is asked and what counts as yes.
func TestAsking(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{
		"y\n": true, "Y\n": true, "yes\n": true, " YES \r\n": true, "是\n": true,
		"\n": false, "n\n": false, "no\n": false, "否\n": false, "yess\n": false, "不是\n": false,
	} {
		if agrees(answer) != want {
			t.Errorf("%q: %v", answer, !want)
		}
	}
	r := newRig(t)
	r.app("m1")
	file := r.programmeFile("m1", "grace_days: 7", "grace_days: 8")
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if !isNowhere(null) || isNowhere(strings.NewReader("y\n")) {
		t.Error("the null device is not known")
	}
	got := r.run(append([]string{"program", "apply", file, "--merchant", "m1", "--reason", "x"}, r.args...)...) // standard input is the null device
	expectRefusal(t, got, exitUsage, "nothing has been changed: there is no terminal to ask at; --yes does without")
	if strings.Contains(got.out, "Put this in force?") {
		t.Error(got.out)
	}
}
