package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/memberd/memberd/internal/loyalty"
)

// Two processes give the same new templates other numbers, so a deadlock is
// possible unless they are inserted in the order of their keys.
func TestNewTemplatesAreInsertedByKey(t *testing.T) {
	t.Parallel()
	template := func(id int64, merchant, space, number string) loyalty.Template {
		return loyalty.Template{ID: id, Merchant: merchant, TemplateKey: loyalty.TemplateKey{Space: space, Number: number}}
	}
	rows, err := (&Store{}).savingOf(loyalty.Changes{NewTemplates: []loyalty.Template{
		template(1, "b", "", "a"), template(2, "a", "t", "a"), template(3, "a", "s", "c"), template(4, "a", "s", "b"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	var ids []int64
	for _, row := range rows.NewTemplates {
		ids = append(ids, row.ID)
	}
	if diff := cmp.Diff([]int64{4, 3, 2, 1}, ids); diff != "" {
		t.Error(diff)
	}
}
