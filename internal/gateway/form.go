package gateway

import (
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/memberd/memberd/internal/jsonx"
	"github.com/memberd/memberd/internal/loyalty"
)

// Limits of texts, in characters. The document gives none; without any a caller
// could fill the database with one call after the other.
const (
	maxKey  = loyalty.MaxKey  // change_id, out_biz_no
	maxName = loyalty.MaxName // names and other short texts
	maxText = loyalty.MaxText // reasons, remarks
	maxURL  = loyalty.MaxURL
)

// Limits of paging.
const (
	maxPageSize = 100
	maxPageNo   = 1_000_000_000
)

// both is the name of a field in snake_case, as the document's tables have it,
// and in camelCase, as some of its examples do.
func both(name string) []string {
	parts := strings.Split(name, "_")
	for i, part := range parts[1:] {
		parts[i+1] = strings.ToUpper(part[:1]) + part[1:]
	}
	return []string{name, strings.Join(parts, "")}
}

// form reads the fields of a call. It keeps the first thing that is wrong, so
// that a method reads all its fields in a straight line and asks once.
//
// Order of refusals (design.md, section 5): shape and values before the member,
// hence a missing member reference counts only when nothing else is wrong.
type form struct {
	fields   jsonx.Fields
	merchant string
	err      error
	noMember bool
}

// check is what is wrong with the call.
func (f *form) check() error {
	if f.err == nil && f.noMember {
		return errMemberMissing
	}
	return f.err
}

func (f *form) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// text is an optional text of at most limit characters.
func (f *form) text(limit int, names ...string) string {
	value, _, err := f.fields.Text(names...)
	if err != nil {
		f.fail(err)
		return ""
	}
	if len(value) > limit && utf8.RuneCountInString(value) > limit {
		f.fail(invalid(names[0] + " 过长"))
	}
	return value
}

// need is a required text of at most limit characters.
func (f *form) need(limit int, names ...string) string {
	value := f.text(limit, names...)
	if strings.TrimSpace(value) == "" {
		f.missing(names[0])
	}
	return value
}

// missing is the refusal of a required field that is not there.
func (f *form) missing(name string) {
	f.fail(&jsonx.FieldError{Name: name, Reason: jsonx.Missing})
}

func (f *form) outOfRange(name string) {
	f.fail(&jsonx.FieldError{Name: name, Reason: jsonx.OutOfRange})
}

// integer is an optional whole number between low and high, fallback if absent.
func (f *form) integer(fallback, low, high int64, names ...string) int64 {
	value, present, err := f.fields.Int(names...)
	switch {
	case err != nil:
		f.fail(err)
	case !present:
		return fallback
	case value < low || value > high:
		f.outOfRange(names[0])
	}
	return value
}

// needInteger is a required whole number between low and high.
func (f *form) needInteger(low, high int64, names ...string) int64 {
	if _, present, err := f.fields.Int(names...); err == nil && !present {
		f.missing(names[0])
		return low
	}
	return f.integer(low, low, high, names...)
}

// integerText is an optional whole number of any size, as it was written.
func (f *form) integerText(names ...string) string {
	if _, _, err := f.fields.Int(names...); err != nil {
		f.fail(err)
	}
	return f.text(maxKey, names...)
}

// document is an optional text that may come as an object or a list instead:
// text stays as it is, also where it is no JSON, and JSON stays as it was sent
// (G-142).
func (f *form) document(names ...string) string {
	raw, present, err := f.fields.Raw(names...)
	if err != nil {
		f.fail(err)
		return ""
	}
	if !present || raw[0] != '{' && raw[0] != '[' {
		return f.text(maxDocument, names...)
	}
	if len(raw) > maxDocument && utf8.RuneCount(raw) > maxDocument {
		f.fail(invalid(names[0] + " 过长"))
	}
	return string(raw)
}

// flag is an optional yes or no: true, 1 or "true", "1".
func (f *form) flag(names ...string) bool {
	raw, present, err := f.fields.Raw(names...)
	if err != nil {
		f.fail(err)
	}
	if err != nil || !present {
		return false
	}
	switch strings.Trim(string(raw), `"`) {
	case "true", "1":
		return true
	case "false", "0", "":
		return false
	}
	f.fail(&jsonx.FieldError{Name: names[0], Reason: jsonx.Invalid})
	return false
}

// fen is an optional amount of yuan, not negative.
func (f *form) fen(names ...string) int64 {
	value, _, err := f.fields.Fen(names...)
	if err != nil {
		f.fail(err)
	} else if value < 0 {
		f.outOfRange(names[0])
	}
	return value
}

// day is an optional date, yyyy-MM-dd, not later than today. It is taken by the
// calendar furthest ahead of UTC: nobody is refused for being ahead of us.
func (f *form) day(now loyalty.Instant, names ...string) (text string, month, day int) {
	text = f.text(maxKey, names...)
	if text == "" {
		return "", 0, 0
	}
	at, err := time.Parse(time.DateOnly, text)
	if err != nil || at.After(now.In(time.UTC).Add(14*time.Hour)) {
		f.fail(&jsonx.FieldError{Name: names[0], Reason: jsonx.Invalid})
		return "", 0, 0
	}
	return text, int(at.Month()), at.Day()
}

// phone is a mobile number, "" if absent; a malformed one is 120001.
func (f *form) phone() string {
	phone := f.text(maxKey, "phone")
	if phone != "" && !loyalty.ValidPhone(phone) {
		f.fail(errPhoneWrong)
	}
	return phone
}

// member is whom the call is about: open_id, which seven of the document's
// methods let hold a phone, or phone, or both if they agree (G-035, G-036).
func (f *form) member() loyalty.Who {
	who := loyalty.Who{Merchant: f.merchant, Phone: f.phone()}
	switch id := f.text(maxKey, "open_id", "openId"); {
	case !loyalty.ValidPhone(id):
		who.OpenID = id
	case who.Phone == "":
		who.Phone = id
	case who.Phone != id:
		f.fail(loyalty.MembersDisagree)
	}
	f.noMember = who.Phone == "" && who.OpenID == ""
	return who
}

// paging is which page is asked for. A size beyond maxPageSize is capped, and so
// is a page beyond maxPageNo, where no ledger reaches.
func (f *form) paging(defaultSize int64) (no, size int) {
	no64 := f.integer(1, 1, math.MaxInt64, "pageNo", "page_no", "pageNum")
	size64 := f.integer(defaultSize, 1, 1<<62, "pageSize", "page_size")
	return int(min(no64, maxPageNo)), int(min(size64, maxPageSize))
}
