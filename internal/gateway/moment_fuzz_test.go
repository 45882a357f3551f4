package gateway

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/memberd/memberd/internal/doortest"
	"github.com/memberd/memberd/internal/jsonx"
	"github.com/memberd/memberd/internal/loyalty"
)

// zones of merchants: today's, such as put clocks forward at two and at
// midnight, by half an hour, and one that once left out a day.
var zones = []string{"Asia/Shanghai", "UTC", "America/New_York", "America/Sao_Paulo", "America/Santiago", "Africa/Cairo", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"}

func loadZones(f *testing.F) (all []*time.Location) {
	for _, name := range zones {
		loc, err := time.LoadLocation(name)
		must(f, err)
		all = append(all, loc)
	}
	return all
}

// oneField is a form that holds a text.
func oneField(t testing.TB, text string) *form {
	t.Helper()
	body, err := json.Marshal(map[string]string{"x": text})
	must(t, err)
	fields, err := jsonx.Object(body)
	must(t, err)
	return &form{fields: fields}
}

// loose are the two freedoms of a time's text: an hour of one digit, and a
// fraction of the second, of which milliseconds count.
var loose = regexp.MustCompile(`^([0-9-]{10} )([0-9]):([0-9:]{5})|[.,][0-9]+$`)

// FuzzMoment: a time that is taken is what a wall clock in the merchant's zone
// shows, a date is the first moment of its day there, and a number is itself.
func FuzzMoment(f *testing.F) {
	for i, text := range []string{
		"2026-11-22 10:00:00", "2026-11-22", "1795312800000", "1.7953128e12", "2026-02-29", "2024-02-29 23:59:59", "2026-11-22 24:00:00", "2026-11-22T10:00:00",
		"2026-11-22 10:00:00.5", "2026-11-22 10:00:00,999999", "2026-11-22 9:00:00", "2026-03-08 02:30:00", "2026-11-01 01:30:00", "2018-11-04", "2018-11-04 00:30:00",
		"1986-05-04 02:30:00", "1940-06-01", "2011-12-30", "2011-12-30 12:00:00", "2023-04-28", "99999999999", "100000000000", "253402300799999", "253402300800000",
		"9999-12-31 23:59:59", "9999-12-31", "1973-03-03", "0000-01-01", "", " ", "2026-1-2", "２０２６-11-22", "-1", "2010-10-03 02:15:00", "2026-09-06", "2029-09-02",
	} {
		for which := range zones {
			f.Add(text, uint8(i+which))
		}
	}
	locations := loadZones(f)
	f.Fuzz(func(t *testing.T, text string, which uint8) {
		if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			return
		}
		loc := locations[int(which)%len(locations)]
		form := oneField(t, text)
		at, present := form.moment(loc, "x")
		if form.check() != nil {
			return
		}
		if present != (text != "") {
			t.Fatalf("%q: present %t", text, present)
		}
		if !present {
			return
		}
		if at < firstMoment || at > lastMoment {
			t.Fatalf("%q is %d, out of bounds", text, at)
		}
		if kept := form.dateText(loc, "x"); kept != text {
			t.Fatalf("%q is kept as %q", text, kept)
		}
		got := at.In(loc)
		plain := loose.ReplaceAllString(text, "${1}")
		if hour := loose.FindStringSubmatch(text); hour != nil && hour[2] != "" {
			plain = loose.ReplaceAllString(hour[1]+"0"+hour[2]+":"+hour[3]+text[len(hour[0]):], "")
		}
		switch {
		case len(text) == len(time.DateOnly) && strings.Count(text, "-") == 2:
			before := (at - 1).In(loc)
			if started(got, text) && !started(before, text) {
				return
			}
			if day, _ := time.Parse(time.DateOnly, text); !doortest.Shown(day.Add(12*time.Hour).Format(time.DateTime), loc) {
				return // the day was left out
			}
			t.Fatalf("%q in %s begins at %s, the moment before is %s", text, loc, got, before)
		case strings.Contains(text, ":"):
			if got.Format(time.DateTime) != plain && doortest.Shown(plain, loc) {
				t.Fatalf("%q in %s is %s", text, loc, got)
			}
		default:
			n, _, err := form.fields.Int("x")
			if err != nil || loyalty.Instant(n) != at {
				t.Fatalf("%q: %d, want %d, %v", text, at, n, err)
			}
		}
	})
}

