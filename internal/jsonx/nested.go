package jsonx

import (
	"encoding/json"
	"slices"
	"strings"
)

// Raw returns a value as valid JSON, byte for byte as it was sent; a query
// parameter becomes a JSON string.
func (f Fields) Raw(names ...string) (value json.RawMessage, present bool, err error) {
	m, present, err := f.only(names)
	if err != nil || !present {
		return nil, false, err
	}
	switch m.kind {
	case kindBroken:
		return nil, false, m.refuse(Unreadable)
	case kindText:
		value, err = json.Marshal(m.raw)
		return value, err == nil, err
	}
	return json.RawMessage(m.raw), true, nil
}

// Sub returns the members of an object. Empty text is not present.
func (f Fields) Sub(names ...string) (sub Fields, present bool, err error) {
	m, present, err := f.only(names)
	if err != nil || !present || m.empty() {
		return Fields{}, false, err
	}
	if m.kind != kindObject {
		return Fields{}, false, m.refuse(NotObject)
	}
	if sub, err = object(m.raw); err != nil {
		return Fields{}, false, m.refuse(NotObject)
	}
	return sub, true, nil
}

// Objects returns a list of objects, sent as an array or as a string that
// holds one. Empty text is not present.
func (f Fields) Objects(names ...string) (all []Fields, present bool, err error) {
	m, present, err := f.only(names)
	if err != nil || !present {
		return nil, false, err
	}
	text := m.raw
	if decoded, isText := m.string(); isText {
		if text = decoded; text == "" {
			return nil, false, nil
		}
	}
	elements, err := list(text)
	if err != nil {
		return nil, false, m.refuse(NotList)
	}
	all = make([]Fields, 0, len(elements))
	for _, element := range elements {
		sub, err := object(element.raw)
		if err != nil {
			return nil, false, m.refuse(NotList)
		}
		all = append(all, sub)
	}
	return all, true, nil
}

// Texts returns a list of texts, sent as an array of strings or numbers, as a
// string that holds one, or as text with commas between. Blanks around each
// are dropped, and so are empty ones and doubles; the order stays.
func (f Fields) Texts(names ...string) (all []string, present bool, err error) {
	m, present, err := f.only(names)
	if err != nil || !present {
		return nil, false, err
	}
	text := m.raw
	if m.kind != kindArray {
		decoded, _, reason := m.text()
		if reason != "" {
			return nil, false, m.refuse(NotList)
		}
		text = strings.TrimSpace(decoded)
	}
	parts := strings.Split(text, ",")
	if strings.HasPrefix(text, "[") {
		elements, err := list(text)
		if err != nil {
			return nil, false, m.refuse(NotList)
		}
		parts = parts[:0]
		for _, element := range elements {
			part, _, reason := element.text()
			if reason != "" {
				return nil, false, m.refuse(NotList)
			}
			parts = append(parts, part)
		}
	}
	known := make(map[string]bool, len(parts))
	for _, part := range parts {
		if part = strings.TrimSpace(part); part != "" && !known[part] {
			known[part] = true
			all = append(all, part)
		}
	}
	return all, len(all) > 0, nil
}

// only returns the one member that bears one of the names, whatever its type;
// an empty string gives way to anything else.
func (f Fields) only(names []string) (found member, present bool, err error) {
	for _, m := range f.members {
		switch {
		case m.kind == kindNull || !slices.Contains(names, m.name):
		case !present || found.empty():
			found, present = m, true
		case !m.empty() && !same(found, m):
			return member{}, false, differ(found.name, m.name)
		}
	}
	return found, present, nil
}
