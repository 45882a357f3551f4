package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/programme"
)

// programmeFile edits what export writes and returns the file's path. Pairs of
// old and new text follow one another.
func (r *rig) programmeFile(merchant string, edits ...string) string {
	r.t.Helper()
	text := r.on("program", "export", "--merchant", merchant)
	for i := 0; i < len(edits); i += 2 {
		changed := strings.Replace(text, edits[i], edits[i+1], 1)
		if changed == text {
			r.t.Fatalf("%q is not in\n%s", edits[i], text)
		}
		text = changed
	}
	file := r.path("programme.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return file
}

// A programme is exported, planned, applied beside a running server, rolled back
// and listed, on both databases.
func TestProgramme(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig) {
		app := r.app("m1")
		s := r.serve()
		register(t, s, app)
		order := func(no string) string {
			t.Helper()
			s.must("wk.user.consume.order", app, `{"phone":"`+phone+`","order_no":"`+no+`","order_amount":400,"consume_date":"2021-08-24 00:00:00"}`)
			return r.on("order", "show", "--merchant", "m1", "--no", no)
		}
		has(t, order("O1"), "points 0", "growth value 400")
		m := []string{"--merchant", "m1"}
		on := func(args ...string) string {
			t.Helper()
			return r.on(append(append([]string{"program"}, args...), m...)...)
		}

		file := r.programmeFile("m1")
		if out := on("plan", file); out != "merchant m1: no change\n" {
			t.Error(out)
		}
		if out := on("apply", file, "--reason", "x"); !strings.HasSuffix(out, "Settings version 1 stays.\n") {
			t.Error(out)
		}
		file = r.programmeFile("m1", "rate: 1/1", "rate: 1.5", "\n  score: zero", "\n  score: rule", "threshold: 300", "threshold: 500", "level_change: keep", "level_change: fit")
		plan := on("plan", file)
		has(t, plan, "points.rate 1/1 -> 3/2", "levels[2].threshold 300 -> 500", "level_change keep -> fit", "orders.score zero -> rule",
			"1 0 1 一级会员", "2 1 0 二级会员")
		for _, want := range []string{"0 rise, 0 keep their level, 1 fall", "points that are booked stay", "refunds of earlier orders go by the version"} {
			if !strings.Contains(plan, want) {
				t.Errorf("no %q in\n%s", want, plan)
			}
		}
		tree := decode(t, on("plan", file, "--json"))
		if members, _ := tree["members"].(map[string]any); tree["version"] != 1.0 || members["fall"] != 1.0 {
			t.Error(tree)
		}
		r.refused(exitUsage, "--yes", "program", "apply", file, "--merchant", "m1", "--reason", "test")
		if out := on("apply", file, "--reason", "half as much again", "--operator", "li", "--yes"); !strings.Contains(out, "In force: merchant m1, settings version 2") {
			t.Error(out)
		}
		// In force in the server at once, levels too; what is booked stays.
		has(t, r.on("member", "show", "--merchant", "m1", "--phone", phone), "level 1 一级会员", "balance 0")
		has(t, order("O2"), "points 600", "growth value 400")
		expectOvertaken(r, file)
		if out := on("rollback", "--reason", "back", "--yes"); !strings.Contains(out, "settings version 3") {
			t.Error(out)
		}
		has(t, order("O3"), "points 0")
		expectHistory(t, on("list"))
		if out := on("export", "--version", "2"); !strings.Contains(out, "rate: 3/2") || !strings.Contains(out, "version: 2") {
			t.Error(out)
		}
		if out := on("rollback", "--to", "2", "--reason", "and again", "--yes"); !strings.Contains(out, "settings version 4") {
			t.Error(out)
		}
		r.refused(exitNo, "there is no version 0; the versions go up to 4", "program", "rollback", "--merchant", "m1", "--to", "0", "--reason", "x", "--yes")
		r.refused(exitNo, "there is no version 9", "program", "rollback", "--merchant", "m1", "--to", "9", "--reason", "x", "--yes")
		if out := r.on("check"); !strings.HasSuffix(out, " 0 differences\n") {
			t.Error(out)
		}
	})
}

