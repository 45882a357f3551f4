package jsonx

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHasAllRawSub(t *testing.T) {
	t.Parallel()
	f := read(t, `{"ver":1, "n":null, "e":"", "s":"\u0041\n", "o":{ "k" : [1, 2] }, "o2":{"k":[1,2]}, "b":true, "l":[{"k":1}]}`)
	for name, want := range map[string]bool{"ver": true, "n": false, "e": true, "o": true, "zz": false} {
		if f.Has(name) != want {
			t.Errorf("Has(%s) is not %t", name, want)
		}
	}
	var all [][2]string
	for name, text := range f.All() {
		all = append(all, [2]string{name, text})
	}
	want := [][2]string{{"ver", "1"}, {"e", ""}, {"s", "A\n"}, {"o", `{ "k" : [1, 2] }`}, {"o2", `{"k":[1,2]}`}, {"b", "true"}, {"l", `[{"k":1}]`}}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
	raw, present, err := f.Raw("o", "o2")
	if string(raw) != `{ "k" : [1, 2] }` || !present || err != nil {
		t.Errorf("Raw: %s %t %v", raw, present, err)
	}
	if _, _, err := f.Raw("o", "l"); reason(t, err) != Different {
		t.Errorf("Raw of two things: %v", err)
	}
	if _, present, err := f.Raw("n", "zz"); present || err != nil {
		t.Errorf("Raw of null: %t %v", present, err)
	}
	sub, present, err := f.Sub("e", "o")
	if !present || err != nil || !sub.Has("k") {
		t.Errorf("Sub: %t %v", present, err)
	}
	if _, present, err := f.Sub("e"); present || err != nil {
		t.Errorf("Sub of empty text: %t %v", present, err)
	}
	if _, _, err := f.Sub("l"); reason(t, err) != NotObject {
		t.Errorf("Sub of a list: %v", err)
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value   string
		want    []string
		present bool
		reason  Reason
	}{
		{`"21315, 5484, 244"`, []string{"21315", "5484", "244"}, true, ""},
		{`["21315"," 5484",244,"244"]`, []string{"21315", "5484", "244"}, true, ""},
		{`"[\"a\",\"b\"]"`, []string{"a", "b"}, true, ""},
		{`",a,,a"`, []string{"a"}, true, ""}, {`5484`, []string{"5484"}, true, ""},
		{`""`, nil, false, ""}, {`[]`, nil, false, ""}, {`null`, nil, false, ""},
		{`[true]`, nil, false, NotList}, {`[["a"]]`, nil, false, NotList}, {`{}`, nil, false, NotList},
		{`"[\"a\""`, nil, false, NotList},
	} {
		got, present, err := read(t, `{"x":`+c.value+`}`).Texts("x")
		if !cmp.Equal(got, c.want) || present != c.present || reason(t, err) != c.reason {
			t.Errorf("%s: got %q %t %v", c.value, got, present, err)
		}
	}
	for _, value := range []string{
		`[{"open_id":"18023016181"},{"open_id":2}]`,
		`"[{\"open_id\":\"18023016181\"},{\"open_id\":2}]"`,
	} {
		all, present, err := read(t, `{"x":`+value+`}`).Objects("x")
		if !present || err != nil || len(all) != 2 {
			t.Fatalf("%s: %d %t %v", value, len(all), present, err)
		}
		if second, err := all[1].NeedText("open_id", "openId"); second != "2" || err != nil {
			t.Errorf("%s: %q %v", value, second, err)
		}
	}
	for _, value := range []string{`[1]`, `{}`, `"x"`, `"[{"`, `"[{\"a\":1,\"a\":2}]"`, `7`} {
		if _, _, err := read(t, `{"x":`+value+`}`).Objects("x"); reason(t, err) != NotList {
			t.Errorf("%s: %v", value, err)
		}
	}
}
