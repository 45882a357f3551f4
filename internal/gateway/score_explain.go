package gateway

import (
	"github.com/memberd/memberd/internal/explain"
	"github.com/memberd/memberd/internal/loyalty"
)

// explained is the answer: sentences in the order in which they are read out,
// the first a headline, and the record that they come from, null where none was
// kept. points are negative where they were taken.
type explained struct {
	StatementID *string            `json:"statement_id"` // null for an order that moved no points
	OrderNo     *string            `json:"order_no"`
	Points      int64              `json:"points"`
	Version     *int64             `json:"version"`
	Sentences   []explain.Sentence `json:"sentences"`
	Record      *loyalty.Decision  `json:"record"`
}

// scoreExplain is wk.user.score.explain, which the document does not have: why a
// statement, or an order or refund, is worth the points that it is. open_id or
// phone may say whose it has to be.
func scoreExplain(c *call) (answer, error) {
	f := &c.fields
	who := f.member()
	statement := f.text(maxKey, both("statement_id")...)
	order := f.text(maxKey, both("order_no")...)
	switch {
	case statement == "" && order == "":
		f.missing("statement_id")
	case statement != "" && order != "":
		f.fail(invalid("statement_id 与 order_no 只能传一个"))
	}
	if f.err != nil { // unlike its neighbours it needs no member
		return answer{}, f.err
	}
	found, x, err := explain.Answer(c.ctx, c.Reader, explain.Question{
		Who: who, Statement: statement, Order: loyalty.OrderKey{Space: c.app.Space, No: order},
	}, c.now)
	switch {
	case err != nil:
		return answer{}, c.interrupted(err)
	case found.Status == loyalty.Erased:
		return answer{}, errNotMember
	}
	data := explained{
		StatementID: orNull(x.Statement), OrderNo: orNull(x.OrderNo), Points: x.Points, Sentences: x.Sentences, Record: x.Record,
	}
	if x.Version != 0 {
		data.Version = &x.Version
	}
	return answer{data: data}, nil
}
