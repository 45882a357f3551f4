package webhook

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/memberd/memberd/internal/loyalty"
)

// accepted is the statusCode by which a partner says that all went well.
const accepted = 100

// judge says why an answer is no success, nil if it is one.
//
// 1.4 has no answer in the document ("返回示例 无"), so any 2xx is a success; 1.5
// has one, so there it is a statusCode of 100, or a 2xx with nothing in it. A
// statusCode other than 100 is a failure everywhere (E-080, E-087). So is an
// answer that is too long to be looked at.
func judge(kind loyalty.EventKind, status int, body []byte) *Failure {
	if status < 200 || status > 299 {
		return &Failure{Reason: "HTTP status", Number: status}
	}
	if len(body) > maxAnswer {
		return &Failure{Reason: "answer too long"}
	}
	code, found := statusCode(body)
	switch {
	case found && code == accepted:
		return nil
	case found && code == 0:
		return &Failure{Reason: "statusCode is no number"}
	case found:
		return &Failure{Reason: "statusCode", Number: code}
	case kind == loyalty.EventPointsChanged && len(bytes.TrimSpace(body)) > 0:
		return &Failure{Reason: "answer without statusCode"}
	}
	return nil
}

// statusCode is the statusCode of an answer, number or text; 0 for one that is
// neither. found is false when there is none.
func statusCode(body []byte) (code int, found bool) {
	var answer struct {
		StatusCode json.RawMessage `json:"statusCode"`
	}
	// Some frameworks write a byte order mark first.
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if json.Unmarshal(body, &answer) != nil || len(answer.StatusCode) == 0 || string(answer.StatusCode) == "null" {
		return 0, false
	}
	text := string(answer.StatusCode)
	if unquoted := ""; json.Unmarshal(answer.StatusCode, &unquoted) == nil {
		text = unquoted
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 999_999_999 {
		return 0, true
	}
	return n, true
}
