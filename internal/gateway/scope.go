package gateway

import (
	"encoding/json"
	"strings"

	"github.com/memberd/memberd/internal/jsonx"
	"github.com/memberd/memberd/internal/loyalty"
)

// scope reads a list of stores, products or categories. A list that cannot be
// read is an error only where the template needs it (G-173).
func (f *form) scope(needed bool, name string) []loyalty.ScopeItem {
	items, err := scopeItems(f.fields, name)
	if err != nil {
		if needed {
			f.fail(err)
		}
		return nil
	}
	return items
}

func scopeItems(fields jsonx.Fields, name string) ([]loyalty.ScopeItem, error) {
	list, err := scopeObjects(fields, name)
	if err != nil {
		return nil, err
	}
	var items []loyalty.ScopeItem
	for i, entry := range list {
		one := form{fields: entry}
		item := loyalty.ScopeItem{ID: one.need(maxKey, "id"), Name: one.text(maxName, "name")}
		if err := one.check(); err != nil {
			return nil, &itemError{name, i + 1, err}
		}
		items = append(items, item)
	}
	return items, nil
}

// scopeObjects reads the list strictly and, when that fails, once more with its
// bare names put into quotes: the document's notes and samples write
// [{"id":"1",name:"唐家"}].
func scopeObjects(fields jsonx.Fields, name string) ([]jsonx.Fields, error) {
	list, _, err := fields.Objects(name)
	if err == nil {
		return list, nil
	}
	text, _, textErr := fields.Text(name)
	if textErr != nil {
		return nil, err
	}
	relaxed, relaxedErr := jsonx.RelaxedObject(`{"list":` + quoteNames(text) + `}`)
	if relaxedErr != nil {
		return nil, err
	}
	list, _, relaxedErr = relaxed.Objects("list")
	if relaxedErr != nil {
		return nil, err
	}
	return list, nil
}

// quoteNames puts bare member names into quotes: identifiers of ASCII letters,
// digits and _ that stand before a colon, outside of strings. It touches nothing
// else, and a strict reader still has to accept what comes out.
func quoteNames(text string) string {
	var b strings.Builder
	for pos := 0; pos < len(text); {
		switch c := text[pos]; {
		case c == '"' || c == '\'':
			end := stringEnd(text, pos)
			b.WriteString(text[pos:end])
			pos = end
		case nameByte(c):
			end := pos
			for end < len(text) && nameByte(text[end]) {
				end++
			}
			word := text[pos:end]
			if strings.HasPrefix(strings.TrimLeft(text[end:], " \t\r\n"), ":") {
				word = `"` + word + `"`
			}
			b.WriteString(word)
			pos = end
		default:
			b.WriteByte(c)
			pos++
		}
	}
	return b.String()
}

func nameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// stringEnd is where the string that opens at pos ends; the end of the text when
// it does not.
func stringEnd(text string, pos int) int {
	quote := text[pos]
	for pos++; pos < len(text); pos++ {
		switch text[pos] {
		case '\\':
			pos++
		case quote:
			return pos + 1
		}
	}
	return len(text)
}

// scopeText is a list as 5.5 shows it: JSON in a text, "[]" when there is none
// (G-239).
func scopeText(items []loyalty.ScopeItem) string {
	if len(items) == 0 {
		return "[]"
	}
	text, err := json.Marshal(items)
	if err != nil {
		panic(err) // plain values: cannot happen
	}
	return string(text)
}
