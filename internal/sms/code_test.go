package sms

import "testing"

// Every digit stands everywhere as often as any other, leading zeros included.
// The bounds are eight standard deviations away: no run in a lifetime meets
// them by chance.
func TestNewCode(t *testing.T) {
	t.Parallel()
	const codes, digits = 10_000, 6
	var seen [digits][10]int
	for range codes {
		code := newCode(digits)
		if len(code) != digits {
			t.Fatalf("%q has not %d digits", code, digits)
		}
		for i, c := range code {
			seen[i][c-'0']++
		}
	}
	for i := range seen {
		for digit, n := range seen[i] {
			if n < 760 || n > 1240 {
				t.Errorf("place %d: %d is there %d times in %d", i, digit, n, codes)
			}
		}
	}
}
