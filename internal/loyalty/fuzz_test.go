package loyalty_test

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
)

// FuzzNumbers: a member id, statement id or coupon code that is read is exactly
// what would be written for it, so no two texts name one thing; and what is
// written is read as it was.
func FuzzNumbers(f *testing.F) {
	for i, text := range []string{
		"100000000000000001", "115632749214110108", "99999999999999999", "+10000000000000001", "100000000000000000", "109999999999999999", "110000000000000000",
		"SP000000000100000001", "SP000000000000000001", "sp000000000100000001", "SP00000000010000000a", "SP+00000000100000001", "SP999999999999999999",
		"3000000000100000001", "3000000000100000000", "3000000000000000001", "3999999999999999999", "+300000000010000001", "+3000000000100000001", "03000000000100000001", "4000000000000000000", "9999999999999999999",
		"06244323958828461000", "", "１００００００００００００００００１", "10000000000000000\x00",
	} {
		f.Add(text, uint64(i), uint64(math.MaxUint64)>>(3*i))
	}
	f.Fuzz(func(t *testing.T, text string, a, b uint64) {
		if id, ok := loyalty.ParseMemberID(text); ok && (loyalty.MemberIDText(id) != text || id < 1 || id > loyalty.MaxMemberID) {
			t.Fatalf("%q is member %d, who is %s", text, id, loyalty.MemberIDText(id))
		}
		if member, entry, ok := loyalty.ParseStatementID(text); ok && loyalty.StatementID(member, entry) != text {
			t.Fatalf("%q is entry %d of %d, which is %s", text, entry, member, loyalty.StatementID(member, entry))
		}
		if member, seq, ok := loyalty.ParseCouponCode(text); ok && strconv.FormatInt(loyalty.CouponCode(member, seq), 10) != text {
			t.Fatalf("%q is coupon %d of %d, which is %d", text, seq, member, loyalty.CouponCode(member, seq))
		}
		const most = 99_999_999 // entries and coupons of a member: 8 digits
		member, no := int64(a%loyalty.MaxMemberID)+1, int64(b%most)+1
		if id, ok := loyalty.ParseMemberID(loyalty.MemberIDText(member)); id != member || !ok {
			t.Fatalf("member %d is read as %d, %t", member, id, ok)
		}
		if m, entry, ok := loyalty.ParseStatementID(loyalty.StatementID(member, no)); m != member || entry != no || !ok {
			t.Fatalf("entry %d of %d is read as %d of %d, %t", no, member, entry, m, ok)
		}
		code := strconv.FormatInt(loyalty.CouponCode(member, no), 10)
		if m, seq, ok := loyalty.ParseCouponCode(code); m != member || seq != no || !ok {
			t.Fatalf("coupon %d of %d is read as %d of %d, %t", no, member, seq, m, ok)
		}
	})
}

var phoneForm = regexp.MustCompile(`^1[0-9]{10}$`)

// FuzzValidPhone compares with the documents' form, said another way.
func FuzzValidPhone(f *testing.F) {
	for _, text := range []string{"15900947949", "1590094794", "159009479490", "25900947949", "1590094794\n", "+8615900947949", "１５９００９４７９４９", "1590094794a", "", "159 0094794"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want := phoneForm.MatchString(text) && !strings.HasSuffix(text, "\n")
		if got := loyalty.ValidPhone(text); got != want {
			t.Fatalf("%q: %t, want %t", text, got, want)
		}
	})
}

// FuzzSpan: a span that is taken is between nothing and 400 days, days are 24
// hours each, and Go's own text of it is read as the same.
func FuzzSpan(f *testing.F) {
	for _, text := range []string{
		"30d", "400d", "401d", "-1d", "+1d", "-0d", "0h", "72h", "13h59m", "9600h", "9600h1ms", "9600h1ns", "-1ns", "1.5d", "d", "", "0", "1", "1d1h", " 1d", "99999999999d", "2562047h48m", "1e3h", "100µs",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		span, err := loyalty.ParseSpan(text)
		if err != nil {
			if span != 0 {
				t.Fatalf("%q is refused and is %s", text, span)
			}
			return
		}
		if span < 0 || span.Milliseconds() > loyalty.MaxClockStep {
			t.Fatalf("%q: %s is out of bounds", text, span)
		}
		if days, ok := strings.CutSuffix(text, "d"); ok {
			if n, err := strconv.Atoi(days); err != nil || span != time.Duration(n)*24*time.Hour {
				t.Fatalf("%q: %s", text, span)
			}
		}
		if again, err := loyalty.ParseSpan(span.String()); again != span || err != nil {
			t.Fatalf("%q: %s is read as %s, %v", text, span, again, err)
		}
	})
}