// expectOvertaken has a file that was exported from version 1 refused, with what
// has happened since; the same content again is no change.
func expectOvertaken(r *rig, file string) {
	r.t.Helper()
	apply := []string{"program", "apply", file, "--merchant", "m1", "--reason", "x", "--yes"}
	if out := r.on(apply...); !strings.Contains(out, "no change") {
		r.t.Error(out)
	}
	text := strings.Replace(mustRead(r.t, file), "grace_days: 7", "grace_days: 8", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.refused(exitNo, "nothing has been changed: line 8: version: version 1 is not the current one, which is 2.", apply...)
	plan := r.on("program", "plan", file, "--merchant", "m1")
	if !strings.Contains(plan, "apply would refuse the file:\n  line 8: version: version 1 is not the current one, which is 2\n") {
		r.t.Error(plan)
	}
	r.refused(exitNo, "li: half as much again (points rule, levels, level change, orders)", apply...)
}

func expectHistory(t *testing.T, list string) {
	t.Helper()
	for _, want := range []string{"points rule, levels, level change, orders back", "li points rule, levels, level change, orders half as much again"} {
		if !strings.Contains(words(list), want) {
			t.Errorf("no %q in\n%s", want, list)
		}
	}
}

// A rollback leaves alone what is no part of a programme.
func TestRollbackOfTheProgrammeAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.app("m1")
	document := r.on("merchant", "settings", "--id", "m1")
	file := r.path("settings.json")
	text := strings.Replace(strings.Replace(document, `"key_days": 400`, `"key_days": 500`, 1), `"grace_days": 7`, `"grace_days": 9`, 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.on("merchant", "settings", "--id", "m1", "--file", file, "--reason", "both")
	if out := r.on("program", "list", "--merchant", "m1"); !strings.Contains(out, "give-back, other settings") {
		t.Error(out)
	}
	r.on("program", "rollback", "--merchant", "m1", "--reason", "x", "--yes")
	after := r.on("merchant", "settings", "--id", "m1")
	if !strings.Contains(after, `"key_days": 500`) || !strings.Contains(after, `"grace_days": 7`) {
		t.Error(after)
	}
	if out := r.on("program", "rollback", "--merchant", "m1", "--to", "1", "--reason", "x", "--yes"); !strings.Contains(out, "no change") {
		t.Error(out)
	}
}

// What is wrong with a file is said with its line, and nothing is changed.
func TestBadProgrammes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.app("m1")
	refused := func(want, file string) {
		t.Helper()
		r.refused(exitUsage, want, "program", "plan", file, "--merchant", "m1")
		r.refused(exitUsage, want, "program", "apply", file, "--merchant", "m1", "--reason", "x", "--yes")
	}
	refused("line 14: points.rates: unknown key; is rate meant?", r.programmeFile("m1", "rate: ", "rates: "))
	refused("line 14: points.rate: a rate of 0", r.programmeFile("m1", "rate: 1/1", "rate: 0"))
	refused("levels[2].threshold: 300: thresholds must ascend", r.programmeFile("m1", "threshold: 1000\n", "threshold: 300\n"))
	refused(`line 6: merchant: "m2" is not "m1", for whom this is`, r.programmeFile("m1", "merchant: m1", "merchant: m2"))
	refused("no such file", r.path("none.yaml"))
	large := r.path("large.yaml")
	if err := os.WriteFile(large, make([]byte, 2*programme.MaxSize), 0o600); err != nil {
		t.Fatal(err)
	}
	refused("the file is too large", large)
	r.refused(exitUsage, "--reason", "program", "apply", r.programmeFile("m1"), "--merchant", "m1", "--reason", " ", "--yes")
	r.refused(exitNo, "no such merchant", "program", "plan", large, "--merchant", "m9")
	r.refused(exitNo, "no version 0", "program", "rollback", "--merchant", "m1", "--reason", "x", "--yes")
	if out := r.on("program", "list", "--merchant", "m1"); strings.Count(out, "\n") != 2 {
		t.Error(out)
	}
}

// Of two who apply at once one wins, and the other is told.
func TestTwoWhoApply(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig) {
		r.app("m1")
		const each = 4
		results := make(chan result, each)
		text := r.on("program", "export", "--merchant", "m1")
		var files []string
		for i := range each {
			files = append(files, r.path(fmt.Sprintf("p%d.yaml", i)))
			changed := strings.Replace(text, "grace_days: 7", fmt.Sprintf("grace_days: %d", 20+i), 1)
			if err := os.WriteFile(files[i], []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, file := range files {
			go func() {
				results <- r.run(append([]string{"program", "apply", file, "--merchant", "m1", "--reason", "x", "--yes"}, r.args...)...)
			}()
		}
		won := 0
		for range each {
			if got := <-results; got.code == 0 {
				won++
			} else if !strings.Contains(got.err, "is not the current one") {
				t.Errorf("%d %s%s", got.code, got.out, got.err)
			}
		}
		if versions := strings.Count(r.on("program", "list", "--merchant", "m1"), "\n") - 2; won != 1 || versions != 1 {
			t.Errorf("%d won, %d versions were made", won, versions)
		}
	})
}
