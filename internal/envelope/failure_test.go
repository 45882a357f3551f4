package envelope

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/memberd/memberd/internal/access/accesstest"
	"github.com/memberd/memberd/internal/jsonx"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// Every domain code has a number of the document and a text.
func TestRefusalsAreComplete(t *testing.T) {
	t.Parallel()
	documented := map[int]bool{
		500: true, 1001: true, 110003: true, 120001: true, 120002: true, 130001: true, 130002: true,
		130003: true, 150001: true, 150002: true, 150003: true, 150004: true, 150005: true, 150006: true,
	}
	for _, code := range loyalty.Codes() {
		f, ok := refusals[code]
		if !ok || f.message == "" || !documented[f.number] || f.status != 200 {
			t.Errorf("%s: %+v", code, f)
		}
	}
	if len(refusals) != len(loyalty.Codes()) {
		t.Errorf("%d refusals for %d codes", len(refusals), len(loyalty.Codes()))
	}
}

func TestOperationNamesAreComplete(t *testing.T) {
	t.Parallel()
	for op := loyalty.Operation(0); op < 30; op++ {
		if (op.Name() != "") != op.Valid() {
			t.Errorf("operation %d: %q", op, op.Name())
		}
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	d := New(Options{}).(*door)
	for _, row := range []struct {
		err    error
		number int
		status int
	}{
		{fmt.Errorf("wrapped: %w", loyalty.PointsInsufficient), 150003, 200},
		{&jsonx.FieldError{Name: "score", Reason: jsonx.NotInteger}, 1001, 200},
		{writer.ErrBusy, 500, 503},
		{writer.ErrClosed, 500, 503},
		{fmt.Errorf("wrapped: %w", writer.ErrUnavailable), 500, 503},
		{fmt.Errorf("wrapped: %w", loyalty.ErrUnavailable), 500, 503},
		{writer.ErrUnknownOutcome, 500, 200},
		{context.DeadlineExceeded, 500, 200},
		{writer.ErrInternal, 500, 200},
		{errors.New("anything"), 500, 200},
		{loyalty.Code(9_999), 500, 200},
	} {
		if f := d.failureOf(context.Background(), row.err); f.number != row.number || f.status != row.status {
			t.Errorf("%v: %+v", row.err, f)
		}
	}
	if errUnknown.message == errBusy.message {
		t.Error("an unknown outcome must say so")
	}
}

func TestSignerForgets(t *testing.T) {
	t.Parallel()
	key, err := accesstest.KeyGenerator()()
	if err != nil {
		t.Fatal(err)
	}
	signer := newSigner()
	for i := range maxKnown {
		signer.known[signed{base: strconv.Itoa(i)}] = "x"
	}
	if _, err := signer.sign(frame{Ver: "1", StatusCode: "1", Message: "one more"}, key); err != nil {
		t.Fatal(err)
	}
	if len(signer.known) != 1 {
		t.Errorf("%d signatures kept", len(signer.known))
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	loc := time.FixedZone("CST", 8*3600)
	const day = 1560441600000 // 2019-06-14 00:00 in Shanghai
	for text, want := range map[string]span{
		`"2019-06-14"`:          {day, day + 86_400_000 - 1},
		`"2019-06-14 00:00:01"`: {day + 1_000, day + 1_999},
		`1560441600000`:         {day, day},
		`"1560441600000"`:       {day, day},
	} {
		f, err := jsonx.Object([]byte(`{"t":` + text + `}`))
		if err != nil {
			t.Fatal(err)
		}
		got, err := fields{f}.span(loc, "t")
		if err != nil || *got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}
