package loyalty

// AddTemplate is gateway 5.1. It is idempotent by its key: the same terms again
// are the same template.
type AddTemplate struct {
	Merchant string
	Template TemplateKey
	Terms    TemplateTerms
	App      string
}

// TemplateAdded is the template's number.
type TemplateAdded struct{ ID int64 }

// Key is none: the template's own key makes the call idempotent.
func (c AddTemplate) Key() Key { return Key{} }

// Refs is the template.
func (c AddTemplate) Refs() Refs {
	return Refs{Who: Who{Merchant: c.Merchant}, Template: c.Template, New: NewIDs{TemplateIDs, 1}}
}

// Decide refuses: TemplateInvalid with the field, TemplateTaken, TemplateOver.
func (c AddTemplate) Decide(v *View, at Stamp) (Effects, TemplateAdded, error) {
	if err := c.Terms.check(v.Snapshot()); err != nil {
		return Effects{}, TemplateAdded{}, err
	}
	if t := v.template(); t != nil {
		if t.Document() != c.Terms.Document() {
			return Effects{}, TemplateAdded{}, TemplateTaken
		}
		return Effects{}, TemplateAdded{t.ID}, nil
	}
	if c.Terms.Period && c.Terms.EndAt <= at.Now {
		return Effects{}, TemplateAdded{}, TemplateOver
	}
	t := Template{
		ID: at.NewID, Merchant: c.Merchant, TemplateKey: c.Template, CreatedAt: at.Now, App: c.App, TemplateTerms: c.Terms,
	}
	return Effects{Template: &t}, TemplateAdded{t.ID}, nil
}
