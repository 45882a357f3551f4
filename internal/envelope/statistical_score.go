package envelope

import "context"

// totals are the three sums of a member: currentScore = totalScore - usedScore
// at all times (E-143).
type totals struct {
	CurrentScore int64 `json:"currentScore"`
	TotalScore   int64 `json:"totalScore"`
	UsedScore    int64 `json:"usedScore"`
}

// statisticalScore is 2.4, /member/score/statisticalScore, 积分统计.
//
// It reads only, whatever 应用场景 says (E-140): currentScore 当前可用积分,
// totalScore 历史累计积分, usedScore 已使用积分. The score and operation fields of
// the document's example are ignored (E-141).
func (d *door) statisticalScore(ctx context.Context, c *call) (any, error) {
	id, err := c.body.required(maxID, "memberId")
	if err != nil {
		return nil, err
	}
	m, err := d.member(ctx, c, c.who(id), false)
	if err != nil {
		return nil, err
	}
	return totals{CurrentScore: m.Balance, TotalScore: m.Earned, UsedScore: m.Used}, nil
}
