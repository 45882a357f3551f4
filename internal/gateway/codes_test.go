package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/jsonx"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/sms"
	"github.com/memberd/memberd/internal/writer"
)

func attribute(heard map[string]any) func(context.Context, string, any) {
	return func(_ context.Context, key string, value any) { heard[key] = value }
}

// TestEveryCodeHasANumber proves the table complete, and that those with a
// number of the document's have that one.
func TestEveryCodeHasANumber(t *testing.T) {
	t.Parallel()
	own := map[loyalty.Code]int{
		loyalty.PhoneMalformed: 120001, loyalty.MemberNotFound: 110003, loyalty.MemberErased: 110003,
		loyalty.StatementNotFound: 150004, loyalty.StatementForeign: 150005, loyalty.StatementNotReversible: 150005,
		loyalty.KeyReused: 150002, loyalty.NothingLeft: 150006, loyalty.NoPointsRule: 150001, loyalty.PointsInsufficient: 150003,
		loyalty.OrderNotFound: 120002, loyalty.TemplateNotFound: 130002, loyalty.CouponNotFound: 130002,
		loyalty.TemplateTaken: 130001, loyalty.TemplateOver: 130001, loyalty.CouponTaken: 130001,
		loyalty.StockExhausted: 130001, loyalty.ClaimLimitReached: 130001, loyalty.RestrictionUnmet: 130001,
		loyalty.CouponStateRefused: 130003, loyalty.CouponNotUsable: 130003,
	}
	d := &door{Options: Options{Logger: slog.New(slog.DiscardHandler)}}
	for _, code := range loyalty.Codes() {
		want := codeInvalid
		if n, ok := own[code]; ok {
			want = n
		}
		r := ofCode[code]
		if r == nil {
			t.Errorf("%v has no line in the table", code)
			continue
		}
		if r.code != want || r.message == "" || r.status != 0 {
			t.Errorf("%v: %d %q HTTP %d, want %d", code, r.code, r.message, r.status, want)
		}
		if got := d.refuse(t.Context(), fmt.Errorf("wrapped: %w", code)); got != r {
			t.Errorf("%v wrapped: %v", code, got)
		}
	}
	if len(ofCode) != len(loyalty.Codes()) {
		t.Errorf("%d lines for %d codes", len(ofCode), len(loyalty.Codes()))
	}
}

// TestRefusalsNameTheirPlace: the field or the item stands before the text, and
// the number stays.
func TestRefusalsNameTheirPlace(t *testing.T) {
	t.Parallel()
	d := &door{Options: Options{Logger: slog.New(slog.DiscardHandler)}}
	for want, err := range map[string]error{
		"130001 第 7 条: 优惠券库存不足":                loyalty.Refusal{Code: loyalty.StockExhausted, Item: 7},
		"1001 consume_date: 时间不能晚于当前时间 5 分钟以上": fmt.Errorf("wrapped: %w", loyalty.Refusal{Code: loyalty.TimeAhead, Field: "consume_date"}),
		"110003 coupon_set 第 2 条: 会员未绑定":       &itemError{"coupon_set", 2, loyalty.MemberNotFound},
		"120001 coupon_set 第 2 条: 非法的电话":       &itemError{"coupon_set", 2, errPhoneWrong},
		"1001 stores 第 1 条: id 不能为空":           fmt.Errorf("wrapped: %w", &itemError{"stores", 1, &jsonx.FieldError{Name: "id", Reason: jsonx.Missing}}),
		"130002 券码 a-1: 查不到对应的券":               &itemError{name: "券码 a-1", err: loyalty.CouponNotFound},
	} {
		r := d.refuse(t.Context(), err)
		if got := fmt.Sprint(r.code, " ", r.message); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
	if m := ofCode[loyalty.StockExhausted].message; m != "优惠券库存不足" {
		t.Errorf("the table's own text became %q", m)
	}
}

func TestErrorsByKind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		code   int
		status int
		logged bool
	}{
		{access.ErrNoApp, 110004, 0, false},
		{access.ErrAppGone, 110005, 0, false},
		{access.ErrBadToken, 1004, 0, false},
		{access.ErrBadRefresh, 1006, 0, false},
		{access.ErrDailyLimit, 1007, 0, false},
		{writer.ErrBusy, 500, http.StatusServiceUnavailable, false},
		{writer.ErrClosed, 500, http.StatusServiceUnavailable, false},
		{writer.ErrUnavailable, 500, http.StatusServiceUnavailable, false},
		{loyalty.ErrUnavailable, 500, http.StatusServiceUnavailable, false},
		{writer.ErrUnknownOutcome, 500, 0, false},
		{context.Canceled, 500, 0, false},
		{sms.ErrTooMany, 140004, 0, false},
		{sms.ErrSend, 140001, 0, false},
		{writer.ErrInternal, 500, 0, false},
		{errors.New("disk on fire"), 500, 0, true},
	} {
		var log bytes.Buffer
		d := &door{Options: Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}}
		r := d.refuse(t.Context(), fmt.Errorf("wrapped: %w", c.err))
		if r.code != c.code || r.status != c.status {
			t.Errorf("%v: %d, HTTP %d", c.err, r.code, r.status)
		}
		if strings.Contains(r.message, "fire") {
			t.Errorf("%v: the caller is told %q", c.err, r.message)
		}
		if got := log.Len() > 0; got != c.logged {
			t.Errorf("%v: logged %t", c.err, got)
		}
	}
	if !strings.Contains(errUnknownOutcome.message, "未知") {
		t.Errorf("an unknown outcome says %q", errUnknownOutcome.message)
	}
}

