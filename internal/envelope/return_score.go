package envelope

import (
	"context"
	"math"

	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// returnAnswer is the answer of 2.3. updateScore is what moved; 0 when nothing
// was left to return, which makes a repeated return harmless.
type returnAnswer struct {
	CurrentScore int64 `json:"currentScore"`
	UpdateScore  int64 `json:"updateScore"`
}

// returnScore is 2.3, /member/score/returnScore, 积分回退.
//
// What is returned is, in this order: the changes of orderId; the change that
// was made under the same idempotency id, as in the document's example; a free
// return of score points. A call that names none of them is refused, and so is a
// score of 0, which must not read as "everything" (E-130, E-131).
func (d *door) returnScore(ctx context.Context, c *call) (any, error) {
	member, err := c.body.required(maxID, "memberId")
	if err != nil {
		return nil, err
	}
	op, err := c.body.operation()
	if err != nil {
		return nil, err
	}
	id, businessType, err := c.body.key()
	if err != nil {
		return nil, err
	}
	note, err := c.body.note(op, businessType)
	if err != nil {
		return nil, err
	}
	points, err := c.body.number(1, math.MaxInt64, 0, "score")
	if err != nil {
		return nil, err
	}
	done, err := writer.Submit(ctx, d.Writer, loyalty.ReturnPoints{
		Who: c.who(member), ID: id, Space: c.app.Space, Operation: op,
		OrderNo: note.OrderNo, Points: points, App: c.app.ID, Note: note,
	})
	if err != nil {
		return nil, err
	}
	return returnAnswer{CurrentScore: done.Balance, UpdateScore: done.Points}, nil
}
