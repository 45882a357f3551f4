package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store/storetest"
	"github.com/memberd/memberd/internal/writer"
)

// shoppers makes n members of whom each i-th has a growth value of i*100.
func (b *bench) shoppers(merchant string, n int) {
	b.t.Helper()
	var commands []loyalty.AnyCommand
	for i := range n {
		commands = append(commands, register(merchant, i))
		if i > 0 {
			commands = append(commands, loyalty.Any(loyalty.RecordOrder{
				Who: who(merchant, i), Order: loyalty.OrderKey{No: fmt.Sprint("A", i)}, Amount: int64(i) * 10_000,
				ConsumedAt: loyalty.InstantOf(b.now()), Points: 1, Given: true,
			}))
		}
	}
	b.do(commands...)
}

func (b *bench) change(merchant string, change func(*loyalty.Settings)) {
	b.t.Helper()
	_, err := b.Store.ChangeSettings(b.t.Context(), merchant, "o", "r", func(_ int64, s loyalty.Settings) (loyalty.Settings, error) {
		change(&s)
		return s, nil
	})
	b.must(err)
}

// threeLevels begin at 0, second and third.
func threeLevels(second, third int64) func(*loyalty.Settings) {
	return func(s *loyalty.Settings) {
		s.Levels = slices.Clone(s.Levels[:3])
		s.Levels[1].Threshold, s.Levels[2].Threshold = second, third
	}
}

// stored is how many members of a merchant stand in each level.
func (b *bench) stored(merchant string) (levels [4]int) {
	b.t.Helper()
	for _, m := range b.dump().Members {
		if m.Merchant == merchant {
			levels[m.Level]++
		}
	}
	return levels
}

func (b *bench) expectLevels(merchant string, want [4]int) {
	b.t.Helper()
	if got := b.stored(merchant); got != want {
		b.t.Errorf("members by level: %v, want %v", got, want)
	}
	b.check()
}

func (b *bench) reached(merchant string, want bool) {
	b.t.Helper()
	_, reached, err := b.Store.MembersReached(b.t.Context(), merchant)
	if err != nil || reached != want {
		b.t.Errorf("all members reached: %v, %v; want %v", reached, err, want)
	}
}

// Higher thresholds let nobody fall under keep, and put everybody where the
// growth value reaches under fit, those who were kept as well; only idle members of this merchant are gone
// through, once.
func TestOtherThresholds(t *testing.T) {
	onEach(t, func(t *testing.T, b *bench) {
		for _, merchant := range []string{"m", "other"} {
			b.merchant(merchant, 0, threeLevels(500, 1_000))
			b.shoppers(merchant, 20)
		}
		b.reached("m", true)
		b.expect(0, Levels, "m")
		b.expectLevels("m", [4]int{0, 5, 5, 10})
		b.change("m", func(s *loyalty.Settings) {
			threeLevels(800, 1_600)(s)
			s.LevelChange = loyalty.LevelKeep
		})
		b.reached("m", false)
		b.check()
		b.expect(9, Levels, "m") // five to seven hold the second level, ten to fifteen the third
		b.reached("m", true)
		b.expectLevels("m", [4]int{0, 5, 5, 10})
		b.expect(0, Levels, "m")
		b.change("m", func(s *loyalty.Settings) {
			threeLevels(300, 1_800)(s)
			s.LevelChange = loyalty.LevelFit
		})
		b.expect(13, Levels, "m") // everybody who does not fit, and those who were kept
		b.expectLevels("m", [4]int{0, 3, 15, 2})
		b.expectLevels("other", [4]int{0, 5, 5, 10})
		b.reached("other", true)
		b.expect(0, Levels, "other")
		moves := 0
		for _, m := range b.dump().LevelMoves {
			if m.At == loyalty.InstantOf(b.now()) {
				moves++
			}
		}
		if moves == 0 {
			t.Error("no move of a level is noted")
		}
	})
}

