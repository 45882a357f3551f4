package gateway

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// answer is what a method comes to.
type answer struct {
	data any
	page *page // of paged lists
}

// page is where a list stands, as asked for and as capped.
type page struct {
	no, size int
	total    int64
}

// answerForm is how the document shows the answers of a method. On success the
// error members hold 200 and "" (numbered) or null; paging members are there,
// null when there is no list, where an example shows them (G-028, G-031).
type answerForm struct {
	numbered bool
	paging   bool
}

// unknownMethod is the form of answers that belong to no method.
var unknownMethod = answerForm{}

// frame is the common part of all answers, in the order of the examples. Both
// spellings of the error members always go out, with equal values (G-029).
type frame struct {
	Success       bool    `json:"success"`
	ErrorCode     *int    `json:"error_code"`
	ErrorMessage  *string `json:"error_message"`
	Data          any     `json:"data"`
	ErrorCode2    *int    `json:"errorCode"`
	ErrorMessage2 *string `json:"errorMessage"`
	*framePage
}

type framePage struct {
	No    *int   `json:"pageNo"`
	Size  *int   `json:"pageSize"`
	Total *int64 `json:"totalCount"`
}

// succeed writes the answer of a call that went well.
func (f answerForm) succeed(w http.ResponseWriter, a answer) {
	out := frame{Success: true, Data: a.data}
	if f.numbered {
		code, message := codeSuccess, ""
		out.setError(&code, &message)
	}
	if f.paging {
		out.framePage = &framePage{}
		if p := a.page; p != nil {
			*out.framePage = framePage{&p.no, &p.size, &p.total}
		}
	}
	out.write(w, http.StatusOK)
}

// refuse writes the answer of a call that was refused; data is null but for
// the repeat of a strict change_id (G-030, G-092).
func (f answerForm) refuse(w http.ResponseWriter, r *refusal) {
	out := frame{Data: r.data}
	out.setError(&r.code, &r.message)
	if f.paging {
		out.framePage = &framePage{}
	}
	out.write(w, r.status)
}

func (f *frame) setError(code *int, message *string) {
	f.ErrorCode, f.ErrorCode2 = code, code
	f.ErrorMessage, f.ErrorMessage2 = message, message
}

// write sends the frame. Status 0 is 200.
func (f *frame) write(w http.ResponseWriter, status int) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // a URL in a member's data goes out as it came in
	if err := enc.Encode(f); err != nil {
		panic(err) // wire types only: cannot happen
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	// A caller that is gone cannot be told, and the work is done.
	_, _ = w.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// TurnAway answers, in the door's form, a call that the server turned away
// before the door saw it: 413 a body that is too large, 429 too many calls, 503
// busy or shutting down. Nothing was booked.
func TurnAway(w http.ResponseWriter, status int) {
	r := &refusal{status: status, code: codeBusy, message: messageBusy}
	switch status {
	case http.StatusRequestEntityTooLarge:
		r = errBodyTooLarge
	case http.StatusTooManyRequests:
		r = errTooMany
	}
	unknownMethod.refuse(w, r)
}