// FuzzParts: what an entry did to its lots is stored as text and comes back as
// it was, whatever a source is called; and any text that is read is written in
// one way.
func FuzzParts(f *testing.F) {
	for _, text := range []string{"", "-:0:5:", "1:2:-3:a%20b -:0:9223372036854775807:%25", "1:2:3", "1:2:3:4:5", " ", "1:2:3: ", "x:0:1:", "-1:-2:0:%", "+1:2:3:%2520", "9223372036854775807:0:1:"} {
		f.Add(text, "brand fund", int64(1798732800000), int64(0), int64(-5))
	}
	f.Add("", "100% :a b%20%25", int64(loyalty.Never), int64(-1), int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, text, source string, expires, available, quantity int64) {
		part := loyalty.Part{
			LotKey:   loyalty.LotKey{ExpiresAt: loyalty.Instant(expires), AvailableAt: loyalty.Instant(available), Source: source},
			Quantity: quantity,
		}
		parts := loyalty.Parts{part, {Quantity: 1}, part}
		again, err := loyalty.ParseParts(parts.String())
		if diff := cmp.Diff(parts, again); diff != "" || err != nil {
			t.Fatalf("%q: %v %s", parts.String(), err, diff)
		}
		read, err := loyalty.ParseParts(text)
		if err != nil {
			return
		}
		again, err = loyalty.ParseParts(read.String())
		if diff := cmp.Diff(read, again); diff != "" || err != nil {
			t.Fatalf("%q, written %q: %v %s", text, read.String(), err, diff)
		}
	})
}

// FuzzMemberCodes: a code names its member for its life, a few seconds early,
// and not after; and a text that is taken as a code is the one that was made for
// that member in one of the slots of its life.
func FuzzMemberCodes(f *testing.F) {
	codes, err := loyalty.NewMemberCodes([]byte("doortest-codes-0"))
	if err != nil {
		f.Fatal(err)
	}
	const life, slot = time.Minute, 5 * time.Second
	now := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	f.Add("06244323958828461000", uint64(1), now.UnixMilli(), uint32(0))
	f.Add("06999999999999999999", uint64(math.MaxUint64), int64(0), uint32(70_000))
	f.Add("0624432395882846100x", uint64(0), int64(499_999_999_999_999), uint32(59_999))
	f.Add(codes.Make(7, loyalty.InstantOf(now)), uint64(7), now.UnixMilli(), uint32(60_000))
	f.Fuzz(func(t *testing.T, text string, who uint64, at int64, later uint32) {
		at = at&(1<<47-1) + 1_000_000 // to the year 6429; the slots before 1970 are none
		made := loyalty.Instant(at)
		member := int64(who%loyalty.MaxMemberID) + 1
		code := codes.Make(member, made)
		if len(code) != 20 || code[:2] != "06" || strings.Trim(code, "0123456789") != "" {
			t.Fatalf("member %d has the code %q", member, code)
		}
		wait := time.Duration(later%200_000) * time.Millisecond
		got, ok := codes.Read(code, made+loyalty.Instant(wait.Milliseconds()), life)
		switch {
		case ok && got != member:
			t.Fatalf("%s of member %d is read as %d", code, member, got)
		case !ok && wait <= life, ok && wait >= life+2*slot:
			t.Fatalf("%s of member %d: %t after %s", code, member, ok, wait)
		}
		got, ok = codes.Read(text, made, life)
		if !ok {
			return
		}
		for back := -slot; back <= life; back += slot {
			if codes.Make(got, made-loyalty.Instant(back.Milliseconds())) == text {
				return
			}
		}
		t.Fatalf("%q is taken as member %d, who had no such code", text, got)
	})
}
