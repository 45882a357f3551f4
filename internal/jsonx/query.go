package jsonx

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// FromQuery gives query parameters the accessors of a body. A parameter that
// is there several times is read as several spellings are: equal values pass,
// different ones are an error when the field is read. A value that is not
// UTF-8 or holds a NUL is an error then too.
func FromQuery(query url.Values) Fields {
	members := make([]member, 0, len(query))
	for _, name := range slices.Sorted(maps.Keys(query)) {
		for _, value := range query[name] {
			m := member{name: name, raw: value, kind: kindText}
			if !utf8.ValidString(value) || strings.IndexByte(value, 0) >= 0 {
				m.kind = kindBroken
			}
			members = append(members, m)
		}
	}
	return Fields{members: members}
}

// Merge joins the two places a GET may carry its parameters in. A name in both
// must mean the same ("1" equals 1), or the error is a *FieldError; null and
// empty give way to the other place.
func Merge(body, query Fields) (Fields, error) {
	if len(query.members) == 0 {
		return body, nil
	}
	merged := slices.Clone(body.members)
	for _, q := range query.members {
		add := true
		for _, b := range body.members {
			if b.name != q.name || b.kind == kindNull {
				continue
			}
			add = add && b.empty() && !q.empty()
			if !b.empty() && !q.empty() && !same(b, q) {
				return Fields{}, differ(b.name, q.name)
			}
		}
		if add {
			merged = append(merged, q)
		}
	}
	return Fields{members: merged}, nil
}