// started tells whether at is on the day or after it.
func started(at time.Time, day string) bool { return at.Format(time.DateOnly) >= day }

// FuzzDay: a date that is taken is one of the calendar, as it was sent, and not
// after today.
func FuzzDay(f *testing.F) {
	now := loyalty.Instant(1795312800000)
	for _, text := range []string{"1994-09-28", "2024-02-29", "2023-02-29", "2026-11-22", "2026-11-23", "2026-11-24", "0000-01-01", "9999-12-31", "94-09-28", "1994/09/28", "1994-9-28", "1994-09-28 00:00:00", "19940928", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			return
		}
		form := oneField(t, text)
		got, month, day := form.day(now, "x")
		if form.check() != nil || text == "" {
			if got != "" || month != 0 || day != 0 {
				t.Fatalf("%q: %q %d %d, %v", text, got, month, day, form.check())
			}
			return
		}
		year, err := strconv.Atoi(text[:4])
		back := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
		if err != nil || got != text || back.Format(time.DateOnly) != text || back.After(now.In(time.UTC).Add(14*time.Hour)) {
			t.Fatalf("%q: %q, %s", text, got, back)
		}
	})
}

// FuzzMember: who is named by open_id and phone is a phone of the right form or
// an open id, never both when they differ and never none without a refusal.
func FuzzMember(f *testing.F) {
	for _, pair := range [][2]string{
		{openID, phone}, {phone, ""}, {phone, phone}, {"13900000000", phone}, {"", "1390000000"}, {"", ""}, {strings.Repeat("x", 129), ""}, {"1 or 1=1", "１３９"}, {"\n", ""},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, id, number string) {
		if !utf8.ValidString(id) || !utf8.ValidString(number) || strings.Contains(id+number, "\x00") {
			return
		}
		body, err := json.Marshal(map[string]string{"open_id": id, "phone": number})
		must(t, err)
		fields, err := jsonx.Object(body)
		must(t, err)
		form := &form{fields: fields, merchant: "1864"}
		who := form.member()
		if form.check() != nil {
			return
		}
		want := loyalty.Who{Merchant: "1864", OpenID: id, Phone: number}
		if loyalty.ValidPhone(id) {
			want.OpenID, want.Phone = "", id
		}
		if who != want || who.Phone == "" && who.OpenID == "" || who.Phone != "" && !loyalty.ValidPhone(who.Phone) || number != "" && who.Phone != number ||
			utf8.RuneCountInString(who.OpenID) > maxKey {
			t.Fatalf("%q and %q: %+v", id, number, who)
		}
	})
}

// FuzzScope: bare names get their quotes, and nothing in a list of stores means
// anything else than what a strict reader finds in it.
func FuzzScope(f *testing.F) {
	for _, text := range []string{
		`[{"id":"1","name":"唐家"}]`, `[{"id":"1",name:"唐家"}]`, `[{id:1,name:'x:y'}]`, `[]`, ``, `[{"id":"a\"b:c"}]`, `[{id:true}]`, `[{"id":1},{"id":1}]`, `[{id:'1\'',n_1:2}]`,
		`[{id:1}]}`, `[{id:1}],"list":[{id:2}`, `[{"id":"1"}] `, `{"id":1}`, `[{id:1e5,name:"\u4e2d"}]`, `[{"a":"b`, `[{1:2,id:3}]`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if json.Valid([]byte(text)) && quoteNames(text) != text {
			t.Fatalf("valid %q became %q", text, quoteNames(text))
		}
		if again := quoteNames(quoteNames(text)); again != quoteNames(text) {
			t.Fatalf("%q: quoted once %q, twice %q", text, quoteNames(text), again)
		}
		if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			return
		}
		items, err := scopeItems(oneField(t, text).fields, "x")
		if err != nil {
			return
		}
		again, err := scopeItems(oneField(t, scopeText(items)).fields, "x")
		if err != nil || len(again) != len(items) {
			t.Fatalf("%q: %v, written out %s: %v, %v", text, items, scopeText(items), again, err)
		}
		for i := range items {
			if items[i] != again[i] || items[i].ID == "" {
				t.Fatalf("%q: %v, written out %s: %v", text, items, scopeText(items), again)
			}
		}
	})
}
