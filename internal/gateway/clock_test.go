package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/store"
)

const methodClockAdvance = "wk.sandbox.clock.advance"

// advancing is a session whose door can move clocks, and books what becomes due
// for the documents' member.
func advancing(s *session) *session {
	s.t.Helper()
	clocks, ok := s.Reader.(interface {
		AdvanceClock(ctx context.Context, merchant string, by int64) (offset int64, err error)
	})
	if !ok {
		s.t.Fatal("the bundle's database has no clocks")
	}
	s.handler = New(Options{
		Writer: s.Writer, Reader: s.Reader, Access: s.Access, Codes: s.Codes, SMS: s.SMS, Now: s.Clock.Now,
		Advance: func(ctx context.Context, merchant string, by time.Duration) (loyalty.Instant, error) {
			offset, err := clocks.AdvanceClock(ctx, merchant, by.Milliseconds())
			switch {
			case errors.Is(err, store.ErrLiveMerchant):
				return 0, ErrLiveMerchant
			case errors.Is(err, store.ErrClockTooFar):
				return 0, ErrClockTooFar
			case err != nil:
				return 0, err
			}
			doortest.Do(s.Bundle, loyalty.BookDue{Who: loyalty.Who{Merchant: merchant, OpenID: openID}})
			return loyalty.InstantOf(s.Clock.Now()) + loyalty.Instant(offset), nil
		},
	})
	return s
}

// The level's fall is known before, comes true by the sandbox's clock, and the
// fields that tell of it are there only then.
func TestClockAdvance(t *testing.T) {
	t.Parallel()
	s := advancing(registered(t, doortest.Options{Sandbox: true, Settings: func(s *loyalty.Settings) {
		s.Growth.Period, s.Growth.Downgrade = loyalty.GrowthPeriod{Kind: loyalty.PeriodYear}, loyalty.DowngradeStep
		s.Points.Validity = loyalty.Validity{Kind: loyalty.RollingDays, N: 30}
	}}))
	s.each(methodOrder, "an order that reaches level 3",
		`{"open_id":"`+openID+`","order_no":"o1","order_amount":1500,"order_score":15,"consume_date":"2026-11-22 09:00:00"}`)
	look := `{"open_id":"` + openID + `"}`
	s.each(methodInfoQuery, "in the first year nothing falls", look)
	s.each(methodClockAdvance, "29 days, in days", `{"by":"29d"}`, "the last minutes of the points' life", `{"by":"13h59m"}`)
	s.each(methodInfoQuery, "they are there", look)
	s.each(methodClockAdvance, "a minute more", `{"by":"1m"}`)
	s.each(methodInfoQuery, "they are gone", look)
	s.each(methodClockAdvance, "into the next year", `{"by":"10d"}`)
	s.each(methodInfoQuery, "the level will fall", look)
	s.each(methodOrder, "an order of the sandbox's own today",
		`{"open_id":"`+openID+`","order_no":"o2","order_amount":700,"order_score":0,"consume_date":"2027-01-01 00:00:00"}`)
	code := dataText(t, s.call("a member code goes by the real clock", doortest.GatewayCall{Method: methodCodeGenerate, Body: look}))
	s.call("3.7 tells of the fall as well", doortest.GatewayCall{Method: methodCodeParsing, Body: fmt.Sprintf(`{"code":"%s"}`, code)})
	s.each(methodClockAdvance, "a whole year", `{"by":"8760h"}`)
	s.each(methodInfoQuery, "it has fallen by one", look)
	s.each(methodClockAdvance,
		"not at all: what is due is booked", `{"by":"0s"}`,
		"backwards", `{"by":"-1h"}`,
		"farther than a step goes", `{"by":"401d"}`,
		"no unit", `{"by":"72"}`,
		"a number", `{"by":72}`,
		"nothing", `{}`,
		"null", `{"by":null}`,
	)
	s.call("a live merchant's app", doortest.GatewayCall{Method: methodClockAdvance, Body: `{"by":"1h"}`, App: s.Other})
	s.golden("clock_advance")
	if found := s.member(); found.Level != 2 || found.Snapshot.ClockOffset != (29+10+365)*24*3_600_000+14*3_600_000 {
		t.Errorf("level %d, ahead by %d", found.Level, found.Snapshot.ClockOffset)
	}
}

// A hundred years are enough.
func TestClockTooFar(t *testing.T) {
	t.Parallel()
	s := advancing(registered(t, doortest.Options{Sandbox: true}))
	for range 91 {
		if a := doortest.Send(s.handler, s.Request(doortest.GatewayCall{Method: methodClockAdvance, Body: `{"by":"400d"}`})); a.Status != 200 {
			t.Fatal(a.Body)
		}
	}
	s.each(methodClockAdvance, "to the last day", `{"by":"125d"}`, "beyond", `{"by":"1s"}`)
	s.golden("clock_too_far")
}

// A door that was not given a clock does not know the method.
func TestNoClock(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{Sandbox: true})
	a := doortest.Send(s.handler, s.Request(doortest.GatewayCall{Method: methodClockAdvance, Body: `{"by":"1h"}`}))
	other := doortest.Send(s.handler, s.Request(doortest.GatewayCall{Method: "wk.nothing"}))
	if a.Body != other.Body {
		t.Errorf("%s, an unknown method %s", a.Body, other.Body)
	}
}

// An integrator who advances the clock while the database is away is told so.
func TestClockOutage(t *testing.T) {
	t.Parallel()
	s := registered(t, doortest.Options{Sandbox: true})
	for _, c := range []struct {
		err    error
		status int
		says   string
	}{
		{loyalty.ErrUnavailable, 503, "系统繁忙"},
		{context.Canceled, 200, "处理结果未知"},
		{errors.New("not foreseen"), 200, "系统繁忙"},
	} {
		s.handler = New(Options{
			Writer: s.Writer, Reader: s.Reader, Access: s.Access, Codes: s.Codes, Now: s.Clock.Now,
			Advance: func(context.Context, string, time.Duration) (loyalty.Instant, error) {
				return 0, fmt.Errorf("advance: %w", c.err)
			},
		})
		a := doortest.Send(s.handler, s.Request(doortest.GatewayCall{Method: methodClockAdvance, Body: `{"by":"1h"}`}))
		if a.Status != c.status || !strings.Contains(a.Body, `"error_code":500,"error_message":"`+c.says) {
			t.Errorf("%v: %d %s, want %d %s", c.err, a.Status, a.Body, c.status, c.says)
		}
	}
}