func TestOperationNamesAreComplete(t *testing.T) {
	t.Parallel()
	for o := loyalty.Operation(1); o.Valid(); o++ {
		if o.Name() == "" {
			t.Errorf("operation %d has no name", o)
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]loyalty.Entry{
		"积分过期": {Kind: loyalty.Expiry, Operation: loyalty.OpClearing},
		"积分到账": {Kind: loyalty.Release, Operation: loyalty.OpManualGrant},
		"积分回退": {Kind: loyalty.TakeBack, Operation: loyalty.OpPurchaseClawback},
		"积分核销": {Kind: loyalty.WriteOff},
		"注册送":  {Kind: loyalty.Grant, Operation: loyalty.OpRegisterGift},
		"原因":   {Kind: loyalty.Expiry, Note: loyalty.Note{Reason: "原因"}},
	} {
		if got := describe(&e); got != want {
			t.Errorf("%+v: %q, want %q", e, got, want)
		}
	}
}

func TestProjectID(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		"18756": int64(18756), "0": int64(0), "999999999999999": int64(999999999999999),
	} {
		if got := projectID(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	for _, text := range []string{"007", "+1", "1e3", "1000000000000000", "门店"} {
		if got, ok := projectID(text).(*string); !ok || *got != text {
			t.Errorf("%q: %v", text, projectID(text))
		}
	}
	if got, ok := projectID("").(*string); !ok || got != nil {
		t.Errorf("nothing: %v", projectID(""))
	}
}

// brokenReader panics with something that must not reach a log.
type brokenReader struct{ doortest.Reader }

func (brokenReader) Member(context.Context, loyalty.Who, loyalty.Instant, bool) (loyalty.Found, error) {
	panic("13800138000")
}

func TestPanicIsAnswered(t *testing.T) {
	t.Parallel()
	b := doortest.New(t)
	var log bytes.Buffer
	handler := New(Options{
		Writer: b.Writer, Reader: brokenReader{b.Reader}, Access: b.Access, Codes: b.Codes, Now: b.Clock.Now,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	a := doortest.Send(handler, b.Request(doortest.GatewayCall{Method: methodInfoQuery, Body: `{"phone":"13800000000"}`}))
	const want = `{"success":false,"error_code":500,"error_message":"系统繁忙, 请稍后再试","data":null,"errorCode":500,"errorMessage":"系统繁忙, 请稍后再试","pageNo":null,"pageSize":null,"totalCount":null}`
	if a.Status != http.StatusOK || a.Body != want {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if !strings.Contains(log.String(), "panic in a call") || strings.Contains(log.String(), "13800138000") {
		t.Errorf("log: %s", log.String())
	}
}

func TestOutsideThePrefix(t *testing.T) {
	t.Parallel()
	handler := New(Options{})
	for _, path := range []string{"/", "/gw/gateway/", "/gw/gateway/wk.user.info.query", "/gw/gateway//v1", "/wk.user.info.query/v1"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, nil))
		if !strings.Contains(w.Body.String(), `"error_code":1008`) || w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
