package envelope

import (
	"context"
	"math"

	"github.com/memberd/memberd/internal/jsonx"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/writer"
)

// scoreAnswer is the answer of 1.3, 2.1 and 2.2. Points moved are positive in
// both directions; sendScore is 0 for a deduction (E-077, E-114).
type scoreAnswer struct {
	CurrentScore int64 `json:"currentScore"`
	SendScore    int64 `json:"sendScore"`
	UpdateScore  int64 `json:"updateScore"`
}

// changePoints submits a change and answers it.
func (d *door) changePoints(ctx context.Context, change loyalty.ChangePoints) (any, error) {
	done, err := writer.Submit(ctx, d.Writer, change)
	if err != nil {
		return nil, err
	}
	a := scoreAnswer{CurrentScore: done.Balance, UpdateScore: done.Points}
	if done.Direction == loyalty.Credit {
		a.SendScore = done.Points
	}
	return a, nil
}

// change begins a command with what 1.3, 2.1 and 2.2 read alike.
func (c *call) change(keyOp loyalty.KeyOperation, id, businessType string) (loyalty.ChangePoints, error) {
	member, err := c.body.required(maxID, "memberId")
	if err != nil {
		return loyalty.ChangePoints{}, err
	}
	op, err := c.body.operation()
	if err != nil {
		return loyalty.ChangePoints{}, err
	}
	note, err := c.body.note(op, businessType)
	if err != nil {
		return loyalty.ChangePoints{}, err
	}
	return loyalty.ChangePoints{
		Who: c.who(member), ID: id, Space: c.app.Space, KeyOp: keyOp,
		Direction: op.Direction(), Operation: op, App: c.app.ID, Note: note,
	}, nil
}

// maxFen bounds amounts that are kept as information: far above any order, far
// enough below int64 that sums cannot overflow.
const maxFen = 1_000_000_000_000_000

// readQuantity fills in score or amount: "金额和积分数必填一项". Where both are
// there score decides and amount is kept as information (E-075). Amount is in
// fen, and bounded where points follow from it (E-073, E-074). A zero is a field
// left empty.
func (c *call) readQuantity(change *loyalty.ChangePoints) error {
	score, err := c.body.number(0, math.MaxInt64, 0, "score")
	if err != nil {
		return err
	}
	amount, err := c.body.number(0, maxFen, 0, "amount")
	if err != nil {
		return err
	}
	switch {
	case score > 0:
		change.Points, change.Note.Detail.OrderFen = score, amount
	case amount > loyalty.MaxAmount:
		return refuse("amount", jsonx.OutOfRange)
	default:
		change.Amount, change.Note.Detail.OrderFen = amount, amount
	}
	return nil
}
