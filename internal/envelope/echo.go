package envelope

import "context"

// echo is /member/sandbox/echo, which the document does not have: everything that
// 2.1 does before it changes points, and nothing after. memberd bench measures a
// points change against it. For other merchants than sandboxes it does not exist
// (docs/adr/0010-bench-echo.md).
func (d *door) echo(_ context.Context, c *call) (any, error) {
	if !c.merchant.Sandbox {
		return nil, errNoEndpoint
	}
	change, err := c.exactChange()
	if err != nil {
		return nil, err
	}
	return scoreAnswer{UpdateScore: change.Points}, nil
}
