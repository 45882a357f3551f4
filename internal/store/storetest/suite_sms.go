package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/memberd/memberd/internal/sms"
)

// smsCrowd is how many calls arrive at once.
const smsCrowd = 64

// together runs n calls, all begun at one moment, half of them in each process.
func together(a, b *Engine, n int, call func(e *Engine, i int)) {
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		e := a
		if i%2 == 1 {
			e = b
		}
		group.Go(func() {
			<-start
			call(e, i)
		})
	}
	close(start)
	group.Wait()
}

func smsIssue(phone, id, code string, at int64, counts ...sms.Count) sms.Issue {
	return sms.Issue{
		Merchant: "m", Phone: phone, ID: id, Code: code,
		SentAt: at, SentBefore: at, ExpiresAt: at + 100, KeptUntil: at + 100, Counts: counts,
	}
}

func smsAttempt(phone, code string, at int64, purpose sms.Purpose) sms.Attempt {
	return sms.Attempt{Merchant: "m", Phone: phone, Code: code, Now: at, Limit: 5, Purpose: purpose}
}

// However many guess at once, in whatever process, a code survives five.
func testSMSGuesses(t *testing.T, e *Engine) {
	ctx := context.WithoutCancel(t.Context())
	other := e.Another(t)
	must(t, e.Store.IssueCode(ctx, smsIssue("p", "1", "right", 1000)))
	together(e, other, smsCrowd, func(e *Engine, i int) {
		right, err := e.Store.TryCode(ctx, smsAttempt("p", fmt.Sprint("wrong ", i), 1001, sms.Judge))
		if err != nil || right {
			t.Errorf("guess %d: %v, %v", i, right, err)
		}
	})
	equal(t, "attempts", int64(5), smsNumber(t, e, "SELECT attempts FROM sms_code WHERE phone = 'p'"))
	right, err := e.Store.TryCode(ctx, smsAttempt("p", "right", 1001, sms.Judge))
	if err != nil || right {
		t.Errorf("after five wrong guesses: %v, %v", right, err)
	}
	// Among the first five the right one is as good as any.
	must(t, e.Store.IssueCode(ctx, smsIssue("p", "2", "right", 2000)))
	for range 4 {
		if right, err := other.Store.TryCode(ctx, smsAttempt("p", "wrong", 2001, sms.Judge)); err != nil || right {
			t.Fatal(right, err)
		}
	}
	if right, err := e.Store.TryCode(ctx, smsAttempt("p", "right", 2001, sms.Judge)); err != nil || !right {
		t.Errorf("the fifth attempt: %v, %v", right, err)
	}
}

// Of many who show the right code at once one is right.
func testSMSUsedOnce(t *testing.T, e *Engine) {
	ctx := context.WithoutCancel(t.Context())
	other := e.Another(t)
	must(t, e.Store.IssueCode(ctx, smsIssue("p", "1", "right", 1000)))
	var right atomic.Int64
	together(e, other, smsCrowd, func(e *Engine, i int) {
		ok, err := e.Store.TryCode(ctx, smsAttempt("p", "right", 1001, sms.Judge))
		if err != nil {
			t.Error(err)
		}
		if ok {
			right.Add(1)
		}
	})
	equal(t, "right", int64(1), right.Load())

	must(t, e.Store.IssueCode(ctx, smsIssue("p", "2", "right", 2000)))
	right.Store(0)
	together(e, other, smsCrowd, func(e *Engine, i int) {
		ok, err := e.Store.TryCode(ctx, smsAttempt("p", "right", 2001, sms.Register))
		if err != nil {
			t.Error(err)
		}
		if ok {
			right.Add(1)
		}
	})
	equal(t, "right for registrations", int64(smsCrowd), right.Load())

	// What one purpose has used up is lost to the other.
	for i, row := range []struct {
		fresh   bool
		purpose sms.Purpose
		want    bool
	}{
		{true, sms.Judge, true}, {false, sms.Register, false}, {false, sms.Judge, false},
		{true, sms.Register, true}, {false, sms.Judge, false}, {false, sms.Register, true},
	} {
		if row.fresh {
			must(t, e.Store.IssueCode(ctx, smsIssue("p", fmt.Sprint("fresh ", i), "right", 3000)))
		}
		if ok, err := other.Store.TryCode(ctx, smsAttempt("p", "right", 3001, row.purpose)); err != nil || ok != row.want {
			t.Errorf("row %d: %v, %v", i, ok, err)
		}
	}
}

