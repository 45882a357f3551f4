package envelope

import (
	"errors"
	"io"
	"net/http"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/jsonx"
	"github.com/memberd/memberd/internal/sign"
)

// maxBody bounds a request; the documents' largest is below 2 KB.
const maxBody = 1 << 20

// open checks the frame in a fixed order: it is readable; the app is known; its
// sign is right; the partner is its own; requestBody is one JSON object. Only
// then is anything in it believed.
func (d *door) open(w http.ResponseWriter, r *http.Request, c *call) error {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return errTooLarge
		}
		return invalid("请求体读取不完整")
	}
	f, err := readFrame(data)
	if err != nil {
		return err
	}
	if err := d.identify(r, f, c); err != nil {
		return err
	}
	if !signedBy(c.app, f) {
		return errSign
	}
	return c.readBody(f)
}

// readFrame reads the outer object. The first example of the document has raw
// line breaks inside requestBody; they pass here and nowhere else (E-007).
func readFrame(data []byte) (jsonx.Fields, error) {
	f, err := jsonx.Object(data)
	if err == nil {
		return f, nil
	}
	if again, relaxedErr := jsonx.Object(jsonx.RawControls(data)); relaxedErr == nil {
		return again, nil
	}
	return jsonx.Fields{}, err
}

// AppID is the app that a request body names, before anything is proven; "" if
// it names none. It reads the frame as the door does.
func AppID(body []byte) string {
	f, err := readFrame(body)
	if err != nil {
		return ""
	}
	id, _, err := f.Text("appId")
	if err != nil {
		return ""
	}
	return id
}

// identify finds the app and its merchant; from here on answers are signed.
func (d *door) identify(r *http.Request, f jsonx.Fields, c *call) error {
	id, err := f.NeedText("appId")
	if err != nil {
		return err
	}
	app, err := d.Access.App(r.Context(), id)
	switch {
	case errors.Is(err, access.ErrNoApp):
		return errNoApp
	case errors.Is(err, access.ErrAppGone):
		return errAppGone
	case err != nil:
		return err
	}
	merchant, err := d.Access.Merchant(r.Context(), app.MerchantID)
	if err != nil {
		return err
	}
	c.app, c.merchant = app, merchant
	d.Attribute(r.Context(), "app", app.ID)
	return nil
}

// signedBy tells whether the frame is the app's own. The signature covers every
// field except sign that is not null, requestBody byte for byte as it was
// received. An app that was created unsigned may leave the signature out or
// send one of the two words that stand in its place in the document's examples;
// a real signature must be right even there. For every other app the words are
// signatures like any other: wrong ones (E-002).
func signedBy(app *access.App, f jsonx.Fields) bool {
	signature, _, err := f.Text("sign")
	if err != nil {
		return false
	}
	if app.Unsigned {
		switch signature {
		case "", "skip", "sign":
			return true
		}
	}
	return signature != "" && sign.VerifyEnvelope(sign.EnvelopeBase(frameFields(f)), signature, app.CallerKey)
}

// frameFields are the frame's fields as the signature sees them.
func frameFields(f jsonx.Fields) []sign.Field {
	list := make([]sign.Field, 0, 8)
	for name, value := range f.All() {
		list = append(list, sign.Field{Name: name, Value: value})
	}
	return list
}

// readBody checks ver and partnerId and decodes requestBody: a string that holds
// JSON, strict or with single quotes (E-005), or an object in its place (E-006).
func (c *call) readBody(f jsonx.Fields) error {
	if ver, present, err := f.Int("ver"); err != nil || present && ver != 1 {
		return refuse("ver", jsonx.Invalid) // 1, "1", 1.0 or absent (E-004)
	}
	partner, _, err := f.Text("partnerId")
	if err != nil {
		return err
	}
	body, present, err := f.Sub("requestBody")
	if err != nil {
		text, err := f.NeedText("requestBody")
		if err != nil {
			return err
		}
		if body, err = jsonx.RelaxedObject(text); err != nil {
			return badBody(err)
		}
	} else if !present {
		return refuse("requestBody", jsonx.Missing)
	}
	inner, _, err := body.Text("partnerId")
	switch {
	case err != nil:
		return err
	case partner == "" && inner == "":
		return refuse("partnerId", jsonx.Missing)
	case partner == "":
		partner = inner
	case inner != "" && inner != partner:
		return refuse("partnerId", jsonx.Different) // E-009
	}
	if partner != c.app.MerchantID {
		return invalid("partnerId 不属于该应用")
	}
	c.body = fields{body}
	return nil
}
