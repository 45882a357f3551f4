package sign

import (
	"net/url"
	"strings"
)

// maxParams bounds a query; the longest documented call has a dozen.
const maxParams = 256

// Param is one query parameter, decoded and as it stood in the URL. Both are
// needed: clients sign either form.
type Param struct {
	Name, Value       string
	RawName, RawValue string
}

// QueryFault is what a QueryError complains about.
type QueryFault string

// The faults of a query.
const (
	RepeatedParam QueryFault = "repeated parameter"
	InvalidEscape QueryFault = "invalid escape"
	TooManyParams QueryFault = "too many parameters"
)

// QueryError says why a query is refused. It names no parameter: names come
// from strangers.
type QueryError struct {
	Fault QueryFault
}

func (e *QueryError) Error() string { return "query: " + string(e.Fault) }

// Chinese is the message for the wire.
func (e *QueryError) Chinese() string {
	switch e.Fault {
	case RepeatedParam:
		return "URL 参数重复"
	case InvalidEscape:
		return "URL 参数编码不正确"
	}
	return "URL 参数过多"
}

// ParseQuery splits a raw query in its order; '+' and %20 are blanks, a
// parameter without '=' has an empty value. A repeated parameter has no place
// in the signature base and is refused, as are broken escapes; the error is a
// *QueryError. Unlike net/url it takes a semicolon as a character.
func ParseQuery(raw string) ([]Param, error) {
	if raw == "" {
		return nil, nil
	}
	params := make([]Param, 0, min(strings.Count(raw, "&")+1, maxParams))
	for piece := range strings.SplitSeq(raw, "&") {
		if piece == "" {
			continue
		}
		if len(params) == maxParams {
			return nil, &QueryError{TooManyParams}
		}
		var p Param
		p.RawName, p.RawValue, _ = strings.Cut(piece, "=")
		var errName, errValue error
		p.Name, errName = url.QueryUnescape(p.RawName)
		p.Value, errValue = url.QueryUnescape(p.RawValue)
		if errName != nil || errValue != nil {
			return nil, &QueryError{InvalidEscape}
		}
		for i := range params {
			if params[i].Name == p.Name {
				return nil, &QueryError{RepeatedParam}
			}
		}
		params = append(params, p)
	}
	return params, nil
}

// Values returns the decoded parameters in the form of net/url.
func Values(params []Param) url.Values {
	values := make(url.Values, len(params))
	for _, p := range params {
		values[p.Name] = append(values[p.Name], p.Value)
	}
	return values
}