// Limits hold to the last one, whoever sends where.
func testSMSLimits(t *testing.T, e *Engine) {
	ctx := context.WithoutCancel(t.Context())
	other := e.Another(t)
	limits := func(phone string) []sms.Count {
		return []sms.Count{
			{Kind: "phone", Subject: phone, Period: "d", Limit: 10, KeptUntil: 9000},
			{Kind: "app", Subject: "a", Period: "d", Limit: 30, KeptUntil: 9000},
			{Kind: "source", Subject: "s", Period: "h", Limit: 1000, KeptUntil: 9000},
		}
	}
	var sent, refused [4]atomic.Int64
	together(e, other, 4*smsCrowd/2, func(e *Engine, i int) {
		to := i / 2 % 4
		phone := fmt.Sprint("p", to)
		switch err := e.Store.IssueCode(ctx, smsIssue(phone, fmt.Sprint(i), "c", 1000, limits(phone)...)); {
		case err == nil:
			sent[to].Add(1)
		case errors.Is(err, sms.ErrTooMany):
			refused[to].Add(1)
		default:
			t.Error(err)
		}
	})
	total := int64(0)
	for to := range sent {
		if n := sent[to].Load(); n > 10 {
			t.Errorf("%d codes to one phone", n)
		}
		total += sent[to].Load()
		equal(t, "answers", int64(smsCrowd/2), sent[to].Load()+refused[to].Load())
	}
	equal(t, "codes of the app", int64(30), total)
	equal(t, "counted for phones", total, smsNumber(t, e, "SELECT CAST(sum(count) AS BIGINT) FROM sms_count WHERE kind = 'phone'"))
	equal(t, "counted for the source", total, smsNumber(t, e, "SELECT CAST(sum(count) AS BIGINT) FROM sms_count WHERE kind = 'source'"))

	// A pause lets one of them through.
	var first atomic.Int64
	together(e, other, smsCrowd, func(e *Engine, i int) {
		issue := smsIssue("q", fmt.Sprint(i), "c", 1000)
		issue.SentBefore = 940
		switch err := e.Store.IssueCode(ctx, issue); {
		case err == nil:
			first.Add(1)
		case !errors.Is(err, sms.ErrTooMany):
			t.Error(err)
		}
	})
	equal(t, "codes without a pause", int64(1), first.Load())
}

// What was not sent is as if it had not been asked for, and takes no newer code
// with it.
func testSMSWithdraw(t *testing.T, e *Engine) {
	ctx := t.Context()
	count := sms.Count{Kind: "phone", Subject: "p", Period: "d", Limit: 10, KeptUntil: 9000}
	first, second := smsIssue("p", "1", "one", 1000, count), smsIssue("p", "2", "two", 1001, count)
	must(t, e.Store.IssueCode(ctx, first))
	must(t, e.Store.IssueCode(ctx, second))
	must(t, e.Store.WithdrawCode(ctx, first))
	equal(t, "count", int64(1), smsNumber(t, e, "SELECT count FROM sms_count"))
	equal(t, "codes", int64(1), smsNumber(t, e, "SELECT count(*) FROM sms_code"))
	must(t, e.Store.WithdrawCode(ctx, second))
	equal(t, "count", int64(0), smsNumber(t, e, "SELECT count FROM sms_count"))
	if right, err := e.Store.TryCode(ctx, smsAttempt("p", "two", 1002, sms.Judge)); err != nil || right {
		t.Errorf("a code that was withdrawn: %v, %v", right, err)
	}
}

// Old rows go by and by, those of others too, and only old ones.
func testSMSOldRows(t *testing.T, e *Engine) {
	ctx := t.Context()
	for i := range 30 {
		phone := fmt.Sprint("old ", i)
		must(t, e.Store.IssueCode(ctx, smsIssue(phone, "1", "c", 1000, sms.Count{Kind: "phone", Subject: phone, Period: "d", Limit: 1, KeptUntil: 2000})))
	}
	young := sms.Count{Kind: "phone", Subject: "young", Period: "d", Limit: 9, KeptUntil: 9000}
	left := func() [2]int64 {
		return [2]int64{smsNumber(t, e, "SELECT count(*) FROM sms_code"), smsNumber(t, e, "SELECT count(*) FROM sms_count")}
	}
	must(t, e.Store.IssueCode(ctx, smsIssue("young", "1", "c", 1099, young)))
	equal(t, "rows before their time", [2]int64{31, 31}, left())
	must(t, e.Store.IssueCode(ctx, smsIssue("young", "2", "c", 2000, young)))
	equal(t, "rows after one send", [2]int64{11, 11}, left())
	must(t, e.Store.IssueCode(ctx, smsIssue("young", "3", "c", 2001, young)))
	equal(t, "rows after two", [2]int64{1, 1}, left())
	equal(t, "count", int64(3), smsNumber(t, e, "SELECT count FROM sms_count"))
}

func smsNumber(t testing.TB, e *Engine, query string) (n int64) {
	t.Helper()
	must(t, e.DB.Read().QueryRow(t.Context(), query).Scan(&n))
	return n
}
