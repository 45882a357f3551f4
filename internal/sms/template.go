package sms

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"mime"
	"net/url"
	"strings"
	"time"
)

// template is a body with places for a message.
type template struct {
	text   string
	escape func(string) string
}

// newTemplate checks that a body names the phone and the code, and that it is
// what its Content-Type says once it is filled in.
func newTemplate(text, contentType string) (template, error) {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return template{}, errors.New("sms.header: Content-Type is not of the form type/subtype")
	}
	if !strings.Contains(text, "{phone}") || !strings.Contains(text, "{code}") && !strings.Contains(text, "{text}") {
		return template{}, errors.New("sms.body: needs {phone}, and {code} or {text}")
	}
	t := template{text: text}
	switch {
	case kind == "application/json" || strings.HasSuffix(kind, "+json"):
		t.escape = escapeJSON
		sample := Message{Phone: "13800000000", Code: "0000", Text: `"\`, At: time.Unix(0, 0)}
		if !json.Valid([]byte(t.fill(sample))) {
			return template{}, errors.New("sms.body: is no JSON once it is filled in; another form needs its Content-Type in sms.header")
		}
	case kind == "application/x-www-form-urlencoded":
		t.escape = url.QueryEscape
	case kind == "application/xml" || kind == "text/xml" || strings.HasSuffix(kind, "+xml"):
		t.escape = escapeXML
	case kind == "text/plain":
		t.escape = func(s string) string { return s }
	default:
		return template{}, errors.New("sms.header: Content-Type must be JSON, application/x-www-form-urlencoded, XML or text/plain")
	}
	return t, nil
}

// fill puts a message in, in one pass: what is put in is not searched again.
func (t template) fill(m Message) string {
	return strings.NewReplacer(
		"{phone}", t.escape(m.Phone), "{code}", t.escape(m.Code), "{text}", t.escape(m.Text), "{time}", t.escape(m.time()),
	).Replace(t.text)
}

// escapeJSON is the inside of a JSON string.
func escapeJSON(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // texts always encode
	}
	return string(b[1 : len(b)-1])
}

func escapeXML(text string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(text)); err != nil {
		panic(err) // a Builder does not fail
	}
	return b.String()
}
