package jsonx

import (
	"encoding/json"
	"net/url"
	"testing"
)

func TestQueryAndMerge(t *testing.T) {
	t.Parallel()
	q := FromQuery(url.Values{"page_size": {"15"}, "desc": {"a\"b\\"}, "empty": {""}, "twice": {"1", "2"}, "same": {"1", "1.0"}, "bad": {"\xff"}, "nul": {"a\x00"}})
	if n, present, err := q.Int("page_size", "pageSize"); n != 15 || !present || err != nil {
		t.Errorf("Int: %d %t %v", n, present, err)
	}
	if s, _, err := q.Text("desc"); s != `a"b\` || err != nil {
		t.Errorf("Text: %q %v", s, err)
	}
	if raw, _, err := q.Raw("desc"); !json.Valid(raw) || err != nil {
		t.Errorf("Raw: %s %v", raw, err)
	}
	if _, _, err := q.Text("twice"); reason(t, err) != Different {
		t.Errorf("twice: %v", err)
	}
	if n, _, err := q.Int("same"); n != 1 || err != nil {
		t.Errorf("same: %d %v", n, err)
	}
	for _, name := range []string{"bad", "nul"} {
		_, _, a := q.Text(name)
		_, _, b := q.Int(name)
		_, _, c := q.Raw(name)
		for _, err := range []error{a, b, c} {
			if reason(t, err) != Unreadable {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for _, c := range []struct {
		body, query string
		want        string
		reason      Reason
	}{
		{`{}`, "a=1", "1", ""}, {`{"a":1}`, "", "1", ""}, {`{"a":1}`, "a=1", "1", ""}, {`{"a":"1"}`, "a=1", "1", ""},
		{`{"a":1.0}`, "a=1", "1.0", ""}, {`{"a":null}`, "a=x", "x", ""}, {`{"a":""}`, "a=x", "x", ""}, {`{"a":"x"}`, "a=", "x", ""},
		{`{"b":2}`, "a=x", "x", ""},
		{`{"a":1}`, "a=2", "", Different}, {`{"a":"01"}`, "a=1", "", Different}, {`{"a":[1]}`, "a=1", "", Different}, {`{"a":1}`, "a=%ff", "", Different},
	} {
		values, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		merged, err := Merge(read(t, c.body), FromQuery(values))
		if reason(t, err) != c.reason {
			t.Errorf("%s ?%s: %v, want %q", c.body, c.query, err, c.reason)
		}
		if err != nil {
			continue
		}
		if got, _, err := merged.Text("a"); got != c.want || err != nil {
			t.Errorf("%s ?%s: %q %v, want %q", c.body, c.query, got, err, c.want)
		}
	}
}
