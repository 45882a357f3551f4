package loyalty

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// SettingError says what is wrong with which key of a settings document.
type SettingError struct {
	Key     string // as points.multipliers[0].factor
	Problem string
}

func (e *SettingError) Error() string { return e.Key + ": " + e.Problem }

func wrong(key, format string, args ...any) error {
	return &SettingError{Key: key, Problem: fmt.Sprintf(format, args...)}
}

// keyOf is the key of a list's place, counted from 0.
func keyOf(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

// oneOf refuses a word that is none of those known.
func oneOf[T ~string](key string, value T, known ...T) error {
	if slices.Contains(known, value) {
		return nil
	}
	words := make([]string, len(known))
	for i, k := range known {
		words[i] = string(k)
	}
	return wrong(key, "%q is none of %s", value, strings.Join(words, ", "))
}

// between refuses a number that is out of bounds.
func between[T ~int | ~int64](key string, n, low, high T) error {
	if n >= low && n <= high {
		return nil
	}
	return wrong(key, "%d is not between %d and %d", n, low, high)
}

func tooLong(text string, most int) bool { return utf8.RuneCountInString(text) > most }
