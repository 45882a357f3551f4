package programme

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Finding is something wrong with a file.
type Finding struct {
	Line    int    `json:"line"`          // from 1
	Key     string `json:"key,omitempty"` // as points.multipliers[0].factor; "" for the file as such
	Problem string `json:"problem"`
}

func (f Finding) String() string {
	if f.Key == "" {
		return fmt.Sprintf("line %d: %s", f.Line, f.Problem)
	}
	return fmt.Sprintf("line %d: %s: %s", f.Line, f.Key, f.Problem)
}

// maxFindings are told of one file; who has more has another kind of file.
const maxFindings = 20

// Error says everything that is wrong with a file, by line.
type Error struct {
	Findings []Finding // at least one, at most 20
	More     int       // beyond those
}

func (e *Error) Error() string {
	lines := make([]string, 0, len(e.Findings)+1)
	for _, f := range e.Findings {
		lines = append(lines, f.String())
	}
	if e.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", e.More))
	}
	return strings.Join(lines, "\n")
}

// failure is an Error of the findings.
func failure(findings ...Finding) *Error {
	slices.SortStableFunc(findings, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	most := min(len(findings), maxFindings)
	return &Error{Findings: findings[:most], More: len(findings) - most}
}