// Under fit levels fall as well, and partners are told.
func TestLevelsFall(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	b.merchant("m", 0, func(s *loyalty.Settings) {
		threeLevels(500, 1_000)(s)
		s.LevelChange = loyalty.LevelFit
		s.Callbacks.Also = []loyalty.EventKind{loyalty.EventLevelChanged}
	})
	b.shoppers("m", 20)
	told := len(b.dump().Events)
	b.change("m", threeLevels(800, 1_600))
	b.expect(9, Levels, "m")
	b.expectLevels("m", [4]int{0, 8, 8, 4})
	if n := len(b.dump().Events) - told; n != 9 {
		t.Errorf("%d events, want 9", n)
	}
}

// Periods begin for idle members too, and end with the merchant's last.
func TestPeriodsBeginForAll(t *testing.T) {
	onEach(t, func(t *testing.T, b *bench) {
		b.merchant("m", 0, nil)
		b.shoppers("m", 20)
		periods := func(want int) {
			t.Helper()
			n := 0
			for _, m := range b.dump().Members {
				if m.PeriodEnd != loyalty.Never {
					n++
				}
			}
			if n != want {
				t.Errorf("of %d members a period runs, want %d", n, want)
			}
			b.check()
		}
		b.change("m", func(s *loyalty.Settings) { s.Growth.Period = loyalty.GrowthPeriod{Kind: loyalty.PeriodYear} })
		periods(0)
		b.expect(20, Levels, "m")
		periods(20)
		b.expect(0, Levels, "m")
		b.change("m", func(s *loyalty.Settings) { s.Growth.Period = loyalty.GrowthPeriod{Kind: loyalty.PeriodLife} })
		b.expect(20, Levels, "m")
		periods(0)
	})
}

// A round that was killed half way is finished by the next one, and nothing is
// noted before. What is changed meanwhile has a round of its own.
func TestLevelsKilledHalfWay(t *testing.T) {
	onEach(t, func(t *testing.T, b *bench) {
		const many = 1_300 // more than one look finds
		b.merchant("m", 0, threeLevels(100, 1_000_000))
		b.shoppers("m", many)
		b.change("m", threeLevels(50, 200))
		ctx, cancel := context.WithCancel(t.Context())
		n, err := b.run(ctx, Levels, "m", writer.Options{MaxBatch: 20, Observer: &refusals{after: 5, stop: cancel}})
		if !errors.Is(err, context.Canceled) || n >= many-2 {
			t.Fatalf("settled %d, %v", n, err)
		}
		b.reached("m", false)
		b.check()
		left := b.stored("m")[2] - 1 // all but one of the second level rise
		if left < 1 {
			t.Fatal("nothing is left to do")
		}
		b.expect(left, Levels, "m")
		b.reached("m", true)
		b.expectLevels("m", [4]int{0, 1, 1, many - 2})
	})
}

// changedMeanwhile changes the settings after the first look.
type changedMeanwhile struct {
	*bench
	Look
	changed bool
}

func (c *changedMeanwhile) UnalignedMembers(ctx context.Context, merchant string, from int64) ([]int64, int64, error) {
	ids, next, err := c.Look.UnalignedMembers(ctx, merchant, from)
	if !c.changed {
		c.changed = true
		c.change(merchant, threeLevels(700, 1_900))
	}
	return ids, next, err
}

func TestLevelsChangedMeanwhile(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t))
	b.merchant("m", 0, func(s *loyalty.Settings) {
		threeLevels(500, 1_000)(s)
		s.LevelChange = loyalty.LevelFit
	})
	b.shoppers("m", 20)
	b.change("m", threeLevels(600, 1_000))
	w := writer.New(b.Store, writer.Options{Now: b.now})
	defer w.Close()
	worker := &Worker{Look: &changedMeanwhile{bench: b, Look: b.Store}, Writer: w, Now: b.now}
	if _, err := worker.levels(t.Context(), "m"); err != nil {
		t.Fatal(err)
	}
	b.reached("m", false)
	b.check()
	b.expect(10, Levels, "m")
	b.reached("m", true)
	b.expectLevels("m", [4]int{0, 7, 12, 1})
}
